//! Administrative acts and abuse, and what the oracle expects of them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use countersign_testkit::Cli;
use countersign_testkit::tools::Output;
use rusqlite::Connection;
use serde_json::Value;

use crate::certificates::{KNOWN, STRANGER};
use crate::driver::{Driver, GRACE};
use crate::rights::Rule;
use crate::timeline::Millis;
use crate::world::{ClientIds, Id, Kind, Who};

/// Runs commands one after the other, on a thread of its own.
pub struct Clerk {
    orders: Sender<(Vec<String>, Vec<u8>)>,
    results: Receiver<Output>,
    /// The act that is under way.
    busy: Option<Act>,
}

impl Clerk {
    /// One who administers this store.
    pub fn start(cli: Cli) -> Self {
        let (orders, taken) = channel::<(Vec<String>, Vec<u8>)>();
        let (given, results) = channel();
        thread::spawn(move || {
            for (args, stdin) in taken {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                if given.send(cli.run_with_stdin(&args, &stdin)).is_err() {
                    return;
                }
            }
        });
        Self {
            orders,
            results,
            busy: None,
        }
    }
}

/// An act, as far as the oracle must know of it.
#[derive(Clone, Debug)]
enum Act {
    /// Suspend or revoke.
    Stop(Id),
    Reactivate(Id),
    /// The secret is another, and sessions end.
    Renew(Id),
    /// The secret is another, and the old one holds on.
    Overlap(Id),
    Own(Id),
    Role,
    Mode(&'static str),
    Kick(String),
    Untie(Id),
    /// Deleted, or revoked for good.
    Remove(Id),
    /// Made again under the same name, or a new token in the place of another.
    Remake(Id),
    /// Nothing that the oracle must know of.
    Other,
}

impl Driver {
    /// What is done by the clock and not by chance.
    pub fn on_time(&mut self) {
        let now = self.now();
        if now > self.next_reload {
            self.next_reload = now + self.rng.u64(700..4_000);
            self.reload();
        }
        if now > self.next_act && self.clerk.busy.is_none() {
            self.next_act = now + self.rng.u64(100..700);
            self.act();
        }
        if now > self.next_abuse && self.clerk.busy.is_none() {
            self.next_abuse = now + self.rng.u64(6_000..14_000);
            self.abuse();
        }
    }

    fn act(&mut self) {
        let now = self.now();
        let id = self.rng.usize(..self.world.principals.len());
        let principal = &mut self.world.principals[id];
        let name = principal.name.clone();
        let is_credential = principal.kind == Kind::Credential;
        let can_stop = is_credential || principal.kind == Kind::Operator;
        let usable = *principal.usable.newest();
        let is_plain = is_credential
            && principal.base.len() == 1
            && !principal.slow
            && matches!(principal.client_ids, ClientIds::Any)
            && name.contains('@')
            && name != KNOWN;
        if principal.gone {
            self.remake(id);
            return;
        }
        match self.rng.u8(..18) {
            14 if is_plain => {
                principal.usable.begin(now, false);
                principal.gone = true;
                self.order(Act::Remove(id), &["credential", "delete", &name]);
            }
            15 if is_plain => {
                principal.usable.begin(now, false);
                principal.gone = true;
                self.order(
                    Act::Remove(id),
                    &["credential", "revoke", &name, "--reason", "stolen"],
                );
            }
            14..=16 if principal.kind == Kind::Token => {
                principal.usable.begin(now, false);
                principal.gone = true;
                self.order(Act::Remove(id), &["jwt", "revoke", &name]);
            }
            17 => {
                let id = format!("c-{}-{}", self.rng.u8(..25), self.rng.u8(..6));
                if !self
                    .sessions
                    .iter()
                    .any(|session| session.facts.client_id == id)
                {
                    self.order(Act::Other, &["clients", "release", &id]);
                }
            }
            0 | 1 if can_stop && usable => {
                principal.usable.begin(now, false);
                self.order(Act::Stop(id), &["credential", "suspend", &name]);
            }
            0..=4 if can_stop && !usable && !principal.gone => {
                principal.usable.begin(now, true);
                self.order(Act::Reactivate(id), &["credential", "reactivate", &name]);
            }
            2 if is_credential && !principal.slow && !principal.gone => {
                principal.secrets.begin(now, Vec::new());
                self.order(Act::Renew(id), &["credential", "rotate", &name]);
            }
            3 if can_stop && !principal.slow && !principal.gone => {
                principal.secrets.begin(now, Vec::new());
                self.order(Act::Renew(id), &["credential", "reset-password", &name]);
            }
            4 if is_credential && !principal.slow && !principal.gone => {
                self.order(
                    Act::Overlap(id),
                    &["credential", "rotate", &name, "--overlap", "1h"],
                );
            }
            5 | 6 if is_credential => self.deny_or_remove(id),
            7 => self.change_role(),
            8 | 9 => self.change_mode(),
            10 => self.kick(),
            11 if principal.kind == Kind::Thing => {
                if let ClientIds::FirstUse(tie) = &mut principal.client_ids {
                    tie.begin(now, None);
                }
                self.order(
                    Act::Untie(id),
                    &["thing", "untie", &name, "--tenant", "alpha"],
                );
            }
            12 if principal.kind == Kind::User => {
                self.order(Act::Other, &["user", "unlock", &name]);
            }
            13 => self.order(Act::Other, &["clients", "list"]),
            _ => {}
        }
    }

