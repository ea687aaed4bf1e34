//! Tokens of others' issuers as passwords, on real brokers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign_testkit::mqtt::{Answer, Connect};
use countersign_testkit::token_issuer::TokenIssuer;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Client, artifacts};
use countersign_tests::authority::Authority;
use countersign_tests::key_server::KeyServer;
use countersign_tests::service::Service;
use countersign_tests::{
    ACCEPTED, Fixture, PATIENCE, REFUSED_V5, is_kicked, on_every_broker, text, topics,
    topics_so_far, wait_until,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Adds an issuer of a tenant, whose tokens are for the tenant's name.
pub(crate) fn add(
    fixture: &Fixture,
    folder: &TempDir,
    tenant: &str,
    issuer: &TokenIssuer,
    more: &[&str],
) {
    let jwks = folder.path().join(format!("{tenant}.jwks.json"));
    std::fs::write(&jwks, issuer.jwks()).unwrap();
    let jwks = jwks.display().to_string();
    let known = [
        "issuer",
        "add",
        tenant,
        "--tenant",
        tenant,
        "--iss",
        "https://sso.example",
        "--jwks",
        &jwks,
        "--alg",
        "EdDSA",
        "--audience",
        tenant,
    ];
    fixture.cli.json(&[&known, more].concat());
}

/// The issuer of tenant `acme`.
fn shown(fixture: &Fixture) -> Value {
    fixture.cli.json(&["issuer", "show", "acme"])
}

/// What a token claims that lasts for so long.
pub(crate) fn claims(tenant: &str, subject: &str, lasts: Duration) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    json!({
        "iss": "https://sso.example", "aud": tenant, "sub": subject, "jti": format!("t-{subject}"),
        "exp": (now + lasts).as_secs(),
    })
}

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn connect(client_id: &str, username: &str, token: &str) -> Connect {
    Connect::v311(client_id).login(username, token)
}

