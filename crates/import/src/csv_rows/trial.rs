//! Rows are tried before any is made, many in one look at the store.

use std::collections::HashSet;

use countersign_admin::credential::NewCredential;
use countersign_admin::error::Noun;
use countersign_admin::import::{
    ImportRow, KnownCredential, LookUpCredentials, TriedRow, TryTable,
};
use countersign_admin::secret::NewSecret;
use countersign_admin::taking::TakeFromRest;
use countersign_admin::{AdminError, Context, ErrorKind, dry_run, run};
use countersign_core::client_id::ClientIdTie;
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::store::AdminStore;

use super::options::CsvOptions;
use crate::import_error::ImportError;
use crate::plan::attempt::Attempt;
use crate::plan::desired::{DesiredCredential, Item};
use crate::plan::{LOOKED_UP_AT_ONCE, MEND, MOST_IN_A_STEP, Plan, RowPlanner, Step, check_own};

/// A row that can be tried.
pub(super) struct Candidate {
    pub(super) row: ImportRow,
    pub(super) wanted: DesiredCredential,
    pub(super) item: Item,
}

/// Tries rows in their order, and plans what becomes of each.
pub(super) struct Trial<'a> {
    options: &'a CsvOptions<'a>,
    /// Makes the tenant, where there is none.
    making: Option<Step>,
    planner: RowPlanner,
    taken: Taken,
    waiting: Vec<Candidate>,
}

impl<'a> Trial<'a> {
    /// Begins with no row.
    pub(super) fn new(options: &'a CsvOptions<'a>, making: Option<Step>) -> Self {
        Self {
            options,
            making,
            planner: RowPlanner::new("csv", options.update, options.dry_run),
            taken: Taken::default(),
            waiting: Vec::new(),
        }
    }

    /// Takes the next row, and tries those that wait once they are enough.
    pub(super) fn hear<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
        candidate: Candidate,
    ) -> Result<(), ImportError> {
        self.waiting.push(candidate);
        // Where the tenant is made first, brokers may wait for the lock.
        let most = match self.making {
            Some(_) => MOST_IN_A_STEP,
            None => LOOKED_UP_AT_ONCE,
        };
        if self.waiting.len() < most {
            return Ok(());
        }
        self.judge(store, context)
    }

    /// What is told of no row.
    pub(super) fn settle(&mut self, item: Item) {
        self.planner.settle(item);
    }

    /// A row that is not taken over.
    pub(super) fn lose(&mut self, mut item: Item, why: &str) {
        item.lose(why, MEND);
        self.planner.settle(item);
    }

    /// The plan, once all rows were heard.
    pub(super) fn finish<S: AdminStore>(
        mut self,
        store: &mut S,
        context: &mut Context<'_>,
    ) -> Result<Plan, ImportError> {
        self.judge(store, context)?;
        Ok(self.planner.finish(self.making, self.options.taking))
    }

    /// Tries the rows that wait.
    fn judge<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
    ) -> Result<(), ImportError> {
        let mut candidates = core::mem::take(&mut self.waiting);
        let mut tried = self.try_rows(store, context, &candidates)?;
        if self.options.accept_weak {
            for (candidate, tried) in candidates.iter_mut().zip(&mut tried) {
                if tried.as_ref().is_err_and(is_weak) && take_as_weak(candidate) {
                    let alone = core::slice::from_ref(&*candidate);
                    self.try_rows(store, context, alone)?
                        .into_iter()
                        .for_each(|it| *tried = it);
                }
            }
        }
        let taken_names = tried
            .iter()
            .filter_map(|tried| name_taken(tried.as_ref().err()?));
        let known = run(store, context, &LookUpCredentials(taken_names.collect()))?;
        let mut known = known.into_iter();
        for (candidate, tried) in candidates.into_iter().zip(tried) {
            match tried {
                Ok(tried) => self.accept(tried, candidate),
                Err(error) => {
                    let known = name_taken(&error).and_then(|_| known.next()).flatten();
                    self.refuse(store, context, &error, known, candidate)?;
                }
            }
        }
        Ok(())
    }

    /// Plans a row that can be made, unless a row before has what it asks for.
    fn accept(&mut self, tried: TriedRow, candidate: Candidate) {
        match self.taken.take(tried) {
            Ok(()) => self.planner.make(candidate.row, candidate.item),
            Err(why) => self.lose(candidate.item, &why),
        }
    }

    /// What becomes of a row that can't be made: it is there already, or it is lost.
    fn refuse<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
        error: &AdminError,
        known: Option<KnownCredential>,
        candidate: Candidate,
    ) -> Result<(), ImportError> {
        let Candidate {
            row,
            mut wanted,
            mut item,
        } = candidate;
        let known = known.filter(|known| known.mark.is_some());
        let own = known.map(|known| {
            check_own(&known, &wanted, &row.create.0.tenant)?;
            check_set_once(&row, &wanted, &known.credential)?;
            Ok::<_, String>(known)
        });
        match own {
            Some(Ok(known)) => {
                wanted.login = Ok(known.credential.name.clone());
                wanted.items.push(item);
                self.planner.again(store, context, wanted, &known)?;
            }
            Some(Err(why)) => self.lose(item, &why),
            None => {
                let is_there = error.is(ErrorKind::Exists, Noun::Credential);
                let taken = if is_there { "name-taken: " } else { "" };
                let fix = if is_weak(error) { ACCEPT } else { MEND };
                item.lose(&format!("{taken}{error}"), fix);
                self.planner.settle(item);
            }
        }
        Ok(())
    }

    /// Tries rows, each as if it were the only one, in a store in which the tenant is.
    fn try_rows<S: AdminStore>(
        &self,
        store: &mut S,
        context: &mut Context<'_>,
        candidates: &[Candidate],
    ) -> Result<Vec<Result<TriedRow, AdminError>>, ImportError> {
        let rows = candidates.iter().map(|candidate| &candidate.row).collect();
        let making = self.making.as_ref();
        let command = Attempt {
            making,
            command: TryTable(rows),
        };
        let taking = self.options.taking;
        Ok(dry_run(store, context, &TakeFromRest { command, taking })?)
    }
}

