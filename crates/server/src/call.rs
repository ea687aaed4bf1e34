//! One request on a thread that may use the store: who asks, and running commands by
//! that authority.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::IpAddr;

use countersign_admin::password::ChosenPassword;
use countersign_admin::sign_in::SignInGuard;
use countersign_admin::{AdminError, Caller, Command, Context, Mode, OsRandom, Permission, Tx};
use countersign_core::name::TenantId;
use countersign_core::secret::Secret;
use countersign_core::store::Intent;
use countersign_core::time::Timestamp;
use countersign_store::AnyStore;
use serde::Serialize;

use crate::answer::{Answer, to_json};
use crate::conditional::{EntityTag, IfMatches, Versions, is_another_version};
use crate::counts::ServiceCounts;
use crate::events::Events;
use crate::input::{FromText, part_of_path};
use crate::problem::{Problem, ProblemKind};
use crate::stats::Stats;
use crate::visitors::Visitors;
pub(crate) use crate::who::{Who, now};

/// What a request asks for, apart from its body.
pub(crate) struct Asked {
    /// Who asks; nobody where that need not be known.
    pub(crate) who: Option<Who>,
    /// The tenant that the door leads to which it came to.
    pub(crate) door_tenant: Option<TenantId>,
    /// The parts of the path that a route leaves open, by name.
    pub(crate) parts: Vec<(String, String)>,
    /// Where it comes from.
    pub(crate) client: IpAddr,
    /// The web session that it names by itself, and not by a cookie: at one door.
    pub(crate) session: Option<Secret>,
    /// What a browser is known by that signed in before.
    pub(crate) browser: Option<Secret>,
    /// Whether it says that a page of ours sent it.
    pub(crate) is_from_page: bool,
    /// The words behind the `?`.
    pub(crate) query: Option<String>,
    /// The last event that the asker was told before.
    pub(crate) last_event: Option<i64>,
    /// Which versions an act is meant for.
    pub(crate) versions: Versions,
}

/// A request that is being answered.
pub(crate) struct Call<'a> {
    pub(crate) store: &'a mut AnyStore,
    pub(crate) asked: &'a Asked,
    /// Who asks; nobody where that need not be known.
    pub(crate) who: Option<Who>,
    pub(crate) guard: &'a SignInGuard,
    pub(crate) counts: &'a ServiceCounts,
    pub(crate) events: &'a Events,
    pub(crate) stats: &'a Stats,
    pub(crate) visitors: &'a Visitors,
    pub(crate) now: Timestamp,
}

