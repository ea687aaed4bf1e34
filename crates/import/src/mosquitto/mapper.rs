//! What each line of the files comes to.

use countersign_admin::import::ImportedTenant;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Effect};
use countersign_core::tenant::{Authentication, SubscribeMode};

use super::pattern_denies::{names_user, of_divided_ids};
use super::source::MosquittoSource;
use crate::given_password::{NO_PASSWORD, given};
use crate::import_error::ImportError;
use crate::place::Place;
use crate::plan::ImportOptions;
use crate::plan::desired::{
    Desired, DesiredRole, DesiredRule, DesiredTenant, HeldRole, Item, Outcome, push_tightly,
};
use crate::source::Dialect;
use crate::source::acl_file::{AclEntry, AclLine, FileAccess, Section};
use crate::source::passwords::PasswordFile;
use crate::users::{Users, as_own, is_operator};
use crate::written_rule::{self, Substitution, everything};

mod anonymous;
mod denies;

/// The names of the roles that are made.
struct RoleNames {
    anonymous: RoleName,
    everything: RoleName,
    pattern_denies: RoleName,
    patterns: RoleName,
}

/// Makes of lines what is wanted.
pub(super) struct Mapper<'a> {
    options: &'a ImportOptions,
    /// Whether the tenant's defaults can be said: nothing but imports made what is
    /// in it.
    says_defaults: bool,
    /// Who is let in here, where the tenant is there already.
    mode: Option<Authentication>,
    /// Whether clients without a login hold roles of the import.
    gives_anonymous: bool,
    /// Whether the source takes names from certificates or pre-shared keys.
    certifies_names: bool,
    /// Whether it is still to be told that the tenant refuses what the source accepts
    /// of SUBSCRIBE.
    tells_strict: bool,
    names: RoleNames,
    users: Users,
    dialect: Dialect,
    anonymous: Vec<DesiredRule>,
    patterns: Vec<DesiredRule>,
    items: Vec<Item>,
}

impl<'a> Mapper<'a> {
    /// Begins to map.
    pub(super) fn new(
        options: &'a ImportOptions,
        found: &ImportedTenant,
        dialect: Dialect,
    ) -> Result<Self, ImportError> {
        let name = |text: &str| {
            RoleName::parse(text).map_err(|error| ImportError::Refused(error.to_string()))
        };
        let tenant = found.tenant.as_ref();
        Ok(Self {
            options,
            says_defaults: found.takes_defaults(),
            mode: tenant.map(|tenant| tenant.authentication),
            gives_anonymous: true,
            certifies_names: false,
            tells_strict: accepts_every_subscribe(dialect)
                && tenant.is_some_and(|tenant| tenant.subscribe == SubscribeMode::Strict),
            names: RoleNames {
                anonymous: name("anonymous")?,
                everything: name("everything")?,
                pattern_denies: name("pattern-denies")?,
                patterns: name("patterns")?,
            },
            users: Users::default(),
            dialect,
            anonymous: Vec::new(),
            patterns: Vec::new(),
            items: Vec::new(),
        })
    }

    /// What the source wants.
    pub(super) fn map(mut self, source: MosquittoSource) -> Desired {
        let has_configuration = source.admits_anonymous.is_some();
        let has_acl = source.acl.is_some();
        self.items = source.settings;
        self.certifies_names = source.certifies_names;
        let admits = source.admits_anonymous.unwrap_or_default();
        if admits
            && source.passwords.is_none()
            && let Some(place) = source.whole.clone()
        {
            let told = Outcome::Changed(ANY_NAME.into());
            self.items.push(Item::new(place, "password_file", told));
        }
        if let Some(passwords) = source.passwords {
            self.passwords(passwords);
        }
        for line in source.acl.into_iter().flat_map(|acl| acl.lines) {
            self.line(line);
        }
        self.lose_what_a_pattern_denies();
        self.tell_anonymous(source.admits_anonymous, source.whole.clone(), has_acl);
        if admits {
            self.tell_sys();
        }
        let mut roles = self.roles();
        if !has_acl && has_configuration {
            let how = if source.has_rules_of_plugin {
                RULES_OF_PLUGIN
            } else {
                roles.push(self.everything());
                EVERYTHING
            };
            let told = Outcome::Changed(how.into());
            let item = source.whole.map(|place| Item::new(place, "acl_file", told));
            self.items.extend(item);
        }
        self.give(&roles);
        Desired {
            source: match self.dialect {
                Dialect::GoAuth => "go-auth",
                Dialect::Mosquitto => "mosquitto",
            },
            tenant: DesiredTenant {
                accepts_every_subscribe: accepts_every_subscribe(self.dialect),
                admits_anonymous: source.admits_anonymous.unwrap_or_default(),
            },
            roles,
            credentials: self.users.into_vec(),
            items: self.items,
        }
    }

