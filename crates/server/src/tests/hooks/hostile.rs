//! What no broker asks: an explicit no, for each kind and each question.

use std::fmt::Write as _;

use countersign_core::hook::HookKind;
use serde_json::{Value, json};

use super::{Hook, Plant, pin_of};
use crate::fixture::Reply;

/// What a question tells of one thing.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Told {
    /// A text, without which there is a no.
    Text,
    /// A text that need not be told.
    MaybeText,
    /// A number, without which there is a no.
    Number,
    /// The same, which may be written as a text.
    LooseNumber,
    /// The same, which need not be told.
    MaybeNumber,
    /// A flag, however it is written, which need not be told.
    MaybeFlag,
    /// What is told and does not count.
    Unread,
}

impl Told {
    /// What it may not be in JSON.
    fn wrong(self) -> Vec<Value> {
        let mut wrong = vec![json!([]), json!({}), json!(1.5), json!(-1)];
        let is_text = matches!(self, Self::Text | Self::MaybeText);
        if self != Self::Unread {
            wrong.push(json!(256));
        }
        if is_text {
            wrong.push(json!(1));
        } else if self != Self::Unread {
            wrong.extend([json!(""), json!("x"), json!("01"), json!("-1")]);
        }
        if is_text || matches!(self, Self::Number | Self::LooseNumber | Self::MaybeNumber) {
            wrong.push(json!(true));
        }
        if self.is_needed() {
            wrong.push(Value::Null);
        }
        if self == Self::Number {
            wrong.push(json!("1"));
        }
        wrong
    }

    fn is_needed(self) -> bool {
        matches!(self, Self::Text | Self::Number | Self::LooseNumber)
    }
}

type Fields = Vec<(&'static str, Value, Told)>;

/// A question that is answered with yes, as its broker asks it.
struct HookQuestion {
    last: &'static str,
    fields: Fields,
    /// Under which name the pin is handed back, if it is.
    pin: Option<&'static str>,
}

impl Hook<'_> {
    /// Asks with these fields, one after the other, as this kind of broker writes them.
    fn ask(&self, kind: HookKind, last: &str, fields: &[(&str, Value)]) -> Reply {
        let mut body = String::new();
        if writes_json(kind) {
            for (name, value) in fields {
                let before = if body.is_empty() { '{' } else { ',' };
                write!(body, "{before}{}:{value}", json!(name)).unwrap();
            }
            body.push_str(if body.is_empty() { "{}" } else { "}" });
            return self.raw_as(last, &body, "application/json");
        }
        let texts: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str().unwrap()))
            .collect();
        self.form(last, &texts)
    }
}

fn writes_json(kind: HookKind) -> bool {
    matches!(kind, HookKind::Emqx | HookKind::GoAuth)
}

fn says_yes(kind: HookKind, reply: &Reply) -> bool {
    match kind {
        HookKind::Emqx | HookKind::Rmqtt => reply.body["result"] == "allow",
        HookKind::GoAuth => reply.status == 200 && reply.body["ok"] == true,
        HookKind::RabbitMq => reply.text.starts_with("allow"),
    }
}

