//! What the gate writes down off the host's thread: sessions that began and
//! ended, credentials that were used, refused logins, acts of the gate.
//!
//! The host's thread puts entries into the [`queue`]. The queue merges what
//! belongs together in a [`buffer`]. The [`writer`] takes all of it out, on a
//! thread of its own, and hands it to the store in batches.

mod buffer;
pub(crate) mod queue;
pub(crate) mod writer;
