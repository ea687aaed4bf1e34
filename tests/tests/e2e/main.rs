//! Every behaviour end to end, on real brokers.

mod kaa;
mod tenants;
