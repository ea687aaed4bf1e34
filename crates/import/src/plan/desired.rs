//! What a source wants to be in the store: one model for all kinds of sources.
//!
//! A mapper makes it of what was read; the planner holds it against the store. Each
//! line or object of the source is one [`Item`] in it, and only one.

use std::collections::{BTreeMap, HashSet};

use countersign_admin::import::ImportedPassword;
use countersign_admin::text::FreeText;
use countersign_core::client_id::ClientIdRule;
use countersign_core::name::{GroupPath, LoginName};
use countersign_core::role::RoleName;
use countersign_core::rule::Rule;

use countersign_core::time::Timestamp;

pub(crate) use countersign_control::written_rule::Outcome;

use crate::place::Place;

/// A line or object of a source, and what becomes of it as far as is known.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Where it stands.
    pub(crate) place: Place,
    /// Its name, role or filter, as the source writes it.
    pub(crate) what: Box<str>,
    /// What becomes of it.
    pub(crate) outcome: Outcome,
}

impl Item {
    /// A line or object that means here what it meant there.
    pub(crate) fn kept(place: Place, what: impl Into<Box<str>>) -> Self {
        Self::new(place, what, Outcome::Kept)
    }

    /// One with this outcome.
    pub(crate) fn new(place: Place, what: impl Into<Box<str>>, outcome: Outcome) -> Self {
        Self {
            place,
            what: what.into(),
            outcome,
        }
    }

    /// The same, told to be changed. Where it is lost, that is told with the reason: a
    /// part of it may be taken over all the same.
    pub(crate) fn change(&mut self, how: impl Into<String>) {
        match &mut self.outcome {
            Outcome::Changed(said) => *said = format!("{said}; {}", how.into()).into(),
            Outcome::Kept => self.outcome = Outcome::Changed(how.into().into()),
            Outcome::Lost(lost) => join(&mut lost.why, &how.into()),
        }
    }

    /// Adds an outcome to what is told of it.
    pub(crate) fn tell(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Changed(how) => self.change(how),
            Outcome::Kept => {}
            Outcome::Lost(lost) => self.lose(&lost.why, &lost.fix),
        }
    }

    /// The same, not taken over. One that is lost already tells this reason as well.
    pub(crate) fn lose(&mut self, why: &str, fix: &str) {
        match &mut self.outcome {
            Outcome::Lost(lost) => {
                join(&mut lost.why, why);
                join(&mut lost.fix, fix);
            }
            Outcome::Changed(_) | Outcome::Kept => self.outcome = Outcome::lost(why, fix),
        }
    }
}

/// Adds a text, unless it is told already.
fn join(told: &mut String, text: &str) {
    if !told.contains(text) {
        told.push_str("; ");
        told.push_str(text);
    }
}

/// All that a source wants.
pub(crate) struct Desired {
    /// The kind of source, such as `mosquitto`.
    pub(crate) source: &'static str,
    /// What the tenant should be, where it is made.
    pub(crate) tenant: DesiredTenant,
    /// The roles, those that take away first.
    pub(crate) roles: Vec<DesiredRole>,
    /// The credentials, in the source's order.
    pub(crate) credentials: Vec<DesiredCredential>,
    /// What belongs to nothing that is made.
    pub(crate) items: Vec<Item>,
}

/// What a tenant should be, where it is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DesiredTenant {
    /// Whether the source accepts every SUBSCRIBE, and filters what is delivered.
    pub(crate) accepts_every_subscribe: bool,
    /// Whether clients without a login are let in.
    pub(crate) admits_anonymous: bool,
}

/// A role.
pub(crate) struct DesiredRole {
    /// Its name here.
    pub(crate) name: RoleName,
    /// Its own lines or objects, besides those of its rules.
    pub(crate) items: Vec<Item>,
    /// Free text for people.
    pub(crate) description: Option<FreeText>,
    /// Whether it grants no SUBSCRIBE with `+` or `#`.
    pub(crate) no_wildcards: bool,
    /// Its rules.
    pub(crate) rules: Vec<DesiredRule>,
    /// Whether all devices of the tenant hold it.
    pub(crate) is_default: bool,
    /// Whether clients without a login hold it.
    pub(crate) is_anonymous: bool,
    /// The groups that hold it.
    pub(crate) groups: Vec<JoinedGroup>,
}

/// A rule of a role or a credential.
#[derive(Clone, Debug)]
pub(crate) struct DesiredRule {
    /// The line or object that says so; none where the source says it without one.
    pub(crate) item: Option<Item>,
    /// The rule; none where nothing is left of it.
    pub(crate) rule: Option<Rule>,
}

