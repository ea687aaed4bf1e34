//! The examples stand beside this file. `rumqttd` is a package of its own, so
//! that the hundred crates it needs are nobody else's.
