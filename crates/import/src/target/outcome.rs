//! What becomes of each object of a tenant.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_admin::tenant::TenantRights;
use countersign_core::access::BoundRule;
use countersign_core::rule::RuleSource;
use countersign_core::tenant::Authentication;

use crate::place::SourceName;
use crate::report::Report;

/// What became of one object. The later ones are worse.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Outcome {
    Kept,
    Changed { how: String },
    Lost { why: String, fix: String },
}

/// An object: a JSON pointer into the tenant, and what stands there.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Object {
    pointer: String,
    what: String,
}

/// What became of all objects, each once. Of one that several hold, the worst
/// counts.
#[derive(Default)]
pub(super) struct Outcomes(BTreeMap<Object, Outcome>);

impl Object {
    pub(super) fn new(pointer: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            what: what.into(),
        }
    }

    /// A rule that `holder` has.
    pub(super) fn of_rule(rule: &BoundRule, holder: &str) -> Self {
        let pointer = match &rule.source {
            RuleSource::Credential | RuleSource::Operator => format!("/credentials/{holder}"),
            RuleSource::Group(group) => format!("/groups/{group}"),
            RuleSource::Role(role) | RuleSource::RoleOfGroup { role, .. } => {
                format!("/roles/{role}")
            }
            RuleSource::Scheme(scheme) => format!("/schemes/{scheme}"),
            RuleSource::Tenant(_) => "/namespaces".into(),
        };
        Self::new(pointer, rule.rule.to_string())
    }
}

impl Outcomes {
    pub(super) fn keep(&mut self, object: Object) {
        self.note(object, Outcome::Kept);
    }

    pub(super) fn change(&mut self, object: Object, how: &str) {
        self.note(object, Outcome::Changed { how: how.into() });
    }

    pub(super) fn lose(&mut self, object: Object, why: &str, fix: &str) {
        let (why, fix) = (why.into(), fix.into());
        self.note(object, Outcome::Lost { why, fix });
    }

    fn note(&mut self, object: Object, outcome: Outcome) {
        let known = self.0.entry(object).or_insert(Outcome::Kept);
        if *known < outcome {
            *known = outcome;
        }
    }

    /// Notes what is about the tenant as a whole and the same for all files.
    pub(super) fn of_tenant(rights: &TenantRights) -> Self {
        let mut outcomes = Self::default();
        let authentication = rights.tenant.authentication;
        let mode = Object::new("/authentication", authentication.as_str());
        match authentication {
            Authentication::Required => outcomes.keep(mode),
            Authentication::Optional => {
                outcomes.change(mode, "the broker needs `allow_anonymous true` for that");
            }
            Authentication::Off => outcomes.lose(
                mode,
                "Mosquitto refuses a wrong password, whatever else is allowed",
                "let such clients connect without a name",
            ),
        }
        for (sort, name) in &rights.rest {
            outcomes.lose(
                Object::new(format!("/{sort}/{name}"), name.clone()),
                "Mosquitto knows devices with a password alone",
                "make a credential with a password for it",
            );
        }
        outcomes
    }

    /// Notes the rules of roles that hold for nobody.
    pub(super) fn lose_unheld_rules(&mut self, rights: &TenantRights) {
        for role in &rights.roles {
            for role_rule in &role.rules {
                let pointer = match &role_rule.group {
                    Some(group) => format!("/groups/{group}"),
                    None => format!("/roles/{}", role.name),
                };
                let object = Object::new(pointer, role_rule.rule.to_string());
                if !self.0.contains_key(&object) {
                    self.lose(
                        object,
                        "it holds for no user that is written",
                        "write it again once somebody holds it",
                    );
                }
            }
        }
    }

    /// The report.
    pub(super) fn into_report(self, source: &str, rights: &TenantRights) -> Report {
        let name = SourceName::of(Path::new(rights.tenant.id.as_str()));
        let mut report = Report::about(source, false);
        report.applied = true;
        for (Object { pointer, what }, outcome) in self.0 {
            let place = name.pointer(&pointer);
            match outcome {
                Outcome::Kept => report.keep(),
                Outcome::Changed { how } => report.change(&place, &what, how),
                Outcome::Lost { why, fix } => report.lose(&place, &what, why, fix),
            }
        }
        report
    }
}
