//! Holds what a source wants against what the store holds, object by object.

use std::collections::HashSet;

use countersign_admin::import::{
    ImportCredentials, ImportRole, ImportedCredential, ImportedTenant, KnownCredential,
    UpdateImportedCredential, check_name,
};
use countersign_core::imported::ImportMark;
use countersign_core::name::Suffix;
use countersign_core::rule::{Action, Effect, Rule};
use countersign_core::topic::TopicFilter;

use self::lost_roles::LostRoles;
use super::client_ids::{ANOTHER_ID, BOUND, BoundClientIds};
use super::desired::{Desired, DesiredCredential, DesiredRole, Item, rules_of};
use super::fit::{Ground, keep_as_many_as_fit};
use super::made;
use super::options::ImportOptions;
use super::step::{MOST_IN_A_STEP, Step};
use super::tenant;
use super::told::Told;
use crate::import_error::ImportError;
use crate::report::Report;
use crate::users::is_operator;

mod lost_roles;

/// Makes steps and tells what becomes of each line.
pub(super) struct Planner<'a> {
    pub(super) options: &'a ImportOptions,
    found: &'a ImportedTenant,
    pub(super) source: &'static str,
    namespaces: Vec<TopicFilter>,
    others: Vec<TopicFilter>,
    sys_read: bool,
    lost: LostRoles,
    pub(super) told: Told,
    bound: BoundClientIds,
    new: Vec<ImportedCredential>,
    pub(super) updates: Vec<UpdateImportedCredential>,
    pub(super) steps: Vec<Step>,
}

