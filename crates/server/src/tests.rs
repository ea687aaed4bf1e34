//! Tests over real sockets, a module for each part.

mod authentication;
mod brokers;
mod checks;
mod credentials;
mod hostile;
mod http;
mod nouns;
mod permissions;
mod slow;
mod store;
mod tenants;
