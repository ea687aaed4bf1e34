//! Brokers that use a store, as each describes itself when it starts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::TenantId;
use crate::options::Options;
use crate::time::Timestamp;

/// What services hold in place of a broker's name.
pub fn service_names() -> impl Iterator<Item = String> {
    (1..=MOST_SERVICES).map(|number| format!("countersign serve {number}"))
}

/// So many services use a store at once.
const MOST_SERVICES: u32 = 64;

/// What a broker wrote down about itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerRecord {
    /// Its name, which no other live broker of the store has.
    pub name: String,
    /// The machine that it runs on, where it tells.
    pub host: Option<String>,
    /// The version of the broker's software, where it tells.
    pub version: Option<String>,
    /// The version of Countersign in it; none where an earlier one did not tell.
    pub plugin_version: Option<String>,
    /// When it started, where it told.
    pub since: Option<Timestamp>,
    /// When it was last known to run.
    pub last_seen: Timestamp,
    /// What its options say of the places that clients arrive at, where it told.
    pub options: Option<ListenerOptions>,
}

/// What a broker's options say of the places that clients arrive at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ListenerOptions {
    /// The tenant of clients that name none.
    pub default_tenant: Option<TenantId>,
    /// The tenant that the commands of dynamic-security are about, where it takes them.
    pub dynsec_tenant: Option<TenantId>,
    /// The only tenant that each of these ports takes.
    pub listeners: BTreeMap<u16, TenantId>,
    /// The ports whose clients came through TLS.
    pub tls_listeners: Vec<u16>,
}

impl ListenerOptions {
    /// Those of a broker with these options.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        Self {
            default_tenant: options.default_tenant.clone(),
            dynsec_tenant: options.dynsec_tenant.clone(),
            listeners: options.listeners.clone(),
            tls_listeners: options.tls_listeners.clone(),
        }
    }

    /// The options as JSON, as stores keep them.
    #[must_use]
    pub fn to_json(&self) -> String {
        let written = Written {
            default_tenant: self.default_tenant.as_ref().map(ToString::to_string),
            dynsec_tenant: self.dynsec_tenant.as_ref().map(ToString::to_string),
            listeners: self
                .listeners
                .iter()
                .map(|(port, tenant)| (*port, tenant.to_string()))
                .collect(),
            tls_listeners: self.tls_listeners.clone(),
        };
        // Maps of texts and numbers can always be written.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// Returns [`ListenerOptionsError`] for anything else.
    pub fn parse(json: &str) -> Result<Self, ListenerOptionsError> {
        let tenant = |text: String| TenantId::parse(&text).map_err(|_| ListenerOptionsError);
        let written: Written = serde_json::from_str(json).map_err(|_| ListenerOptionsError)?;
        Ok(Self {
            default_tenant: written.default_tenant.map(tenant).transpose()?,
            dynsec_tenant: written.dynsec_tenant.map(tenant).transpose()?,
            listeners: written
                .listeners
                .into_iter()
                .map(|(port, text)| Ok((port, tenant(text)?)))
                .collect::<Result<_, ListenerOptionsError>>()?,
            tls_listeners: written.tls_listeners,
        })
    }
}

/// The form in which options are kept.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    default_tenant: Option<String>,
    /// Brokers of earlier versions write none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dynsec_tenant: Option<String>,
    listeners: BTreeMap<u16, String>,
    tls_listeners: Vec<u16>,
}

/// A text is not what a broker wrote down of its options.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the options of a broker")]
pub struct ListenerOptionsError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_read_back_as_they_were_written_and_nothing_else_is_read() {
        let options = Options::parse([
            ("store", "/s.db"),
            ("default_tenant", "acme"),
            ("listener_1884", "other"),
            ("tls_listeners", "8883,8884"),
        ]);
        let options = ListenerOptions::of(&options.unwrap());
        let json = options.to_json();
        assert_eq!(
            json,
            r#"{"default_tenant":"acme","listeners":{"1884":"other"},"tls_listeners":[8883,8884]}"#
        );
        assert_eq!(ListenerOptions::parse(&json), Ok(options));
        let options = Options::parse([("store", "/s.db"), ("dynsec_tenant", "acme")]);
        let options = ListenerOptions::of(&options.unwrap());
        assert_eq!(ListenerOptions::parse(&options.to_json()), Ok(options));
        let none = ListenerOptions::default();
        assert_eq!(ListenerOptions::parse(&none.to_json()), Ok(none));
        for other in [
            "",
            "{}",
            r#"{"default_tenant":"A.B","listeners":{},"tls_listeners":[]}"#,
            r#"{"default_tenant":null,"listeners":{"x":"acme"},"tls_listeners":[]}"#,
            r#"{"default_tenant":null,"listeners":{"1":"A.B"},"tls_listeners":[]}"#,
            r#"{"default_tenant":null,"listeners":{},"tls_listeners":[65536]}"#,
            r#"{"default_tenant":null,"listeners":{},"tls_listeners":[],"more":1}"#,
        ] {
            assert!(ListenerOptions::parse(other).is_err(), "{other}");
        }
    }
}
