//! A store whose service is asked by a broker of another maker, and what must hold
//! whatever that broker is.

use std::fs;

use countersign_core::credential::Credential;
use countersign_core::rule::{Effect, Limits, Rule};
use countersign_testkit::artifacts::workspace;
use countersign_testkit::cases::{self, RuleCase};
use countersign_testkit::mqtt::Protocol;
use countersign_testkit::service::Service;
use countersign_testkit::{Cli, Client, Connect};
use tempfile::TempDir;

use crate::maker::{Maker, blank, login};
use crate::{Login, PATIENCE, text, wait_until};

/// A store with the tenant `acme`, and a service on it that answers the hook `edge`.
#[derive(Debug)]
pub struct Hooked {
    /// The program, on the store.
    pub cli: Cli,
    /// What answers the broker.
    pub service: Service,
    /// What clients speak at the broker.
    protocol: Protocol,
    secret: String,
    _folder: TempDir,
}

impl Hooked {
    /// One with a hook of this kind.
    pub fn start(kind: &str, protocol: Protocol, options: &[&str], stdin: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cli = Cli::new(folder.path().join("countersign.db"));
        cli.json(&["init"]);
        cli.act("tenant create acme", &[]);
        let create = ["hook", "create", "edge", "--kind", kind];
        let made = cli.json_with_stdin(&[&create, options].concat(), stdin.as_bytes());
        Self {
            service: Service::start(&cli, &[]).unwrap(),
            protocol,
            secret: text(&made, "secret"),
            cli,
            _folder: folder,
        }
    }

    /// The first block below a title of the page on hooks, meant for this service.
    pub fn config(&self, title: &str) -> String {
        let page = fs::read_to_string(workspace().join("docs/hooks.md")).unwrap();
        let (_, section) = page.split_once(&format!("\n## {title}\n")).unwrap();
        let mut parts = section.split("```");
        let (_, block) = parts.nth(1).unwrap().split_once('\n').unwrap();
        let address = self.service.address.to_string();
        block
            .replace("127.0.0.1:8080", &address)
            .replace("SECRET", &self.secret)
    }

    /// Makes a device of the tenant.
    pub fn device(&self, name: &str) -> Login {
        self.device_with(name, &[])
    }

    /// The same with more options.
    pub fn device_with(&self, name: &str, options: &[&str]) -> Login {
        let line = format!("credential create {name} --tenant acme");
        Login::from(&self.cli.act(&line, options))
    }

    /// A CONNECT at the broker.
    pub fn connect(&self, login: &Login, client_id: &str) -> Connect {
        Connect::new(self.protocol, client_id).login(&login.username, &login.secret)
    }

    /// Somebody who sees all that comes through a broker at this port.
    pub fn watch(&self, port: u16) -> Watch {
        let everything = ["--publish", "#", "--subscribe", "#"];
        let made = self.cli.act("operator create watch", &everything);
        let login = Login {
            username: text(&made, "name"),
            secret: text(&made, "secret"),
        };
        let [mut observer, publisher] =
            ["observer", "publisher"].map(|id| login.connect(id).accepted(port));
        assert_eq!(observer.subscribe(&[("#", 1)]).unwrap(), [1]);
        Watch {
            observer,
            publisher,
            marks: 0,
            seen: Vec::new(),
            refusals: None,
        }
    }

    /// Nobody is let in who is not somebody. Brokers take their time to say so.
    pub fn refuses_who_is_nobody(&self, port: u16) {
        let known = self.device("known");
        let suspended = self.device("suspended");
        self.cli
            .json(&["credential", "suspend", &suspended.username]);
        let early = self.device_with("early", &["--not-before", "+1d"]);
        let connects = [
            known.with_secret("wrong").connect("a"),
            self.connect(&known.with_secret("wrong"), "b"),
            known.with_secret("").connect("c"),
            Connect::v311("d").username(&known.username),
            Connect::v311("e").login("nobody@acme", &known.secret),
            Connect::v311("f").login("", ""),
            Connect::v311("g").login("guest", "guest"),
            Connect::v311("h"),
            Connect::new(self.protocol, "i"),
            suspended.connect("j"),
            self.connect(&early, "k"),
        ];
        std::thread::scope(|scope| {
            for connect in &connects {
                scope.spawn(move || {
                    // Some close the connection without a word.
                    let answer = connect.attempt(port).map(|(_, answer)| answer.code());
                    assert_ne!(answer.ok().flatten(), Some(0), "{connect:?}");
                });
            }
        });
        for connect in [known.connect("a"), self.connect(&known, "b")] {
            connect.accepted(port).disconnect().unwrap();
        }
    }

    /// Whoever was let in is refused, once it is over with its login: at the next topic
    /// that it publishes to, at the latest.
    pub fn refuses_what_is_over(&self, port: u16, watch: &mut Watch) {
        let over = |act: &str, login: &Login| {
            let mut words: Vec<&str> = vec!["credential"];
            words.extend(act.split(' '));
            words.push(&login.username);
            self.cli.json(&words)
        };
        for act in ["suspend", "revoke", "reset-password", "delete", "replace"] {
            let login = self.device(act);
            let mut client = self.connect(&login, act).accepted(port);
            assert!(watch.sees(&mut client, &format!("acme/{act}/before")));
            match act {
                "replace" => {
                    over("delete", &login);
                    self.device(act);
                }
                _ => drop(over(act, &login)),
            }
            let topic = format!("acme/{act}/after");
            assert!(!watch.sees(&mut client, &topic), "{act}");
        }
        let login = self.device_with("expiring", &["--expires", "+3s"]);
        let mut client = self.connect(&login, "expiring").accepted(port);
        let mut count = 0;
        wait_until("a credential ends", || {
            count += 1;
            !watch.sees(&mut client, &format!("acme/expiring/{count}"))
        });
        let again = self.connect(&login, "expiring").attempt(port);
        assert_ne!(again.ok().and_then(|(_, it)| it.code()), Some(0));
    }

