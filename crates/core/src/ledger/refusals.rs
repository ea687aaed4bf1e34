//! Refused logins, summed up by the minute in a bounded number of rows.

use std::collections::HashMap;

use super::LedgerTransaction;
use crate::reason::Reason;
use crate::store::StoreError;
use crate::store::rows::{Refusal, RefusalRow};

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
