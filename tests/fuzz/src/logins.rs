//! CONNECT and AUTH, as a host hands them to the gate.

use countersign::{ConnectFacts, ConnectOutcome, Enhanced, Peer, TopicUse};

use crate::parts;
use crate::site::{PASSWORD, Site, with};

/// `FLAGS client-id username password address`. A name or password that is one
/// byte stands for a good one, so that logins succeed as well.
pub fn connect(data: &[u8]) {
    with(|site| {
        let mut fields = parts(data);
        let flags = fields.next().unwrap_or_default();
        let flag = |index: usize| flags.get(index).copied().unwrap_or_default();
        let client_id = fields.next().unwrap_or(b"c");
        let secret = site.secret.clone();
        let username = fields.next().map(good_name);
        let password = fields.next().map(|password| good_secret(password, &secret));
        let address = fields
            .next()
            .and_then(|part| std::str::from_utf8(part).ok());

        let mut facts = ConnectFacts::new(site.handle(), client_id);
        facts.username = username;
        facts.password = password;
        facts.address = address;
        facts.protocol = 3 + flag(0) % 3;
        facts.clean_start = flag(1) % 2 == 0;
        facts.listener = (flag(2) > 0).then_some(1883);
        let outcome = site.gate.connect(&facts);
        judge(site, &facts, &outcome, username, password);
        site.finish(facts.handle);
    });
}

/// The same with a method, and an answer to the challenge.
pub fn enhanced(data: &[u8]) {
    with(|site| {
        let mut fields = parts(data);
        let client_id = fields.next().unwrap_or(b"c");
        let username = fields.next().map(good_name);
        let secret = site.secret.clone();
        let password = fields.next().map(|password| good_secret(password, &secret));
        let method = match fields.next() {
            None | Some([]) => b"COUNTERSIGN-TOTP".as_slice(),
            Some(method) => method,
        };
        let mut facts = ConnectFacts::new(site.handle(), client_id);
        facts.username = username;
        facts.protocol = 5;
        let asked = Enhanced {
            method,
            data: password,
        };
        let outcome = site.gate.connect_enhanced(&facts, &asked);
        judge(site, &facts, &outcome, username, password);
        if let Some(answer) = fields.next() {
            let outcome = site.gate.resume(facts.handle, client_id, Some(answer));
            assert!(!is_admitted(&outcome), "nobody here has a second factor");
        }
        site.finish(facts.handle);
    });
}

/// Nobody is let in but with a name and its own secret; who is, stays behind
/// the wall; who is not, may do nothing.
fn judge(
    site: &mut Site,
    facts: &ConnectFacts<'_>,
    outcome: &ConnectOutcome,
    username: Option<&[u8]>,
    password: Option<&[u8]>,
) {
    let device = username == Some(b"dev1@acme") && password == Some(&site.secret);
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
    let peer = Peer {
        handle: facts.handle,
        client_id: Some(facts.client_id),
        username: name.as_deref().map(str::as_bytes),
        connected: true,
        ..Peer::default()
    };
    let mut may = |topic: &[u8]| {
        let usage = TopicUse::Publish {
            topic,
            qos: 0,
            retain: false,
        };
        site.gate.check(&peer, usage).is_allowed()
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
