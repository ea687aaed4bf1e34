//! Users and rules as an administrator of Mosquitto might have written them, drawn.

use fastrand::Rng;

mod dynamic_security;
mod files;

pub use self::dynamic_security::dynamic_security;
pub use self::files::Files;

/// Client ids that users connect with, in their order.
pub const CLIENT_IDS: [&str; 3] = ["c1", "c2", "c3"];

/// A name that is no user's, though rules may name it.
pub const NOBODY: &str = "nobody";

/// Names as users have them: with a space, of a client id, of a level, with what is not
/// filled into a pattern, of an address, and of a shape that a scheme makes.
const NAMES: [&str; 10] = [
    "alice",
    "bob",
    "ünal k",
    "c1",
    "a",
    "$ab",
    "a/alice",
    "al#ce",
    "bob@b.test",
    "357890055321856",
];

const LEVELS: [&str; 4] = ["a", "é d", "alice", "c1"];

/// Users of a configuration, each once.
pub type Users = [&'static str; 3];

/// Draws users. As often as not they are of the first three names, so that rules meet.
pub fn users(random: &mut Rng) -> Users {
    let mut names = NAMES;
    if random.bool() {
        random.shuffle(&mut names);
    }
    let [first, second, third, ..] = names;
    [first, second, third]
}

/// The password of a user.
pub fn password(name: &str) -> String {
    format!("of {name}, Ω")
}

/// A topic of one or two levels; seldom one that a wildcard does not reach.
pub fn topic(random: &mut Rng) -> String {
    let levels: Vec<_> = (0..random.usize(1..=2)).map(|_| level(random)).collect();
    reserved(random, levels.join("/"))
}

fn level(random: &mut Rng) -> &'static str {
    LEVELS[random.usize(..LEVELS.len())]
}

fn reserved(random: &mut Rng, topic: String) -> String {
    if random.u8(..16) == 0 && !topic.starts_with(['+', '#']) {
        format!("${topic}")
    } else {
        topic
    }
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
    reserved(random, levels.join("/").replace("+/#", "#"))
}

/// A filter that names the user or the client id: as a level, and seldom within one.
fn pattern(random: &mut Rng) -> String {
    let variable = ["%u", "%c"][random.usize(..2)];
    match random.u8(..9) {
        0 => format!("a{variable}/{}", level(random)),
        1 | 2 => format!("{variable}/{}", filter(random)),
        3..=5 => format!("{}/{variable}", topic(random)),
        _ => format!("{}/{variable}/#", level(random)),
    }
}

/// A file of users and their passwords, before these are hashed.
pub fn plain_passwords<'a>(users: impl IntoIterator<Item = &'a &'a str>) -> String {
    let lines = users.into_iter();
    let lines = lines.map(|name| format!("{name}:{}\n", password(name)));
    lines.collect()
}
