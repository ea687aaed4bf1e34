//! The namespaces of tenants: which topic filters one may own, and that no
//! topic has two owners.

use countersign_core::given::Given;
use countersign_core::name::TenantId;
use countersign_core::rule::{NamespaceFilterError, Namespaces};
use countersign_core::tenant::Tenant;
use countersign_core::topic::{TopicError, TopicFilter, sendable};

use crate::error::{AdminError, ErrorKind, Noun, Subject};

/// Parses a topic filter that a tenant may own.
///
/// # Errors
///
/// Returns [`NamespaceError`] when it is no topic filter, or does not begin
/// with a literal level that stands outside of the broker's own `$` topics; `#`
/// is all that no other tenant owns.
pub fn parse_namespace(text: &str) -> Result<TopicFilter, NamespaceError> {
    if text.contains("${") || sendable(text).is_err() {
        return Err(NamespaceError::Literal { text: text.into() });
    }
    let filter = TopicFilter::parse(text).map_err(|why| NamespaceError::Topic {
        text: text.into(),
        why,
    })?;
    Namespaces::new([filter.clone()])?;
    Ok(filter)
}

/// What a new tenant owns: everything below its own id.
pub(crate) fn default_namespace(tenant: &TenantId) -> Result<TopicFilter, NamespaceError> {
    parse_namespace(&format!("{tenant}/#"))
}

/// Checks that no other tenant owns what `tenant` owns.
pub(crate) fn check_namespaces(tenant: &Tenant, tenants: &[Tenant]) -> Result<(), AdminError> {
    for other in tenants.iter().filter(|other| other.id != tenant.id) {
        if let Some((wanted, owned)) = tenant.namespaces.overlap(&other.namespaces) {
            return Err(AdminError::new(
                ErrorKind::Conflict,
                Subject::in_tenant(Noun::Namespace, wanted, &tenant.id),
                format!(
                    "namespace `{wanted}` overlaps `{owned}` of tenant `{}`; a topic has one owner",
                    other.id
                ),
            ));
        }
    }
    Ok(())
}

impl From<NamespaceError> for AdminError {
    fn from(error: NamespaceError) -> Self {
        Self::invalid(Noun::Namespace, "", error)
    }
}

/// Why a text is not a valid namespace.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// It holds a variable, or what no broker carries.
    #[error(
        "`{text}` is not a valid namespace: it is literal text and wildcards, without variables, control characters and more than 200 slashes"
    )]
    Literal {
        /// What was given.
        text: Given,
    },
    /// No tenant can own it.
    #[error(transparent)]
    Ownership(#[from] NamespaceFilterError),
    /// It is no topic filter.
    #[error("`{text}` is not a valid namespace: {why}")]
    Topic {
        /// What was given.
        text: Given,
        /// Why it is none.
        why: TopicError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_begins_with_a_literal_level_of_the_tenants_own() {
        for good in ["acme/#", "kp1/app-v1/#", "acme", "a/+/b", "/a/#", "#"] {
            assert!(parse_namespace(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "+/#",
            "+/a",
            "$SYS/#",
            "$share/g/a",
            "a/#/b",
            "a/b+",
            "a/${username}/#",
            "a\n/#",
        ] {
            assert!(parse_namespace(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_is_one_line_that_names_the_text() {
        let error = parse_namespace("a/#/b").unwrap_err().to_string();
        assert_eq!(
            error,
            "`a/#/b` is not a valid namespace: `#` at level 1 is not the last level"
        );
    }
}
