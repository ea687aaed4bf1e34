//! Limits of tenants, roles and credentials.

use countersign_core::change::Change;
use countersign_core::credential::Credential;
use countersign_core::limit::UseLimits;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::store::Intent;
use countersign_core::tenant::Tenant;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, Noun};
use crate::lookup::{self, Rows};
use crate::view::LimitsView;

/// Whose limits are meant.
#[derive(Clone, Debug)]
pub enum Limited {
    /// Those of a credential, in all its sessions.
    Credential(LoginName),
    /// Those of each that holds a role.
    Role(TenantId, RoleName),
    /// Those of all principals of a tenant together.
    Tenant(TenantId),
}

/// The limits of a tenant, a role or a credential.
#[derive(Clone, Debug)]
pub struct ShownLimits {
    /// Whose they are.
    pub of: Limited,
    /// What they are.
    pub limits: UseLimits,
}

/// What becomes of limits that are not said.
#[derive(Clone, Copy, Debug)]
pub enum Unsaid {
    /// They go.
    Go,
    /// They stay.
    Stay,
}

/// Limits a tenant, a role or a credential; what its limits are then is the output.
///
/// What a tenant may is for the platform to say, and never for its own administrators.
#[derive(Clone, Debug)]
pub struct SetLimits {
    /// Whose.
    pub of: Limited,
    /// To what.
    pub limits: UseLimits,
    /// What becomes of others.
    pub unsaid: Unsaid,
}

impl Command for SetLimits {
    type Output = ShownLimits;

    fn needs(&self) -> Permission {
        self.of.change_needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownLimits, AdminError> {
        let is_of_tenant = matches!(self.of, Limited::Tenant(_));
        if let Some(share) = self.limits.share.filter(|_| !is_of_tenant) {
            let message = "only what a tenant may is shared by sessions";
            return Err(AdminError::invalid(Noun::Limit, share, message));
        }
        let mut found = LimitHolder::of(tx, &self.of)?;
        let before = *found.limits();
        let said = self.limits;
        let after = match self.unsaid {
            Unsaid::Go => said,
            Unsaid::Stay => UseLimits {
                connections: said.connections.or(before.connections),
                messages_per_second: said.messages_per_second.or(before.messages_per_second),
                bytes_per_second: said.bytes_per_second.or(before.bytes_per_second),
                payload: said.payload.or(before.payload),
                share: said.share.or(before.share),
            },
        };
        *found.limits() = after;
        found.put(tx, "limit.set", &self.of, before)
    }
}

/// Takes all limits of a tenant, a role or a credential away; what they were is the
/// output.
#[derive(Clone, Debug)]
pub struct ClearLimits(pub Limited);

impl Command for ClearLimits {
    type Output = ShownLimits;

    fn needs(&self) -> Permission {
        self.0.change_needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownLimits, AdminError> {
        let mut found = LimitHolder::of(tx, &self.0)?;
        let before = core::mem::take(found.limits());
        let cleared = found.put(tx, "limit.clear", &self.0, before)?;
        Ok(ShownLimits {
            limits: before,
            ..cleared
        })
    }
}

/// Shows the limits of a tenant, a role or a credential: its own, whatever others hold
/// for it besides.
#[derive(Clone, Debug)]
pub struct ShowLimits(pub Limited);

impl Command for ShowLimits {
    type Output = ShownLimits;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        match &self.0 {
            Limited::Credential(name) => Permission::SeeCredential(name.clone()),
            Limited::Role(tenant, _) | Limited::Tenant(tenant) => Permission::See(tenant.clone()),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownLimits, AdminError> {
        let limits = *LimitHolder::of(tx, &self.0)?.limits();
        let of = self.0.clone();
        Ok(ShownLimits { of, limits })
    }
}

impl Limited {
    fn change_needs(&self) -> Permission {
        match self {
            Self::Credential(name) => Permission::Change(name.clone()),
            Self::Role(tenant, _) => Permission::Administer(tenant.clone()),
            Self::Tenant(_) => Permission::Platform,
        }
    }
}

/// What has the limits.
enum LimitHolder {
    Credential(Box<Credential>),
    Role(Role),
    Tenant(Tenant),
}

impl LimitHolder {
    fn of(rows: &mut Rows<'_>, limited: &Limited) -> Result<Self, AdminError> {
        Ok(match limited {
            Limited::Credential(name) => {
                Self::Credential(Box::new(lookup::credential(rows, name)?.credential))
            }
            Limited::Role(tenant, name) => Self::Role(lookup::role(rows, tenant, name)?),
            Limited::Tenant(id) => Self::Tenant(lookup::tenant(rows, id)?),
        })
    }

    fn limits(&mut self) -> &mut UseLimits {
        match self {
            Self::Credential(credential) => &mut credential.limits,
            Self::Role(role) => &mut role.limits,
            Self::Tenant(tenant) => &mut tenant.limits,
        }
    }

