//! Every behaviour end to end, on real brokers.

mod crash;
mod crowd;
mod host;
mod kaa;
mod samples;
mod tenants;
