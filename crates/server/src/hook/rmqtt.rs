//! rmqtt: `auth` and `acl`. It hands nothing back that it was told.

use serde_json::json;

use super::asked::{Asked, Login, Use, Verdict, Wanted};
use super::fields::Fields;

/// What a request asks.
pub(super) fn question(last: &str, fields: &Fields) -> Option<Asked> {
    let username = fields.text("username")?;
    let client_id = fields.text("clientid")?;
    if last == "auth" {
        let login = Login::of(username, fields.maybe_text("password")?, client_id);
        let address = fields.maybe_text("ipaddr")?;
        return Some(Asked::Login(login.from(address)));
    }
    let topic = fields.text("topic")?.to_owned();
    let wanted = match fields.loose_number("access")?? {
        1 => Wanted::Subscribe(topic),
        2 => Wanted::Publish {
            topic,
            qos: None,
            retain: None,
        },
        _ => return None,
    };
    Some(Asked::Use(Use::named(username, client_id, wanted)))
}

/// The answer. Any text that is none of its words, and an empty one, is a yes to rmqtt,
/// and a header `X-Superuser` is one to everything.
pub(super) fn answer(verdict: &Verdict) -> Vec<u8> {
    let answer = match verdict {
        Verdict::No => json!({ "result": "deny" }),
        Verdict::Yes(pinned) => {
            let ends_at = pinned.as_ref().and_then(|pinned| pinned.ends_at);
            match ends_at.map(|at| at.as_millis().div_euclid(1_000)) {
                Some(at) => json!({ "result": "allow", "superuser": false, "expire_at": at }),
                None => json!({ "result": "allow", "superuser": false }),
            }
        }
    };
    answer.to_string().into_bytes()
}
