//! What Mosquitto knows of its users.

use crate::place::Place;
use crate::plan::desired::Item;
use crate::source::Dialect;
use crate::source::acl_file::AclFile;
use crate::source::passwords::PasswordFile;

/// What Mosquitto knows of its users.
#[derive(Debug)]
pub struct MosquittoSource {
    /// Which program reads its files.
    pub(super) dialect: Dialect,
    /// Its `password_file`.
    pub passwords: Option<PasswordFile>,
    /// Its `acl_file`.
    pub acl: Option<AclFile>,
    /// Whether it lets clients in without a login; none where no configuration
    /// says so.
    pub admits_anonymous: Option<bool>,
    /// What else its configuration says of users.
    pub(super) settings: Vec<Item>,
    /// Whether another plugin of its configuration may decide about topics.
    pub(super) has_rules_of_plugin: bool,
    /// Whether a listener takes names from certificates or pre-shared keys.
    pub(super) certifies_names: bool,
    /// What is told of where nothing stands for it.
    pub(super) whole: Option<Place>,
}
