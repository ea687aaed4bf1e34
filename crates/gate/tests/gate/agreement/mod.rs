//! What a device may do, by a gate, by `check`, by a preview of a change, and by
//! a naive reading of the rules as they are written.

use countersign::core::name::{GroupPath, TenantId};
use countersign::core::options::Options;
use countersign::core::role::RoleName;
use countersign::core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use countersign::core::scheme::{FieldValue, Scheme, SchemeName};
use countersign::core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::core::topic::TopicFilter;
use countersign::sqlite::SqliteStore;
use countersign::{ClientRef, ConnectInfo, ConnectOutcome, Gate, GateConfig, Handle};
use countersign_admin::check::{Listeners, PolicyCheck, TopicCheck, Usage};
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::role::{
    AssignRole, Assignment, ChangeEffect, ChangeRoleRules, CreateRole, NewRole, PreviewAssignment,
    PreviewRoleRules, UnassignRole,
};
use countersign_admin::rule::RuleChange;
use countersign_admin::scheme::AddScheme;
use countersign_admin::taking::{TakeFromRest, Taking};
use countersign_admin::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::by_hand::{ByHand, folder, new_store, settings};

use self::naive::{Naive, Session};

mod naive;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const TENANT: &str = "acme";

/// Login names, all but their tenant.
const NAMES: [&str; 5] = ["dev1", "$x", "acme", "t", "x y"];
const LINES: [Option<&str>; 6] = [
    None,
    Some(""),
    Some("t"),
    Some("a/b"),
    Some("+"),
    Some("$y"),
];
const CLIENT_IDS: [&str; 6] = ["c1", "acme", "$x", "a/b", "t", "p-t"];
/// The groups of each of the names, in the order in which they are joined.
const GROUPS: [&[&str]; 5] = [&["DM.X"], &[], &["B", "DM.X"], &["DMX"], &["DM", "t"]];
/// Groups that may hold the role.
const HOLDING: [&str; 5] = ["DM", "DM.X", "B", "t", "DMX"];
const TOPICS: [&str; 27] = [
    "acme/DM.X",
    "acme/B/t",
    "acme",
    "acme/t",
    "acme/c1",
    "acme/dev1",
    "acme/dev1/t",
    "acme/dev1@acme",
    "acme/dev1@acme/t",
    "acme/t/t",
    "acme/a/b",
    "acme/$x@acme",
    "acme/$x/t",
    "$x/t",
    "acme/p-t",
    "plant/t/x",
    "plant/c1/x",
    "dev1/t",
    "dev1@acme/t",
    "$x@acme/t",
    "c1/t",
    "acme//t",
    "other/t",
    "other",
    "vwire",
    "vwire/t/x",
    "$other/t",
];
const FILTERS: [&str; 13] = [
    "acme/#",
    "$share/g/acme/#",
    "acme/+",
    "acme/+/t",
    "acme/+/#",
    "plant/+/x",
    "acme/t",
    "other/t",
    "+/t",
    "#",
    "acme/t/#",
    "vwire/t/#",
    "vwire/+",
];
const PATTERNS: [&str; 24] = [
    "acme/${group}/t",
    "acme/+/${group}",
    "acme/#",
    "acme/+",
    "acme",
    "acme/+/#",
    "acme/+/t",
    "#",
    "+/t",
    "acme/t",
    "plant/#",
    "${username}/#",
    "${username}/t",
    "acme/${username}/#",
    "acme/${username}",
    "${client_id}/t",
    "acme/${client_id}",
    "acme/p-${client_id}",
    "acme/${client_id}/t",
    "${attr.line}/#",
    "acme/${attr.line}/t",
    "acme/${attr.line}",
    "acme/${group}",
    "acme/${attr.line}${username}",
];

/// A rule of the role, as it is written.
#[derive(Clone, Debug)]
struct WrittenRule {
    allows: bool,
    action: Action,
    pattern: &'static str,
    max_qos: Option<u8>,
    no_retain: bool,
    /// Whether it holds for the group `DM` alone.
    is_of_group: bool,
    /// Whether it is about the very topic or filter as written.
    is_literal: bool,
}

impl WrittenRule {
    /// Whether both are about the same topics, for the same clients.
    fn is_about_the_same(&self, other: &Self) -> bool {
        (self.action, self.pattern, self.is_of_group)
            == (other.action, other.pattern, other.is_of_group)
    }

    fn addition(&self) -> RuleChange {
        let effect = if self.allows {
            Effect::Allow
        } else {
            Effect::Deny
        };
        let limits = Limits {
            max_qos: self.max_qos.map(|qos| QoS::try_from(qos).unwrap()),
            no_retain: self.no_retain,
        };
        let rule = Rule::new(effect, self.action, self.parsed(), limits).unwrap();
        RuleChange::Add(if self.is_literal {
            rule.into_literal().unwrap()
        } else {
            rule
        })
    }

