//! Names and options.

use countersign::core::client_id::{ClientId, ClientIdRule};
use countersign::core::jwt::{TokenId, Whoami};
use countersign::core::name::{GroupPath, LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::scheme::Shape;

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
