//! Rules on live brokers: the cases that the core is held to, and two thousand
//! questions that `countersign check` and a broker must answer alike.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::change;
use countersign_core::credential::Credential;
use countersign_core::limit::UseLimits;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::{Role, RoleName, RoleRule};
use countersign_core::rule::{Action, Effect, Limits, Namespaces, Pattern, QoS, Rule};
use countersign_core::store::rows::{RoleRows as _, TenantRows as _};
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::tenant::{SubscribeMode, Tenant};
use countersign_core::time::Timestamp;
use countersign_core::topic::{TopicFilter, TopicName};
use countersign_testkit::Client;
use countersign_testkit::cases::{self, RuleCase};
use countersign_tests::maker::{Maker, audit_row, blank, login};
use countersign_tests::{Fixture, Login, PATIENCE, on_every_broker, wait_until};
use serde_json::{Value, json};

/// Says whether a broker can be asked this at all.
///
/// It can't where the topic is none, or where the broker itself decides (`$`
/// topics can't be published).
fn can_be_asked(question: &RuleCase) -> bool {
    let is_judged = matches!(
        question.verdict.as_str(),
        "allow" | "no-rule" | "denied-by-rule"
    );
    let publishes_reserved = question.check != "subscribe" && question.topic.starts_with('$');
    let is_short = question.topic.split('/').count() < 200 && question.topic.len() < 10_000;
    is_judged && is_short && !publishes_reserved && question.is_of_somebody()
}

/// Publishes, and says whether the observer saw it.
fn is_published(
    client: &mut Client,
    observer: &mut Client,
    topic: &str,
    qos: u8,
    retain: bool,
) -> bool {
    client.publish(topic, b"x", qos, retain).unwrap();
    // The broker has one thread: once it answers this, the message is on its
    // way to the observer or nowhere.
    client.ping(PATIENCE).unwrap();
    !observer.received().is_empty()
}

