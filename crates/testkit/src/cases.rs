//! The cases that every implementation is held to: `tests/cases/*.toml`.
//!
//! A file is a list of `[[case]]`, each with a `name`, a `spec` if a
//! specification or an issue stands behind it, and whatever fields its kind of
//! case has.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::artifacts::workspace;

mod import;
mod question;

pub use import::ImportCase;
pub use question::{RuleCase, WrittenRule, questions};

/// One case, with fields of its kind.
#[derive(Clone, Debug, Deserialize)]
pub struct Case<T> {
    /// The sentence that must hold.
    pub name: String,
    /// Where it comes from, such as `MQTT 5.0 §4.7.1`.
    pub spec: Option<String>,
    /// The rest of the table.
    #[serde(flatten)]
    pub fields: T,
}

/// Reads `tests/cases/KIND.toml`.
pub fn load<T: DeserializeOwned>(kind: &str) -> Result<Vec<Case<T>>> {
    let path = workspace()
        .join("tests/cases")
        .join(kind)
        .with_extension("toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<Case<T>>> {
    // `default` has no place here: a file without cases is a mistake.
    #[derive(Deserialize)]
    struct File<T> {
        case: Vec<Case<T>>,
    }
    let cases = toml::from_str::<File<T>>(text)?.case;
    ensure!(!cases.is_empty(), "there is no case");
    let mut names = BTreeSet::new();
    for case in &cases {
        ensure!(
            names.insert(case.name.as_str()),
            "two cases are named `{}`",
            case.name
        );
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Covers {
        filter: String,
        covers: bool,
    }

    #[test]
    fn a_file_without_cases_is_an_error() {
        assert!(parse::<Covers>("").is_err());
        assert!(parse::<Covers>("case = []").is_err());
    }

    #[test]
    fn a_case_has_a_name_and_its_own_fields() {
        let text = "[[case]]\nname = 'one'\nfilter = 'a/#'\ncovers = true\n\
                    [[case]]\nname = 'two'\nspec = 'MQTT 5.0 §4.7.1'\nfilter = 'a'\ncovers = false\n";
        let cases = parse::<Covers>(text).unwrap();
        assert_eq!(cases[0].name, "one");
        assert_eq!(cases[0].spec, None);
        assert_eq!(cases[0].fields.filter, "a/#");
        assert_eq!(cases[1].spec.as_deref(), Some("MQTT 5.0 §4.7.1"));
        assert!(!cases[1].fields.covers);
    }

    #[test]
    fn two_cases_of_one_name_are_an_error() {
        let case = "[[case]]\nname = 'one'\nfilter = ''\ncovers = true\n";
        assert!(parse::<Covers>(&case.repeat(2)).is_err());
    }
}
