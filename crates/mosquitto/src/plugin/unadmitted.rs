//! The clients that no login let in and that are to be ended.

use countersign::Handle;

/// Clients that are to be ended, and sessions that may have lost their ids.
#[derive(Debug, Default)]
pub(super) struct UnadmittedClients {
    /// Found since the last tick.
    pub(super) found: Vec<UnadmittedClient>,
    /// The ids of sessions that may have ended because another client took them.
    pub(super) taken: Vec<String>,
    /// What is to be said of the client that had the id, while the broker is asked
    /// to end it.
    pub(super) evicted: Option<String>,
    /// Whether the broker is being asked to end an unadmitted client.
    pub(super) is_evicting: bool,
}

/// A client that is to be ended.
#[derive(Debug)]
pub(super) struct UnadmittedClient {
    pub(super) handle: Handle,
    pub(super) client_id: String,
    pub(super) line: Option<String>,
}
