//! The order of a CONNECT: shape, look up, back-off, verify, state and dates,
//! client-id rule, ownership, second factor, what must be recorded.
//!
//! [`decide`] is that order, once, for every host. It is pure: it asks a
//! [`Directory`] what is stored and a [`SecretCheck`] whether a secret
//! matches, and answers with a [`Decision`]. After a wait (a slow hash on
//! another thread) the host calls it again with what the wait brought, so
//! that everything that changed meanwhile counts.

use std::sync::Arc;

use crate::client_id::{ClientId, ClientIdRule, ClientIdTie};
use crate::credential::Credential;
use crate::name::{LoginName, Suffix, TenantId};
use crate::reason::Reason;
use crate::secret::{Secret, SecretId};
use crate::store::{Directory, StoreError};
use crate::time::Timestamp;

/// What a CONNECT presents, once its shape was found good.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct Request {
    /// The client identifier.
    pub client_id: ClientId,
    /// The login name, if one was given.
    pub name: Option<LoginName>,
    /// The password, if one was given.
    pub secret: Option<Secret>,
}

impl Request {
    /// Parses the fields of a CONNECT (MQTT 5.0 §3.1.3).
    ///
    /// # Errors
    ///
    /// Returns [`Reason::Malformed`] when a field is no UTF-8 or has a shape
    /// that nothing valid has.
    pub fn parse(
        client_id: &[u8],
        username: Option<&[u8]>,
        password: Option<&[u8]>,
    ) -> Result<Self, Reason> {
        fn text(bytes: &[u8]) -> Result<&str, Reason> {
            core::str::from_utf8(bytes).map_err(|_| Reason::Malformed)
        }
        let client_id = ClientId::parse(text(client_id)?).map_err(|_| Reason::Malformed)?;
        let name = match username {
            None => None,
            Some(bytes) => {
                let name = LoginName::parse(text(bytes)?).map_err(|_| Reason::Malformed)?;
                let is_email = matches!(name.suffix(), Suffix::Email);
                if name.as_str().contains('+') && !is_email {
                    return Err(Reason::Malformed);
                }
                Some(name)
            }
        };
        let secret = password.map(|bytes| Secret::new(bytes.to_vec()));
        Ok(Self {
            client_id,
            name,
            secret,
        })
    }
}

/// Where a CONNECT arrived, and what the host was told about that place.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The only tenant whose principals this listener takes.
    pub listener_tenant: Option<TenantId>,
    /// The tenant of clients that name none.
    pub default_tenant: Option<TenantId>,
}

impl Site {
    /// The tenant that answers for a client that names none.
    fn tenant_of_the_nameless(&self) -> Option<&TenantId> {
        self.listener_tenant
            .as_ref()
            .or(self.default_tenant.as_ref())
    }

    /// Says whether this listener takes principals of `tenant`; operators,
    /// who have none, pass everywhere.
    fn takes(&self, tenant: Option<&TenantId>) -> bool {
        match (&self.listener_tenant, tenant) {
            (Some(only), Some(tenant)) => only == tenant,
            (Some(_) | None, None) | (None, Some(_)) => true,
        }
    }
}

/// Compares secrets for [`decide`], at whatever speed its host can afford.
pub trait SecretCheck {
    /// Says whether `presented` is a secret of `credential` that works at
    /// `now`.
    ///
    /// A mismatch costs what the shape of the presented name costs, whatever
    /// is stored: where a password could be expected, one slow hash.
    fn compare(&mut self, credential: &Credential, presented: &Secret, now: Timestamp) -> Checked;

    /// Spends what [`SecretCheck::compare`] would have cost, for a name that
    /// nobody has.
    fn waste(&mut self, name: &LoginName, presented: &Secret) -> Wasted;
}

/// What a comparison of secrets came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checked {
    /// It is this secret of the credential.
    Match(SecretId),
    /// It is none of them.
    Mismatch,
    /// It was not compared: too many slow checks were asked for.
    OverBudget,
    /// It is being compared on another thread.
    Waiting,
}

/// What wasting the time of a comparison came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wasted {
    /// The time was spent.
    Done,
    /// Too many slow checks were asked for.
    OverBudget,
    /// It is being spent on another thread.
    Waiting,
}

/// What [`decide`] comes to.
#[derive(Clone, Debug)]
#[must_use]
pub enum Decision {
    /// Let the client in as this principal, after recording what must be.
    Admit(Admission),
    /// Refuse it. The client learns no reason; the audit does.
    Refuse(Reason),
    /// Decide again once the slow comparison is done.
    Wait,
}

/// Who is let in.
#[derive(Clone, Debug)]
pub enum Admission {
    /// A credential, proved by one of its secrets.
    Credential {
        /// The credential, as it was when it was looked up.
        credential: Arc<Credential>,
        /// The secret that proved it.
        secret: SecretId,
        /// What must be committed before the client hears of it.
        record: LoginRecord,
    },
    /// A client that proved nothing, where a tenant allows that.
    Unauthenticated {
        /// The tenant whose namespaces it may use; if none yet, the first one
        /// it touches.
        tenant: Option<TenantId>,
    },
}

