//! What a preview says, held against what `check` says before and after.

use countersign_core::rule::{Action, Limits, Verdict};
use countersign_core::tenant::SubscribeMode;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::check::{TopicCheck, Usage};
use crate::credential::{self, NewCredential};
use crate::fixture::{
    Fixture, adding, new_credential, new_tenant, role_name, scheme_name, tenant_id,
};
use crate::role::change_rules;
use crate::tenant::NewTenant;

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
const TOPICS: [&str; 16] = [
    "acme",
    "acme/t",
    "acme/c1",
    "acme/dev1",
    "acme/dev1/t",
    "acme/t/t",
    "acme/a/b",
    "acme/$x",
    "acme/$x/t",
    "acme/p-t",
    "plant/t/x",
    "plant/c1/x",
    "dev1/t",
    "$x/t",
    "c1/t",
    "acme//t",
];
const FILTERS: [&str; 9] = [
    "acme/#",
    "acme/+",
    "acme/+/t",
    "acme/+/#",
    "plant/+/x",
    "acme/t",
    "$share/g/acme/#",
    "+/t",
    "#",
];
const PATTERNS: [&str; 22] = [
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

/// A change of a role.
#[derive(Clone, Debug)]
struct DrawnChange {
    change: RuleChange,
    group: Option<&'static str>,
}

fn drawn() -> impl Strategy<Value = DrawnChange> {
    let parts = (
        select(vec!["allow", "deny"]),
        select(vec!["both", "publish", "subscribe"]),
        select(PATTERNS.to_vec()),
        select(vec!["", "", " max_qos 0", " max_qos 1 no_retain"]),
        select(vec![None, None, Some("DM")]),
        prop::bool::weighted(0.3),
    );
    parts.prop_map(|(effect, action, pattern, limits, group, is_removed)| {
        let has_limits = effect == "allow" && action == "publish";
        let limits = if has_limits { limits } else { "" };
        let change = match adding(&format!("{effect} {action} {pattern}{limits}")) {
            RuleChange::Add(rule) if is_removed => RuleChange::Remove {
                action: rule.action(),
                pattern: rule.pattern().clone(),
                limits: Limits::NONE,
            },
            change @ (RuleChange::Add(_) | RuleChange::Remove { .. }) => change,
        };
        DrawnChange { change, group }
    })
}

/// What `check` says of a name, use by use.
fn verdicts(
    fixture: &mut Fixture,
    name: &str,
    client_ids: &[&str],
    is_strict: bool,
) -> Vec<(Action, String, bool)> {
    let messages = [(0, false), (1, false), (1, true)];
    let mut uses = Vec::new();
    for topic in TOPICS {
        uses.push((Action::Subscribe, Usage::Deliver { topic }));
        for (qos, retain) in messages {
            uses.push((Action::Publish, Usage::Publish { topic, qos, retain }));
        }
    }
    if is_strict {
        uses.extend(FILTERS.map(|filter| (Action::Subscribe, Usage::Subscribe { filter })));
    }
    let mut policy_check = fixture.policy_check();
    let mut answers = Vec::new();
    for client_id in client_ids {
        for (action, usage) in &uses {
            let ask = TopicCheck {
                username: Some(name),
                client_id: Some(client_id),
                password: None,
                listener: None,
                usage: *usage,
            };
            let is_allowed = policy_check.topic(&ask).unwrap().verdict == Verdict::Allow;
            answers.push((*action, format!("{usage:?} as {client_id}"), is_allowed));
        }
    }
    answers
}

/// A tenant with a role and ten that hold it, with their names.
fn fixture(scheme: &str, is_strict: bool, owned: &[&str]) -> (Fixture, Vec<String>) {
    let mut fixture = Fixture::new();
    let subscribe = if is_strict {
        SubscribeMode::Strict
    } else {
        SubscribeMode::Filtered
    };
    let new = NewTenant {
        subscribe,
        ..new_tenant("acme", owned)
    };
    fixture
        .act(|store, context| tenant::create(store, context, new))
        .unwrap();
    fixture.scheme(&[
        ("name", "bare"),
        ("login_name", "given"),
        ("client_id", "any"),
        ("secret_shape", "[0-9a-f]{32}"),
    ]);
    fixture.role("ops").unwrap();
    let mut names = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        for (line, suffix) in [(index, ""), (index.saturating_add(1), "2")] {
            let line = LINES[line].map(|value| ("line".into(), value.into()));
            let new = NewCredential {
                scheme: scheme_name(scheme),
                roles: vec![role_name("ops")],
                group: GroupPath::parse("DM.X").ok().filter(|_| index % 2 == 0),
                attributes: line.into_iter().collect(),
                ..new_credential(&format!("{name}{suffix}"))
            };
            let made = fixture.act(|store, context| credential::create(store, context, new));
            names.push(made.unwrap().described.credential.name.to_string());
        }
    }
    (fixture, names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(25))]

    /// 25 stores with ten holders and eight changes each: 2,000 cases.
    #[test]
    fn a_preview_names_all_whose_verdicts_a_change_turns(
        scheme in select(vec!["bare", "bare", "basic"]),
        is_strict: bool,
        owns_plant: bool,
        client_ids in subsequence(CLIENT_IDS.to_vec(), 3),
        changes in prop::collection::vec(drawn(), 8),
    ) {
        let owned: &[&str] = if owns_plant { &["acme/#", "plant/+/x"] } else { &["acme/#"] };
        let (mut fixture, names) = fixture(scheme, is_strict, owned);
        let (tenant, role) = (tenant_id("acme"), role_name("ops"));
        let all = |fixture: &mut Fixture| -> Vec<_> {
            let names = names.iter();
            names.map(|name| verdicts(fixture, name, &client_ids, is_strict)).collect()
        };
        let mut before = all(&mut fixture);
        for DrawnChange { change, group } in changes {
            let group = group.and_then(|text| GroupPath::parse(text).ok());
            let told = preview(&mut fixture.store, &tenant, &role, &change, group.as_ref());
            let Ok(told) = told else { continue };
            fixture
                .act(|store, context| {
                    change_rules(store, context, &tenant, &role, &change, group.as_ref())
                })
                .unwrap();
            let after = all(&mut fixture);
            for ((name, before), after) in names.iter().zip(&before).zip(&after) {
                let effect = told.iter().find(|effect| effect.name.as_str() == name);
                for ((action, usage, before), (_, _, after)) in before.iter().zip(after) {
                    let names_it =
                        |uses: &[TopicUses]| uses.iter().any(|uses| uses.action == *action);
                    let is_told = match (before, after) {
                        (false, true) => effect.is_some_and(|it| names_it(&it.gains)),
                        (true, false) => effect.is_some_and(|it| names_it(&it.loses)),
                        (true, true) | (false, false) => true,
                    };
                    prop_assert!(is_told, "{change:?} turns {usage} of {name}: {effect:?}");
                }
            }
            before = after;
        }
    }
}
