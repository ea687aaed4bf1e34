//! `countersign check --batch`: questions and answers as lines of JSON.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use countersign_admin::check::{ConnectCheck, PolicyCheck, TopicCheck, Usage};
use countersign_admin::view::{ConnectAnswerView, TopicAnswerView};
use countersign_sqlite::SqliteStore;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{CliError, REFUSED};
use crate::json;

/// Asks this program's kind of store.
pub(super) type StoreCheck<'s> = PolicyCheck<'s, SqliteStore>;

/// Answers every line of a file by one line. A line that is no question is
/// answered by what is wrong with it, and so the program fails in the end;
/// empty lines are passed over.
pub(super) fn run(policy_check: &mut StoreCheck<'_>, file: &Path) -> Result<ExitCode, CliError> {
    let mut answers = BufWriter::new(io::stdout().lock());
    let mut are_all_answered = true;
    let mut questions: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(|error| {
            CliError::refused(format!("could not read `{}`: {error}", file.display()))
        })?;
        Box::new(BufReader::new(opened))
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        if questions.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let line_check = serde_json::from_slice(&line).map_err(|error| error.to_string());
        let answered = match line_check {
            Ok(line_check) => answer(policy_check, &line_check, &mut answers)?,
            Err(error) => Err(error),
        };
        if let Err(error) = answered {
            are_all_answered = false;
            json::write_line(&mut answers, &LineError { error })?;
        }
        answers.write_all(b"\n")?;
    }
    answers.flush()?;
    Ok(if are_all_answered {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    })
}

/// Answers a question, or says what it lacks.
fn answer(
    policy_check: &mut StoreCheck<'_>,
    line_check: &CheckLine<'_>,
    answers: &mut impl io::Write,
) -> Result<Result<(), String>, CliError> {
    let lacks = |key| Ok(Err(format!("`{key}` is missing")));
    let username = line_check.username.as_deref();
    let client_id = line_check.client_id.as_deref();
    if let CheckKind::Connect = line_check.check {
        let Some(client_id) = client_id else {
            return lacks("client_id");
        };
        let verdict = policy_check.connect(ConnectCheck {
            client_id,
            username,
            password: None,
            listener: line_check.listener,
        })?;
        let owner = policy_check.owner_behind(verdict, client_id, username)?;
        json::write_line(answers, &ConnectAnswerView::of(verdict, owner.as_ref()))?;
        return Ok(Ok(()));
    }
    let Some(topic) = line_check.topic.as_deref() else {
        return lacks("topic");
    };
    let usage = match line_check.check {
        CheckKind::Connect | CheckKind::Publish => Usage::Publish {
            topic,
            qos: line_check.qos,
            retain: line_check.retain,
        },
        CheckKind::Deliver => Usage::Deliver { topic },
        CheckKind::Subscribe => Usage::Subscribe { filter: topic },
    };
    let answer = policy_check.topic(&TopicCheck {
        username,
        client_id,
        password: None,
        listener: line_check.listener,
        usage,
    })?;
    json::write_line(answers, &TopicAnswerView::of(&answer))?;
    Ok(Ok(()))
}

/// A question, as a line asks it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckLine<'a> {
    check: CheckKind,
    /// It must be said, as nobody in particular is somebody else.
    #[serde(borrow, deserialize_with = "said_or_null")]
    username: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client_id: Option<Cow<'a, str>>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(borrow, default)]
    topic: Option<Cow<'a, str>>,
    #[serde(default)]
    listener: Option<u16>,
}

/// What a question is about.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CheckKind {
    Connect,
    Deliver,
    Publish,
    Subscribe,
}

fn said_or_null<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    Option::deserialize(deserializer)
}

/// What answers a line that is no question.
#[derive(Serialize)]
struct LineError {
    error: String,
}
