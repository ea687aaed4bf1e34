//! The file of Mosquitto's dynamic-security plugin, as 2.0 and 2.1 write it.

pub use countersign_control::acl::AclKind;

use super::{MOST_RULES, PassedOver, TOO_MANY_RULES};
use crate::content::SourceContent;
use crate::error::SourceError;
use crate::json;
use crate::place::Place;
use crate::stored_password::StoredPassword;

mod object;
mod reading;

/// A configuration of dynamic-security, read.
#[derive(Debug)]
pub struct DynamicSecurity {
    /// What happens where no rule matches.
    pub default_access: Vec<DefaultAccess>,
    /// The clients.
    pub clients: Vec<Client>,
    /// The groups.
    pub groups: Vec<Group>,
    /// The roles.
    pub roles: Vec<Role>,
    /// The group of clients without a name.
    pub anonymous_group: Option<Membership>,
    /// What the plugin loads and does not use.
    pub passed_over: Vec<PassedOver>,
    /// Whether something in it shows that 2.1 wrote it, which 2.0 reads otherwise.
    pub is_of_2_1: bool,
}

/// What happens to one kind of use where no rule matches.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DefaultAccess {
    /// Where it stands.
    pub place: Place,
    /// The kind of use.
    pub of: DefaultUse,
    /// Whether it is allowed.
    pub is_allowed: bool,
}

/// The kinds of use that have a default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DefaultUse {
    /// To receive: `publishClientReceive`.
    Deliver,
    /// `publishClientSend`.
    Publish,
    /// `subscribe`.
    Subscribe,
    /// `unsubscribe`.
    Unsubscribe,
}

/// A client: a user name, and what belongs to it.
#[derive(Debug)]
pub struct Client {
    /// Where it stands.
    pub place: Place,
    /// Its user name.
    pub username: Box<str>,
    /// The only client id it may use.
    pub client_id: Option<Box<str>>,
    /// `textname` and `textdescription`.
    pub texts: Texts,
    /// Whether it is disabled.
    pub is_disabled: bool,
    /// Its password.
    pub password: StoredPassword,
    /// Its roles.
    pub roles: Vec<Membership>,
}

/// A group of clients that has roles.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: Box<str>,
    /// `textname` and `textdescription`.
    pub texts: Texts,
    /// Its roles.
    pub roles: Vec<Membership>,
    /// Its clients, by user name.
    pub clients: Vec<Membership>,
}

/// A named list of rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Role {
    /// Where it stands.
    pub place: Place,
    /// Its name.
    pub name: Box<str>,
    /// `textname` and `textdescription`.
    pub texts: Texts,
    /// Whether its holders may subscribe to filters with wildcards.
    pub allows_wildcard_subscriptions: bool,
    /// Its rules, in the file's order.
    pub acls: Vec<Acl>,
}

/// What people wrote about a client, group or role.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Texts {
    /// `textname`.
    pub name: Option<Box<str>>,
    /// `textdescription`.
    pub description: Option<Box<str>>,
}

/// That a client or group has a role, or a group a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Membership {
    /// Where it stands.
    pub place: Place,
    /// The name of the role or client.
    pub name: Box<str>,
    /// The higher comes first; −100,000 to 100,000.
    pub priority: i64,
}

/// A rule of a role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acl {
    /// Where it stands.
    pub place: Place,
    /// What it is about.
    pub kind: AclKind,
    /// The filter, as the file has it: `%c` and `%u` in 2.1.
    pub topic: Box<str>,
    /// The higher comes first; −100,000 to 100,000.
    pub priority: i64,
    /// Whether it allows.
    pub is_allowed: bool,
}

impl DynamicSecurity {
    /// Reads what `content` holds as the plugin does.
    ///
    /// It compares members' names and types of rules without case. Of two
    /// clients, groups, roles, or rules of one type and topic in a role, the
    /// plugin uses the first.
    ///
    /// # Errors
    ///
    /// Returns [`SourceError`] for what is not valid JSON, is deeper than 32,
    /// holds a member twice or with another type than the plugin expects, and
    /// for more than 1,000,000 clients or 4,000,000 of anything else.
    pub fn parse(content: &SourceContent) -> Result<Self, SourceError> {
        let root = json::parse(content)?;
        let read = reading::configuration(content, &root)?;
        if read.items() > MOST_RULES {
            return Err(SourceError::new(content.name.whole(), TOO_MANY_RULES));
        }
        Ok(read)
    }

    /// How many objects there are to tell of: clients, groups, roles, rules,
    /// memberships and defaults.
    #[must_use]
    pub fn items(&self) -> usize {
        let roles = self.roles.iter().map(|role| role.acls.len());
        let clients = self.clients.iter().map(|client| client.roles.len());
        let groups = self.groups.iter();
        let groups = groups.map(|group| group.roles.len().saturating_add(group.clients.len()));
        let inner: usize = roles.chain(clients).chain(groups).sum();
        [
            self.default_access.len(),
            self.clients.len(),
            self.groups.len(),
            self.roles.len(),
            usize::from(self.anonymous_group.is_some()),
            self.passed_over.len(),
            inner,
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}
