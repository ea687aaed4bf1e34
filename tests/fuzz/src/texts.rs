//! Names and options.

use std::path::PathBuf;
use std::sync::OnceLock;

use countersign::core::client_id::{ClientId, ClientIdRule};
use countersign::core::jwt::{TokenId, Whoami};
use countersign::core::name::{GroupPath, LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::scheme::Shape;
use countersign_config::BrokerConfig;

use crate::texts;

/// Options of the plugin, in pairs of name and value.
pub fn options(data: &[u8]) {
    let given: Vec<&str> = texts(data).collect();
    let pairs = given.chunks_exact(2).map(|pair| (pair[0], pair[1]));
    match Options::parse(pairs) {
        Ok(options) => assert!(!options.store.as_os_str().is_empty()),
        Err(error) => {
            // A line of a configuration file holds no control character.
            let plain = !given.iter().any(|text| text.contains(char::is_control));
            assert!(!plain || error.to_string().lines().count() == 1, "{error}");
        }
    }
}

/// A mosquitto.conf: it is read to its end, and each fault has words of its own.
pub fn config(data: &[u8]) {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| tempfile::tempdir().unwrap().keep().join("mosquitto.conf"));
    std::fs::write(file, data).unwrap();
    let Ok(config) = BrokerConfig::read(file) else {
        return;
    };
    for diagnostic in &config.diagnostics {
        assert!(!diagnostic.to_string().is_empty() && !diagnostic.kind.fix().is_empty());
    }
    for listener in config.listeners.iter().map(Some).chain([None]) {
        let _ = (
            config.allows_anonymous(listener),
            config.asked(listener).count(),
        );
    }
    for plugin in &config.plugins {
        let _ = (plugin.is_countersign(), plugin.is_storage(), plugin.file());
    }
}

/// Names: what is taken gives its text back, and keeps to what names may hold.
pub fn names(data: &[u8]) {
    for text in texts(data) {
        if let Ok(name) = LoginName::parse(text) {
            assert!((1..=255).contains(&name.as_str().len()));
            assert!(!name.as_str().chars().any(char::is_control), "{text:?}");
            assert!(!name.as_str().contains('#'), "{text:?}");
            drop(format!("{:?}", name.suffix()));
        }
        if let Ok(id) = ClientId::parse(text) {
            assert!(!id.as_str().contains(['+', '#', '\0']), "{text:?}");
        }
        if let Ok(tenant) = TenantId::parse(text) {
            assert_eq!(tenant.as_str(), text);
            assert!(!text.contains(['.', '/', '@']), "{text:?}");
        }
        if let Ok(rule) = ClientIdRule::parse(text) {
            assert!(ClientIdRule::parse(&rule.to_string()).is_ok_and(|again| again == rule));
        }
        if let Ok(shape) = Shape::parse(text) {
            let _ = shape.matches(text);
        }
        drop((
            GroupPath::parse(text),
            Whoami::parse(text),
            TokenId::parse(text),
        ));
    }
}
