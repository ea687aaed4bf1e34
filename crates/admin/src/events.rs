//! What happens, as it happens: sessions that begin and end, acts on credentials,
//! refused logins and denied uses of topics.

use countersign_core::audit::{AuditOutcome, AuditRow};
use countersign_core::name::TenantId;
use countersign_core::presence::SessionNumber;
use countersign_core::store::{BrokerPresence, Intent, Page};
use serde::Serialize;
use serde_json::Value;

pub use crate::caller::Horizon;
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::view::{ClientEventView, CredentialEventView, UseEventView};

/// Looks at all that events are made of, in one moment.
#[derive(Clone, Copy, Debug)]
pub struct LookAround {
    /// The rows of the audit behind the one with this number; none before the first look.
    pub after: Option<i64>,
    /// So many sessions at most, and so many of each of the others.
    pub most: (usize, usize),
}

/// What was seen in one moment.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Who is connected to brokers that are alive; none where there are too many.
    pub sessions: Option<Vec<BrokerPresence>>,
    /// Refusals that are still summed up, the newest of them.
    pub sums: Vec<AuditRow>,
    /// The first rows of the audit behind those that were seen before.
    pub rows: Vec<AuditRow>,
    /// The number of the last row of the audit.
    pub last: i64,
}

impl Command for LookAround {
    type Output = Surroundings;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Surroundings, AdminError> {
        let (most_sessions, most) = self.most;
        let mut sessions = Some(Vec::new());
        let mut page: Page<(String, SessionNumber)> = Page {
            after: None,
            limit: PAGE,
        };
        while let Some(found) = &mut sessions {
            let listed = tx.presence(None, &page)?;
            found.extend(
                listed
                    .rows
                    .into_iter()
                    .filter(|session| session.is_connected(tx.now)),
            );
            if found.len() > most_sessions {
                sessions = None;
                break;
            }
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
        let heads = tx.audit_heads()?;
        Ok(Surroundings {
            sessions,
            sums: tx.staged_refusals(most)?,
            rows: match self.after {
                Some(after) => tx.audit_after(after, most)?,
                None => Vec::new(),
            },
            last: heads.acts.id.max(heads.refusals.id),
        })
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A session began, or ended.
    Session {
        /// The session.
        session: BrokerPresence,
        /// Whether it began.
        is_connected: bool,
    },
    /// Something was done to a credential.
    Credential(AuditRow),
    /// Somebody signed in, or was refused.
    Login(AuditRow),
    /// A use of a topic was denied.
    Denied(AuditRow),
}

impl Event {
    /// What a row of the audit tells, if it is an event.
    #[must_use]
    pub fn of_row(row: AuditRow) -> Option<Self> {
        let is_about = |noun: &&str| row.entry.act.starts_with(noun);
        let is_done = row.entry.outcome == AuditOutcome::Done;
        if row.entry.outcome == AuditOutcome::Denied {
            Some(Self::Denied(row))
        } else if row.entry.is_sum() || is_done && row.entry.act == SIGN_IN {
            Some(Self::Login(row))
        } else if is_done && ABOUT_CREDENTIALS.iter().any(is_about) {
            Some(Self::Credential(row))
        } else {
            None
        }
    }

    /// What it is called, and what is told of it. The login with which a session began is
    /// told besides.
    #[must_use]
    pub fn told(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Session {
                session,
                is_connected,
            } => {
                let client = to_json(&ClientEventView::of(session, *is_connected));
                let mut told = vec![("client", client)];
                if *is_connected {
                    told.push(("login", to_json(&UseEventView::of_session(session))));
                }
                told
            }
            Self::Credential(row) => vec![("credential", to_json(&CredentialEventView::of(row)))],
            Self::Login(row) => vec![("login", to_json(&UseEventView::of(row)))],
            Self::Denied(row) => vec![("denied", to_json(&UseEventView::of(row)))],
        }
    }
}

/// No view fails to be written: their keys are texts.
fn to_json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or_default()
}

/// Says which events the caller may know of, and how far the caller sees.
#[derive(Clone, Copy, Debug)]
pub struct SeeEvents<'a> {
    /// In this tenant alone.
    pub tenant: Option<&'a TenantId>,
    /// What happened.
    pub events: &'a [Event],
}

/// Which events a caller may know of.
#[derive(Clone, Debug)]
pub struct SeenEvents {
    /// How far the caller sees. Who follows events stops where that has changed.
    pub horizon: Horizon,
    /// The places of the events that the caller may know of.
    pub seen: Vec<usize>,
}

impl Command for SeeEvents<'_> {
    type Output = SeenEvents;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.tenant.map_or(Permission::Any, |tenant| {
            Permission::SeeSome(tenant.clone())
        })
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<SeenEvents, AdminError> {
        let (authority, now) = (tx.caller.authority, tx.now);
        let horizon = Horizon::of(authority, self.tenant, tx, now)?;
        let mut seen = Vec::new();
        for (place, event) in self.events.iter().enumerate() {
            let is_seen = match event {
                Event::Session { session, .. } => horizon.has_session(session, tx)?,
                Event::Credential(row) => horizon.has_row(row, true, tx)?,
                // What the audit tells of refusals is not for a group's administrators.
                Event::Denied(row) | Event::Login(row) => horizon.has_row(row, false, tx)?,
            };
            if is_seen {
                seen.push(place);
            }
        }
        Ok(SeenEvents { horizon, seen })
    }
}

/// What an act begins with that is done to a credential.
const ABOUT_CREDENTIALS: [&str; 4] = ["application.", "credential.", "operator.", "thing."];
/// The act of somebody who signs in at the service.
const SIGN_IN: &str = "user.sign-in";
/// So many sessions are read at once.
const PAGE: u64 = 1_000;
