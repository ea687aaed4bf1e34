//! A CONNECT may look a credential up on the broker's thread.

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use std::time::{Duration, Instant};

use countersign_core::client_id::ClientId;
use countersign_core::name::LoginName;
use countersign_core::store::{Directory as _, GateStore as _};

use self::common::{create, fresh, make_tenant};

#[test]
fn what_a_connect_looks_up_is_a_matter_of_microseconds() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let name = LoginName::parse("dev1@acme").unwrap();
    let client_id = ClientId::parse("c").unwrap();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        assert!(store.state().unwrap().is_some());
        store.log_position().unwrap();
        assert!(store.credential(&name).unwrap().is_some());
        assert!(store.bound_to(&client_id.tie()).unwrap().is_none());
        assert!(store.tenant_by_client_id(&client_id).unwrap().is_none());
        assert!(store.stored_session(&client_id.tie()).unwrap().is_none());
    }
    // Ten times the goal: a machine under test has other things to do.
    let deadline = Duration::from_micros(150) * ROUNDS;
    assert!(
        start.elapsed() < deadline,
        "{:?} each",
        start.elapsed() / ROUNDS
    );
}

const ROUNDS: u32 = 1_000;
