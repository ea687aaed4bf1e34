//! Commands and the one runner.
//!
//! A command is an act or a look as data. The runner begins the transaction,
//! checks the caller's permission in it, lets the command apply itself,
//! and commits what it wrote together with its audit rows and changes. So a
//! door has parsing and printing to do, and nothing else; several commands
//! compose in one transaction ([`Tx::run`]); and every command has a dry run
//! ([`dry_run`]).

use core::fmt;
use core::ops::{Deref, DerefMut};

use countersign_core::audit::AuditEntry;
use countersign_core::change::Change;
use countersign_core::ledger::Durability;
use countersign_core::scheme::RandomSource;
use countersign_core::secret::{Argon2Params, PasswordHash};
use countersign_core::store::rows::SettingRows as _;
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;
use serde::Serialize;

use crate::caller::{Caller, Permission};
use crate::context::{Context, json};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::Rows;
use crate::password::ChosenPassword;
use crate::taking::Taking;

/// An administrative act, or a look, as data.
pub trait Command {
    /// What its caller gets.
    type Output;

    /// Whether it looks or acts, where that does not depend on what it says.
    const INTENT: Intent = Intent::Write;

    /// What its caller must be permitted.
    fn needs(&self) -> Permission;

    /// Whether it looks or acts.
    fn intent(&self) -> Intent {
        Self::INTENT
    }

    /// The passwords it stores. The runner hashes them before the transaction
    /// begins, because hashing is slow and a broker may wait for the store's
    /// lock.
    fn passwords(&self) -> Vec<&ChosenPassword> {
        Vec::new()
    }

    /// Applies itself. What it writes counts once the runner has committed.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when it is refused; nothing changes then.
    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError>;
}

/// Runs a command in a transaction of its own.
///
/// # Errors
///
/// Returns [`AdminError`] when the caller may not, when the command is refused,
/// or when the store can't be used; nothing changed then.
pub fn run<S: AdminStore, C: Command>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
) -> Result<C::Output, AdminError> {
    run_after(store, context, command, |_| Ok(()))
}

/// Runs a command after `first`, in one transaction: `first` is what no command
/// can do, since it concerns the tables of one store. The caller is checked before
/// it.
///
/// # Errors
///
/// Returns what `first` fails with, and [`AdminError`] as [`run`].
pub fn run_after<S: AdminStore, C: Command, E: From<AdminError>>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
    first: impl FnOnce(&mut S::Transaction<'_>) -> Result<(), E>,
) -> Result<C::Output, E> {
    let durability = Durability::PowerFailure;
    act(store, context, command, durability, first, |_| Ok(()))
}

/// Runs one of many commands, which the disk need not have when it returns:
/// [`AdminStore::sync_commits`] sees to it for all of them. `last` is told what it answers
/// before that is committed; where it fails, nothing is.
///
/// # Errors
///
/// As [`run`], and what `last` fails with.
pub fn run_unsynced<S: AdminStore, C: Command>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
    last: impl FnOnce(&C::Output) -> Result<(), AdminError>,
) -> Result<C::Output, AdminError> {
    act(store, context, command, Durability::Kill, |_| Ok(()), last)
}

fn act<S: AdminStore, C: Command, E: From<AdminError>>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
    durability: Durability,
    first: impl FnOnce(&mut S::Transaction<'_>) -> Result<(), E>,
    last: impl FnOnce(&C::Output) -> Result<(), E>,
) -> Result<C::Output, E> {
    hash_passwords(store, context, command)?;
    let mut transaction = store.begin(command.intent()).map_err(AdminError::from)?;
    authorise(&mut transaction, context, command)?;
    first(&mut transaction)?;
    let mut tx = Tx::new(&mut transaction, context, Mode::Commit);
    let output = command.apply(&mut tx)?;
    let has_changed = tx.has_changed();
    let (audit, changes) = (tx.audit, tx.changes);
    if has_changed {
        last(&output)?;
        transaction
            .commit_act(&audit, &changes, durability)
            .map_err(AdminError::from)?;
    }
    Ok(output)
}

/// Runs a command and rolls it back. Says what it would answer, and refuses what
/// it would refuse.
///
/// # Errors
///
/// As [`run`].
pub fn dry_run<S: AdminStore, C: Command>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
) -> Result<C::Output, AdminError> {
    let mut transaction = store.begin(command.intent())?;
    Tx::new(&mut transaction, context, Mode::DryRun).run(command)
}

/// Runs commands in one transaction: all of them, or none. Each finds what those
/// before it wrote. `last` is told what they answer before that is committed; where it
/// fails, nothing is. A dry run tells it nothing, and commits nothing.
///
/// The store's lock is held for all of them, so they are few.
///
/// # Errors
///
/// Returns why the first is refused that is, and what `last` fails with; nothing
/// changed then.
pub fn run_all<'c, S: AdminStore, C: Command + 'c>(
    store: &mut S,
    context: &mut Context<'_>,
    commands: impl IntoIterator<Item = &'c C> + Copy,
    mode: Mode,
    last: impl FnOnce(&[C::Output]) -> Result<(), AdminError>,
) -> Result<Vec<C::Output>, AdminError> {
    if mode == Mode::Commit {
        for command in commands {
            hash_passwords(store, context, command)?;
        }
    }
    let mut transaction = store.begin(Intent::Write)?;
    let mut tx = Tx::new(&mut transaction, context, mode);
    let mut answers = Vec::new();
    for command in commands {
        answers.push(tx.run(command)?);
    }
    let has_changed = tx.has_changed();
    let (audit, changes) = (tx.audit, tx.changes);
    if mode == Mode::Commit && has_changed {
        last(&answers)?;
        transaction.commit(&audit, &changes)?;
    }
    Ok(answers)
}

