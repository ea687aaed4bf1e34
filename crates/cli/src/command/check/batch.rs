//! `countersign check --batch`: questions and answers as lines of JSON.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use countersign_admin::check::{Asker, Connect, TopicAsk, Usage};
use countersign_admin::view::{ConnectAnswerView, TopicAnswerView};
use countersign_sqlite::SqliteStore;
use serde::{Deserialize, Deserializer, Serialize};

use crate::REFUSED;
use crate::failure::Failure;
use crate::json;

/// Asks this program's kind of store.
pub(super) type StoreAsker<'s> = Asker<'s, SqliteStore>;

/// Answers every line of a file by one line. A line that is no question is
/// answered by what is wrong with it, and so the program fails in the end;
/// empty lines are passed over.
pub(super) fn run(asker: &mut StoreAsker<'_>, file: &Path) -> Result<ExitCode, Failure> {
    let mut answers = BufWriter::new(io::stdout().lock());
    let mut are_all_answered = true;
    let mut questions: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let opened = File::open(file).map_err(|error| {
            Failure::refused(format!("could not read `{}`: {error}", file.display()))
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
        let question = serde_json::from_slice(&line).map_err(|error| error.to_string());
        let answered = match question {
            Ok(question) => answer(asker, &question, &mut answers)?,
            Err(error) => Err(error),
        };
        if let Err(error) = answered {
            are_all_answered = false;
            json::write_line(&mut answers, &Unanswered { error })?;
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
    asker: &mut StoreAsker<'_>,
    question: &Question<'_>,
    answers: &mut impl io::Write,
) -> Result<Result<(), String>, Failure> {
    let lacks = |key| Ok(Err(format!("`{key}` is missing")));
    let username = question.username.as_deref();
    let client_id = question.client_id.as_deref();
    if let Kind::Connect = question.check {
        let Some(client_id) = client_id else {
            return lacks("client_id");
        };
        let verdict = asker.connect(Connect {
            client_id,
            username,
            password: None,
            listener: question.listener,
        })?;
        let owner = asker.owner_behind(verdict, client_id, username)?;
        json::write_line(answers, &ConnectAnswerView::of(verdict, owner.as_ref()))?;
        return Ok(Ok(()));
    }
    let Some(topic) = question.topic.as_deref() else {
        return lacks("topic");
    };
    let usage = match question.check {
        Kind::Connect | Kind::Publish => Usage::Publish {
            topic,
            qos: question.qos,
            retain: question.retain,
        },
        Kind::Deliver => Usage::Deliver { topic },
        Kind::Subscribe => Usage::Subscribe { filter: topic },
    };
    let answer = asker.topic(&TopicAsk {
        username,
        client_id,
        password: None,
        listener: question.listener,
        usage,
    })?;
    json::write_line(answers, &TopicAnswerView::of(&answer))?;
    Ok(Ok(()))
}

/// A question, as a line asks it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question<'a> {
    check: Kind,
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
enum Kind {
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
struct Unanswered {
    error: String,
}
