//! The manual pages: one for each command with all of its options, and those of the
//! plugin, of schemes and of the whole.

use std::fs;
use std::process::Command;

use countersign_core::options::OPTIONS;
use countersign_core::scheme::FIELDS;

use crate::support::{Fixture, finish, helps};

fn written() -> Fixture {
    let fixture = Fixture::empty();
    let folder = fixture.directory.path().to_str().unwrap().to_owned();
    fixture.run_words(&["man", &folder]).done();
    fixture
}

/// A page as `man` shows it, on one line.
fn shown(fixture: &Fixture, page: &str) -> String {
    let path = fixture.directory.path().join(page);
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let text = text
        .replace("\\-", "-")
        .replace("\\fB", "")
        .replace("\\fI", "");
    text.replace("\\fR", "").replace('\n', " ")
}

#[test]
fn every_command_has_a_page_with_all_of_its_options() {
    let fixture = written();
    let commands = helps("1000");
    for (words, help) in &commands {
        let name = [&["countersign".to_owned()], words.as_slice()]
            .concat()
            .join("-");
        let page = shown(&fixture, &format!("{name}.1"));
        let options = help
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        for option in options.filter(|word| help.contains(&format!("  {word}"))) {
            assert!(page.contains(option), "{name}: {option}");
        }
    }
    assert!(commands.len() > 60);
}

#[test]
fn every_option_of_the_plugin_and_every_field_of_a_scheme_has_its_place() {
    let fixture = written();
    let plugin = shown(&fixture, "countersign-plugin.5");
    for option in OPTIONS {
        assert!(
            plugin.contains(&format!("plugin_opt_{}", option.name)),
            "{}",
            option.name
        );
    }
    let schemes = shown(&fixture, "countersign-schemes.5");
    for field in FIELDS {
        assert!(schemes.contains(field.key), "{}", field.key);
    }
    assert!(shown(&fixture, "countersign.7").contains("/var/lib/countersign/countersign.db"));
}

#[test]
fn no_page_makes_man_complain() {
    if Command::new("man").arg("--version").output().is_err() {
        eprintln!("skipped, as there is no man");
        return;
    }
    let fixture = written();
    let pages = fixture.files();
    assert!(pages.len() > 60);
    for page in pages {
        let mut man = Command::new("man");
        man.args([
            "--warnings",
            "--encoding=UTF-8",
            "--local-file",
            "--troff-device=utf8",
        ])
        .args(["--ditroff", &page])
        .current_dir(fixture.directory.path())
        .envs([
            ("LC_ALL", "C.UTF-8"),
            ("MANROFFSEQ", ""),
            ("MANWIDTH", "80"),
        ]);
        let ran = finish(&mut man);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{page}");
    }
}
