//! The audit: append only, each row holding the hash of the row before.

use sha2::{Digest as _, Sha256};

use crate::reason::Reason;
use crate::time::Timestamp;

/// A row of the audit, before it has its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who did it: `cli:OSUSER`, `broker:NAME` or `session:PRINCIPAL`.
    pub actor: String,
    /// What was done: `credential.suspend`.
    pub act: String,
    /// To whom.
    pub subject: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was refused.
    pub cause: Option<Reason>,
    /// Where a client came from.
    pub address: Option<String>,
    /// The client id that a client asked for, as it may be shown.
    pub client_id: Option<String>,
    /// How often, for rows that sum up.
    pub count: i64,
    /// What it was before, as JSON.
    pub before: Option<String>,
    /// What it is after, as JSON.
    pub after: Option<String>,
}

impl AuditEntry {
    /// The hash of a row that follows one with the hash `previous`.
    ///
    /// Every field goes in with its length, so that nothing can move from one
    /// field into the next.
    #[must_use]
    pub fn chained(&self, previous: &AuditHash) -> AuditHash {
        let mut hasher = Sha256::new();
        hasher.update(b"countersign/audit/v1");
        hasher.update(previous.0);
        hasher.update(self.time.as_millis().to_le_bytes());
        hasher.update(self.count.to_le_bytes());
        let cause = self.cause.map(Reason::as_str);
        let fields = [
            Some(self.actor.as_str()),
            Some(self.act.as_str()),
            Some(self.subject.as_str()),
            Some(self.outcome.as_str()),
            cause,
            self.address.as_deref(),
            self.before.as_deref(),
            self.after.as_deref(),
        ];
        for field in fields {
            match field {
                None => hasher.update([0]),
                Some(text) => {
                    hasher.update([1]);
                    hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
                    hasher.update(text);
                }
            }
        }
        // Rows had none once, and their hashes stand.
        if let Some(client_id) = &self.client_id {
            hasher.update(
                u64::try_from(client_id.len())
                    .unwrap_or(u64::MAX)
                    .to_le_bytes(),
            );
            hasher.update(client_id);
        }
        AuditHash(hasher.finalize().into())
    }
}

/// How an act ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// The outcome as the audit writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// What ties a row of the audit to the rows before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditHash(pub [u8; 32]);

impl AuditHash {
    /// What the first row follows.
    pub const START: Self = Self([0; 32]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> AuditEntry {
        AuditEntry {
            time: Timestamp::from_millis(1),
            actor: "cli:root".into(),
            act: "tenant.create".into(),
            subject: "acme".into(),
            outcome: Outcome::Done,
            cause: None,
            address: None,
            client_id: None,
            count: 1,
            before: None,
            after: None,
        }
    }

    #[test]
    fn a_row_cannot_change_without_changing_its_hash() {
        let hash = entry().chained(&AuditHash::START);
        assert_eq!(hash, entry().chained(&AuditHash::START));
        assert_ne!(hash, entry().chained(&hash));
        let moved = AuditEntry {
            actor: "cli:roott".into(),
            act: "enant.create".into(),
            ..entry()
        };
        let emptied = AuditEntry {
            address: Some(String::new()),
            ..entry()
        };
        let counted = AuditEntry {
            count: 2,
            ..entry()
        };
        let [named, unnamed] =
            [Some("c".into()), Some(String::new())].map(|client_id| AuditEntry {
                client_id,
                ..entry()
            });
        for other in [moved, emptied, counted, named, unnamed] {
            assert_ne!(hash, other.chained(&AuditHash::START));
        }
    }
}
