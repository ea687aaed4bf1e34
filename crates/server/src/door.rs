//! Doors: paths, words and errors of other systems, so that what was written for those
//! goes on working.
//!
//! A door translates and does nothing else: its routes make the commands that those of
//! REST make, as the same askers, within the same limits. Only what a problem looks like
//! is its own, and that HTTP Basic counts from browsers, too.

use core::fmt;
use core::str::FromStr;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use countersign_admin::tenant::{FindTenant, ShowTenant};
use countersign_admin::{Caller, Context, OsRandom, run};
use countersign_core::name::TenantId;
use countersign_store::AnyStore;

use crate::answer::JSON;
use crate::call::{Call, now};
use crate::problem::{Problem, ProblemKind};
use crate::route::Route;

mod devicewise;
mod forms;
mod impact;
mod kaa;
mod numbered;
mod tier0;

/// Whose system a door is like. All of them are in [`VENDORS`].
struct Vendor {
    /// What the option calls it.
    name: &'static str,
    /// Whether a path is the door's, and a problem there told as it tells them.
    holds: fn(&str) -> bool,
    routes: fn() -> Vec<Route>,
    /// The status and the JSON that tell a problem.
    problem: fn(&Problem) -> (StatusCode, String),
}

/// A door that is open, as `--door` says it: `impact`, `impact=TENANT`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Door {
    vendor: &'static Vendor,
    /// The tenant that it leads to; none where the asker decides.
    tenant: Option<TenantId>,
}

impl FromStr for Door {
    type Err = DoorError;

    fn from_str(text: &str) -> Result<Self, DoorError> {
        let (name, tenant) = match text.split_once('=') {
            Some((name, tenant)) => (name, Some(tenant)),
            None => (text, None),
        };
        let mut vendors = VENDORS.into_iter();
        let vendor = vendors.find(|vendor| vendor.name == name);
        let vendor = vendor.ok_or_else(|| DoorError::Unknown(name.into()))?;
        let tenant = tenant.map(TenantId::parse).transpose();
        let tenant = tenant.map_err(|error| DoorError::Tenant(error.to_string()))?;
        Ok(Self { vendor, tenant })
    }
}

impl Door {
    /// The tenant that it leads to; none where the asker decides.
    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.tenant.clone()
    }

    /// All doors that there are, each to this tenant.
    #[cfg(test)]
    pub(crate) fn all(tenant: &TenantId) -> Vec<Self> {
        let door = |vendor| Self {
            vendor,
            tenant: Some(tenant.clone()),
        };
        VENDORS.into_iter().map(door).collect()
    }

    /// Has the answer tell its problem, if it is one, as the vendor does.
    pub(crate) fn tell_problem(&self, response: &mut Response<Body>) {
        let Some(problem) = response.extensions_mut().remove::<Problem>() else {
            return;
        };
        let (status, told) = (self.vendor.problem)(&problem);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        // That of the text that it takes the place of.
        headers.remove(CONTENT_LENGTH);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC));
        } else {
            headers.remove(WWW_AUTHENTICATE);
        }
        *response.body_mut() = told.into();
    }
}

/// The doors that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doors(Vec<Door>);

impl Doors {
    /// These, each of them once.
    pub(crate) fn of(doors: &[Door]) -> Result<Self, DoorError> {
        let mut open: Vec<Door> = Vec::new();
        for door in doors {
            if open.iter().any(|it| it.vendor == door.vendor) {
                return Err(DoorError::Twice(door.vendor.name));
            }
            open.push(door.clone());
        }
        Ok(Self(open))
    }

    /// Their routes.
    pub(crate) fn routes(&self) -> impl Iterator<Item = Route> {
        self.0.iter().flat_map(|door| (door.vendor.routes)())
    }

    /// The one that a path is of.
    pub(crate) fn at(&self, path: &str) -> Option<&Door> {
        self.0.iter().find(|door| (door.vendor.holds)(path))
    }

    /// Logs which lead to a tenant that there is not. It may be made later.
    pub(crate) fn look_for_tenants(&self, store: &mut AnyStore) {
        for door in &self.0 {
            let Some(tenant) = door.tenant() else {
                continue;
            };
            let mut context = Context {
                now: now(),
                caller: Caller::owner("serve"),
                random: &mut OsRandom,
            };
            let told = format!("{}={tenant}", door.vendor.name);
            if let Err(error) = run(store, &mut context, &ShowTenant(tenant)) {
                tracing::warn!("the door {told}: {error}");
            }
        }
    }
}

impl Call<'_> {
    /// The tenant that a request at a door means, which the asker has some right in:
    /// the one that is named, and that of the door; else the asker's only one.
    fn tenant_at_door(&mut self, named: Option<TenantId>) -> Result<TenantId, Problem> {
        let fixed = self.asked.door_tenant.clone();
        let is_elsewhere = named.is_some() && fixed.is_some() && named != fixed;
        let found = self.run(&FindTenant {
            named: named.or(fixed),
        })?;
        if is_elsewhere {
            let detail = format!("this door does not lead to tenant `{found}`");
            return Err(Problem::new(ProblemKind::Forbidden, detail));
        }
        Ok(found)
    }
}

/// Why there is no such door.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// It names no tenant.
    #[error("{0}")]
    Tenant(String),
    /// It is said twice.
    #[error("the door `{0}` is said twice")]
    Twice(&'static str),
    /// There is none of that name.
    #[error("`{0}` is no door; the doors are {names}", names = Names)]
    Unknown(Box<str>),
}

/// What the doors are called.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = VENDORS.into_iter().map(|vendor| vendor.name).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Vendor {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Vendor {}

/// All doors that there are.
static VENDORS: [&Vendor; 4] = [
    &devicewise::VENDOR,
    &impact::VENDOR,
    &kaa::VENDOR,
    &tier0::VENDOR,
];
/// How programs are asked for a name and a password at a door.
const BASIC: &str = "Basic realm=\"countersign\"";
