//! mosquitto-go-auth, and amqtt: `user`, `superuser` and `acl`. They hand nothing back
//! that they were told.

use axum::http::StatusCode;

use super::JSON;
use super::asked::{Asked, Login, Use, Verdict, Wanted};
use super::fields::Fields;

/// What a request asks.
pub(super) fn question(last: &str, fields: &Fields) -> Option<Asked> {
    if last == "superuser" {
        // Nobody is one.
        return None;
    }
    let username = fields.text("username")?;
    let client_id = fields.either_text("clientid", "client_id")?;
    if last == "user" {
        let password = fields.maybe_text("password")?;
        return Some(Asked::Login(Login::of(username, password, client_id)));
    }
    let is_amqtt = fields.text("client_id").is_some();
    let topic = fields.text("topic")?;
    let deliver = || Wanted::Deliver(topic.to_owned());
    let publish = || Wanted::Publish {
        topic: topic.to_owned(),
        qos: None,
        retain: None,
    };
    let asked = |wanted| Use::named(username, client_id, wanted);
    Some(Asked::Use(match fields.number("acc")? {
        1 => asked(deliver()),
        2 => asked(publish()),
        3 => asked(publish()).and(deliver()),
        // It delivers retained messages unasked.
        4 if is_amqtt => asked(Wanted::Subscribe(topic.to_owned())),
        4 => asked(Wanted::SubscribeChecked(topic.to_owned())),
        _ => return None,
    }))
}

/// The answer, as the response modes `status` and `json` read it.
pub(super) fn answer(verdict: &Verdict) -> (StatusCode, &'static str, Vec<u8>) {
    match verdict {
        Verdict::No => (
            StatusCode::FORBIDDEN,
            JSON,
            br#"{"ok":false,"error":"no"}"#.into(),
        ),
        Verdict::Yes(_) => (StatusCode::OK, JSON, br#"{"ok":true,"error":""}"#.into()),
    }
}
