//! What the rows about people, applications, things and tokens are written in.

use std::time::UNIX_EPOCH;

use countersign_core::totp::{Seed, Step};
use countersign_testkit::mqtt::Answer;
use countersign_testkit::{Client, Connect};
use serde_json::{Value, json};

use crate::{Fixture, Login, PATIENCE, text, wait_until};

impl Fixture {
    /// Makes a user.
    pub fn user(&self, email: &str, password: &str) -> Login {
        let stdin = format!("{password}\n");
        let args = ["user", "create", email, "--password-stdin"];
        let made = self.cli.json_with_stdin(&args, stdin.as_bytes());
        Login {
            username: text(&made, "email"),
            secret: password.to_owned(),
        }
    }

    /// Grants a user something in a tenant: `--org-admin`, or `--role` and its
    /// name.
    pub fn grant(&self, user: &Login, tenant: &str, right: &[&str]) {
        let line = format!("user grant {} --tenant {tenant}", user.username);
        self.cli.act(&line, right);
    }

    /// Makes a role that allows both ways what these patterns say.
    pub fn role(&self, name: &str, tenant: &str, patterns: &[&str]) {
        let of = format!("{name} --tenant {tenant}");
        self.cli.act(&format!("role create {of}"), &[]);
        for pattern in patterns {
            let line = format!("role allow {of} both");
            self.cli.act(&line, &[pattern]);
        }
    }

    /// Tenant `t1`, and its user `jane@mail.test`, who may use `t1/#`.
    pub fn jane(&self) -> Login {
        self.tenant("t1", &[]);
        self.role("all", "t1", &["t1/#"]);
        let jane = self.user("jane@mail.test", "correct horse battery");
        self.grant(&jane, "t1", &["--role", "all"]);
        jane
    }

    /// Enrols a user's second factor; it is not confirmed yet.
    pub fn enrol(&self, user: &Login) -> Authenticator {
        let printed = self.cli.json(&["user", "mfa", "enrol", &user.username]);
        Authenticator::new(&printed)
    }

    /// Enrols a second factor and confirms it by an older code, so that the one
    /// of this moment still counts.
    pub fn enrol_and_confirm(&self, user: &Login) -> Authenticator {
        let authenticator = self.enrol(user);
        self.confirm(user, &authenticator.code(-1));
        authenticator
    }

    /// Confirms a second factor.
    pub fn confirm(&self, user: &Login, code: &str) {
        let args = ["user", "mfa", "confirm", &user.username, "--code-stdin"];
        let stdin = format!("{code}\n");
        self.cli.json_with_stdin(&args, stdin.as_bytes());
    }

    /// Makes an application; returns its token.
    pub fn application(&self, name: &str, tenant: &str, options: &[&str]) -> String {
        let line = format!("application create {name} --tenant {tenant}");
        text(&self.cli.act(&line, options), "secret")
    }

    /// Makes a thing; with an application's token it logs in.
    pub fn thing(&self, key: &str, tenant: &str, application: &str, token: &str) -> Login {
        let line = format!("--tenant {tenant} --application {application}");
        self.cli.act(&format!("thing create {key} {line}"), &[]);
        Login {
            username: key.to_owned(),
            secret: token.to_owned(),
        }
    }

    /// What `thing show` says.
    pub fn thing_shown(&self, key: &str, tenant: &str) -> Value {
        self.cli.json(&["thing", "show", key, "--tenant", tenant])
    }

    /// Makes a token as `issuer`; returns what was printed.
    pub fn token(&self, tenant: &str, role: &str, issuer: &str, options: &[&str]) -> Value {
        let line = format!("jwt create --tenant {tenant} --role {role} --as {issuer}");
        self.cli.act(&line, options)
    }

    /// Waits until the audit of a name shows a login refused for this cause.
    pub fn wait_for_cause(&self, name: &str, cause: &str) {
        wait_until(&format!("the audit says {cause}"), || {
            let audit = self.cli.json(&["audit", "list", "--name", name]);
            let mut rows = audit.as_array().unwrap().iter();
            rows.any(|row| row["cause"] == cause)
        });
    }

