//! The tenants and principals of a run, and all that the oracle knows of them.

use std::collections::BTreeMap;

use countersign_tests::people::Authenticator;
use countersign_tests::{Fixture, text};
use fastrand::Rng;

use crate::packets::{ConnectInfo, TOTP};
use crate::rights::{Action, Rights, Rule, TENANTS};
use crate::timeline::{Millis, Timeline};

/// An index of [`World::principals`].
pub type Id = usize;

/// Who a session may belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Who {
    Principal(Id),
    Unauthenticated,
    /// Let in by the broker itself, for its certificate, and by no one else.
    Nobody,
}

/// The local client id of the broker's own bridge.
pub const BRIDGE: &str = "local.edge";

/// The name of a certificate that no credential is marked for.
pub const STRANGER: &str = "stranger";

/// The name of one that a credential is marked for.
pub const KNOWN: &str = "cert@alpha";

/// Which client ids a principal may present.
#[derive(Debug)]
pub enum ClientIds {
    Any,
    Exact(String),
    /// The presented secret itself.
    Secret,
    /// The first one that it came with.
    FirstUse(Timeline<Option<String>>),
}

/// What administers a principal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Credential,
    User,
    Thing,
    Token,
    Operator,
}

/// One principal as the oracle knows it.
pub struct Principal {
    pub kind: Kind,
    /// The name that commands take.
    pub name: String,
    /// What it types; nothing where the secret alone tells who it is.
    pub username: Option<String>,
    pub tenant: Option<&'static str>,
    pub secrets: Timeline<Vec<String>>,
    /// Whether it is neither suspended nor revoked nor deleted.
    pub usable: Timeline<bool>,
    pub client_ids: ClientIds,
    pub base: Vec<Rule>,
    /// Its own rules.
    pub own: Timeline<Vec<Rule>>,
    /// The role that it has, an index of [`World::roles`].
    pub role: Option<usize>,
    /// The second factor.
    pub authenticator: Option<Authenticator>,
    /// Whether its password is hashed slowly.
    pub slow: bool,
    /// Whether it was attacked with wrong secrets under its own name.
    pub attacked: u32,
    /// When an act on it was last under way.
    pub stirred: Millis,
    /// Whether it was deleted, or revoked, which is as good.
    pub gone: bool,
}

/// A role and its rules.
pub struct Role {
    pub name: &'static str,
    pub tenant: &'static str,
    pub rules: Timeline<Vec<Rule>>,
}

/// Everything that may be known.
pub struct World {
    pub principals: Vec<Principal>,
    pub roles: Vec<Role>,
    /// How the tenant `open` treats who proves nothing.
    pub open_mode: Timeline<&'static str>,
    /// When an act on that was last under way.
    pub open_stirred: Millis,
    /// Whether the broker's default tenant is `open`.
    pub open_is_default: bool,
    /// Who the known certificate stands for.
    pub certified: Id,
    /// All secrets that ever were.
    pub secrets: Vec<String>,
}

impl World {
    /// Fills the store of a running broker.
    pub fn make(fixture: &Fixture, open_is_default: bool) -> Self {
        let mut world = Self {
            principals: Vec::new(),
            roles: Vec::new(),
            open_mode: Timeline::new("required"),
            open_stirred: 0,
            open_is_default,
            secrets: Vec::new(),
            certified: 0,
        };
        fixture.tenant("alpha", &[]);
        fixture.tenant("beta", &["--subscribe", "filtered"]);
        fixture.tenant("gamma", &["--client-id-prefix", "ga-"]);
        fixture.tenant("open", &[]);
        for (name, tenant, pattern) in [("staff", "alpha", "alpha/#"), ("crew", "beta", "beta/+")] {
            fixture.role(name, tenant, &[pattern]);
            world.roles.push(Role {
                name,
                tenant,
                rules: Timeline::new(vec![Rule::both(pattern)]),
            });
        }
        for (name, tenant) in [
            ("a1", "alpha"),
            ("a2", "alpha"),
            ("a3", "alpha"),
            ("b1", "beta"),
            ("b2", "beta"),
            ("g1", "gamma"),
            ("g2", "gamma"),
            ("o1", "open"),
        ] {
            let login = fixture.credential(name, tenant);
            world.basic(&login.username, tenant, &login.secret, false);
        }
        for (name, tenant, password) in [
            ("ap", "alpha", "alpha-Passw0rd-kestrel"),
            ("bp", "beta", "beta-Passw0rd-heron"),
            ("op", "open", "open-Passw0rd-osprey"),
        ] {
            let login = fixture.credential_with_password(name, tenant, password);
            world.basic(&login.username, tenant, password, true);
        }
        let external = ["--external-identity"];
        let login = fixture.credential_with(KNOWN.trim_end_matches("@alpha"), "alpha", &external);
        world.basic(KNOWN, "alpha", &login.secret, false);
        world.certified = world.principals.len() - 1;
        world.schemes(fixture);
        world.people(fixture);
        world.operators(fixture);
        world
    }

