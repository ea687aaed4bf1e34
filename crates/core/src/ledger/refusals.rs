//! Refused logins and denied uses of topics, summed up by the minute in a bounded
//! number of rows.

use std::collections::HashMap;

use super::LedgerTransaction;
use crate::audit::RefusedAct;
use crate::reason::Reason;
use crate::store::StoreError;
use crate::store::rows::{Refusal, RefusalRow};

/// Adds refusals to those of their minute. Where a minute has its rows, more
/// names, addresses and topics are summed under [`RefusalRow::ALL_OTHERS`], one row a
/// reason and act; where a name, an address and a reason have theirs, so are more
/// client ids. Logins and uses of topics have rows of their own, so that neither of
/// them leaves the others none.
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
        let is_use = row.act != RefusedAct::Login;
        if !is_use
            && writing.count_refused_client_ids(&row, CLIENT_IDS_OF_ONE)? >= CLIENT_IDS_OF_ONE
        {
            row.client_id = RefusalRow::ALL_OTHERS;
            row.about = None;
            if writing.add_to_refusal(&row)? {
                continue;
            }
        }
        let sort = (refusal.minute, is_use);
        let rows = match rows_of_minute.get_mut(&sort) {
            Some(rows) => rows,
            None => {
                let count = writing.count_named_refusals(refusal.minute, is_use)?;
                rows_of_minute.entry(sort).or_insert(count)
            }
        };
        if *rows < named_rows(is_use) {
            *rows = rows.saturating_add(1);
            writing.add_refusal(&row)?;
            continue;
        }
        let row = RefusalRow::of_all_others(row.minute, row.broker, row.act, row.cause, row.count);
        if !writing.add_to_refusal(&row)? {
            writing.add_refusal(&row)?;
        }
    }
    let counts = refusals.iter().map(|refusal| refusal.count);
    writing.count_staged_refusals(counts.fold(0, i64::saturating_add))
}

/// How many rows of a minute may name a client: those of
/// [`RefusalRow::ALL_OTHERS`] have to fit into the minute's 1,000 as well.
fn named_rows(are_uses: bool) -> usize {
    let is_of_sort = |act: &&RefusedAct| (**act != RefusedAct::Login) == are_uses;
    let acts = RefusedAct::ALL.iter().filter(is_of_sort).count();
    ROWS_A_MINUTE.saturating_sub(acts.saturating_mul(Reason::ALL.len()))
}

/// Of logins, and as many of uses of topics.
const ROWS_A_MINUTE: usize = 1_000;

/// So many client ids are told apart of one name, address, reason and minute.
const CLIENT_IDS_OF_ONE: usize = 16;
