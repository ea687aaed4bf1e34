//! What a gate does most: logins with generated secrets, and checks.

#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "a benchmark may"
)]

#[path = "../examples/rig/mod.rs"]
mod rig;

use std::time::{Duration, Instant};

use criterion::Criterion;

use rig::Rig;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    logins(&mut criterion);
    checks(&mut criterion);
    criterion.final_summary();
}

fn logins(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path(), DEVICES).unwrap();
    rig.log_everybody_in().unwrap();
    let mut next = 0;
    criterion.bench_function("login, record kept", |bencher| {
        bencher.iter(|| {
            next = (next + 1) % DEVICES;
            rig.connect_and_leave(next);
        });
    });
    criterion.bench_function("login, record read", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for done in 0..usize::try_from(times).unwrap() {
                if done % DEVICES == 0 {
                    rig.start_again().unwrap();
                }
                let start = Instant::now();
                rig.connect_and_leave(done % DEVICES);
                spent += start.elapsed();
            }
            spent
        });
    });
    criterion.bench_function("refusal, unknown token", |bencher| {
        bencher.iter(|| {
            next += 1;
            rig.connect_unknown(next);
        });
    });
}

fn checks(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(folder.path(), 1).unwrap();
    rig.connect(1);
    let mut next = 0;
    criterion.bench_function("poll with nothing to do", |bencher| {
        bencher.iter(|| rig.poll())
    });
    criterion.bench_function("check of a publish", |bencher| {
        bencher.iter(|| {
            next += 1;
            rig.publish(1, next);
        });
    });
    criterion.bench_function("check of a delivery", |bencher| {
        bencher.iter(|| {
            next += 1;
            rig.deliver(1, next);
        });
    });
}

const DEVICES: usize = 500;