    fn put(
        mut self,
        tx: &mut Tx<'_>,
        act: &'static str,
        of: &Limited,
        before: UseLimits,
    ) -> Result<ShownLimits, AdminError> {
        let limits = *self.limits();
        let (subject, change) = match self {
            Self::Credential(mut credential) => {
                credential.updated_at = tx.now;
                tx.update_credential(&credential)?;
                let change = Change::Credential(credential.id);
                (credential.name.to_string(), change)
            }
            Self::Role(role) => {
                tx.put_role(&role)?;
                let subject = format!("{}@{}", role.name, role.tenant);
                (subject, Change::Tenant(role.tenant))
            }
            Self::Tenant(tenant) => {
                tx.put_tenant(&tenant)?;
                (tenant.id.to_string(), Change::Tenant(tenant.id))
            }
        };
        let shown = |limits| ShownLimits {
            of: of.clone(),
            limits,
        };
        let (before, after) = (shown(before), shown(limits));
        let views = [&before, &after].map(LimitsView::of);
        tx.record(act, &subject, Some(&views[0]), Some(&views[1]));
        tx.changed(change);
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::limit::{Limit, Share};
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::error::ErrorKind;
    use crate::fixture::{Fixture, JANE, login_name, role_name, tenant_id};

    fn limits(text: &str) -> UseLimits {
        UseLimits::parse(text).unwrap()
    }

    fn set(of: &Limited, text: &str) -> SetLimits {
        SetLimits {
            of: of.clone(),
            limits: limits(text),
            unsaid: Unsaid::Stay,
        }
    }

    fn all() -> [Limited; 3] {
        [
            Limited::Tenant(tenant_id("acme")),
            Limited::Role(tenant_id("acme"), role_name("ops")),
            Limited::Credential(login_name("dev1@acme")),
        ]
    }

    fn limited() -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        fixture
    }

    #[test]
    fn limits_are_set_one_by_one_shown_and_taken_away() {
        let mut fixture = limited();
        for of in all() {
            let shown = fixture.run(&ShowLimits(of.clone())).unwrap();
            assert!(shown.limits.is_none());
            fixture.run(&set(&of, "connections=2 payload=9")).unwrap();
            let both = fixture
                .run(&set(&of, "messages-per-second=5 payload=7"))
                .unwrap();
            let expected = limits("connections=2 messages-per-second=5 payload=7");
            assert_eq!(both.limits, expected);
            let shown = fixture.run(&ShowLimits(of.clone())).unwrap();
            assert_eq!(shown.limits, expected);
            let alone = SetLimits {
                unsaid: Unsaid::Go,
                ..set(&of, "payload=7")
            };
            let alone = fixture.run(&alone).unwrap();
            assert_eq!(alone.limits, limits("payload=7"));
            let cleared = fixture.run(&ClearLimits(of.clone())).unwrap();
            assert_eq!(cleared.limits, alone.limits);
            let shown = fixture.run(&ShowLimits(of)).unwrap();
            assert!(shown.limits.is_none());
        }
        let acts = fixture.acts();
        let expected = ["acme", "ops@acme", "dev1@acme"].map(|subject| {
            ["set", "set", "set", "clear"].map(|act| format!("limit.{act} {subject}"))
        });
        assert_eq!(acts[acts.len() - 12..], expected.concat());
    }

    #[test]
    fn brokers_are_told_whom_limits_concern() {
        let mut fixture = limited();
        let id = fixture.show("dev1@acme").id;
        let last = fixture.store.last_change().unwrap();
        for of in all() {
            fixture.run(&set(&of, "payload=9")).unwrap();
        }
        let changes = fixture.store.changes_after(last, 100).unwrap();
        let told: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
        let acme = || Change::Tenant(tenant_id("acme"));
        assert_eq!(told, [acme(), acme(), Change::Credential(id)]);
    }

    #[test]
    fn only_a_tenant_has_a_share_and_what_is_not_there_has_no_limits() {
        let mut fixture = limited();
        for (position, of) in all().iter().enumerate() {
            let set = SetLimits {
                of: of.clone(),
                limits: UseLimits {
                    share: Some(Share::HALF),
                    connections: Limit::new(1),
                    ..UseLimits::default()
                },
                unsaid: Unsaid::Stay,
            };
            let kind = fixture.run(&set).map(drop).map_err(|error| error.kind());
            let expected = [Ok(()), Err(ErrorKind::Invalid), Err(ErrorKind::Invalid)];
            assert_eq!(kind, expected[position], "{of:?}");
        }
        for none in [
            Limited::Tenant(tenant_id("none")),
            Limited::Role(tenant_id("acme"), role_name("none")),
            Limited::Credential(login_name("none@acme")),
        ] {
            let error = fixture.run(&set(&none, "payload=1")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
    }

    #[test]
    fn an_administrator_limits_roles_and_credentials_and_not_the_own_tenant() {
        let mut fixture = Fixture::with_admin();
        let jane = fixture.session_of(JANE);
        let [tenant, role, credential] = all();
        for of in [&role, &credential] {
            fixture.run_by(jane, &set(of, "payload=9")).unwrap();
            fixture.run_by(jane, &ClearLimits(of.clone())).unwrap();
        }
        fixture.run(&set(&tenant, "payload=9")).unwrap();
        fixture.run_by(jane, &ShowLimits(tenant.clone())).unwrap();
        for error in [
            fixture.run_by(jane, &set(&tenant, "payload=10")).map(drop),
            fixture.run_by(jane, &ClearLimits(tenant)).map(drop),
        ] {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Forbidden);
        }
    }
}