    /// Takes away all rules that are about the same.
    fn removal(&self) -> RuleChange {
        RuleChange::Remove {
            action: self.action,
            pattern: self.parsed(),
            limits: Limits::NONE,
            literal: false,
        }
    }

    fn parsed(&self) -> Pattern {
        Pattern::parse(self.pattern).unwrap()
    }

    fn group(&self) -> Option<GroupPath> {
        self.is_of_group.then(|| group("DM"))
    }
}

fn written_rule() -> impl Strategy<Value = WrittenRule> {
    let parts = (
        any::<bool>(),
        select(vec![Action::Both, Action::Publish, Action::Subscribe]),
        select(PATTERNS.to_vec()),
        select(vec![
            (None, false),
            (None, false),
            (Some(0), false),
            (Some(1), true),
        ]),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
    );
    parts.prop_map(|(allows, action, pattern, limits, is_of_group, literal)| {
        let can_be_literal = !pattern.contains("${")
            && (action == Action::Subscribe || !pattern.contains(['+', '#']));
        let has_limits = allows && action == Action::Publish;
        let (max_qos, no_retain) = if has_limits { limits } else { (None, false) };
        WrittenRule {
            allows,
            action,
            pattern,
            max_qos,
            no_retain,
            is_of_group,
            is_literal: literal && can_be_literal,
        }
    })
}

/// Which of the rules that there are is removed, if one is.
fn removed() -> impl Strategy<Value = Option<Index>> {
    prop::option::weighted(0.3, any::<Index>())
}

/// The group that is given the role, or loses it, if that is what changes.
fn assigned() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::weighted(0.4, select(HOLDING.to_vec()))
}

/// What is drawn of the tenant `acme`.
#[derive(Clone, Copy, Debug)]
struct PolicyCase {
    filtered: bool,
    owns_plant: bool,
    /// Whether it owns all that the tenant `other` neither owns nor reaches.
    owns_rest: bool,
    gives_namespaces: bool,
    /// Whether its devices have names without the tenant, and any client id.
    has_bare_names: bool,
    /// Whether the role grants no SUBSCRIBE with a wildcard.
    no_wildcards: bool,
    /// How its devices hold the role, besides by their groups.
    held: Held,
}

/// How devices hold the role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Held {
    /// Themselves.
    Own,
    /// Because the tenant gives it to all its devices.
    Given,
    /// By their groups alone.
    ByGroups,
}

impl PolicyCase {
    /// Whether its devices may use its topics without a rule: their scheme has no
    /// rights of its own where names are bare.
    fn gives_topics(self) -> bool {
        self.gives_namespaces && !self.has_bare_names
    }

    fn login(self, name: &str) -> String {
        if self.has_bare_names {
            name.to_owned()
        } else {
            format!("{name}@{TENANT}")
        }
    }

    fn namespaces(self) -> &'static [&'static str] {
        if self.owns_rest {
            &["#"]
        } else if self.owns_plant {
            &["acme/#", "plant/+/x"]
        } else {
            &["acme/#"]
        }
    }
}

