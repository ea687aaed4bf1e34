//! What a gate does most: logins with generated secrets, and checks.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may"
)]

#[path = "../examples/fixture/mod.rs"]
mod fixture;

use std::time::{Duration, Instant};

use criterion::Criterion;

use fixture::{Fixture, Rules};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    logins(&mut criterion);
    checks(&mut criterion);
    criterion.final_summary();
}

fn logins(criterion: &mut Criterion) {
    let mut next = 0;
    for (name, rules) in [
        ("login with roles and rules, record kept", Rules::Own),
        ("login, record kept", Rules::Default),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::new(folder.path(), DEVICES, rules).unwrap();
        fixture.log_everybody_in().unwrap();
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % DEVICES;
                fixture.connect_and_leave(next);
            });
        });
    }
    let folder = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(folder.path(), DEVICES, Rules::Default).unwrap();
    fixture.log_everybody_in().unwrap();
    criterion.bench_function("login, record read", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for done in 0..usize::try_from(times).unwrap() {
                if done % DEVICES == 0 {
                    fixture.start_again().unwrap();
                }
                let start = Instant::now();
                fixture.connect_and_leave(done % DEVICES);
                spent += start.elapsed();
            }
            spent
        });
    });
    criterion.bench_function("refusal, unknown token", |bencher| {
        bencher.iter(|| {
            next += 1;
            fixture.connect_unknown(next);
        });
    });
}

fn checks(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(folder.path(), 1, Rules::Default).unwrap();
    fixture.connect(1);
    let mut next = 0;
    criterion.bench_function("poll with nothing to do", |bencher| {
        bencher.iter(|| fixture.poll())
    });
    criterion.bench_function("check of a publish", |bencher| {
        bencher.iter(|| {
            next += 1;
            fixture.publish(1, next);
        });
    });
    criterion.bench_function("check of a publish that is denied", |bencher| {
        bencher.iter(|| {
            next += 1;
            fixture.publish_elsewhere(1, next);
        });
    });
    criterion.bench_function("the same, each on another topic", |bencher| {
        bencher.iter(|| {
            next += 1;
            fixture.publish_anywhere(1, next);
        });
    });
    criterion.bench_function("check of a delivery", |bencher| {
        bencher.iter(|| {
            next += 1;
            fixture.deliver(1, next);
        });
    });
}

const DEVICES: usize = 500;
