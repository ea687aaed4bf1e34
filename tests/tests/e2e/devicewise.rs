//! Rows D1–D45 and D47: deviceWISE's people, applications, things and tokens.

mod applications;
mod lockout;
mod second_factor;
mod tokens;
mod users;
