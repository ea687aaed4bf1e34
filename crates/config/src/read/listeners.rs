//! Listeners, and the plugins that guard them.

use super::{Above, Owner, Reader};
use crate::value;
use crate::{FaultKind, Listener, Opened, Plugin, Source, Sourced};

impl Reader {
    pub(super) fn default(&mut self, at: &Source, opened: Opened) -> usize {
        if let Some(index) = self.default_listener {
            if opened == Opened::ByPort
                && let Some(listener) = self.config.listeners.get_mut(index)
            {
                listener.opened = opened;
                listener.at = at.clone();
            }
            return index;
        }
        let index = self.config.listeners.len();
        let listener = Listener::new(at.clone(), DEFAULT_PORT, None, opened);
        self.config.listeners.push(listener);
        self.default_listener = Some(index);
        index
    }

    pub(super) fn listener(
        &mut self,
        value: &str,
        at: &Source,
        above: &mut Above,
    ) -> Result<(), FaultKind> {
        let mut words = value.split(' ').filter(|word| !word.is_empty());
        let port = words.next().unwrap_or_default();
        let bind = words.next().filter(|word| !word.starts_with('#'));
        let number = if port == "0" {
            0
        } else {
            value::port("listener", port)?
        };
        if number == 0 && bind.is_none() {
            return Err(FaultKind::BadValue {
                word: "listener".into(),
                value: value.into(),
                expected: "a port, or 0 and the path of a socket",
            });
        }
        above.listener = Some(self.config.listeners.len());
        let bind = bind.map(Into::into);
        let listener = Listener::new(at.clone(), number, bind, Opened::ByListener);
        self.config.listeners.push(listener);
        Ok(())
    }

    pub(super) fn protocol(
        &mut self,
        value: &str,
        owner: Owner,
        at: &Source,
    ) -> Result<(), FaultKind> {
        match value {
            "mqtt" | "websockets" => {}
            "http_api" => {
                self.config.only_2_1.get_or_insert_with(|| at.clone());
            }
            _ => {
                return Err(FaultKind::BadValue {
                    word: "protocol".into(),
                    value: value.into(),
                    expected: "`mqtt`, `websockets` or (2.1) `http_api`",
                });
            }
        }
        if let Owner::Listener(index) = owner
            && let Some(listener) = self.config.listeners.get_mut(index)
        {
            listener.protocol = Some(Sourced {
                at: at.clone(),
                value: value.into(),
            });
        }
        Ok(())
    }

    pub(super) fn load(&mut self, name: Option<&str>, path: &str, at: &Source) -> usize {
        self.config.plugins.push(Plugin {
            at: at.clone(),
            name: name.map(Into::into),
            options: Vec::new(),
            path: path.into(),
        });
        self.config.plugins.len().saturating_sub(1)
    }

    pub(super) fn guard(&mut self, owner: Owner, plugin: Option<usize>) {
        if let Some(security) = self.config.security_of(owner) {
            security.plugins.extend(plugin);
        }
    }

    pub(super) fn plugin_use(&mut self, name: &str, above: &mut Above) -> Result<(), FaultKind> {
        let is_it = |plugin: &Plugin| plugin.name.as_deref() == Some(name);
        let listener = above
            .listener
            .filter(|index| Some(*index) != self.default_listener);
        let listener = listener.ok_or_else(|| FaultKind::NoListener {
            word: "plugin_use".into(),
        })?;
        let plugin = self.config.plugins.iter().position(is_it);
        let plugin = plugin.ok_or_else(|| FaultKind::NotLoaded { name: name.into() })?;
        above.plugin = Some(plugin);
        self.guard(Owner::Listener(listener), Some(plugin));
        Ok(())
    }
}

/// Where Mosquitto listens when nothing is said.
const DEFAULT_PORT: u16 = 1883;
