//! The commands, one module for each group.

pub(crate) mod application;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod ban;
pub(crate) mod broker;
pub(crate) mod ca;
pub(crate) mod certificate;
pub(crate) mod check;
pub(crate) mod clients;
pub(crate) mod credential;
pub(crate) mod init;
pub(crate) mod jwt;
pub(crate) mod manual;
pub(crate) mod operator;
pub(crate) mod restore;
pub(crate) mod role;
pub(crate) mod scheme;
#[cfg(feature = "serve")]
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod taking;
pub(crate) mod tenant;
pub(crate) mod thing;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod why;
