//! Commands and answers as JSON.

use core::time::Duration;
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::secret::Secret;
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::error::CommandError;
use crate::host::Payload;

/// One command.
pub(crate) struct ParsedCommand {
    /// As it is called.
    pub(super) command: Option<String>,
    /// What the answer is to be known by.
    pub(super) correlation: Option<String>,
    /// What is asked.
    pub(super) request: Result<CommandRequest, CommandError>,
}

/// What a command asks.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum CommandRequest {
    /// `session.info`
    Info,
    /// `session.jwt.create`
    MakeToken {
        role: RoleName,
        whoami: Whoami,
        things: Vec<LoginName>,
        ttl: Ttl,
    },
    /// `session.org.list`
    ListTenants,
    /// `session.org.switch`
    Switch(TenantId),
    /// `thing.bind`
    Bind(LoginName),
    /// `thing.appid.reset`
    Untie(LoginName),
}

/// What a command came to.
pub(crate) enum CommandResult {
    /// The thing with this key is bound to the session.
    Bound(LoginName),
    /// What the session is.
    Info(Info),
    /// The tenants that it may switch to.
    Tenants(Vec<Tenancy>),
    /// The session works in this tenant now.
    Switched(TenantId),
    /// A token, shown this once.
    Token {
        token: Secret,
        jti: String,
        expires_at: String,
    },
    /// The thing with this key is tied to no application id any more.
    Untied(LoginName),
}

/// What a session is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Info {
    pub(crate) username: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) org_key: Option<String>,
    /// The role, if there is just one.
    pub(crate) role: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) org_admin: bool,
    pub(crate) client_id: String,
    pub(crate) things: Vec<String>,
}

/// What a user is in a tenant.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tenancy {
    pub(crate) key: String,
    pub(crate) role: Option<String>,
    pub(crate) org_admin: bool,
    /// Whether the session works there.
    pub(crate) current: bool,
}

/// The answer to a command.
pub(crate) struct Response {
    pub(super) command: Option<String>,
    pub(super) correlation: Option<String>,
    /// None until the admin worker is done.
    pub(super) outcome: Option<Result<CommandResult, CommandError>>,
}

impl Response {
    /// The answer to a message in which no command can be read.
    pub(super) fn to_nothing(error: CommandError) -> Self {
        Self {
            command: None,
            correlation: None,
            outcome: Some(Err(error)),
        }
    }
}

/// Reads the commands of a message.
pub(super) fn parse(payload: &[u8]) -> Result<Vec<ParsedCommand>, CommandError> {
    if payload.len() > LONGEST {
        return Err(CommandError::Malformed("the message is longer than 64 KiB"));
    }
    let Ok(Value::Object(mut message)) = serde_json::from_slice(payload) else {
        return Err(CommandError::Malformed("the message is no JSON object"));
    };
    let Some(Value::Array(commands)) = message.remove("commands") else {
        return Err(CommandError::Malformed(
            "the message has no array `commands`",
        ));
    };
    if commands.is_empty() || commands.len() > MOST {
        return Err(CommandError::Malformed("a message has 1 to 32 commands"));
    }
    Ok(commands.into_iter().map(read).collect())
}

fn read(command: Value) -> ParsedCommand {
    let Value::Object(mut object) = command else {
        return ParsedCommand {
            command: None,
            correlation: None,
            request: Err(CommandError::Malformed("a command is no JSON object")),
        };
    };
    let name = text(&object, "command").map(str::to_owned);
    let correlation = text(&object, "correlation_data").map(str::to_owned);
    let has_odd_correlation = correlation.is_none() && object.contains_key("correlation_data");
    let params = match object.remove("params") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(CommandError::Malformed("`params` is not a JSON object")),
    };
    let request = match (&name, params) {
        (_, Err(error)) => Err(error),
        (None, Ok(_)) => Err(CommandError::Malformed("a command has no text `command`")),
        (Some(_), Ok(_)) if has_odd_correlation => {
            Err(CommandError::Malformed("`correlation_data` is not a text"))
        }
        (Some(name), Ok(params)) => request(name, &params),
    };
    ParsedCommand {
        command: name,
        correlation,
        request,
    }
}

