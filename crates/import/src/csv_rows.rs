//! From a table of credentials to what is made of each row.
//!
//! A row is tried first, by the checks of the command that makes it afterwards: what
//! would be refused then is lost with the same words.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_admin::Context;
use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::import::{ImportRow, ImportedPassword};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::taking::Taking;
use countersign_admin::text::FreeText;
use countersign_core::client_id::ClientIdRule;
use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::PasswordHash;
use countersign_core::store::AdminStore;

use self::trial::{Candidate, Trial};
use crate::content::read_source;
use crate::import_error::ImportError;
use crate::place::{Place, SourceName};
use crate::plan::desired::{
    DesiredCredential, DesiredPassword, DesiredTenant, HeldRole, Item, JoinedGroup, Outcome,
};
use crate::plan::{Plan, Step, TenantOptions, tenant, tried};
use crate::source::csv::{Row, RowLogin, Table};
use crate::stored_password::StoredPassword;

mod options;
mod trial;

pub use self::options::CsvOptions;

/// A table of credentials.
#[derive(Debug)]
pub struct CsvSource {
    table: Table,
    /// The table as a whole.
    whole: Place,
}

impl CsvSource {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where it can't be read or is malformed.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Ok(Self {
            table: Table::parse(&read_source(path)?)?,
            whole: SourceName::of(path).whole(),
        })
    }

    /// Plans to take it over.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where the store can't be used, or the tenant can't be
    /// made. Nothing is written.
    pub fn plan<S: AdminStore>(
        self,
        store: &mut S,
        context: &mut Context<'_>,
        options: &CsvOptions<'_>,
    ) -> Result<Plan, ImportError> {
        let making = match &options.tenant {
            Some(tenant) => tenant_to_make(store, context, tenant, options.taking)?,
            None => None,
        };
        let told = making.as_ref().zip(options.tenant.as_ref());
        let told = told.map(|(_, tenant)| tell_made(&tenant.id, self.whole));
        let mut trial = Trial::new(options, making);
        if let Some(item) = told {
            trial.settle(item);
        }
        for row in self.table.rows {
            let mut item = Item::kept(row.place.clone(), row.name.clone());
            match read_row(row, options, &mut item) {
                Ok((row, wanted)) => {
                    let candidate = Candidate { row, wanted, item };
                    trial.hear(store, context, candidate)?;
                }
                Err(why) => trial.lose(item, &why),
            }
        }
        trial.finish(store, context)
    }
}

/// The step that makes the tenant, where there is none. A table says nothing of what
/// is subscribed to, or of clients without a login.
fn tenant_to_make<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &TenantOptions,
    taking: Taking,
) -> Result<Option<Step>, ImportError> {
    let found = tenant::look_up(store, context, options)?;
    let step = tenant::making(options, &found, DesiredTenant::default(), false);
    step.map(|step| tried(store, context, step, taking))
        .transpose()
}

fn tell_made(tenant: &TenantId, whole: Place) -> Item {
    let how = format!(
        "the tenant is made; its devices may do nothing until they hold roles or rules, unless \
         `tenant set {tenant} --default-rights namespaces` gives them all that it owns"
    );
    Item::new(whole, tenant.as_str(), Outcome::Changed(how.into()))
}

