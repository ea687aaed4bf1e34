//! The run: connections, the loop, and what happened so far.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use countersign_testkit::mqtt::{PUBACK, PUBCOMP, PUBREC, PUBREL, Packet, ack, auth};
use countersign_testkit::{Broker, Version};
use countersign_tests::Fixture;
use countersign_tests::authority::Authority;
use fastrand::Rng;

use crate::acts::AdminWorker;
use crate::packets::{ConnectInfo, TOTP};
use crate::timeline::Millis;
use crate::wire::Wire;
use crate::world::{KNOWN, STRANGER, Who, World};

/// From a commit to the end of a session: 250 ms are promised; the rest is for a
/// busy machine.
pub const GRACE: Millis = 250 + 4_750;

/// So late at most is something read that came.
pub const LAG: Millis = 1_500;

/// So late at most does a broker let in who left without an answer: on a busy machine it
/// reads the CONNECT long after, and behind newer ones.
const UNSEEN: Millis = 10_000;

/// A CONNECT that was not answered yet.
pub struct Attempt {
    pub wire: Wire,
    pub info: ConnectInfo,
    pub sent: Millis,
    /// Whether it can be read as a CONNECT at all.
    pub readable: bool,
    /// The name in its certificate.
    pub certificate: Option<&'static str>,
    /// Whether more than a CONNECT was sent.
    pub bent: bool,
    /// The message of its Will.
    pub will: Option<u64>,
    /// When it is given up.
    pub until: Millis,
}

/// A connection that was let in.
pub struct Session {
    pub wire: Wire,
    pub info: ConnectInfo,
    pub who: Vec<Who>,
    /// When its CONNECT was sent.
    pub sent: Millis,
    /// When its CONNACK was read.
    pub since: Millis,
    /// Why it may end.
    pub may_end: Option<String>,
    /// When it must have ended, and why.
    pub must_end: Option<(Millis, String)>,
    /// The name in its certificate.
    pub certificate: Option<&'static str>,
    pub subscribing: HashMap<u16, (String, Millis)>,
    pub publishing: HashMap<u16, (u64, Millis)>,
    pub next_id: u16,
    /// Whether it sent what breaks the protocol; its answers say nothing.
    pub bent: bool,
}

/// A connection that is not watched any more, and may have taken its client id
/// from another before.
pub struct Abandoned {
    pub client_id: String,
    pub who: Vec<Who>,
    pub certificate: Option<&'static str>,
    /// From whom it may take the id: whoever was let in before.
    pub until: Millis,
}

/// A message that was handed to the broker.
pub struct Published {
    pub topic: String,
    pub who: Vec<Who>,
    pub from: Millis,
    pub is_will: bool,
}

/// One run against one broker.
pub struct Driver {
    pub fixture: Fixture,
    pub seed: u64,
    pub rng: Rng,
    pub world: World,
    pub authority: Authority,
    /// Where this one's bridge leads to.
    _beyond: Broker,
    /// What 2.1's `http_api` answered.
    pub http: (Sender<String>, Receiver<String>),
    pub admin_worker: AdminWorker,
    pub attempts: Vec<Attempt>,
    pub sessions: Vec<Session>,
    pub published: HashMap<u64, Published>,
    /// Who may have taken which client id without waiting for the answer, and when.
    pub abandoned: VecDeque<Abandoned>,
    /// Who had a client id last.
    pub holders: HashMap<String, Vec<Who>>,
    /// Until when logins may be refused and sessions may end, for what was done
    /// to the store or the broker.
    pub disturbed_until: Millis,
    pub counts: BTreeMap<&'static str, u64>,
    pub next_reload: Millis,
    pub next_act: Millis,
    pub next_abuse: Millis,
    /// What was done to store and broker.
    pub abuses: Vec<String>,
    pub baseline: u64,
    pub peak: u64,
    start: Instant,
    events: VecDeque<String>,
    found: BTreeSet<String>,
    pub failures: u64,
}