fn request(command: &str, params: &Map<String, Value>) -> Result<CommandRequest, CommandError> {
    match command {
        "session.info" => Ok(CommandRequest::Info),
        "session.jwt.create" => token(params),
        "session.org.list" => Ok(CommandRequest::ListTenants),
        "session.org.switch" => {
            required(params, "key", TenantId::parse).map(CommandRequest::Switch)
        }
        "thing.appid.reset" => required(params, "key", LoginName::parse).map(CommandRequest::Untie),
        "thing.bind" => required(params, "key", LoginName::parse).map(CommandRequest::Bind),
        _ => Err(CommandError::Unknown),
    }
}

fn token(params: &Map<String, Value>) -> Result<CommandRequest, CommandError> {
    let wrong = |why: &'static str| CommandError::Parameter(why.into());
    let things = match params.get("thingKeys") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(keys)) => keys
            .iter()
            .map(|key| {
                let key = key.as_str().and_then(|key| LoginName::parse(key).ok());
                key.ok_or_else(|| wrong("`thingKeys` holds something that is no key of a thing"))
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong("`thingKeys` is not an array")),
    };
    let ttl = match params.get("ttl") {
        None | Some(Value::Null) => Ttl::default(),
        Some(seconds) => seconds
            .as_u64()
            .and_then(|seconds| Ttl::new(Duration::from_secs(seconds)).ok())
            .ok_or_else(|| wrong("`ttl` is not a whole number of seconds from 1 to 86400"))?,
    };
    Ok(CommandRequest::MakeToken {
        role: required(params, "role", RoleName::parse)?,
        whoami: required(params, "whoami", Whoami::parse)?,
        things,
        ttl,
    })
}

fn required<T, E>(
    params: &Map<String, Value>,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, CommandError> {
    text(params, name)
        .and_then(|text| parse(text).ok())
        .ok_or_else(|| {
            CommandError::Parameter(format!("`{name}` is missing or can't be one").into())
        })
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Writes an answer. Nothing of it is left in memory but what is returned.
pub(super) fn write(responses: &[Response]) -> Option<Payload> {
    let written: Vec<_> = responses.iter().map(ResponseBody::of).collect();
    let message = ResponseMessage { responses: written };
    // Counted first: a text that grows leaves copies.
    let mut counter = ByteCounter(0);
    serde_json::to_writer(&mut counter, &message).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(counter.0));
    serde_json::to_writer(&mut *bytes, &message).ok()?;
    Some(Payload::new(bytes))
}

#[derive(Serialize)]
struct ResponseMessage<'a> {
    responses: Vec<ResponseBody<'a>>,
}

#[derive(Serialize)]
struct ResponseBody<'a> {
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_data: Option<&'a str>,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Params<'a>>,
    #[serde(rename = "errorCodes", skip_serializing_if = "Option::is_none")]
    error_codes: Option<[i32; 1]>,
    #[serde(rename = "errorMessages", skip_serializing_if = "Option::is_none")]
    error_messages: Option<[&'a str; 1]>,
}

