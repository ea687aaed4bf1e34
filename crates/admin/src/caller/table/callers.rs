//! Who tries the commands of the table.

use countersign_core::api_token::ApiTokenId;

use super::furnished::{made_api_token, signed_in};
use super::*;

/// What sort of caller it is, as far as the table tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sort {
    Platform,
    Admin,
    GroupAdmin,
    Viewer,
    GroupViewer,
    Nobody,
}

/// The column of the table that a caller stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    sort: Sort,
    /// Whether it is a user who signed in, with things of their own.
    owns: bool,
    /// Whether it is a caller still.
    is_there: bool,
}

impl Column {
    pub(super) fn is_permitted(self, may: May) -> bool {
        use Sort::{Admin, GroupAdmin, GroupViewer, Platform, Viewer};
        let sorts: &[Sort] = match may {
            May::Platform => &[Platform],
            May::Admin => &[Platform, Admin],
            May::GroupAdmin => &[Platform, Admin, GroupAdmin],
            May::Viewer => &[Platform, Admin, Viewer],
            May::GroupViewer => &[Platform, Admin, GroupAdmin, Viewer, GroupViewer],
            May::Own => return self.owns,
            May::Any => return self.is_there,
        };
        sorts.contains(&self.sort)
    }
}

/// Every kind of caller, by every way to come.
pub(super) fn callers(fixture: &mut Fixture) -> Vec<(String, Authority, Column)> {
    let people = [
        ("a platform administrator", "pat", Sort::Platform),
        ("an administrator", JANE, Sort::Admin),
        (
            "a group's administrator",
            "gina@mail.test",
            Sort::GroupAdmin,
        ),
        ("a viewer", "vic@mail.test", Sort::Viewer),
        ("a group's viewer", "vera@mail.test", Sort::GroupViewer),
        (
            "another tenant's administrator",
            "joe@mail.test",
            Sort::Nobody,
        ),
        ("another tenant's viewer", "otto@mail.test", Sort::Nobody),
        ("a user with a role", "rolf@mail.test", Sort::Nobody),
        ("a user without a grant", "nina@mail.test", Sort::Nobody),
    ];
    let mut callers = Vec::new();
    let mut add = |name: String, authority, sort, owns| {
        let gone = ["a deleted", "a revoked", "before a reset", "that says"];
        let column = Column {
            sort,
            owns,
            is_there: !gone.iter().any(|it| name.contains(it)),
        };
        callers.push((name, authority, column));
    };
    add(
        "the platform".into(),
        Authority::Platform,
        Sort::Platform,
        false,
    );
    for (who, name, sort) in people {
        let name = login_name(name);
        let session = Authority::Session(id_of(fixture, &name));
        add(format!("a session of {who}"), session, sort, false);
        for with_session in [false, true] {
            let user = Authority::User(signed_in(fixture, &name, with_session));
            add(format!("{who}, signed in"), user, sort, true);
        }
        // A token is worth no more than its owner, whatever its scope says.
        for (scope, of_token) in [
            ("platform", Sort::Platform),
            ("tenant:acme", Sort::Admin),
            ("viewer:acme", Sort::Viewer),
            ("tenant:other", Sort::Nobody),
        ] {
            let token = made_api_token(fixture, scope, Some(&name));
            let sort = lesser(sort, of_token);
            add(format!("a token `{scope}` of {who}"), token, sort, false);
        }
        let mut stale = signed_in(fixture, &name, false);
        stale.generation = stale.generation.next();
        let stale = Authority::User(stale);
        // What is the user's own is asked for by name alone, and looked up again.
        add(
            format!("{who}, signed in before a reset"),
            stale,
            Sort::Nobody,
            false,
        );
    }
    for (scope, sort) in [
        ("platform", Sort::Platform),
        ("tenant:acme", Sort::Admin),
        ("viewer:acme", Sort::Viewer),
        ("tenant:other", Sort::Nobody),
        ("viewer:other", Sort::Nobody),
    ] {
        let token = made_api_token(fixture, scope, None);
        add(
            format!("a token `{scope}` of the platform"),
            token,
            sort,
            false,
        );
    }
    for (who, name) in [
        ("a device", "pump@acme"),
        ("a thing", "valve"),
        ("an operator", "root"),
    ] {
        let id = id_of(fixture, &login_name(name));
        let session = Authority::Session(id);
        add(who.into(), session, Sort::Nobody, false);
    }
    let operator = id_of(fixture, &login_name("root"));
    add(
        "an operator at the topic of dynamic-security".into(),
        Authority::Operator(operator),
        Sort::Platform,
        false,
    );
    let device = id_of(fixture, &login_name("pump@acme"));
    add(
        "a device that says it is an operator".into(),
        Authority::Operator(device),
        Sort::Nobody,
        false,
    );
    let gone = Authority::Session(CredentialId(9_999));
    add("a deleted caller".into(), gone, Sort::Nobody, false);
    let gone = Authority::Token(ApiTokenId(9_999));
    add("a revoked token".into(), gone, Sort::Nobody, false);
    callers
}

/// What is left of one sort of caller under the limits of another.
fn lesser(user: Sort, token: Sort) -> Sort {
    use Sort::{Admin, GroupAdmin, GroupViewer, Nobody, Platform, Viewer};
    match (user, token) {
        (Nobody, _) | (_, Nobody) => Nobody,
        (sort, Platform) => sort,
        (Platform | Admin, Admin) => Admin,
        (sort, Admin) => sort,
        (Platform | Admin | Viewer, _) => Viewer,
        (GroupAdmin | GroupViewer, _) => GroupViewer,
    }
}