    /// What was deleted or revoked is made anew, with nothing of what it was.
    fn remake(&mut self, id: Id) {
        let now = self.now();
        let principal = &mut self.world.principals[id];
        let name = principal.name.clone();
        principal.secrets.begin(now, Vec::new());
        principal.own.begin(now, Vec::new());
        if principal.kind == Kind::Token {
            let issuer = [
                "--as",
                "boss@mail.test",
                "--role",
                "staff",
                "--whoami",
                "robot",
            ];
            let args = [["jwt", "create", "--tenant", "alpha"].as_slice(), &issuer].concat();
            self.order(Act::Remake(id), &args);
            return;
        }
        let Some((short, tenant)) = name.split_once('@') else {
            return;
        };
        let args = ["credential", "create", short, "--tenant", tenant];
        self.order(Act::Remake(id), &args);
    }

    fn deny_or_remove(&mut self, id: Id) {
        let now = self.now();
        let tails = ["/#", "/no/#", "/feed/+", "/t"];
        let principal = &mut self.world.principals[id];
        let Some(tenant) = principal.tenant else {
            return;
        };
        let name = principal.name.clone();
        let mut rules = principal.own.newest().clone();
        if rules.len() < 3 {
            let pattern = format!("{tenant}{}", tails[self.rng.usize(..tails.len())]);
            if rules.iter().any(|rule| rule.pattern == pattern) {
                return;
            }
            let allow = self.rng.bool();
            rules.push(Rule {
                allow,
                ..Rule::both(&pattern)
            });
            principal.own.begin(now, rules);
            let verb = if allow { "allow" } else { "deny" };
            self.order(Act::Own(id), &["credential", verb, &name, "both", &pattern]);
        } else {
            let gone = rules.remove(self.rng.usize(..rules.len()));
            principal.own.begin(now, rules);
            self.order(
                Act::Own(id),
                &["credential", "remove", &name, "both", &gone.pattern],
            );
        }
    }

    fn change_role(&mut self) {
        let now = self.now();
        let index = self.rng.usize(..self.world.roles.len());
        let role = &mut self.world.roles[index];
        let (name, tenant) = (role.name, role.tenant);
        let pattern = format!("{tenant}/no/#");
        let mut rules = role.rules.newest().clone();
        let before = rules.len();
        rules.retain(|rule| rule.pattern != pattern);
        let verb = if rules.len() == before {
            "deny"
        } else {
            "remove"
        };
        if verb == "deny" {
            rules.push(Rule {
                allow: false,
                ..Rule::both(&pattern)
            });
        }
        role.rules.begin(now, rules);
        self.order(
            Act::Role,
            &["role", verb, name, "--tenant", tenant, "both", &pattern],
        );
    }