impl<'a> ResponseBody<'a> {
    fn of(response: &'a Response) -> Self {
        let (params, error) = match &response.outcome {
            Some(Ok(answer)) => (Params::of(answer), None),
            Some(Err(error)) => (None, Some(error)),
            // An answer goes out when it is complete.
            None => (None, Some(&CommandError::Unavailable)),
        };
        Self {
            command: response.command.as_deref(),
            correlation_data: response.correlation.as_deref(),
            success: error.is_none(),
            params,
            error_codes: error.map(|error| [error.code()]),
            error_messages: error.map(|error| [error.message()]),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Params<'a> {
    Info(&'a Info),
    Key {
        key: &'a str,
    },
    #[serde(rename_all = "camelCase")]
    Switched {
        org_key: &'a str,
    },
    Tenants {
        orgs: &'a [Tenancy],
    },
    #[serde(rename_all = "camelCase")]
    Token {
        token: &'a str,
        jti: &'a str,
        expires_at: &'a str,
    },
}

impl<'a> Params<'a> {
    fn of(answer: &'a CommandResult) -> Option<Self> {
        Some(match answer {
            CommandResult::Info(info) => Self::Info(info),
            CommandResult::Bound(key) | CommandResult::Untied(key) => {
                Self::Key { key: key.as_str() }
            }
            CommandResult::Switched(tenant) => Self::Switched {
                org_key: tenant.as_str(),
            },
            CommandResult::Tenants(orgs) => Self::Tenants { orgs },
            CommandResult::Token {
                token,
                jti,
                expires_at,
            } => Self::Token {
                token: core::str::from_utf8(token.expose()).ok()?,
                jti,
                expires_at,
            },
        })
    }
}

/// Counts what would be written.
struct ByteCounter(usize);

impl std::io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const LONGEST: usize = 64 * 1_024;
const MOST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn first(payload: &str) -> ParsedCommand {
        parse(payload.as_bytes())
            .map(|mut asked| asked.remove(0))
            .unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn what_is_no_message_is_none() {
        for payload in [
            &b""[..],
            b"\0",
            b"{",
            b"[]",
            b"{}",
            b"null",
            br#"{"commands":7}"#,
            br#"{"commands":[]}"#,
            b"\xff\xfe",
        ] {
            assert!(
                matches!(parse(payload), Err(CommandError::Malformed(_))),
                "{payload:?}"
            );
        }
        let many = format!(r#"{{"commands":[{}0]}}"#, "0,".repeat(32));
        assert!(parse(many.as_bytes()).is_err());
        let long = format!(r#"{{"commands":["{}"]}}"#, "x".repeat(LONGEST));
        assert!(parse(long.as_bytes()).is_err());
        let deep = "[".repeat(LONGEST);
        assert!(parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn one_bad_command_does_not_spoil_the_others() {
        let asked = parse(
            br#"{"commands":[7,{"command":"session.info","correlation_data":"a"},{"command":"x"},
                {"command":"session.info","params":[]},{"params":{}},
                {"command":"session.info","correlation_data":7}]}"#,
        );
        let asked = asked.unwrap_or_default();
        let outcomes: Vec<_> = asked
            .iter()
            .map(|it| it.request.as_ref().map_err(CommandError::code))
            .collect();
        assert_eq!(
            outcomes,
            [
                Err(-91_001),
                Ok(&CommandRequest::Info),
                Err(-91_002),
                Err(-91_001),
                Err(-91_001),
                Err(-91_001)
            ]
        );
        assert_eq!(asked[1].correlation.as_deref(), Some("a"));
    }

    #[test]
    fn a_token_s_time_is_refused_and_not_cut_to_what_is_allowed() {
        for (ttl, is_good) in [
            ("1", true),
            ("86400", true),
            ("null", true),
            ("0", false),
            ("-1", false),
            ("86401", false),
            ("1.5", false),
            ("\"60\"", false),
            ("99999999999999999999", false),
        ] {
            let asked = first(&format!(
                r#"{{"commands":[{{"command":"session.jwt.create",
                    "params":{{"role":"r","whoami":"me","ttl":{ttl}}}}}]}}"#
            ));
            assert_eq!(asked.request.is_ok(), is_good, "{ttl}");
        }
    }

    #[test]
    fn an_answer_is_written_as_promised() {
        let responses = [
            Response {
                command: Some("thing.bind".into()),
                correlation: Some("7".into()),
                outcome: Some(Ok(CommandResult::Bound(LoginName::parse("t1").unwrap()))),
            },
            Response::to_nothing(CommandError::Unknown),
        ];
        let written = write(&responses).unwrap();
        assert_eq!(
            core::str::from_utf8(written.expose()).unwrap(),
            r#"{"responses":[{"command":"thing.bind","correlation_data":"7","success":true,"params":{"key":"t1"}},{"command":null,"success":false,"errorCodes":[-91002],"errorMessages":["there is no such command"]}]}"#
        );
        assert_eq!(format!("{written:?}"), "Payload(200 bytes)");
    }
}