    fn passwords(&mut self, file: PasswordFile) {
        for passed in file.passed_over {
            let how = format!("{}; nor is it used here", passed.why);
            let item = Item::new(passed.place, passed.what, Outcome::Changed(how.into()));
            self.items.push(item);
        }
        for user in file.users {
            let item = Item::kept(user.place, user.name.clone());
            let password = given(&user.password, item, self.options.accept_weak);
            self.users.named(&user.name).password = password;
        }
    }

    fn line(&mut self, line: AclLine) {
        match line.content {
            AclEntry::User(name) => {
                let credential = self.users.named(&name);
                let mut item = Item::kept(line.place, &*name);
                let is_first = credential.items.is_empty();
                if is_first && credential.password.item.is_none() {
                    item.change(if self.certifies_names {
                        CERTIFIED
                    } else {
                        NO_PASSWORD
                    });
                }
                push_tightly(&mut credential.items, item);
            }
            AclEntry::Rule {
                section,
                access,
                topic,
            } => {
                // To mosquitto-go-auth what stands before the first user is a
                // pattern, too.
                let section = match (section, self.dialect) {
                    (Section::BeforeUsers, Dialect::GoAuth) => Section::Pattern,
                    (section, Dialect::GoAuth | Dialect::Mosquitto) => section,
                };
                let substitution = match section {
                    Section::Pattern => Substitution::Parts,
                    Section::BeforeUsers | Section::User(_) => Substitution::None,
                };
                let mut rule = self.rule(access, &topic, line.place, substitution);
                match section {
                    Section::BeforeUsers => self.anonymous.push(rule),
                    Section::Pattern => {
                        let divided = rule
                            .rule
                            .as_ref()
                            .and_then(|rule| of_divided_ids(rule, &topic));
                        if let (Some(wide), Some(item)) = (&divided, &mut rule.item) {
                            item.change(format!(
                                "what holds `/` fills several levels there, so `{}` \
                                 is denied as well",
                                wide.pattern()
                            ));
                        }
                        self.patterns.push(rule);
                        let divided = divided.map(|rule| DesiredRule {
                            item: None,
                            rule: Some(rule),
                        });
                        self.patterns.extend(divided);
                    }
                    Section::User(name) => push_tightly(&mut self.users.named(&name).rules, rule),
                }
            }
        }
    }

    /// The rule of a line.
    fn rule(
        &mut self,
        access: FileAccess,
        topic: &str,
        place: Place,
        substitution: Substitution,
    ) -> DesiredRule {
        let (effect, action) = match access {
            FileAccess::Deny => (Effect::Deny, Action::Both),
            FileAccess::Read | FileAccess::Subscribe => (Effect::Allow, Action::Subscribe),
            FileAccess::ReadWrite => (Effect::Allow, Action::Both),
            FileAccess::Write => (Effect::Allow, Action::Publish),
        };
        let (mut rule, outcome) = written_rule::rule(effect, action, topic, substitution);
        let mut item = Item::new(place, topic, outcome);
        if access == FileAccess::Subscribe {
            // What may be read may be subscribed to, there as here.
            rule = None;
            item.change("it lets nothing be received there, so it is no rule here");
        }
        if self.dialect == Dialect::GoAuth {
            written_rule::tell_reserved(&mut item, rule.as_ref());
        }
        let gives = effect == Effect::Allow && action != Action::Publish;
        if gives && rule.is_some() && core::mem::take(&mut self.tells_strict) {
            let tenant = &self.options.tenant.id;
            item.change(format!(
                "tenant `{tenant}` stays `strict`: it refuses a SUBSCRIBE that its rules do not \
                 cover, which the source accepts (`tenant set {tenant} --subscribe filtered`)"
            ));
        }
        DesiredRule {
            item: Some(item),
            rule,
        }
    }

