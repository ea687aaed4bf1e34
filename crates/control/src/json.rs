//! JSON as a tree, read within bounds: no deeper than 32, no member twice; and written
//! in the order in which it is made.

use core::fmt;

use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use zeroize::Zeroize;

/// A JSON value.
#[derive(Clone, PartialEq)]
pub enum Json {
    /// `[…]`
    Array(Vec<Json>),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
    /// An integer; none for a number that is not one.
    Number(Option<i64>),
    /// `{…}`, in its order.
    Object(Vec<(Box<str>, Json)>),
    /// `"…"`
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
    /// Reads one value, and nothing behind it. It may hold so many values.
    ///
    /// # Errors
    ///
    /// Returns [`JsonError`] for what is not JSON, or beyond a bound.
    pub fn read(bytes: &[u8], most_values: usize) -> Result<Self, JsonError> {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let mut left = most_values;
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
                JsonError {
                    line: error.line(),
                    reason: reason.unwrap_or_else(|| "it is not valid JSON".into()),
                }
            })
    }

    /// A text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A number.
    #[must_use]
    pub fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(Some(number.try_into().unwrap_or(i64::MAX)))
    }

    /// The member of this name, in whatever case; none of what is no object.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let mut members = members.iter();
        let found = members.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// The text that it is.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Array(_) | Self::Bool(_) | Self::Null | Self::Number(_) | Self::Object(_) => None,
        }
    }
}

/// Overwrites its texts, which may be secrets.
impl Zeroize for Json {
    fn zeroize(&mut self) {
        match self {
            Self::Array(items) => items.iter_mut().for_each(Self::zeroize),
            Self::Object(members) => members.iter_mut().for_each(|(_, value)| value.zeroize()),
            Self::Text(text) => text.zeroize(),
            Self::Bool(_) | Self::Null | Self::Number(_) => {}
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                items
                    .iter()
                    .try_for_each(|item| array.serialize_element(item))?;
                array.end()
            }
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Null | Self::Number(None) => serializer.serialize_unit(),
            Self::Number(Some(number)) => serializer.serialize_i64(*number),
            Self::Object(members) => {
                let mut object = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    object.serialize_entry(name, value)?;
                }
                object.end()
            }
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Why bytes are not read as JSON.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JsonError {
    /// In which line.
    pub line: usize,
    /// Why.
    pub reason: String,
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
/// So many members an object has at most; ours have a dozen.
const MOST_MEMBERS: usize = 64;
