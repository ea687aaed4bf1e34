//! What answers look like, for the OpenAPI document. The keys are those of the views
//! in `countersign-admin`; the tests hold every answer against its shape.

use serde_json::{Map, Value, json};

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Not always there.
    Absent(&'static Shape),
    /// Whatever the kind of thing has.
    Anything,
    Bool,
    Integer,
    List(&'static Shape),
    /// Keys that are not known in advance.
    Map(&'static Shape),
    /// `null`, or that.
    Maybe(&'static Shape),
    /// One that the document describes once.
    Named(&'static str, &'static Shape),
    Object(&'static [(&'static str, Shape)]),
    /// One of two.
    OneOf(&'static Shape, &'static Shape),
    /// Some of a listing, and where the rest begins.
    Page(&'static Shape),
    Text,
    /// These fields and those.
    With(
        &'static [(&'static str, Shape)],
        &'static [(&'static str, Shape)],
    ),
    /// One of these.
    Word(&'static [&'static str]),
}

impl Shape {
    /// The JSON Schema of it. What has a name is described in `named` and referred to.
    pub(crate) fn to_schema(self, named: &mut Map<String, Value>) -> Value {
        match self {
            Self::Absent(shape) => shape.to_schema(named),
            Self::Anything => json!({}),
            Self::Bool => json!({ "type": "boolean" }),
            Self::Integer => json!({ "type": "integer" }),
            Self::List(shape) => json!({ "type": "array", "items": shape.to_schema(named) }),
            Self::Map(shape) => {
                json!({ "type": "object", "additionalProperties": shape.to_schema(named) })
            }
            Self::Maybe(shape) => {
                json!({ "anyOf": [shape.to_schema(named), { "type": "null" }] })
            }
            Self::Named(name, shape) => {
                if !named.contains_key(name) {
                    // Before it is looked into, as it may hold itself.
                    named.insert(name.to_owned(), Value::Null);
                    let schema = shape.to_schema(named);
                    named.insert(name.to_owned(), schema);
                }
                json!({ "$ref": format!("#/components/schemas/{name}") })
            }
            Self::Object(fields) => object(fields, &[], named),
            Self::With(fields, more) => object(fields, more, named),
            Self::OneOf(one, other) => {
                json!({ "anyOf": [one.to_schema(named), other.to_schema(named)] })
            }
            Self::Page(item) => {
                let items = Self::List(item).to_schema(named);
                let next = Self::Maybe(&Self::Text).to_schema(named);
                json!({
                    "type": "object",
                    "properties": { "items": items, "next": next },
                    "required": ["items", "next"],
                    "additionalProperties": false,
                })
            }
            Self::Text => json!({ "type": "string" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
        }
    }
}

fn object(
    fields: &[(&str, Shape)],
    more: &[(&str, Shape)],
    named: &mut Map<String, Value>,
) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, shape) in fields.iter().chain(more) {
        properties.insert((*key).to_owned(), shape.to_schema(named));
        if !matches!(shape, Shape::Absent(_)) {
            required.push(*key);
        }
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A text, or `null`.
pub(crate) const MAYBE_TEXT: Shape = Shape::Maybe(&Shape::Text);
/// True, false or `null`.
pub(crate) const MAYBE_BOOL: Shape = Shape::Maybe(&Shape::Bool);
/// Texts.
pub(crate) const TEXTS: Shape = Shape::List(&Shape::Text);
/// Rules of a role, a credential or an operator.
pub(crate) const RULE: Shape = Shape::Named(
    "Rule",
    &Shape::Object(&[
        ("effect", Shape::Word(&["allow", "deny"])),
        ("action", Shape::Word(&["publish", "subscribe", "both"])),
        ("pattern", Shape::Text),
        ("max_qos", Shape::Maybe(&Shape::Integer)),
        ("no_retain", Shape::Bool),
        ("literal", Shape::Bool),
        ("group", Shape::Absent(&MAYBE_TEXT)),
    ]),
);
/// Uses of topics.
pub(crate) const USES: Shape = Shape::List(&Shape::Object(&[
    ("action", Shape::Text),
    ("pattern", Shape::Text),
]));
/// Who would gain or lose what.
pub(crate) const EFFECT: Shape = Shape::Named(
    "Effect",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("connected", Shape::Bool),
        ("gains", USES),
        ("loses", USES),
    ]),
);
/// Who would lose topics of the tenant that owns `#`.
pub(crate) const LOSER: Shape = Shape::Named(
    "Loser",
    &Shape::Object(&[
        ("tenant", Shape::Text),
        ("name", MAYBE_TEXT),
        ("loses", USES),
        ("sessions", TEXTS),
    ]),
);
