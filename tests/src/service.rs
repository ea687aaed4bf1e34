//! The service on a broker's store.

pub use countersign_testkit::service::{Events, Service};

use crate::{Fixture, text};

impl Fixture {
    /// Starts the service on a port that is free.
    pub fn serve(&self) -> Service {
        self.serve_with(&[])
    }

    /// The same, with more options.
    pub fn serve_with(&self, options: &[&str]) -> Service {
        Service::start(&self.cli, options).unwrap()
    }

    /// A new API token with this scope.
    pub fn api_token(&self, scope: &str) -> String {
        let made = self.cli.json(&["token", "create", "--scope", scope]);
        text(&made, "secret")
    }
}
