//! A broker that users and rules were moved to does as the one they came from,
//! but for what the report of the import names.

mod draw;
mod play;

use std::env;
use std::fs;

use countersign_testkit::{Broker, Cli, artifacts};
use countersign_tests::mosquitto_tools::{dynamic_security, hash_passwords};
use countersign_tests::on_every_broker;
use fastrand::Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::draw::Files;
use self::play::{Difference, Play};

/// How many configurations are drawn for each broker; the variable asks for more.
fn configurations() -> u64 {
    env::var("COUNTERSIGN_CONFIGURATIONS").map_or(8, |number| number.parse().unwrap())
}

/// Says whether the report of an import names what made a difference: the user, or
/// a filter that has to do with the topic. What was lost never grants anything.
fn is_named(report: &Value, difference: &Difference) -> bool {
    let keys = if difference.grants_more {
        &["changed"][..]
    } else {
        &["lost", "changed"]
    };
    let named = keys.iter().map(|key| report[key].as_array().unwrap());
    named.flatten().any(|entry| {
        let what = entry["what"].as_str().unwrap();
        difference.who == Some(what)
            || difference
                .topic
                .as_ref()
                .is_some_and(|topic| meet(topic, what))
    })
}

/// Says whether two filters have a topic in common; a variable stands for any level.
pub fn meet(one: &str, other: &str) -> bool {
    let any = |level: &str| ["+", "%u", "%c", "${username}", "${client_id}"].contains(&level);
    let mut levels = (one.split('/'), other.split('/'));
    loop {
        match (levels.0.next(), levels.1.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(one), Some(other)) if one == other || any(one) || any(other) => {}
            _ => return false,
        }
    }
}

/// A store into which a source was imported as the tenant `home`, and the report.
fn imported(source: &[&str]) -> (TempDir, Cli, Value) {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(folder.path().join("countersign.db"));
    cli.json(&["init"]);
    let import = [
        &["import"],
        source,
        &["--tenant", "home", "--accept-losses"],
    ]
    .concat();
    let report = cli.json(&import);
    (folder, cli, report)
}

/// Tries the same on a broker and on one with the plugin, and returns how many messages
/// both delivered, and whether something was lost by the import.
fn compare(native: &Broker, source: &[&str], random: &mut Rng) -> (usize, bool) {
    let (_folder, cli, report) = imported(source);
    let moved = Broker::builder(native.version())
        .line("allow_anonymous true")
        .plugin(artifacts::plugin().unwrap())
        .plugin_option("store", cli.store().display())
        .start()
        .unwrap();
    let mut play = Play {
        ports: [native.port(), moved.port()],
        random,
        differences: Vec::new(),
        delivered: 0,
    };
    play.all();
    let mut unnamed: Vec<_> = play.differences.iter().collect();
    unnamed.retain(|difference| !is_named(&report, difference));
    let unnamed: Vec<_> = unnamed.iter().map(|difference| &difference.told).collect();
    assert!(
        unnamed.is_empty(),
        "{unnamed:#?}\n{report:#}\n{}",
        moved.log()
    );
    (play.delivered, report["lost"] != json!([]))
}

/// Compares as many configurations as are asked for. Much must be delivered, and not
/// each may have losses, or nothing would be compared.
fn compare_all(one: impl Fn(&mut Rng) -> (usize, bool)) {
    let drawn = (0..configurations()).map(|seed| {
        println!("seed {seed}");
        one(&mut Rng::with_seed(seed))
    });
    let drawn: Vec<_> = drawn.collect();
    let delivered: usize = drawn.iter().map(|(delivered, _)| delivered).sum();
    let whole = drawn.iter().filter(|(_, is_lossy)| !is_lossy).count();
    println!(
        "{delivered} messages, {whole} of {} without a loss",
        drawn.len()
    );
    assert!(delivered > 10 * drawn.len() && whole > 0);
}

on_every_broker! {
    nearly alone;
    fn files_of_users_and_rules_mean_the_same_after_the_import(version) {
        compare_all(|random| {
            let files = Files::draw(random);
            println!("{}", files.acl);
            let builder = Broker::builder(version);
            let (passwords, acl) = (builder.dir().join("passwords"), builder.dir().join("acl"));
            fs::write(&passwords, draw::plain_passwords()).unwrap();
            hash_passwords(version, &passwords);
            fs::write(&acl, &files.acl).unwrap();
            let native = builder
                .line(format!("allow_anonymous {}", files.guests))
                .line(format!("password_file {}", passwords.display()))
                .line(format!("acl_file {}", acl.display()))
                .start()
                .unwrap();
            let config = native.config();
            compare(&native, &["mosquitto", "--config", config.to_str().unwrap()], random)
        });
    }

    fn a_file_of_dynamic_security_means_the_same_after_the_import(version) {
        compare_all(|random| {
            let builder = Broker::builder(version);
            let passwords = builder.dir().join("passwords");
            fs::write(&passwords, draw::plain_passwords()).unwrap();
            hash_passwords(version, &passwords);
            let hashed = fs::read_to_string(&passwords).unwrap();
            let drawn = draw::dynamic_security(random, &hashed);
            println!("{drawn:#}");
            let (file, copy) = (builder.dir().join("native.json"), builder.dir().join("copy.json"));
            fs::write(&file, drawn.to_string()).unwrap();
            fs::write(&copy, drawn.to_string()).unwrap();
            let native = builder
                .plugin(dynamic_security(version))
                .plugin_option("config_file", file.display())
                .start()
                .unwrap();
            compare(&native, &["dynamic-security", copy.to_str().unwrap()], random)
        });
    }
}