    fn change_mode(&mut self) {
        let mode = ["required", "optional", "off"][self.rng.usize(..3)];
        let now = self.now();
        self.world.open_mode.begin(now, mode);
        self.order(
            Act::Mode(mode),
            &["tenant", "set", "open", "--authentication", mode],
        );
    }

    fn kick(&mut self) {
        let Some(session) = self.rng.choice(&self.sessions) else {
            return;
        };
        let id = session.facts.client_id.clone();
        self.order(Act::Kick(id.clone()), &["clients", "kick", &id]);
    }

    fn order(&mut self, act: Act, args: &[&str]) {
        self.event(format!("act begins: {}", args.join(" ")));
        let why = args.join(" ");
        for session in &mut self.sessions {
            let hit = match &act {
                Act::Stop(id)
                | Act::Reactivate(id)
                | Act::Renew(id)
                | Act::Untie(id)
                | Act::Remove(id)
                | Act::Remake(id) => session.who.contains(&Who::Principal(*id)),
                Act::Mode(_) => session.who.contains(&Who::Unauthenticated),
                Act::Kick(id) => session.facts.client_id == *id,
                Act::Overlap(_) | Act::Own(_) | Act::Role | Act::Other => false,
            };
            if hit {
                session.may_end = Some(why.clone());
            }
        }
        let mut args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        args.push("--json".to_owned());
        // The clerk lives as long as the run.
        let _ = self.clerk.orders.send((args, Vec::new()));
        self.clerk.busy = Some(act);
        self.count("acts");
    }

    /// Takes in what became of the act under way.
    pub fn hear_clerk(&mut self) {
        let Ok(output) = self.clerk.results.try_recv() else {
            return;
        };
        let Some(act) = self.clerk.busy.take() else {
            return;
        };
        self.event(format!("act ends: {act:?}, exit {:?}", output.code));
        let now = self.now();
        if output.code != Some(0) {
            self.act_failed(&act, &output);
            return;
        }
        let printed: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let secret = ["secret", "token"]
            .iter()
            .find_map(|key| printed[*key].as_str().map(str::to_owned));
        if let Some(secret) = &secret {
            self.world.secrets.push(secret.clone());
        }
        match act {
            Act::Stop(id) => {
                self.world.principals[id].usable.settle(now);
                self.end_sessions(now, "stopped", |who| *who == Who::Principal(id));
            }
            Act::Reactivate(id) => self.world.principals[id].usable.settle(now),
            Act::Renew(id) => {
                let secrets = &mut self.world.principals[id].secrets;
                // None held for a moment; the new one holds from its commit on.
                secrets.settle(now);
                secrets.begin(0, secret.into_iter().collect());
                secrets.settle(now);
                self.end_sessions(now, "its secret is gone", |who| *who == Who::Principal(id));
            }
            Act::Overlap(id) => {
                let secrets = &mut self.world.principals[id].secrets;
                let newest = secrets.newest().last().cloned();
                secrets.begin(now, newest.into_iter().chain(secret).collect());
                secrets.settle(now);
                // What was the older of two is gone at once.
                for session in &mut self.sessions {
                    if session.who.contains(&Who::Principal(id)) {
                        session.may_end = Some("an older secret ended".to_owned());
                    }
                }
            }
            Act::Own(id) => self.world.principals[id].own.settle(now + GRACE),
            Act::Role => {
                for role in &mut self.world.roles {
                    role.rules.settle(now + GRACE);
                }
            }
            Act::Mode(mode) => {
                self.world.open_mode.settle(now);
                if mode == "required" {
                    self.end_sessions(now, "its tenant closed", |who| *who == Who::Unauthenticated);
                }
            }
            Act::Remove(id) => {
                self.world.principals[id].usable.settle(now);
                self.end_sessions(now, "it is no more", |who| *who == Who::Principal(id));
                // A session of the old one is nobody's now, whoever takes the name.
                for who in self.holders.values_mut() {
                    if who.contains(&Who::Principal(id)) {
                        *who = vec![Who::Nobody];
                    }
                }
            }
            Act::Remake(id) => {
                let principal = &mut self.world.principals[id];
                principal.gone = false;
                principal.secrets.settle(now);
                principal.secrets.begin(0, secret.into_iter().collect());
                principal.secrets.settle(now);
                principal.own.settle(now);
                principal.usable.begin(now, true);
                principal.usable.settle(now);
                if let Some(jti) = printed["jti"].as_str() {
                    principal.name = jti.to_owned();
                }
            }
            Act::Kick(_) | Act::Other => {}
            Act::Untie(id) => {
                if let ClientIds::FirstUse(tie) = &mut self.world.principals[id].client_ids {
                    // Who came meanwhile may have tied it again.
                    tie.settle(now);
                }
            }
        }
    }

