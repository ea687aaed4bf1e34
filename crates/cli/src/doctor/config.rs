//! What a `mosquitto.conf` says of plugins, as Mosquitto reads it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Problem;

/// A broker's configuration, the files that it includes among it.
#[derive(Debug, Default)]
pub(super) struct BrokerConfig {
    user: Option<String>,
    /// Whether it does not log who connects, which it does unless told not to.
    pub(super) hides_connections: bool,
    /// What `allow_anonymous` is set to last.
    pub(super) allow_anonymous: bool,
    /// Whether `per_listener_settings` is true.
    pub(super) per_listener_settings: bool,
    /// The plugins, in the order they are asked.
    pub(super) plugins: Vec<PluginLine>,
}

/// A line that loads a plugin, and the options below it.
#[derive(Debug)]
pub(super) struct PluginLine {
    /// The plugin's file.
    pub(super) path: PathBuf,
    /// What stands behind `plugin_opt_`, and its values.
    pub(super) options: Vec<(String, String)>,
}

impl PluginLine {
    /// Says whether this is ours.
    pub(super) fn is_countersign(&self) -> bool {
        let name = self
            .path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.contains("countersign"))
    }
}

impl BrokerConfig {
    /// Reads a configuration.
    pub(super) fn read(path: &Path) -> Result<Self, Problem> {
        let mut config = Self::default();
        config.include(path, 0)?;
        Ok(config)
    }

    /// Whom the broker runs as, if root starts it.
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or(USUAL_USER)
    }

    fn include(&mut self, path: &Path, depth: u8) -> Result<(), Problem> {
        let text = fs::read(path).map_err(|error| unreadable(path, &error))?;
        for line in String::from_utf8_lossy(&text).lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            self.take(word, value.trim(), depth)?;
        }
        Ok(())
    }

    fn take(&mut self, word: &str, value: &str, depth: u8) -> Result<(), Problem> {
        match word {
            "allow_anonymous" => self.allow_anonymous = is_true(value),
            "auth_plugin" | "global_plugin" | "plugin" => self.load(value),
            "connection_messages" => self.hides_connections = !is_true(value),
            "include_dir" => self.include_directory(Path::new(value), depth)?,
            "per_listener_settings" => self.per_listener_settings = is_true(value),
            "plugin_load" => {
                let path = value
                    .split_once([' ', '\t'])
                    .map_or("", |(_, path)| path.trim());
                self.load(path);
            }
            "user" => self.user = Some(value.into()),
            _ => {
                let option = word
                    .strip_prefix("plugin_opt_")
                    .or_else(|| word.strip_prefix("auth_opt_"));
                if let (Some(option), Some(plugin)) = (option, self.plugins.last_mut()) {
                    plugin.options.push((option.into(), value.into()));
                }
            }
        }
        Ok(())
    }

    fn load(&mut self, path: &str) {
        self.plugins.push(PluginLine {
            path: path.into(),
            options: Vec::new(),
        });
    }

    fn include_directory(&mut self, directory: &Path, depth: u8) -> Result<(), Problem> {
        if depth >= DEEPEST {
            return Err(Problem::new(
                format!("`include_dir {}` is nested too deeply", directory.display()),
                "remove a circle of `include_dir`",
            ));
        }
        let entries = fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
        let mut files: Vec<_> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "conf")
            })
            .collect();
        files.sort();
        files
            .iter()
            .try_for_each(|file| self.include(file, depth.saturating_add(1)))
    }
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1")
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(
        format!("could not read `{}`: {error}", path.display()),
        "name the broker's configuration with --config, and run this as a user who may read it",
    )
}

/// Whom Mosquitto runs as when root starts it and nothing else is said.
pub(super) const USUAL_USER: &str = "mosquitto";

const DEEPEST: u8 = 8;
