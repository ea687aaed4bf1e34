//! Reads `mosquitto.conf` as Mosquitto does: what it includes, which settings
//! belong to which listener, and which plugin guards it.
//!
//! [`BrokerConfig::read`] never fails on what a file says. What would keep a
//! broker from starting is a [`Diagnostic`], and reading goes on behind it.
//! Every value knows the file and the line that it stands in.
//!
//! Mosquitto 2.0 and 2.1 read a few lines differently; the names below say so
//! where it matters, and [`BrokerConfig::only_2_1`] holds the first line that
//! 2.0 would refuse.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use self::read::ConfigReader;

mod diagnostic;
mod line;
mod listener;
mod read;
mod source;
mod value;
mod word;

pub use self::diagnostic::{Diagnostic, DiagnosticKind};
pub use self::listener::{ListenerConfig, OpenedBy};
pub use self::source::{Source, Sourced};

/// A broker's configuration, the files that it includes among it.
#[derive(Debug, Default)]
pub struct BrokerConfig {
    /// Outgoing bridges.
    pub bridges: Vec<Bridge>,
    /// Whether the author of a retained message is asked about.
    pub check_retain_source: Option<Sourced<bool>>,
    /// Whether the log says who connects, with names and client ids.
    pub connection_messages: Option<Sourced<bool>>,
    /// What keeps the broker from starting.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that a broker reads when it starts, with the words that name
    /// them.
    pub files: Vec<(String, Sourced<PathBuf>)>,
    /// The settings that hold for all listeners, unless they belong to one.
    pub global: Security,
    /// The listeners. Without any, a broker listens on localhost alone.
    pub listeners: Vec<ListenerConfig>,
    /// The first line that Mosquitto 2.0 would refuse.
    pub only_2_1: Option<Source>,
    /// Whether settings belong to the listener above them.
    pub per_listener_settings: Option<Sourced<bool>>,
    /// Whether sessions survive a restart.
    pub persistence: Option<Sourced<bool>>,
    /// After how long a stored session is given up.
    pub persistent_client_expiration: Option<Sourced<String>>,
    /// The plugins, in the order they are loaded.
    pub plugins: Vec<PluginConfig>,
    /// Whom the broker runs as, if root starts it.
    pub user: Option<Sourced<String>>,
}

impl BrokerConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// Returns the [`Diagnostic`] of a main file that can't be read. All others
    /// are among [`diagnostics`](Self::diagnostics).
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        ConfigReader::default().read(path)
    }

    /// Whom the broker runs as, if root starts it.
    #[must_use]
    pub fn user(&self) -> &str {
        self.user.as_ref().map_or(USUAL_USER, |user| &user.value)
    }

    /// Whether `per_listener_settings` is true.
    #[must_use]
    pub fn is_per_listener(&self) -> bool {
        is_on(self.per_listener_settings.as_ref())
    }

    /// The plugins that are asked about clients of a listener, in order; of a
    /// broker without listeners where there is none.
    pub fn asked<'a>(
        &'a self,
        listener: Option<&'a ListenerConfig>,
    ) -> impl Iterator<Item = &'a PluginConfig> {
        let own = listener.into_iter().flat_map(|it| &it.security.plugins);
        let used = self.global.plugins.iter().chain(own);
        used.filter_map(|index| self.plugins.get(*index))
    }

    /// The settings that hold for a listener's clients.
    #[must_use]
    pub fn security<'a>(&'a self, listener: Option<&'a ListenerConfig>) -> &'a Security {
        match listener {
            Some(listener) if self.is_per_listener() => &listener.security,
            Some(_) | None => &self.global,
        }
    }

    /// Whether Mosquitto itself lets clients of a listener in without a name.
    #[must_use]
    pub fn allows_anonymous(&self, listener: Option<&ListenerConfig>) -> bool {
        let Some(listener) = listener else {
            // Mosquitto says yes where it listens on localhost alone.
            return true;
        };
        let own = listener.security.allow_anonymous.as_ref();
        is_on(own.or(self.security(Some(listener)).allow_anonymous.as_ref()))
    }
}

/// Settings that hold for all listeners, or for one.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Security {
    /// Who may do what.
    pub acl_file: Option<Sourced<PathBuf>>,
    /// Whether clients without a name are let in.
    pub allow_anonymous: Option<Sourced<bool>>,
    /// Names and passwords.
    pub password_file: Option<Sourced<PathBuf>>,
    /// Which of [`BrokerConfig::plugins`] guard it, in order.
    pub plugins: Vec<usize>,
    /// Identities and keys.
    pub psk_file: Option<Sourced<PathBuf>>,
}

/// A line that loads a plugin, and the options that are its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PluginConfig {
    /// The line that loads it.
    pub at: Source,
    /// What `plugin_use` calls it (2.1).
    pub name: Option<String>,
    /// What stands behind `plugin_opt_`, and its value, with the white space
    /// at its end, which belongs to it.
    pub options: Vec<(String, Sourced<String>)>,
    /// The plugin's file, as it is written. Mosquitto 2.0 leaves white space
    /// at its ends away where 2.1 does not.
    pub path: String,
}

impl PluginConfig {
    /// Says whether this is Countersign: by its file's name or, where that is
    /// another, by the option that only Countersign has.
    #[must_use]
    pub fn is_countersign(&self) -> bool {
        self.file_name().contains("countersign") || self.option("store").is_some()
    }

    /// Says whether this only stores sessions, and is never asked about a
    /// client.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        self.file_name().contains("persist")
    }

    /// The plugin's file, without white space at its ends.
    #[must_use]
    pub fn file(&self) -> &Path {
        Path::new(self.path.trim())
    }

    /// The value of an option that is given once.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().find(|(option, _)| option == key);
        found.map(|(_, value)| value.value.as_str())
    }

    fn file_name(&self) -> String {
        let name = self.file().file_name();
        name.map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }
}

/// A connection that the broker makes to another one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bridge {
    /// Its line.
    pub at: Source,
    /// The client id it has here, if that is said; else it is `local.` and the
    /// one it has there.
    pub local_client_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// The client id it has there, if that is said; else it is the host's name,
    /// a dot and what it is called.
    pub remote_client_id: Option<String>,
}

impl Bridge {
    /// The client id it has here, on a host of this name.
    #[must_use]
    pub fn client_id(&self, host: &str) -> String {
        match (&self.local_client_id, &self.remote_client_id) {
            (Some(id), _) => id.clone(),
            (None, Some(remote)) => format!("local.{remote}"),
            (None, None) => format!("local.{host}.{}", self.name),
        }
    }
}

/// Says whether a switch is on; one that is not mentioned is off.
#[must_use]
pub fn is_on(switch: Option<&Sourced<bool>>) -> bool {
    switch.is_some_and(|switch| switch.value)
}

/// What Mosquitto puts before the name of a plugin's option.
pub const OPTION_PREFIX: &str = "plugin_opt_";

/// Whom Mosquitto runs as when root starts it and nothing else is said.
pub const USUAL_USER: &str = "mosquitto";