/// A store with the tenant, its role and who holds it.
struct Fixture {
    admin: SqliteStore,
    /// Name, secret, line and groups.
    holders: Vec<(
        &'static str,
        String,
        Option<&'static str>,
        &'static [&'static str],
    )>,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(policy: PolicyCase, first_line: usize) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let mut fixture = Self {
            admin: new_store(&path, &settings()),
            holders: Vec::new(),
            folder,
        };
        let filters = |texts: &[&str]| {
            let parsed = texts.iter().map(|text| TopicFilter::parse(text).unwrap());
            parsed.collect::<Vec<_>>()
        };
        for new in [
            NewTenant {
                namespaces: filters(policy.namespaces()),
                authentication: Authentication::Required,
                subscribe: if policy.filtered {
                    SubscribeMode::Filtered
                } else {
                    SubscribeMode::Strict
                },
                default_rights: if policy.gives_namespaces {
                    DefaultRights::Namespaces
                } else {
                    DefaultRights::Nothing
                },
                ..NewTenant::new(tenant_id())
            },
            NewTenant::new(TenantId::parse("other").unwrap()),
        ] {
            fixture.take(CreateTenant(new));
        }
        let wired = NewCredential {
            name: None,
            scheme: SchemeName::parse("vwire").unwrap(),
            ..NewCredential::new(TenantId::parse("other").unwrap(), "")
        };
        fixture.take(CreateCredential(wired));
        fixture.run(&AddScheme(bare_scheme())).unwrap();
        let new = NewRole {
            tenant: tenant_id(),
            name: role_name(),
            description: None,
            no_wildcards: policy.no_wildcards,
        };
        fixture.run(&CreateRole(new)).unwrap();
        if policy.held == Held::Given {
            let mut changes = TenantChanges::default();
            changes.default_roles.add.push(role_name());
            let id = tenant_id();
            fixture.run(&SetTenant { id, changes }).unwrap();
        }
        let lines = LINES.into_iter().cycle().skip(first_line);
        for ((groups, name), line) in GROUPS.into_iter().zip(NAMES).zip(lines) {
            let mut new = NewCredential {
                roles: match policy.held {
                    Held::Own => vec![role_name()],
                    Held::Given | Held::ByGroups => Vec::new(),
                },
                groups: groups.iter().map(|path| group(path)).collect(),
                attributes: line
                    .map(|it| ("line".into(), it.into()))
                    .into_iter()
                    .collect(),
                ..NewCredential::new(tenant_id(), name)
            };
            if policy.has_bare_names {
                new.scheme = bare_scheme().name().clone();
            }
            let issued = fixture.run(&CreateCredential(new));
            let secret = issued.unwrap().secret.unwrap().expose().to_vec();
            let secret = String::from_utf8(secret).unwrap();
            fixture.holders.push((name, secret, line, groups));
        }
        fixture
    }

    /// Runs a command that may take topics.
    fn take<C: Command>(&mut self, command: C) -> C::Output {
        let taking = Taking::KeepingStrict;
        self.run(&TakeFromRest { command, taking }).unwrap()
    }

    fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| countersign_admin::run(store, context, command))
    }

    /// Gives the role to a group, or takes it away, and returns what a preview told of
    /// that.
    fn assign(&mut self, path: &'static str, holding: &mut Vec<&'static str>) -> Vec<ChangeEffect> {
        let of = Assignment {
            tenant: tenant_id(),
            role: role_name(),
            group: group(path),
        };
        let is_held = holding.contains(&path);
        let preview = PreviewAssignment {
            of: of.clone(),
            is_to_be_held: !is_held,
        };
        let told = self.run(&preview).unwrap();
        if is_held {
            holding.retain(|held| *held != path);
            self.run(&UnassignRole(of)).unwrap();
        } else {
            holding.push(path);
            self.run(&AssignRole(of)).unwrap();
        }
        told
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T) -> T {
        let mut context = Context {
            now: NOW,
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.admin, &mut context)
    }

    /// All verdicts of a new gate, once `check` and the naive reading agreed.
    fn verdicts(
        &mut self,
        naive: &Naive<'_>,
        client_ids: &[&str],
    ) -> Result<Vec<Verdicts>, TestCaseError> {
        let path = self.folder.path().join("countersign.db");
        let options = Options::parse([("store", path.to_str().unwrap())]).unwrap();
        let mut config = GateConfig::new(options, "site", || NOW, || ());
        let _background = ByHand::of(&mut config);
        let mut gate = Gate::open(SqliteStore::open(&path).unwrap(), config).unwrap();
        let mut by_gate = Vec::new();
        for (number, (name, secret, ..)) in (1..).zip(&self.holders) {
            let login = naive.policy.login(name);
            for client_id in client_ids {
                let handle = Handle(number);
                let mut info = ConnectInfo::new(handle, client_id.as_bytes());
                info.username = Some(login.as_bytes());
                info.password = Some(secret.as_bytes());
                info.protocol = 4;
                info.clean_start = true;
                let outcome = gate.connect(&info);
                let ConnectOutcome::Admitted { username } = &outcome else {
                    panic!("{outcome:?}");
                };
                let client = ClientRef {
                    handle,
                    client_id: Some(client_id.as_bytes()),
                    username: username.as_deref().map(str::as_bytes),
                    connected: true,
                    ..ClientRef::default()
                };
                for (_, usage) in uses(naive.policy.filtered) {
                    by_gate.push(format!("{:?}", gate.check(&client, usage.as_topic_use())));
                }
                gate.disconnected(handle);
            }
        }
        // Who is connected is on record by now, and nobody is.
        gate.close();
        let mut by_gate = by_gate.into_iter();
        let mut policy_check =
            PolicyCheck::new(&mut self.admin, NOW, Listeners::default()).unwrap();
        let mut all = Vec::new();
        for (name, _, line, groups) in &self.holders {
            let login = naive.policy.login(name);
            let mut verdicts = Vec::new();
            for client_id in client_ids {
                let session = Session {
                    name,
                    line: *line,
                    groups,
                    client_id,
                };
                for (action, usage) in uses(naive.policy.filtered) {
                    let by_gate = by_gate.next().unwrap_or_default();
                    let ask = TopicCheck {
                        username: Some(&login),
                        client_id: Some(client_id),
                        password: None,
                        listener: None,
                        usage,
                    };
                    let by_check = format!("{:?}", policy_check.topic(&ask).unwrap().verdict);
                    prop_assert_eq!(&by_gate, &by_check, "{:?} by {:?}", usage, session);
                    let naively = naive.verdict(session, usage);
                    prop_assert_eq!(&by_gate, naively, "{:?} by {:?}", usage, session);
                    verdicts.push((action, by_gate == "Allow"));
                }
            }
            all.push((login, verdicts));
        }
        Ok(all)
    }
}

