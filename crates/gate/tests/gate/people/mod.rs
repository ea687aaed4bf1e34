//! Users, applications, things and tokens.

mod authorities;
mod certificates;
mod commands;
mod enhanced;
mod external;
mod things;
mod tokens;
mod users;
