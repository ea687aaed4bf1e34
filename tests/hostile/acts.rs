//! Administrative acts and abuse, and what the oracle expects of them.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use countersign_testkit::Cli;
use countersign_testkit::tools::Output;
use serde_json::Value;

use crate::driver::{Driver, GRACE};
use crate::rights::Rule;
use crate::timeline::Millis;
use crate::world::{ClientIds, Id, KNOWN, Kind, Who};

/// Runs commands one after the other, on a thread of its own.
pub struct AdminWorker {
    orders: Sender<(Vec<String>, Vec<u8>)>,
    results: Receiver<Output>,
    /// The act that is under way.
    pub busy: Option<Act>,
}

impl AdminWorker {
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
pub enum Act {
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
        if now > self.next_act && self.admin_worker.busy.is_none() {
            self.next_act = now + self.rng.u64(100..700);
            self.act();
        }
        if now > self.next_abuse && self.admin_worker.busy.is_none() {
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
                    .any(|session| session.info.client_id == id)
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
        let id = session.info.client_id.clone();
        self.order(Act::Kick(id.clone()), &["clients", "kick", &id]);
    }

    /// On 2.0 a certificate is judged at its first use of a topic, so one that was
    /// let in before may stand for its credential from now on.
    pub fn may_be_vouched_for(&mut self, id: Id) {
        if id != self.world.certified || !self.fixture.broker.version().is_2_0() {
            return;
        }
        for session in &mut self.sessions {
            let who = Who::Principal(id);
            if session.certificate == Some(KNOWN) && !session.who.contains(&who) {
                session.who.push(who);
            }
        }
    }

    fn order(&mut self, act: Act, args: &[&str]) {
        self.event(format!("act begins: {}", args.join(" ")));
        if let Act::Reactivate(id) = act {
            self.may_be_vouched_for(id);
        }
        let why = args.join(" ");
        if let Act::Stop(id)
        | Act::Reactivate(id)
        | Act::Renew(id)
        | Act::Overlap(id)
        | Act::Untie(id)
        | Act::Remove(id)
        | Act::Remake(id) = &act
        {
            self.world.principals[*id].stirred = Millis::MAX;
        }
        if let Act::Mode(_) = &act {
            self.world.open_stirred = Millis::MAX;
        }
        for session in &mut self.sessions {
            let hit = match &act {
                Act::Stop(id)
                | Act::Reactivate(id)
                | Act::Renew(id)
                | Act::Untie(id)
                | Act::Remove(id)
                | Act::Remake(id) => session.who.contains(&Who::Principal(*id)),
                Act::Mode(_) => session.who.contains(&Who::Unauthenticated),
                Act::Kick(id) => session.info.client_id == *id,
                Act::Overlap(_) | Act::Own(_) | Act::Role | Act::Other => false,
            };
            if hit {
                session.may_end = Some(why.clone());
            }
        }
        let mut args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        args.push("--json".to_owned());
        // The admin worker lives as long as the run.
        let _ = self.admin_worker.orders.send((args, Vec::new()));
        self.admin_worker.busy = Some(act);
        self.count("acts");
    }

    /// Takes in what became of the act under way.
    pub fn hear_clerk(&mut self) {
        let Ok(output) = self.admin_worker.results.try_recv() else {
            return;
        };
        let Some(act) = self.admin_worker.busy.take() else {
            return;
        };
        self.event(format!("act ends: {act:?}, exit {:?}", output.code));
        let now = self.now();
        if self.world.open_stirred == Millis::MAX {
            self.world.open_stirred = now;
        }
        for principal in &mut self.world.principals {
            principal.stirred = if principal.stirred == Millis::MAX {
                now
            } else {
                principal.stirred
            };
        }
        if output.code != Some(0) {
            self.act_failed(&act, &output);
            return;
        }
        let printed: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let key = match &act {
            Act::Remake(id) if self.world.principals[*id].kind == Kind::Token => "token",
            _ => "secret",
        };
        let secret = printed[key].as_str().map(str::to_owned);
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
                // A session of the old one is nobody's now, whoever takes the name;
                // but one token of a bearer is as good as the next.
                let is_token = self.world.principals[id].kind == Kind::Token;
                for who in self.holders.values_mut() {
                    if who.contains(&Who::Principal(id)) && !is_token {
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
                // Who came meanwhile may have tied it again, or have come before.
                if let ClientIds::FirstUse(tie) = &mut self.world.principals[id].client_ids
                    && tie.newest().is_none()
                {
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
}
