//! A CONNECT may look a credential up on the broker's thread.

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use std::time::{Duration, Instant};

use countersign_core::name::LoginName;
use countersign_core::store::{Directory as _, GateStore as _};

use self::common::{create, fresh, make_tenant};

#[test]
fn a_look_up_is_a_matter_of_microseconds() {
    let (mut store, _directory) = fresh();
    make_tenant(&mut store);
    create(&mut store, "dev1@acme").unwrap();
    let name = LoginName::parse("dev1@acme").unwrap();
    let start = Instant::now();
    for _ in 0..ROUNDS {
        store.version().unwrap();
        assert!(store.credential(&name).unwrap().is_some());
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
