//! What a broker would answer a client.

use axum::http::StatusCode;
use countersign_admin::AdminError;
use countersign_admin::check::{CheckRequest, CheckRequestError, Listeners, PolicyCheck};
use countersign_admin::view::AnswerView;
use countersign_admin::why::PermitCheck;
use countersign_core::name::LoginName;
use schemars::{Schema, json_schema};

use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromBody, Nothing, read_json};
use crate::problem::Problem;
use crate::route::{Route, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/api/v1/check", "Ask what a client may do", check)
            .answers(StatusCode::OK, Shape::OneOf(&ON_CONNECT, &ON_TOPIC)),
    ]
}

impl FromBody for CheckRequest {
    const IS_REQUIRED: Option<bool> = Some(true);

    fn schema() -> Option<Schema> {
        Some(json_schema!({
            "type": "object",
            "properties": {
                "check": { "enum": ["connect", "publish", "subscribe", "deliver"] },
                "username": {
                    "type": ["string", "null"],
                    "description": "What it logs in as; `null` as one without a login",
                },
                "client_id": { "type": ["string", "null"] },
                "qos": { "type": "integer", "minimum": 0, "maximum": 255, "default": 0 },
                "retain": { "type": "boolean", "default": false },
                "topic": {
                    "type": ["string", "null"],
                    "description": "A topic, or the filter of a subscription",
                },
                "listener": {
                    "type": ["integer", "null"],
                    "minimum": 0,
                    "maximum": 65535,
                    "description": "The port that it arrives at",
                },
                "address": {
                    "type": ["string", "null"],
                    "description": "The address that it comes from, which may be banned",
                },
            },
            "required": ["check", "username"],
            "additionalProperties": false,
        }))
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        read_json(bytes)
    }
}

fn check(call: &mut Call<'_>, _: Nothing, question: CheckRequest) -> Result<Answer, Problem> {
    // What can't be a name is nobody's.
    let name = question.username.as_deref();
    let name = name.and_then(|name| LoginName::parse(name).ok());
    let may_know_others = call.run(&PermitCheck(name))?;
    let listeners = Listeners::of_store(call.store)?;
    let answer = PolicyCheck::new(call.store, call.now, listeners)?.answer(&question);
    let answer = answer.map_err(|error| match error {
        CheckRequestError::Store(error) => AdminError::from(error).into(),
        error @ (CheckRequestError::Missing(_) | _) => Problem::invalid(error.to_string()),
    })?;
    if may_know_others {
        return Answer::ok(&AnswerView::of(&answer));
    }
    Answer::ok(&AnswerView::of(&answer.without_others()))
}

const ON_CONNECT: Shape = Shape::Named(
    "ConnectAnswer",
    &Shape::Object(&[
        ("verdict", VERDICT),
        ("reason", Shape::Text),
        ("rule", MAYBE_TEXT),
        ("considered", Shape::List(&Shape::Anything)),
        ("held_by", Shape::Absent(&Shape::Text)),
        ("held_since", Shape::Absent(&Shape::Text)),
    ]),
);
const ON_TOPIC: Shape = Shape::Named(
    "TopicAnswer",
    &Shape::Object(&[
        ("verdict", VERDICT),
        ("reason", Shape::Text),
        ("rule", Shape::Maybe(&Shape::Object(RULE))),
        ("considered", Shape::List(&Shape::With(RULE, OUTCOME))),
        ("wall", Shape::Maybe(&WALL)),
        ("variables", Shape::Map(&MAYBE_TEXT)),
    ]),
);
const VERDICT: Shape = Shape::Word(&["allow", "deny"]);
const RULE: &[(&str, Shape)] = &[
    ("effect", Shape::Text),
    ("action", Shape::Text),
    ("pattern", Shape::Text),
    ("source", Shape::Text),
    ("group", Shape::Absent(&Shape::Text)),
];
const OUTCOME: &[(&str, Shape)] = &[
    ("max_qos", Shape::Maybe(&Shape::Integer)),
    ("no_retain", Shape::Bool),
    ("outcome", Shape::Text),
];
const WALL: Shape = Shape::Object(&[
    ("tenant", MAYBE_TEXT),
    ("owner", MAYBE_TEXT),
    ("in_way", Shape::Bool),
]);