impl Driver {
    /// Starts the broker and fills its store.
    pub fn start(version: Version, seed: u64) -> Result<Self> {
        println!("hostile: broker {version}, seed {seed}");
        let mut rng = Rng::with_seed(seed);
        let open_is_default = rng.bool();
        let beyond = Broker::builder(version)
            .line("allow_anonymous true")
            .start()?;
        let authority = Authority::new();
        for name in [KNOWN, STRANGER] {
            authority.sign(name);
        }
        let fixture = Fixture::start_with(version, |builder| {
            let mut builder = builder
                .persistent()
                .line("connection_messages false")
                .line("check_retain_source true")
                .line("connection beyond")
                .line(format!("address 127.0.0.1:{}", beyond.port()))
                .line("remote_clientid edge")
                .line("topic alpha/# out 1")
                .line("restart_timeout 1")
                .plugin_option("broker", "edge");
            if open_is_default {
                builder = builder.plugin_option("default_tenant", "open");
            }
            builder = builder
                .listener()
                .listener_line("protocol websockets")
                .listener();
            for line in authority.listener_lines() {
                builder = builder.listener_line(line);
            }
            builder = builder
                .listener_line("require_certificate true")
                .listener_line("use_identity_as_username true");
            if !version.is_2_0() {
                builder = builder.listener().listener_line("protocol http_api");
            }
            builder
        });
        let world = World::make(&fixture, open_is_default);
        println!("hostile: {version}: {}", world.census());
        let admin_worker = AdminWorker::start(fixture.cli.clone());
        let mut driver = Self {
            abuses: Vec::new(),
            baseline: 0,
            peak: 0,
            admin_worker,
            fixture,
            seed,
            rng,
            world,
            authority,
            _beyond: beyond,
            http: channel(),
            attempts: Vec::new(),
            sessions: Vec::new(),
            published: HashMap::new(),
            abandoned: VecDeque::new(),
            holders: HashMap::new(),
            disturbed_until: 0,
            counts: BTreeMap::new(),
            next_reload: 1_500,
            next_act: 500,
            next_abuse: 9_000,
            start: Instant::now(),
            events: VecDeque::new(),
            found: BTreeSet::new(),
            failures: 0,
        };
        driver.baseline = driver.resident();
        Ok(driver)
    }

