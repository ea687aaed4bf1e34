//! JSON as a tree, read within bounds: no deeper than 32, no member twice.

use core::fmt;

use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::content::SourceContent;
use crate::error::SourceError;

/// A JSON value.
#[derive(Clone, PartialEq)]
pub(crate) enum Json {
    Array(Vec<Json>),
    Bool(bool),
    Null,
    /// An integer; none for a number that is not one.
    Number(Option<i64>),
    Object(Vec<(Box<str>, Json)>),
    Text(Box<str>),
}

/// Texts may be secrets.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array(_) => "Array(…)",
            Self::Bool(_) => "Bool(…)",
            Self::Null => "Null",
            Self::Number(_) => "Number(…)",
            Self::Object(_) => "Object(…)",
            Self::Text(_) => "Text(…)",
        })
    }
}

impl Json {
    /// Reads the one value of a file; a byte order mark before it is allowed.
    pub(crate) fn parse(content: &SourceContent) -> Result<Self, SourceError> {
        let bytes = content.bytes.strip_prefix(b"\xef\xbb\xbf");
        let bytes = bytes.unwrap_or(&content.bytes);
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let mut left = MOST_VALUES;
        let seed = Value {
            depth: DEEPEST,
            left: &mut left,
        };
        let read = seed.deserialize(&mut reader);
        read.and_then(|value| reader.end().map(|()| value))
            .map_err(|error| {
                let reason = if error.is_data() {
                    // Our own words, before serde's ` at line`.
                    let text = error.to_string();
                    text.split(" at line ").next().map(str::to_owned)
                } else {
                    None
                };
                let reason = reason.unwrap_or_else(|| "it is not valid JSON".into());
                SourceError::new(content.name.line(error.line()), reason)
            })
    }
}

/// Reads one value, so many levels deep at most.
struct Value<'a> {
    depth: usize,
    /// So many values may still come.
    left: &'a mut usize,
}

impl Value<'_> {
    fn below<E: serde::de::Error>(&mut self) -> Result<Value<'_>, E> {
        let depth = self.depth.checked_sub(1);
        let depth = depth.ok_or_else(|| E::custom("it is deeper than 32 levels"))?;
        let left = &mut *self.left;
        Ok(Value { depth, left })
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let left = self.left.checked_sub(1);
        *self.left = left.ok_or_else(|| serde::de::Error::custom("it holds too many values"))?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(Some(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        // What is larger is beyond all bounds here.
        Ok(Json::Number(Some(i64::try_from(value).unwrap_or(i64::MAX))))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self.below()?)? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Json, A::Error> {
        let mut object: Vec<(Box<str>, Json)> = Vec::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if object.len() >= MOST_MEMBERS {
                return Err(serde::de::Error::custom("an object has too many members"));
            }
            // Mosquitto's reader takes the first, ours would take the last.
            if object
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                return Err(serde::de::Error::custom("an object has a member twice"));
            }
            object.push((name, members.next_value_seed(self.below()?)?));
        }
        Ok(Json::Object(object))
    }
}

/// Reads the name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Box<str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Box<str>, D::Error> {
        Box::deserialize(deserializer)
    }
}

/// So deep may arrays and objects stand in one another.
const DEEPEST: usize = 32;
/// So many values are read: those of 4,000,000 rules and 1,000,000 users.
const MOST_VALUES: usize = 24_000_000;
/// So many members an object has at most; ours have a dozen.
const MOST_MEMBERS: usize = 64;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::place::SourceName;

    fn parse(text: &str) -> Result<Json, String> {
        let name = SourceName::of(Path::new("f"));
        Json::parse(&SourceContent::new(name, text.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_not_a_value() {
        assert_eq!(parse(""), Err("f:1: it is not valid JSON".into()));
    }

    #[test]
    fn a_value_is_read_whole_and_nothing_may_follow_it() {
        let read = parse("\u{feff}{\"a\": [1, -2, 1.5, true, null, \"é\"], \"b\": {}}\n").unwrap();
        let items = vec![
            Json::Number(Some(1)),
            Json::Number(Some(-2)),
            Json::Number(None),
            Json::Bool(true),
            Json::Null,
            Json::Text("é".into()),
        ];
        let members = vec![
            ("a".into(), Json::Array(items)),
            ("b".into(), Json::Object(Vec::new())),
        ];
        assert_eq!(read, Json::Object(members));
        assert_eq!(parse("{}\n\n}"), Err("f:3: it is not valid JSON".into()));
    }

    #[test]
    fn the_depth_is_bounded_and_so_is_what_an_object_holds() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(32)).is_ok());
        let too_deep = Err("f:1: it is deeper than 32 levels".into());
        assert_eq!(parse(&nested(33)), too_deep);
        assert_eq!(parse(&"[".repeat(1_000_000)), too_deep);
        assert_eq!(parse(&"{\"a\":".repeat(1_000)), too_deep);
        let members: Vec<String> = (0..65).map(|number| format!("\"{number}\":0")).collect();
        let wide = format!("{{{}}}", members.join(","));
        assert_eq!(
            parse(&wide),
            Err("f:1: an object has too many members".into())
        );
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_whatever_its_case() {
        let twice = "{\n\"allow\": false,\n\"Allow\": true}";
        let error = parse(twice).unwrap_err();
        assert!(error.ends_with(": an object has a member twice"), "{error}");
    }
}
