//! Acts on one thing, as data: what each says before it is done, and after.

use serde_json::Value;

use super::ask::Ask;
use super::entry::{self, Entry};
use super::form::Form;
use super::pieces::text;
use super::secret::Secret;
use crate::problem::Problem;

/// Something that can be done to a thing.
pub(super) struct Act {
    /// The last part of its address.
    pub(super) word: &'static str,
    /// The route of REST that does it, and how that is asked.
    pub(super) path: &'static str,
    pub(super) how: fn(&'static str) -> Ask<'static>,
    /// What its button says.
    pub(super) label: &'static str,
    /// What it does.
    pub(super) says: &'static str,
    /// What it asks for.
    pub(super) asks: &'static [Entry],
    /// Whether live sessions end.
    pub(super) ends_sessions: bool,
    /// What was done.
    pub(super) done: &'static str,
    /// The act that undoes it; itself, with what was so before.
    pub(super) undo: Option<&'static str>,
    /// Whether it can be done to this one.
    pub(super) is_there: fn(&Value) -> bool,
    /// Whether there is no way back.
    pub(super) is_final: bool,
    /// Whether it is about many of them, and about no single one.
    pub(super) is_about_many: bool,
    /// Whether the thing is gone afterwards.
    pub(super) removes: bool,
    /// The secret that it makes.
    pub(super) secret: Option<Secret>,
}

impl Act {
    /// One that nothing special is said about.
    pub(super) const USUAL: Self = Self {
        word: "",
        path: "",
        how: Ask::post,
        label: "",
        says: "",
        asks: &[],
        ends_sessions: false,
        done: "",
        undo: None,
        is_there: |_| true,
        is_final: false,
        is_about_many: false,
        removes: false,
        secret: None,
    };

    /// The request that does what a form says.
    pub(super) fn ask(&self, said: &Form) -> Result<Ask<'static>, Problem> {
        let ask = (self.how)(self.path);
        if self.asks.is_empty() {
            return Ok(ask);
        }
        Ok(ask.body(entry::body(self.asks, said)?))
    }
}

/// The act of this word on a credential or an operator.
pub(super) fn act(word: &str) -> Option<&'static Act> {
    ALL.iter().find(|act| act.word == word)
}

const LIVING: fn(&Value) -> bool = |it| text(it, "state") != "Revoked";
/// For how long an old secret works beside the new one.
pub(super) const OVERLAP: Entry = Entry::choice("overlap", "The old secret works for", OVERLAPS);
const OVERLAPS: &[(&str, &str)] = &[
    ("", "not at all"),
    ("1h", "1 hour"),
    ("24h", "24 hours"),
    ("7d", "7 days"),
    ("30d", "30 days"),
];

pub(super) static ALL: [Act; 6] = [
    Act {
        word: "suspend",
        path: "/api/v1/credentials/{name}/suspend",
        label: "Suspend",
        says: "It can't log in until it is reactivated.",
        ends_sessions: true,
        done: "It is suspended.",
        undo: Some("reactivate"),
        is_there: |it| ["Inactive", "Active"].contains(&text(it, "state")),
        ..Act::USUAL
    },
    Act {
        word: "reactivate",
        path: "/api/v1/credentials/{name}/reactivate",
        label: "Reactivate",
        says: "It can log in again, with the secret it had.",
        done: "It is reactivated.",
        undo: Some("suspend"),
        is_there: |it| text(it, "state") == "Suspended",
        ..Act::USUAL
    },
    Act {
        word: "rotate",
        path: "/api/v1/credentials/{name}/rotate",
        label: "Rotate the secret",
        says: "It is given a new secret, which is shown once. With an overlap the old one works for that long beside it; without one, its live sessions end.",
        asks: &[
            OVERLAP,
            Entry::tick("until_used", "but only until the new one is used"),
        ],
        is_there: LIVING,
        secret: Some(Secret::NEW),
        ..Act::USUAL
    },
    Act {
        word: "reset-password",
        path: "/api/v1/credentials/{name}/reset-password",
        label: "Replace all secrets",
        says: "All its secrets stop working, and it is given one new one, which is shown once; or the password that you choose.",
        asks: &[Entry::password(
            "password",
            "A password of your own",
            "new-password",
        )],
        ends_sessions: true,
        done: "It has the password that you chose.",
        is_there: LIVING,
        secret: Some(Secret::NEW),
        ..Act::USUAL
    },
    Act {
        word: "untie",
        path: "/api/v1/credentials/{name}/untie",
        label: "Forget its client id",
        says: "It may come with another client id next time, where its rule ties it to the first.",
        done: "Its client id is forgotten.",
        is_there: LIVING,
        ..Act::USUAL
    },
    Act {
        word: "revoke",
        path: "/api/v1/credentials/{name}/revoke",
        label: "Revoke",
        says: "It never logs in again. This can't be undone.",
        asks: &[Entry::line("reason", "Why").hint("For those who look it up later.")],
        ends_sessions: true,
        done: "It is revoked, for good.",
        is_there: LIVING,
        is_final: true,
        ..Act::USUAL
    },
];
