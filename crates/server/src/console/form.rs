//! What forms and addresses say.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// The fields of a form, or the words behind the `?`, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads what a browser sends.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let read = serde_urlencoded::from_bytes(bytes);
        read.map(Self)
            .map_err(|_| Problem::invalid("the form can't be read"))
    }

    /// Whether it says nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a field says, as it was written; none where it is empty.
    pub(super) fn exact(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let (_, text) = fields.find(|(it, _)| it == name)?;
        Some(&**text).filter(|text| !text.is_empty())
    }

    /// What a field says, without space around it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.exact(name).map(str::trim).filter(|it| !it.is_empty())
    }

    /// All that fields of one name say.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(it, _)| it == name);
        named.map(|(_, text)| &**text)
    }

    /// The words of a field.
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let text = self.exact(name).unwrap_or_default();
        let words = text.split([',', ' ', '\n', '\r', '\t']);
        words.filter(|word| !word.is_empty()).collect()
    }

    /// Whether a box is ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        self.exact(name).is_some()
    }

    /// The address with these words, of which `changes` are others.
    pub(super) fn address(&self, path: &str, changes: &[(&str, Option<&str>)]) -> String {
        let is_kept = |name: &str| !changes.iter().any(|(it, _)| *it == name);
        let kept = self.0.iter().map(|(name, text)| (&**name, &**text));
        let kept = kept.filter(|(name, text)| is_kept(name) && !text.is_empty());
        let more = changes
            .iter()
            .filter_map(|(name, text)| Some((*name, (*text)?)));
        let words: Vec<_> = kept.chain(more).collect();
        match serde_urlencoded::to_string(words) {
            Ok(words) if !words.is_empty() => format!("{path}?{words}"),
            _ => path.to_owned(),
        }
    }
}

/// A body for REST, of what is said.
#[derive(Debug, Default)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a text, where there is one.
    pub(super) fn text(self, name: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// The same with what fields of the form say that are not empty.
    pub(super) fn texts_of(self, form: &Form, names: &[&str]) -> Self {
        let mut names = names.iter();
        names
            .by_ref()
            .fold(self, |body, name| body.text(name, form.text(name)))
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.0)
    }
}
