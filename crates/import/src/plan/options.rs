//! What is asked for.

use countersign_admin::taking::Taking;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::topic::TopicFilter;

/// What is asked for, whatever the kind of source.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The tenant that it goes to.
    pub tenant: TenantOptions,
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

/// The tenant that an import goes to, and which it makes where there is none.
#[derive(Clone, Debug)]
pub struct TenantOptions {
    /// Its id.
    pub id: TenantId,
    /// The topics that it owns, where it is made.
    pub namespaces: Vec<TopicFilter>,
}
