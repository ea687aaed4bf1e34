//! How long the service waits for its clients.

use std::time::Duration;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// To greet, where TLS is spoken.
    pub(crate) greeting: Duration,
    /// To send its headers, or the next request.
    pub(crate) headers: Duration,
    /// To send a body.
    pub(crate) body: Duration,
    /// To take a part of an answer.
    pub(crate) stall: Duration,
}

/// Whoever is slow in each of these is cut within 45 s.
impl Default for Patience {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(10),
            headers: Duration::from_secs(12),
            body: Duration::from_secs(20),
            stall: Duration::from_secs(30),
        }
    }
}