    /// An act that failed changed nothing, unless it is not known what it did.
    fn act_failed(&mut self, act: &Act, output: &Output) {
        let said = output.stderr.lines().next().unwrap_or_default().to_owned();
        self.event(format!("  it said: {said}"));
        self.count("acts that failed");
        if let Act::Remake(id) = act {
            // A revoked one keeps its name until it is deleted.
            let name = self.world.principals[*id].name.clone();
            self.order(Act::Other, &["credential", "delete", &name]);
        }
        if output.code.is_none() || said.contains("panicked") {
            self.fail("a command died", &format!("{act:?}: {output:?}"));
        }
    }

    /// Sessions of these, let in before now, must end.
    fn end_sessions(&mut self, now: Millis, why: &str, of: impl Fn(&Who) -> bool) {
        for session in &mut self.sessions {
            if session.sent <= now && session.who.iter().all(&of) && session.certificate.is_none() {
                session.may_end = Some(why.to_owned());
                session.must_end = Some((now + GRACE, why.to_owned()));
            }
        }
    }

    /// Something is done to the store or to the broker.
    fn abuse(&mut self) {
        match self.rng.u8(..8) {
            5 => self.remove_companions(),
            6 | 7 => self.corrupt_a_record(),
            0 | 1 => self.lock_the_store(),
            2 => self.restart(false),
            3 => self.restart(true),
            _ => self.move_the_store(),
        }
    }

    fn lock_the_store(&mut self) {
        self.event("the store is locked".to_owned());
        let time = Duration::from_millis(self.rng.u64(50..1_500));
        let store = self.site.cli.store().to_owned();
        self.disturbed_until = self.now() + u64::try_from(time.as_millis()).unwrap_or(0) + 1_000;
        thread::spawn(move || {
            let Ok(connection) = Connection::open(store) else {
                return;
            };
            if connection.execute_batch("BEGIN IMMEDIATE").is_ok() {
                thread::sleep(time);
                // What fails here is undone when the connection ends.
                let _ = connection.execute_batch("ROLLBACK");
            }
        });
    }

    fn restart(&mut self, hard: bool) {
        self.event(format!("the broker restarts, hard: {hard}"));
        if hard && let Err(error) = self.site.broker.kill_9() {
            self.fail("the broker can't be killed", &format!("{error:#}"));
        }
        let begun = self.now();
        if !hard {
            match self.site.broker.stop() {
                Ok(status) if status.success() => {}
                other => self.fail("the broker did not end well", &format!("{other:?}")),
            }
        }
        if let Err(error) = self.site.broker.restart() {
            self.fail("the broker does not start again", &format!("{error:#}"));
        }
        self.event(format!(
            "the broker is back after {} ms",
            self.now() - begun
        ));
        self.broker_was_down();
    }