    fn basic(&mut self, name: &str, tenant: &'static str, secret: &str, slow: bool) {
        let base = vec![Rule::both(format!("{tenant}/#"))];
        self.add(
            Kind::Credential,
            name,
            Some(name),
            Some(tenant),
            secret,
            base,
        );
        self.last().slow = slow;
    }

    fn schemes(&mut self, fixture: &Fixture) {
        for _ in 0..2 {
            let made = fixture.make("generated", "alpha", &["--description", "line"]);
            let name = text(&made, "username");
            let base = vec![Rule::both("alpha/#")];
            let secret = text(&made, "secret");
            self.add(
                Kind::Credential,
                &name,
                Some(&name),
                Some("alpha"),
                &secret,
                base,
            );
            self.last().client_ids = ClientIds::Exact(text(&made, "client_id"));
        }
        for tenant in ["alpha", "beta"] {
            let made = fixture.make("vwire", tenant, &[]);
            let name = text(&made, "username");
            let base = vec![
                Rule::one(Action::Subscribe, format!("vwire/{name}/#")),
                Rule::one(Action::Publish, format!("vwire/{name}/+/#")),
            ];
            let secret = text(&made, "secret");
            self.add(
                Kind::Credential,
                &name,
                Some(&name),
                Some(tenant),
                &secret,
                base,
            );
            self.last().client_ids = ClientIds::Exact(name);
        }
        let made = fixture.make("vwire-token", "beta", &["pump"]);
        let token = text(&made, "secret");
        let base = vec![
            Rule::one(Action::Subscribe, "vwire/beta/pump/#"),
            Rule::one(Action::Publish, "vwire/beta/pump/+/#"),
        ];
        let name = text(&made, "name");
        self.add(Kind::Credential, &name, None, Some("beta"), &token, base);
        self.last().client_ids = ClientIds::Secret;
        let made = fixture.make("impact", "alpha", &["PROBE7"]);
        let base = vec![Rule::both(format!("{}/#", text(&made, "token")))];
        let (name, secret) = (text(&made, "username"), text(&made, "secret"));
        self.add(
            Kind::Credential,
            &name,
            Some(&name),
            Some("alpha"),
            &secret,
            base,
        );
    }

    fn people(&mut self, fixture: &Fixture) {
        for (email, password, tenant, role, second_factor) in [
            ("ann@mail.test", "ann-Secret-phrase-1", "alpha", 0, false),
            ("bob@mail.test", "bob-Secret-phrase-2", "beta", 1, true),
        ] {
            let user = fixture.user(email, password);
            fixture.grant(&user, tenant, &["--role", self.roles[role].name]);
            let authenticator = second_factor.then(|| {
                fixture.wait_for_a_fresh_step();
                fixture.enrol_and_confirm(&user)
            });
            self.add(
                Kind::User,
                email,
                Some(email),
                Some(tenant),
                password,
                Vec::new(),
            );
            self.last().role = Some(role);
            self.last().slow = true;
            self.last().authenticator = authenticator;
        }
        let boss = fixture.user("boss@mail.test", "boss-Secret-phrase-3");
        fixture.grant(&boss, "alpha", &["--org-admin"]);
        self.secrets.push(boss.secret);
        let application = fixture.application("fleet", "alpha", &[]);
        for key in ["truck-1", "truck-2"] {
            fixture.thing(key, "alpha", "fleet", &application);
            let base = vec![Rule::both(format!("thing/{key}/#"))];
            self.add(
                Kind::Thing,
                key,
                Some(key),
                Some("alpha"),
                &application,
                base,
            );
            self.last().client_ids = ClientIds::FirstUse(Timeline::new(None));
        }
        let options = ["--whoami", "robot"];
        let token = fixture.token("alpha", "staff", "boss@mail.test", &options);
        self.add(
            Kind::Token,
            &text(&token, "jti"),
            None,
            Some("alpha"),
            &text(&token, "token"),
            Vec::new(),
        );
        self.last().role = Some(0);
    }

