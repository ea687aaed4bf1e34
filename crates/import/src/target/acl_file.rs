//! A `password_file` and an `acl_file`.
//!
//! An `acl_file` judges what is published and what is delivered, and accepts
//! every SUBSCRIBE. A deny takes reading and writing alike, and comes first.
//! `pattern` lines hold for all users, so variables are filled in per user
//! instead.

use std::collections::BTreeMap;

use countersign_admin::tenant::TenantRights;
use countersign_core::access::BoundRule;
use countersign_core::rule::{Action, Effect, Limits};
use countersign_core::tenant::SubscribeMode;
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use zeroize::Zeroizing;

use super::MosquittoFiles;
use super::outcome::{Object, Outcomes};
use super::user::{Target, user};

pub(super) fn write(rights: &TenantRights, now: Timestamp) -> MosquittoFiles {
    let mut outcomes = Outcomes::of_tenant(rights);
    note_tenant(rights, &mut outcomes);
    let mut passwords = Zeroizing::new(String::new());
    let mut acl = String::from("# Written by `countersign export mosquitto`.\n");
    let (mut users, mut lines) = (0, 0);
    if rights.tenant.authentication.admits_anonymous() {
        let section = Section::of(&rights.anonymous, "", &rights.others, &mut outcomes);
        lines = section.write(&mut acl);
    }
    for device in &rights.devices {
        let Some(user) = user(device, Target::PasswordFile, now, &mut outcomes) else {
            continue;
        };
        let Some(hash) = user.hash else { continue };
        for part in [user.name, ":", hash.text(), "\n"] {
            passwords.push_str(part);
        }
        for part in ["\nuser ", user.name, "\n"] {
            acl.push_str(part);
        }
        let section = Section::of(user.rules, user.name, &rights.others, &mut outcomes);
        lines = section.write(&mut acl).saturating_add(lines);
        users = u64::saturating_add(users, 1);
    }
    outcomes.lose_unheld_rules(rights);
    let mut report = outcomes.into_report("countersign", rights);
    report.created.credentials = users;
    report.created.rules = lines;
    MosquittoFiles {
        passwords,
        acl,
        report,
    }
}

fn note_tenant(rights: &TenantRights, outcomes: &mut Outcomes) {
    let mode = Object::new("/subscribe", rights.tenant.subscribe.as_str());
    match rights.tenant.subscribe {
        SubscribeMode::Filtered => outcomes.keep(mode),
        SubscribeMode::Strict => outcomes.change(
            mode,
            "an `acl_file` accepts every SUBSCRIBE and delivers what may be read",
        ),
    }
    for role in &rights.roles {
        outcomes.change(
            Object::new(format!("/roles/{}", role.name), role.name.as_str()),
            "an `acl_file` has no roles: its rules are written for each holder",
        );
    }
    let mut groups: Vec<_> = rights
        .devices
        .iter()
        .flat_map(|device| &device.credential.groups)
        .collect();
    groups.sort();
    groups.dedup();
    for group in groups {
        outcomes.lose(
            Object::new(format!("/groups/{group}"), group.as_str()),
            "Mosquitto's files have no groups",
            "nothing is to be done: what members may do by it is written for each",
        );
    }
}

/// The lines of one user, or those of clients without a login.
#[derive(Default)]
struct Section {
    denied: BTreeMap<String, ()>,
    /// Whether a filter may be read, and whether it may be written.
    allowed: BTreeMap<String, Access>,
}

/// What may be done, of the two things that Mosquitto tells apart.
#[derive(Clone, Copy, Default)]
pub(super) struct Access {
    pub(super) read: bool,
    pub(super) write: bool,
}

impl Access {
    pub(super) fn of(action: Action) -> Self {
        match action {
            Action::Both => Self {
                read: true,
                write: true,
            },
            Action::Publish => Self {
                read: false,
                write: true,
            },
            Action::Subscribe => Self {
                read: true,
                write: false,
            },
        }
    }

    const fn word(self) -> &'static str {
        match (self.read, self.write) {
            (true, false) => "read",
            (false, true) => "write",
            (true, true) | (false, false) => "readwrite",
        }
    }
}

impl Section {
    fn of(
        rules: &[BoundRule],
        holder: &str,
        others: &[TopicFilter],
        outcomes: &mut Outcomes,
    ) -> Self {
        let mut section = Self::default();
        let (denies, allows): (Vec<_>, Vec<_>) = rules
            .iter()
            .partition(|rule| rule.rule.effect() == Effect::Deny);
        for rule in allows {
            section.allow(rule, holder, outcomes);
        }
        for rule in denies {
            section.deny(rule, holder, outcomes);
        }
        for filter in others {
            if !section.allows(filter, |_| true) || !reach_by_confined_rules(rules, filter) {
                continue;
            }
            if is_writable(filter) {
                section.denied.insert(filter.to_string(), ());
            } else {
                section.allow_nothing_of(filter);
                let object = Object::new(format!("/others/{filter}"), holder);
                outcomes.lose(object, OUTER_SPACE.0, OUTER_SPACE.1);
            }
        }
        section
    }

