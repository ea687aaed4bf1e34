//! The administrative acts that sessions ask for. No other module of the gate
//! knows of administration.

use countersign_admin::error::Noun;
use countersign_admin::jwt::{CreateToken, Issuer, NewToken};
use countersign_admin::thing::UntieThing;
use countersign_admin::{AdminError, Authority, Caller, Context, ErrorKind, OsRandom, run};
use countersign_core::credential::CredentialId;
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::{AdminStore, StoreErrorKind};
use countersign_core::time::{Timestamp, rfc3339};

use super::error::CommandError;
use super::json::CommandResult;
use crate::counters::BrokerAct;

/// An act that a session asks for.
#[derive(Debug)]
pub(crate) struct AdminJob {
    /// Who asks.
    pub(crate) principal: CredentialId,
    /// As the audit calls them.
    pub(crate) actor: String,
    /// The tenant that the session works in.
    pub(crate) tenant: TenantId,
    /// What is asked.
    pub(crate) kind: JobKind,
}

impl AdminJob {
    /// The act as it is counted.
    pub(super) fn act(&self) -> BrokerAct {
        match self.kind {
            JobKind::MakeToken { .. } => BrokerAct::MakeToken,
            JobKind::Untie(_) => BrokerAct::Untie,
        }
    }
}

/// What an act is to do.
#[derive(Debug)]
pub(crate) enum JobKind {
    /// To make a token.
    MakeToken {
        role: RoleName,
        whoami: Whoami,
        things: Vec<LoginName>,
        ttl: Ttl,
    },
    /// To untie a thing from its application id.
    Untie(LoginName),
}

/// Runs an act on a store. Its transaction checks whether the session may ask for it.
pub(super) fn run_job<S: AdminStore>(
    store: &mut S,
    job: AdminJob,
    now: Timestamp,
) -> Result<CommandResult, CommandError> {
    let mut context = Context {
        now,
        caller: Caller {
            actor: &job.actor,
            authority: Authority::Session(job.principal),
        },
        random: &mut OsRandom,
    };
    match job.kind {
        JobKind::MakeToken {
            role,
            whoami,
            things,
            ttl,
        } => {
            let create = CreateToken(NewToken {
                tenant: job.tenant,
                role,
                whoami,
                things,
                ttl,
                issuer: Issuer::Caller,
            });
            let made = run(store, &mut context, &create)?;
            Ok(CommandResult::Token {
                token: made.token,
                jti: made.record.id.to_string(),
                expires_at: rfc3339(made.record.expires_at),
            })
        }
        JobKind::Untie(key) => {
            let untie = UntieThing {
                key,
                tenant: job.tenant,
            };
            run(store, &mut context, &untie)?;
            Ok(CommandResult::Untied(untie.key))
        }
    }
}

impl From<AdminError> for CommandError {
    fn from(error: AdminError) -> Self {
        let store = error.store();
        if store.is_some_and(|it| it.kind() == StoreErrorKind::Replica) {
            return Self::AtCentre(error.to_string());
        }
        match (error.kind(), error.subject().noun) {
            (ErrorKind::Forbidden, _) | (ErrorKind::NotFound, Noun::Tenant) => Self::NotAdmin,
            (ErrorKind::NotFound, Noun::Thing) => Self::NotFound("the tenant has no such thing"),
            (ErrorKind::Conflict, Noun::Thing) => {
                Self::Conflict("the thing is not tied to an application id".into())
            }
            (ErrorKind::Exists, Noun::Token) => Self::Conflict("`whoami` is taken".into()),
            (ErrorKind::Conflict, Noun::Token) => {
                Self::Conflict("there are too many tokens".into())
            }
            (ErrorKind::Invalid, Noun::Token) => {
                Self::Parameter("there are too many things for a token".into())
            }
            (ErrorKind::Unavailable, Noun::KeyFile | Noun::SigningKey) => {
                Self::Conflict("the tenant's key can't be used; an administrator knows more".into())
            }
            (ErrorKind::NotFound, Noun::Role) => Self::NotFound("the tenant has no such role"),
            _ => Self::Unavailable,
        }
    }
}