impl Call<'_> {
    /// A part of the path.
    pub(crate) fn part<T: FromText>(&self, name: &str) -> Result<T, Problem> {
        let mut parts = self.asked.parts.iter();
        let found = parts.find(|(part, _)| part == name);
        let text = found.map_or(Cow::Borrowed(""), |(_, text)| Cow::Borrowed(text));
        part_of_path(&text)
    }

    /// Runs a command as the asker.
    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, Problem> {
        self.run_as(command, Mode::Commit)
    }

    /// Runs a command as the asker, and rolls it back where it is tried alone.
    pub(crate) fn run_as<C: Command>(
        &mut self,
        command: &C,
        mode: Mode,
    ) -> Result<C::Output, Problem> {
        if mode == Mode::DryRun {
            return self.with_context(|store, context| {
                countersign_admin::dry_run(store, context, command)
            });
        }
        let told = Told {
            command,
            acts: RefCell::default(),
        };
        let output =
            self.with_context(|store, context| countersign_admin::run(store, context, &told))?;
        for act in told.acts.take() {
            self.counts.add_acts(&act, 1);
        }
        Ok(output)
    }

    /// Runs a command as the asker, if what `show` finds is still what the asker saw
    /// of it: what `view` shows.
    pub(crate) fn run_if_matches<S: Command, C: Command, V: Serialize>(
        &mut self,
        show: &S,
        view: impl Fn(&S::Output) -> V,
        act: &C,
        mode: Mode,
    ) -> Result<C::Output, Problem> {
        let asked = self.asked;
        let command = IfMatches {
            versions: &asked.versions,
            show,
            shown: &|found| to_json(&view(found)),
            act,
        };
        self.run_as(&command, mode)?.ok_or_else(is_another_version)
    }

    /// Changes what `show` finds by the command that `change` makes of it; none is made
    /// where nothing is to be changed. Where it is changed meanwhile, looks again.
    ///
    /// Answers with what `view` shows of it then.
    pub(crate) fn merge<S: Command, C: Command<Output = S::Output>, V: Serialize>(
        &mut self,
        show: &S,
        view: impl Fn(&S::Output) -> V,
        change: impl Fn(&S::Output) -> Result<Option<C>, Problem>,
        mode: Mode,
    ) -> Result<Answer, Problem> {
        for _ in 0..MOST_TRIES {
            let found = self.run(show)?;
            let tag = EntityTag::of(&to_json(&view(&found))?);
            let asked = &self.asked.versions;
            let is_meant = asked.admit(&tag);
            // What is not meant is refused by the command, to those alone who may act.
            let versions = if is_meant {
                Versions::These(vec![tag.to_string()])
            } else {
                asked.clone()
            };
            let Some(act) = change(&found)? else {
                if is_meant {
                    return Answer::tagged(&view(&found));
                }
                return Err(is_another_version());
            };
            let command = IfMatches {
                versions: &versions,
                show,
                shown: &|found| to_json(&view(found)),
                act: &act,
            };
            if let Some(changed) = self.run_as(&command, mode)? {
                return Answer::tagged(&view(&changed));
            }
            if !is_meant {
                return Err(is_another_version());
            }
        }
        let detail = "it is changed all the time; try again";
        Err(Problem::new(ProblemKind::Conflict, detail))
    }

    /// Shows one thing.
    pub(crate) fn show<C: Command, V: Serialize>(
        &mut self,
        command: &C,
        view: impl Fn(&C::Output) -> V,
    ) -> Result<Answer, Problem> {
        let found = self.run(command)?;
        Answer::tagged(&view(&found))
    }

    /// Who asks.
    pub(crate) fn who(&self) -> Result<&Who, Problem> {
        self.who.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// Acts on the store as the asker.
    pub(crate) fn with_context<T>(
        &mut self,
        act: impl FnOnce(&mut AnyStore, &mut Context<'_>) -> Result<T, AdminError>,
    ) -> Result<T, Problem> {
        let who = self.who.as_ref().ok_or_else(Problem::unauthenticated)?;
        let mut context = Context {
            now: self.now,
            caller: Caller {
                actor: &who.actor,
                authority: who.authority,
            },
            random: &mut OsRandom,
        };
        Ok(act(self.store, &mut context)?)
    }
}

/// A command that tells which acts it did, as the audit calls them.
struct Told<'a, C> {
    command: &'a C,
    acts: RefCell<Vec<String>>,
}

impl<C: Command> Command for Told<'_, C> {
    type Output = C::Output;

    fn needs(&self) -> Permission {
        self.command.needs()
    }

    fn intent(&self) -> Intent {
        self.command.intent()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.command.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<C::Output, AdminError> {
        let output = self.command.apply(tx)?;
        let acts = tx.recorded().iter().map(|entry| entry.act.clone());
        self.acts.replace(acts.collect());
        Ok(output)
    }
}

/// Finds out whether the asker has a permission, and does nothing.
pub(crate) struct IsPermitted(pub(crate) Permission);

impl Command for IsPermitted {
    type Output = ();

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        self.0.clone()
    }

    fn apply(&self, _: &mut Tx<'_>) -> Result<(), AdminError> {
        Ok(())
    }
}

/// Whether an act is tried alone.
pub(crate) fn mode_of(is_dry_run: bool) -> Mode {
    if is_dry_run {
        Mode::DryRun
    } else {
        Mode::Commit
    }
}

/// So often something is looked at that is changed again and again.
const MOST_TRIES: usize = 5;
