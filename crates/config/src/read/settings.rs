//! What each setting does with its value.

use super::{ConfigReader, CurrentBlock, SettingOwner};
use crate::value::{first, port};
use crate::{Bridge, BrokerConfig, DiagnosticKind, OpenedBy, Security, Source, Sourced};

impl ConfigReader {
    pub(super) fn flag(
        &mut self,
        word: &str,
        owner: SettingOwner,
        value: bool,
        at: &Source,
    ) -> Result<(), DiagnosticKind> {
        let is_late = self.has_security && value;
        let config = &mut self.config;
        let listener = match owner {
            SettingOwner::Listener(index) => config.listeners.get_mut(index),
            SettingOwner::Bridge(_) | SettingOwner::Broker => None,
        };
        let place = match (word, listener) {
            ("allow_anonymous", None) => &mut config.global.allow_anonymous,
            ("allow_anonymous" | "listener_allow_anonymous", Some(listener)) => {
                &mut listener.security.allow_anonymous
            }
            ("check_retain_source", _) => &mut config.check_retain_source,
            ("connection_messages", _) => &mut config.connection_messages,
            ("per_listener_settings", _) if is_late => return Err(DiagnosticKind::TooLate),
            ("per_listener_settings", _) => &mut config.per_listener_settings,
            ("persistence" | "retained_persistence", _) => &mut config.persistence,
            ("require_certificate", Some(listener)) => &mut listener.require_certificate,
            ("use_identity_as_username", Some(listener)) => &mut listener.use_identity_as_username,
            ("use_subject_as_username", Some(listener)) => &mut listener.use_subject_as_username,
            ("use_username_as_clientid", Some(listener)) => &mut listener.use_username_as_clientid,
            (_, _) => return Ok(()),
        };
        *place = Some(Sourced::new(at, value));
        Ok(())
    }

    pub(super) fn once(
        &mut self,
        word: &str,
        owner: SettingOwner,
        value: &str,
        at: &Source,
    ) -> Result<(), DiagnosticKind> {
        let key = (owner, word.to_owned());
        if let Some(first) = self.once.get(&key) {
            return Err(DiagnosticKind::Twice {
                word: word.into(),
                first: first.clone(),
            });
        }
        self.once.insert(key, at.clone());
        let config = &mut self.config;
        if FILES.contains(&word) {
            let value = Sourced::new(at, value.into());
            config.files.push((word.into(), value));
        }
        match owner {
            SettingOwner::Bridge(index) => {
                if let Some(bridge) = config.bridges.get_mut(index) {
                    match word {
                        "local_clientid" => bridge.local_client_id = Some(value.into()),
                        "clientid" | "remote_clientid" => {
                            bridge.remote_client_id = Some(value.into());
                        }
                        _ => {}
                    }
                }
                return Ok(());
            }
            SettingOwner::Listener(index)
                if matches!(word, "certfile" | "psk_hint" | "tls_engine") =>
            {
                if let Some(listener) = config.listeners.get_mut(index) {
                    listener.tls = Some(at.clone());
                }
                return Ok(());
            }
            SettingOwner::Broker | SettingOwner::Listener(_) => {}
        }
        let file = Some(Sourced::new(at, value.into()));
        let Some(security) = config.security_of(owner) else {
            return Ok(());
        };
        match word {
            "acl_file" => security.acl_file = file,
            "password_file" => security.password_file = file,
            "psk_file" => security.psk_file = file,
            _ => {}
        }
        Ok(())
    }

    /// A text; `rest` is all of it, with the white space around it.
    pub(super) fn text(
        &mut self,
        word: &str,
        rest: &str,
        owner: SettingOwner,
        at: &Source,
        block: &mut CurrentBlock,
    ) -> Result<(), DiagnosticKind> {
        let value = rest.trim();
        match word {
            "bind_address" => {
                let index = self.default(at, OpenedBy::ByPort);
                block.listener.get_or_insert(index);
                if let Some(listener) = self.config.listeners.get_mut(index) {
                    listener.bind = Some(value.into());
                }
            }
            "connection" => {
                block.bridge = Some(self.config.bridges.len());
                self.config.bridges.push(Bridge {
                    at: at.clone(),
                    local_client_id: None,
                    name: first(value).into(),
                    remote_client_id: None,
                });
            }
            "include_dir" => return self.include(rest, at, block),
            "listener" => return self.listener(value, at, block),
            "persistent_client_expiration" => {
                self.config.persistent_client_expiration =
                    Some(Sourced::new(at, first(value).into()));
            }
            "auth_plugin" | "plugin" => {
                let owner = self
                    .secured(block)
                    .ok_or_else(|| DiagnosticKind::NoListener { word: word.into() })?;
                block.plugin = Some(self.load(None, rest, at));
                self.guard(owner, block.plugin);
            }
            "global_plugin" => {
                self.has_security = true;
                block.plugin = Some(self.load(None, rest, at));
                self.guard(SettingOwner::Broker, block.plugin);
            }
            "plugin_load" => {
                let (name, path) =
                    rest.trim_start_matches(' ')
                        .split_once(' ')
                        .ok_or_else(|| DiagnosticKind::BadValue {
                            word: word.into(),
                            value: value.into(),
                            expected: "a name and the plugin's path",
                        })?;
                block.plugin = Some(self.load(Some(name), path, at));
            }
            "plugin_use" => return self.plugin_use(value, block),
            "port" => {
                let port = port(word, first(value))?;
                let index = self.default(at, OpenedBy::ByPort);
                block.listener.get_or_insert(index);
                if let Some(listener) = self.config.listeners.get_mut(index) {
                    listener.port = port;
                }
            }
            "protocol" => return self.protocol(first(value), owner, at),
            "user" => {
                self.config.user = Some(Sourced::new(at, value.into()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl BrokerConfig {
    pub(super) fn security_of(&mut self, owner: SettingOwner) -> Option<&mut Security> {
        match owner {
            SettingOwner::Bridge(_) => None,
            SettingOwner::Broker => Some(&mut self.global),
            SettingOwner::Listener(index) => self
                .listeners
                .get_mut(index)
                .map(|listener| &mut listener.security),
        }
    }
}

/// Words that name a file without which a broker does not start.
const FILES: &[&str] = &[
    "acl_file",
    "cafile",
    "certfile",
    "crlfile",
    "dhparamfile",
    "keyfile",
    "password_file",
    "psk_file",
];