on_every_broker! {
    fn the_cases_of_the_core_hold_on_a_live_broker(version) {
        let fixture = Fixture::start(version);
        let mut maker = Maker::new(fixture.cli.store());
        let everything = || Pattern::parse("#").unwrap();
        let (_, super_login) = maker.operator("super", vec![Rule::allow(Action::Both, everything())]);
        let mut observer = super_login.connect("observer").accepted(fixture.port());
        assert_eq!(observer.subscribe(&[("#", 0)]).unwrap(), [0]);
        let mut publisher = super_login.connect("publisher").accepted(fixture.port());

        let all = cases::questions().unwrap();
        let count = all.len();
        let asked: Vec<_> = all.into_iter().filter(|case| can_be_asked(&case.fields)).collect();
        assert!(asked.len() * 2 > count, "most cases are asked: {} of {count}", asked.len());
        for (index, case) in asked.iter().enumerate() {
            let fields = &case.fields;
            let name = fields.username.clone().unwrap_or_else(|| format!("case{index}"));
            let credential = Credential {
                rules: fields.rules.iter().map(|rule| rule.rule().unwrap()).collect(),
                groups: fields.groups().unwrap(),
                attributes: fields.attributes.clone(),
                ..blank(&name, None)
            };
            let id = maker.add(&credential);
            let client_id = fields.client_id.clone().unwrap_or_else(|| format!("client{index}"));
            let mut client = login(&credential.name).connect_v5(&client_id).accepted(fixture.port());
            let allowed = match fields.check.as_str() {
                "publish" => is_published(&mut client, &mut observer, &fields.topic, fields.qos, fields.retain),
                "subscribe" => client.subscribe(&[(&fields.topic, 0)]).unwrap() == [0],
                "deliver" => {
                    // Subscribed while it might, and judged again at delivery.
                    maker.replace_rules(id, &name, vec![Rule::allow(Action::Both, everything())]);
                    wait_until("the wider rules reach the session", || client.subscribe(&[(&fields.topic, 0)]).unwrap() == [0]);
                    let probe = format!("probe{index}");
                    let mut rules = credential.rules.clone();
                    rules.push(Rule::allow(Action::Publish, Pattern::parse(&probe).unwrap()));
                    rules.push(Rule::deny(Action::Publish, Pattern::parse(&format!("not-{probe}")).unwrap()));
                    maker.replace_rules(id, &name, rules);
                    wait_until("the case's rules reach the session", || {
                        client.publish(&format!("not-{probe}"), b"x", 1, false).unwrap() != 0
                    });
                    client.received();
                    publisher.publish(&fields.topic, b"x", 1, false).unwrap();
                    let delivered = !client.received().is_empty();
                    observer.received();
                    delivered
                }
                other => panic!("`{other}` is no check"),
            };
            assert_eq!(allowed, fields.verdict == "allow", "{}", case.name);
            if fields.retain {
                publisher.publish(&fields.topic, b"", 1, true).unwrap();
            }
            observer.received();
            client.disconnect().unwrap();
            maker.delete(id);
        }
    }

    fn the_program_and_the_broker_answer_two_thousand_questions_alike(version) {
        let fixture = Fixture::start(version);
        let mut maker = Maker::new(fixture.cli.store());
        let mut dice = Dice(0x005e_ed0f_c0de);
        let principals = furnish(&mut maker, &mut dice);
        let connect = || -> Vec<Client> {
            principals
                .iter()
                .map(|principal| principal.login.connect_v5(&principal.client_id).accepted(fixture.port()))
                .collect()
        };
        let mut clients = connect();

        let questions: Vec<Value> = (0..QUESTIONS)
            .map(|_| {
                let principal = &principals[dice.below(principals.len())];
                let check = ["publish", "subscribe"][dice.below(2)];
                let topic = if check == "publish" { dice.topic() } else { dice.filter() };
                json!({
                    "check": check, "username": principal.login.username, "client_id": principal.client_id,
                    "qos": dice.below(3), "retain": dice.below(4) == 0, "topic": topic,
                })
            })
            .collect();
        let file = fixture.cli.store().with_extension("questions");
        let lines: Vec<String> = questions.iter().map(Value::to_string).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let output = fixture.cli.run(&["check", "--batch", file.to_str().unwrap()]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let answers: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), QUESTIONS);

        let mut allowed = 0;
        for (question, answer) in questions.iter().zip(&answers) {
            let index = principals.iter().position(|principal| question["client_id"] == principal.client_id.as_str()).unwrap();
            let client = &mut clients[index];
            let topic = question["topic"].as_str().unwrap();
            let granted = if question["check"] == "publish" {
                let qos = u8::try_from(question["qos"].as_u64().unwrap()).unwrap();
                // QoS 0 is never answered; its rules are those of the case
                // runner above.
                let qos = qos.max(1);
                let retain = question["retain"].as_bool().unwrap();
                if question["qos"] == 0 {
                    continue;
                }
                client.publish(topic, b"", qos, retain).unwrap() < 0x80
            } else {
                client.subscribe(&[(topic, 0)]).unwrap() == [0]
            };
            allowed += usize::from(granted);
            assert_eq!(granted, answer["verdict"] == "allow", "{question}: {answer}");
        }
        assert!(allowed > QUESTIONS / 20, "some questions are answered with yes: {allowed}");

        // Delivery: every client that has a subscription for a topic gets what
        // `check deliver` says, and nobody else gets anything.
        let (_, publisher) = maker.operator("super", vec![Rule::allow(Action::Both, Pattern::parse("#").unwrap())]);
        let mut publisher = publisher.connect_v5("super").accepted(fixture.port());
        let mut subscribed = vec![Vec::new(); principals.len()];
        // A clean start drops what was subscribed to above.
        clients = connect();
        for (client, held) in clients.iter_mut().zip(&mut subscribed) {
            for filter in FILTERS {
                if client.subscribe(&[(filter, 0)]).unwrap() == [0] {
                    held.push(TopicFilter::parse(filter).unwrap());
                }
            }
            client.receive_all(Duration::from_millis(20));
        }
        let topics: Vec<String> = (0..40).map(|_| dice.topic()).collect();
        let asked: Vec<String> = topics
            .iter()
            .flat_map(|topic| {
                principals.iter().map(move |principal| {
                    json!({"check": "deliver", "username": principal.login.username, "client_id": principal.client_id, "topic": topic}).to_string()
                })
            })
            .collect();
        std::fs::write(&file, asked.join("\n")).unwrap();
        let output = fixture.cli.run(&["check", "--batch", file.to_str().unwrap()]);
        let mut answers = output.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        for topic in &topics {
            let name = TopicName::parse(topic).unwrap();
            publisher.publish(topic, b"d", 1, false).unwrap();
            for (index, client) in clients.iter_mut().enumerate() {
                let answer = answers.next().unwrap();
                let has_subscription = subscribed[index].iter().any(|filter| filter.matches(name));
                let expected = has_subscription && answer["verdict"] == "allow";
                let got = client.received().iter().any(|message| message.topic == *topic && message.payload == b"d");
                assert_eq!(got, expected, "{topic} to {}: {answer}", principals[index].login.username);
            }
        }
    }

    fn a_rule_given_or_taken_reaches_live_sessions(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &["--namespace", "t1/#", "--namespace", "plant/#"]);
        fixture.cli.json(&["role", "create", "ops", "--tenant", "t1"]);
        let login = fixture.credential_with("dev", "t1", &["--role", "ops"]);
        let mut client = login.connect_v5("a").accepted(fixture.port());
        assert_eq!(client.publish("plant/secret", b"x", 1, false).unwrap() & 0x80, 0);
        fixture.cli.json(&["role", "deny", "ops", "--tenant", "t1", "both", "plant/secret"]);
        wait_until("the deny bites", || client.publish("plant/secret", b"x", 1, false).unwrap() == 0x87);
        assert_eq!(client.subscribe(&[("plant/secret", 0)]).unwrap(), [0x87]);
        assert_eq!(client.subscribe(&[("plant/#", 0)]).unwrap(), [0]);
        let other = fixture.credential("other", "t1");
        let mut other = other.connect_v5("b").accepted(fixture.port());
        other.publish("plant/secret", b"x", 1, false).unwrap();
        other.publish("plant/open", b"x", 1, false).unwrap();
        assert_eq!(countersign_tests::topics(&mut client), ["plant/open"]);
        fixture.cli.json(&["role", "remove", "ops", "--tenant", "t1", "both", "plant/secret"]);
        wait_until("the deny is gone", || client.publish("plant/secret", b"x", 1, false).unwrap() & 0x80 == 0);
    }

    fn a_filtered_tenant_accepts_what_meets_its_rules_and_delivers_no_more(version) {
        let fixture = Fixture::start(version);
        fixture.tenant("t1", &["--subscribe", "filtered"]);
        fixture.tenant("t2", &[]);
        let one = fixture.credential("dev", "t1");
        let two = fixture.credential("dev", "t2");
        let mut client = one.connect_v5("a").accepted(fixture.port());
        assert_eq!(client.subscribe(&[("#", 0), ("$share/g/#", 0), ("t2/#", 0)]).unwrap(), [0, 0x87, 0x87]);
        let mut publisher = two.connect_v5("b").accepted(fixture.port());
        publisher.publish("t2/x", b"x", 1, false).unwrap();
        client.publish("t1/x", b"x", 1, false).unwrap();
        assert_eq!(countersign_tests::topics(&mut client), ["t1/x"]);
    }
}