    /// What rules grant, as the core is held to it, as far as this broker can be asked.
    pub fn holds_the_cases(
        &self,
        port: u16,
        watch: &mut Watch,
        can_say: impl Fn(&RuleCase) -> bool,
    ) {
        let mut maker = Maker::new(self.cli.store());
        let all = cases::questions().unwrap();
        let asked = all.iter().enumerate().filter(|(_, case)| {
            let case = &case.fields;
            can_be_asked(case) && can_say(case)
        });
        let mut tally = [0, 0];
        for (index, case) in asked {
            let fields = &case.fields;
            let name = fields.username.clone();
            let name = name.unwrap_or_else(|| format!("case{index}"));
            let rules = fields.rules.iter().map(|rule| rule.rule().unwrap());
            let credential = Credential {
                rules: rules.collect(),
                groups: fields.groups().unwrap(),
                attributes: fields.attributes.clone(),
                ..blank(&name, None)
            };
            let id = maker.add(&credential);
            let client_id = fields.client_id.clone();
            let client_id = client_id.unwrap_or_else(|| format!("client{index}"));
            let connect = self.connect(&login(&credential.name), &client_id);
            let mut client = connect.accepted(port);
            let is_allowed = match fields.check.as_str() {
                "publish" => watch.sees(&mut client, &fields.topic),
                _ => client.subscribe(&[(&fields.topic, 0)]).unwrap() == [0],
            };
            let may = fields.verdict == "allow";
            assert_eq!(is_allowed, may, "{}: {fields:?}", case.name);
            tally[usize::from(may)] += 1;
            drop(client);
            maker.delete(id);
        }
        println!("{} cases denied, {} allowed", tally[0], tally[1]);
        assert!(tally.iter().all(|count| *count >= 20), "{tally:?}");
    }
}

/// Sees all that comes through a broker.
#[expect(
    missing_debug_implementations,
    reason = "a question has nothing to show"
)]
pub struct Watch {
    observer: Client,
    publisher: Client,
    marks: usize,
    /// The topics of all that came.
    seen: Vec<String>,
    /// What the broker says of a refused PUBLISH, where it tells its client nothing and
    /// judges what clients send side by side.
    refusals: Option<Refusals>,
}

/// Counts how often a broker has refused a PUBLISH to a topic.
pub type Refusals = Box<dyn Fn(&str) -> usize + Send>;

impl Watch {
    /// The same, at a broker that says of each PUBLISH that it refused it.
    #[must_use]
    pub fn told_of(mut self, refusals: Refusals) -> Self {
        self.refusals = Some(refusals);
        self
    }

    /// Has a client publish, and says whether that came through. It may lose its
    /// connection by it.
    pub fn sees(&mut self, client: &mut Client, topic: &str) -> bool {
        if let Some(refusals) = &self.refusals {
            let before = refusals(topic);
            let _ = client.publish(topic, b"x", 1, false);
            let mut came = false;
            wait_until("a message comes, or is refused", || {
                came |= self.observer.received().iter().any(|it| it.topic == topic);
                came || refusals(topic) > before
            });
            return came;
        }
        let _ = client.publish(topic, b"x", 1, false);
        let before = self.seen.len();
        self.marks += 1;
        let mark = format!("mark/{}", self.marks);
        self.publisher.publish(&mark, b"x", 1, false).unwrap();
        self.wait_for(&mark);
        self.seen.iter().skip(before).any(|it| it == topic)
    }

    /// Waits for a message.
    pub fn wait_for(&mut self, topic: &str) {
        loop {
            let message = self.observer.receive(PATIENCE).expect(topic);
            self.seen.push(message.topic);
            if self.seen.last().is_some_and(|it| it == topic) {
                break;
            }
        }
    }

    /// Whether a message came, ever.
    pub fn has_seen(&self, topic: &str) -> bool {
        self.seen.iter().any(|it| it == topic)
    }
}

/// Says whether a broker of another maker can be asked this: none tells a gate whether a
/// message is retained, and none has deliveries checked that a deny takes from a filter.
fn can_be_asked(case: &RuleCase) -> bool {
    let rules: Vec<Rule> = match case.rules.iter().map(|rule| rule.rule()).collect() {
        Ok(rules) => rules,
        Err(_) => return false,
    };
    let has_wildcard = case.topic.contains(['+', '#']);
    let denies = rules.iter().any(|rule| rule.effect() == Effect::Deny);
    let is_usual = match case.check.as_str() {
        "publish" => !case.retain && !case.topic.starts_with('$'),
        "subscribe" if has_wildcard && denies => false,
        "subscribe" => !case.topic.starts_with("$share"),
        _ => false,
    };
    let is_judged = matches!(&*case.verdict, "allow" | "no-rule" | "denied-by-rule");
    let is_short = case.topic.len() < 200 && case.topic.split('/').count() < 50;
    let has_limits = rules.iter().any(|rule| rule.limits() != Limits::NONE);
    is_usual && is_judged && is_short && !has_limits && case.is_of_somebody()
}
