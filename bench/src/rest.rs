//! The service on a store, asked by an administrator of everything.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use countersign_testkit::Cli;
use countersign_testkit::service::Service;
use serde_json::Value;

use crate::meter::Meter;
use crate::store::file;

/// A running service, and a token that it takes.
pub struct Rest {
    pub meter: Meter,
    service: Service,
    shown: String,
}

impl Rest {
    /// Starts it on the store in `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::of(&Cli::new(file(folder)))
    }

    /// Starts it on the program's store.
    pub fn of(cli: &Cli) -> Result<Self> {
        let made = cli.json(&["token", "create", "--scope", "platform"]);
        let token = made["secret"].as_str().context("no token was told")?;
        let service = Service::start(cli, &[])?;
        Ok(Self {
            meter: Meter::of(service.pid())?,
            service,
            shown: format!("Bearer {token}"),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.service.address
    }

    /// What is at a path of REST, or at one of the console, which begins with `/`; nothing
    /// else will do.
    pub fn get(&self, path: &str) -> Result<String> {
        self.ask("GET", path, None)
    }

    /// Changes what is at a path.
    pub fn patch(&self, path: &str, changes: &Value) -> Result<String> {
        self.ask("PATCH", path, Some(changes))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<String> {
        let whole = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/api/v1/{path}"),
        };
        let answer = self.service.send(method, &whole, Some(&self.shown), body);
        let (status, text) = answer?;
        ensure!(status == 200, "{method} {path}: {status} {text}");
        Ok(text)
    }
}
