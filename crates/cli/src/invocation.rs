//! One run of the program: which store, how to print, and who asks when.

use countersign_admin::error::Noun;
use countersign_admin::{AdminError, Caller, Command, Context, ErrorKind, OsRandom};
use countersign_core::store::{AdminStore, Intent, Keyed, Listed, Page, StoreError, each_row};
use countersign_store::AnyStore;

use crate::account::{self, Account};
pub(crate) use crate::clock::now;
use crate::error::CliError;
use crate::identity::{self, ActingAs};
use crate::output::Output;
use crate::store_place::StorePlace;

/// What all commands share.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Where the store is.
    pub(crate) store: StorePlace,
    /// How to print.
    pub(crate) output: Output,
}

impl Invocation {
    /// Opens the store to write to it, or to follow it. From here on root is
    /// whoever keeps it.
    pub(crate) fn open(&self) -> Result<AnyStore, CliError> {
        self.open_by(|| open_at(&self.store, self.output))
    }

    /// Opens the store to read it once, which goes on while a broker of an older
    /// version keeps it from being brought up to date. From here on root is
    /// whoever keeps it.
    pub(crate) fn open_to_read(&self) -> Result<AnyStore, CliError> {
        self.open_by(|| {
            let store = self.store.open_to_read()?;
            tell_upgrade(&store, self.output);
            if let Some(why) = store.held_back() {
                self.output
                    .notice(&format!("{why}; until then this reads a copy"));
            }
            Ok(store)
        })
    }

    /// Runs a command here and now, as the caller of this program.
    pub(crate) fn run<C: Command>(&self, command: &C) -> Result<C::Output, CliError> {
        let mut store = match command.intent() {
            Intent::Read => self.open_to_read()?,
            Intent::Write => self.open()?,
        };
        as_caller(|context| countersign_admin::run(&mut store, context, command))
            .map_err(|error| self.told(error))
    }

    /// A refusal; one about the key file names it.
    fn told(&self, error: AdminError) -> CliError {
        let (ErrorKind::Unavailable, Noun::KeyFile | Noun::SigningKey) =
            (error.kind(), error.subject().noun)
        else {
            return error.into();
        };
        let Some(path) = self.store.key() else {
            return CliError::Refused(anyhow::Error::new(error).context("--key-file names none"));
        };
        CliError::Refused(anyhow::Error::new(error).context(format!("`{}`", path.display())))
    }

    /// Runs a listing page by page, on one connection to the store, and hands over
    /// each row.
    pub(crate) fn each_row<T: Keyed, C: Command<Output = Listed<T>>>(
        &self,
        list: impl Fn(Page<T::Key>) -> C,
        each: impl FnMut(T) -> Result<(), CliError>,
    ) -> Result<(), CliError>
    where
        T::Key: Clone,
    {
        let mut store = self.open_to_read()?;
        each_row(|page| run_on(&mut store, &list(page.clone())), each)
    }

    fn open_by(
        &self,
        open: impl FnOnce() -> Result<AnyStore, StoreError>,
    ) -> Result<AnyStore, CliError> {
        let guarded = self.store.guarded();
        let keeper = guarded
            .map(identity::become_keeper_of)
            .transpose()?
            .flatten();
        open().map_err(|error| as_keeper(error, keeper.as_ref()))
    }

    /// Opens the store for a command that makes a file elsewhere, and acts on it: as
    /// whoever keeps the store, and for no longer. What is made elsewhere is held by
    /// its descriptor meanwhile; root alone may be able to keep or remove it.
    pub(crate) fn with_store<T>(
        &self,
        act: impl FnOnce(AnyStore) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let guarded = self.store.guarded();
        let here = guarded.map(ActingAs::for_keeper_of).transpose()?;
        let account = here.as_ref().and_then(ActingAs::account);
        let store = open_at(&self.store, self.output);
        act(store.map_err(|error| as_keeper(error, account))?)
    }

    /// Opens the store and acts on it, here and now, as whoever runs this.
    pub(crate) fn act<T, E: Into<CliError>>(
        &self,
        act: impl FnOnce(&mut AnyStore, &mut Context<'_>) -> Result<T, E>,
    ) -> Result<T, CliError> {
        let mut store = self.open()?;
        as_caller(|context| act(&mut store, context).map_err(Into::into))
    }
}

/// Says whose rights did not suffice, where root acts as another user.
fn as_keeper(error: StoreError, keeper: Option<&Account>) -> CliError {
    match keeper {
        Some(keeper) => CliError::Refused(anyhow::Error::new(error).context(format!(
            "as `{}`, who may write where the store lies",
            keeper.name
        ))),
        None => error.into(),
    }
}

/// Opens a store, and tells what became of one of an older schema.
pub(crate) fn open_at(place: &StorePlace, output: Output) -> Result<AnyStore, StoreError> {
    let store = place.open()?;
    tell_upgrade(&store, output);
    Ok(store)
}

fn tell_upgrade(store: &AnyStore, output: Output) {
    if let Some(upgraded) = store.upgraded() {
        output.notice(&upgraded);
    }
}

/// Runs a command on an open store, as the caller of this program.
pub(crate) fn run_on<S: AdminStore, C: Command>(
    store: &mut S,
    command: &C,
) -> Result<C::Output, CliError> {
    Ok(as_caller(|context| {
        countersign_admin::run(store, context, command)
    })?)
}

/// Acts here and now, as the caller of this program.
pub(crate) fn as_caller<T>(act: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let actor = account::actor();
    act(&mut Context {
        now: now(),
        caller: Caller::owner(&actor),
        random: &mut OsRandom,
    })
}
