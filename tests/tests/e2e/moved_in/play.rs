//! The same operations on a broker and on the one that its users were moved to.

use countersign_testkit::mqtt::{Message, Will};
use countersign_testkit::{Client, Connect};
use fastrand::Rng;

use super::draw::{self, CLIENT_IDS, NOBODY, Users, password};

/// What one broker did and the other one did not.
#[derive(Debug)]
pub struct Difference {
    /// Who was concerned: a user's name, or nothing for a client without a login.
    pub who: Option<&'static str>,
    /// The topic or filter, where there is one.
    pub topic: Option<String>,
    /// Whether the second broker granted what the first one did not.
    pub grants_more: bool,
    /// What was tried, and what each broker answered.
    pub told: String,
}

/// A client that is let in by both brokers.
struct Pair {
    who: Option<&'static str>,
    clients: [Client; 2],
}

/// The ports of the broker that has its own files and of the one with the plugin.
pub struct Play<'a> {
    pub ports: [u16; 2],
    pub users: Users,
    pub random: &'a mut Rng,
    pub differences: Vec<Difference>,
    /// How many messages both brokers delivered alike.
    pub delivered: usize,
}

impl Play<'_> {
    /// Tries everything.
    pub fn all(&mut self) {
        self.passwords();
        let mut pairs = self.connect_all();
        self.publish(&mut pairs);
        self.retained(&mut pairs);
        self.wills(&mut pairs);
        self.unsubscribe(&mut pairs);
        self.queued(&mut pairs);
    }

    /// Takes note of what each broker granted, one thing after the other.
    fn differ(
        &mut self,
        who: Option<&'static str>,
        topic: Option<&str>,
        what: &str,
        told: [String; 2],
    ) {
        let [native, moved] = told;
        if native == moved {
            self.delivered += native.matches("qos").count();
        } else {
            let granted = |it: &str| {
                let mut others = native.split(", ");
                others.any(|other| other == it || replaces(other, it))
            };
            let mut after = moved.split(", ").filter(|it| !it.is_empty());
            self.differences.push(Difference {
                who,
                topic: topic.map(str::to_owned),
                grants_more: after.any(|it| !granted(it)),
                told: format!("{what}: {native}, then {moved}"),
            });
        }
    }

    /// Every name with its password, with another and without.
    fn passwords(&mut self) {
        for name in self.users.into_iter().chain([NOBODY]) {
            let tries = [Some(password(name)), Some("another".to_owned()), None];
            for (number, tried) in tries.into_iter().enumerate() {
                let mut connect = Connect::v311("tries").username(name);
                if let Some(tried) = tried {
                    connect = connect.password(tried);
                }
                let told = self.ports.map(|port| granted(is_accepted(&connect, port)));
                self.differ(
                    Some(name),
                    None,
                    &format!("the {number}th password of {name}"),
                    told,
                );
            }
        }
    }

    fn connect_all(&mut self) -> Vec<Pair> {
        let people = self.users.into_iter().map(Some).zip(CLIENT_IDS);
        let mut pairs: Vec<Pair> = Vec::new();
        for (who, client_id) in people.chain([(None, "guest")]) {
            let connect = connect(who, client_id);
            let told = self.ports.map(|port| is_accepted(&connect, port));
            self.differ(who, None, "a connection", told.map(granted));
            if told == [true; 2] {
                let clients = self.ports.map(|port| connect.accepted(port));
                pairs.push(Pair { who, clients });
            }
        }
        pairs
    }

    /// Whether both brokers let a client in that comes again under another client id.
    fn let_in(&mut self, who: Option<&'static str>, connect: &Connect) -> bool {
        let told = self.ports.map(|port| is_accepted(connect, port));
        self.differ(who, None, "another client id", told.map(granted));
        told == [true; 2]
    }

    /// What a broker refuses, the other one must not grant. One that grants what lets
    /// nothing through is no other than one that refuses it.
    fn subscribe(&mut self, pair: &mut Pair, filter: &str, qos: u8) {
        let [native, moved] = pair.clients.each_mut().map(|client| {
            let codes = client.subscribe(&[(filter, qos)]).unwrap();
            codes[0] < 0x80
        });
        let told = [native || !moved, true].map(granted);
        let what = format!("{:?} may not subscribe to {filter:?}", pair.who);
        self.differ(pair.who, Some(filter), &what, told);
    }

    /// Messages of each client to all.
    fn publish(&mut self, pairs: &mut [Pair]) {
        for pair in &mut *pairs {
            for _ in 0..3 {
                let (filter, qos) = (draw::filter(self.random), self.random.u8(..=2));
                self.subscribe(pair, &filter, qos);
            }
        }
        for from in 0..pairs.len() {
            for number in 0..8 {
                let topic = draw::topic(self.random);
                let (qos, retain) = (self.random.u8(..=2), self.random.bool());
                let payload = format!("{from} {number}");
                let sent = &mut pairs[from];
                for client in &mut sent.clients {
                    client.publish(&topic, &payload, qos, retain).unwrap();
                    // At QoS 0 nothing else says that the broker has read it.
                    assert!(client.is_alive());
                }
                let sender = sent.who;
                self.compare_received(pairs, sender, &topic);
            }
        }
    }

    /// What was received of one message, or of what was stored.
    fn compare_received(&mut self, pairs: &mut [Pair], sender: Option<&str>, topic: &str) {
        for pair in pairs {
            let told = pair.clients.each_mut().map(received);
            let what = format!("{:?} from {sender:?} to {:?}", topic, pair.who);
            self.differ(pair.who, Some(topic), &what, told);
        }
    }

    /// What was stored reaches who subscribes later.
    fn retained(&mut self, pairs: &mut [Pair]) {
        for pair in &mut *pairs {
            for _ in 0..3 {
                let filter = draw::filter(self.random);
                self.subscribe(pair, &filter, 1);
                let told = pair.clients.each_mut().map(received);
                self.differ(
                    pair.who,
                    Some(&filter),
                    &format!("stored messages of {filter:?}"),
                    told,
                );
            }
        }
    }

    /// A Will is sent when its client is taken over. Stored, it reaches who subscribes
    /// later.
    fn wills(&mut self, pairs: &mut [Pair]) {
        for number in 0..pairs.len() {
            let topic = draw::topic(self.random);
            let will = Will {
                topic: topic.clone(),
                payload: b"a will".to_vec(),
                qos: self.random.u8(..=2),
                retain: self.random.bool(),
                ..Will::default()
            };
            let who = pairs[number].who;
            // An id is one user's with us.
            let client_id = format!("dies{number}");
            let dying = connect(who, &client_id).will(will);
            let again = connect(who, &client_id);
            if !self.let_in(who, &again) {
                continue;
            }
            for port in self.ports {
                let _dying = dying.accepted(port);
                let _again = again.accepted(port);
            }
            self.compare_received(pairs, who, &topic);
        }
        self.retained(pairs);
    }

    /// Nothing comes by a filter that is given up.
    fn unsubscribe(&mut self, pairs: &mut [Pair]) {
        for number in 0..pairs.len() {
            let filter = draw::filter(self.random);
            self.subscribe(&mut pairs[number], &filter, 2);
            for client in &mut pairs[number].clients {
                received(client);
                client.unsubscribe(&[&filter]).unwrap();
            }
            for from in 0..pairs.len() {
                let topic = draw::topic(self.random);
                for client in &mut pairs[from].clients {
                    client.publish(&topic, "given up", 1, false).unwrap();
                }
                let sender = pairs[from].who;
                self.compare_received(pairs, sender, &topic);
            }
        }
    }

    /// What came while a client was away.
    fn queued(&mut self, pairs: &mut Vec<Pair>) {
        for number in 0..pairs.len() {
            let who = pairs[number].who;
            if who.is_none() {
                continue;
            }
            let client_id = format!("away{number}");
            let stored = connect(who, &client_id).stored();
            if !self.let_in(who, &connect(who, &client_id)) {
                continue;
            }
            let (filter, qos) = (draw::filter(self.random), self.random.u8(1..=2));
            for port in self.ports {
                let mut client = stored.accepted(port);
                client.subscribe(&[(&filter, qos)]).unwrap();
                // What is stored comes at once, and is taken here: asked a second time,
                // the broker has read what acknowledges it.
                received(&mut client);
                received(&mut client);
                client.disconnect().unwrap();
            }
            let sent = (0..4).map(|_| (draw::topic(self.random), self.random.u8(..=2)));
            let sent: Vec<_> = sent.collect();
            for pair in &mut *pairs {
                for client in &mut pair.clients {
                    for (topic, qos) in &sent {
                        client.publish(topic, "while away", *qos, false).unwrap();
                    }
                    assert!(client.is_alive());
                }
            }
            let told = self.ports.map(|port| {
                let mut back = stored.accepted(port);
                let told = received(&mut back);
                back.disconnect().unwrap();
                // Ends the stored session.
                connect(who, &client_id)
                    .accepted(port)
                    .disconnect()
                    .unwrap();
                told
            });
            self.differ(
                who,
                Some(&filter),
                &format!("what waited of {filter:?}"),
                told,
            );
            // The same reached those who were there.
            for pair in &mut *pairs {
                for client in &mut pair.clients {
                    received(client);
                }
            }
        }
    }
}

