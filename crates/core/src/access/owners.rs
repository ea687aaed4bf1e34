//! Who owns which topics, by all that a store says about it.

use crate::name::TenantId;
use crate::rule::TopicOwners;
use crate::scheme::SchemeName;
use crate::store::{StoreError, StoredSchemes, StoredTenants};

/// Finds who owns which topics.
///
/// Where a tenant owns `#`, it is asked who uses which scheme, since what
/// schemes of others reach is not among the rest. The rest is nobody's while
/// not all can be read that others take from it.
///
/// # Errors
///
/// Returns the error of `users_of`, if it is not of one record.
pub fn topic_owners(
    tenants: &StoredTenants,
    schemes: &StoredSchemes,
    mut users_of: impl FnMut(&SchemeName) -> Result<Vec<TenantId>, StoreError>,
) -> Result<TopicOwners, StoreError> {
    let readable = tenants.readable.iter();
    let readable = readable.map(|it| (it.id.as_str(), &it.namespaces));
    let damaged = tenants.damaged.iter();
    let damaged = damaged.map(|it| (it.name(), &it.namespaces));
    let owned: Vec<_> = readable.chain(damaged).collect();
    let mut rest_owners = owned.iter().filter(|(_, owned)| owned.hold_rest());
    let Some((rest_owner, _)) = rest_owners.next() else {
        return Ok(TopicOwners::new(owned, []));
    };
    let mut is_all_known = tenants.damaged.iter().all(|it| it.has_all_namespaces);
    let mut users = |scheme: &SchemeName| match users_of(scheme) {
        Err(error) if error.is_of_one_record() => {
            is_all_known = false;
            Ok(Vec::new())
        }
        users => users,
    };
    let mut reached = Vec::new();
    for scheme in schemes.readable.iter() {
        if scheme.patterns().next().is_none() {
            continue;
        }
        for user in users(scheme.name())? {
            let filters = scheme.reach_of(&user);
            reached.extend(filters.into_iter().map(|filter| (user.clone(), filter)));
        }
    }
    let mut is_reached_unseen = false;
    for scheme in schemes.damaged.keys() {
        let users = users(scheme)?;
        is_reached_unseen |= users.iter().any(|user| user.as_str() != *rest_owner);
    }
    let reached = reached
        .iter()
        .map(|(user, filter)| (user.as_str(), filter.clone()));
    let owners = TopicOwners::new(owned, reached);
    Ok(if is_all_known && !is_reached_unseen {
        owners
    } else {
        owners.without_owner_of_rest()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rule::Namespaces;
    use crate::scheme::Schemes;
    use crate::store::{DamagedTenant, StoreErrorKind};
    use crate::tenant::Tenant;
    use crate::time::Timestamp;
    use crate::topic::{TopicFilter, TopicName};

    fn tenant_id(text: &str) -> TenantId {
        TenantId::parse(text).unwrap()
    }

    fn namespaces(text: &str) -> Namespaces {
        Namespaces::new([TopicFilter::parse(text).unwrap()]).unwrap()
    }

    fn damage() -> StoreError {
        StoreError::new("look up a tenant", StoreErrorKind::Damaged).with_detail("a record")
    }

    /// The tenant `home`, which owns `#`, beside a tenant of which not all can be
    /// read.
    fn beside(id: Option<&str>, owned: &str, has_all_namespaces: bool) -> StoredTenants {
        let home = Tenant::new(
            tenant_id("home"),
            namespaces("#"),
            Timestamp::from_millis(0),
        );
        StoredTenants {
            readable: vec![Arc::new(home)],
            damaged: vec![DamagedTenant {
                id: id.map(tenant_id),
                namespaces: namespaces(owned),
                has_all_namespaces,
                client_id_prefix: None,
                error: damage(),
            }],
        }
    }

    fn is_homes(owners: &TopicOwners, topic: &str) -> bool {
        let topic = TopicName::parse(topic).unwrap();
        !owners.is_foreign(topic, Some("home"))
    }

    fn built_in() -> StoredSchemes {
        StoredSchemes {
            readable: Schemes::built_in(),
            ..StoredSchemes::default()
        }
    }

    fn nobody(_: &SchemeName) -> Result<Vec<TenantId>, StoreError> {
        Ok(Vec::new())
    }

    #[test]
    fn what_a_damaged_tenant_owns_is_not_among_the_rest() {
        for id in [Some("acme"), None] {
            let owners = topic_owners(&beside(id, "acme/#", true), &built_in(), nobody).unwrap();
            assert!(!is_homes(&owners, "acme/x"));
            assert!(is_homes(&owners, "garden/x"));
        }
    }

    #[test]
    fn the_rest_is_nobodys_while_a_namespace_cant_be_read() {
        let owners = topic_owners(&beside(None, "acme/#", false), &built_in(), nobody).unwrap();
        assert!(!is_homes(&owners, "garden/x"));
        assert_eq!(owners.owner_of(TopicName::parse("garden/x").unwrap()), None);
    }

    #[test]
    fn the_rest_is_nobodys_while_a_scheme_that_others_use_cant_be_read() {
        let tenants = beside(None, "acme/#", true);
        let mine = SchemeName::parse("mine").unwrap();
        let schemes = StoredSchemes {
            damaged: [(mine.clone(), damage())].into(),
            ..built_in()
        };
        for (user, keeps_rest) in [("home", true), ("acme", false)] {
            let users_of = |scheme: &SchemeName| {
                Ok(if *scheme == mine {
                    vec![tenant_id(user)]
                } else {
                    Vec::new()
                })
            };
            let owners = topic_owners(&tenants, &schemes, users_of).unwrap();
            assert_eq!(is_homes(&owners, "garden/x"), keeps_rest, "{user}");
        }
    }

    #[test]
    fn the_rest_is_nobodys_while_it_cant_be_read_who_uses_a_scheme() {
        let tenants = beside(None, "acme/#", true);
        let owners = topic_owners(&tenants, &built_in(), |_| Err(damage())).unwrap();
        assert!(!is_homes(&owners, "garden/x"));
    }
}