/// The no that this kind of broker takes for one.
fn says_no(kind: HookKind, reply: &Reply) -> bool {
    let (status, text) = match kind {
        HookKind::Emqx | HookKind::Rmqtt => (200, r#"{"result":"deny"}"#),
        HookKind::GoAuth => (403, r#"{"ok":false,"error":"no"}"#),
        HookKind::RabbitMq => (200, "deny"),
    };
    reply.status == status && reply.text == text
}

/// What brokers of a kind ask about `dev1`, which was let in with this pin.
fn questions(kind: HookKind, secret: &str, pin: &str) -> Vec<HookQuestion> {
    use Told::{LooseNumber, MaybeFlag, MaybeNumber, MaybeText, Number, Text, Unread};
    let name = || ("username", json!("dev1@acme"), Text);
    let password = || ("password", json!(secret), Text);
    let id = || ("clientid", json!("c1"), Text);
    let topic = || ("topic", json!("acme/a"), Text);
    let question = |last, fields| HookQuestion {
        last,
        fields,
        pin: None,
    };
    match kind {
        HookKind::Emqx => {
            let address = ("peerhost", json!("192.0.2.1"), MaybeText);
            let login = vec![name(), password(), id(), address];
            let of = |action: &str| {
                let mut fields = vec![name(), id(), topic(), ("pin", json!(pin), Text)];
                fields.push(("action", json!(action), Text));
                fields.push(("peerhost", json!("192.0.2.1"), Unread));
                if action == "publish" {
                    fields.push(("qos", json!("1"), MaybeNumber));
                    fields.push(("retain", json!("false"), MaybeFlag));
                }
                HookQuestion {
                    pin: Some("pin"),
                    ..question("authz", fields)
                }
            };
            vec![question("authn", login), of("publish"), of("subscribe")]
        }
        HookKind::GoAuth => {
            let each = |id: &'static str| {
                let id = || (id, json!("c1"), Text);
                let login = question("user", vec![name(), password(), id()]);
                let acl = ("acc", json!(2), Number);
                [login, question("acl", vec![name(), id(), topic(), acl])]
            };
            ["clientid", "client_id"]
                .into_iter()
                .flat_map(each)
                .collect()
        }
        HookKind::RabbitMq => {
            let id = || ("client_id", json!("c1"), Text);
            let vhost = || ("vhost", json!("/"), Text);
            let login = vec![name(), password(), id(), ("vhost", json!("/"), MaybeText)];
            let of = |last, more: &[(&'static str, &str)]| {
                let mut fields = vec![name(), vhost(), ("tags", json!(pin), Text)];
                if last != "topic" {
                    fields.push(id());
                }
                fields.extend(more.iter().map(|(name, text)| (*name, json!(text), Text)));
                HookQuestion {
                    pin: Some("tags"),
                    ..question(last, fields)
                }
            };
            let queue = [
                ("resource", "queue"),
                ("name", "mqtt-subscription-c1qos1"),
                ("permission", "configure"),
            ];
            let topic = [
                ("resource", "topic"),
                ("name", "amq.topic"),
                ("permission", "write"),
                ("routing_key", "acme.a"),
                ("variable_map.client_id", "c1"),
            ];
            let asked = [
                of("vhost", &[]),
                of("resource", &queue),
                of("topic", &topic),
            ];
            let mut all = vec![question("user", login)];
            all.extend(asked);
            all
        }
        HookKind::Rmqtt => {
            let address = ("ipaddr", json!("192.0.2.1"), MaybeText);
            let access = ("access", json!("2"), LooseNumber);
            vec![
                question("auth", vec![name(), password(), id(), address]),
                question("acl", vec![name(), id(), topic(), access]),
            ]
        }
    }
}

#[test]
fn what_is_missing_doubled_or_of_another_type_is_a_no_for_each_kind() {
    let plant = Plant::start();
    let emqx = plant.of_kind("emqx");
    let pins = [0, 1].map(|number| {
        let name = format!("dev{}@acme", number + 1);
        let body = json!({
            "username": name, "password": plant.secrets[number], "clientid": "c1",
        });
        pin_of(&emqx.json("authn", &body).with(200).body)
    });
    let [pin, foreign] = &pins;
    let refused = [
        &**foreign,
        "",
        "undefined",
        "cs.1.1",
        "cs.0.0.0",
        "CS.1.1.1",
    ];
    for kind in HookKind::ALL {
        let each = questions(kind, &plant.secrets[0], pin);
        // Nobody is a superuser.
        let last: Vec<_> = each.iter().map(|it| it.last).collect();
        let mut all = kind.questions().iter();
        assert!(
            all.all(|it| *it == "superuser" || last.contains(it)),
            "{kind}"
        );
        for (number, question) in each.into_iter().enumerate() {
            let HookQuestion { last, fields, pin } = question;
            // Each has its own, so that logins in vain count for no other.
            let name = format!("{kind}-{last}-{number}");
            let hook = plant.hook(json!({ "name": name, "kind": kind.as_str() }));
            let as_is: Vec<_> = fields
                .iter()
                .map(|(name, it, _)| (*name, it.clone()))
                .collect();
            let reply = hook.ask(kind, last, &as_is);
            assert!(says_yes(kind, &reply), "{name}: {reply:?}");
            let no = |fields: &[(&str, Value)]| {
                let reply = hook.ask(kind, last, fields);
                assert!(says_no(kind, &reply), "{name} {fields:?}: {reply:?}");
            };
            no(&[]);
            for (place, (field, value, told)) in fields.iter().enumerate() {
                let mut doubled = as_is.clone();
                doubled.push((*field, value.clone()));
                no(&doubled);
                let with = |value: Option<Value>| {
                    let mut changed = as_is.clone();
                    match value {
                        Some(value) => changed[place].1 = value,
                        None => drop(changed.remove(place)),
                    }
                    changed
                };
                if told.is_needed() {
                    no(&with(None));
                }
                if writes_json(kind) {
                    for wrong in told.wrong() {
                        no(&with(Some(wrong)));
                    }
                } else if told.is_needed() {
                    no(&with(Some(json!(""))));
                }
                if pin == Some(field) {
                    for pin in refused {
                        no(&with(Some(json!(pin))));
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_understood_is_a_no_in_the_brokers_words() {
    let plant = Plant::start();
    let secret = &*plant.secrets[0];
    for kind in HookKind::ALL {
        let hook = plant.of_kind(kind.as_str());
        for last in kind.questions() {
            let large = format!("username={}", "x".repeat(300_000));
            for (body, media) in [
                ("", FORM),
                ("%ff=%ff", FORM),
                (&large, FORM),
                ("", JSON),
                ("[]", JSON),
                ("null", JSON),
                ("{\"username\":", JSON),
                ("username=a", "text/plain"),
            ] {
                let reply = hook.raw_as(last, body, media);
                let length = body.len();
                assert!(
                    says_no(kind, &reply),
                    "{kind} {last} {media} {length}: {reply:?}"
                );
            }
            // With a password in the address.
            let query = format!("username=dev1@acme&password={secret}&clientid=c&client_id=c");
            let path = format!("/hooks/{}/{last}?{query}", hook.name);
            let headers = [("Authorization", &*hook.bearer)];
            let reply = plant.server.ask_at_door("GET", &path, None, &headers);
            assert!(says_no(kind, &reply), "{kind} {last}: {reply:?}");
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