fn connect(who: Option<&str>, client_id: &str) -> Connect {
    let connect = Connect::v5(client_id);
    match who {
        Some(name) => connect.login(name, password(name)),
        None => connect,
    }
}

/// Says whether a client is let in; one that is told nothing comes again.
fn is_accepted(connect: &Connect, port: u16) -> bool {
    let code = (0..10).find_map(|_| connect.code(port));
    code == Some(0)
}

/// What is told of something that is granted, or not.
fn granted(is_granted: bool) -> String {
    if is_granted { "granted" } else { "" }.to_owned()
}

/// Whether one stored message is of the same topic as another, which stayed where the
/// publish that replaces it was refused.
fn replaces(one: &str, other: &str) -> bool {
    let stored = |told: &'_ str| told.strip_suffix("retain true").is_some();
    let topic = |told: &str| told.split_once("\" \"").map(|(topic, _)| topic.to_owned());
    stored(one) && stored(other) && topic(one).is_some() && topic(one) == topic(other)
}

/// All that a client was sent until now, in one line.
fn received(client: &mut Client) -> String {
    let mut told: Vec<String> = client.received().iter().map(tell).collect();
    told.sort_unstable();
    told.join(", ")
}

fn tell(message: &Message) -> String {
    let Message {
        topic, qos, retain, ..
    } = message;
    format!("{topic:?} {:?} qos {qos} retain {retain}", message.text())
}