/// What a row says, to be made and to be compared.
fn read_row(
    row: Row,
    options: &CsvOptions<'_>,
    item: &mut Item,
) -> Result<(ImportRow, DesiredCredential), String> {
    let tenant = match &row.tenant {
        Some(tenant) => TenantId::parse(tenant).map_err(|why| why.to_string())?,
        None => {
            let tenant = options.tenant.as_ref().map(|tenant| tenant.id.clone());
            tenant.ok_or("it names no tenant, and --tenant is not given")?
        }
    };
    let scheme = match &row.scheme {
        Some(scheme) => SchemeName::parse(scheme).map_err(|why| why.to_string())?,
        None => options.scheme.clone(),
    };
    let state = match row.state.as_deref() {
        None => State::Inactive,
        Some(state) => State::parse(state).map_err(|why| why.to_string())?,
    };
    if state == State::Active {
        item.change("it becomes Active by its first login here");
    }
    let instant = |text: Option<&str>| match text {
        None => Ok(None),
        Some(text) => (options.instant)(text),
    };
    let (not_before, expires_at) = (
        instant(row.not_before.as_deref())?,
        instant(row.expires.as_deref())?,
    );
    let from_now = |text: Option<Box<str>>| text.filter(|text| text.starts_with('+'));
    let client_id_rule = row.client_id.as_deref().map(ClientIdRule::parse);
    let client_id_rule = client_id_rule.transpose().map_err(|why| why.to_string())?;
    let description = row.description.as_deref().map(FreeText::parse);
    let description = description.transpose().map_err(|why| why.to_string())?;
    let groups: Result<Vec<GroupPath>, _> = row
        .groups
        .iter()
        .map(|group| GroupPath::parse(group))
        .collect();
    let groups = groups.map_err(|why| why.to_string())?;
    let roles: Result<Vec<RoleName>, _> =
        row.roles.iter().map(|role| RoleName::parse(role)).collect();
    let roles = roles.map_err(|why| why.to_string())?;
    let attributes: BTreeMap<String, String> = row
        .attributes
        .iter()
        .map(|(key, value)| (String::from(&**key), String::from(&**value)))
        .collect();
    let (secret, hash) = login(row.login, item)?;

    let mut wanted = DesiredCredential::new(&row.name);
    wanted.password = DesiredPassword {
        item: None,
        password: hash.clone().map(ImportedPassword::Hashed),
    };
    wanted.client_id_rule = client_id_rule.clone().unwrap_or(ClientIdRule::Any);
    wanted.description.clone_from(&description);
    let joined = groups.iter().cloned();
    wanted.groups = joined
        .map(|group| JoinedGroup { item: None, group })
        .collect();
    let held = roles.iter().cloned();
    wanted.roles = held.map(|role| HeldRole { item: None, role }).collect();
    wanted.attributes.clone_from(&attributes);
    wanted.is_suspended = state == State::Suspended;
    wanted.expires_at = expires_at;
    wanted.expires_from_now = from_now(row.expires);
    let new = NewCredential {
        scheme,
        secret,
        client_id_rule,
        groups,
        description,
        roles,
        attributes,
        not_before,
        expires_at,
        keeps_at: true,
        ..NewCredential::new(tenant, &*row.name)
    };
    let mark = ImportMark {
        source: "csv".into(),
        parts: wanted.parts(),
        secret: None,
    };
    wanted.begins_from_now = from_now(row.not_before).is_some();
    let row = ImportRow {
        create: CreateCredential(new),
        hash,
        state,
        mark,
    };
    Ok((row, wanted))
}

/// What a client of the row logs in with.
fn login(login: RowLogin, item: &mut Item) -> Result<(NewSecret, Option<PasswordHash>), String> {
    match login {
        RowLogin::Generated => Ok((NewSecret::Generated, None)),
        RowLogin::Hash(StoredPassword::Hash(hash)) => Ok((NewSecret::Generated, Some(hash))),
        RowLogin::Hash(StoredPassword::Unusable(why)) => Err(why.to_string()),
        RowLogin::Hash(StoredPassword::Missing | StoredPassword::Plain(_)) => {
            Err("it is not a hash".into())
        }
        RowLogin::Password(password) => {
            item.tell(Outcome::Kept);
            let chosen = ChosenPassword::parse(password.expose().to_vec());
            Ok((
                NewSecret::Chosen(chosen.map_err(|why| why.to_string())?),
                None,
            ))
        }
        RowLogin::Secret(secret) => {
            let secret = ChosenPassword::parse(secret.expose().to_vec());
            let taken_over = NewSecret::TakenOver {
                secret: secret.map_err(|why| why.to_string())?,
                may_be_weak: false,
            };
            Ok((taken_over, None))
        }
    }
}
