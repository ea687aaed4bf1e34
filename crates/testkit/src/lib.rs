//! What the tests of Countersign stand on: real brokers, a raw MQTT client,
//! Debian's own clients, the program `countersign` and the shared cases.
//!
//! - [`broker`] starts one of the three Mosquittos on a free port, [`rabbitmq`] a
//!   RabbitMQ, and [`postgres`] a PostgreSQL in a folder of its own.
//! - [`mqtt`] speaks MQTT 3.1.1 and 5.0, well-formed or not.
//! - [`tools`] runs other programs under a deadline, [`cli`] runs our own, and
//!   [`service`] lets it answer over HTTP.
//! - [`artifacts`] knows where plugin, program and brokers are.
//! - [`cases`] reads the cases that every implementation is held to.
//! - [`mod@store_suite`] is what every store must do, and [`memory_store`] does it
//!   as simply as can be.
//!
//! Everything here may panic: it runs in tests alone.

pub mod artifacts;
pub mod broker;
#[cfg(feature = "stores")]
pub mod cases;
pub mod cli;
#[cfg(feature = "stores")]
pub mod memory_store;
pub mod mqtt;
pub mod postgres;
pub mod rabbitmq;
pub mod service;
#[cfg(feature = "stores")]
pub mod store_suite;
pub mod token_issuer;
pub mod tools;

pub use broker::{Broker, Version};
pub use cli::Cli;
#[cfg(feature = "stores")]
pub use memory_store::MemoryStore;
pub use mqtt::{Client, Connect};
