//! Users and rules as an administrator of Mosquitto might have written them, drawn.

use std::fmt::Write;

use fastrand::Rng;
use serde_json::{Value, json};

/// Names that users have; the last one is nobody's.
pub const NAMES: [&str; 4] = ["alice", "bob", "ünal k", "nobody"];

/// Client ids that they connect with.
pub const CLIENT_IDS: [&str; 3] = ["c1", "c2", "c3"];

const LEVELS: [&str; 4] = ["a", "é d", "alice", "c1"];

/// What two files say.
#[derive(Debug)]
pub struct Files {
    /// Whether clients without a login are let in.
    pub guests: bool,
    /// The file of rules.
    pub acl: String,
}

/// The users that there are.
pub fn users() -> &'static [&'static str] {
    &NAMES[..3]
}

/// The password of a user.
pub fn password(name: &str) -> String {
    format!("of {name}, Ω")
}

/// A topic of one to three levels.
pub fn topic(random: &mut Rng) -> String {
    let levels: Vec<_> = (0..random.usize(1..=2)).map(|_| level(random)).collect();
    levels.join("/")
}

fn level(random: &mut Rng) -> &'static str {
    LEVELS[random.usize(..LEVELS.len())]
}

/// A filter; it has wildcards as often as not.
pub fn filter(random: &mut Rng) -> String {
    let mut levels: Vec<_> = (0..random.usize(1..=2))
        .map(|_| {
            if random.u8(..3) == 0 {
                "+"
            } else {
                level(random)
            }
        })
        .collect();
    if random.bool() {
        *levels.last_mut().unwrap() = "#";
    }
    // 2.1's dynamic-security does not see that these are the same topics.
    levels.join("/").replace("+/#", "#")
}

/// A filter of a `pattern` line.
fn pattern(random: &mut Rng) -> String {
    let filter = filter(random);
    let variable = ["%u", "%c"][random.usize(..2)];
    match random.u8(..4) {
        0 => filter,
        1 => format!("{variable}/{filter}"),
        2 => format!("{}/{variable}", topic(random)),
        _ => format!("{}/{variable}/#", level(random)),
    }
}

impl Files {
    /// Draws both files.
    pub fn draw(random: &mut Rng) -> Self {
        let mut acl = String::from("# drawn\n\n");
        for _ in 0..random.usize(..3) {
            line(&mut acl, random, "topic", filter);
        }
        for name in users() {
            if random.u8(..6) == 0 {
                continue;
            }
            writeln!(acl, "user {name}").unwrap();
            for _ in 0..random.usize(1..5) {
                line(&mut acl, random, "topic", filter);
            }
        }
        for _ in 0..random.usize(..3) {
            line(&mut acl, random, "pattern", pattern);
        }
        Self {
            guests: random.bool(),
            acl,
        }
    }
}

/// A file of all users and their passwords, before these are hashed.
pub fn plain_passwords() -> String {
    let mut file = String::new();
    for name in users() {
        writeln!(file, "{name}:{}", password(name)).unwrap();
    }
    file
}

fn line(acl: &mut String, random: &mut Rng, word: &str, filter: fn(&mut Rng) -> String) {
    const ACCESS: [&str; 8] = [
        "read",
        "write",
        "readwrite",
        "read",
        "write",
        "readwrite",
        "readwrite",
        "deny",
    ];
    let access = ACCESS[random.usize(..ACCESS.len())];
    writeln!(acl, "{word} {access} {}", filter(random)).unwrap();
}

/// A file of dynamic-security with these lines of a file of passwords.
pub fn dynamic_security(random: &mut Rng, passwords: &str) -> Value {
    let roles = ["low", "high", "other"];
    let held = |random: &mut Rng| -> Vec<Value> {
        let mut held = roles.to_vec();
        random.shuffle(&mut held);
        held.truncate(random.usize(1..=2));
        let held = held.into_iter();
        held.map(|name| json!({"rolename": name, "priority": random.i32(-1..=1)}))
            .collect()
    };
    let clients: Vec<Value> = passwords
        .lines()
        .map(|line| {
            let (name, hash) = line.split_once(':').unwrap();
            let fields: Vec<_> = hash.split('$').collect();
            let [_, "7", iterations, salt, password] = fields[..] else {
                panic!("another kind of hash: {hash}");
            };
            let iterations: u32 = iterations.parse().unwrap();
            json!({"username": name, "password": password, "salt": salt, "iterations": iterations, "roles": held(random)})
        })
        .collect();
    let groups: Vec<Value> = ["first", "second"]
        .into_iter()
        .map(|name| {
            let mut members = users().to_vec();
            random.shuffle(&mut members);
            members.truncate(random.usize(..=2));
            let members = members.into_iter();
            let members: Vec<Value> = members.map(|name| json!({"username": name})).collect();
            json!({"groupname": name, "roles": held(random), "clients": members})
        })
        .collect();
    let roles: Vec<Value> = roles
        .into_iter()
        .map(|name| {
            let acls: Vec<Value> = (0..random.usize(3..8)).map(|_| acl(random)).collect();
            json!({"rolename": name, "acls": acls})
        })
        .collect();
    json!({
        "defaultACLAccess": {
            "publishClientSend": random.u8(..6) == 0,
            "publishClientReceive": random.u8(..4) > 0,
            "subscribe": random.u8(..6) == 0,
            "unsubscribe": true,
        },
        "clients": clients,
        "groups": groups,
        "roles": roles,
    })
}

fn acl(random: &mut Rng) -> Value {
    const KINDS: [&str; 7] = [
        "publishClientSend",
        "publishClientSend",
        "publishClientReceive",
        "subscribePattern",
        "subscribePattern",
        "subscribePattern",
        "subscribeLiteral",
    ];
    json!({
        "acltype": KINDS[random.usize(..KINDS.len())],
        "topic": filter(random),
        "priority": random.i32(0..=1),
        "allow": random.u8(..12) > 0,
    })
}
