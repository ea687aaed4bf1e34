//! The namespaces of tenants: which topic filters one may own, and that no
//! topic has two owners.

use countersign_core::given::Given;
use countersign_core::name::TenantId;
use countersign_core::rule::{NamespaceFilterError, Namespaces};
use countersign_core::tenant::Tenant;
use countersign_core::topic::{TopicError, TopicFilter, sendable};

/// Parses a topic filter that a tenant may own.
///
/// # Errors
///
/// Returns [`NamespaceError`] when it is no topic filter, or does not begin
/// with a literal level that stands outside of the broker's own `$` topics.
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

/// The first pair of namespaces that `tenant` and another one would share.
pub(crate) fn find_overlap(tenant: &Tenant, tenants: &[Tenant]) -> Option<NamespaceOverlap> {
    let others = tenants.iter().filter(|other| other.id != tenant.id);
    others.into_iter().find_map(|other| {
        let (wanted, owned) = tenant.namespaces.overlap(&other.namespaces)?;
        Some(NamespaceOverlap {
            wanted: wanted.clone(),
            owned: owned.clone(),
            tenant: other.id.clone(),
        })
    })
}

/// Two tenants would own the same topics.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("namespace `{wanted}` overlaps `{owned}` of tenant `{tenant}`; a topic has one owner")]
pub struct NamespaceOverlap {
    /// What was asked for.
    pub wanted: TopicFilter,
    /// What is in its way.
    pub owned: TopicFilter,
    /// Whose that is.
    pub tenant: TenantId,
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
        for good in ["acme/#", "kp1/app-v1/#", "acme", "a/+/b", "/a/#"] {
            assert!(parse_namespace(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "#",
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
