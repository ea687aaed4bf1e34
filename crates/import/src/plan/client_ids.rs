//! Whether the client ids that credentials are to be bound to are free: a client id
//! belongs to one credential here, and may belong to several in a source.

use std::collections::HashSet;

use countersign_admin::import::{KnownCredential, TriedClientId, TryClientIds};
use countersign_admin::taking::TakeFromRest;
use countersign_admin::{Context, dry_run};
use countersign_core::client_id::ClientId;
use countersign_core::store::AdminStore;

use super::attempt::Attempt;
use super::desired::DesiredCredential;
use super::options::ImportOptions;
use super::step::{MOST_IN_A_STEP, Step};
use crate::import_error::ImportError;
use crate::users::is_operator;

/// Says of each credential why it can't be bound to its client id, if it can't: what
/// the store has against it.
pub(super) fn try_client_ids<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &ImportOptions,
    making: Option<&Step>,
    page: &[(DesiredCredential, Option<KnownCredential>)],
) -> Result<Vec<Result<(), String>>, ImportError> {
    let mut tried = vec![Ok(()); page.len()];
    let wanted: Vec<(usize, TriedClientId)> = page
        .iter()
        .enumerate()
        .filter(|(_, (credential, _))| !is_operator(&options.operators, &credential.name))
        .filter_map(|(place, (credential, known))| {
            credential.client_id_rule.only()?;
            let wanted = TriedClientId {
                id: known.as_ref().map(|known| known.credential.id),
                name: credential.login.clone().ok()?,
                rule: credential.client_id_rule.clone(),
            };
            Some((place, wanted))
        })
        .collect();
    for part in wanted.chunks(MOST_IN_A_STEP) {
        let command = Attempt {
            making,
            command: TryClientIds {
                tenant: &options.tenant.id,
                wanted: part.iter().map(|(_, wanted)| wanted).collect(),
            },
        };
        let taking = options.taking;
        let answers = dry_run(store, context, &TakeFromRest { command, taking })?;
        for ((place, _), answer) in part.iter().zip(answers) {
            if let Some(tried) = tried.get_mut(*place) {
                *tried = answer.map_err(|error| error.to_string());
            }
        }
    }
    Ok(tried)
}

/// The client ids that credentials of a source are bound to, by their hashes.
#[derive(Default)]
pub(super) struct BoundClientIds(HashSet<[u8; 32]>);

impl BoundClientIds {
    /// Says whether a credential before is bound to the same one.
    pub(super) fn has(&self, credential: &DesiredCredential) -> bool {
        let only = credential.client_id_rule.only().map(ClientId::tie);
        only.is_some_and(|tie| self.0.contains(&tie.0))
    }

    /// Takes the one that a credential is bound to.
    pub(super) fn take(&mut self, credential: &DesiredCredential) {
        let only = credential.client_id_rule.only().map(ClientId::tie);
        self.0.extend(only.map(|tie| tie.0));
    }
}

/// Why a credential can't have a client id that one before it has.
pub(super) const BOUND: &str =
    "a client before it is bound to the same client id, which belongs to one here";
/// What can be done about a client id.
pub(super) const ANOTHER_ID: &str = "give it another client id in the source, and its clients too";