/// Hashes the passwords of a command, once its caller is known to be permitted.
fn hash_passwords<S: AdminStore, C: Command>(
    store: &mut S,
    context: &mut Context<'_>,
    command: &C,
) -> Result<(), AdminError> {
    let passwords = command.passwords();
    if passwords.is_empty() {
        return Ok(());
    }
    let params = {
        let mut transaction = store.begin(Intent::Read)?;
        authorise(&mut transaction, context, command)?;
        transaction.settings()?.argon2
    };
    for password in passwords {
        password.hash(context.random, params)?;
    }
    Ok(())
}

/// Checks that the caller may run a command.
fn authorise<C: Command>(
    transaction: &mut dyn AdminTransaction,
    context: &Context<'_>,
    command: &C,
) -> Result<(), AdminError> {
    let authority = context.caller.authority;
    authority.check(&command.needs(), &mut Rows::of(transaction), context.now)
}

/// Whether what a transaction wrote stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It does.
    Commit,
    /// It is rolled back.
    DryRun,
}

/// The transaction that commands are applied in: the store's rows by
/// [`Deref`], and what is committed with them.
pub struct Tx<'a> {
    rows: Rows<'a>,
    /// The time.
    pub(crate) now: Timestamp,
    /// Where secrets, names and salts come from.
    pub(crate) random: &'a mut (dyn RandomSource + 'a),
    /// The caller.
    pub(crate) caller: Caller<'a>,
    /// Whether topics may be taken from the tenant that owns `#`.
    pub(crate) taking: Taking,
    mode: Mode,
    audit: Vec<AuditEntry>,
    changes: Vec<Change>,
    /// Whether something was written that nobody is told of.
    has_notes: bool,
}

impl<'a> Tx<'a> {
    fn new(
        store: &'a mut (dyn AdminTransaction + 'a),
        context: &'a mut Context<'_>,
        mode: Mode,
    ) -> Self {
        Self {
            rows: Rows::of(store),
            now: context.now,
            random: &mut *context.random,
            caller: context.caller,
            taking: Taking::Refused,
            mode,
            audit: Vec::new(),
            changes: Vec::new(),
            has_notes: false,
        }
    }

    /// Runs a command in this transaction, by the authority of its caller.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the caller may not or the command is
    /// refused. What it wrote until then is still in the transaction, which must
    /// not be committed.
    pub fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.require(&command.needs())?;
        command.apply(self)
    }

    /// Checks that the caller has a permission.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when it has not, or when the store can't be read.
    pub(crate) fn require(&mut self, permission: &Permission) -> Result<(), AdminError> {
        let authority = self.caller.authority;
        authority.check(permission, &mut self.rows, self.now)
    }

    /// Says whether the caller has a permission.
    pub(crate) fn may(&mut self, permission: &Permission) -> bool {
        self.require(permission).is_ok()
    }

    /// An audit row of this act, with what its subject was before and is
    /// after it; to be changed and handed to [`Tx::record_entry`].
    pub(crate) fn entry(
        &self,
        act: &'static str,
        subject: &str,
        before: Option<&impl Serialize>,
        after: Option<&impl Serialize>,
    ) -> AuditEntry {
        AuditEntry {
            before: before.and_then(json),
            after: after.and_then(json),
            ..AuditEntry::done(self.now, self.caller.actor, act, subject)
        }
    }

    /// The audit rows that are to be committed.
    #[must_use]
    pub fn recorded(&self) -> &[AuditEntry] {
        &self.audit
    }

    /// Has an audit row committed.
    pub(crate) fn record_entry(&mut self, entry: AuditEntry) {
        self.audit.push(entry);
    }

    /// Has this act committed as an audit row, with what its subject was before
    /// and is after it.
    pub(crate) fn record<B: Serialize>(
        &mut self,
        act: &'static str,
        subject: &str,
        before: Option<&B>,
        after: Option<&B>,
    ) {
        let entry = self.entry(act, subject, before, after);
        self.record_entry(entry);
    }

    /// Has what was written committed, though neither the audit nor a broker is told of it.
    pub(crate) fn has_noted(&mut self) {
        self.has_notes = true;
    }

    /// Whether there is something to commit.
    fn has_changed(&self) -> bool {
        self.has_notes || !self.audit.is_empty() || !self.changes.is_empty()
    }

    /// Tells the brokers what changed, once it is committed.
    pub(crate) fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The hash of a password that the command named among its passwords.
    ///
    /// # Errors
    ///
    /// Returns [`AdminError`] when the runner was not told of the password.
    pub(crate) fn hash_of(
        &mut self,
        password: &ChosenPassword,
    ) -> Result<PasswordHash, AdminError> {
        match self.mode {
            // It is thrown away, so it need not cost what a good one does.
            Mode::DryRun => password.new_hash(self.random, Argon2Params::CHEAPEST),
            Mode::Commit => password.hashed().cloned().ok_or_else(|| {
                let subject = Subject::nameless(Noun::Password);
                AdminError::new(ErrorKind::Invalid, subject, "the password was not hashed")
            }),
        }
    }

    /// 128 random bits.
    pub(crate) fn random_bits(&mut self) -> Result<[u8; 16], AdminError> {
        let mut bits = [0; 16];
        self.random.fill(&mut bits)?;
        Ok(bits)
    }
}

impl<'a> Deref for Tx<'a> {
    type Target = Rows<'a>;

    fn deref(&self) -> &Rows<'a> {
        &self.rows
    }
}

impl<'a> DerefMut for Tx<'a> {
    fn deref_mut(&mut self) -> &mut Rows<'a> {
        &mut self.rows
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("now", &self.now)
            .field("caller", &self.caller)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
