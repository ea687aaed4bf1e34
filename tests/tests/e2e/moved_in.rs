//! A broker that users and rules were moved to does as the one they came from,
//! but for what the report of the import names.

mod draw;
mod play;

use std::env;
use std::fs;

use countersign_testkit::{Broker, Cli, Version, artifacts};
use countersign_tests::mosquitto_tools::hash_passwords;
use countersign_tests::on_every_broker;
use fastrand::Rng;
use serde_json::{Value, json};

use self::draw::Files;
use self::play::{Difference, Play};

/// How many configurations are drawn for each broker; the variable asks for more.
fn configurations() -> u64 {
    env::var("COUNTERSIGN_CONFIGURATIONS").map_or(10, |number| number.parse().unwrap())
}

/// Says whether the report of an import names what made a difference: the user, or
/// a filter that has to do with the topic.
fn is_named(report: &Value, difference: &Difference) -> bool {
    let named = ["lost", "changed"].map(|key| report[key].as_array().unwrap());
    named.into_iter().flatten().any(|entry| {
        let what = entry["what"].as_str().unwrap();
        difference.who == Some(what)
            || difference
                .topic
                .as_ref()
                .is_some_and(|topic| meet(topic, what))
    })
}

/// Says whether two filters have a topic in common; a variable stands for any level.
fn meet(one: &str, other: &str) -> bool {
    let any = |level: &str| ["+", "%u", "%c"].contains(&level);
    let mut levels = (one.split('/'), other.split('/'));
    loop {
        match (levels.0.next(), levels.1.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(one), Some(other)) if one == other || any(one) || any(other) => {}
            _ => return false,
        }
    }
}

/// Moves one configuration in and returns how many messages both brokers delivered, and
/// whether something was lost.
fn moves_in(version: Version, seed: u64) -> (usize, bool) {
    let random = &mut Rng::with_seed(seed);
    let files = Files::draw(random);
    let builder = Broker::builder(version);
    let (passwords, acl) = (builder.dir().join("passwords"), builder.dir().join("acl"));
    fs::write(&passwords, files.plain_passwords()).unwrap();
    hash_passwords(version, &passwords);
    fs::write(&acl, &files.acl).unwrap();
    let native = builder
        .line(format!("allow_anonymous {}", files.guests))
        .line(format!("password_file {}", passwords.display()))
        .line(format!("acl_file {}", acl.display()))
        .start()
        .unwrap();

    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(folder.path().join("countersign.db"));
    cli.json(&["init"]);
    let config = native.config();
    let import = [
        "import",
        "mosquitto",
        "--config",
        config.to_str().unwrap(),
        "--tenant",
        "home",
    ];
    let report = cli.json(&[&import[..], &["--accept-losses"]].concat());
    let moved = Broker::builder(version)
        .line("allow_anonymous true")
        .plugin(artifacts::plugin().unwrap())
        .plugin_option("store", cli.store().display())
        .start()
        .unwrap();

    let mut play = Play {
        ports: [native.port(), moved.port()],
        random,
        compares_subscriptions: false,
        differences: Vec::new(),
        delivered: 0,
    };
    play.all();
    let mut unnamed: Vec<_> = play.differences.iter().collect();
    unnamed.retain(|difference| !is_named(&report, difference));
    let unnamed: Vec<_> = unnamed.iter().map(|difference| &difference.told).collect();
    assert!(
        unnamed.is_empty(),
        "seed {seed}: {unnamed:#?}\n{files:#?}\n{report:#}\n{}",
        moved.log()
    );
    (play.delivered, report["lost"] != json!([]))
}

on_every_broker! {
    nearly alone;
    fn files_of_users_and_rules_mean_the_same_after_the_import(version) {
        let moved: Vec<_> = (0..configurations()).map(|seed| moves_in(version, seed)).collect();
        let delivered: usize = moved.iter().map(|(delivered, _)| delivered).sum();
        let whole = moved.iter().filter(|(_, is_lossy)| !is_lossy).count();
        let told = format!("{delivered} messages, {whole} of {} without a loss", moved.len());
        assert!(delivered > 10 * moved.len() && whole > moved.len() / 2, "{told}");
    }
}
