//! What the demo stands on: a broker, and a store in its folder.

use std::env;
use std::path::PathBuf;

use anyhow::Result;
use countersign_testkit::{Broker, Version};

use crate::command::Release;

/// A broker that is about to run, and the folder that plugin and program are in.
pub struct Environment {
    /// The broker.
    pub broker: Broker,
    programs: PathBuf,
    store: PathBuf,
}

impl Environment {
    /// Writes the broker's configuration. One that `stays` can be left running.
    pub fn new(version: Version, release: &Release, stays: bool) -> Result<Self> {
        let mut builder = Broker::builder(version)
            .log_types(&["warning", "error", "notice", "information", "subscribe"])
            .line("allow_anonymous true");
        if stays {
            builder = builder.stays();
        }
        let store = builder.dir().join("countersign.db");
        let broker = builder
            .plugin(release.folder.join("libmosquitto_countersign.so"))
            .plugin_option("store", store.display())
            .plugin_option("broker", "demo")
            .prepare()?;
        Ok(Self {
            broker,
            programs: release.folder.clone(),
            store,
        })
    }

    /// What the demo's commands find in their environment.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let path = env::var("PATH").unwrap_or_default();
        [
            ("PATH", format!("{}:{path}", self.programs.display())),
            ("COUNTERSIGN_STORE", self.store.display().to_string()),
        ]
    }

    /// The lines that give another shell the same environment.
    pub fn exports(&self) -> [String; 2] {
        [
            format!("export PATH=\"{}:$PATH\"", self.programs.display()),
            format!("export COUNTERSIGN_STORE={}", self.store.display()),
        ]
    }

    /// A text without the folders and the port of this run.
    pub fn plain(&self, text: &str) -> String {
        let port = format!("-p {}", self.broker.port());
        text.replace(&self.broker.dir().display().to_string(), "/tmp/demo")
            .replace(&self.programs.display().to_string(), "target/release")
            .replace(&port, "-p 1883")
    }

    /// The arguments that lead any of Mosquitto's clients to the broker.
    pub fn address(&self) -> String {
        format!("-h 127.0.0.1 -p {}", self.broker.port())
    }

    /// The command that ends the broker and removes everything.
    pub fn end(&self) -> String {
        let folder = self.broker.dir().display();
        format!("kill {} && rm -r {folder}", self.broker.pid())
    }

    /// Where the broker's log is.
    pub fn log(&self) -> PathBuf {
        self.broker.dir().join("broker.log")
    }
}
