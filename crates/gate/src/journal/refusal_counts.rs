//! Refused logins that are summed up before they are written down.

use std::collections::HashMap;

use countersign_core::audit::RefusedAct;
use countersign_core::reason::Reason;
use countersign_core::store::Refusal;
use countersign_core::time::Timestamp;

use crate::journal::entry::RefusedLogin;

/// Refused logins by minute, name, address and reason, and of each of these by
/// client id.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts {
    sums: HashMap<RefusalKey, HashMap<String, RefusalCount>>,
    /// How many sums there are in all.
    rows: usize,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct RefusalKey {
    minute: Timestamp,
    subject: String,
    address: Option<String>,
    cause: Reason,
}

#[derive(Debug, Default)]
struct RefusalCount {
    count: i64,
    about: Option<String>,
}

impl RefusalCounts {
    /// Adds one.
    pub(crate) fn add(&mut self, refused: RefusedLogin) {
        let mut key = RefusalKey {
            minute: start_of_minute(refused.at),
            subject: refused.subject,
            address: refused.address,
            cause: refused.cause,
        };
        let (mut client_id, mut about) = (refused.client_id, refused.about);
        let has_room = self.rows < MOST_ROWS;
        if !has_room && !self.sums.contains_key(&key) {
            // The audit has no more of them either.
            if self.rows >= MOST_ROWS_IN_ALL {
                return;
            }
            key.subject = ALL_OTHERS.into();
            key.address = None;
            (client_id, about) = (String::new(), None);
        }
        let of_key = self.sums.entry(key).or_default();
        if !of_key.contains_key(&client_id)
            && !of_key.is_empty()
            && (!has_room || of_key.len() >= MOST_CLIENT_IDS)
        {
            (client_id, about) = (ALL_OTHERS.into(), None);
        }
        let before = of_key.len();
        let sum = of_key.entry(client_id).or_default();
        sum.count = sum.count.saturating_add(1);
        sum.about = about;
        self.rows = self
            .rows
            .saturating_add(of_key.len().saturating_sub(before));
    }

    /// What is to be written down.
    pub(crate) fn rows(&self) -> Vec<Refusal> {
        let of_key = |(key, of_key): (&RefusalKey, &HashMap<String, RefusalCount>)| {
            let row = |(client_id, sum): (&String, &RefusalCount)| Refusal {
                minute: key.minute,
                subject: key.subject.clone(),
                address: key.address.clone(),
                client_id: Some(client_id.clone()).filter(|id| !id.is_empty()),
                topic: None,
                act: RefusedAct::Login,
                cause: key.cause,
                about: sum.about.clone(),
                count: sum.count,
            };
            of_key.iter().map(row).collect::<Vec<_>>()
        };
        self.sums.iter().flat_map(of_key).collect()
    }
}

/// The start of the minute of an instant.
pub(super) fn start_of_minute(at: Timestamp) -> Timestamp {
    let into_minute = at.as_millis().rem_euclid(60_000);
    Timestamp::from_millis(at.as_millis().saturating_sub(into_minute))
}

/// Stands for names, addresses and client ids of which there are too many.
const ALL_OTHERS: &str = "*";
const MOST_ROWS: usize = 1_000;
/// With those of everybody else, where the store can't be written for long.
const MOST_ROWS_IN_ALL: usize = 2_000;
/// So many are told apart of one name, address, reason and minute.
const MOST_CLIENT_IDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(subject: &str, client_id: &str) -> RefusedLogin {
        RefusedLogin {
            at: Timestamp::from_millis(61_000),
            subject: subject.into(),
            address: Some("192.0.2.1".into()),
            client_id: client_id.into(),
            cause: Reason::BadSecret,
            tenant: None,
            about: None,
        }
    }

    #[test]
    fn of_one_name_sixteen_client_ids_are_told_apart_and_all_are_counted() {
        let mut refusals = RefusalCounts::default();
        for _ in 0..2 {
            for number in 0..40 {
                refusals.add(refused("dev1@acme", &format!("c{number}")));
            }
        }
        let rows = refusals.rows();
        assert_eq!(rows.len(), 17);
        assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), 80);
        let rest = |row: &&Refusal| row.client_id.as_deref() == Some("*");
        assert_eq!(rows.iter().find(rest).unwrap().count, 48);
        assert!(
            rows.iter()
                .all(|row| row.minute == Timestamp::from_millis(60_000))
        );
    }

    #[test]
    fn there_is_an_end_of_rows_whatever_is_presented() {
        let mut refusals = RefusalCounts::default();
        for number in 0..5_000 {
            refusals.add(refused(&format!("n{}", number / 3), &format!("c{number}")));
        }
        let rows = refusals.rows();
        assert!(rows.len() <= MOST_ROWS + 400, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<i64>(), 5_000);
    }
}