impl<'a> Planner<'a> {
    /// Begins to plan.
    pub(super) fn new(
        options: &'a ImportOptions,
        found: &'a ImportedTenant,
        desired: &Desired,
    ) -> Result<Self, ImportError> {
        let names: HashSet<&str> = desired.credentials.iter().map(|it| &*it.name).collect();
        let unknown = options
            .operators
            .iter()
            .find(|it| !names.contains(it.as_str()));
        if let Some(unknown) = unknown {
            return Err(ImportError::Refused(format!(
                "`{unknown}` of --operators is not a user of the source"
            )));
        }
        let sys_read = match &found.tenant {
            Some(tenant) => tenant.sys_read,
            None => wants_sys(desired, options),
        };
        let others = found.others.iter();
        let others = others.flat_map(|tenant| tenant.namespaces.named().cloned());
        Ok(Self {
            others: others.collect(),
            options,
            found,
            source: desired.source,
            namespaces: tenant::namespaces(&options.tenant, found),
            sys_read,
            lost: LostRoles::default(),
            told: Told::default(),
            bound: BoundClientIds::default(),
            new: Vec::new(),
            updates: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// The step that makes the tenant, where there is none.
    pub(super) fn tenant(&self, desired: &Desired) -> Option<Step> {
        tenant::making(
            &self.options.tenant,
            self.found,
            desired.tenant,
            self.sys_read,
        )
    }

    fn ground(&self) -> Ground<'_> {
        Ground {
            tenant: &self.options.tenant.id,
            namespaces: &self.namespaces,
            others: &self.others,
            sys_read: self.sys_read,
        }
    }

    /// Plans a role.
    pub(super) fn role(&mut self, mut role: DesiredRole) {
        let ground = self.ground();
        role.rules.iter_mut().for_each(|rule| ground.fit(rule));
        keep_as_many_as_fit(&mut role.rules);
        match self.found.roles.get(&role.name) {
            None => {
                let rules = rules_of(&role.rules);
                let step = Step::Role(ImportRole {
                    tenant: self.options.tenant.id.clone(),
                    name: role.name.clone(),
                    description: role.description.take(),
                    no_wildcards: role.no_wildcards,
                    is_default: role.is_default,
                    is_anonymous: role.is_anonymous,
                    groups: role
                        .groups
                        .iter()
                        .map(|joined| joined.group.clone())
                        .collect(),
                    mark: self.mark(made::parts_of_role(&role, &rules)),
                    rules,
                });
                self.steps.push(step);
            }
            Some(known) => match &known.mark {
                Some(mark) => self.role_again(&mut role, known, mark),
                None => {
                    let why = format!(
                        "name-taken: tenant `{}` has a role `{}` that no import made",
                        self.options.tenant.id, role.name
                    );
                    role.items().for_each(|item| item.lose(&why, RENAME));
                    self.lost.insert(&role);
                }
            },
        }
        self.told.settle(role.into_items());
    }

    /// Plans a credential, whose name may be `known` already. `client_ids` says whether
    /// the store has something against its client ids.
    pub(super) fn credential(
        &mut self,
        mut credential: DesiredCredential,
        known: Option<KnownCredential>,
        client_ids: Result<(), String>,
    ) {
        credential.is_operator = is_operator(&self.options.operators, &credential.name);
        let checked = self.check_name(&credential, known.as_ref());
        let checked = checked.and_then(|()| self.lost.check(&credential));
        let checked = checked.and_then(|()| self.check_client_ids(&credential, client_ids));
        if let Err((why, fix)) = checked {
            credential.items().for_each(|item| item.lose(&why, fix));
        } else {
            if !credential.is_operator {
                let ground = self.ground();
                credential
                    .rules
                    .iter_mut()
                    .for_each(|rule| ground.fit(rule));
            }
            keep_as_many_as_fit(&mut credential.rules);
            self.lost.take_from(&mut credential);
            match known {
                None => self.make(&mut credential),
                Some(known) => self.known_credential(&mut credential, &known),
            }
        }
        self.told.settle(credential.into_items());
    }

    /// Says why a name can't be given, and what can be done.
    fn check_name(
        &self,
        credential: &DesiredCredential,
        known: Option<&KnownCredential>,
    ) -> Result<(), (String, &'static str)> {
        let name = credential
            .login
            .as_ref()
            .map_err(|why| (why.clone(), RENAME))?;
        if let Some(known) = known {
            return made::check_own(known, credential, &self.options.tenant.id)
                .map_err(|why| (why, RENAME));
        }
        let has_password = credential.password.password.is_some();
        check_name(
            &self.found.schemes,
            name,
            credential.is_operator,
            has_password,
        )
        .map_err(|error| (error.to_string(), RENAME))?;
        if let Suffix::Tenant(suffix) = name.suffix() {
            let mut taken = self.found.others.iter().map(|tenant| &tenant.id);
            if suffix == self.options.tenant.id || taken.any(|id| *id == suffix) {
                let why = format!("name-taken: names that end with `@{suffix}` are that tenant's");
                return Err((why, RENAME));
            }
        }
        Ok(())
    }

    /// Says why its client id can't be given, and what can be done. Without that, it
    /// could be used with any.
    fn check_client_ids(
        &mut self,
        credential: &DesiredCredential,
        tried: Result<(), String>,
    ) -> Result<(), (String, &'static str)> {
        if credential.is_operator {
            return Ok(());
        }
        tried.map_err(|why| (why, ANOTHER_ID))?;
        if self.bound.has(credential) {
            return Err((BOUND.into(), ANOTHER_ID));
        }
        self.bound.take(credential);
        Ok(())
    }

    fn make(&mut self, credential: &mut DesiredCredential) {
        let rules = rules_of(&credential.rules);
        let mark = self.mark(made::parts_of_credential(credential, &rules));
        if let Some(made) = made::credential(credential, rules, mark) {
            self.new.push(made);
        }
        if self.new.len() >= MOST_IN_A_STEP {
            self.flush();
        }
    }

    /// Makes steps of the credentials that were planned last.
    pub(super) fn flush(&mut self) {
        if !self.new.is_empty() {
            self.steps.push(Step::Credentials(ImportCredentials {
                tenant: self.options.tenant.id.clone(),
                credentials: core::mem::take(&mut self.new),
            }));
        }
        if !self.updates.is_empty() {
            let updates = core::mem::take(&mut self.updates);
            self.steps.push(Step::Updates(updates));
        }
    }

    /// What is remembered of the source of these parts.
    pub(super) fn mark(&self, parts: made::Parts) -> ImportMark {
        ImportMark {
            source: self.source.into(),
            parts,
            secret: None,
        }
    }

    /// The report and the steps, once all objects were planned, with the tenant that is
    /// made before them.
    pub(super) fn finish(mut self, making: Option<Step>, items: Vec<Item>) -> (Report, Vec<Step>) {
        self.flush();
        self.steps.splice(..0, making);
        self.told.settle(items);
        let dry_run = self.options.dry_run;
        let report = self.told.report(self.source, dry_run, &self.steps);
        (report, self.steps)
    }
}

/// Says whether something of a source, but for its operators, reads the broker's own
/// topics.
fn wants_sys(desired: &Desired, options: &ImportOptions) -> bool {
    let of_roles = desired.roles.iter().flat_map(|role| &role.rules);
    let credentials = desired.credentials.iter();
    let credentials = credentials.filter(|it| !is_operator(&options.operators, &it.name));
    let rules = of_roles.chain(credentials.flat_map(|credential| &credential.rules));
    let rules = rules.filter_map(|desired| desired.rule.as_ref());
    rules.into_iter().any(|rule| {
        let reads = match rule.action() {
            Action::Both | Action::Subscribe => true,
            Action::Publish => false,
        };
        reads
            && rule.effect() == Effect::Allow
            && Rule::allow(Action::Subscribe, rule.pattern().clone()).reads_sys()
    })
}

const RENAME: &str = "give it another name in the source, and tell its clients";