/// Whose they are, and of each use what it is and whether it is allowed.
type Verdicts = (String, Vec<(Action, bool)>);

fn uses(filtered: bool) -> Vec<(Action, Usage<'static>)> {
    let mut uses = Vec::new();
    for topic in TOPICS {
        uses.push((Action::Subscribe, Usage::Deliver { topic }));
        for (qos, retain) in [(0, false), (1, true), (2, false)] {
            uses.push((Action::Publish, Usage::Publish { topic, qos, retain }));
        }
    }
    if !filtered {
        uses.extend(FILTERS.map(|filter| (Action::Subscribe, Usage::Subscribe { filter })));
    }
    uses
}

/// A scheme whose devices are called as it was asked for.
fn bare_scheme() -> Scheme {
    let fields = [
        ("name", "bare"),
        ("login_name", "given"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ];
    Scheme::from_fields(fields.map(|(key, text)| (key, FieldValue::Text(text.into())))).unwrap()
}

fn tenant_id() -> TenantId {
    TenantId::parse(TENANT).unwrap()
}

fn group(path: &str) -> GroupPath {
    GroupPath::parse(path).unwrap()
}

fn role_name() -> RoleName {
    RoleName::parse("ops").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// 4 stores with five holders, three client ids and nine states each: some
    /// 50,000 uses.
    #[test]
    fn gate_check_preview_and_a_naive_reading_agree(
        filtered: bool,
        (owns_plant, owns_rest) in (any::<bool>(), any::<bool>()),
        gives_namespaces in prop::bool::weighted(0.3),
        has_bare_names: bool,
        (no_wildcards, held) in (
            prop::bool::weighted(0.3),
            select(vec![Held::Own, Held::Given, Held::ByGroups, Held::ByGroups]),
        ),
        first_line in 0..LINES.len(),
        client_ids in prop::sample::subsequence(CLIENT_IDS.to_vec(), 3),
        changes in prop::collection::vec((written_rule(), removed(), assigned()), 8),
    ) {
        let policy = PolicyCase {
            filtered,
            owns_plant,
            owns_rest,
            gives_namespaces,
            has_bare_names,
            no_wildcards,
            held,
        };
        let mut fixture = Fixture::new(policy, first_line);
        let mut rules: Vec<WrittenRule> = Vec::new();
        let mut holding: Vec<&str> = Vec::new();
        let naive = Naive { policy, rules: &rules, holding: &holding };
        let mut before = fixture.verdicts(&naive, &client_ids)?;
        for (added, removed, assigned) in changes {
            let told = if let Some(path) = assigned {
                fixture.assign(path, &mut holding)
            } else {
            let removed = removed.filter(|_| !rules.is_empty()).map(|it| it.get(&rules).clone());
            let (rule, change) = match &removed {
                Some(rule) => (rule, rule.removal()),
                // What contradicts a rule about the same is refused.
                None if rules.iter().any(|it| it.is_about_the_same(&added)) => continue,
                None => (&added, added.addition()),
            };
            let change = ChangeRoleRules {
                tenant: tenant_id(),
                name: role_name(),
                change,
                group: rule.group(),
            };
            let told = fixture.run(&PreviewRoleRules(change.clone())).unwrap();
            fixture.run(&change).unwrap();
            rules.retain(|it| !it.is_about_the_same(rule));
            if removed.is_none() {
                rules.push(added);
            }
            told
            };
            let naive = Naive { policy, rules: &rules, holding: &holding };
            let after = fixture.verdicts(&naive, &client_ids)?;
            for ((name, before), (_, after)) in before.iter().zip(&after) {
                let effect = told.iter().find(|effect| effect.name.as_str() == name);
                for ((action, was_allowed), (_, is_allowed)) in before.iter().zip(after) {
                    let named = |uses: &[countersign::core::rights::TopicUses]| {
                        uses.iter().any(|uses| uses.action == *action)
                    };
                    let is_told = match (was_allowed, is_allowed) {
                        (false, true) => effect.is_some_and(|effect| named(&effect.gains)),
                        (true, false) => effect.is_some_and(|effect| named(&effect.loses)),
                        (true, true) | (false, false) => true,
                    };
                    let now = (&rules, &holding);
                    prop_assert!(is_told, "something turned for {}: {:?}, now {:?}", name, effect, now);
                }
            }
            before = after;
        }
    }
}
