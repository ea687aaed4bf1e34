//! Schemes, as they are shown: their fields, in the order of their own.

use countersign_core::scheme::{FieldValue, Scheme};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// All fields of a scheme.
#[derive(Clone, Debug)]
pub struct SchemeView(Vec<(&'static str, FieldValue)>);

impl SchemeView {
    /// The view of a scheme.
    #[must_use]
    pub fn of(scheme: &Scheme) -> Self {
        Self(scheme.to_fields())
    }
}

impl Serialize for SchemeView {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            match value {
                FieldValue::Flag(flag) => map.serialize_entry(key, flag)?,
                FieldValue::List(texts) => map.serialize_entry(key, texts)?,
                FieldValue::Number(number) => map.serialize_entry(key, number)?,
                FieldValue::Text(text) => map.serialize_entry(key, text)?,
            }
        }
        map.end()
    }
}