/// Somebody who asks.
struct Principal {
    login: Login,
    client_id: String,
}

/// Tenants, roles and credentials by chance, the same ones every time.
fn furnish(maker: &mut Maker, dice: &mut Dice) -> Vec<Principal> {
    let mut transaction = maker.store.begin(Intent::Write).unwrap();
    let now = Timestamp::from_millis(1_700_000_000_000);
    for (index, id) in TENANTS.iter().enumerate() {
        let namespaces = [format!("{id}/#"), format!("shared/{id}/+/#")];
        let namespaces = namespaces
            .iter()
            .map(|text| TopicFilter::parse(text).unwrap());
        let namespaces = Namespaces::new(namespaces).unwrap();
        let mut tenant = Tenant::new(TenantId::parse(id).unwrap(), namespaces, now);
        if index % 2 == 1 {
            tenant.subscribe = SubscribeMode::Filtered;
        }
        transaction.put_tenant(&tenant).unwrap();
        for role in ROLES {
            let rules = (0..dice.below(6))
                .map(|_| RoleRule {
                    rule: dice.rule(),
                    group: dice.group(),
                })
                .collect();
            let role = Role {
                tenant: tenant.id.clone(),
                name: RoleName::parse(role).unwrap(),
                description: None,
                no_wildcards: dice.below(4) == 0,
                limits: UseLimits::default(),
                created_at: now,
                rules,
            };
            transaction.put_role(&role).unwrap();
        }
    }
    transaction
        .commit(&[audit_row()], &[change::Change::Everything])
        .unwrap();
    (0..PRINCIPALS)
        .map(|index| {
            let tenant = TENANTS[dice.below(TENANTS.len())];
            let is_operator = index % 8 == 0;
            let name = if is_operator {
                format!("op{index}")
            } else {
                format!("dev{index}@{tenant}")
            };
            let credential = Credential {
                rules: (0..dice.below(4)).map(|_| dice.rule()).collect(),
                roles: if is_operator {
                    Vec::new()
                } else {
                    dice.roles()
                },
                groups: dice.groups(),
                attributes: dice.attributes(),
                ..blank(&name, (!is_operator).then_some(tenant))
            };
            maker.add(&credential);
            Principal {
                login: login(&credential.name),
                client_id: format!("id{index}"),
            }
        })
        .collect()
}

