//! Seeds of second factors: they are told to the machine that a follower's secret belongs
//! to, sealed for it, and to no other.

use axum::http::HeaderMap;
use countersign_core::follower::{Follower, MachineKey};
use countersign_core::ledger::Ledger as _;
use countersign_core::store::{Directory as _, GateStore as _, ReplicaObject, StoreError};
use countersign_core::user::{Grant, SEED};
use countersign_store::AnyStore;

use crate::machine_seal::seal;
use crate::told_seed::ToldSeed;
use crate::who::now;

/// The key that a machine shows; none where it shows none, or what is none.
pub(super) fn shown(headers: &HeaderMap) -> Option<MachineKey> {
    let mut said = headers.get_all(MACHINE).iter();
    let (Some(said), None) = (said.next(), said.next()) else {
        return None;
    };
    MachineKey::parse(said.to_str().ok()?)
}

/// Puts the seeds among some objects in their places, sealed for the machine of the
/// follower. They stay empty where another machine asks, or one that shows no key, and
/// where the service has no key that opens them. `is_begun`: a part of the replica was told
/// before this.
pub(super) fn tell(
    store: &mut AnyStore,
    follower: &Follower,
    shown: Option<MachineKey>,
    is_begun: bool,
    objects: &mut [ReplicaObject],
) -> Result<(), StoreError> {
    let Some(machine) = shown else {
        return Ok(());
    };
    // The first machine that shows a key with a secret is the one.
    let is_its = match &follower.machine {
        Some(known) => *known == machine,
        None => store.pin_machine(&follower.digest, &machine, is_begun, now())?,
    };
    if !is_its {
        return Ok(());
    }
    let mut seeds = objects.iter_mut().filter_map(ToldSeed::of).peekable();
    if seeds.peek().is_none() {
        return Ok(());
    }
    let key = store.read_key().key;
    for seed in seeds {
        let user = store.credential_by_id(seed.id)?;
        let user = user.filter(|user| user.name == seed.name);
        let factor = user.as_ref().and_then(|user| user.kind.user());
        // Who has no place there does not log in there.
        let factor = factor.filter(|user| user.grants.iter().any(|it| is_told_of(follower, it)));
        let factor = factor.and_then(|user| user.second_factor.as_ref());
        let subject = seed.name.as_str().as_bytes();
        let opened = factor.zip(key.as_ref());
        let opened = opened.and_then(|(factor, key)| key.open(SEED, subject, &factor.seed).ok());
        if let Some(sealed) = opened.and_then(|opened| seal(&machine, SEED, subject, &opened)) {
            *seed.bytes = sealed;
        }
    }
    Ok(())
}

fn is_told_of(follower: &Follower, grant: &Grant) -> bool {
    let tenants = follower.tenants.as_ref();
    tenants.is_none_or(|tenants| tenants.contains(&grant.tenant))
}

/// The header in which a machine shows its key.
pub(crate) const MACHINE: &str = "countersign-machine";
