//! Schemes as flat fields, which is how they are stored and written by hand.

use super::known::FIELD_KEYS;
use super::reader::Fields;
use super::{NameAttribute, Scheme, SchemeName, SchemeNameError, Shape, ShapeError};
use crate::given::Given;
use crate::rule::{Pattern, PatternError};

impl Scheme {
    /// Reads a scheme from its fields, in any order.
    ///
    /// # Errors
    ///
    /// Returns [`FieldError`] for a key that is unknown, missing, given twice
    /// or without meaning beside the others, for a value of the wrong kind or
    /// shape, and for fields that contradict each other.
    pub fn from_fields<K: Into<String>>(
        fields: impl IntoIterator<Item = (K, FieldValue)>,
    ) -> Result<Self, FieldError> {
        let mut fields = Fields::take(fields)?;
        let scheme = Self {
            name: SchemeName::parse(&fields.needed("name")?)?,
            naming: fields.naming()?,
            longest_name: fields.longest_name()?,
            folding: fields.folding()?,
            name_attribute: fields.name_attribute()?,
            token_login: fields.token_login()?,
            client_ids: fields.client_ids()?,
            secret_shape: fields.needed_shape("secret_shape")?,
            accepted: fields.accepted_shapes()?,
            chosen_secrets: fields.chosen_secrets()?,
            token_shape: fields.shape("token_shape")?,
            is_rotatable: fields.flag("rotatable", true)?,
            is_tls_only: fields.flag("tls_only", false)?,
            grants_namespaces: fields.flag("namespaces", false)?,
            publish: fields.patterns("publish")?,
            subscribe: fields.patterns("subscribe")?,
        };
        fields.end()?;
        match scheme.contradiction() {
            Some(text) => Err(FieldError::Contradiction(text)),
            None => Ok(scheme),
        }
    }

    /// Gives the fields back, in the order that they are shown in.
    #[must_use]
    pub fn to_fields(&self) -> Vec<(&'static str, FieldValue)> {
        let text = |text: &str| Some(FieldValue::Text(text.into()));
        let flag = |flag| Some(FieldValue::Flag(flag));
        let number = |number: Option<u16>| number.map(|it| FieldValue::Number(it.into()));
        let shape = |shape: Option<&Shape>| shape.and_then(|it| text(it.as_str()));
        let list = |patterns: &[Pattern]| {
            let texts = patterns.iter().map(Pattern::to_string);
            Some(FieldValue::List(texts.collect()))
        };
        let name_attribute = self.name_attribute.map(NameAttribute::as_str);
        let chosen = self.chosen_secrets.unwrap_or_default();
        let values = [
            text(self.name.as_str()),
            text(self.naming.as_str()),
            shape(self.naming.shape()),
            shape(self.accepted.name.as_ref()),
            number(self.longest_name),
            text(self.folding.as_str()),
            name_attribute.and_then(text),
            text(self.token_login.as_str()),
            text(self.client_ids.as_str()),
            shape(self.client_ids.shape()),
            shape(self.accepted.client_id.as_ref()),
            text(self.secret_shape.as_str()),
            shape(self.accepted.secret.as_ref()),
            flag(self.chosen_secrets.is_some()),
            number(chosen.fewest),
            number(chosen.most),
            shape(self.token_shape.as_ref()),
            shape(self.accepted.token.as_ref()),
            flag(self.is_rotatable),
            flag(self.is_tls_only),
            flag(self.grants_namespaces),
            list(&self.publish),
            list(&self.subscribe),
        ];
        let pairs = core::iter::zip(FIELD_KEYS, values);
        pairs
            .filter_map(|(key, value)| Some((key, value?)))
            .collect()
    }
}

