//! How long the service takes to show a page of much, and what memory it takes.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use countersign_core::audit::AuditEntry;
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::store::rows::PresenceRows as _;
use countersign_core::store::{AdminStore as _, AdminTransaction as _, GateStore as _, Intent};
use countersign_core::time::Timestamp;
use countersign_sqlite::SqliteStore;
use serde_json::Value;

use crate::act::{NO_BROKER, timed};
use crate::figure::{Figure, Quantity, Rounds};
use crate::kick::TIMES;
use crate::login::{self, TENANT};
use crate::rest::Rest;
use crate::scale::Scale;
use crate::store::{AT_ONCE, Devices, cli, file, read};

/// No broker runs; the sessions are those of one that seems to.
pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    let (count, folder) = (scale.listed, place.join("service"));
    let case = format!(
        "at most {} requests for a page of 100, each over a new connection; {count} credentials \
         and rows of the audit, {SESSIONS} sessions",
        scale.asked
    );
    let mut rounds = Rounds::begin("service", case);
    // A broker that is alive has its store open.
    let store = fill(&folder, count)?;
    let _alive = store.lock_broker(BROKER)?;
    let rest = Rest::start(&folder)?;
    let mut resident = vec![("memory, when it listens", rest.meter.resident()?)];
    let pages = pages(&rest, count)?;
    resident.push(("memory, all pages shown once", rest.meter.resident()?));
    for (title, path) in pages {
        let times = times(&rest, &path, scale.asked)?;
        rounds.push_times(NO_BROKER, &title, TIMES, &times);
    }
    resident.push(("memory, at the end", rest.meter.resident()?));
    for (title, value) in resident {
        rounds.push(NO_BROKER, title, RESIDENT, value);
    }
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        let goal = match figure.subject.starts_with(CONSOLE) {
            true => LONGEST_CONSOLE_PAGE,
            false => LONGEST_PAGE,
        };
        figure.goal = (figure.quantity.name == "p50").then_some(goal);
    }
    Ok(figures)
}

/// A store of this many credentials: one in a hundred is in a group, another one
/// suspended, the last ten are alone in another group and revoked, and those before them
/// in a third one, which is too large to be sorted for each page.
fn fill(folder: &Path, count: usize) -> Result<SqliteStore> {
    fs::create_dir_all(folder)?;
    let (hall, attic) = (GroupPath::parse(HALL)?, GroupPath::parse(ATTIC)?);
    let cellar = GroupPath::parse(CELLAR)?;
    let vary = |number: usize, credential: &mut Credential| {
        let (group, state) = match number % 100 {
            _ if number + RARE >= count => (Some(&attic), State::Revoked),
            _ if number + LATE >= count => (Some(&cellar), State::Inactive),
            0 => (Some(&hall), State::Inactive),
            1 => (None, State::Suspended),
            _ => (None, State::Inactive),
        };
        credential.groups = group.cloned().into_iter().collect();
        credential.state = state;
    };
    let devices = Devices {
        count,
        used: 0..0,
        have_passwords: false,
        have_roles: false,
    };
    devices.store_varied_in(folder, vary)?;
    read(&mut cli(folder, &format!("tenant create {SMALL}"))?)?;
    let of_small = format!("credential create device --tenant {SMALL}");
    read(&mut cli(folder, &of_small)?)?;

    let mut store = SqliteStore::open(file(folder))?;
    for first in (0..count).step_by(AT_ONCE) {
        let numbers = first..count.min(first + AT_ONCE);
        let rows: Vec<AuditEntry> = numbers.map(row).collect();
        store.begin(Intent::Write)?.commit(&rows, &[])?;
    }
    let mut transaction = store.begin(Intent::Write)?;
    for number in 0..SESSIONS.min(count) {
        transaction.put_presence(BROKER, &session(number)?)?;
    }
    transaction.commit(&[], &[])?;
    Ok(store)
}

/// The row of the audit that tells of the making of number `number`.
fn row(number: usize) -> AuditEntry {
    let time = Timestamp::from_millis(BEGUN + number as i64);
    AuditEntry::done(time, "cli:bench", "credential.create", login::name(number))
}

/// The session of number `number`.
fn session(number: usize) -> Result<Presence> {
    let name = login::name(number);
    let session = number as i64 + 1;
    Ok(Presence {
        session: SessionNumber(session),
        tie: ClientIdTie::of(&name),
        client_id: name.as_str().into(),
        username: Some(name.as_str().into()),
        credential: None,
        tenant: Some(TenantId::parse(TENANT)?),
        address: Some("192.0.2.1".into()),
        protocol: 4,
        connected_at: Timestamp::from_millis(BEGUN + session),
        authenticated: true,
        listener: Some(1883),
        stored: false,
    })
}

