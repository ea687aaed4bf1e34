//! A file of dynamic-security.

use countersign_testkit::Version;
use fastrand::Rng;
use serde_json::{Value, json};

use super::{CLIENT_IDS, Users, filter, pattern};

/// What a file says, and who may come without a login.
#[derive(Debug)]
pub struct DrawnFile {
    /// Whether clients without a login are let in, which the file does not say.
    pub guests: bool,
    /// What the file holds.
    pub content: Value,
}

/// Draws a file with these users, whose hashes are lines of a file of passwords.
pub fn dynamic_security(
    random: &mut Rng,
    version: Version,
    users: Users,
    hashed: &str,
) -> DrawnFile {
    let clients = users.iter().zip(CLIENT_IDS).zip(hashed.lines());
    let clients: Vec<Value> = clients
        .map(|((name, client_id), line)| client(random, version, name, client_id, line))
        .collect();
    let groups: Vec<Value> = ["first", "second"]
        .into_iter()
        .map(|name| {
            let mut members = users.to_vec();
            random.shuffle(&mut members);
            members.truncate(random.usize(..=2));
            let members = members.into_iter();
            let members: Vec<Value> = members
                .map(|name| json!({"username": name, "priority": random.i32(-1..=1)}))
                .collect();
            json!({"groupname": name, "roles": held(random), "clients": members})
        })
        .collect();
    let roles: Vec<Value> = ROLES
        .into_iter()
        .map(|name| {
            let acls: Vec<Value> = (0..random.usize(3..8)).map(|_| acl(random)).collect();
            let mut role = json!({"rolename": name, "acls": acls});
            // 2.0 does not know it.
            if !version.is_2_0() && random.u8(..8) == 0 {
                role["allowwildcardsubs"] = false.into();
            }
            role
        })
        .collect();
    let mut content = json!({
        "defaultACLAccess": {
            "publishClientSend": random.u8(..6) == 0,
            "publishClientReceive": random.u8(..4) > 0,
            "subscribe": random.u8(..6) == 0,
            "unsubscribe": true,
        },
        "clients": clients,
        "groups": groups,
        "roles": roles,
    });
    if random.bool() {
        content["anonymousGroup"] = "first".into();
    }
    let guests = random.bool();
    // What is not said is denied.
    let (of, member) = match random.u8(..24) {
        0 => (&mut content, "defaultACLAccess"),
        1 => (&mut content["defaultACLAccess"], "publishClientReceive"),
        _ => (&mut content, ""),
    };
    of.as_object_mut().unwrap().remove(member);
    DrawnFile { guests, content }
}

/// A client; seldom without a password, bound to a client id or disabled.
fn client(random: &mut Rng, version: Version, name: &str, client_id: &str, line: &str) -> Value {
    let (_, hash) = line.rsplit_once(':').unwrap();
    let fields: Vec<_> = hash.split('$').collect();
    let [_, "7", iterations, salt, password] = fields[..] else {
        panic!("another kind of hash: {hash}");
    };
    let mut client = json!({"username": name, "roles": held(random)});
    if random.u8(..12) == 0 {
        // It has none.
    } else if !version.is_2_0() {
        client["encoded_password"] = hash.into();
    } else {
        let iterations: u32 = iterations.parse().unwrap();
        client["password"] = password.into();
        client["salt"] = salt.into();
        client["iterations"] = iterations.into();
    }
    match random.u8(..16) {
        0 => client["disabled"] = true.into(),
        1 => client["clientid"] = client_id.into(),
        2 => client["clientid"] = "another".into(),
        3 => client["clientid"] = "".into(),
        _ => {}
    }
    client
}

fn held(random: &mut Rng) -> Vec<Value> {
    let mut held = ROLES.to_vec();
    random.shuffle(&mut held);
    held.truncate(random.usize(1..=2));
    let held = held.into_iter();
    held.map(|name| json!({"rolename": name, "priority": random.i32(-1..=1)}))
        .collect()
}

fn acl(random: &mut Rng) -> Value {
    const KINDS: [&str; 16] = [
        "publishClientSend",
        "publishClientSend",
        "publishClientSend",
        "publishClientSend",
        "publishClientReceive",
        "publishClientReceive",
        "publishClientReceive",
        "subscribePattern",
        "subscribePattern",
        "subscribePattern",
        "subscribePattern",
        "subscribePattern",
        "subscribePattern",
        "subscribeLiteral",
        "subscribeLiteral",
        "unsubscribePattern",
    ];
    let filter = if random.u8(..24) == 0 {
        pattern
    } else {
        filter
    };
    json!({
        "acltype": KINDS[random.usize(..KINDS.len())],
        "topic": filter(random),
        "priority": random.i32(0..=1),
        "allow": random.u8(..12) > 0,
    })
}

const ROLES: [&str; 3] = ["low", "high", "other"];
