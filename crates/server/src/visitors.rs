//! What the pages for people remember between two requests.

mod first_code;
mod form_keys;

use self::first_code::FirstCode;
pub(crate) use self::first_code::IsWithoutUsers;
use self::form_keys::FormKeys;

/// What the pages remember.
#[derive(Default)]
pub(crate) struct Visitors {
    /// The forms that may be sent once.
    pub(crate) form_keys: FormKeys,
    /// What lets the first administrator be made.
    pub(crate) first: FirstCode,
}