    fn allow(&mut self, rule: &BoundRule, holder: &str, outcomes: &mut Outcomes) {
        let object = Object::of_rule(rule, holder);
        if rule.rule.limits() != Limits::NONE {
            outcomes.lose(
                object,
                "an `acl_file` knows neither QoS nor RETAIN",
                "take the limits away, if the rule may go without",
            );
            return;
        }
        if rule.follows_client_id() {
            outcomes.lose(
                object,
                "an `acl_file` has `%c` in `pattern` lines alone, which hold for all users",
                "write a `pattern` line by hand, if all users may",
            );
            return;
        }
        if !rule.filters.iter().all(is_writable) {
            outcomes.lose(object, OUTER_SPACE.0, OUTER_SPACE.1);
            return;
        }
        for filter in &rule.filters {
            let access = Access::of(rule.rule.action());
            let known = self.allowed.entry(filter.to_string()).or_default();
            known.read |= access.read;
            known.write |= access.write;
        }
        let is_narrower = rule.rule.is_literal() || !rule.rule.grants_wildcards();
        if is_narrower && Access::of(rule.rule.action()).read {
            outcomes.change(
                object,
                "other filters may be subscribed to; what is delivered is the same",
            );
        } else {
            outcomes.keep(object);
        }
    }

    fn deny(&mut self, rule: &BoundRule, holder: &str, outcomes: &mut Outcomes) {
        let object = Object::of_rule(rule, holder);
        let Access { read, write } = Access::of(rule.rule.action());
        if rule.rule.is_literal() && !write {
            outcomes.lose(
                object,
                "an `acl_file` accepts every SUBSCRIBE",
                "deny the topics themselves, if they may not be delivered",
            );
            return;
        }
        let filters: Vec<TopicFilter> =
            rule.filters.iter().flat_map(|it| taken(rule, it)).collect();
        if !filters.iter().all(is_writable) {
            for filter in &filters {
                self.allow_nothing_of(filter);
            }
            outcomes.lose(object, OUTER_SPACE.0, OUTER_SPACE.1);
            return;
        }
        let takes_more = filters.iter().any(|filter| {
            let is_read = !read && self.allows(filter, |access| access.read);
            let is_written = !write && self.allows(filter, |access| access.write);
            is_read || is_written
        });
        for filter in &filters {
            self.denied.insert(filter.to_string(), ());
        }
        if takes_more || rule.rule.is_literal() {
            outcomes.lose(
                object,
                "an `acl_file` denies reading and writing alike, so what it leaves here is denied, too",
                "give what is to be left by a filter that the deny does not touch",
            );
        } else if rule.follows_client_id() {
            outcomes.lose(
                object,
                "an `acl_file` has no client id in the rules of a user, so it denies any",
                "write a `pattern` line by hand, if it is to hold for all users",
            );
        } else {
            outcomes.keep(object);
        }
    }

    /// Takes away all that allows a topic of a filter that can't be denied here.
    fn allow_nothing_of(&mut self, filter: &TopicFilter) {
        self.allowed.retain(|allowed, _| {
            TopicFilter::parse(allowed).is_ok_and(|allowed| !allowed.intersects(filter))
        });
    }

    /// Says whether something of a filter is allowed in such a way.
    fn allows(&self, filter: &TopicFilter, is_meant: impl Fn(Access) -> bool) -> bool {
        self.allowed.iter().any(|(allowed, access)| {
            is_meant(*access)
                && TopicFilter::parse(allowed).is_ok_and(|allowed| allowed.intersects(filter))
        })
    }

    /// Writes the lines; returns how many there are.
    fn write(&self, acl: &mut String) -> u64 {
        let denied = self.denied.keys().map(|filter| ("deny", filter));
        let allowed = self.allowed.iter();
        let allowed = allowed.map(|(filter, access)| (access.word(), filter));
        let mut lines = 0;
        for (word, filter) in denied.chain(allowed) {
            for part in ["topic ", word, " ", filter, "\n"] {
                acl.push_str(part);
            }
            lines = u64::saturating_add(lines, 1);
        }
        lines
    }
}

/// The filters that a deny takes away: where its first level is any, that below
/// `$SYS` as well.
pub(super) fn taken(rule: &BoundRule, filter: &TopicFilter) -> Vec<TopicFilter> {
    let mut taken = vec![filter.clone()];
    if rule.takes_reserved
        && let Some(rest) = filter.as_str().strip_prefix('+')
    {
        taken.extend(TopicFilter::parse(&format!("$SYS{rest}")));
    }
    taken
}

/// Says whether some rule would allow a topic of a filter but for who owns it. A rule
/// that may reach topics without an owner is made to stay off those of others.
fn reach_by_confined_rules(rules: &[BoundRule], filter: &TopicFilter) -> bool {
    rules
        .iter()
        .filter(|rule| rule.rule.effect() == Effect::Allow && !rule.source.reaches_unowned_topics())
        .flat_map(|rule| &rule.filters)
        .any(|allowed| allowed.intersects(filter))
}

/// Says whether Mosquitto reads a filter as it is written: it takes the white
/// space around it away.
fn is_writable(filter: &TopicFilter) -> bool {
    let text = filter.as_str();
    let is_space = |character: char| character.is_ascii_whitespace() || character == '\u{b}';
    !text.starts_with(is_space) && !text.ends_with(is_space) && !text.contains(['\n', '\r'])
}

const OUTER_SPACE: (&str, &str) = (
    "an `acl_file` can't begin or end a filter with white space",
    "rename the topic",
);
