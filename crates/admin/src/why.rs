//! What is known of a name: why its client can't connect, or may not do something.

use core::time::Duration;

use countersign_core::audit::{AuditOutcome, AuditRow, RefusedAct};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::store::{AuditQuery, BrokerPresence, Intent};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::view::shown_name;

/// Puts together what is known of a name, whether anything has it or not.
#[derive(Clone, Debug)]
pub struct LookIntoName(pub LoginName);

/// Lets a caller ask what a broker would answer a client of this name, or one without a
/// name: a [`PolicyCheck`](crate::check::PolicyCheck) answers whoever asks. The output is
/// whether the answer may name what is of other tenants.
#[derive(Clone, Debug)]
pub struct PermitCheck(pub Option<LoginName>);

impl Command for PermitCheck {
    type Output = bool;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        let of_name = |name: &LoginName| Permission::SeeName(name.clone());
        self.0.as_ref().map_or(Permission::Platform, of_name)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, AdminError> {
        Ok(tx.may(&Permission::Platform))
    }
}

/// What is known of a name.
#[derive(Clone, Debug)]
pub struct NameReport {
    /// The name, masked where it has the shape of a secret.
    pub shown: String,
    /// The credential that has it.
    pub credential: Option<Credential>,
    /// Its live sessions, so many at most.
    pub sessions: Vec<BrokerPresence>,
    /// Its refused logins of the last day, newest first.
    pub refused: Vec<AuditRow>,
    /// What its sessions were denied in the last day, newest first.
    pub denied: Vec<AuditRow>,
}

impl Command for LookIntoName {
    type Output = NameReport;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::SeeName(self.0.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<NameReport, AdminError> {
        let credential = tx.credential(&self.0)?;
        let shown = shown_name(&tx.schemes()?, self.0.as_str());
        let sessions = match &credential {
            Some(credential) => sessions_of(tx, credential)?,
            None => Vec::new(),
        };
        let query = AuditQuery {
            subject: Some(shown.clone()),
            limit: Some(MOST_ROWS),
            ..AuditQuery::default()
        };
        let since = tx.now.minus(LOOKED_AT);
        let (mut refused, mut denied) = (Vec::new(), Vec::new());
        for row in tx.audit(&query)?.into_iter().rev() {
            let is_refused = row.entry.outcome == AuditOutcome::Refused;
            if row.entry.time < since {
                break;
            }
            if row.entry.outcome == AuditOutcome::Denied {
                denied.push(row);
            } else if is_refused && row.entry.act == RefusedAct::Login.as_str() {
                refused.push(row);
            }
        }
        Ok(NameReport {
            shown,
            credential,
            sessions,
            refused,
            denied,
        })
    }
}

/// The live sessions of a credential.
fn sessions_of(tx: &mut Tx<'_>, of: &Credential) -> Result<Vec<BrokerPresence>, AdminError> {
    let sessions = tx.presence_of_credential(of.id)?.into_iter();
    let alive = sessions.filter(|session| session.is_connected(tx.now));
    Ok(alive.take(MOST_SESSIONS).collect())
}

/// How far it looks back.
const LOOKED_AT: Duration = Duration::from_secs(86_400);
/// So many rows of the audit are looked at.
const MOST_ROWS: u64 = 1_000;
const MOST_SESSIONS: usize = 100;