    /// The time of the run.
    pub fn now(&self) -> Millis {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// Mixes everything for so long.
    pub fn run(&mut self, time: Duration) {
        let end = self.now() + u64::try_from(time.as_millis()).unwrap_or(Millis::MAX);
        let mut next = 0;
        let mut next_sample = 0;
        while self.now() < end {
            self.turn();
            let now = self.now();
            if now >= next {
                self.step();
                next = now + self.rng.u64(..12);
            }
            self.on_time();
            if now >= next_sample {
                next_sample = now + 500;
                self.watch_process();
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Reads and judges all that came.
    pub fn turn(&mut self) {
        self.hear_clerk();
        self.hear_http();
        self.turn_attempts();
        self.turn_sessions();
    }

    fn turn_attempts(&mut self) {
        let mut index = 0;
        while index < self.attempts.len() {
            let attempt = &mut self.attempts[index];
            attempt.wire.pump();
            let packet = attempt.wire.next();
            let over = attempt.wire.is_closed();
            let now = self.now();
            match packet {
                Some(Ok(Packet::Connack(connack))) => {
                    let attempt = self.attempts.swap_remove(index);
                    self.answered(attempt, &connack);
                }
                Some(Ok(Packet::Auth(_))) => {
                    let attempt = &mut self.attempts[index];
                    if let Some(code) = &attempt.info.code {
                        let bytes = auth(0x18, TOTP, Some(code.as_bytes()));
                        attempt.wire.send(&bytes);
                    }
                    index += 1;
                }
                Some(Ok(_)) => index += 1,
                Some(Err(error)) => {
                    // What can't be read, or is of no version that there is, may be
                    // answered as another version of MQTT.
                    let attempt = &self.attempts[index];
                    if !attempt.bent && matches!(attempt.info.level, 3..=5) {
                        self.fail("an answer that is no packet", &format!("{error:#}"));
                    }
                    let attempt = self.attempts.swap_remove(index);
                    self.abandon(&attempt);
                }
                None if over => {
                    self.count("closed");
                    let attempt = self.attempts.swap_remove(index);
                    self.abandon(&attempt);
                }
                None if now > self.attempts[index].until => {
                    self.count("given up");
                    let attempt = self.attempts.swap_remove(index);
                    self.abandon(&attempt);
                }
                None => index += 1,
            }
        }
    }

    /// A CONNECT whose answer is not waited for: it may have been let in.
    pub fn abandon(&mut self, attempt: &Attempt) {
        let who = self.candidates(attempt);
        if let Some(will) = attempt.will.and_then(|will| self.published.get_mut(&will)) {
            will.who.clone_from(&who);
        }
        // It may have left a session.
        if let Some(holders) = self.holders.get_mut(&attempt.info.client_id) {
            holders.extend(&who);
        }
        let id = attempt.info.client_id.clone();
        self.let_go_until(id, who, attempt.certificate, self.now() + UNSEEN);
    }

    /// A connection of these with this client id is not watched any more.
    pub fn let_go(&mut self, client_id: String, who: Vec<Who>, certificate: Option<&'static str>) {
        self.let_go_until(client_id, who, certificate, self.now() + LAG);
    }

    fn let_go_until(
        &mut self,
        client_id: String,
        who: Vec<Who>,
        certificate: Option<&'static str>,
        until: Millis,
    ) {
        self.abandoned.push_front(Abandoned {
            client_id,
            who,
            certificate,
            until,
        });
        self.abandoned.truncate(5_000);
    }

    fn turn_sessions(&mut self) {
        let mut index = 0;
        while index < self.sessions.len() {
            self.sessions[index].wire.pump();
            while let Some(packet) = self.sessions[index].wire.next() {
                match packet {
                    Ok(packet) => self.said(index, packet),
                    Err(error) => {
                        self.fail("an answer that is no packet", &format!("{error:#}"));
                        break;
                    }
                }
            }
            if self.sessions[index].wire.is_closed() {
                let session = self.sessions.swap_remove(index);
                self.ended(&session);
                continue;
            }
            self.must_be_gone(index);
            index += 1;
        }
    }

    /// Sends a CONNECT; `bytes` are what goes out, `info` what they say.
    pub fn connect(
        &mut self,
        mut wire: Wire,
        info: Option<ConnectInfo>,
        bytes: &[u8],
        patience: Millis,
        certificate: Option<&'static str>,
    ) {
        let bent = info.as_ref().is_none_or(|info| info.bytes() != bytes);
        let now = self.now();
        let readable = info.is_some();
        let info = info.unwrap_or_default();
        let who = match certificate {
            Some(name) => self.world.vouched(name, now, now + LAG),
            None => self.world.admissible(&info, now, now + LAG),
        };
        // Sessions that this CONNECT may end, if it is let in.
        self.take_over(&info.client_id, &who, certificate);
        if !readable {
            self.may_end_by_unreadable(bytes);
        }
        let will = self.register_will(&info, who, now);
        self.event(format!(
            "CONNECT v{} id `{}` name {:?} clean {} will {:?}{}",
            info.level,
            info.client_id,
            info.username,
            info.clean,
            info.will.as_ref().map(|(topic, _)| topic),
            if readable { "" } else { " (unreadable)" },
        ));
        wire.send(bytes);
        self.attempts.push(Attempt {
            wire,
            info,
            sent: now,
            readable,
            certificate,
            bent,
            will,
            until: now + patience,
        });
    }

    /// These may have taken a client id over.
    pub fn take_over(&mut self, client_id: &str, who: &[Who], certificate: Option<&str>) {
        let is_2_0 = self.fixture.broker.version().is_2_0();
        for session in &mut self.sessions {
            if session.info.client_id == client_id && may_take(who, certificate, session, is_2_0) {
                session.may_end = Some("taken over".to_owned());
            }
        }
    }

    /// A broker may read a client id where this program reads none, and let it
    /// in as nobody.
    fn may_end_by_unreadable(&mut self, bytes: &[u8]) {
        for session in &mut self.sessions {
            let id = session.info.client_id.as_bytes();
            if session.who.contains(&Who::Unauthenticated)
                && (id.is_empty() || bytes.windows(id.len()).any(|part| part == id))
            {
                session.may_end = Some("taken over, it may be".to_owned());
            }
        }
    }

    /// The Will may be out before the answer is read.
    fn register_will(&mut self, info: &ConnectInfo, who: Vec<Who>, now: Millis) -> Option<u64> {
        let (topic, payload) = info.will.as_ref()?;
        let number = number_in(payload)?;
        let published = Published {
            topic: topic.clone(),
            who,
            from: now,
            is_will: true,
        };
        self.published.insert(number, published);
        Some(number)
    }

    /// A number for a message, and its payload.
    pub fn payload(&mut self) -> (u64, Vec<u8>) {
        let number = self.published.len() as u64 + 1_000_000 * self.rng.u64(1..1_000_000);
        (number, format!("message {number}").into_bytes())
    }

    /// An address that right logins come from.
    pub fn friendly(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, 0, self.rng.u8(2..6))
    }

    /// An address that attacks come from.
    pub fn unfriendly(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, self.rng.u8(1..4), self.rng.u8(1..250))
    }

    /// Notes what happened.
    pub fn event(&mut self, what: String) {
        let line = format!("{:>7} ms  {what}", self.now());
        self.events.push_back(line);
        if self.events.len() > EVENTS {
            self.events.pop_front();
        }
    }

    /// Notes what was done to store or broker, for the report as well.
    pub fn abused(&mut self, what: &str) {
        self.abuses.push(format!("{} ms: {what}", self.now()));
        self.event(what.to_owned());
    }

    /// Counts something for the report.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Whether something was done to store or broker a moment ago.
    pub fn is_disturbed(&self) -> bool {
        self.now() < self.disturbed_until
    }

    /// Something that can't be explained.
    pub fn fail(&mut self, kind: &str, what: &str) {
        self.failures += 1;
        let version = self.fixture.broker.version();
        println!(
            "hostile: FAILURE on {version}, seed {}, after {} ms: {kind}: {what}",
            self.seed,
            self.now()
        );
        let about = what.split('`').nth(1).unwrap_or("act ");
        let about: Vec<&String> = self
            .events
            .iter()
            .filter(|line| line.contains(about))
            .collect();
        for line in about.iter().skip(about.len().saturating_sub(20)) {
            println!("    {line}");
        }
        // The first of each kind tells its whole story.
        if self.found.insert(kind.to_owned()) {
            println!("    all that happened before:");
            let last = self.events.len().saturating_sub(60);
            for line in self.events.iter().skip(last) {
                println!("    {line}");
            }
        }
        let log = self.fixture.broker.log();
        let about = what.split('`').nth(1).unwrap_or("Countersign: ");
        let lines = log.lines().rev();
        let ours: Vec<&str> = lines
            .filter(|line| {
                line.contains(about) || line.contains("Countersign: ") || line.contains("eload")
            })
            .take(14)
            .collect();
        for line in ours.iter().rev() {
            println!("    log: {line}");
        }
    }

    /// Sends a SIGHUP. Two of them may come to one reload, so no line is waited for.
    pub fn reload(&mut self) {
        self.event("SIGHUP".to_owned());
        let pid = libc::pid_t::try_from(self.fixture.broker.pid()).unwrap_or(libc::pid_t::MAX);
        // SAFETY: kill has no preconditions; the broker is a child that is not yet
        // reaped, so the number is its own.
        unsafe { libc::kill(pid, libc::SIGHUP) };
    }

    /// Resident memory of the broker, in KiB.
    pub fn resident(&mut self) -> u64 {
        if !self.fixture.broker.is_running() {
            return 0;
        }
        let path = format!("/proc/{}/status", self.fixture.broker.pid());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    }

    fn watch_process(&mut self) {
        if !self.fixture.broker.is_running() {
            self.fail("the broker died", "nobody asked it to");
            if let Err(error) = self.fixture.broker.restart() {
                self.fail("the broker does not start again", &format!("{error:#}"));
                return;
            }
            self.broker_was_down();
        }
        let resident = self.resident();
        self.peak = self.peak.max(resident);
        if resident > self.baseline + MEMORY {
            let what = format!("{} KiB, {} at first", resident, self.baseline);
            self.baseline = resident;
            self.fail("the broker's memory grows", &what);
        }
    }

    /// All connections are gone, and not by anybody's fault.
    pub fn broker_was_down(&mut self) {
        let attempts: Vec<Attempt> = self.attempts.drain(..).collect();
        for attempt in &attempts {
            self.abandon(attempt);
        }
        self.sessions.clear();
        self.disturbed_until = self.disturbed_until.max(self.now() + 1_000);
    }
}

/// Whether these may take the client id of a session: their own, or one of a
/// client that proved nothing. Certificates let in by the broker itself ask
/// nobody, and 2.0 does not tell of them before they use something.
pub fn may_take(who: &[Who], certificate: Option<&str>, session: &Session, is_2_0: bool) -> bool {
    let proves_nothing = |one: &Who| !matches!(one, Who::Principal(_));
    certificate.is_some()
        || (session.certificate.is_some() && is_2_0 && !who.is_empty())
        || (session.who.iter().any(proves_nothing) && !who.is_empty())
        || session.who.iter().any(|one| who.contains(one))
}

/// The number in a payload of ours.
pub fn number_in(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload)
        .ok()?
        .strip_prefix("message ")?
        .parse()
        .ok()
}

impl Session {
    /// The next packet identifier.
    pub fn id(&mut self) -> u16 {
        self.next_id = self.next_id.checked_add(1).unwrap_or(1);
        self.next_id
    }

    /// Whether it speaks MQTT 5.
    pub fn is_v5(&self) -> bool {
        self.info.level == 5
    }

    /// Acknowledges what is owed.
    pub fn acknowledge(&mut self, packet: &Packet) {
        let bytes = match packet {
            Packet::Publish(message) if message.qos == 1 => ack(PUBACK, message.id),
            Packet::Publish(message) if message.qos == 2 => ack(PUBREC, message.id),
            Packet::Pubrel(it) => ack(PUBCOMP, it.id),
            Packet::Pubrec(it) if it.code < 0x80 => ack(PUBREL, it.id),
            _ => return,
        };
        self.wire.send(&bytes);
    }
}

/// So many of the last events are kept.
const EVENTS: usize = 20_000;

/// So much may a broker grow, in KiB.
const MEMORY: u64 = 96 * 1024;
