//! Users and rules as an administrator of Mosquitto might have written them, drawn.

use std::fmt::Write;

use fastrand::Rng;

/// Names that users have; the last one is nobody's.
pub const NAMES: [&str; 4] = ["alice", "bob", "ünal k", "nobody"];

/// Client ids that they connect with.
pub const CLIENT_IDS: [&str; 3] = ["c1", "c2", "c3"];

const LEVELS: [&str; 4] = ["a", "é d", "alice", "c1"];

/// What two files say.
#[derive(Debug)]
pub struct Files {
    /// The users, each with the password of its name.
    pub users: Vec<String>,
    /// Whether clients without a login are let in.
    pub guests: bool,
    /// The file of rules.
    pub acl: String,
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
    levels.join("/")
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
        let users: Vec<String> = NAMES[..3].iter().map(|&name| name.to_owned()).collect();
        let mut acl = String::from("# drawn\n\n");
        for _ in 0..random.usize(..3) {
            line(&mut acl, random, "topic", filter);
        }
        for name in &users {
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
            users,
            guests: random.bool(),
            acl,
        }
    }

    /// The file of passwords before they are hashed.
    pub fn plain_passwords(&self) -> String {
        let mut file = String::new();
        for name in &self.users {
            writeln!(file, "{name}:{}", password(name)).unwrap();
        }
        file
    }
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
