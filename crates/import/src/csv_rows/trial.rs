//! Rows are tried before any is made, many in one transaction that is rolled back.

use std::collections::{HashSet, VecDeque};

use countersign_admin::credential::NewCredential;
use countersign_admin::error::Noun;
use countersign_admin::import::{ImportRow, LookUpCredentials};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::{IssuedCredential, NewSecret};
use countersign_admin::taking::TakeFromRest;
use countersign_admin::{
    AdminError, Command, Context, ErrorKind, Permission, Tx, dry_run, dry_run_each, run,
};
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::secret::Verifier;
use countersign_core::store::AdminStore;

use super::options::CsvOptions;
use crate::import_error::ImportError;
use crate::plan::desired::{DesiredCredential, Item};
use crate::plan::{Plan, RowPlanner, Step, check_own};

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
    waiting: VecDeque<Candidate>,
}

impl<'a> Trial<'a> {
    /// Begins with no row.
    pub(super) fn new(options: &'a CsvOptions<'a>, making: Option<Step>) -> Self {
        Self {
            options,
            making,
            planner: RowPlanner::new("csv", options.update, options.dry_run),
            taken: Taken::default(),
            waiting: VecDeque::with_capacity(TRIED_AT_ONCE),
        }
    }

    /// Takes the next row, and tries those that wait once they are enough.
    pub(super) fn hear<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
        candidate: Candidate,
    ) -> Result<(), ImportError> {
        self.waiting.push_back(candidate);
        if self.waiting.len() < TRIED_AT_ONCE {
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

    /// A row as it is tried: in a store in which the tenant is, or behind a row that
    /// has it made.
    fn attempt<'r>(&'r self, row: &'r ImportRow, is_first: bool) -> TakeFromRest<Attempt<'r>> {
        let making = self.making.as_ref().filter(|_| is_first);
        TakeFromRest {
            command: Attempt { making, row },
            taking: self.options.taking,
        }
    }

    /// Tries the rows that wait.
    fn judge<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
    ) -> Result<(), ImportError> {
        while !self.waiting.is_empty() {
            let waiting = self.waiting.iter().zip(0_usize..);
            let attempts: Vec<_> = waiting
                .map(|(candidate, place)| self.attempt(&candidate.row, place == 0))
                .collect();
            let (accepted, refusal) = dry_run_each(store, context, &attempts);
            let is_first = accepted.is_empty();
            for issued in accepted {
                if let Some(candidate) = self.waiting.pop_front() {
                    self.accept(&issued, candidate);
                }
            }
            let Some(error) = refusal else { continue };
            let Some(mut candidate) = self.waiting.pop_front() else {
                continue;
            };
            // Behind others, it may have been refused because of them.
            let alone = if is_first {
                Err(error)
            } else {
                dry_run(store, context, &self.attempt(&candidate.row, true))
            };
            match self.or_weak(store, context, alone, &mut candidate) {
                Ok(issued) => self.accept(&issued, candidate),
                Err(error) => self.refuse(store, context, error, candidate)?,
            }
        }
        Ok(())
    }

    /// Plans a row that can be made, unless a row before has what it asks for.
    fn accept(&mut self, issued: &IssuedCredential, candidate: Candidate) {
        match self.taken.take(&issued.described.credential) {
            Ok(()) => self.planner.make(candidate.row, candidate.item),
            Err(why) => self.lose(candidate.item, &why),
        }
    }

    /// Tries a secret that is refused as weak as one, where that is asked for: no
    /// other is hashed slowly.
    fn or_weak<S: AdminStore>(
        &self,
        store: &mut S,
        context: &mut Context<'_>,
        tried: Result<IssuedCredential, AdminError>,
        candidate: &mut Candidate,
    ) -> Result<IssuedCredential, AdminError> {
        if self.options.accept_weak
            && tried.as_ref().is_err_and(is_weak)
            && let NewSecret::TakenOver { may_be_weak, .. } = &mut candidate.row.create.0.secret
        {
            *may_be_weak = true;
            candidate.item.change(
                "its secret has fewer than 64 random bits, and is kept as an Argon2id hash",
            );
            return dry_run(store, context, &self.attempt(&candidate.row, true));
        }
        tried
    }

    /// What becomes of a row that can't be made: it is there already, or it is lost.
    fn refuse<S: AdminStore>(
        &mut self,
        store: &mut S,
        context: &mut Context<'_>,
        error: AdminError,
        candidate: Candidate,
    ) -> Result<(), ImportError> {
        let Candidate {
            row,
            mut wanted,
            mut item,
        } = candidate;
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
            check_set_once(&row, &known.credential)?;
            Ok::<_, String>(known)
        });
        match own {
            Some(Ok(known)) => {
                wanted.login = Ok(known.credential.name.clone());
                wanted.items.push(item);
                self.planner.again(wanted, &known);
            }
            Some(Err(why)) => self.lose(item, &why),
            None => {
                let taken = if is_there { "name-taken: " } else { "" };
                let fix = if is_weak(&error) { ACCEPT } else { MEND };
                item.lose(&format!("{taken}{error}"), fix);
                self.planner.settle(item);
            }
        }
        Ok(())
    }
}

/// A row that is made, behind the tenant where that is made.
struct Attempt<'a> {
    making: Option<&'a Step>,
    row: &'a ImportRow,
}

impl Command for Attempt<'_> {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.row.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        if let Some(making) = self.making {
            tx.run(making)?;
        }
        tx.run(self.row)
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

/// Whether a secret is refused that could be guessed.
fn is_weak(error: &AdminError) -> bool {
    error.is(ErrorKind::Conflict, Noun::Password)
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

/// So many rows are tried in one transaction: a broker may wait for the store's
/// lock meanwhile, and a login waits 20 ms at most.
const TRIED_AT_ONCE: usize = 16;

const MEND: &str = "mend the row, and import again";
const ACCEPT: &str = "take it over with --accept-weak, or give the row another secret";
