//! What a command is given.

use countersign_admin::{AdminError, ErrorKind};

use crate::json::Json;

/// The members of a command, found in whatever case.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a>(pub(crate) &'a Json);

impl<'a> Params<'a> {
    /// A text, or none where there is none.
    pub(crate) fn text(self, name: &str, otherwise: &str) -> Result<Option<&'a str>, AdminError> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(said(otherwise)),
        }
    }

    /// A text.
    pub(crate) fn required(self, name: &str, otherwise: &str) -> Result<&'a str, AdminError> {
        let text = self.text(name, otherwise)?;
        text.ok_or_else(|| said(otherwise))
    }

    /// The name of a client, group or role.
    pub(crate) fn named(self, of: &str) -> Result<&'a str, AdminError> {
        self.required(of, &format!("Invalid/missing {of}"))
    }

    /// The name of one that is made, which is not empty.
    pub(crate) fn name(self, of: &str) -> Result<&'a str, AdminError> {
        let name = self.named(of)?;
        if name.is_empty() {
            return Err(said(&format!("Empty {of}")));
        }
        Ok(name)
    }

    /// `true` or `false`, or none where there is neither.
    pub(crate) fn flag(self, name: &str, otherwise: &str) -> Result<Option<bool>, AdminError> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(said(otherwise)),
        }
    }

    /// A number, or none where there is none.
    pub(crate) fn number(self, name: &str, otherwise: &str) -> Result<Option<i64>, AdminError> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::Number(Some(number))) => Ok(Some(*number)),
            Some(_) => Err(said(otherwise)),
        }
    }

    /// A priority, within what the plugin takes.
    pub(crate) fn priority(self, otherwise: i64) -> Result<i64, AdminError> {
        let given = self.number("priority", "Invalid/missing priority")?;
        Ok(given.unwrap_or(otherwise).clamp(-FURTHEST, FURTHEST))
    }

    /// The items of an array, or none where there is none.
    pub(crate) fn list(
        self,
        name: &str,
        otherwise: &str,
    ) -> Result<Option<&'a [Json]>, AdminError> {
        match self.0.member(name) {
            None => Ok(None),
            Some(Json::Array(items)) => Ok(Some(items)),
            Some(_) => Err(said(otherwise)),
        }
    }

    /// The members of a list: of each a name and a priority.
    pub(crate) fn members(
        self,
        list: &str,
        of: &str,
        otherwise: &str,
    ) -> Result<Option<Vec<(&'a str, i64)>>, AdminError> {
        let Some(items) = self.list(list, otherwise)? else {
            return Ok(None);
        };
        let mut members: Vec<(&str, i64)> = Vec::new();
        for item in items {
            let item = Self(item);
            let name = item.required(of, otherwise)?;
            let priority = item.priority(crate::acl::DEFAULT_PRIORITY)?;
            if !members.iter().any(|(known, _)| *known == name) {
                members.push((name, priority));
            }
        }
        Ok(Some(members))
    }
}

/// A refusal of what is asked, in these words.
pub(crate) fn said(words: &str) -> AdminError {
    AdminError::of_door(ErrorKind::Invalid, words)
}

/// The refusal for what is not there.
pub(crate) fn none_found(words: &str) -> AdminError {
    AdminError::of_door(ErrorKind::NotFound, words)
}

/// How far a priority goes.
const FURTHEST: i64 = 100_000;