    fn operators(&mut self, fixture: &Fixture) {
        let watch = fixture.operator("watch", &["--subscribe", "#"]);
        let base = vec![Rule::one(Action::Subscribe, "#")];
        self.add(
            Kind::Operator,
            "watch",
            Some("watch"),
            None,
            &watch.secret,
            base,
        );
        let feed = [
            "--publish",
            "alpha/feed/#",
            "--publish",
            "beta/feed/+",
            "--subscribe",
            "beta/#",
        ];
        let feed = fixture.operator("feed", &feed);
        let base = vec![
            Rule::one(Action::Publish, "alpha/feed/#"),
            Rule::one(Action::Publish, "beta/feed/+"),
            Rule::one(Action::Subscribe, "beta/#"),
        ];
        self.add(
            Kind::Operator,
            "feed",
            Some("feed"),
            None,
            &feed.secret,
            base,
        );
    }

    fn add(
        &mut self,
        kind: Kind,
        name: &str,
        username: Option<&str>,
        tenant: Option<&'static str>,
        secret: &str,
        base: Vec<Rule>,
    ) {
        self.secrets.push(secret.to_owned());
        self.principals.push(Principal {
            kind,
            name: name.to_owned(),
            username: username.map(str::to_owned),
            tenant,
            secrets: Timeline::new(vec![secret.to_owned()]),
            usable: Timeline::new(true),
            client_ids: ClientIds::Any,
            base,
            own: Timeline::new(Vec::new()),
            role: None,
            authenticator: None,
            slow: false,
            attacked: 0,
            stirred: 0,
            gone: false,
        });
    }

    fn last(&mut self) -> &mut Principal {
        let last = self.principals.len() - 1;
        &mut self.principals[last]
    }

    /// All who may have been let in by this CONNECT, sent and answered at these
    /// moments.
    pub fn admissible(&self, info: &ConnectInfo, sent: Millis, answered: Millis) -> Vec<Who> {
        if info.client_id.contains(['+', '#', '\0']) || info.client_id == BRIDGE {
            return Vec::new();
        }
        let principals = (0..self.principals.len()).filter(|id| {
            let principal = &self.principals[*id];
            principal.proves(info, sent, answered)
                && principal.is_its_client_id(info, sent, answered)
                && principal
                    .usable
                    .possible(sent, answered)
                    .any(|usable| *usable)
        });
        let mut all: Vec<Who> = principals.map(Who::Principal).collect();
        if self.opens_to(info, sent, answered) {
            all.push(Who::Unauthenticated);
        }
        all
    }

    /// All who may be meant by this certificate.
    pub fn vouched(&self, name: &str, sent: Millis, answered: Millis) -> Vec<Who> {
        let usable = &self.principals[self.certified].usable;
        let mut all = Vec::new();
        if name == KNOWN && usable.possible(sent, answered).any(|usable| *usable) {
            all.push(Who::Principal(self.certified));
        }
        if name != KNOWN || usable.possible(sent, answered).any(|usable| !*usable) {
            all.push(Who::Nobody);
        }
        all
    }

    /// Whether a client that proves nothing may have been let in.
    fn opens_to(&self, info: &ConnectInfo, sent: Millis, answered: Millis) -> bool {
        if info.method.is_some() || info.client_id.starts_with("ga-") {
            return false;
        }
        let mut modes = self.open_mode.possible(sent, answered);
        // A name of no bytes is as good as none.
        match info.username.as_ref().filter(|name| !name.is_empty()) {
            None if info.username.is_some() => modes.any(|mode| *mode != "required"),
            None if info.password.is_none() => modes.any(|mode| *mode != "required"),
            // A wrong credential.
            name => {
                let name = name.map(String::as_str).unwrap_or_default();
                let suffix = name.rsplit_once('@').map(|(_, suffix)| suffix);
                let found = self.principals.iter().find(|principal| {
                    let own = principal.username.as_deref();
                    // Of e-mail addresses alone the case does not count.
                    own.is_some_and(|own| match principal.kind {
                        Kind::User => own.eq_ignore_ascii_case(name),
                        _ => own == name,
                    })
                });
                let in_open = match (found, suffix) {
                    (Some(found), _) => {
                        found.tenant == Some("open") && found.kind == Kind::Credential
                    }
                    (None, Some("open")) => true,
                    (None, Some(_)) => false,
                    (None, None) => self.open_is_default,
                };
                in_open && modes.any(|mode| *mode == "off")
            }
        }
    }

    /// All that these may have been allowed between two moments.
    pub fn rights(&self, who: &[Who], from: Millis, to: Millis) -> Vec<Rights> {
        let mut all = Vec::new();
        for who in who {
            match who {
                Who::Nobody => all.push(Rights::default()),
                Who::Unauthenticated => all.push(Rights {
                    tenant: Some("open".to_owned()),
                    filtered: false,
                    base: vec![Rule::both("open/#")],
                    own: Vec::new(),
                }),
                Who::Principal(id) => {
                    let principal = &self.principals[*id];
                    let none = Timeline::new(Vec::new());
                    let role = principal.role.map_or(&none, |role| &self.roles[role].rules);
                    for own in principal.own.possible(from, to) {
                        for role in role.possible(from, to) {
                            all.push(Rights {
                                tenant: principal.tenant.map(str::to_owned),
                                filtered: principal.tenant == Some("beta"),
                                base: principal.base.clone(),
                                own: own.iter().chain(role).cloned().collect(),
                            });
                        }
                    }
                }
            }
        }
        all
    }