/// The value of a field of a scheme.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FieldValue {
    /// `true` or `false`.
    Flag(bool),
    /// Texts.
    List(Vec<String>),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// Why fields do not make a valid scheme.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// Fields that are right by themselves don't go together.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A value is of another kind.
    #[error("`{key}` is not {wanted}")]
    Kind {
        /// The key.
        key: &'static str,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// A key that every such scheme has is not there.
    #[error("`{key}` is missing; the keys of a scheme are {}", known_keys())]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The name of the scheme is none.
    #[error(transparent)]
    Name(#[from] SchemeNameError),
    /// A number is out of its bounds.
    #[error("`{key}` is not from 1 to {most}")]
    Number {
        /// The key.
        key: &'static str,
        /// The most it may be.
        most: u16,
    },
    /// A pattern is none.
    #[error("`{text}` in `{key}`: {why}")]
    Pattern {
        /// The key.
        key: &'static str,
        /// The text.
        text: Given,
        /// What is wrong with it.
        why: PatternError,
    },
    /// A shape is none.
    #[error("`{key}`: {why}")]
    Shape {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        why: ShapeError,
    },
    /// A key was given twice.
    #[error("`{key}` is there twice")]
    Twice {
        /// The key.
        key: Given,
    },
    /// No scheme has such a key.
    #[error("`{key}` is not a key of a scheme; those are {}", known_keys())]
    Unknown {
        /// The key.
        key: Given,
    },
    /// A key has no meaning beside the others.
    #[error("`{key}` has no meaning beside the other keys; leave it out")]
    Unused {
        /// The key.
        key: Given,
    },
    /// A word is none of those that can stand there.
    #[error("`{text}` is not a valid `{key}`; write {words}")]
    Word {
        /// The key.
        key: &'static str,
        /// The word.
        text: Given,
        /// Those that can stand there.
        words: &'static str,
    },
}

fn known_keys() -> String {
    FIELD_KEYS.map(|key| format!("`{key}`")).join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Schemes;
    use super::*;

    fn text(text: &str) -> FieldValue {
        FieldValue::Text(text.into())
    }

    fn list(texts: &[&str]) -> FieldValue {
        FieldValue::List(texts.iter().copied().map(Into::into).collect())
    }

    /// Reads a small scheme with these fields instead of its own or besides.
    fn refusal(changes: &[(&str, FieldValue)]) -> Option<String> {
        let mut fields = vec![
            ("name", text("x")),
            ("login_name", text("suffixed")),
            ("client_id", text("any")),
            ("secret_shape", text("[0-9a-f]{32}")),
        ];
        fields.retain(|(key, _)| changes.iter().all(|(other, _)| other != key));
        fields.extend(changes.iter().cloned());
        let read = Scheme::from_fields(fields);
        read.err().map(|error| error.to_string())
    }

    #[test]
    fn no_fields_are_no_scheme() {
        let error = Scheme::from_fields::<&str>([]).unwrap_err().to_string();
        assert!(error.starts_with("`name` is missing; the keys of a scheme are `name`, "));
        assert!(error.ends_with("`publish`, `subscribe`"));
    }

    #[test]
    fn every_built_in_scheme_reads_back_as_it_was_written() {
        for scheme in Schemes::built_in().iter() {
            let fields = scheme.to_fields();
            assert_eq!(Scheme::from_fields(fields.clone()).as_ref(), Ok(scheme));
            let backwards = fields.into_iter().rev();
            assert_eq!(Scheme::from_fields(backwards).as_ref(), Ok(scheme));
        }
    }

    #[test]
    fn a_scheme_shows_its_fields_in_one_order() {
        let known = Schemes::built_in();
        let fields = known.find("impact").unwrap().to_fields();
        let keys: Vec<_> = fields.iter().map(|(key, _)| *key).collect();
        let without = [
            "login_name_accepts_shape",
            "name_attribute",
            "client_id_shape",
            "client_id_accepts_shape",
            "accepts_shape",
        ];
        let expected: Vec<_> = FIELD_KEYS
            .into_iter()
            .filter(|key| !without.contains(key))
            .collect();
        assert_eq!(keys, expected);
        assert!(fields.contains(&("tls_only", FieldValue::Flag(false))));
        assert!(fields.contains(&("secret_min_chars", FieldValue::Number(5))));
    }

    #[test]
    fn a_key_that_makes_no_sense_is_named() {
        for (change, error) in [
            (
                ("Name", text("x")),
                "`Name` is not a key of a scheme; those are `name`, ",
            ),
            (
                ("tls_only", text("yes")),
                "`tls_only` is not `true` or `false`",
            ),
            (("publish", text("a/#")), "`publish` is not a list of texts"),
            (("name", FieldValue::Flag(true)), "`name` is not a text"),
            (("name", text("X")), "`X` is not a valid scheme name; "),
            (
                ("login_name_max_chars", text("9")),
                "`login_name_max_chars` is not a whole number",
            ),
            (
                ("login_name_max_chars", FieldValue::Number(-1)),
                "`login_name_max_chars` is not from 1 to 255",
            ),
            (
                ("secret_min_chars", FieldValue::Number(5)),
                "`secret_min_chars` has no meaning",
            ),
            (
                ("login_name_shape", text("a")),
                "`login_name_shape` has no meaning",
            ),
            (
                ("login_name", text("generated")),
                "`login_name_shape` is missing; ",
            ),
            (
                ("login_name", text("made")),
                "`made` is not a valid `login_name`; write `generated`, ",
            ),
            (
                ("client_id", text("exact")),
                "`client_id_shape` is missing; ",
            ),
            (
                ("client_id", text("exact:a")),
                "`exact:a` is not a valid `client_id`; write `any`, ",
            ),
            (
                ("folding", text("lower")),
                "`lower` is not a valid `folding`; write `none` or `upper`",
            ),
            (
                ("token_login", text("yes")),
                "`yes` is not a valid `token_login`; write `allowed`, ",
            ),
            (
                ("name_attribute", text("token")),
                "`token` is not a valid `name_attribute`; write `device` ",
            ),
            (
                ("secret_shape", text("[a")),
                "`secret_shape`: the class at character 1 is not closed",
            ),
            (
                ("publish", list(&["a/${user}"])),
                "`a/${user}` in `publish`: `user` is not a valid variable",
            ),
        ] {
            let said = refusal(&[change]).unwrap();
            assert!(said.starts_with(error), "{said}");
        }
        let twice = [("folding", text("none")), ("folding", text("upper"))];
        assert_eq!(refusal(&twice).unwrap(), "`folding` is there twice");
    }
}
