//! Followers: what a centre tells them, and how a replica takes it.
//!
//! Triggers write down which objects changed (`object_change`), while there are
//! followers. A follower asks for all objects, page by page, and from then on for those
//! that changed since; each is told as it is when it is asked for. So an answer about
//! changes leads from one state of the centre to another, and a replica is always equal
//! to what its centre once was, as far as it may know it.

use crate::error::Fault;

mod asking;
mod difference;
mod hand_back;
mod news;
mod object;
mod refusals;
mod replica;
mod snapshot;
mod source;
mod taking;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::asking::ask;
pub(crate) use self::replica::check_is_none;
pub use self::snapshot::StagedSnapshot;

/// What is told makes no sense.
fn misfit(what: &str) -> Fault {
    Fault::Content(format!("{what} that the centre tells"))
}
