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

use self::draw::{Files, Users};
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
        let topic = difference.topic.as_deref();
        difference.who == Some(what)
            || topic.is_some_and(|topic| meet(topic, what))
            // Without a file of rules, `#` is allowed, of which `$…` is no part.
            || what == "acl_file" && topic.is_some_and(|topic| topic.starts_with('$'))
            // What is allowed by default is about all topics.
            || what == "subscribe" && topic.is_some()
    })
}

/// Says whether two filters have a topic in common; a level with a variable stands for any.
pub fn meet(one: &str, other: &str) -> bool {
    let any =
        |level: &str| level == "+" || VARIABLES.iter().any(|variable| level.contains(variable));
    let mut levels = (one.split('/'), other.split('/'));
    loop {
        match (levels.0.next(), levels.1.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(one), Some(other)) if one == other || any(one) || any(other) => {}
            _ => return false,
        }
    }
}

/// A configuration of a broker, and how it is told to an import.
struct Source<'a> {
    native: &'a Broker,
    users: Users,
    /// The words of the import.
    words: &'a [&'a str],
    /// Words of what is said of the tenant before, where the source does not say it.
    tenant: &'a [&'a str],
}

/// A store into which a source was imported as the tenant `home`, and the report.
fn imported(source: &Source<'_>) -> (TempDir, Cli, Value) {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(folder.path().join("countersign.db"));
    cli.json(&["init"]);
    if !source.tenant.is_empty() {
        let create = ["tenant", "create", "home", "--namespace", "#"];
        cli.json(&[&create, source.tenant].concat());
    }
    let import = [
        &["import"],
        source.words,
        &["--tenant", "home", "--accept-losses"],
    ]
    .concat();
    let report = cli.json(&import);
    (folder, cli, report)
}

/// Tries the same on a broker and on one with the plugin, and returns how many messages
/// both delivered, and whether something was lost by the import.
fn compare(source: &Source<'_>, random: &mut Rng) -> (usize, bool) {
    let native = source.native;
    let (_folder, cli, report) = imported(source);
    let moved = Broker::builder(native.version())
        .line("allow_anonymous true")
        .plugin(artifacts::plugin().unwrap())
        .plugin_option("store", cli.store().display())
        .start()
        .unwrap();
    let mut play = Play {
        ports: [native.port(), moved.port()],
        users: source.users,
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

const VARIABLES: [&str; 4] = ["%u", "%c", "${username}", "${client_id}"];

on_every_broker! {
    nearly alone;
    fn files_of_users_and_rules_mean_the_same_after_the_import(version) {
        compare_all(|random| {
            let files = Files::draw(random, version);
            println!("{files:#?}");
            let mut builder = Broker::builder(version);
            let (passwords, acl) = (builder.dir().join("passwords"), builder.dir().join("acl"));
            files.write_passwords(version, &passwords);
            if let Some(rules) = &files.acl {
                fs::write(&acl, rules).unwrap();
                builder = builder.line(format!("acl_file {}", acl.display()));
            }
            let native = builder
                .line(format!("allow_anonymous {}", files.guests))
                .line(format!("password_file {}", passwords.display()))
                .start()
                .unwrap();
            let config = native.config();
            let source = Source {
                native: &native,
                users: files.users,
                words: &["mosquitto", "--config", config.to_str().unwrap()],
                tenant: &[],
            };
            compare(&source, random)
        });
    }

    fn a_file_of_dynamic_security_means_the_same_after_the_import(version) {
        compare_all(|random| {
            let builder = Broker::builder(version);
            let passwords = builder.dir().join("passwords");
            let users = draw::users(random);
            fs::write(&passwords, draw::plain_passwords(&users)).unwrap();
            hash_passwords(version, &passwords);
            let hashed = fs::read_to_string(&passwords).unwrap();
            let drawn = draw::dynamic_security(random, version, users, &hashed);
            println!("{drawn:#?}");
            let (file, copy) = (builder.dir().join("native.json"), builder.dir().join("copy.json"));
            let content = drawn.content.to_string();
            fs::write(&file, &content).unwrap();
            fs::write(&copy, content).unwrap();
            let native = builder
                .line(format!("allow_anonymous {}", drawn.guests))
                .plugin(dynamic_security(version))
                .plugin_option("config_file", file.display())
                .start()
                .unwrap();
            // The file does not say that clients without a login are let in.
            let open = ["--authentication", "optional", "--default-rights", "none"];
            let source = Source {
                native: &native,
                users,
                words: &["dynamic-security", copy.to_str().unwrap()],
                tenant: if drawn.guests { &open } else { &[] },
            };
            compare(&source, random)
        });
    }
}
