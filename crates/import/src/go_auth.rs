//! From mosquitto-go-auth's files or database to what is wanted here.
//!
//! Its files are mapped as Mosquitto's, but that lines before the first user hold for
//! all, and that a SUBSCRIBE has to be allowed. Of a database each filter that the
//! query for rules gives is one rule.

use std::path::Path;

use countersign_admin::Context;
use countersign_admin::import::ImportedTenant;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Effect, Pattern, Rule};
use countersign_core::store::AdminStore;

use crate::given_password::given;
use crate::import_error::ImportError;
use crate::mosquitto::MosquittoSource;
use crate::place::{Place, SourceName};
use crate::plan::desired::{
    Desired, DesiredCredential, DesiredRole, DesiredRule, DesiredTenant, HeldRole, Item, Outcome,
};
use crate::plan::{ImportOptions, Plan, look_up_tenant, plan};
use crate::receiving::intersect;
use crate::source::Dialect;
use crate::source::go_auth::{Database, DatabaseTopic, DatabaseUser, Queries, QueryAccess};
use crate::users::{Users, as_own, is_operator};
use crate::written_rule::{self, Substitution, everything};

/// What mosquitto-go-auth knows of its users.
#[derive(Debug)]
pub struct GoAuthSource(Kept);

/// Where it keeps them.
#[derive(Debug)]
enum Kept {
    Database(Database, Place),
    Files(MosquittoSource),
}

impl GoAuthSource {
    /// Reads its two files.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where one can't be read, or the program would not load
    /// it.
    pub fn read_files(passwords: &Path, acl: &Path) -> Result<Self, ImportError> {
        let files = MosquittoSource::read_files_of(Dialect::GoAuth, Some(passwords), Some(acl))?;
        Ok(Self(Kept::Files(files)))
    }

    /// Reads its database by its queries.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where [`Database::read`] does.
    pub fn read_database(path: &Path, queries: &Queries) -> Result<Self, ImportError> {
        let database = Database::read(path, queries)?;
        Ok(Self(Kept::Database(database, SourceName::of(path).whole())))
    }

    /// Plans to take it over.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where the store can't be used, or what is asked for
    /// does not fit it. Nothing is written.
    pub fn plan<S: AdminStore>(
        self,
        store: &mut S,
        context: &mut Context<'_>,
        options: &ImportOptions,
    ) -> Result<Plan, ImportError> {
        match self.0 {
            Kept::Database(database, whole) => {
                let found = look_up_tenant(store, context, options)?;
                let desired = of_database(database, whole, options, &found)?;
                plan(store, context, options, &found, desired)
            }
            Kept::Files(files) => files.plan(store, context, options),
        }
    }
}

fn of_database(
    database: Database,
    whole: Place,
    options: &ImportOptions,
    found: &ImportedTenant,
) -> Result<Desired, ImportError> {
    let mut items: Vec<Item> = Vec::new();
    for passed in database.passed_over {
        let how = format!("{}; nor is it used here", passed.why);
        items.push(Item::new(
            passed.place,
            passed.what,
            Outcome::Changed(how.into()),
        ));
    }
    let mut roles = Vec::new();
    let says_defaults = found.takes_defaults();
    if database.allows_all {
        roles.push(DesiredRole {
            rules: everything(),
            is_default: says_defaults,
            ..DesiredRole::new(
                RoleName::parse("everything")
                    .map_err(|error| ImportError::Refused(error.to_string()))?,
            )
        });
    }
    if found.tenant.is_none() {
        let how = format!(
            "the database does not say whether clients without a login are let in: tenant `{}` lets \
             none in (`required`)",
            options.tenant.id
        );
        items.push(Item::new(
            whole,
            "allow_anonymous",
            Outcome::Changed(how.into()),
        ));
    }
    let mut users = Users::default();
    for user in database.users {
        let credential = users.named(&user.name);
        let is_operator = is_operator(&options.operators, &user.name);
        map_user(credential, user, is_operator, options.accept_weak);
        for role in &roles {
            if is_operator {
                credential.rules.extend(as_own(&role.rules));
            } else if !says_defaults {
                credential.roles.push(HeldRole {
                    item: None,
                    role: role.name.clone(),
                });
            }
        }
    }
    Ok(Desired {
        source: "go-auth",
        tenant: DesiredTenant::default(),
        roles,
        credentials: users.into_vec(),
        items,
    })
}

fn map_user(
    credential: &mut DesiredCredential,
    user: DatabaseUser,
    is_operator: bool,
    accept_weak: bool,
) {
    let mut item = Item::kept(user.place, user.name);
    if user.is_superuser {
        credential.rules.extend(everything());
        if is_operator {
            let control = Pattern::parse("$CONTROL/#").ok();
            let sys = Pattern::parse("$SYS/#").ok();
            let patterns = control.into_iter().chain(sys);
            credential.rules.extend(patterns.map(|pattern| DesiredRule {
                item: None,
                rule: Some(Rule::allow(Action::Both, pattern)),
            }));
        } else {
            item.lose(
                "a superuser publishes to `$SYS` and `$CONTROL`, which no credential of a tenant \
                 does; it is taken over with `#`",
                "make the user an operator with --operators, or accept it",
            );
        }
    }
    credential.password = given(&user.password, item, accept_weak);
    let mut by_access = [
        QueryAccess::Read,
        QueryAccess::Subscribe,
        QueryAccess::Write,
    ]
    .map(|access| {
        let own = user.topics.iter().filter(|topic| topic.access == access);
        own.map(rule_of).collect::<Vec<DesiredRule>>()
    });
    let [read, subscribed, _] = &mut by_access;
    intersect(subscribed, read);
    credential.rules.extend(by_access.into_iter().flatten());
}

fn rule_of(topic: &DatabaseTopic) -> DesiredRule {
    let action = match topic.access {
        QueryAccess::Read | QueryAccess::Subscribe => Action::Subscribe,
        QueryAccess::Write => Action::Publish,
    };
    let (rule, outcome) =
        written_rule::rule(Effect::Allow, action, &topic.topic, Substitution::Levels);
    let mut item = Item::new(topic.place.clone(), topic.topic.clone(), outcome);
    written_rule::tell_reserved(&mut item, rule.as_ref());
    DesiredRule {
        item: Some(item),
        rule,
    }
}
