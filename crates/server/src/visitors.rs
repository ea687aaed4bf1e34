//! What the pages for people remember between two requests.

mod first_code;
mod kept;

use self::first_code::FirstCode;
pub(crate) use self::first_code::IsWithoutUsers;
use self::kept::Kept;

/// What the pages remember.
#[derive(Default)]
pub(crate) struct Visitors {
    /// The forms that may be sent once.
    pub(crate) form_keys: Kept<(), MOST_FORMS>,
    /// What undoes acts that were done.
    pub(crate) undos: Kept<Undo, MOST_UNDOS>,
    /// What lets the first administrator be made.
    pub(crate) first: FirstCode,
}

/// A form that undoes what was done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Undo {
    /// Where it is sent to.
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Undo {
    /// So many bytes its fields have at most, or it is not kept.
    pub(crate) const MOST_BYTES: usize = 16 * 1024;

    pub(crate) fn bytes(&self) -> usize {
        let fields = self.fields.iter();
        let fields = fields.map(|(name, text)| name.len().saturating_add(text.len()));
        fields.fold(self.action.len(), usize::saturating_add)
    }
}

/// So many forms of one person may wait to be sent,
const MOST_FORMS: usize = 64;
/// and so many acts of one person wait to be undone.
const MOST_UNDOS: usize = 4;