/// Title and path of all pages, each of which was shown once.
fn pages(rest: &Rest, count: usize) -> Result<Vec<(String, String)>> {
    let middle = login::name(count / 2);
    let mut pages = vec![("one credential".to_owned(), format!("credentials/{middle}"))];
    for (listing, rows) in [
        ("credentials", count),
        ("audit", count),
        ("clients", SESSIONS.min(count)),
    ] {
        let [half, last] = places(rest, listing, rows)?;
        for (part, after) in [
            ("first", String::new()),
            ("middle", format!("&after={half}")),
            ("last", format!("&after={last}")),
        ] {
            let path = format!("{listing}?limit=100{after}");
            pages.push((format!("{listing}, {part}"), path));
        }
    }
    let common: String = middle.chars().take(10).collect();
    for (title, filter) in [
        ("a prefix of 1,000 names", format!("prefix={common}")),
        ("a prefix of one name", format!("prefix={middle}")),
        ("the large tenant", format!("tenant={TENANT}")),
        ("the small tenant", format!("tenant={SMALL}")),
        ("the scheme of all", "scheme=basic".to_owned()),
        ("a group of one in 100", format!("group={HALL}")),
        ("a group of the last ten", format!("group={ATTIC}")),
        ("a group of the last 10,000", format!("group={CELLAR}")),
        (
            "an end that none has",
            "expires_before=2026-01-01T00:00:00Z".to_owned(),
        ),
        ("a state of one in 100", "state=Suspended".to_owned()),
        ("a state of the last ten", "state=Revoked".to_owned()),
    ] {
        let path = format!("credentials?limit=100&{filter}");
        rest.get(&path)?;
        pages.push((format!("credentials, {title}"), path));
    }
    let whole = format!("credentials?limit=1000&after={middle}");
    pages.push(("credentials, middle, 1,000 a page".to_owned(), whole));
    pages.extend(console(rest, &common, &middle)?);
    Ok(pages)
}

/// Title and path of the console's pages, each of which was shown once.
fn console(rest: &Rest, common: &str, name: &str) -> Result<Vec<(String, String)>> {
    let paths = [
        "/find".to_owned(),
        format!("/find?q={common}"),
        format!("/find?q={name}"),
        format!("/find?q={HALL}"),
        format!("/find?q={ATTIC}"),
        format!("/find?q={CELLAR}"),
        format!("/find?group={CELLAR}"),
        "/find?q=192.0.2.1".to_owned(),
        "/find?state=Suspended".to_owned(),
        "/find?state=Revoked".to_owned(),
        format!("/find?tenant={SMALL}"),
        format!("/credentials/{name}"),
        "/connected".to_owned(),
        format!("/connected?tenant={TENANT}"),
        format!("/why?name={name}"),
        format!("/why?name={name}&check=publish&topic={TENANT}/x"),
        "/refused".to_owned(),
        format!("/connectivity?tenant={TENANT}"),
        "/tenants".to_owned(),
        format!("/tenants/{TENANT}"),
        format!("/roles?tenant={TENANT}"),
        "/audit".to_owned(),
        "/people".to_owned(),
        "/brokers".to_owned(),
        "/bans".to_owned(),
        "/schemes".to_owned(),
        "/operators".to_owned(),
        "/tokens".to_owned(),
        "/jwts".to_owned(),
        "/issuers".to_owned(),
        "/authorities".to_owned(),
        "/other-brokers".to_owned(),
        "/followers".to_owned(),
        "/settings".to_owned(),
        format!("/applications?tenant={TENANT}"),
        format!("/things?tenant={TENANT}"),
        "/audit?span=all&actor=nobody".to_owned(),
        "/audit?span=all&address=192.0.2.1".to_owned(),
    ];
    let shown = paths.map(|path| {
        rest.get(&path)?;
        let title = path.replace(name, "NAME").replace(common, "PREFIX");
        Ok((format!("{CONSOLE}{title}"), path))
    });
    shown.into_iter().collect()
}

/// Goes through a listing of so many rows or some more, and says where its second half
/// begins and where its last rows do.
fn places(rest: &Rest, listing: &str, rows: usize) -> Result<[String; 2]> {
    let mut places: Vec<String> = Vec::new();
    loop {
        let after = places.last().map(|place| format!("&after={place}"));
        let path = format!("{listing}?limit=1000{}", after.unwrap_or_default());
        let part: Value = serde_json::from_str(&rest.get(&path)?)?;
        match part["next"].as_str() {
            Some(next) => places.push(next.to_owned()),
            None => break,
        }
    }
    ensure!(places.len() + 1 >= rows / 1_000, "{listing} lacks rows");
    let half = places.get(places.len() / 2).cloned();
    let (half, last) = (half.zip(places.pop())).context("there is one page alone")?;
    Ok([half, last])
}

/// How long requests for a page take, in milliseconds: so many, or as many as there is
/// time for.
fn times(rest: &Rest, path: &str, most: usize) -> Result<Vec<f64>> {
    let end = Instant::now() + LONGEST;
    let mut times = Vec::new();
    while times.len() < FEWEST || (times.len() < most && Instant::now() < end) {
        times.push(timed(|| rest.get(path))?);
        thread::sleep(PAUSE);
    }
    Ok(times)
}

const RESIDENT: Quantity = Quantity::maximum("resident", "MiB");

/// A page should not take longer at the median, in milliseconds.
const LONGEST_PAGE: f64 = 20.0;
/// Neither should one of the console.
const LONGEST_CONSOLE_PAGE: f64 = 100.0;
/// How titles of the console's pages begin.
const CONSOLE: &str = "console ";
const SESSIONS: usize = 100_000;
const FEWEST: usize = 3;
const LONGEST: Duration = Duration::from_secs(5);
/// The service takes no more than 500 requests a second from an address.
const PAUSE: Duration = Duration::from_millis(2);

const BROKER: &str = "bench";
const SMALL: &str = "small";
const HALL: &str = "plant.hall";
const ATTIC: &str = "attic";
const CELLAR: &str = "cellar";
const RARE: usize = 10;
const LATE: usize = 10_010;
/// 2026-01-01.
const BEGUN: i64 = 1_767_225_600_000;
