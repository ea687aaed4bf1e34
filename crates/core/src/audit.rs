//! The audit: append only, in two chains, each row holding the hash of the row
//! before in its chain.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::given::Given;
use crate::reason::Reason;
use crate::time::Timestamp;

pub use self::check::AuditCheck;
pub use self::refused_act::RefusedAct;

mod check;
mod refused_act;

/// A row of the audit, before it has its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who did it: `cli:OSUSER` or `cli:USER as OSUSER`, `broker:NAME` or
    /// `session:PRINCIPAL`.
    pub actor: String,
    /// What was done: `credential.suspend`.
    pub act: String,
    /// To whom.
    pub subject: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why it was refused.
    pub cause: Option<Reason>,
    /// Where a client came from.
    pub address: Option<String>,
    /// The client id it came with, as it may be shown.
    pub client_id: Option<String>,
    /// The topic or filter that it was about, as it may be shown.
    pub topic: Option<String>,
    /// How often, for rows that sum up.
    pub count: i64,
    /// What it was before, as JSON.
    pub before: Option<String>,
    /// What it is after, as JSON.
    pub after: Option<String>,
}

impl AuditEntry {
    /// An entry about something that `actor` did once, without more to say of it.
    #[must_use]
    pub fn done(
        time: Timestamp,
        actor: impl Into<String>,
        act: impl Into<String>,
        subject: impl Into<String>,
    ) -> Self {
        Self {
            time,
            actor: actor.into(),
            act: act.into(),
            subject: subject.into(),
            outcome: AuditOutcome::Done,
            cause: None,
            address: None,
            client_id: None,
            topic: None,
            count: 1,
            before: None,
            after: None,
        }
    }

    /// Says whether refused logins, or denied uses of a topic, of a minute are summed
    /// up in it.
    #[must_use]
    pub fn is_sum(&self) -> bool {
        match self.outcome {
            AuditOutcome::Denied => true,
            AuditOutcome::Done => false,
            AuditOutcome::Refused => self.act == RefusedAct::Login.as_str(),
        }
    }

    /// The hash of this row in its place, after a row with the hash `previous`.
    ///
    /// Every field goes in with its length, so that nothing can move from one
    /// field into the next. A topic goes in last, and only where there is one: so
    /// rows from before there were topics keep their hashes.
    #[must_use]
    pub fn chained(&self, place: ChainPosition, previous: &AuditHash) -> AuditHash {
        let mut hasher = Sha256::new();
        match place {
            ChainPosition::OfSchema3 => hasher.update(b"countersign/audit/v1"),
            ChainPosition::In { chain, id } => {
                hasher.update(b"countersign/audit/v2");
                hasher.update([chain.number()]);
                hasher.update(id.to_le_bytes());
                hash_field(&mut hasher, self.client_id.as_deref());
            }
        }
        hasher.update(previous.0);
        hasher.update(self.time.as_millis().to_le_bytes());
        hasher.update(self.count.to_le_bytes());
        for field in [
            Some(self.actor.as_str()),
            Some(self.act.as_str()),
            Some(self.subject.as_str()),
            Some(self.outcome.as_str()),
            self.cause.map(Reason::as_str),
            self.address.as_deref(),
            self.before.as_deref(),
            self.after.as_deref(),
        ] {
            hash_field(&mut hasher, field);
        }
        if self.topic.is_some() {
            hash_field(&mut hasher, self.topic.as_deref());
        }
        AuditHash(hasher.finalize().into())
    }

    /// The row with texts of bounded length, so that no row is larger than a
    /// store has room for.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for (text, most) in [
            (&mut self.actor, LONGEST_NAME),
            (&mut self.act, LONGEST_NAME),
            (&mut self.subject, LONGEST_NAME),
        ] {
            cut(text, most);
        }
        let shown = [&mut self.address, &mut self.client_id, &mut self.topic];
        for text in shown.into_iter().flatten() {
            cut(text, LONGEST_NAME);
        }
        for json in [&mut self.before, &mut self.after] {
            if let Some(text) = json
                && text.len() > LONGEST_JSON
            {
                *text = format!(r#"{{"left_out_bytes":{}}}"#, text.len());
            }
        }
        self
    }
}

fn hash_field(hasher: &mut Sha256, field: Option<&str>) {
    match field {
        None => hasher.update([0]),
        Some(text) => {
            hasher.update([1]);
            hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(text);
        }
    }
}

