//! The cases that the core and a live broker are held to, asked through the C
//! library.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use countersign_core::credential::Credential;
use countersign_core::store::Settings;
use countersign_sqlite::SqliteStore;
use countersign_testkit::cases;
use countersign_tests::maker::{Maker, blank, login};

use crate::clang::{Build, Compiler, command, compile};

/// `tests/capi/ask.c`, running.
struct CaseRunner {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl CaseRunner {
    fn ask(&mut self, question: &str) -> String {
        writeln!(self.questions, "{question}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

fn hex(text: &str) -> String {
    let digits = text.bytes().map(|byte| format!("{byte:02x}"));
    std::iter::once("=".to_owned()).chain(digits).collect()
}

#[test]
fn the_cases_of_the_core_hold_through_the_c_library() {
    let (program, folder) = compile(Compiler::Gcc, Build::Asan, "tests/capi/ask.c");
    let store = folder.path().join("store.db");
    SqliteStore::create(&store, &Settings::default()).unwrap();
    let mut maker = Maker::new(&store);
    let all = cases::questions().unwrap();
    let count = all.len();
    let asked: Vec<_> = all
        .into_iter()
        .filter(|case| case.fields.is_of_somebody())
        .collect();
    println!("{} of {count} cases are asked", asked.len());
    assert!(asked.len() * 10 > count * 8, "{} of {count}", asked.len());

    let mut child = command(&program)
        .arg(&store)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut runner = CaseRunner {
        questions: child.stdin.take().unwrap(),
        answers: BufReader::new(child.stdout.take().unwrap()),
        child,
    };
    let mut wrong = Vec::new();
    for (index, case) in asked.iter().enumerate() {
        let question = &case.fields;
        let fallback = format!("case{index}");
        let name = question.username.as_deref().unwrap_or(&fallback);
        let credential = Credential {
            rules: question
                .rules
                .iter()
                .map(|rule| rule.rule().unwrap())
                .collect(),
            groups: question.groups().unwrap(),
            attributes: question.attributes.clone(),
            ..blank(name, None)
        };
        let id = maker.add(&credential);
        let login = login(&credential.name);
        let fallback = format!("client{index}");
        let client_id = question.client_id.as_deref().unwrap_or(&fallback);
        let connect = format!(
            "connect {} {} {}",
            hex(&login.username),
            hex(&login.secret),
            hex(client_id)
        );
        assert_eq!(runner.ask(&connect), "admitted", "{}", case.name);
        let answer = runner.ask(&format!(
            "{} {} {} {}",
            question.check,
            hex(&question.topic),
            question.qos,
            u8::from(question.retain)
        ));
        if answer != question.verdict {
            wrong.push(format!("{}: {answer}, not {}", case.name, question.verdict));
        }
        maker.delete(id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(runner.ask("poll"), "polled");
    let CaseRunner {
        mut child,
        questions,
        ..
    } = runner;
    drop(questions);
    assert!(child.wait().unwrap().success());
}
