//! The oracle: what the broker said, held against what the model knows.

use countersign_testkit::mqtt::{Connack, Message, Packet};

use crate::driver::{Attempt, Driver, GRACE, LAG, Session, may_take, number_in};
use crate::rights::Action;
use crate::world::{ClientIds, Who};

impl Driver {
    /// A CONNECT was answered.
    pub fn answered(&mut self, attempt: Attempt, connack: &Connack) {
        let now = self.now();
        let (info, sent) = (attempt.info.clone(), attempt.sent);
        self.event(format!(
            "CONNACK {:#x} for id `{}` name {:?}",
            connack.code, info.client_id, info.username
        ));
        if connack.code != 0 {
            self.count("refused");
            return;
        }
        self.count("let in");
        let who = self.candidates(&attempt);
        let given = info.password.as_deref().map(String::from_utf8_lossy);
        let whom = format!(
            "id `{}` v{} name {:?} password {given:?} method {:?}, tenant `open` {:?}, CONNECT sent \
             at {sent} ms",
            info.client_id,
            info.level,
            info.username,
            info.method,
            self.world.open_mode.newest(),
        );
        if who.is_empty() {
            self.fail("let in who must not be", &whom);
        }
        // A certificate is let in by the broker itself, with whatever session it asks
        // for, and ended afterwards; a client without an id is given one of its own.
        if attempt.certificate.is_none() && !info.client_id.is_empty() {
            self.must_not_steal(&info.client_id, &who, sent, &whom);
        }
        let is_own = |all: &[Who]| all.iter().any(|one| who.contains(one));
        // Answers are not read in the order in which they came.
        let has_another = self
            .attempts
            .iter()
            .any(|other| other.info.client_id == info.client_id && is_own(&self.candidates(other)));
        if connack.session_present
            && attempt.certificate.is_none()
            && !has_another
            && let Some(before) = self.holders.get(&info.client_id)
            && !before.contains(&Who::Nobody)
            && !is_own(before)
        {
            let from = format!("{whom}; it was {before:?}'s, and came to {who:?}");
            self.fail("inherited another's stored session", &from);
        }
        // On an empty list nothing can be judged, and the failure is told.
        if who.is_empty() {
            return;
        }
        let before = self.holders.get(&info.client_id).cloned();
        let holders = self.holders.entry(info.client_id.clone()).or_default();
        // Answers are not read in the order in which they came.
        let overlaps = self
            .sessions
            .iter()
            .any(|session| session.info.client_id == info.client_id && session.since + LAG > sent);
        if overlaps {
            holders.extend(&who);
        } else if attempt.certificate.is_none() || holders.iter().all(|it| *it == Who::Nobody) {
            holders.clone_from(&who);
        }
        if attempt.certificate.is_some() && !connack.session_present {
            // What such a client leaves may be anybody's; the id stays whose it was.
            holders.push(Who::Nobody);
            holders.dedup();
        }
        // 2.0 does not say who took an id, so even its own holder may be ended once.
        let is_2_0 = self.fixture.broker.version().is_2_0();
        let was_anothers =
            before.is_some_and(|before| is_2_0 || !before.iter().any(|one| who.contains(one)));
        self.take_over(&info.client_id, &who, attempt.certificate);
        self.tie(&who, &info.client_id, sent, now);
        if let Some(will) = attempt.will.and_then(|will| self.published.get_mut(&will)) {
            will.who.clone_from(&who);
        }
        let must_end = (attempt.certificate.is_none()
            && !self.is_still_right(&who, &info.password))
        .then(|| (now + GRACE, "its login was taken back meanwhile".to_owned()));
        let mut may_end = must_end.as_ref().map(|(_, why)| why.clone());
        if attempt.certificate.is_some() && was_anothers {
            // The broker let it in without a question, so it is ended afterwards.
            may_end = Some("its client id was another's".to_owned());
        }
        let stirs = |who: &Who| match who {
            Who::Principal(id) => self.world.principals[*id].stirred >= sent,
            Who::Unauthenticated => self.world.open_stirred >= sent,
            Who::Nobody => false,
        };
        if may_end.is_none() && who.iter().any(stirs) {
            may_end = Some("an act was under way when it came".to_owned());
        }
        self.sessions.push(Session {
            may_end,
            must_end,
            wire: attempt.wire,
            info,
            who,
            sent,
            since: now,
            subscribing: Default::default(),
            publishing: Default::default(),
            next_id: 0,
            certificate: attempt.certificate,
            bent: attempt.bent,
        });
    }

