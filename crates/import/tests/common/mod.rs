//! A store that imports go to, and what is in it afterwards, line by line.

use core::ops::ControlFlow;

use countersign_admin::credential::ListCredentials;
use countersign_admin::operator::ListOperators;
use countersign_admin::role::ListRoles;
use countersign_admin::tenant::ShowTenant;
use countersign_admin::{Caller, Command, Context, OsRandom, run};
use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::Rule;
use countersign_core::secret::{Argon2Params, PasswordHash, Verifier};
use countersign_core::store::{Settings, all_rows};
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use countersign_import::{ImportError, ImportOptions, Plan, Report, TenantOptions};
use countersign_testkit::MemoryStore;

/// A store, and whom an import goes to.
pub(crate) struct Fixture {
    pub(crate) store: MemoryStore,
    pub(crate) options: ImportOptions,
}

impl Fixture {
    /// An empty store, whose passwords are quick to hash.
    pub(crate) fn new(namespace: &str) -> Self {
        let settings = Settings {
            argon2: Argon2Params::CHEAPEST,
            ..Settings::default()
        };
        Self {
            store: MemoryStore::new(&settings),
            options: ImportOptions {
                tenant: TenantOptions {
                    id: TenantId::parse("home").unwrap(),
                    namespaces: vec![TopicFilter::parse(namespace).unwrap()],
                },
                taking: countersign_admin::taking::Taking::Refused,
                operators: Vec::new(),
                accept_weak: false,
                update: false,
                dry_run: false,
            },
        }
    }

    pub(crate) fn run<C: Command>(&mut self, command: &C) -> C::Output {
        self.act(|store, context, _| run(store, context, command).unwrap())
    }

    pub(crate) fn act<T>(
        &mut self,
        act: impl FnOnce(&mut MemoryStore, &mut Context<'_>, &ImportOptions) -> T,
    ) -> T {
        let mut context = Context {
            now: Timestamp::from_millis(1_000),
            caller: Caller::owner("cli:tester"),
            random: &mut OsRandom,
        };
        act(&mut self.store, &mut context, &self.options)
    }

    /// Plans, writes and plans again: what was planned is what is written, and the
    /// second time there is nothing to do.
    pub(crate) fn import(
        &mut self,
        plan: impl Fn(&mut MemoryStore, &mut Context<'_>, &ImportOptions) -> Result<Plan, ImportError>,
    ) -> Report {
        let planned = self.act(|store, context, options| plan(store, context, options).unwrap());
        let told = planned.report().clone();
        let done = self.act(|store, context, _| {
            planned
                .apply(store, context, |_, _, _| ControlFlow::Continue(()))
                .unwrap()
        });
        let expected = Report {
            applied: true,
            ..told
        };
        assert_eq!(done, expected);
        let again = self.act(|store, context, options| plan(store, context, options).unwrap());
        let created = done.created;
        let objects = [created.roles, created.credentials, created.operators];
        let objects: u64 = objects.into_iter().sum();
        let again = again.report();
        assert_eq!(again.created, Default::default());
        assert_eq!((again.updated, again.unchanged), (0, objects));
        assert_eq!((again.kept, again.lost.len()), (done.kept, done.lost.len()));
        done
    }

    /// The tenant, its roles, and all credentials.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        let tenant = self.run(&ShowTenant(self.options.tenant.id.clone()));
        let names = |roles: &[countersign_core::role::RoleName]| {
            let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
            names.join(",")
        };
        let mut lines = vec![format!(
            "tenant {} {} {} default={} anonymous={} sys_read={}",
            tenant.id,
            tenant.authentication,
            tenant.subscribe.as_str(),
            names(&tenant.default_roles),
            names(&tenant.anonymous_roles),
            tenant.sys_read
        )];
        let roles = self.run(&ListRoles::default()).rows;
        for shown in roles {
            let role = shown.role;
            let groups = shown.groups.iter();
            let groups: String = groups
                .map(|group| format!(" group={}", group.as_str()))
                .collect();
            let wildcards = if role.no_wildcards {
                " no-wildcards"
            } else {
                ""
            };
            let rules = role.rules.iter().map(|bound| &bound.rule);
            lines.push(with_rules(
                format!("role {}{wildcards}{groups}", role.name),
                rules,
            ));
        }
        let devices = self.run(&ListCredentials::default()).listed.rows;
        let operators = self.act(|store, context, _| {
            all_rows(|page| run(store, context, &ListOperators(page.clone()))).unwrap()
        });
        lines.extend(devices.iter().chain(&operators).map(line));
        lines
    }
}

fn line(credential: &Credential) -> String {
    let whose = if credential.is_operator() {
        "operator"
    } else {
        credential.scheme.as_str()
    };
    let secret = match credential.secrets.first().map(|secret| &secret.verifier) {
        None => "none",
        Some(Verifier::Digest(_)) => "digest",
        Some(Verifier::Password(hash)) => kind_of(hash),
    };
    let mut text = format!("{} {whose} {secret}", credential.name);
    if credential.state != countersign_core::lifecycle::State::Inactive {
        text = format!("{text} {}", credential.state);
    }
    if credential.client_id_rule != countersign_core::client_id::ClientIdRule::Any {
        text = format!("{text} {}", credential.client_id_rule);
    }
    for group in &credential.groups {
        text = format!("{text} group={}", group.as_str());
    }
    for role in &credential.roles {
        text = format!("{text} role={role}");
    }
    with_rules(text, &credential.rules)
}

fn kind_of(hash: &PasswordHash) -> &'static str {
    if hash.as_str().starts_with("$argon2id$") {
        "argon2id"
    } else {
        "hashed"
    }
}

fn with_rules<'a>(text: String, rules: impl IntoIterator<Item = &'a Rule>) -> String {
    let rules: Vec<_> = rules.into_iter().map(ToString::to_string).collect();
    if rules.is_empty() {
        text
    } else {
        format!("{text}: {}", rules.join(", "))
    }
}

/// What a report tells, without the folder of the files.
pub(crate) fn told(report: &Report, folder: &str) -> Vec<String> {
    let short = |place: &str| place.replace(&format!("{folder}/"), "");
    let changed = report.changed.iter();
    let changed = changed.map(|it| (short(&it.place), &it.what, "changed"));
    let lost = report
        .lost
        .iter()
        .map(|it| (short(&it.place), &it.what, "lost"));
    let mut lines: Vec<_> = changed
        .chain(lost)
        .map(|(place, what, outcome)| format!("{place} {what}: {outcome}"))
        .collect();
    lines.sort();
    lines
}

/// The names.
pub(crate) fn names(texts: &[String]) -> Vec<LoginName> {
    let names = texts.iter().map(|text| LoginName::parse(text).unwrap());
    names.collect()
}

/// A hash that `mosquitto_passwd` makes.
pub(crate) const HASH: &str = "$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==";
