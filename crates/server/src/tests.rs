//! Tests over real sockets, a module for each part.

mod authentication;
mod brokers;
mod bulk;
pub(crate) mod certificates_and_issuers;
mod checks;
mod credentials;
mod doors;
mod events;
mod followers;
mod hooks;
mod hostile;
mod http;
mod kaa_and_tier0;
mod metrics;
mod monitoring;
mod nouns;
mod permissions;
mod slow;
mod store;
mod tenants;
