//! Every behaviour end to end, on real brokers.

mod audit_chains;
mod crash;
mod crowd;
mod damage;
mod devicewise;
mod doctor;
mod enhanced;
mod host;
mod impact;
mod kaa;
mod matcher;
mod neighbours;
mod ownership;
mod passing;
mod readme;
mod rules;
mod samples;
mod speed;
mod store_files;
mod tenants;
mod tier0;
mod tls;
mod vwire;
mod who_asks;
mod who_may;
mod wills;
