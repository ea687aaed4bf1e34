//! Refused logins, summed up by the minute in a bounded number of rows.

use std::collections::HashMap;

use super::LedgerTransaction;
use crate::audit::{AuditEntry, AuditOutcome};
use crate::reason::Reason;
use crate::store::{Refusal, StoreError};
use crate::time::Timestamp;

/// A row of refusals: what differs in any but the count and what is known about
/// it is another row.
#[derive(Clone, Copy, Debug)]
pub struct RefusalRow<'a> {
    /// The start of the minute.
    pub minute: Timestamp,
    /// At which broker.
    pub broker: &'a str,
    /// The name that was presented, or [`RefusalRow::ALL_OTHERS`].
    pub subject: &'a str,
    /// Where it came from; empty where that is not known.
    pub address: &'a str,
    /// Why.
    pub cause: Reason,
    /// The client id that was asked for, or [`RefusalRow::ALL_OTHERS`]; empty
    /// where that is not known.
    pub client_id: &'a str,
    /// What else there is to know about the cause, as JSON.
    pub about: Option<&'a str>,
    /// How often.
    pub count: i64,
}

impl<'a> RefusalRow<'a> {
    /// Stands for all names, addresses or client ids that have no row of their
    /// own.
    pub const ALL_OTHERS: &'static str = "*";

    fn of(broker: &'a str, refusal: &'a Refusal) -> Self {
        Self {
            minute: refusal.minute,
            broker,
            subject: &refusal.subject,
            address: refusal.address.as_deref().unwrap_or(""),
            cause: refusal.cause,
            client_id: refusal.client_id.as_deref().unwrap_or(""),
            about: refusal.about.as_deref(),
            count: refusal.count,
        }
    }

    /// What the audit says of it.
    #[must_use]
    pub fn entry(&self) -> AuditEntry {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        AuditEntry {
            outcome: AuditOutcome::Refused,
            cause: Some(self.cause),
            address: filled(self.address),
            client_id: filled(self.client_id),
            count: self.count,
            after: self.about.map(str::to_owned),
            ..AuditEntry::done(
                self.minute,
                format!("broker:{}", self.broker),
                "login",
                self.subject,
            )
        }
    }
}

/// Refusals that are summed up.
pub trait RefusalRows {
    /// Adds to a row, and replaces what is known about its cause; says whether
    /// there is such a row. The sum stays a whole number.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError>;

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError>;

    /// How many rows differ from this one by the client id alone, up to `most`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn count_refused_client_ids(
        &mut self,
        row: &RefusalRow<'_>,
        most: usize,
    ) -> Result<usize, StoreError>;

    /// How many rows of a minute name an address, or another name than
    /// [`RefusalRow::ALL_OTHERS`].
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    fn count_named_refusals(&mut self, minute: Timestamp) -> Result<usize, StoreError>;

    /// Counts refusals that are summed up from now on, for the head of their
    /// chain.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be written.
    fn count_staged_refusals(&mut self, more: i64) -> Result<(), StoreError>;
}

/// Adds refusals to those of their minute. Where a minute has its rows, more
/// names and addresses are summed under [`RefusalRow::ALL_OTHERS`], one row a
/// reason; where a name, an address and a reason have theirs, so are more client
/// ids.
pub(super) fn add(
    writing: &mut impl LedgerTransaction,
    broker: &str,
    refusals: &[Refusal],
) -> Result<(), StoreError> {
    let mut rows_of_minute = HashMap::new();
    for refusal in refusals {
        let mut row = RefusalRow::of(broker, refusal);
        if writing.add_to_refusal(&row)? {
            continue;
        }
        if writing.count_refused_client_ids(&row, CLIENT_IDS_OF_ONE)? >= CLIENT_IDS_OF_ONE {
            row.client_id = RefusalRow::ALL_OTHERS;
            row.about = None;
            if writing.add_to_refusal(&row)? {
                continue;
            }
        }
        let rows = match rows_of_minute.get_mut(&refusal.minute) {
            Some(rows) => rows,
            None => {
                let count = writing.count_named_refusals(refusal.minute)?;
                rows_of_minute.entry(refusal.minute).or_insert(count)
            }
        };
        if *rows < named_rows() {
            *rows = rows.saturating_add(1);
            writing.add_refusal(&row)?;
            continue;
        }
        let row = RefusalRow {
            subject: RefusalRow::ALL_OTHERS,
            address: "",
            client_id: "",
            about: None,
            ..row
        };
        if !writing.add_to_refusal(&row)? {
            writing.add_refusal(&row)?;
        }
    }
    let counts = refusals.iter().map(|refusal| refusal.count);
    writing.count_staged_refusals(counts.fold(0, i64::saturating_add))
}

/// How many rows of a minute may name a client: those of
/// [`RefusalRow::ALL_OTHERS`] have to fit into the minute's 1,000 as well.
fn named_rows() -> usize {
    ROWS_A_MINUTE.saturating_sub(Reason::ALL.len())
}

const ROWS_A_MINUTE: usize = 1_000;

/// So many client ids are told apart of one name, address, reason and minute.
const CLIENT_IDS_OF_ONE: usize = 16;