/// What a login changes for good.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LoginRecord {
    /// The credential was never used before.
    pub activates: bool,
    /// The client id it is tied to from now on.
    pub ties: Option<ClientIdTie>,
    /// Older secrets that were to work until this one was used.
    pub retires_older_secrets: bool,
}

impl LoginRecord {
    /// Says whether nothing has to be recorded before the CONNACK.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Decides about a CONNECT.
///
/// # Errors
///
/// Returns the store's error when something could not be looked up. The
/// caller refuses then, too.
pub fn decide(
    request: &Request,
    site: &Site,
    now: Timestamp,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    let Some(name) = &request.name else {
        return without_login(site, directory);
    };
    let Some(credential) = directory.credential(name)? else {
        return unknown_name(name, request, site, directory, check);
    };
    // Back-off belongs here.
    let checked = match &request.secret {
        Some(secret) => check.compare(&credential, secret, now),
        None => Checked::Mismatch,
    };
    let secret = match checked {
        Checked::Match(secret) => secret,
        Checked::Mismatch => {
            let tenant = credential.tenant.as_ref();
            return wrong_login(Reason::BadSecret, tenant, site, directory);
        }
        Checked::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
        Checked::Waiting => return Ok(Decision::Wait),
    };
    if let Err(reason) = credential.admits(secret, &request.client_id, now) {
        return Ok(Decision::Refuse(reason));
    }
    if !site.takes(credential.tenant.as_ref()) {
        return Ok(Decision::Refuse(Reason::WrongListener));
    }
    // Client-id ownership and the second factor belong here.
    let record = record_of(&credential, secret, &request.client_id);
    Ok(Decision::Admit(Admission::Credential {
        credential,
        secret,
        record,
    }))
}

/// What must be committed before the CONNACK of this login.
fn record_of(credential: &Credential, secret: SecretId, client_id: &ClientId) -> LoginRecord {
    let asks_for_tie = credential.client_id_rule == ClientIdRule::FirstUse;
    let is_older = |id: SecretId| id < secret;
    LoginRecord {
        activates: !credential.ever_used,
        ties: (asks_for_tie && credential.client_id_tie.is_none()).then(|| client_id.tie()),
        retires_older_secrets: credential
            .secrets
            .iter()
            .any(|stored| stored.until_used && is_older(stored.id)),
    }
}

/// A CONNECT that presents no name.
fn without_login(site: &Site, directory: &mut dyn Directory) -> Result<Decision, StoreError> {
    let Some(id) = site.tenant_of_the_nameless() else {
        return Ok(if directory.some_tenant_admits_anonymous()? {
            Decision::Admit(Admission::Unauthenticated { tenant: None })
        } else {
            Decision::Refuse(Reason::Unauthenticated)
        });
    };
    Ok(match directory.tenant(id)? {
        Some(tenant) if tenant.authentication.admits_anonymous() => admit_unauthenticated(id),
        Some(_) => Decision::Refuse(Reason::Unauthenticated),
        None => Decision::Refuse(Reason::UnknownTenant),
    })
}

/// A CONNECT with a name that nobody has.
fn unknown_name(
    name: &LoginName,
    request: &Request,
    site: &Site,
    directory: &mut dyn Directory,
    check: &mut dyn SecretCheck,
) -> Result<Decision, StoreError> {
    if let Some(secret) = &request.secret {
        match check.waste(name, secret) {
            Wasted::Done => {}
            Wasted::OverBudget => return Ok(Decision::Refuse(Reason::OverBudget)),
            Wasted::Waiting => return Ok(Decision::Wait),
        }
    }
    match name.suffix() {
        // An operator, a user, or somebody whose tenant the place tells.
        Suffix::None => wrong_login(
            Reason::UnknownName,
            site.tenant_of_the_nameless(),
            site,
            directory,
        ),
        Suffix::Tenant(tenant) => match directory.tenant(&tenant)? {
            Some(_) => wrong_login(Reason::UnknownName, Some(&tenant), site, directory),
            None => Ok(Decision::Refuse(Reason::UnknownTenant)),
        },
        Suffix::Email => Ok(Decision::Refuse(Reason::UnknownName)),
        Suffix::Unknown => Ok(Decision::Refuse(Reason::UnknownTenant)),
    }
}

/// A login that proved nothing: refused, unless the tenant that answers for
/// it admits wrong logins as unauthenticated.
///
/// A wrong login of an operator, who has no tenant, is refused in every mode.
fn wrong_login(
    reason: Reason,
    tenant: Option<&TenantId>,
    site: &Site,
    directory: &mut dyn Directory,
) -> Result<Decision, StoreError> {
    let Some(id) = tenant else {
        return Ok(Decision::Refuse(reason));
    };
    let admitted = match directory.tenant(id)? {
        Some(tenant) => tenant.authentication.admits_wrong_login() && site.takes(Some(id)),
        None => false,
    };
    Ok(if admitted {
        admit_unauthenticated(id)
    } else {
        Decision::Refuse(reason)
    })
}

fn admit_unauthenticated(tenant: &TenantId) -> Decision {
    Decision::Admit(Admission::Unauthenticated {
        tenant: Some(tenant.clone()),
    })
}
