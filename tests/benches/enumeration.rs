//! How long it takes to refuse people, by what was wrong, at a broker and at the
//! service: nobody is to learn from the time what the answer does not say.
//!
//! `cargo bench -p countersign-tests --bench enumeration` prints a table. It
//! decides nothing. The artifacts are those that `cargo xtask test` built, or those that
//! `COUNTERSIGN_PLUGIN` and `COUNTERSIGN_CLI` name.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use countersign_testkit::{Connect, Version};
use countersign_tests::{ACCEPTED, Fixture, Login, REFUSED};

/// So many people of each kind, none of whom is asked twice in one column.
const EACH: u8 = 24;
/// So often each path of the service is asked for: fewer in all than one address may ask.
const LOOKS: usize = 64;
/// Less often than what hashing on the broker's own thread may take of it.
const PACE: Duration = Duration::from_millis(120);

fn main() {
    println!("| broker | what was wrong | median | 90 % |");
    println!("|---|---|---|---|");
    for version in Version::ALL {
        measure(version);
    }
    measure_service();
}

/// Pairs of requests of an administrator of `t1` that are told the same: of what belongs
/// to others, and of what there is not.
const UNSEEN: [(&str, &str); 6] = [
    ("/api/v1/tenants/t2", "/api/v1/tenants/t3"),
    (
        "/api/v1/tenants/t2/roles/all",
        "/api/v1/tenants/t3/roles/all",
    ),
    ("/api/v1/credentials/dev@t2", "/api/v1/credentials/dev@t3"),
    (
        "/api/v1/credentials/dev@t2/why",
        "/api/v1/credentials/dev@t3/why",
    ),
    (
        "/api/v1/users/jane@mail.test",
        "/api/v1/users/joan@mail.test",
    ),
    (
        "/api/v1/credentials?tenant=t2",
        "/api/v1/credentials?tenant=t3",
    ),
];

/// How long the service takes to say that there is no such thing, in turns.
fn measure_service() {
    let fixture = Fixture::start(Version::ALL[0]);
    for tenant in ["t1", "t2"] {
        fixture.tenant(tenant, &[]);
        fixture.role("all", tenant, &[&format!("{tenant}/#")]);
    }
    fixture.credential("dev", "t2");
    let jane = fixture.user("jane@mail.test", PASSWORD);
    fixture.grant(&jane, "t2", &["--role", "all"]);
    let (service, token) = (fixture.serve(), fixture.api_token("tenant:t1"));
    println!("| request | of others | there is none |");
    println!("|---|---|---|");
    for (others, none) in UNSEEN {
        let mut times = [others, none].map(|path| (path, Vec::new()));
        for _ in 0..LOOKS {
            for (path, times) in &mut times {
                let start = Instant::now();
                let (status, told) = service.ask("GET", path, Some(&token), None);
                times.push(start.elapsed());
                assert_eq!(status, 404, "{path}: {told}");
            }
        }
        let [of_others, of_none] = times.map(|(_, mut times)| {
            times.sort_unstable();
            times[LOOKS / 2]
        });
        println!("| `GET {others}` | {of_others:.1?} | {of_none:.1?} |");
    }
}

fn measure(version: Version) {
    let fixture = Fixture::start(version);
    // The first failure locks, so that the second column of each is locked.
    let lockout = [
        "settings",
        "set",
        "--lockout",
        "failures=1,step=1h,longest=1h",
    ];
    fixture.cli.json(&lockout);
    fixture.tenant("t1", &[]);
    fixture.role("all", "t1", &["t1/#"]);
    let person = |kind: &str, number: u8| {
        let user = fixture.user(&format!("{kind}{number}@mail.test"), PASSWORD);
        fixture.grant(&user, "t1", &["--role", "all"]);
        user
    };
    let wrong: Vec<Login> = (0..EACH)
        .map(|number| person("wrong", number).with_secret("another password"))
        .collect();
    let unknown: Vec<Login> = (0..EACH)
        .map(|number| Login {
            username: format!("nobody{number}@mail.test"),
            secret: PASSWORD.to_owned(),
        })
        .collect();
    let codeless: Vec<Login> = (0..EACH)
        .map(|number| {
            let user = person("codeless", number);
            fixture.enrol_and_confirm(&user);
            user
        })
        .collect();
    let right = person("right", 0);
    assert_eq!(right.connect("right").code(fixture.port()), ACCEPTED);
    for (what, logins) in [
        ("wrong password", &wrong),
        ("unknown address", &unknown),
        ("right password, no code", &codeless),
        ("locked", &wrong),
        ("locked, unknown address", &unknown),
    ] {
        let mut times: Vec<Duration> = (1..)
            .zip(logins)
            .map(|(number, login)| refusal(&fixture, login, number))
            .collect();
        times.sort_unstable();
        let at = |percent: usize| times[times.len() * percent / 100];
        println!("| {version} | {what} | {:.1?} | {:.1?} |", at(50), at(90));
    }
}

/// How long a refusal takes, from CONNECT to CONNACK.
fn refusal(fixture: &Fixture, login: &Login, number: u8) -> Duration {
    thread::sleep(PACE);
    let connect = Connect::v311(format!("c{number}"))
        .login(&login.username, &login.secret)
        .source(Ipv4Addr::new(127, 0, 1, number));
    let start = Instant::now();
    assert_eq!(connect.code(fixture.port()), REFUSED);
    start.elapsed()
}

const PASSWORD: &str = "correct horse battery";
