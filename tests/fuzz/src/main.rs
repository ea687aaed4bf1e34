//! What strangers send, under libFuzzer.
//!
//! One program holds all targets; `COUNTERSIGN_FUZZ_TARGET` names the one that
//! runs. `cargo xtask fuzz` builds it and gives it its corpus.
#![no_main]

mod certificates;
mod control;
mod conversation;
mod fixture;
mod imports;
mod issuers;
mod logins;
#[path = "../../hostile/naive.rs"]
mod naive;
mod rules;
mod texts;
mod tokens;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

/// A name, and what it does with bytes; it panics where something is wrong.
type Target = (&'static str, fn(&[u8]));

/// All of them.
const TARGETS: &[Target] = &[
    ("connect", logins::connect),
    ("enhanced", logins::enhanced),
    ("command", conversation::command),
    ("control", control::control),
    ("use", conversation::topic_use),
    ("filter", rules::filter),
    ("pattern", rules::pattern),
    ("token", tokens::token),
    ("phc", tokens::phc),
    ("certificate", certificates::certificate),
    ("issued_token", issuers::issued_token),
    ("key_set", issuers::key_set),
    ("options", texts::options),
    ("names", texts::names),
    ("config", texts::config),
    ("passwords", imports::passwords),
    ("acl_file", imports::acl_file),
    ("dynamic_security", imports::dynamic_security),
    ("csv", imports::csv),
    ("export", imports::export),
    ("go_auth", imports::go_auth),
];

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let wanted = std::env::var("COUNTERSIGN_FUZZ_TARGET").unwrap_or_default();
        let found = TARGETS.iter().find(|(name, _)| *name == wanted);
        match found {
            Some((_, target)) => *target,
            None => {
                let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
                eprintln!("set COUNTERSIGN_FUZZ_TARGET to one of {names:?}");
                std::process::exit(2);
            }
        }
    });
    target(data);
});

/// Cuts an input into parts at 0xFE, which no UTF-8 holds, so that parts may
/// hold anything else.
fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == 0xFE)
}

/// The same for parts that are text; those that are not are left out.
fn texts(data: &[u8]) -> impl Iterator<Item = &str> {
    parts(data).filter_map(|part| std::str::from_utf8(part).ok())
}