    /// The roles of what holds for more than one user, those that only take away
    /// first.
    fn roles(&mut self) -> Vec<DesiredRole> {
        // A client without a name is not asked about what names the user; here a
        // deny would stand for any name.
        let (denies, patterns): (Vec<_>, Vec<_>) = core::mem::take(&mut self.patterns)
            .into_iter()
            .partition(|desired| {
                let rule = desired.rule.as_ref();
                rule.is_some_and(|rule| rule.effect() == Effect::Deny) && names_user(desired)
            });
        let says = self.says_defaults;
        let role = |name: &RoleName, rules, is_default, is_anonymous| DesiredRole {
            rules,
            is_default: is_default && says,
            is_anonymous: is_anonymous && says && self.gives_anonymous,
            ..DesiredRole::new(name.clone())
        };
        let anonymous = core::mem::take(&mut self.anonymous);
        let mut roles = vec![
            role(&self.names.pattern_denies, denies, true, false),
            role(&self.names.patterns, patterns, true, true),
            role(&self.names.anonymous, anonymous, false, true),
        ];
        // One of which nothing is left is not made, and its lines are told all the
        // same.
        for role in &mut roles {
            if role.rules.iter().all(|desired| desired.rule.is_none()) {
                let rules = core::mem::take(&mut role.rules);
                self.items
                    .extend(rules.into_iter().filter_map(|desired| desired.item));
            }
        }
        roles.retain(|role| !role.rules.is_empty());
        roles
    }

    /// Without a file of rules, everything is allowed to all.
    fn everything(&self) -> DesiredRole {
        DesiredRole {
            rules: everything(),
            is_default: self.says_defaults,
            is_anonymous: self.says_defaults && self.gives_anonymous,
            ..DesiredRole::new(self.names.everything.clone())
        }
    }

    /// Gives what holds for all users to those who do not hold it by default.
    fn give(&mut self, roles: &[DesiredRole]) {
        let of_users = roles
            .iter()
            .filter(|role| role.name != self.names.anonymous);
        let of_users: Vec<&DesiredRole> = of_users.collect();
        for credential in self.users.iter_mut() {
            if is_operator(&self.options.operators, &credential.name) {
                // It holds no roles.
                let rules = of_users.iter().flat_map(|role| &role.rules);
                credential.rules.extend(as_own(rules));
            } else if !self.says_defaults {
                credential
                    .roles
                    .extend(of_users.iter().map(|role| HeldRole {
                        item: None,
                        role: role.name.clone(),
                    }));
            }
        }
    }
}

/// Whether a program accepts every SUBSCRIBE, and withholds at delivery what may not be
/// received.
fn accepts_every_subscribe(dialect: Dialect) -> bool {
    match dialect {
        Dialect::GoAuth => false,
        Dialect::Mosquitto => true,
    }
}

/// What becomes of a configuration without a file of rules.
const EVERYTHING: &str = "there is none, so everything is allowed to all: here that is the role \
                          `everything`, in which of the topics that begin with `$` those of \
                          `$SYS` alone may be read, by clients without a login from \
                          the beginning with `plugin_opt_default_tenant` alone";
/// Of a configuration that lets all names in.
const ANY_NAME: &str = "there is none, so any name is let in there, and `%u` stands for it; here \
                        names without a credential are refused";
/// Of a user without a password, where names come from certificates.
const CERTIFIED: &str = "it has no password, so it can't log in: where a certificate or a pre-shared \
                         key says its name, leave its lines out and make it with `credential \
                         create NAME --external-identity`, or add the authority with `ca add`";
/// The same beside another plugin.
const RULES_OF_PLUGIN: &str = "there is none, and what may be done is said by another plugin: \
                               nothing is allowed here until its rules are imported";
