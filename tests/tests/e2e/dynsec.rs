//! The commands of Mosquitto's dynamic-security: its programs work here as there, and what
//! is answered is what the plugin answers, but for what is listed.

use std::collections::{BTreeMap, BTreeSet};

use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Client, Connect, Version, artifacts};
use countersign_tests::mosquitto_tools::{dynamic_security, run_tool, tool};
use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, on_every_broker, publishes, subscribes, wait_until,
};
use serde::Deserialize;
use serde_json::{Value, json};

const TOPIC: &str = "$CONTROL/dynamic-security/v1";
const RESPONSE: &str = "$CONTROL/dynamic-security/v1/response";

/// A broker that takes such commands for the tenant `acme`, and an operator who may give
/// them.
fn start(version: Version) -> (Fixture, Login) {
    let fixture = Fixture::start_with(version, |builder| {
        builder.plugin_option("dynsec_tenant", "acme")
    });
    fixture.tenant("acme", &[]);
    let rules = "$CONTROL/dynamic-security/#";
    let root = fixture.operator("root", &["--publish", rules, "--subscribe", rules]);
    (fixture, root)
}

/// The response to one command of a client that hears responses.
pub(crate) fn ask(client: &mut Client, command: &Value) -> Value {
    let message = json!({ "commands": [command] }).to_string();
    client.publish(TOPIC, &message, 1, false).unwrap();
    let answer = client.receive(PATIENCE).unwrap();
    assert_eq!(answer.topic, RESPONSE);
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    let responses = answer["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 1, "{answer}");
    responses[0].clone()
}

/// Connects, and hears responses.
pub(crate) fn listening(login: &Login, client_id: &str, port: u16) -> Client {
    let mut client = login.connect(client_id).accepted(port);
    assert_eq!(client.subscribe(&[(RESPONSE, 0)]).unwrap(), [0]);
    client
}

on_every_broker! {
    fn mosquitto_ctrl_of_each_version_administers_a_tenant(version) {
        let (fixture, root) = start(version);
        for (number, of) in Version::ALL.into_iter().enumerate() {
            let port = fixture.port().to_string();
            let run = |words: &str| -> String {
                let words: Vec<String> = words
                    .split(' ')
                    .map(|word| word.replace("%N", &number.to_string()))
                    .collect();
                let login = ["-h", "127.0.0.1", "-p", &*port, "-u", &*root.username];
                let output = tool(of, "mosquitto_ctrl")
                    .args(login)
                    .args(["-P", &*root.secret, "dynsec"])
                    .args(&words)
                    .run(PATIENCE)
                    .unwrap();
                let said = format!("{}{}", output.stdout, output.stderr);
                assert_eq!(output.code, Some(0), "{of} {words:?}: {said}");
                said
            };
            let done = |words: &str| {
                let said = run(words);
                assert!(!said.contains("Error"), "{of} {words}: {said}");
                said
            };
            done("createRole r%N");
            done("addRoleACL r%N publishClientSend acme/c%N/# allow 5");
            done("addRoleACL r%N subscribePattern acme/c%N/# allow");
            done("createClient c%N -p correct-horse -c id-%N");
            done("addClientRole c%N r%N 3");
            let shown = done("getClient c%N");
            for word in [format!("c{number}"), format!("id-{number}"), format!("r{number}")] {
                assert!(shown.contains(&word), "{of}: {shown}");
            }
            let shown = done("getRole r%N");
            assert!(shown.contains("publishClientSend") && shown.contains("acme/c"), "{shown}");
            let login = Login {
                username: format!("c{number}"),
                secret: "correct-horse".into(),
            };
            let connect = |secret: &str, client_id: &str| {
                login.with_secret(secret).connect(client_id).code(fixture.port())
            };
            let id = format!("id-{number}");
            wait_until("it may connect", || connect("correct-horse", &id) == ACCEPTED);
            assert_eq!(connect("correct-horse", "other"), REFUSED);
            let mut client = login.connect(&id).accepted(fixture.port());
            let (own, other) = (format!("acme/c{number}/x"), "acme/other");
            assert!(subscribes(&mut client, &own) && !subscribes(&mut client, other));
            assert!(publishes(&mut client, &own));

            done("createGroup g%N");
            done("addGroupRole g%N r%N 2");
            done("addGroupClient g%N c%N 4");
            assert!(done("getGroup g%N").contains(&format!("c{number}")));
            assert!(done("listGroups").contains(&format!("g{number}")));
            done("setAnonymousGroup g%N");
            assert!(done("getAnonymousGroup").contains(&format!("g{number}")));
            assert!(done("listClients").contains(&format!("c{number}")));
            assert!(done("listRoles").contains(&format!("r{number}")));
            done("setClientId c%N new-%N");
            done("setClientPassword c%N another-horse");
            let id = format!("new-{number}");
            wait_until("it has the new one", || connect("another-horse", &id) == ACCEPTED);
            done("disableClient c%N");
            wait_until("it is disabled", || connect("another-horse", &id) == REFUSED);
            done("enableClient c%N");
            wait_until("it is enabled", || connect("another-horse", &id) == ACCEPTED);
            let defaults = done("getDefaultACLAccess");
            assert!(defaults.contains("publishClientSend"), "{defaults}");
            done("setDefaultACLAccess publishClientSend allow");
            done("setDefaultACLAccess publishClientSend deny");
            done("removeRoleACL r%N publishClientSend acme/c%N/#");
            done("removeClientRole c%N r%N");
            done("removeGroupClient g%N c%N");
            done("removeGroupRole g%N r%N");
            done("createGroup h%N");
            done("setAnonymousGroup h%N");
            done("deleteGroup g%N");
            done("deleteClient c%N");
            done("deleteRole r%N");
            let why = run("deleteRole r%N");
            assert!(why.contains("Role not found"), "{of}: {why}");
            // What can't be said is refused, and both are named.
            done("createRole r%N");
            done("addRoleACL r%N publishClientSend acme/# allow");
            let why = run("addRoleACL r%N publishClientSend acme/keys deny");
            assert!(why.contains("acme/#") && why.contains("acme/keys"), "{of}: {why}");
            done("deleteRole r%N");
        }
    }

    fn two_libraries_of_npm_administer_a_tenant(version) {
        let (fixture, root) = start(version);
        let script = artifacts::workspace().join("tests/node/dynsec.mjs");
        let output = Tool::new("node")
            .args([script])
            .env("NODE_FOLDER", artifacts::node().unwrap())
            .env("BROKER_PORT", fixture.port().to_string())
            .env("USERNAME", &root.username)
            .env("PASSWORD", &root.secret)
            .run(PATIENCE)
            .unwrap();
        assert_eq!(output.code, Some(0), "{}{}", output.stdout, output.stderr);
    }

    fn what_is_answered_is_what_the_plugin_answers_but_for_what_is_listed(version) {
        let there = transcript_there(version);
        let (fixture, root) = start(version);
        let mut client = listening(&root, "asker", fixture.port());
        let here = commands().into_iter().map(|command| ask(&mut client, &command));
        let listed = listed();
        let mut used = BTreeSet::new();
        let mut unlisted = Vec::new();
        for (number, ((command, there), here)) in commands().iter().zip(&there).zip(here).enumerate() {
            let mut differences = Vec::new();
            compare("", there, &here, &mut differences);
            for (path, there, here) in differences {
                let is_meant = |it: &&(usize, Difference)| {
                    let it = &it.1;
                    it.versions.contains(&version.to_string())
                        && it.path == path
                        && it.line.is_none_or(|line| line == number + 1)
                        && it.there.as_ref().is_none_or(|it| *it == there)
                        && it.here.as_ref().is_none_or(|it| *it == here)
                };
                match listed.iter().find(is_meant) {
                    Some((place, _)) => drop(used.insert(*place)),
                    None => unlisted.push(format!(
                        "line {} {command}\n    {path}: there {there}, here {here}",
                        number + 1
                    )),
                }
            }
        }
        assert!(unlisted.is_empty(), "{version}:\n{}", unlisted.join("\n"));
        let of_version = listed.iter().filter(|(_, it)| it.versions.contains(&version.to_string()));
        for (place, difference) in of_version {
            assert!(used.contains(place), "{version}: occurs no more: {difference:?}");
        }
    }
}

/// A difference between what is answered there and here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    versions: Vec<String>,
    /// The line of the transcript; any if none.
    line: Option<usize>,
    /// The members that lead to it.
    path: String,
    there: Option<String>,
    here: Option<String>,
    #[expect(dead_code, reason = "for people")]
    reason: String,
}