/// Shortens a text that is longer than `most` bytes.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
}

/// How an act ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditOutcome {
    /// A session may not use a topic so.
    Denied,
    /// It was done.
    Done,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Denied, Self::Done, Self::Refused];

    /// The outcome as the audit writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// One of the two chains of the audit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditChain {
    /// What was done, and whatever else administrators tried. Only
    /// `audit prune` shortens it.
    Acts,
    /// Refused logins and denied uses of topics. The oldest are cut off after a while.
    Refusals,
}

impl AuditChain {
    /// Both chains.
    pub const ALL: [Self; 2] = [Self::Acts, Self::Refusals];

    /// The number of the chain, as it is stored and hashed.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Acts => 0,
            Self::Refusals => 1,
        }
    }

    /// The rows that entries become behind the row `head`, with the place of each:
    /// the first has the number `next`, and each other one the number after that of
    /// the row before. Their texts are of bounded length.
    #[must_use]
    pub fn rows_after(
        self,
        mut head: AuditHead,
        next: i64,
        entries: &[AuditEntry],
    ) -> Vec<(AuditHead, AuditEntry)> {
        let numbered = (next..).zip(entries);
        let rows = numbered.map(|(id, entry)| {
            let entry = entry.clone().bounded();
            let place = ChainPosition::In { chain: self, id };
            let hash = entry.chained(place, &head.hash);
            head = AuditHead { id, hash };
            (head, entry)
        });
        rows.collect()
    }
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChainPosition {
    /// In one of the chains, with this number, which no other row has.
    In {
        /// The chain.
        chain: AuditChain,
        /// The row's number.
        id: i64,
    },
    /// In the one chain that stores had up to schema 3.
    OfSchema3,
}

/// A row of the audit, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditRow {
    /// Its number; none while refusals are still summed up in it.
    pub id: Option<i64>,
    /// What it says.
    pub entry: AuditEntry,
}

/// What the audit is listed by. A sum of refusals has the same key when it gets
/// its number, but for the number: so it comes neither twice nor not at all, if it
/// gets that between two pages.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AuditKey {
    /// When.
    pub time: Timestamp,
    /// What tells one sum of a minute from another; empty for what is not a sum.
    pub sum: String,
    /// The row's number; the last there is of a sum that has none.
    pub id: i64,
}

impl AuditRow {
    /// What stands between the parts of [`AuditKey::sum`]. None of them holds it.
    pub const SUM_SEPARATOR: char = '\u{1}';

    /// What it is listed by.
    #[must_use]
    pub fn key(&self) -> AuditKey {
        let entry = &self.entry;
        let parts = [
            entry.actor.as_str(),
            &entry.subject,
            entry.address.as_deref().unwrap_or_default(),
            entry.cause.map_or("", Reason::as_str),
            entry.client_id.as_deref().unwrap_or_default(),
            entry.topic.as_deref().unwrap_or_default(),
            &entry.act,
        ];
        AuditKey {
            time: entry.time,
            sum: if entry.is_sum() {
                parts.join(&Self::SUM_SEPARATOR.to_string())
            } else {
                String::new()
            },
            id: self.id.unwrap_or(i64::MAX),
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

/// The number and the hash of a row: `ID:HASH`. Who kept one elsewhere can tell
/// later that nothing up to that row was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditHead {
    /// The row's number; 0 before the first row.
    pub id: i64,
    /// The row's hash.
    pub hash: AuditHash,
}

impl AuditHead {
    /// The head of a chain without rows.
    pub const START: Self = Self {
        id: 0,
        hash: AuditHash::START,
    };

    /// Parses `ID:HASH`, as [`AuditHead`] is displayed.
    ///
    /// # Errors
    ///
    /// Returns [`AuditHeadError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, AuditHeadError> {
        let error = || AuditHeadError(text.into());
        let (id, digits) = text.split_once(':').ok_or_else(error)?;
        let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        let is_hash = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_number || !is_hash {
            return Err(error());
        }
        let mut hash = [0; 32];
        for (place, byte) in hash.iter_mut().enumerate() {
            let at = place.saturating_mul(2);
            let pair = digits.get(at..at.saturating_add(2)).ok_or_else(error)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
        }
        Ok(Self {
            id: id.parse().map_err(|_| error())?,
            hash: AuditHash(hash),
        })
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.id)?;
        let AuditHash(bytes) = self.hash;
        f.write_str(&crate::hex::encode(&bytes))
    }
}

