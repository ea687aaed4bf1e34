//! An object of the file, and which of its members were read.

use std::collections::HashSet;

use crate::error::SourceError;
use crate::json::Json;
use crate::place::{Place, SourceName, pointer_step};
use crate::source::{PassedOver, PassedOverReason};

/// An object of the file. A member that is not asked for is passed over in the
/// end; one that is `null` is taken for absent.
pub(super) struct Object<'a> {
    file: &'a SourceName,
    pointer: String,
    members: &'a [(Box<str>, Json)],
    /// Which members were asked for.
    read: Vec<bool>,
}

impl<'a> Object<'a> {
    /// The object that the file is.
    pub(super) fn root(file: &'a SourceName, json: &'a Json) -> Result<Self, SourceError> {
        Self::at(file, String::new(), json)
    }

    fn at(file: &'a SourceName, pointer: String, json: &'a Json) -> Result<Self, SourceError> {
        match json {
            Json::Object(members) => Ok(Self {
                file,
                pointer,
                members,
                read: vec![false; members.len()],
            }),
            Json::Array(_) | Json::Bool(_) | Json::Null | Json::Number(_) | Json::Text(_) => Err(
                SourceError::new(file.pointer(&pointer), "it is not an object"),
            ),
        }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.file.pointer(&self.pointer)
    }

    /// Where a member of it stands.
    pub(super) fn place_of(&self, name: &str) -> Place {
        self.file.pointer(&self.pointer_to(name))
    }

    /// The pointer to a member, spelled as the file spells it.
    fn pointer_to(&self, name: &str) -> String {
        let mut names = self.members.iter().map(|(name, _)| &**name);
        let spelled = names.find(|it| it.eq_ignore_ascii_case(name));
        format!("{}/{}", self.pointer, pointer_step(spelled.unwrap_or(name)))
    }

    fn malformed(&self, name: &str, expected: &str) -> SourceError {
        SourceError::new(self.place_of(name), format!("it is not {expected}"))
    }

    fn take(&mut self, name: &str) -> Option<&'a Json> {
        let mut members = self.members.iter().zip(&mut self.read);
        let ((_, value), read) = members.find(|((it, _), _)| it.eq_ignore_ascii_case(name))?;
        *read = true;
        (*value != Json::Null).then_some(value)
    }

    pub(super) fn bool(&mut self, name: &str) -> Result<Option<bool>, SourceError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.malformed(name, "true or false")),
        }
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, SourceError> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(Some(value))) => Ok(Some(*value)),
            Some(_) => Err(self.malformed(name, "an integer")),
        }
    }

    /// `priority`, within the bounds that the plugin keeps it in.
    pub(super) fn priority(&mut self, default: i64) -> Result<i64, SourceError> {
        let given = self.integer("priority")?.unwrap_or(default);
        Ok(given.clamp(-LARGEST_PRIORITY, LARGEST_PRIORITY))
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<Box<str>>, SourceError> {
        match self.take(name) {
            None => Ok(None),
            // It would end there for the plugin.
            Some(Json::Text(text)) if text.contains('\0') => {
                Err(self.malformed(name, "a text without NUL"))
            }
            Some(Json::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.malformed(name, "a text")),
        }
    }

    /// The name of the thing that it is; none where the plugin passes it over
    /// because it has none, or one that an earlier thing has.
    pub(super) fn name(
        &mut self,
        member: &str,
        taken: &mut HashSet<Box<str>>,
        passed_over: &mut Vec<PassedOver>,
    ) -> Result<Option<Box<str>>, SourceError> {
        let name = self.text(member)?.unwrap_or_default();
        let why = if name.is_empty() {
            PassedOverReason::Nameless
        } else if taken.insert(name.clone()) {
            return Ok(Some(name));
        } else {
            PassedOverReason::NameTaken
        };
        passed_over.push(PassedOver {
            place: self.place(),
            what: name,
            why,
        });
        Ok(None)
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, SourceError> {
        let Some(json) = self.take(name) else {
            return Ok(None);
        };
        Self::at(self.file, self.pointer_to(name), json).map(Some)
    }

    /// The objects of a list; none if there is no list.
    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Self>, SourceError> {
        let items = match self.take(name) {
            None => return Ok(Vec::new()),
            Some(Json::Array(items)) => items,
            Some(_) => return Err(self.malformed(name, "a list")),
        };
        let pointer = self.pointer_to(name);
        let numbered = items.iter().enumerate();
        numbered
            .map(|(index, json)| Self::at(self.file, format!("{pointer}/{index}"), json))
            .collect()
    }

    /// Takes note of a member that says nothing of its own.
    pub(super) fn ignore(&mut self, name: &str) {
        let _read = self.take(name);
    }

    /// Passes over the members that nothing asked for. Gives its place.
    pub(super) fn finish(self, passed_over: &mut Vec<PassedOver>) -> Place {
        for ((name, _), read) in self.members.iter().zip(&self.read) {
            if !read {
                passed_over.push(PassedOver {
                    place: self.place_of(name),
                    what: name.clone(),
                    why: PassedOverReason::UnknownMember,
                });
            }
        }
        self.place()
    }
}

/// The plugin keeps priorities between this and its negative.
const LARGEST_PRIORITY: i64 = 100_000;
