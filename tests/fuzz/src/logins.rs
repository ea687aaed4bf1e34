//! CONNECT and AUTH, as a host hands them to the gate.

use countersign::{ClientRef, ConnectInfo, ConnectOutcome, Enhanced, TopicUse};

use crate::fixture::{Fixture, PASSWORD, with};
use crate::parts;

/// `FLAGS client-id username password address`. A name or password that is one
/// byte stands for a good one, so that logins succeed as well.
pub fn connect(data: &[u8]) {
    with(|fixture| {
        let mut fields = parts(data);
        let flags = fields.next().unwrap_or_default();
        let flag = |index: usize| flags.get(index).copied().unwrap_or_default();
        let client_id = fields.next().unwrap_or(b"c");
        let secret = fixture.secret.clone();
        let username = fields.next().map(good_name);
        let password = fields.next().map(|password| good_secret(password, &secret));
        let address = fields
            .next()
            .and_then(|part| std::str::from_utf8(part).ok());

        let mut info = ConnectInfo::new(fixture.handle(), client_id);
        info.username = username;
        info.password = password;
        info.address = address;
        info.protocol = 3 + flag(0) % 3;
        info.clean_start = flag(1) % 2 == 0;
        info.listener = (flag(2) > 0).then_some(1883);
        let outcome = fixture.gate.connect(&info);
        judge(fixture, &info, &outcome, username, password);
        fixture.finish(info.handle);
    });
}

/// The same with a method, and an answer to the challenge.
pub fn enhanced(data: &[u8]) {
    with(|fixture| {
        let mut fields = parts(data);
        let client_id = fields.next().unwrap_or(b"c");
        let username = fields.next().map(good_name);
        let secret = fixture.secret.clone();
        let password = fields.next().map(|password| good_secret(password, &secret));
        let method = match fields.next() {
            None | Some([]) => b"COUNTERSIGN-TOTP".as_slice(),
            Some(method) => method,
        };
        let mut info = ConnectInfo::new(fixture.handle(), client_id);
        info.username = username;
        info.protocol = 5;
        let asked = Enhanced {
            method,
            data: password,
        };
        let outcome = fixture.gate.connect_enhanced(&info, &asked);
        judge(fixture, &info, &outcome, username, password);
        if let Some(answer) = fields.next() {
            let outcome = fixture.gate.resume(info.handle, client_id, Some(answer));
            assert!(!is_admitted(&outcome), "nobody here has a second factor");
        }
        fixture.finish(info.handle);
    });
}

/// Nobody is let in but with a name and its own secret; who is, stays behind
/// the wall; who is not, may do nothing.
fn judge(
    fixture: &mut Fixture,
    info: &ConnectInfo<'_>,
    outcome: &ConnectOutcome,
    username: Option<&[u8]>,
    password: Option<&[u8]>,
) {
    let device = username == Some(b"dev1@acme") && password == Some(&fixture.secret);
    // E-mail addresses are folded.
    let folded = username.map(<[u8]>::to_ascii_lowercase);
    let user = folded.as_deref() == Some(b"boss@mail.test") && password == Some(PASSWORD);
    let name = match outcome {
        ConnectOutcome::Admitted { username } => {
            assert!(device || user, "let in with {username:?}");
            username.clone()
        }
        _ => None,
    };
    let client = ClientRef {
        handle: info.handle,
        client_id: Some(info.client_id),
        username: name.as_deref().map(str::as_bytes),
        connected: true,
        ..ClientRef::default()
    };
    let mut may = |topic: &[u8]| {
        let usage = TopicUse::Publish {
            topic,
            qos: 0,
            retain: false,
        };
        fixture.gate.check(&client, usage).is_allowed()
    };
    assert!(!may(b"other/x"), "the wall has a hole");
    assert_eq!(may(b"acme/x"), is_admitted(outcome));
}

fn is_admitted(outcome: &ConnectOutcome) -> bool {
    matches!(outcome, ConnectOutcome::Admitted { .. })
}

fn good_name(name: &[u8]) -> &[u8] {
    match name {
        [1] => b"dev1@acme",
        [2] => b"boss@mail.test",
        name => name,
    }
}

fn good_secret<'a>(given: &'a [u8], secret: &'a [u8]) -> &'a [u8] {
    match given {
        [1] => secret,
        [2] => PASSWORD,
        given => given,
    }
}
