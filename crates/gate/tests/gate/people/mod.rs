//! Users, applications, things and tokens.

mod certificates;
mod commands;
mod enhanced;
mod external;
mod things;
mod tokens;
mod users;