/// A credential, or an operator.
pub(crate) struct DesiredCredential {
    /// Its name, as the source has it.
    pub(crate) name: Box<str>,
    /// Its name, where it is one.
    pub(crate) login: Result<LoginName, String>,
    /// Its own lines or objects, besides those of its rules and its password.
    pub(crate) items: Vec<Item>,
    /// Its password, and the line that says so where that is one of its own.
    pub(crate) password: DesiredPassword,
    /// Whether it is an operator.
    pub(crate) is_operator: bool,
    /// Which client ids it may connect with.
    pub(crate) client_id_rule: ClientIdRule,
    /// Free text for people.
    pub(crate) description: Option<FreeText>,
    /// The groups it is in.
    pub(crate) groups: Vec<JoinedGroup>,
    /// The roles it holds.
    pub(crate) roles: Vec<HeldRole>,
    /// Its rules.
    pub(crate) rules: Vec<DesiredRule>,
    /// Values for rules and for people.
    pub(crate) attributes: BTreeMap<String, String>,
    /// Whether it is stopped for now.
    pub(crate) is_suspended: bool,
    /// From when on it may no longer be used.
    pub(crate) expires_at: Option<Timestamp>,
    /// The same as its source has it, where that is told from the moment of the import.
    pub(crate) expires_from_now: Option<Box<str>>,
    /// Whether it may be used from an instant on that is told in that way.
    pub(crate) begins_from_now: bool,
}

/// A group that a credential is in, or that holds a role.
#[derive(Clone, Debug)]
pub(crate) struct JoinedGroup {
    /// The line or object that says so; none where the source says it without one.
    pub(crate) item: Option<Item>,
    /// Its path here.
    pub(crate) group: GroupPath,
}

/// A role that is held.
#[derive(Clone, Debug)]
pub(crate) struct HeldRole {
    /// The line or object that says so; none where the source says it without one.
    pub(crate) item: Option<Item>,
    /// Its name here.
    pub(crate) role: RoleName,
}

/// The password of a credential.
#[derive(Default)]
pub(crate) struct DesiredPassword {
    /// The line that says so, if it is one of its own.
    pub(crate) item: Option<Item>,
    /// What is taken over of it.
    pub(crate) password: Option<ImportedPassword>,
}

impl DesiredCredential {
    /// A credential that has nothing but a name.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            login: LoginName::parse(name).map_err(|error| error.to_string()),
            items: Vec::new(),
            password: DesiredPassword::default(),
            is_operator: false,
            client_id_rule: ClientIdRule::Any,
            description: None,
            groups: Vec::new(),
            roles: Vec::new(),
            rules: Vec::new(),
            attributes: BTreeMap::new(),
            is_suspended: false,
            expires_at: None,
            expires_from_now: None,
            begins_from_now: false,
        }
    }

    /// All its lines and objects.
    pub(crate) fn items(&mut self) -> impl Iterator<Item = &mut Item> {
        let rules = self.rules.iter_mut().filter_map(|rule| rule.item.as_mut());
        let roles = self.roles.iter_mut().filter_map(|held| held.item.as_mut());
        let groups = self.groups.iter_mut();
        let groups = groups.filter_map(|joined| joined.item.as_mut());
        let own = self.items.iter_mut().chain(&mut self.password.item);
        own.chain(groups).chain(roles).chain(rules)
    }
}

impl DesiredRole {
    /// A role that has nothing but a name.
    pub(crate) fn new(name: RoleName) -> Self {
        Self {
            name,
            items: Vec::new(),
            description: None,
            no_wildcards: false,
            rules: Vec::new(),
            is_default: false,
            is_anonymous: false,
            groups: Vec::new(),
        }
    }

    /// All its lines and objects.
    pub(crate) fn items(&mut self) -> impl Iterator<Item = &mut Item> {
        let rules = self.rules.iter_mut().filter_map(|rule| rule.item.as_mut());
        let groups = self.groups.iter_mut();
        let groups = groups.filter_map(|joined| joined.item.as_mut());
        self.items.iter_mut().chain(groups).chain(rules)
    }
}

/// The rules, each once.
pub(crate) fn rules_of(desired: &[DesiredRule]) -> Vec<Rule> {
    let mut seen = HashSet::new();
    let rules = desired.iter().filter_map(|desired| desired.rule.as_ref());
    rules.filter(|rule| seen.insert(*rule)).cloned().collect()
}

impl DesiredCredential {
    /// All its lines and objects, once they are settled.
    pub(crate) fn into_items(self) -> impl Iterator<Item = Item> {
        let rules = self.rules.into_iter().filter_map(|rule| rule.item);
        let roles = self.roles.into_iter().filter_map(|held| held.item);
        let groups = self.groups.into_iter().filter_map(|joined| joined.item);
        let own = self.items.into_iter().chain(self.password.item);
        own.chain(groups).chain(roles).chain(rules)
    }
}

impl DesiredRole {
    /// All its lines and objects, once they are settled.
    pub(crate) fn into_items(self) -> impl Iterator<Item = Item> {
        let rules = self.rules.into_iter().filter_map(|rule| rule.item);
        let groups = self.groups.into_iter().filter_map(|joined| joined.item);
        self.items.into_iter().chain(groups).chain(rules)
    }
}

/// Adds an item to a list that mostly stays short, and takes no more room than that
/// needs: most credentials have one line, and two rules.
pub(crate) fn push_tightly<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len().clamp(1, 4_096));
    }
    list.push(item);
}
