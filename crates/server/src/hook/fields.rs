//! What a request tells, by name: a form, or an object of JSON. What is told twice, or in
//! two ways, is told in none.

use core::fmt;
use std::collections::HashMap;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// What a request tells, by name.
pub(super) struct Fields {
    values: HashMap<String, Value>,
    /// Whether all values are texts, as a form has them.
    are_texts: bool,
}

/// What a request tells of one thing. It may be a secret.
enum Value {
    Flag(bool),
    Nothing,
    Number(u64),
    Text(Zeroizing<String>),
}

impl Fields {
    /// Reads a form; none where it is empty, or has a name twice.
    pub(super) fn of_form(body: &[u8]) -> Option<Self> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
        let mut values = HashMap::new();
        for (name, text) in pairs {
            let text = Value::Text(Zeroizing::new(text));
            if values.len() >= MOST_FIELDS || values.insert(name, text).is_some() {
                return None;
            }
        }
        (!values.is_empty()).then_some(Self {
            values,
            are_texts: true,
        })
    }

    /// Reads an object; none where it is empty, has a name twice, or anything in it but
    /// texts, whole numbers, flags and nothing.
    pub(super) fn of_json(body: &[u8]) -> Option<Self> {
        let object: Object = serde_json::from_slice(body).ok()?;
        (!object.0.is_empty()).then_some(Self {
            values: object.0,
            are_texts: false,
        })
    }

    /// A text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name)? {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Nothing | Value::Number(_) => None,
        }
    }

    /// A text that need not be there: none where it is and can't be read.
    #[expect(clippy::option_option, reason = "unreadable, or not there, or there")]
    pub(super) fn maybe_text(&self, name: &str) -> Option<Option<&str>> {
        match self.values.get(name) {
            None | Some(Value::Nothing) => Some(None),
            Some(Value::Text(text)) => Some(Some(text)),
            Some(Value::Flag(_) | Value::Number(_)) => None,
        }
    }

    /// The one text that is there under one of two names.
    pub(super) fn either_text(&self, one: &str, other: &str) -> Option<&str> {
        match (self.values.get(one), self.values.get(other)) {
            (Some(_), None) => self.text(one),
            (None, Some(_)) => self.text(other),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }

    /// A small number: in a form its digits, in JSON a number.
    pub(super) fn number(&self, name: &str) -> Option<u8> {
        match self.values.get(name)? {
            Value::Number(number) => u8::try_from(*number).ok(),
            Value::Text(digits) if self.are_texts => small_number(digits),
            Value::Flag(_) | Value::Nothing | Value::Text(_) => None,
        }
    }

    /// The same of a host that writes numbers as texts, and which need not tell; none
    /// where it can't be read.
    #[expect(clippy::option_option, reason = "unreadable, or not there, or there")]
    pub(super) fn loose_number(&self, name: &str) -> Option<Option<u8>> {
        match self.values.get(name) {
            None | Some(Value::Nothing) => Some(None),
            Some(Value::Number(number)) => u8::try_from(*number).ok().map(Some),
            Some(Value::Text(digits)) => small_number(digits).map(Some),
            Some(Value::Flag(_)) => None,
        }
    }

    /// A flag of such a host.
    #[expect(clippy::option_option, reason = "unreadable, or not there, or there")]
    pub(super) fn loose_flag(&self, name: &str) -> Option<Option<bool>> {
        match self.values.get(name) {
            None | Some(Value::Nothing) => Some(None),
            Some(Value::Flag(flag)) => Some(Some(*flag)),
            Some(Value::Text(text)) => match text.as_str() {
                "true" | "1" => Some(Some(true)),
                "false" | "0" => Some(Some(false)),
                _ => None,
            },
            Some(Value::Number(number)) => match number {
                0 => Some(Some(false)),
                1 => Some(Some(true)),
                _ => None,
            },
        }
    }
}

fn small_number(digits: &str) -> Option<u8> {
    let number: u8 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// An object whose names are there once.
struct Object(HashMap<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;

        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut values = HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if values.len() >= MOST_FIELDS || values.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name is there twice"));
                    }
                }
                Ok(Object(values))
            }
        }

        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl Visitor<'_> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, a flag or null")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
                Ok(Value::Flag(flag))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(Zeroizing::new(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Nothing)
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}

/// More than any broker tells.
const MOST_FIELDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for form in [
            "",
            "a=1&a=2",
            "a=1&a=1",
            "a=1&%61=2",
            &"x".repeat(3).repeat(0),
        ] {
            assert!(Fields::of_form(form.as_bytes()).is_none(), "{form}");
        }
        for json in [
            "",
            "{}",
            "[]",
            "null",
            "\"a\"",
            r#"{"a":1,"a":2}"#,
            r#"{"a":"1","\u0061":"1"}"#,
            r#"{"a":[1]}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1.5}"#,
            r#"{"a":-1}"#,
            r#"{"a":1} x"#,
            r#"{"a":1"#,
        ] {
            assert!(Fields::of_json(json.as_bytes()).is_none(), "{json}");
        }
        let many: Vec<_> = (0..=MOST_FIELDS).map(|it| format!("a{it}=1")).collect();
        assert!(Fields::of_form(many.join("&").as_bytes()).is_none());
    }

    #[test]
    fn a_value_is_of_its_type() {
        let form = Fields::of_form(b"name=dev1%40acme&acc=4&none=&pad=04").unwrap();
        assert_eq!(form.text("name"), Some("dev1@acme"));
        assert_eq!(form.number("acc"), Some(4));
        assert_eq!(form.number("pad"), None);
        assert_eq!(form.text("none"), Some(""));
        assert_eq!(form.maybe_text("missing"), Some(None));
        let json = br#"{"name":"dev1","acc":4,"text":"4","flag":true,"nothing":null}"#;
        let json = Fields::of_json(json).unwrap();
        assert_eq!(json.number("acc"), Some(4));
        assert_eq!(json.number("text"), None);
        assert_eq!(json.loose_number("text"), Some(Some(4)));
        assert_eq!(json.text("acc"), None);
        assert_eq!(json.maybe_text("nothing"), Some(None));
        assert_eq!(json.maybe_text("acc"), None);
        assert_eq!(json.loose_flag("flag"), Some(Some(true)));
        assert_eq!(json.loose_flag("name"), None);
        assert_eq!(json.either_text("name", "username"), Some("dev1"));
        assert_eq!(json.either_text("name", "text"), None);
        assert_eq!(json.either_text("a", "b"), None);
    }
}
