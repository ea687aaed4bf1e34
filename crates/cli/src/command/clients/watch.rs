//! `countersign clients list --watch`.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_admin::clients::ListClients;
use countersign_admin::view::{ClientView, session_name};
use countersign_core::store::{GateStore as _, Page, each_row};
use countersign_store::AnyStore;
use serde::Serialize;

use crate::error::CliError;
use crate::invocation::{Invocation, run_on};
use crate::listing::{Column, Listing};
use crate::output::Output;

/// Who came or went.
#[derive(Serialize)]
struct ClientEvent<'a> {
    event: &'static str,
    #[serde(flatten)]
    client: &'a ClientView,
}

/// Prints who is connected, and from then on who comes and goes. It ends when nothing
/// reads it any more.
pub(super) fn run(invocation: &Invocation, list: &ListClients) -> Result<(), CliError> {
    let mut store = invocation.open()?;
    let mut listing = invocation.output.listing(COLUMNS, "");
    let (mut connected, mut seen) = (BTreeMap::new(), None);
    loop {
        // Before the look: what is committed after it has another mark. A broker that
        // is killed commits nothing, so it is looked at now and then all the same.
        let mark = store.mark()?;
        if seen.is_none_or(|(known, looks)| known != mark || looks >= MOST_SKIPPED) {
            let now = read(&mut store, list)?;
            let went = connected.iter().filter(|(it, _)| !now.contains_key(*it));
            for (_, client) in went {
                tell(invocation.output, &mut listing, "disconnected", client)?;
            }
            for (session, client) in &now {
                if !connected.contains_key(session) {
                    tell(invocation.output, &mut listing, "connected", client)?;
                }
            }
            (connected, seen) = (now, Some((mark, 0)));
            listing.flush()?;
        } else if let Some((_, looks)) = &mut seen {
            *looks = looks.saturating_add(1);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The live sessions that are asked for, by what they are called.
fn read(
    store: &mut AnyStore,
    list: &ListClients,
) -> Result<BTreeMap<String, ClientView>, CliError> {
    let page = |page: &Page<_>| ListClients {
        page: page.clone(),
        ..list.clone()
    };
    let mut found = BTreeMap::new();
    each_row(
        |after| run_on(store, &page(after)),
        |client| {
            found.insert(session_name(&client), ClientView::of(&client, false));
            Ok(())
        },
    )?;
    Ok(found)
}

fn tell(
    output: Output,
    listing: &mut Listing,
    event: &'static str,
    client: &ClientView,
) -> Result<(), CliError> {
    let event = ClientEvent { event, client };
    if output.is_for_people() {
        listing.push(&event)
    } else {
        output.line(&event)
    }
}

const COLUMNS: &[Column] = &[
    ("event", "EVENT"),
    ("session", "SESSION"),
    ("client_id", "CLIENT ID"),
    ("username", "USERNAME"),
    ("tenant", "TENANT"),
    ("address", "ADDRESS"),
    ("connected_at", "SINCE"),
];
const PAUSE: Duration = Duration::from_millis(250);
/// So many looks in a row find no commit and read nothing.
const MOST_SKIPPED: u32 = 4;