/// A text is not the head of an audit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not an audit head; write `ID:HASH` as `countersign audit head` prints it")]
pub struct AuditHeadError(Given);

/// The heads of both chains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditHeads {
    /// That of the acts.
    pub acts: AuditHead,
    /// That of the refusals.
    pub refusals: AuditHead,
}

/// The longest name, address or client id of a row, in bytes.
const LONGEST_NAME: usize = 1_024;
/// The longest record of a row, in bytes.
const LONGEST_JSON: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ChainPosition = ChainPosition::In {
        chain: AuditChain::Acts,
        id: 1,
    };

    fn entry() -> AuditEntry {
        AuditEntry {
            time: Timestamp::from_millis(1),
            actor: "cli:root".into(),
            act: "tenant.create".into(),
            subject: "acme".into(),
            outcome: AuditOutcome::Done,
            cause: None,
            address: None,
            client_id: None,
            topic: None,
            count: 1,
            before: None,
            after: None,
        }
    }

    #[test]
    fn a_row_cannot_change_without_changing_its_hash() {
        let hash = entry().chained(FIRST, &AuditHash::START);
        assert_eq!(hash, entry().chained(FIRST, &AuditHash::START));
        assert_ne!(hash, entry().chained(FIRST, &hash));
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
        let named = AuditEntry {
            client_id: Some("acme".into()),
            ..entry()
        };
        let about_a_topic = AuditEntry {
            topic: Some(String::new()),
            ..entry()
        };
        for other in [moved, emptied, counted, named, about_a_topic] {
            assert_ne!(hash, other.chained(FIRST, &AuditHash::START));
        }
    }

    #[test]
    fn a_row_cannot_take_another_place_without_changing_its_hash() {
        let places = [
            FIRST,
            ChainPosition::OfSchema3,
            ChainPosition::In {
                chain: AuditChain::Acts,
                id: 2,
            },
            ChainPosition::In {
                chain: AuditChain::Refusals,
                id: 1,
            },
        ];
        for (number, place) in places.into_iter().enumerate() {
            for other in places.into_iter().skip(number + 1) {
                assert_ne!(
                    entry().chained(place, &AuditHash::START),
                    entry().chained(other, &AuditHash::START)
                );
            }
        }
    }

    #[test]
    fn each_row_follows_the_one_before_it() {
        let long = AuditEntry {
            subject: "x".repeat(LONGEST_NAME + 1),
            ..entry()
        };
        let rows = AuditChain::Acts.rows_after(AuditHead::START, 1, &[entry(), long.clone()]);
        let first = entry().chained(FIRST, &AuditHash::START);
        let second = ChainPosition::In {
            chain: AuditChain::Acts,
            id: 2,
        };
        let second = long.clone().bounded().chained(second, &first);
        let heads = rows.iter().map(|(head, _)| (head.id, head.hash));
        assert_eq!(heads.collect::<Vec<_>>(), [(1, first), (2, second)]);
        assert_eq!(rows[1].1, long.bounded());
    }

    #[test]
    fn a_head_reads_back_as_it_is_written_and_nothing_else_is_one() {
        let head = AuditHead {
            id: 17,
            hash: entry().chained(FIRST, &AuditHash::START),
        };
        assert_eq!(AuditHead::parse(&head.to_string()), Ok(head));
        let hash = "0".repeat(64);
        assert_eq!(AuditHead::parse(&format!("0:{hash}")), Ok(AuditHead::START));
        for text in [
            "",
            ":",
            "17",
            "17:",
            &format!(":{hash}"),
            &format!("+1:{hash}"),
            &format!("1:{hash}0"),
            &format!("99999999999999999999:{hash}"),
            &format!("1:{}", "ä".repeat(32)),
        ] {
            assert!(AuditHead::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_row_is_larger_than_it_may_be() {
        let long = "ä".repeat(40_000);
        let row = AuditEntry {
            subject: long.clone(),
            client_id: Some(long.clone()),
            after: Some(long),
            ..entry()
        }
        .bounded();
        assert!(row.subject.len() <= LONGEST_NAME + 3 && row.subject.ends_with('…'));
        assert!(row.client_id.unwrap().len() <= LONGEST_NAME + 3);
        assert_eq!(row.after.unwrap(), r#"{"left_out_bytes":80000}"#);
        assert_eq!(entry().bounded(), entry());
    }
}