    /// A topic that somebody may care for.
    pub fn topic(&self, rng: &mut Rng) -> String {
        let tails = [
            "x",
            "feed/1",
            "feed/2/3",
            "deep/er/still",
            "no",
            "no/where",
            "t",
            "t/u",
        ];
        let tail = tails[rng.usize(..tails.len())];
        match rng.u8(..12) {
            0 => {
                let id = rng.usize(..self.principals.len());
                match self.principals[id].base.first() {
                    Some(rule) => rule.pattern.replace(['#', '+'], tail),
                    None => "nobodys/topic".to_owned(),
                }
            }
            1 => [
                "nobodys/topic",
                "vwire/VW-AAAAAA/x",
                "thing/truck-1/x",
                "$SYS/broker/uptime",
                "$CONTROL/dynamic-security/v1",
            ][rng.usize(..5)]
            .to_owned(),
            _ => format!("{}/{tail}", TENANTS[rng.usize(..TENANTS.len())]),
        }
    }

    /// A filter of the same kind.
    pub fn filter(&self, rng: &mut Rng) -> String {
        let mut filter = match rng.u8(..10) {
            0 => ["#", "+/#", "+/x", "$SYS/#", "$CONTROL/#", "+/+/1", "/#"][rng.usize(..7)]
                .to_owned(),
            1..=4 => format!("{}/#", TENANTS[rng.usize(..TENANTS.len())]),
            5 => format!("{}/+", TENANTS[rng.usize(..TENANTS.len())]),
            _ => self.topic(rng),
        };
        if rng.u8(..12) == 0 {
            filter = format!("$share/group/{filter}");
        }
        filter
    }

    /// How many principals there are of each kind, for the report.
    pub fn census(&self) -> String {
        let mut kinds = BTreeMap::new();
        for principal in &self.principals {
            *kinds.entry(format!("{:?}", principal.kind)).or_insert(0) += 1;
        }
        format!("{kinds:?}")
    }
}

impl Principal {
    /// Whether this CONNECT presents a secret of it under its name.
    pub fn proves(&self, info: &ConnectInfo, sent: Millis, answered: Millis) -> bool {
        let Some(password) = &info.password else {
            return false;
        };
        let Ok(password) = std::str::from_utf8(password) else {
            return false;
        };
        let name = info.username.as_deref();
        let is_its_name = match (&self.username, self.kind) {
            (Some(own), Kind::User) => name.is_some_and(|name| own.eq_ignore_ascii_case(name)),
            (Some(own), _) => name.is_some_and(|name| own.eq_ignore_ascii_case(name)),
            (None, Kind::Token) => matches!(name, None | Some("jwt" | "robot")),
            // Under a token scheme the secret stands in both fields.
            (None, _) => name == Some(password),
        };
        if let Some(method) = &info.method {
            // Asked for a code, it must give one of this moment.
            let codes = self
                .authenticator
                .as_ref()
                .map(|it| [-1, 0, 1].map(|at| it.code(at)));
            let answers = codes
                .is_none_or(|codes| info.code.as_ref().is_some_and(|code| codes.contains(code)));
            let own = |secrets: &Vec<String>| secrets.iter().any(|secret| secret == password);
            return is_its_name
                && method == TOTP
                && answers
                && self.secrets.possible(sent, answered).any(own);
        }
        let password = match &self.authenticator {
            Some(_) => match password.len().checked_sub(6) {
                Some(end) if password.is_char_boundary(end) => &password[..end],
                _ => return false,
            },
            None => password,
        };
        is_its_name
            && self
                .secrets
                .possible(sent, answered)
                .any(|secrets| secrets.iter().any(|secret| secret == password))
    }

    fn is_its_client_id(&self, info: &ConnectInfo, sent: Millis, answered: Millis) -> bool {
        let id = info.client_id.as_str();
        if (self.tenant == Some("gamma")) != id.starts_with("ga-") && self.tenant.is_some() {
            return false;
        }
        match &self.client_ids {
            ClientIds::Any => true,
            ClientIds::Exact(own) => own == id,
            ClientIds::Secret => info.password.as_deref() == Some(id.as_bytes()),
            ClientIds::FirstUse(tie) => tie
                .possible(sent, answered)
                .any(|tied| tied.as_deref().is_none_or(|tied| tied == id)),
        }
    }
}
