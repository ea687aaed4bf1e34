//! Mosquitto's own files.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use countersign_testkit::Version;
use countersign_tests::mosquitto_tools::run_tool;
use fastrand::Rng;

use super::{NOBODY, Users, filter, pattern, plain_passwords, users};

/// What two files say, and who may come without a login.
#[derive(Debug)]
pub struct Files {
    /// Whether clients without a login are let in.
    pub guests: bool,
    /// The users.
    pub users: Users,
    /// How the password of each is kept.
    hashes: [Hash; 3],
    /// The file of rules, if there is one.
    pub acl: Option<String>,
}

/// How a password is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hash {
    /// Not at all: nothing stands behind the name.
    None,
    /// By PBKDF2, `$7$`.
    Pbkdf2,
    /// By a single SHA-512, `$6$`.
    Sha512,
}

impl Files {
    /// Draws both files.
    pub fn draw(random: &mut Rng, version: Version) -> Self {
        let users = users(random);
        let hashes = users.map(|_| match random.u8(..10) {
            // 2.1 does not start with one.
            0 if version.is_2_0() => Hash::None,
            1..=3 => Hash::Sha512,
            _ => Hash::Pbkdf2,
        });
        Self {
            guests: random.bool(),
            users,
            hashes,
            acl: (random.u8(..12) > 0).then(|| acl(random, users)),
        }
    }

    /// Writes the file of users, as `mosquitto_passwd` makes it.
    pub fn write_passwords(&self, version: Version, path: &Path) {
        let mut written = String::from("# drawn\n");
        for (hash, name) in [(Hash::Pbkdf2, "sha512-pbkdf2"), (Hash::Sha512, "sha512")] {
            let users = self.users.iter().zip(self.hashes);
            let users = users.filter(|(_, kept)| *kept == hash);
            let plain = plain_passwords(users.map(|(name, _)| name));
            if plain.is_empty() {
                continue;
            }
            fs::write(path, plain).unwrap();
            run_tool(
                version,
                "mosquitto_passwd",
                &["-H", name, "-U", path.to_str().unwrap()],
            );
            written.push_str(&fs::read_to_string(path).unwrap());
        }
        for (name, hash) in self.users.iter().zip(self.hashes) {
            if hash == Hash::None {
                writeln!(written, "{name}:").unwrap();
            }
        }
        fs::write(path, written).unwrap();
    }
}

/// A file of rules: of clients without a login, of users, one of whom may come twice, of
/// nobody, and of all.
fn acl(random: &mut Rng, users: Users) -> String {
    let mut acl = String::from("# drawn\n\n");
    for _ in 0..random.usize(..3) {
        line(&mut acl, random, "topic", filter);
    }
    let mut sections = users.to_vec();
    sections.retain(|_| random.u8(..6) > 0);
    if random.u8(..3) == 0 {
        sections.push([users[0], NOBODY][random.usize(..2)]);
    }
    for name in sections {
        writeln!(acl, "user {name}").unwrap();
        for _ in 0..random.usize(1..5) {
            let filter = if random.u8(..12) == 0 {
                pattern
            } else {
                filter
            };
            line(&mut acl, random, "topic", filter);
        }
    }
    for _ in 0..random.usize(..3) {
        let filter = if random.u8(..4) == 0 { filter } else { pattern };
        line(&mut acl, random, "pattern", filter);
    }
    acl
}

fn line(acl: &mut String, random: &mut Rng, word: &str, filter: fn(&mut Rng) -> String) {
    const ACCESS: [&str; 8] = [
        "read ",
        "write ",
        "readwrite ",
        "read ",
        "write ",
        // Both, too, where the topic has no space.
        "",
        "readwrite ",
        "deny ",
    ];
    let filter = filter(random);
    let mut access = ACCESS[random.usize(..ACCESS.len())];
    if access.is_empty() && filter.contains(' ') {
        access = "readwrite ";
    }
    writeln!(acl, "{word} {access}{filter}").unwrap();
}
