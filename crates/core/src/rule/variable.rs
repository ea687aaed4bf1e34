//! Variables of patterns, and what they stand for in a session.

use core::fmt;

/// What can stand between `${` and `}`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Variable<'a> {
    /// `${attr.NAME}`: an attribute of the credential.
    Attribute(&'a str),
    /// `${client_id}`: the client id of the session.
    ClientId,
    /// `${group}`: the group of the credential.
    Group,
    /// `${tenant}`: the id of the session's tenant.
    Tenant,
    /// `${username}`: the principal's own name.
    Username,
}

impl<'a> Variable<'a> {
    /// Reads what stands between the braces.
    pub(super) fn parse(name: &'a str) -> Option<Self> {
        match name {
            "client_id" => Some(Self::ClientId),
            "group" => Some(Self::Group),
            "tenant" => Some(Self::Tenant),
            "username" => Some(Self::Username),
            _ => name
                .strip_prefix("attr.")
                .filter(|attribute| is_attribute_name(attribute))
                .map(Self::Attribute),
        }
    }
}

impl fmt::Display for Variable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) => write!(f, "${{attr.{name}}}"),
            Self::ClientId => f.write_str("${client_id}"),
            Self::Group => f.write_str("${group}"),
            Self::Tenant => f.write_str("${tenant}"),
            Self::Username => f.write_str("${username}"),
        }
    }
}

/// Knows what the variables of one session hold.
pub trait Variables {
    /// Gives the value; `None` where the session has none. Of several groups, it is
    /// the first.
    fn value(&self, variable: Variable<'_>) -> Option<&str>;

    /// Gives the groups of the session, in the order in which it joined them.
    fn groups(&self) -> impl Iterator<Item = &str> {
        self.value(Variable::Group).into_iter()
    }
}

/// What the variables of a session hold in one of its groups, or in none.
#[derive(Debug)]
pub(super) struct InGroup<'v, V> {
    pub(super) variables: &'v V,
    pub(super) group: Option<&'v str>,
}

impl<V: Variables> Variables for InGroup<'_, V> {
    fn value(&self, variable: Variable<'_>) -> Option<&str> {
        match variable {
            Variable::Group => self.group,
            Variable::Attribute(_) | Variable::ClientId | Variable::Tenant | Variable::Username => {
                self.variables.value(variable)
            }
        }
    }
}

/// A session in which no variable has a value.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVariables;

impl Variables for NoVariables {
    fn value(&self, _variable: Variable<'_>) -> Option<&str> {
        None
    }
}

fn is_attribute_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Says whether a value may stand in a level of a topic.
pub(super) fn is_usable(value: &str) -> bool {
    !value.is_empty() && !value.contains(['/', '+', '#', '\0'])
}
