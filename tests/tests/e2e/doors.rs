//! The doors of the service: what is done over HTTP as other systems have it done holds
//! for clients of MQTT.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_tests::Login;

mod devicewise;
mod impact;
mod kaa;
mod tier0;

/// How a user shows name and password.
fn basic(user: &Login) -> String {
    let pair = format!("{}:{}", user.username, user.secret);
    format!("Basic {}", STANDARD.encode(pair))
}