    /// Moves the store away for a moment. What is in the log is written into
    /// the file first, so nothing is lost.
    fn move_the_store(&mut self) {
        self.event("the store is moved away".to_owned());
        let store = self.site.cli.store().to_owned();
        let away = store.with_extension("away");
        let checkpoint = Connection::open(&store)
            .and_then(|it| it.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
        if checkpoint.is_err() || std::fs::rename(&store, &away).is_err() {
            return;
        }
        let time = self.rng.u64(50..1_500);
        let end = self.now() + time;
        self.disturbed_until = end + 6_000;
        while self.now() < end {
            self.turn();
            self.step();
            thread::sleep(Duration::from_millis(3));
        }
        if let Err(error) = std::fs::rename(&away, &store) {
            self.fail("the store can't be put back", &format!("{error:#}"));
        }
        self.event("the store is back".to_owned());
    }

    /// Removes the files beside the store, when nothing is in them that the
    /// store does not hold.
    fn remove_companions(&mut self) {
        self.event("the store's companions are removed".to_owned());
        let store = self.site.cli.store().display().to_string();
        let checkpoint = Connection::open(&store)
            .and_then(|it| it.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
        if checkpoint.is_err() {
            return;
        }
        self.disturbed_until = self.now() + 6_000;
        for end in ["-wal", "-shm"] {
            // One that is not there is as good as removed.
            let _ = std::fs::remove_file(format!("{store}{end}"));
        }
    }

    /// Makes the record of one credential unreadable, for a moment.
    fn corrupt_a_record(&mut self) {
        let now = self.now();
        let id = self.rng.usize(..self.world.principals.len());
        let principal = &mut self.world.principals[id];
        if principal.gone || principal.kind != Kind::Credential {
            return;
        }
        let name = principal.name.clone();
        let set = |state: &str, name: &str| {
            let connection = Connection::open(self.site.cli.store()).ok()?;
            let sql = "UPDATE credential SET state = ?1 WHERE name = ?2";
            connection.busy_timeout(Duration::from_secs(2)).ok()?;
            let before: String = connection
                .query_row(
                    "SELECT state FROM credential WHERE name = ?1",
                    [name],
                    |row| row.get(0),
                )
                .ok()?;
            connection.execute(sql, [state, name]).ok()?;
            Some(before)
        };
        let Some(before) = set("Confused", &name) else {
            return;
        };
        // Whoever reads it meanwhile can't tell whether it may be used.
        principal.usable.begin(now, false);
        self.event(format!("the record of `{name}` is confused"));
        let end = self.now() + self.rng.u64(50..800);
        while self.now() < end {
            self.turn();
            self.step();
            thread::sleep(Duration::from_millis(3));
        }
        let connection = Connection::open(self.site.cli.store());
        let restored = connection.and_then(|connection| {
            connection.busy_timeout(Duration::from_secs(5))?;
            let sql = "UPDATE credential SET state = ?1 WHERE name = ?2";
            connection.execute(sql, [&before, &name])
        });
        if let Err(error) = restored {
            self.fail("a record can't be put right", &error.to_string());
        }
        let now = self.now();
        self.event(format!("the record of `{name}` is right again: {before}"));
        let usable = &mut self.world.principals[id].usable;
        usable.begin(now, before == "Active" || before == "Inactive");
        usable.settle(now + GRACE);
        for session in &mut self.sessions {
            if session.who.contains(&Who::Principal(id)) {
                session.may_end = Some("its record could not be read".to_owned());
            }
        }
    }

    /// Lets everything settle, asks what must hold at the end, and says whether
    /// nothing was found.
    pub fn conclude(&mut self) -> bool {
        while self.clerk.busy.is_some() {
            self.turn();
            thread::sleep(Duration::from_millis(1));
        }
        let end = self.now().max(self.disturbed_until) + GRACE + 500;
        while self.now() < end {
            self.turn();
            thread::sleep(Duration::from_millis(1));
        }
        self.all_right_logins_get_in();
        self.presence_is_true();
        self.audit_is_whole();
        self.nothing_is_told();
        let version = self.site.broker.version();
        println!(
            "hostile: {version}: {} ms, memory {} → at most {} KiB, {:?}",
            self.now(),
            self.baseline,
            self.peak,
            self.counts
        );
        println!(
            "hostile: {version}, seed {}: {} failures",
            self.seed, self.failures
        );
        self.failures == 0
    }

    fn all_right_logins_get_in(&mut self) {
        for id in 0..self.world.principals.len() {
            let principal = &self.world.principals[id];
            if !*principal.usable.newest() || principal.secrets.newest().is_empty() {
                continue;
            }
            if principal.kind == Kind::User {
                let name = principal.name.clone();
                self.site.cli.run(&["user", "unlock", &name]);
            }
            // Second factors take part as anything else; their codes of this half
            // minute may be used up.
            if self.world.principals[id].authenticator.is_some() {
                continue;
            }
            let end = self.now() + 20_000;
            let is_any = matches!(self.world.principals[id].client_ids, ClientIds::Any);
            let prefix = if self.world.principals[id].tenant == Some("gamma") {
                "ga-"
            } else {
                ""
            };
            let own = match &self.world.principals[id].client_ids {
                ClientIds::FirstUse(tie) => tie.newest().clone(),
                _ => is_any.then(|| format!("{prefix}at-the-end-{id}")),
            };
            loop {
                let before = self.counts.get("let in").copied();
                let mut facts = self.right_facts(id, own.clone());
                facts.will = None;
                let source = self.friendly();
                self.open(facts, source, None);
                while !self.attempts.is_empty() {
                    self.turn();
                    thread::sleep(Duration::from_millis(1));
                }
                if self.counts.get("let in").copied() > before {
                    break;
                }
                if self.now() > end {
                    let name = self.world.principals[id].name.clone();
                    self.fail("a right login does not get in", &name);
                    break;
                }
                thread::sleep(Duration::from_millis(200));
            }
        }
    }

    /// `clients list` shows who is connected, and nobody else.
    fn presence_is_true(&mut self) {
        let end = self.now() + 5_000;
        loop {
            self.turn();
            let listed = self.site.cli.run(&["clients", "list", "--json"]);
            let listed: Value = serde_json::from_str(&listed.stdout).unwrap_or_default();
            let mut ids: Vec<String> = listed
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|client| client["client_id"].as_str().map(str::to_owned))
                .collect();
            let mut ours: Vec<String> = self
                .sessions
                .iter()
                // These are secret, and listed as something else.
                .filter(|session| {
                    let id = &session.facts.client_id;
                    let others = ["dt_", "truck-", KNOWN, STRANGER];
                    !others.iter().any(|start| id.starts_with(start))
                })
                .map(|session| session.facts.client_id.clone())
                .collect();
            ids.retain(|id| {
                let unlisted = ["dt_", "app-id:", KNOWN, STRANGER];
                !unlisted.iter().any(|start| id.starts_with(start))
            });
            ids.sort();
            ours.sort();
            if ids == ours {
                return;
            }
            if self.now() > end {
                self.fail(
                    "presence is not true",
                    &format!("{ids:?} are listed, {ours:?} are here"),
                );
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn audit_is_whole(&mut self) {
        let output = self.site.cli.run(&["audit", "verify"]);
        if output.code != Some(0) {
            self.fail("the audit does not verify", &format!("{output:?}"));
        }
    }

    /// No secret stands anywhere; no callback panicked.
    fn nothing_is_told(&mut self) {
        let log = self.site.our_lines();
        let whole = self.site.broker.log();
        if let Some(line) = whole.lines().find(|line| line.contains("panic")) {
            self.fail("something panicked", line);
        }
        let store = self.site.cli.store().to_owned();
        let mut places = vec![("the broker's log".to_owned(), log.into_bytes())];
        for end in ["", "-wal"] {
            let path = format!("{}{end}", store.display());
            places.push((
                format!("the store{end}"),
                std::fs::read(path).unwrap_or_default(),
            ));
        }
        // One secret in each place is enough to know.
        for (place, bytes) in &places {
            for secret in self.world.secrets.clone() {
                let secret = secret.as_bytes();
                let at = bytes.windows(secret.len()).position(|part| part == secret);
                if let Some(at) = at {
                    let before = String::from_utf8_lossy(&bytes[at.saturating_sub(60)..at]);
                    let after = bytes.get(at + secret.len()..).unwrap_or_default();
                    let after = String::from_utf8_lossy(&after[..after.len().min(40)]);
                    let start = String::from_utf8_lossy(&secret[..5]);
                    let what = format!(
                        "in {place}: {before:?} SECRET({start}…, {} bytes) {after:?}",
                        secret.len()
                    );
                    self.fail("a secret is told", &what);
                    break;
                }
            }
        }
    }
}
