//! Listeners, and the plugins that guard them.

use super::{ConfigReader, CurrentBlock, SettingOwner};
use crate::value;
use crate::{DiagnosticKind, ListenerConfig, OpenedBy, PluginConfig, Source, Sourced};

impl ConfigReader {
    pub(super) fn default(&mut self, at: &Source, opened: OpenedBy) -> usize {
        if let Some(index) = self.default_listener {
            if opened == OpenedBy::ByPort
                && let Some(listener) = self.config.listeners.get_mut(index)
            {
                listener.opened = opened;
                listener.at = at.clone();
            }
            return index;
        }
        let index = self.config.listeners.len();
        let listener = ListenerConfig::new(at.clone(), DEFAULT_PORT, None, opened);
        self.config.listeners.push(listener);
        self.default_listener = Some(index);
        index
    }

    pub(super) fn listener(
        &mut self,
        value: &str,
        at: &Source,
        block: &mut CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        let mut words = value.split(' ').filter(|word| !word.is_empty());
        let port = words.next().unwrap_or_default();
        let bind = words.next().filter(|word| !word.starts_with('#'));
        let number = if port == "0" {
            0
        } else {
            value::port("listener", port)?
        };
        if number == 0 && bind.is_none() {
            return Err(DiagnosticKind::BadValue {
                word: "listener".into(),
                value: value.into(),
                expected: "a port, or 0 and the path of a socket",
            });
        }
        block.listener = Some(self.config.listeners.len());
        let bind = bind.map(Into::into);
        let listener = ListenerConfig::new(at.clone(), number, bind, OpenedBy::ByListener);
        self.config.listeners.push(listener);
        Ok(())
    }

    pub(super) fn protocol(
        &mut self,
        value: &str,
        owner: SettingOwner,
        at: &Source,
    ) -> Result<(), DiagnosticKind> {
        match value {
            "mqtt" | "websockets" => {}
            "http_api" => {
                self.config.only_2_1.get_or_insert_with(|| at.clone());
            }
            _ => {
                return Err(DiagnosticKind::BadValue {
                    word: "protocol".into(),
                    value: value.into(),
                    expected: "`mqtt`, `websockets` or (2.1) `http_api`",
                });
            }
        }
        if let SettingOwner::Listener(index) = owner
            && let Some(listener) = self.config.listeners.get_mut(index)
        {
            listener.protocol = Some(Sourced::new(at, value.into()));
        }
        Ok(())
    }

    pub(super) fn load(&mut self, name: Option<&str>, path: &str, at: &Source) -> usize {
        self.config.plugins.push(PluginConfig {
            at: at.clone(),
            name: name.map(Into::into),
            options: Vec::new(),
            path: path.into(),
        });
        self.config.plugins.len().saturating_sub(1)
    }

    pub(super) fn guard(&mut self, owner: SettingOwner, plugin: Option<usize>) {
        if let Some(security) = self.config.security_of(owner) {
            security.plugins.extend(plugin);
        }
    }

    pub(super) fn plugin_use(
        &mut self,
        name: &str,
        block: &mut CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        let is_it = |plugin: &PluginConfig| plugin.name.as_deref() == Some(name);
        let listener = block
            .listener
            .filter(|index| Some(*index) != self.default_listener);
        let listener = listener.ok_or_else(|| DiagnosticKind::NoListener {
            word: "plugin_use".into(),
        })?;
        let plugin = self.config.plugins.iter().position(is_it);
        let plugin = plugin.ok_or_else(|| DiagnosticKind::NotLoaded { name: name.into() })?;
        block.plugin = Some(plugin);
        self.guard(SettingOwner::Listener(listener), Some(plugin));
        Ok(())
    }
}

/// Where Mosquitto listens when nothing is said.
const DEFAULT_PORT: u16 = 1883;
