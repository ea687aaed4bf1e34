//! What becomes of dynamic-security's file:
//! `tests/cases/import/moved_dynamic_security.toml`.

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use std::fs;

use countersign_import::DynamicSecuritySource;
use countersign_testkit::cases::{Case, load};
use serde::Deserialize;

use self::common::{Fixture, names, told};

#[derive(Debug, Deserialize)]
struct MovedCase {
    json: String,
    #[serde(default)]
    operators: Vec<String>,
    told: Vec<String>,
    kept: u64,
    made: Vec<String>,
}

#[test]
fn every_object_is_kept_changed_or_lost_and_the_second_time_nothing_is_to_do() {
    for Case { name, fields, .. } in load::<MovedCase>("import/moved_dynamic_security").unwrap() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, &fields.json).unwrap();
        let mut fixture = Fixture::new("home/#");
        fixture.options.operators = names(&fields.operators);
        if fields.json.contains("subscribe\": true") {
            fixture.options.tenant.namespaces.clear();
        }
        let report = fixture.import(|store, context, options| {
            let source = DynamicSecuritySource::read(&path).unwrap();
            source.plan(store, context, options)
        });
        let folder = folder.path().display().to_string();
        let mut expected = fields.told.clone();
        expected.sort();
        assert_eq!(told(&report, &folder), expected, "{name}: {report:?}");
        assert_eq!(report.kept, fields.kept, "{name}");
        assert_eq!(fixture.lines(), fields.made, "{name}");
    }
}