/// Chance that falls the same way every time (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn topic(&mut self) -> String {
        let levels: Vec<&str> = (0..=self.below(4)).map(|_| self.one_of(&LEVELS)).collect();
        levels.join("/")
    }

    fn filter(&mut self) -> String {
        let mut levels: Vec<&str> = (0..=self.below(3))
            .map(|_| self.one_of(&[LEVELS[0], LEVELS[1], LEVELS[2], LEVELS[3], "+", "+"]))
            .collect();
        if self.below(3) == 0 {
            levels.push("#");
        }
        let filter = levels.join("/");
        if self.below(8) == 0 {
            format!("$share/g/{filter}")
        } else {
            filter
        }
    }

    fn pattern(&mut self) -> Pattern {
        let words = [
            "t1",
            "t2",
            "shared",
            "a",
            "b",
            "+",
            "${username}",
            "${client_id}",
            "${attr.line}",
            "x-${group}",
            "${tenant}",
        ];
        let mut levels: Vec<&str> = (0..=self.below(3)).map(|_| self.one_of(&words)).collect();
        if self.below(2) == 0 {
            levels.push("#");
        }
        Pattern::parse(&levels.join("/")).unwrap()
    }

    fn rule(&mut self) -> Rule {
        let effect = if self.below(3) == 0 {
            Effect::Deny
        } else {
            Effect::Allow
        };
        let action = [Action::Publish, Action::Subscribe, Action::Both][self.below(3)];
        let limits = if effect == Effect::Allow && action == Action::Publish && self.below(2) == 0 {
            Limits {
                max_qos: Some(QoS::AtLeastOnce),
                no_retain: self.below(2) == 0,
            }
        } else {
            Limits::NONE
        };
        Rule::new(effect, action, self.pattern(), limits).unwrap()
    }

    fn roles(&mut self) -> Vec<RoleName> {
        ROLES
            .iter()
            .filter(|_| self.below(2) == 0)
            .map(|role| RoleName::parse(role).unwrap())
            .collect()
    }

    fn groups(&mut self) -> Vec<GroupPath> {
        let mut groups: Vec<_> = (0..2).filter_map(|_| self.group()).collect();
        groups.dedup();
        groups
    }

    fn group(&mut self) -> Option<GroupPath> {
        match self.below(3) {
            0 => None,
            1 => Some(GroupPath::parse("DM").unwrap()),
            _ => Some(GroupPath::parse("DM.X").unwrap()),
        }
    }

    fn attributes(&mut self) -> BTreeMap<String, String> {
        match self.below(3) {
            0 => BTreeMap::new(),
            1 => BTreeMap::from([("line".into(), "a".into())]),
            _ => BTreeMap::from([("line".into(), "a/+".into())]),
        }
    }
}

const QUESTIONS: usize = 2_000;
const PRINCIPALS: usize = 40;
const TENANTS: [&str; 3] = ["t1", "t2", "t3"];
const ROLES: [&str; 3] = ["one", "two", "three"];
const LEVELS: [&str; 8] = ["t1", "t2", "shared", "a", "b", "dev1@t1", "id3", "x-DM"];
const FILTERS: [&str; 6] = ["#", "t1/#", "t2/+", "+/a/#", "shared/#", "a/b"];
