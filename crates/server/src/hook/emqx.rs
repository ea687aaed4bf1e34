//! EMQX: `authn` and `authz`, as the page on it configures them. The pin is a client
//! attribute, which EMQX tells with each use of a topic.

use serde_json::json;

use super::asked::{Asked, Login, Use, Verdict, Wanted};
use super::fields::Fields;
use countersign::Pin;

/// What a request asks.
pub(super) fn question(last: &str, fields: &Fields) -> Option<Asked> {
    let username = fields.text("username")?;
    let client_id = fields.text("clientid")?;
    if last == "authn" {
        let login = Login::of(username, fields.maybe_text("password")?, client_id);
        let address = fields.maybe_text("peerhost")?;
        return Some(Asked::Login(login.from(address)));
    }
    let topic = fields.text("topic")?.to_owned();
    let wanted = match fields.text("action")? {
        "publish" => Wanted::Publish {
            topic,
            qos: fields.loose_number("qos")?,
            retain: fields.loose_flag("retain")?,
        },
        "subscribe" => Wanted::Subscribe(topic),
        _ => return None,
    };
    let pin = Pin::parse(fields.text("pin")?)?;
    Some(Asked::Use(Use::pinned(pin, username, client_id, wanted)))
}

/// The answer. No word but `allow` lets anybody in, and `deny` ends the chain.
pub(super) fn answer(last: &str, verdict: &Verdict) -> Vec<u8> {
    let answer = match verdict {
        Verdict::No => json!({ "result": "deny" }),
        Verdict::Yes(Some(pinned)) if last == "authn" => {
            let mut attributes = json!({ "cs": pinned.pin.to_string() });
            if let (Some(tenant), Some(it)) = (&pinned.tenant, attributes.as_object_mut()) {
                it.insert("tns".into(), tenant.as_str().into());
            }
            let mut answer = json!({
                "result": "allow",
                "is_superuser": false,
                "client_attrs": attributes,
            });
            // It must lie in the future, and is whole seconds.
            let ends_at = pinned.ends_at.map(|at| at.as_millis().div_euclid(1_000));
            if let (Some(at), Some(it)) = (ends_at, answer.as_object_mut()) {
                it.insert("expire_at".into(), at.into());
            }
            answer
        }
        Verdict::Yes(None) if last == "authz" => json!({ "result": "allow" }),
        // There must be a pin to go on with.
        Verdict::Yes(_) => json!({ "result": "deny" }),
    };
    answer.to_string().into_bytes()
}