    /// All who may be meant by a CONNECT that is answered now.
    pub fn candidates(&self, attempt: &Attempt) -> Vec<Who> {
        let (sent, now) = (attempt.sent, self.now());
        match attempt.certificate {
            Some(name) => self.world.vouched(name, sent, now),
            None if attempt.readable => self.world.admissible(&attempt.info, sent, now),
            // A broker may be more lenient than we are; a login it can't be, for a
            // login is readable, but where anybody is let in it may be anybody.
            None => {
                let mut modes = self.world.open_mode.possible(sent, now);
                let is_open = modes.any(|mode| *mode != "required");
                is_open
                    .then_some(Who::Unauthenticated)
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Whether, as all acts that are through left it, one of these would be let
    /// in now.
    fn is_still_right(&self, who: &[Who], password: &Option<Vec<u8>>) -> bool {
        who.iter().any(|who| match who {
            Who::Nobody => false,
            Who::Unauthenticated => *self.world.open_mode.newest() != "required",
            Who::Principal(id) => {
                let principal = &self.world.principals[*id];
                let password = password.as_deref().unwrap_or_default();
                let fits = |secret: &String| password.starts_with(secret.as_bytes());
                *principal.usable.newest() && principal.secrets.newest().iter().any(fits)
            }
        })
    }

    /// A live client id is nobody else's.
    fn must_not_steal(&mut self, client_id: &str, who: &[Who], sent: u64, whom: &str) {
        let stolen = self.sessions.iter().find(|session| {
            session.info.client_id == client_id
                && session.since < sent
                && session.may_end.is_none()
                && !session.bent
                && session.certificate.is_none()
                && !session.who.contains(&Who::Unauthenticated)
                && !session.who.iter().any(|one| who.contains(one))
        });
        if let Some(session) = stolen {
            let from = format!("{whom}; it was live as {:?}", session.info.username);
            self.fail("a live client id was stolen", &from);
        }
    }

    /// Whoever was let in is tied to its client id. What untied it while it was
    /// asked may have come before or after that.
    fn tie(&mut self, who: &[Who], client_id: &str, sent: u64, now: u64) {
        let [Who::Principal(id)] = who else {
            return;
        };
        let principal = &mut self.world.principals[*id];
        let ClientIds::FirstUse(tie) = &mut principal.client_ids else {
            return;
        };
        if tie.newest().as_deref() != Some(client_id) {
            tie.begin(now, Some(client_id.to_owned()));
        }
        if principal.stirred < sent {
            tie.settle(now);
        }
    }

    /// A session was sent a packet.
    pub fn said(&mut self, index: usize, packet: Packet) {
        let now = self.now();
        self.sessions[index].acknowledge(&packet);
        match packet {
            Packet::Publish(message) => self.delivered(index, &message, now),
            Packet::Suback(answer) => {
                let asked = self.sessions[index].subscribing.remove(&answer.id);
                if let Some((filter, sent)) = asked {
                    for code in answer.codes {
                        self.granted(index, &filter, code, sent, now);
                    }
                }
            }
            Packet::Puback(ack) | Packet::Pubrec(ack) => {
                let asked = self.sessions[index].publishing.remove(&ack.id);
                if let Some((number, sent)) = asked {
                    self.acknowledged(index, number, ack.code, sent, now);
                }
            }
            Packet::Disconnect { code, .. } => {
                let id = self.sessions[index].info.client_id.clone();
                self.event(format!("DISCONNECT {code:#x} to `{id}`"));
            }
            _ => {}
        }
    }

    fn granted(&mut self, index: usize, filter: &str, code: u8, sent: u64, now: u64) {
        let session = &self.sessions[index];
        // MQTT 3.1 has no code for a refusal.
        if session.bent || session.info.level == 3 {
            return;
        }
        let what = format!("{} to `{filter}`: {code:#x}", named(session));
        let rights = self.world.rights(&session.who, sent, now);
        let ended = session.may_end.is_some();
        let may = |rights: &crate::rights::Rights| rights.may_subscribe(filter);
        if code < 0x80 {
            self.count("subscribed");
            if !rights.iter().any(may) {
                self.fail("a subscription that must not be", &what);
            }
        } else {
            self.count("not subscribed");
            if rights.iter().all(may) && !ended && !self.is_disturbed() && is_plain(filter) {
                self.fail("a subscription was refused that must be granted", &what);
            }
        }
    }

    fn acknowledged(&mut self, index: usize, number: u64, code: u8, sent: u64, now: u64) {
        let session = &self.sessions[index];
        let Some(published) = self.published.get(&number) else {
            return;
        };
        if session.bent || !session.is_v5() {
            return;
        }
        let topic = published.topic.clone();
        let what = format!("{} on `{topic}`: {code:#x}", named(session));
        let rights = self.world.rights(&session.who, sent, now);
        let may = |rights: &crate::rights::Rights| rights.may(Action::Publish, &topic);
        let ended = session.may_end.is_some();
        if code < 0x80 {
            self.count("published");
            if !rights.iter().any(may) {
                self.fail("a message was taken that must not be", &what);
            }
        } else {
            self.count("not published");
            // The broker itself keeps `$` for itself.
            let ours = !topic.starts_with('$');
            if rights.iter().all(may) && ours && !ended && !self.is_disturbed() {
                self.fail("a message was refused that must be taken", &what);
            }
        }
    }

    fn delivered(&mut self, index: usize, message: &Message, now: u64) {
        self.count("delivered");
        let session = &self.sessions[index];
        let topic = message.topic.as_str();
        let what = format!("`{topic}` to {}", named(session));
        if topic == RESPONSES {
            return;
        }
        let rights = self
            .world
            .rights(&session.who, now.saturating_sub(LAG + GRACE), now);
        if !rights
            .iter()
            .any(|rights| rights.may(Action::Subscribe, topic))
        {
            self.fail("a delivery that must not be", &what);
        }
        let Some(number) = number_in(&message.payload) else {
            return;
        };
        let Some(published) = self.published.get(&number) else {
            return;
        };
        let until = if published.is_will {
            now
        } else {
            published.from + 5_000
        };
        let rights = self.world.rights(&published.who, published.from, until);
        let is_will = published.is_will;
        let same = published.topic == topic;
        let by = format!("{what}, published by {:?}, will: {is_will}", published.who);
        if !rights
            .iter()
            .any(|rights| rights.may(Action::Publish, topic))
        {
            self.fail("delivered what must not be published", &by);
        }
        if !same {
            self.fail("delivered on another topic", &by);
        }
    }

    /// A connection ended.
    pub fn ended(&mut self, session: &Session) {
        self.count("ended");
        let why = session.may_end.clone();
        self.event(format!("end of {}: {why:?}", named(session)));
        let is_2_0 = self.fixture.broker.version().is_2_0();
        let taking = self.attempts.iter().any(|attempt| {
            let who = self.candidates(attempt);
            attempt.info.client_id == session.info.client_id
                && may_take(&who, attempt.certificate, session, is_2_0)
        });
        let left = self.abandoned.iter().any(|left| {
            left.client_id == session.info.client_id
                && left.until > session.since
                && may_take(&left.who, left.certificate, session, is_2_0)
        });
        // Answers are not read in the order in which they came.
        let taken = self.sessions.iter().any(|other| {
            other.info.client_id == session.info.client_id
                && may_take(&other.who, other.certificate, session, is_2_0)
        });
        // It may end whenever it is found out.
        let nobody = session.who.contains(&Who::Nobody);
        if why.is_none()
            && !nobody
            && !session.bent
            && !taking
            && !left
            && !taken
            && !self.is_disturbed()
        {
            let what = format!("{}, let in at {} ms", named(session), session.since);
            self.fail("a session ended without a reason", &what);
        }
        let (id, who) = (session.info.client_id.clone(), session.who.clone());
        self.let_go(id, who, session.certificate);
    }

    /// A session that an act ended must be gone by now.
    pub fn must_be_gone(&mut self, index: usize) {
        let now = self.now();
        if self.is_disturbed() {
            // The clock of the act begins again when store and broker are back.
            if let Some((until, _)) = &mut self.sessions[index].must_end {
                *until = (*until).max(self.disturbed_until + GRACE);
            }
            return;
        }
        let session = &mut self.sessions[index];
        if session
            .must_end
            .as_ref()
            .is_some_and(|(until, _)| now > *until)
        {
            let (_, why) = session.must_end.take().unwrap_or_default();
            let what = format!("{}: {why}", named(session));
            self.fail("a session lives that must be gone", &what);
        }
    }
}

/// A session in words.
pub fn named(session: &Session) -> String {
    format!(
        "`{}` v{} as {:?} {:?}",
        session.info.client_id, session.info.level, session.info.username, session.who
    )
}

/// Whether a broker has nothing of its own to say about a filter.
fn is_plain(filter: &str) -> bool {
    !filter.starts_with('$')
}

/// Where answers to session commands come from.
const RESPONSES: &str = "$CONTROL/countersign/v1/session/response";
