//! `countersign check --batch`: questions and answers as lines of JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use countersign_admin::check::{CheckRequest, CheckRequestError, PolicyCheck};
use countersign_admin::view::AnswerView;
use countersign_store::AnyStore;
use serde::Serialize;

use crate::error::{CliError, REFUSED};
use crate::json;

/// Asks this program's kind of store.
pub(super) type StoreCheck<'s> = PolicyCheck<'s, AnyStore>;

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
        if let Err(error) = answer(policy_check, &line, &mut answers)? {
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

/// Answers a question, or says what is wrong with it.
fn answer(
    policy_check: &mut StoreCheck<'_>,
    line: &[u8],
    answers: &mut impl io::Write,
) -> Result<Result<(), String>, CliError> {
    let question: CheckRequest = match serde_json::from_slice(line) {
        Ok(question) => question,
        Err(error) => return Ok(Err(error.to_string())),
    };
    match policy_check.answer(&question) {
        Ok(answer) => json::write_line(answers, &AnswerView::of(&answer))?,
        Err(CheckRequestError::Store(error)) => return Err(error.into()),
        Err(error) => return Ok(Err(error.to_string())),
    }
    Ok(Ok(()))
}

/// What answers a line that is no question.
#[derive(Serialize)]
struct LineError {
    error: String,
}