fn listed() -> Vec<(usize, Difference)> {
    let file = include_str!("../../cases/dynsec/differences.json");
    let listed: Vec<Difference> = serde_json::from_str(file).unwrap();
    listed.into_iter().enumerate().collect()
}

fn commands() -> Vec<Value> {
    let lines = include_str!("../../cases/dynsec/transcript.jsonl").lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What differs of two responses, member by member.
fn compare(path: &str, there: &Value, here: &Value, found: &mut Vec<(String, String, String)>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match (there, here) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                let none = Value::String("(none)".into());
                let [there, here] = [one, other].map(|it| it.get(name).unwrap_or(&none));
                compare(&below(name), there, here, found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (place, (there, here)) in one.iter().zip(other).enumerate() {
                compare(&below(&place.to_string()), there, here, found);
            }
        }
        (there, here) if there == here => {}
        (there, here) => found.push((path.into(), there.to_string(), here.to_string())),
    }
}

/// What the plugin answers to the transcript, without what it begins with.
fn transcript_there(version: Version) -> Vec<Value> {
    let builder = Broker::builder(version);
    let file = builder.dir().join("dynamic-security.json");
    let path = file.to_str().unwrap();
    run_tool(
        version,
        "mosquitto_ctrl",
        &["dynsec", "init", path, "admin", "first-password"],
    );
    let broker = builder
        .plugin(dynamic_security(version))
        .plugin_option("config_file", path)
        .start()
        .unwrap();
    let admin = Connect::v311("admin").login("admin", "first-password");
    let mut admin = admin.accepted(broker.port());
    admin.subscribe(&[(RESPONSE, 0)]).unwrap();
    let mut known = BTreeMap::new();
    for (list, of) in [
        ("listClients", "clients"),
        ("listGroups", "groups"),
        ("listRoles", "roles"),
    ] {
        let response = ask(&mut admin, &json!({ "command": list, "count": -1 }));
        let names = response["data"][of].as_array().unwrap().clone();
        known.insert(of, names);
    }
    let anonymous = ask(&mut admin, &json!({ "command": "getAnonymousGroup" }));
    let mut answers = Vec::new();
    for command in commands() {
        let mut response = ask(&mut admin, &command);
        for (of, names) in &known {
            leave_out(&mut response["data"], of, names);
        }
        for (of, count) in [
            ("clients", "clientCount"),
            ("groups", "groupCount"),
            ("roles", "roleCount"),
        ] {
            if let Some(all) = response["data"].get(count).and_then(Value::as_u64) {
                response["data"][count] = (all - known[of].len() as u64).into();
            }
        }
        if response["data"]["group"] == anonymous["data"]["group"] {
            response["data"]["group"]["groupname"] = "".into();
        }
        if response["data"].is_null() {
            response.as_object_mut().unwrap().remove("data");
        }
        answers.push(response);
    }
    answers
}

/// Leaves what was there at the beginning out of a list.
fn leave_out(data: &mut Value, of: &str, names: &[Value]) {
    let is_known = |item: &Value| {
        let members = ["username", "groupname", "rolename"].map(|name| &item[name]);
        names.contains(item) || members.iter().any(|it| names.contains(it))
    };
    if data.get("totalCount").is_none() || data.get(of).is_none() {
        return;
    }
    data[of]
        .as_array_mut()
        .unwrap()
        .retain(|item| !is_known(item));
    let total = data["totalCount"].as_u64().unwrap();
    data["totalCount"] = (total - names.len() as u64).into();
}
