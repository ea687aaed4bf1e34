//! The service: every administrative act of Countersign over HTTP.
//!
//! A route is data (`route`): what it reads, what it answers, and a function that
//! parses, makes a command of `countersign-admin`, runs it, and prints what comes back.
//! The same data make the OpenAPI document. Requests are read and answered by a few
//! threads of a runtime, which never wait for the store; commands run on a few others,
//! with a connection each (`workers`).

#![forbid(unsafe_code)]

mod answer;
mod app;
mod authenticate;
mod browser;
mod call;
mod conditional;
mod console;
mod counts;
mod door;
mod events;
mod fetch;
mod follow;
mod followers;
mod hook;
mod input;
mod key_fetcher;
mod listen;
mod machine_seal;
mod many;
mod metrics;
mod network;
mod openapi;
mod patience;
mod places;
mod problem;
mod rate;
mod rest;
mod route;
mod serve;
mod shape;
mod stats;
mod systemd;
mod tls;
mod told_seed;
mod trust;
mod visitors;
mod who;
mod workers;

pub use countersign_core::network::{Network, NetworkError};

pub use self::door::{Door, DoorError};
pub use self::follow::{
    CentreError, CentreUrl, CentreUrlError, FollowError, FollowNews, Following, Health, follow,
};
pub use self::serve::{Bound, Options, ServeError, bind};
pub use self::tls::{TlsError, TlsFiles};

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
