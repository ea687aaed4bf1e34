//! What becomes of Mosquitto's files: `tests/cases/import/mosquitto.toml`.

#[cfg(test)]
mod common;

use std::fs;
use std::path::PathBuf;

use countersign_import::MosquittoSource;
use countersign_testkit::cases::{Case, load};
use serde::Deserialize;

use self::common::{Fixture, HASH, names, told};

#[derive(Debug, Deserialize)]
struct MosquittoCase {
    passwords: Option<String>,
    acl: Option<String>,
    namespace: Option<String>,
    #[serde(default)]
    operators: Vec<String>,
    #[serde(default)]
    accept_weak: bool,
    told: Vec<String>,
    kept: u64,
    made: Vec<String>,
}

#[test]
fn every_line_is_kept_changed_or_lost_and_the_second_time_nothing_is_to_do() {
    for Case { name, fields, .. } in load::<MosquittoCase>("import/mosquitto").unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &Option<String>| -> Option<PathBuf> {
            let path = folder.path().join(file);
            let text = text.as_ref()?.replace("HASH", HASH);
            fs::write(&path, text).unwrap();
            Some(path)
        };
        let passwords = write("passwords", &fields.passwords);
        let acl = write("acl", &fields.acl);
        let mut fixture = Fixture::new(fields.namespace.as_deref().unwrap_or("home/#"));
        fixture.options.operators = names(&fields.operators);
        fixture.options.accept_weak = fields.accept_weak;
        let report = fixture.import(|store, context, options| {
            let source = MosquittoSource::read_files(passwords.as_deref(), acl.as_deref());
            source.unwrap().plan(store, context, options)
        });
        let folder = folder.path().display().to_string();
        let mut expected = fields.told.clone();
        expected.sort();
        assert_eq!(told(&report, &folder), expected, "{name}: {report:?}");
        assert_eq!(report.kept, fields.kept, "{name}");
        assert_eq!(fixture.lines(), fields.made, "{name}");
    }
}
