//! From a table of credentials to what is made of each row.
//!
//! A row is tried in a transaction that is rolled back, by the command that makes it
//! afterwards: what would be refused then is lost with the same words.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use countersign_admin::credential::{CreateCredential, NewCredential};
use countersign_admin::error::Noun;
use countersign_admin::import::{ImportRow, ImportedPassword, LookUpCredentials};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::{IssuedCredential, NewSecret};
use countersign_admin::text::FreeText;
use countersign_admin::{AdminError, Context, ErrorKind, dry_run, run};
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{PasswordHash, Verifier};
use countersign_core::store::AdminStore;
use countersign_core::time::Timestamp;

use crate::content::read_source;
use crate::import_error::ImportError;
use crate::plan::desired::{
    DesiredCredential, DesiredPassword, HeldRole, Item, JoinedGroup, Outcome,
};
use crate::plan::{Plan, RowPlanner, check_own};
use crate::source::csv::{Row, RowLogin, Table};
use crate::stored_password::StoredPassword;

/// A table of credentials.
#[derive(Debug)]
pub struct CsvSource(Table);

/// What is asked for of a table.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct CsvOptions<'a> {
    /// The tenant of rows that name none.
    pub tenant: Option<TenantId>,
    /// The scheme of rows that name none.
    pub scheme: SchemeName,
    /// Whether secrets of fewer than 64 random bits are taken over, and hashed slowly.
    pub accept_weak: bool,
    /// Whether what an earlier import made is changed where the table has changed.
    pub update: bool,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Reads an instant as the command line does.
    pub instant: &'a dyn Fn(&str) -> Result<Option<Timestamp>, String>,
}

impl CsvSource {
    /// Reads a table.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where it can't be read or is malformed.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Ok(Self(Table::parse(&read_source(path)?)?))
    }

    /// Plans to take it over.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where the store can't be used. Nothing is written.
    pub fn plan<S: AdminStore>(
        self,
        store: &mut S,
        context: &mut Context<'_>,
        options: &CsvOptions<'_>,
    ) -> Result<Plan, ImportError> {
        let mut planner = RowPlanner::new("csv", options.update, options.dry_run);
        let mut taken = Taken::default();
        for row in self.0.rows {
            let mut item = Item::kept(row.place.clone(), row.name.clone());
            let (mut row, wanted) = match read_row(row, options, &mut item) {
                Ok(read) => read,
                Err(why) => {
                    item.lose(&why, MEND);
                    planner.settle(item);
                    continue;
                }
            };
            match tried(store, context, options, &mut row, &mut item) {
                Ok(issued) => match taken.take(&issued.described.credential) {
                    Ok(()) => planner.make(row, item),
                    Err(why) => {
                        item.lose(&why, MEND);
                        planner.settle(item);
                    }
                },
                Err(error) => refused(store, context, &mut planner, error, &row, wanted, item)?,
            }
        }
        Ok(planner.finish())
    }
}

/// What rows before have, and no other may have.
#[derive(Default)]
struct Taken {
    names: HashSet<LoginName>,
    /// By their digests.
    secrets: HashSet<[u8; 32]>,
}

impl Taken {
    /// Takes what a row has, or says what of it a row before has.
    fn take(&mut self, credential: &Credential) -> Result<(), String> {
        let name = &credential.name;
        if !self.names.insert(name.clone()) {
            return Err(format!("name-taken: a row before is `{name}`, too"));
        }
        let mut secrets = credential.secrets.iter();
        let are_own = secrets.all(|secret| match &secret.verifier {
            Verifier::Digest(digest) => self.secrets.insert(*digest.as_bytes()),
            // Hashed with a salt of its own.
            Verifier::Password(_) => true,
        });
        if are_own {
            return Ok(());
        }
        Err("a row before has the same secret; each credential has its own".into())
    }
}

/// Tries a row. A secret that is refused as weak is tried as one, where that is
/// asked for: no other is hashed slowly.
fn tried<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    options: &CsvOptions<'_>,
    row: &mut ImportRow,
    item: &mut Item,
) -> Result<IssuedCredential, AdminError> {
    let tried = dry_run(store, context, row);
    if options.accept_weak
        && tried.as_ref().is_err_and(is_weak)
        && let NewSecret::TakenOver { may_be_weak, .. } = &mut row.create.0.secret
    {
        *may_be_weak = true;
        item.change("its secret has fewer than 64 random bits, and is kept as an Argon2id hash");
        return dry_run(store, context, row);
    }
    tried
}

/// Whether a secret is refused that could be guessed.
fn is_weak(error: &AdminError) -> bool {
    error.is(ErrorKind::Conflict, Noun::Password)
}

/// What becomes of a row that can't be made: it is there already, or it is lost.
fn refused<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    planner: &mut RowPlanner,
    error: AdminError,
    row: &ImportRow,
    mut wanted: DesiredCredential,
    mut item: Item,
) -> Result<(), ImportError> {
    if matches!(error.kind(), ErrorKind::Unavailable) {
        return Err(error.into());
    }
    let is_there = error.is(ErrorKind::Exists, Noun::Credential);
    let name = LoginName::parse(&error.subject().name).ok();
    let known = match name.filter(|_| is_there) {
        Some(name) => run(store, context, &LookUpCredentials(vec![name]))?.pop(),
        None => None,
    };
    let known = known.flatten().filter(|known| known.mark.is_some());
    let own = known.map(|known| {
        check_own(&known, &wanted, &row.create.0.tenant)?;
        check_set_once(row, &known.credential)?;
        Ok::<_, String>(known)
    });
    match own {
        Some(Ok(known)) => {
            wanted.login = Ok(known.credential.name.clone());
            wanted.items.push(item);
            planner.again(wanted, &known);
        }
        Some(Err(why)) => {
            item.lose(&why, MEND);
            planner.settle(item);
        }
        None => {
            let taken = if is_there { "name-taken: " } else { "" };
            let fix = if is_weak(&error) { ACCEPT } else { MEND };
            item.lose(&format!("{taken}{error}"), fix);
            planner.settle(item);
        }
    }
    Ok(())
}

/// Checks that what no import changes later is as the row has it.
fn check_set_once(row: &ImportRow, stored: &Credential) -> Result<(), String> {
    let NewCredential {
        scheme, not_before, ..
    } = &row.create.0;
    if stored.state == State::Revoked {
        return Ok(());
    }
    if row.state == State::Revoked {
        return Err(format!(
            "it is {} here, and an import revokes nothing",
            stored.state
        ));
    }
    if stored.scheme != *scheme {
        return Err(format!("it is of scheme `{}` here", stored.scheme));
    }
    if stored.not_before != *not_before {
        return Err("it may be used from another date on here, and an import moves none".into());
    }
    Ok(())
}

/// What a row says, to be made and to be compared.
fn read_row(
    row: Row,
    options: &CsvOptions<'_>,
    item: &mut Item,
) -> Result<(ImportRow, DesiredCredential), String> {
    let tenant = match &row.tenant {
        Some(tenant) => TenantId::parse(tenant).map_err(|why| why.to_string())?,
        None => options
            .tenant
            .clone()
            .ok_or("it names no tenant, and --tenant is not given")?,
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
        ..NewCredential::new(tenant, &*row.name)
    };
    let mark = ImportMark {
        source: "csv".into(),
        parts: wanted.parts(),
        secret: None,
    };
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

const MEND: &str = "mend the row, and import again";
const ACCEPT: &str = "take it over with --accept-weak, or give the row another secret";