    /// Moves on until the running 30 s have at least ten left, so that codes
    /// don't change in the middle of a test.
    pub fn wait_for_a_fresh_step(&self) {
        while seconds_now() % 30 > 20 {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

/// An app that shows the codes of a second factor.
pub struct Authenticator {
    seed: Seed,
    /// The codes that stand in for it.
    pub recovery_codes: Vec<String>,
}

impl Authenticator {
    /// An app that was shown what `user mfa enrol` printed.
    pub fn new(printed: &Value) -> Self {
        let seed = from_base32(&text(printed, "secret"));
        let codes = printed["recovery_codes"].as_array().unwrap();
        Self {
            seed: Seed::from_bytes(&seed).unwrap(),
            recovery_codes: codes
                .iter()
                .map(|code| code.as_str().unwrap().to_owned())
                .collect(),
        }
    }

    /// The code of so many steps after the running one.
    pub fn code(&self, offset: i64) -> String {
        let step = Step(seconds_now() / 30 + offset);
        String::from_utf8(self.seed.code_at(step).to_vec()).unwrap()
    }

    /// A code that is none of those around this moment.
    pub fn wrong_code(&self) -> String {
        let near: Vec<String> = (-3..=3).map(|offset| self.code(offset)).collect();
        let wrong = (0..).map(|number: u32| format!("{number:06}"));
        wrong.into_iter().find(|code| !near.contains(code)).unwrap()
    }
}

fn seconds_now() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap()
}

/// RFC 4648 §6, without padding.
fn from_base32(text: &str) -> Vec<u8> {
    let mut bits = 0_u32;
    let mut held = 0;
    let mut bytes = Vec::new();
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'2'..=b'7' => character - b'2' + 26,
            _ => panic!("no base32: {text}"),
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).unwrap());
        }
    }
    bytes
}

impl Login {
    /// The same name and, behind the password, a code.
    pub fn with_code(&self, code: &str) -> Self {
        self.with_secret(&format!("{}{code}", self.secret))
    }

    /// A CONNECT that begins enhanced authentication with it.
    pub fn enhanced(&self, client_id: &str) -> Connect {
        Connect::v5(client_id)
            .username(&self.username)
            .authentication(TOTP, Some(self.secret.as_bytes()))
    }
}

/// Goes on with enhanced authentication: sends the code, once it was asked for
/// in the right words, and returns the CONNACK's code.
pub fn answer_challenge(client: &mut Client, code: &str) -> Option<u8> {
    match client.answer(PATIENCE).unwrap() {
        Answer::Auth(question) => {
            let data = question.data().unwrap_or_default();
            let said: Value = serde_json::from_slice(data).unwrap();
            assert_eq!(said, json!({"errorCode": -90041}));
        }
        other => panic!("no challenge: {other:?}"),
    }
    client.auth(0x18, TOTP, Some(code.as_bytes())).unwrap();
    connack(client)
}

/// The code of the CONNACK that comes now; none if the connection ends.
pub fn connack(client: &mut Client) -> Option<u8> {
    match client.answer(PATIENCE).unwrap() {
        Answer::Connack(connack) => Some(connack.code),
        Answer::Closed(_) => None,
        other => panic!("no CONNACK: {other:?}"),
    }
}

/// Sends one session command and returns the answer to it.
pub fn command(client: &mut Client, name: &str, params: Value) -> Value {
    let asked = json!({"commands": [{
        "command": name, "params": params, "correlation_data": "7",
    }]});
    let answers = commands(client, &asked.to_string());
    let answer = answers["responses"][0].clone();
    assert_eq!(answer["command"], name, "{answers}");
    assert_eq!(answer["correlation_data"], "7", "{answers}");
    answer
}

/// The same, and it must be done.
pub fn done(client: &mut Client, name: &str, params: Value) -> Value {
    let answer = command(client, name, params);
    assert_eq!(answer["success"], true, "{answer}");
    answer["params"].clone()
}

/// The same, and it must be refused; returns the first error code.
pub fn refused(client: &mut Client, name: &str, params: Value) -> i64 {
    let answer = command(client, name, params);
    assert_eq!(answer["success"], false, "{answer}");
    assert!(answer["errorMessages"][0].is_string(), "{answer}");
    answer["errorCodes"][0].as_i64().unwrap()
}

/// Sends any bytes as session commands and returns the whole answer.
pub fn commands(client: &mut Client, payload: &str) -> Value {
    client
        .publish(COMMANDS, payload.as_bytes(), 1, false)
        .unwrap();
    loop {
        let message = client.receive(PATIENCE).expect("no answer to a command");
        // It may be subscribed to what it publishes.
        if message.topic == RESPONSES {
            return serde_json::from_str(message.text()).unwrap();
        }
    }
}

/// The method of enhanced authentication.
pub const TOTP: &str = "COUNTERSIGN-TOTP";
/// Where session commands go.
pub const COMMANDS: &str = "$CONTROL/countersign/v1/session";
/// Where answers to them come from.
pub const RESPONSES: &str = "$CONTROL/countersign/v1/session/response";
