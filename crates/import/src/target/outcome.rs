//! What becomes of each object of a tenant.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_admin::tenant::TenantRights;
use countersign_core::access::BoundRule;
use countersign_core::ban::BanTarget;
use countersign_core::limit::UseLimits;
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
        outcomes.of_refusals(rights);
        outcomes
    }

    /// Notes what is refused here, and what no file of Mosquitto's refuses.
    fn of_refusals(&mut self, rights: &TenantRights) {
        for ban in &rights.bans {
            let (why, fix) = match &ban.target {
                BanTarget::ClientId(..) => (
                    "Mosquitto has no bans: it lets clients in with this client id",
                    "take the user out that connects with it",
                ),
                BanTarget::Network(_) => (
                    "Mosquitto has no bans: it lets clients in from there",
                    "close the broker's port to these addresses",
                ),
            };
            self.lose(
                Object::new(format!("/bans/{}", ban.id), &*ban.shown),
                why,
                fix,
            );
        }
        let tenant = &rights.tenant;
        if let Some(prefix) = &tenant.client_id_prefix {
            self.lose(
                Object::new("/client_id_prefix", prefix.as_str()),
                "Mosquitto lets its users in with any client id",
                "write `clientid_prefixes` into `mosquitto.conf`, where all clients have that prefix",
            );
        }
        self.of_limits("", tenant.id.as_str(), &tenant.limits);
        for role in &rights.roles {
            let pointer = format!("/roles/{}", role.name);
            self.of_limits(&pointer, role.name.as_str(), &role.limits);
        }
        for device in &rights.devices {
            let name = device.credential.name.as_str();
            self.of_limits(
                &format!("/credentials/{name}"),
                name,
                &device.credential.limits,
            );
        }
    }

    fn of_limits(&mut self, pointer: &str, holder: &str, limits: &UseLimits) {
        if !limits.is_none() {
            self.lose(
                Object::new(format!("{pointer}/limits"), holder),
                "Mosquitto counts neither connections nor messages of a user",
                "write `max_connections` and `max_packet_size` into `mosquitto.conf`, which hold for all clients",
            );
        }
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
