//! Users, applications, things and tokens.

mod authorities;
mod certificates;
mod commands;
mod dynsec;
mod enhanced;
mod external;
mod issuers;
mod registrations;
mod renewals;
mod things;
mod tokens;
mod users;
