//! The acts on one credential, as data: what each says before it is done, and after.

use super::form::{Body, Form};

/// Something that can be done to a credential.
pub(super) struct Act {
    /// The last part of its address.
    pub(super) word: &'static str,
    /// The route of REST that does it.
    pub(super) path: &'static str,
    /// What its button says.
    pub(super) label: &'static str,
    /// What it does.
    pub(super) says: &'static str,
    /// Whether live sessions end.
    pub(super) ends_sessions: bool,
    /// What was done.
    pub(super) done: &'static str,
    /// The act that undoes it.
    pub(super) undo: Option<&'static str>,
    /// In which states it can be done.
    pub(super) states: &'static [&'static str],
    /// Whether there is no way back.
    pub(super) is_final: bool,
    /// Whether it makes a secret.
    pub(super) makes_secret: bool,
    /// What it is told.
    pub(super) body: Option<fn(&Form) -> Body>,
}

/// The act of this word.
pub(super) fn act(word: &str) -> Option<&'static Act> {
    ALL.iter().find(|act| act.word == word)
}

const UNUSUAL: Act = Act {
    word: "",
    path: "",
    label: "",
    says: "",
    ends_sessions: false,
    done: "",
    undo: None,
    states: LIVING,
    is_final: false,
    makes_secret: false,
    body: None,
};
const LIVING: &[&str] = &["Inactive", "Active", "Suspended"];

pub(super) static ALL: [Act; 6] = [
    Act {
        word: "suspend",
        path: "/api/v1/credentials/{name}/suspend",
        label: "Suspend",
        says: "It can't log in until it is reactivated.",
        ends_sessions: true,
        done: "It is suspended.",
        undo: Some("reactivate"),
        states: &["Inactive", "Active"],
        ..UNUSUAL
    },
    Act {
        word: "reactivate",
        path: "/api/v1/credentials/{name}/reactivate",
        label: "Reactivate",
        says: "It can log in again, with the secret it had.",
        done: "It is reactivated.",
        undo: Some("suspend"),
        states: &["Suspended"],
        ..UNUSUAL
    },
    Act {
        word: "rotate",
        path: "/api/v1/credentials/{name}/rotate",
        label: "Rotate the secret",
        says: "It is given a new secret, which is shown once. With an overlap the old one works for that long beside it; without one, its live sessions end.",
        makes_secret: true,
        body: Some(|form| {
            let body = Body::default().text("overlap", form.text("overlap"));
            if form.is_ticked("until_used") {
                return body.with("until_used", true);
            }
            body
        }),
        ..UNUSUAL
    },
    Act {
        word: "reset-password",
        path: "/api/v1/credentials/{name}/reset-password",
        label: "Replace all secrets",
        says: "All its secrets stop working, and it is given one new one, which is shown once; or the password that you choose.",
        ends_sessions: true,
        done: "It has the password that you chose.",
        makes_secret: true,
        body: Some(|form| Body::default().text("password", form.exact("password"))),
        ..UNUSUAL
    },
    Act {
        word: "untie",
        path: "/api/v1/credentials/{name}/untie",
        label: "Forget its client id",
        says: "It may come with another client id next time, where its rule ties it to the first.",
        done: "Its client id is forgotten.",
        ..UNUSUAL
    },
    Act {
        word: "revoke",
        path: "/api/v1/credentials/{name}/revoke",
        label: "Revoke",
        says: "It never logs in again. This can't be undone.",
        ends_sessions: true,
        done: "It is revoked, for good.",
        is_final: true,
        body: Some(|form| Body::default().text("reason", form.text("reason"))),
        ..UNUSUAL
    },
];
