//! Which tenant an unauthenticated session joins by what it does with topics.

use std::sync::Arc;

use crate::name::TenantId;
use crate::rights::TopicUse;
use crate::rule::TopicOwners;
use crate::tenant::Tenant;
use crate::topic::{Subscription, TopicName};

/// Finds the tenant that an unauthenticated session, which has none yet, joins
/// by this use of a topic.
///
/// It is the tenant that owns every topic of the use, if it admits clients
/// without a login and such client ids. A filter that reaches several tenants,
/// or topics without an owner, joins none. A message that is delivered joins
/// the owner of its topic: the session subscribed when it was connected before.
/// A client id that is not known does not count.
pub fn joined_tenant<'t>(
    usage: TopicUse<'_>,
    client_id: Option<&str>,
    owners: &TopicOwners,
    find: impl FnOnce(&TenantId) -> Option<&'t Arc<Tenant>>,
) -> Option<&'t Arc<Tenant>> {
    let text = |bytes| core::str::from_utf8(bytes).ok();
    let owner = match usage {
        TopicUse::Deliver { topic } | TopicUse::Publish { topic, .. } => {
            owners.owner_of(TopicName::parse(text(topic)?).ok()?)
        }
        TopicUse::Subscribe { filter } => {
            owners.owner_of(Subscription::parse(text(filter)?).ok()?.filter())
        }
        TopicUse::Unsubscribe => None,
    };
    let tenant = find(&TenantId::parse(owner?).ok()?)?;
    let takes_client_id = match (&tenant.client_id_prefix, client_id) {
        (Some(prefix), Some(id)) => id.starts_with(prefix.as_str()),
        (None, _) | (_, None) => true,
    };
    let is_joined = tenant.authentication.admits_anonymous() && takes_client_id;
    is_joined.then_some(tenant)
}