/// Has a secret that is refused as weak be hashed slowly; no other is. Says whether
/// it will be.
fn take_as_weak(candidate: &mut Candidate) -> bool {
    let NewSecret::TakenOver { may_be_weak, .. } = &mut candidate.row.create.0.secret else {
        return false;
    };
    *may_be_weak = true;
    let how = "its secret has fewer than 64 random bits, and is kept as an Argon2id hash";
    candidate.item.change(how);
    true
}

/// The name that a row can't have, because a credential has it.
fn name_taken(error: &AdminError) -> Option<LoginName> {
    let is_there = error.is(ErrorKind::Exists, Noun::Credential);
    let name = LoginName::parse(&error.subject().name).ok();
    name.filter(|_| is_there)
}

/// What rows before have, and no other may have.
#[derive(Default)]
struct Taken {
    names: HashSet<LoginName>,
    /// By their digests.
    secrets: HashSet<[u8; 32]>,
    /// By their hashes.
    client_ids: HashSet<[u8; 32]>,
    attributes: HashSet<(&'static str, String)>,
}

impl Taken {
    /// Takes what a row has, or says what of it a row before has.
    fn take(&mut self, row: TriedRow) -> Result<(), String> {
        let TriedRow {
            name,
            digest,
            wants,
            bound_to,
            attributes,
        } = row;
        if !self.names.insert(name.clone()) {
            return Err(format!("name-taken: a row before is `{name}`, too"));
        }
        if wants.is_some_and(|ClientIdTie(hash)| self.client_ids.contains(&hash)) {
            return Err("a row before is bound to the same client id".into());
        }
        let mut unique = attributes.into_iter();
        if let Some((key, _)) = unique.find(|it| !self.attributes.insert(it.clone())) {
            return Err(format!(
                "a row before has the same attribute `{key}`, which must be unique"
            ));
        }
        self.client_ids
            .extend(bound_to.map(|ClientIdTie(hash)| hash));
        if digest.is_some_and(|digest| !self.secrets.insert(*digest.as_bytes())) {
            return Err("a row before has the same secret; each credential has its own".into());
        }
        Ok(())
    }
}

/// Whether a secret is refused that could be guessed.
fn is_weak(error: &AdminError) -> bool {
    error.is(ErrorKind::Conflict, Noun::Password)
}

/// Checks that what no import changes later is as the row has it.
fn check_set_once(
    row: &ImportRow,
    wanted: &DesiredCredential,
    stored: &Credential,
) -> Result<(), String> {
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
    // One that is told from the moment of the import is another instant each time.
    if stored.not_before != *not_before && !wanted.begins_from_now {
        return Err("it may be used from another date on here, and an import moves none".into());
    }
    Ok(())
}

const ACCEPT: &str = "take it over with --accept-weak, or give the row another secret";