on_every_broker! {
    fn a_token_of_an_issuer_logs_its_device_in_until_it_ends_or_is_revoked(version) {
        let folder = TempDir::new().unwrap();
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        fixture.tenant("beta", &[]);
        let [ours, theirs] = [1, 2].map(TokenIssuer::new);
        fixture.cli.json(&["role", "create", "more", "--tenant", "acme"]);
        fixture.cli.json(&["role", "deny", "more", "--tenant", "acme", "publish", "acme/no"]);
        fixture.credential("dev1", "acme");
        fixture.credential("dev2", "acme");
        add(&fixture, &folder, "acme", &ours, &["--role-claim", "roles", "--role-map", "operator=more"]);
        add(&fixture, &folder, "beta", &theirs, &[]);
        let mut observer = fixture.observer("#");
        let good = ours.sign(&claims("acme", "dev1", HOUR));
        let mut named = connect("one", "dev1@acme", &good).accepted(fixture.port());
        let mut with_role = claims("acme", "dev1", HOUR);
        with_role["roles"] = json!(["operator"]);
        let with_role = ours.sign(&with_role);
        let mut nameless = connect("two", "jwt", &with_role).accepted(fixture.port());
        named.publish("acme/one", "x", 1, false).unwrap();
        // A role that denies, by a word of the token.
        nameless.publish("acme/no", "x", 1, false).unwrap();
        nameless.publish("acme/two", "x", 1, false).unwrap();
        named.publish("acme/no", "x", 1, false).unwrap();
        let mut topics = topics_so_far(&mut observer);
        topics.sort();
        assert_eq!(topics, ["acme/no", "acme/one", "acme/two"]);
        for (username, token) in [
            ("dev2@acme", &good),
            ("jwt", &theirs.sign(&claims("acme", "dev1", HOUR))),
            ("jwt", &theirs.sign(&claims("beta", "dev1@acme", HOUR))),
            ("jwt", &ours.sign(&claims("acme", "nobody", HOUR))),
            ("jwt", &ours.sign(&claims("other", "dev1", HOUR))),
        ] {
            assert_eq!(connect("bad", username, token).code(fixture.port()), Some(5), "{username}");
        }
        // The program says the same, and whose token it was.
        let check = ["check", "connect", "--username", "jwt", "--client-id", "one"];
        let answer = fixture.cli.json_with_stdin(&[&check[..], &["--password-stdin"]].concat(), good.as_bytes());
        assert_eq!((&answer["reason"], &answer["issuer"]), (&json!("ok"), &json!("acme")));
        // A reload asks again about all, and ends none.
        fixture.broker.reload().unwrap();
        nameless.publish("acme/after", "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/after"]);
        fixture.cli.json(&["issuer", "revoke", "acme", "t-dev1"]);
        for mut session in [named, nameless] {
            wait_until("the session ended", || !session.is_alive());
        }
        assert_eq!(connect("one", "jwt", &good).code(fixture.port()), Some(5));
        let short = ours.sign(&claims("acme", "dev2", HOUR));
        let mut short = connect("three", "jwt", &short).accepted(fixture.port());
        clock.set(HOUR + Duration::from_secs(1));
        fixture.broker.wait_for_log("ended the session of `dev2@acme` (three): expired", PATIENCE).unwrap();
        wait_until("the session ended", || !short.is_alive());
    }

    fn keys_are_fetched_from_where_an_issuer_publishes_them_and_the_last_good_ones_stay(version) {
        let authority = Authority::new();
        let server = KeyServer::start(&authority);
        let [first, second] = [1, 2].map(TokenIssuer::new);
        server.publish(&first.jwks());
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        fixture.credential("dev1", "acme");
        let url = format!("https://{}/keys", server.address);
        let add = |name: &str, url: &str, more: &[&str]| {
            let known = [
                "issuer", "add", name, "--tenant", "acme", "--iss", "https://sso.example",
                "--jwks-url", url, "--alg", "EdDSA", "--audience", name,
            ];
            fixture.cli.json(&[&known, more].concat())
        };
        let added = add("acme", &url, &["--allow-private"]);
        assert_eq!((&added["keys"], &added["fetched_at"]), (&json!([]), &Value::Null));
        let lasting = claims("acme", "dev1", 30 * 24 * HOUR);
        let [old, new] = [&first, &second].map(|issuer| issuer.sign(&lasting));
        assert_eq!(connect("one", "jwt", &old).code(fixture.port()), Some(5));
        fixture.wait_for_cause("jwt", "keys-outdated");
        let alone = fixture.cli.refused(&["issuer", "refresh", "acme"]);
        assert!(alone.contains("no `countersign serve` runs"), "{alone}");
        let _service = Service::start_trusting(&fixture.cli, &authority.path("ca.crt")).unwrap();
        // It begins by itself.
        wait_until("keys were fetched", || shown(&fixture)["fetched_at"].is_string());
        assert_eq!(shown(&fixture)["keys"][0]["kid"], "key-1");
        let mut session = connect("one", "jwt", &old).accepted(fixture.port());

        // Other keys, for which somebody asks.
        server.publish(&second.jwks());
        let refreshed = fixture.cli.json(&["issuer", "refresh", "acme"]);
        assert_eq!(refreshed["keys"], json!([{ "kid": "key-2", "alg": "EdDSA" }]));
        let mut other = connect("two", "jwt", &new).accepted(fixture.port());
        assert_eq!(connect("three", "jwt", &old).code(fixture.port()), Some(5));
        assert!(session.is_alive(), "its token counts until it ends");

        // Whatever else is there, the last good ones stay.
        let good = shown(&fixture)["fetched_at"].clone();
        let asked = server.requests();
        let long = "x".repeat(70_000);
        for (answer, told) in [
            (format!("302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"), "redirects are not followed"),
            ("503 Busy\r\nContent-Length: 0\r\n\r\n".into(), "it answered 503"),
            (format!("200 OK\r\nContent-Length: 70000\r\n\r\n{long}"), "longer than 65536 bytes"),
            (format!("200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11170\r\n{long}\r\n0\r\n\r\n"), "longer than 65536 bytes"),
            ("200 OK\r\nContent-Length: 6\r\n\r\n<html>".into(), "it is no JWK Set"),
            ("200 OK\r\nContent-Length: 9\r\n\r\n{}".into(), "the answer is broken"),
            ("".into(), "the answer is broken"),
        ] {
            server.answer(&answer);
            let refused = fixture.cli.refused(&["issuer", "refresh", "acme"]);
            assert!(refused.contains(told), "{refused}");
            let kept = shown(&fixture);
            assert_eq!((&kept["keys"], &kept["fetched_at"]), (&refreshed["keys"], &good));
            assert!(text(&kept, "problem").contains(told), "{kept}");
        }
        assert_eq!(server.requests() - asked, 7, "none was led elsewhere");
        drop(server);
        let refused = fixture.cli.refused(&["issuer", "refresh", "acme"]);
        assert!(refused.contains("it can't be reached"), "{refused}");
        drop(connect("four", "jwt", &new).accepted(fixture.port()));

        // A private address where that was not said, and one that nobody vouches for.
        let strange = Authority::new();
        let strange = KeyServer::start(&strange);
        strange.publish(&first.jwks());
        let strange = format!("https://{}/keys", strange.address);
        add("private", &strange, &[]);
        let refused = fixture.cli.refused(&["issuer", "refresh", "private"]);
        assert!(refused.contains("127.0.0.1 is a private address"), "{refused}");
        add("strange", &strange, &["--allow-private"]);
        let refused = fixture.cli.refused(&["issuer", "refresh", "strange"]);
        assert!(refused.contains("TLS failed"), "{refused}");

        // They count for a week.
        clock.set(7 * 24 * HOUR + Duration::from_secs(60));
        assert_eq!(connect("five", "jwt", &new).code(fixture.port()), Some(5));
        fixture.wait_for_cause("jwt", "keys-outdated");
        assert!(session.is_alive() && other.is_alive());
    }

    fn an_issuer_registers_devices_and_none_again_that_was_deleted(version) {
        let folder = TempDir::new().unwrap();
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let issuer = TokenIssuer::new(1);
        fixture.cli.json(&["role", "create", "meter", "--tenant", "acme"]);
        fixture.cli.json(&["role", "deny", "meter", "--tenant", "acme", "publish", "acme/no"]);
        add(&fixture, &folder, "acme", &issuer, &["--auto-register", "--role", "meter", "--max", "2"]);
        let mut observer = fixture.observer("#");
        let comes = |name: &str| connect(name, "jwt", &issuer.sign(&claims("acme", name, HOUR)));
        let mut first = comes("new1").accepted(fixture.port());
        first.publish("acme/no", "x", 1, false).unwrap();
        first.publish("acme/new1", "x", 1, false).unwrap();
        assert_eq!(topics_so_far(&mut observer), ["acme/new1"], "it has the role, which denies");
        let shown = fixture.cli.json(&["credential", "show", "new1@acme"]);
        assert_eq!(shown["roles"], json!(["meter"]));
        assert_eq!(comes("a/b").code(fixture.port()), Some(5));
        fixture.cli.json(&["credential", "delete", "new1@acme"]);
        wait_until("the session ended", || !first.is_alive());
        let token = issuer.sign(&claims("acme", "new1", HOUR));
        assert_eq!(connect("new1", "new1@acme", &token).code(fixture.port()), Some(5));
        fixture.wait_for_cause("new1@acme", "revoked");
        // It had its place, and has it still: the second is the last.
        drop(comes("new2").accepted(fixture.port()));
        assert_eq!(comes("new3").code(fixture.port()), Some(5));
        let forgotten = fixture.cli.json(&["issuer", "forget", "acme", "new1"]);
        assert_eq!(forgotten, json!({ "forgotten": "new1@acme" }));
        assert_eq!(comes("new1").code(fixture.port()), Some(5), "it has no place any more");
        fixture.credential("new1", "acme");
        drop(comes("new1").accepted(fixture.port()));
        assert_eq!(fixture.cli.json(&["issuer", "show", "acme"])["registered"], 2);
    }

    fn a_token_by_a_method_of_mqtt_5_logs_its_device_in(version) {
        let folder = TempDir::new().unwrap();
        let fixture = Fixture::start(version);
        fixture.tenant("acme", &[]);
        let issuer = TokenIssuer::new(1);
        add(&fixture, &folder, "acme", &issuer, &[]);
        let device = fixture.credential("dev1", "acme");
        let good = issuer.sign(&claims("acme", "dev1", HOUR));
        let by = |method: &str, data: &str| {
            Connect::v5("one").authentication(method, Some(data.as_bytes()))
        };
        for method in ["OAUTH2-JWT", "CUSTOM-JWT"] {
            let mut client = by(method, &good).accepted(fixture.port());
            assert!(client.publish("acme/one", "x", 1, false).unwrap() < 0x80);
        }
        // A client that others wrote hears its method again.
        let wrong = TokenIssuer::new(2).sign(&claims("acme", "dev1", HOUR));
        let mut observer = fixture.observer("#");
        let paho = |token: &str| {
            let script = artifacts::workspace().join("tests/python/method.py");
            let port = fixture.port().to_string();
            let python = Tool::new(artifacts::python("python").unwrap()).args([&script]);
            let python = python.args([&port, "two", "OAUTH2-JWT", "acme/paho"]);
            let told = python.stdin(token).run(PATIENCE).unwrap();
            told.stdout.trim().to_owned()
        };
        assert_eq!(paho(&good), "0 OAUTH2-JWT");
        assert_eq!(topics_so_far(&mut observer), ["acme/paho"]);
        assert!(paho(&wrong).starts_with("135 "));
        for (connect, code) in [
            (by("OAUTH2-JWT", &wrong), REFUSED_V5),
            (by("OAUTH2-JWT", &device.secret).username(&device.username), REFUSED_V5),
            (by("OAUTH2-JWT", &good).username("dev2@acme"), REFUSED_V5),
            (by("JWT", &good), Some(0x8c)),
        ] {
            assert_eq!(connect.code(fixture.port()), code);
        }
        let mut client = by("OAUTH2-JWT", &good).accepted(fixture.port());
        fixture.broker.reload().unwrap();
        assert!(client.publish("acme/after", "x", 1, false).unwrap() < 0x80);
        fixture.cli.json(&["issuer", "revoke", "acme", "t-dev1"]);
        wait_until("the session ended", || !client.is_alive());
        assert_eq!(by("OAUTH2-JWT", &good).code(fixture.port()), REFUSED_V5);
    }

    fn a_session_goes_on_with_a_new_token_and_ends_with_one_that_proves_nothing(version) {
        let folder = TempDir::new().unwrap();
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        let issuer = TokenIssuer::new(1);
        add(&fixture, &folder, "acme", &issuer, &[]);
        for name in ["dev1", "dev2"] {
            fixture.credential(name, "acme");
        }
        let port = fixture.port();
        let method = "OAUTH2-JWT";
        let by = |client_id: &str, token: &str| {
            let connect = Connect::v5(client_id).session_expiry(600);
            connect.authentication(method, Some(token.as_bytes())).accepted(port)
        };
        let first = issuer.sign(&claims("acme", "dev1", HOUR));
        let mut client = by("one", &first);
        assert_eq!(client.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
        let mut other = by("two", &issuer.sign(&claims("acme", "dev2", HOUR)));
        let second = issuer.sign(&claims("acme", "dev1", 2 * HOUR));
        client.auth(0x19, method, Some(second.as_bytes())).unwrap();
        let Answer::Auth(answer) = client.answer(PATIENCE).unwrap() else {
            panic!("the broker says nothing");
        };
        assert_eq!(answer.code, 0);
        clock.set(HOUR + Duration::from_secs(1));
        wait_until("who has the first token's end is ended", || !other.is_alive());
        assert!(client.publish("acme/on", "x", 1, false).unwrap() < 0x80);
        assert_eq!(topics(&mut client), ["acme/on"]);
        clock.set(2 * HOUR + Duration::from_secs(1));
        assert!(is_kicked(&mut client));

        // Whatever else it presents ends it, and takes nothing from whoever comes then.
        let third = issuer.sign(&claims("acme", "dev1", 4 * HOUR));
        let mut bystander = by("two", &issuer.sign(&claims("acme", "dev2", 4 * HOUR)));
        for wrong in [
            &first,
            &TokenIssuer::new(2).sign(&claims("acme", "dev1", 4 * HOUR)),
            &issuer.sign(&claims("acme", "dev2", 4 * HOUR)),
            &issuer.sign(&claims("other", "dev1", 4 * HOUR)),
            "",
        ] {
            let mut client = by("one", &third);
            client.auth(0x19, method, Some(wrong.as_bytes())).unwrap();
            assert!(is_kicked(&mut client), "{wrong}");
            let mut again = by("one", &third);
            assert_eq!(again.subscribe(&[("acme/#", 1)]).unwrap(), [1]);
            assert!(again.publish("acme/again", "x", 1, false).unwrap() < 0x80);
            assert_eq!(topics(&mut again), ["acme/again"]);
        }
        assert!(bystander.is_alive());
        let told = fixture.our_lines();
        for reason in ["expired", "bad-secret"] {
            let line = format!("ended the session of `dev1@acme` (one): {reason}");
            assert!(told.contains(&line), "{told}");
        }
    }

    fn a_thousand_sessions_and_whoever_comes_get_on_while_keys_change_and_wrong_tokens_flood(version) {
        let folder = TempDir::new().unwrap();
        let (fixture, clock) = Fixture::start_with_clock(version);
        fixture.tenant("acme", &[]);
        let [gone, kept, new, wrong] = [1, 2, 3, 4].map(TokenIssuer::new);
        let set = |name: &str, issuers: [&TokenIssuer; 2]| {
            let path = folder.path().join(name);
            std::fs::write(&path, TokenIssuer::jwks_of(&issuers)).unwrap();
            path.display().to_string()
        };
        add(&fixture, &folder, "acme", &gone, &[]);
        fixture.cli.json(&["issuer", "set", "acme", "--jwks", &set("before", [&gone, &kept])]);
        let devices = 20;
        for number in 0..devices {
            fixture.credential(&format!("dev{number}"), "acme");
        }
        let port = fixture.port();
        // Half of them by each key, whose tokens end at different times.
        let comes = |issuer: &TokenIssuer, number: u64, lasts: Duration| {
            let mut claims = claims("acme", &format!("dev{}", number % devices), lasts);
            claims["jti"] = json!(format!("{number}"));
            connect(&format!("c{number}"), "jwt", &issuer.sign(&claims))
        };
        let get_in = |connect: &Connect| {
            // Where there is no time for a signature, a device tries again.
            (0..100).find_map(|_| {
                let (client, answer) = connect.attempt(port).unwrap();
                (answer.code() == ACCEPTED).then_some(client)
            })
        };
        let mut sessions: Vec<_> = (0..1_000)
            .map(|number| {
                let (issuer, lasts) = if number % 2 == 0 { (&gone, HOUR) } else { (&kept, 2 * HOUR) };
                get_in(&comes(issuer, number, lasts)).unwrap()
            })
            .collect();
        let over = AtomicBool::new(false);
        let guesses = AtomicUsize::new(0);
        thread::scope(|scope| {
            // Each guess is signed anew, and comes from one of so many addresses.
            for flooder in 0..2_u64 {
                let (over, guesses, wrong, comes) = (&over, &guesses, &wrong, &comes);
                scope.spawn(move || {
                    for number in (flooder..).step_by(2) {
                        if over.load(Ordering::SeqCst) {
                            return;
                        }
                        let host = u8::try_from(number % 200).unwrap() + 20;
                        let guess = comes(wrong, 10_000 + number, HOUR).source([127, 0, 0, host].into());
                        let (_client, answer) = guess.attempt(port).unwrap();
                        assert_ne!(answer.code(), ACCEPTED);
                        guesses.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let mut longest = [Duration::ZERO; 2];
            let mut bystander = comes(&kept, 5_000, 3 * HOUR).accepted(port);
            let flooded = |least: usize| wait_until("they guess", || guesses.load(Ordering::SeqCst) >= least);
            flooded(50);
            for round in 0..20 {
                if round == 10 {
                    let after = set("after", [&kept, &new]);
                    fixture.cli.json(&["issuer", "set", "acme", "--jwks", &after]);
                }
                let issuer = if round < 10 { &gone } else { &new };
                longest[0] = longest[0].max(bystander.ping(PATIENCE).unwrap());
                let start = Instant::now();
                assert!(get_in(&comes(issuer, 6_000 + round, HOUR)).is_some(), "{round}");
                longest[1] = longest[1].max(start.elapsed());
            }
            flooded(guesses.load(Ordering::SeqCst) + 50);
            over.store(true, Ordering::SeqCst);
            let [ping, login] = longest;
            let count = guesses.load(Ordering::SeqCst);
            println!("{version}: {count} wrong tokens; longest ping {ping:?}, longest login {login:?}");
        });
        assert_ne!(comes(&gone, 7_000, HOUR).code(port), ACCEPTED, "its key is gone");
        assert!(sessions.iter_mut().all(Client::is_alive), "what was proved stays proved");
        clock.set(HOUR + Duration::from_secs(1));
        for (number, session) in sessions.iter_mut().enumerate() {
            if number % 2 == 0 {
                wait_until("its token is over", || !session.is_alive());
            } else {
                assert!(session.is_alive(), "{number}");
            }
        }
    }
}
