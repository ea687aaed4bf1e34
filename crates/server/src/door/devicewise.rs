//! The door of Telit's deviceWISE: `POST /api` with `auth` and commands by numbers.
//!
//! A user authenticates with a password, and the code of the second factor where there
//! is one; the session is a web session. The commands are those that sessions give over
//! MQTT, and the numbers of errors are the same.

use axum::http::StatusCode;
use countersign_admin::sign_in::{PresentedCode, SignIn, find_web_session, sign_in};
use countersign_admin::{AdminError, OsRandom};
use countersign_core::secret::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Vendor;
use crate::answer::Answer;
use crate::call::{Call, Who};
use crate::input::{Json, Nothing, Presented, Text, read_json};
use crate::problem::{Problem, ProblemKind};
use crate::route::{Access, Route, post};

mod commands;

pub(super) static VENDOR: Vendor = Vendor {
    name: "devicewise",
    holds: |path| path == API,
    routes,
    problem,
};

fn routes() -> Vec<Route> {
    vec![post(API, "Authenticate, and give commands", answer).with_access(Access::OpenOrKnown)]
}

/// Tells a problem for which no command was begun.
fn problem(problem: &Problem) -> (StatusCode, String) {
    let told = Failure::from(problem.clone()).told();
    (problem.kind.status(), told.to_string())
}

/// Why something was not done, and the number that clients know it by.
struct Failure {
    code: i32,
    text: String,
}

impl Failure {
    fn new(code: i32, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }

    fn told(&self) -> Value {
        json!({
            "success": false,
            "errorCodes": [self.code],
            "errorMessages": [self.text],
        })
    }
}

impl From<Problem> for Failure {
    /// The numbers are those of session commands, and two more: nobody is known, and the
    /// vendor's own for a code that is missing.
    fn from(problem: Problem) -> Self {
        let code = match problem.kind {
            ProblemKind::MfaRequired => CODE_NEEDED,
            ProblemKind::Unauthenticated => UNKNOWN_CALLER,
            ProblemKind::Invalid => WRONG_PARAMETER,
            ProblemKind::Forbidden => NOT_PERMITTED,
            ProblemKind::NotFound => NOT_FOUND,
            ProblemKind::Conflict
            | ProblemKind::Exists
            | ProblemKind::InUse
            | ProblemKind::PreconditionFailed => CONFLICT,
            ProblemKind::TooManyRequests => TOO_MANY,
            ProblemKind::MethodNotAllowed
            | ProblemKind::TooLarge
            | ProblemKind::UnsupportedMediaType => MALFORMED,
            ProblemKind::Unavailable => UNAVAILABLE,
        };
        Self::new(code, problem.detail)
    }
}

/// Who asks: by the id of a session, or by a name with what proves it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Auth {
    session_id: Option<Text<Presented>>,
    command: Option<String>,
    params: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Login {
    username: String,
    password: Text<Presented>,
    #[serde(alias = "mfaCode")]
    secondary_password: Option<Text<Presented>>,
}

/// Who asks, and the commands by what their answers are to be known by.
#[derive(Deserialize, JsonSchema)]
struct Message {
    auth: Option<Map<String, Value>>,
    #[serde(flatten)]
    commands: Map<String, Value>,
}

fn answer(call: &mut Call<'_>, _: Nothing, body: Json<Message>) -> Result<Answer, Problem> {
    let Json(Message { auth, commands }) = body;
    let mut told = Map::new();
    match authenticate(call, auth) {
        Ok(None) => {}
        Ok(Some(session)) => {
            let session = String::from_utf8_lossy(session.expose());
            let params = json!({ "sessionId": session });
            let done = json!({ "success": true, "params": params });
            told.insert(AUTH.to_owned(), done);
        }
        Err(failure) => {
            // For those who look at the whole, and those who look at `auth`.
            let mut whole = failure.told();
            if let Value::Object(whole) = &mut whole {
                whole.insert(AUTH.to_owned(), failure.told());
            }
            return Answer::ok(&whole);
        }
    }
    if commands.len() > MOST_COMMANDS {
        let text = format!("a message has at most {MOST_COMMANDS} commands");
        return Answer::ok(&Failure::new(MALFORMED, text).told());
    }
    let mut commands: Vec<_> = commands.into_iter().collect();
    // As they are numbered, and what has no number behind.
    commands.sort_by_key(|(key, _)| key.parse::<u64>().unwrap_or(u64::MAX));
    for (key, command) in commands {
        let done = match commands::give(call, command) {
            Ok(params) => json!({ "success": true, "params": params }),
            Err(failure) => failure.told(),
        };
        told.insert(key, done);
    }
    Answer::ok(&told)
}

/// Finds out who asks. A session that begins is returned.
fn authenticate(
    call: &mut Call<'_>,
    auth: Option<Map<String, Value>>,
) -> Result<Option<Secret>, Failure> {
    let auth: Auth = read(auth.unwrap_or_default())?;
    if let Some(command) = &auth.command {
        if command != "api.authenticate" || auth.session_id.is_some() {
            let text = "`auth` has a `sessionId`, or the command `api.authenticate`";
            return Err(Failure::new(MALFORMED, text));
        }
        let params = auth.params.unwrap_or_default();
        if params.contains_key("appToken") {
            let text = "applications authenticate over MQTT";
            return Err(Failure::new(WRONG_SESSION, text));
        }
        return begin(call, read(params)?).map(Some);
    }
    let named = auth.session_id.map(|Text(Presented(secret))| secret);
    let found = match named.as_ref().or(call.asked.session.as_ref()) {
        Some(session) => find_web_session(call.store, session, call.now)?.map(Who::from),
        None => call.who.take(),
    };
    let unknown = || Failure::new(UNKNOWN_CALLER, "authenticate first");
    call.who = Some(found.ok_or_else(unknown)?);
    Ok(None)
}

/// Begins a session.
fn begin(call: &mut Call<'_>, login: Login) -> Result<Secret, Failure> {
    let (Text(Presented(password)), code) = (login.password, login.secondary_password);
    let address = call.asked.client.to_string();
    let presented = SignIn {
        name: &login.username,
        password,
        code: PresentedCode::Apart(code.map(|Text(Presented(code))| code)),
        address: Some(&address),
        known: call.asked.browser.as_ref(),
    };
    let signed_in = sign_in(call.store, call.guard, presented, &mut OsRandom, call.now);
    let signed_in = signed_in.map_err(Problem::from)?;
    call.who = Some(signed_in.caller.into());
    Ok(signed_in.secret)
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        Problem::from(error).into()
    }
}

/// Reads parameters. What is wrong is told without its value, which may be a secret.
fn read<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T, Failure> {
    let bytes = serde_json::to_vec(&params).unwrap_or_default();
    read_json(&bytes).map_err(|problem| {
        let (_, text) = problem.detail.rsplit_once(": ").unwrap_or_default();
        Failure::new(WRONG_PARAMETER, text)
    })
}

const API: &str = "/api";
const AUTH: &str = "auth";
const MOST_COMMANDS: usize = 32;
/// The vendor's own number: name and password were right, and the code is missing.
const CODE_NEEDED: i32 = -90_041;
const MALFORMED: i32 = -91_001;
const WRONG_PARAMETER: i32 = -91_003;
const WRONG_SESSION: i32 = -91_004;
const NOT_PERMITTED: i32 = -91_005;
const NOT_FOUND: i32 = -91_006;
const CONFLICT: i32 = -91_007;
const TOO_MANY: i32 = -91_008;
const UNAVAILABLE: i32 = -91_009;
/// Nobody is known by what was shown.
const UNKNOWN_CALLER: i32 = -91_010;
