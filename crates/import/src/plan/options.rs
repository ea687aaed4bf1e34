//! What is asked for.

use countersign_admin::taking::Taking;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::topic::TopicFilter;

/// What is asked for, whatever the kind of source.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The tenant that it goes to.
    pub tenant: TenantId,
    /// The topics that the tenant owns, where it is made.
    pub namespaces: Vec<TopicFilter>,
    /// Whether the tenant may take topics from the one that owns `#`.
    pub taking: Taking,
    /// The users that become operators.
    pub operators: Vec<LoginName>,
    /// Whether passwords in plain text are taken over, and hashed.
    pub accept_weak: bool,
    /// Whether what an earlier import made is changed where the source has changed.
    pub update: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}
