//! What must hold when all is quiet again.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::driver::{Driver, GRACE};
use crate::world::{ClientIds, KNOWN, Kind, STRANGER, Who};

impl Driver {
    /// Lets everything settle, asks what must hold at the end, and says whether
    /// nothing was found.
    pub fn conclude(&mut self) -> bool {
        while self.admin_worker.busy.is_some() {
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
        let version = self.fixture.broker.version();
        println!("hostile: {version}: {:?}", self.abuses);
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
        let mut missing = 0;
        for id in 0..self.world.principals.len() {
            if missing == 2 {
                // A third would say no more.
                return;
            }
            let principal = &self.world.principals[id];
            if !*principal.usable.newest() || principal.secrets.newest().is_empty() {
                continue;
            }
            if principal.kind == Kind::User {
                let name = principal.name.clone();
                self.fixture.cli.run(&["user", "unlock", &name]);
            }
            if principal.kind == Kind::Thing {
                // Of two ties it is not always known which one came last.
                let name = principal.name.clone();
                let untie = ["thing", "untie", &name, "--tenant", "alpha"];
                self.fixture.cli.run(&untie);
                for session in &mut self.sessions {
                    if session.who.contains(&Who::Principal(id)) {
                        session.may_end = Some("untied".to_owned());
                    }
                }
            }
            // Second factors take part as anything else; their codes of this half
            // minute may be used up.
            if self.world.principals[id].authenticator.is_some() {
                continue;
            }
            let end = self.now() + 60_000;
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
            if !is_any {
                // Others may have taken it while its owner was away.
                let taken = self.right_facts(id, own.clone()).client_id;
                self.fixture.cli.run(&["clients", "release", &taken]);
            }
            loop {
                let before = self.counts.get("let in").copied();
                let mut info = self.right_facts(id, own.clone());
                info.will = None;
                let source = self.friendly();
                self.open(info, source, None);
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
                    missing += 1;
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
            let listed = self.fixture.cli.run(&["clients", "list", "--json"]);
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
                    let id = &session.info.client_id;
                    let is_thing = session.who.iter().any(|who| match who {
                        Who::Principal(id) => self.world.principals[*id].kind == Kind::Thing,
                        _ => false,
                    });
                    let others = ["dt_", KNOWN, STRANGER];
                    !is_thing && !others.iter().any(|start| id.starts_with(start))
                })
                .map(|session| session.info.client_id.clone())
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
                let only = |a: &[String], b: &[String]| -> Vec<String> {
                    a.iter().filter(|id| !b.contains(id)).cloned().collect()
                };
                let twice = |all: &[String]| -> Vec<String> {
                    let pairs = all.windows(2).filter(|pair| pair[0] == pair[1]);
                    pairs.map(|pair| pair[0].clone()).collect()
                };
                let what = format!(
                    "listed and gone: {:?}, here and not listed: {:?}, listed twice: {:?}, here \
                     twice: {:?}",
                    only(&ids, &ours),
                    only(&ours, &ids),
                    twice(&ids),
                    twice(&ours)
                );
                self.fail("presence is not true", &what);
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn audit_is_whole(&mut self) {
        let output = self.fixture.cli.run(&["audit", "verify"]);
        if output.code != Some(0) {
            self.fail("the audit does not verify", &format!("{output:?}"));
        }
    }

    /// No secret stands anywhere; no callback panicked.
    fn nothing_is_told(&mut self) {
        let log = self.fixture.our_lines();
        let whole = self.fixture.broker.log();
        if let Some(line) = whole.lines().find(|line| line.contains("panic")) {
            self.fail("something panicked", line);
        }
        let store = self.fixture.cli.store().to_owned();
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
