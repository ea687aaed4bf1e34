//! `countersign credential`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::credential::{
    ChangeCredentialRules, CredentialRuleWarnings, DeleteCredential, ListCredentials, ManyAct,
    ReactivateCredential, RevokeCredential, ShowCredential, ShownCredential, SuspendCredential,
    UntieCredential,
};
use countersign_admin::operator::ShowOperator;
use countersign_admin::rule::{RuleChange, RuleWarning};
use countersign_admin::text::FreeText;
use countersign_admin::view::CredentialView;
use countersign_admin::{AdminError, Command, Permission, Tx};
use countersign_core::name::LoginName;
use countersign_core::rule::Effect;
use countersign_core::store::Page;
use serde_json::json;

use crate::error::CliError;
use crate::input::RuleArguments;
use crate::invocation::{Invocation, now, run_on};
use crate::keys::{CREDENTIAL, DELETED, MANY, NEW_CREDENTIAL, Shows};
use crate::listing::Column;
use crate::told::{Ending, change_in_words, told};

mod change;
mod create;
mod many;
mod one;
mod secret;
mod selection;

use self::one::{act_on, print};
use self::selection::{Chosen, Selection, Targets};

pub(crate) use self::one::print_operator;
pub(crate) use self::secret::SecretSource;

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Make a credential, and print its secret this once.
    #[command(
        after_help = "Examples:\n  countersign credential create dev1 --tenant acme\n  countersign credential create dev2 --tenant acme --client-id first-use \\\n      --expires +30d\n  countersign credential create --tenant acme --scheme vwire\n  printf %s \"$PASSWORD\" | countersign credential create dev3 --tenant acme \\\n      --password-stdin\n  printf %s at_7f3a1c9e2b844d6fa913 | countersign credential create VW-ABC123 \\\n      --tenant acme --scheme vwire --secret-stdin"
    )]
    Create(create::CredentialCreate),
    /// List credentials by name.
    #[command(
        after_help = "Examples:\n  countersign credential list --tenant acme --state Suspended\n  countersign credential list --tenant acme --unused-since 90d\n  countersign credential list --limit 100 --after dev100@acme"
    )]
    List(CredentialList),
    /// Show a credential.
    #[command(after_help = "Examples:\n  countersign credential show dev1@acme")]
    Show(Name),
    /// Delete credentials. Their sessions end.
    #[command(
        after_help = "Examples:\n  countersign credential delete dev1@acme\n  countersign credential delete --tenant acme --unused-since 365d --dry-run"
    )]
    Delete(Targets),
    /// Stop credentials for now. Their sessions end.
    #[command(
        after_help = "Examples:\n  countersign credential suspend dev1@acme\n  countersign credential suspend --tenant acme --group DM.PUMPS --dry-run\n  countersign credential suspend dev1@acme dev2@acme --yes"
    )]
    Suspend(Targets),
    /// Lift suspensions.
    #[command(
        after_help = "Examples:\n  countersign credential reactivate dev1@acme\n  countersign credential reactivate --tenant acme --state Suspended --yes"
    )]
    Reactivate(Targets),
    /// Stop credentials for good. Their sessions end.
    #[command(
        after_help = "Examples:\n  countersign credential revoke dev1@acme --reason stolen\n  printf '%s\\n' dev1@acme dev2@acme \\\n      | countersign credential revoke --from-file - --reason sold"
    )]
    Revoke {
        #[command(flatten)]
        targets: Targets,
        /// Why, for those who look it up later.
        #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
        reason: Option<FreeText>,
    },
    /// Replace all secrets at once. Its sessions end.
    #[command(
        after_help = "Examples:\n  countersign credential reset-password dev1@acme\n  countersign credential reset-password --tenant acme --group DM \\\n      --output passwords.csv --yes\n  printf %s \"$PASSWORD\" | countersign credential reset-password dev1@acme \\\n      --password-stdin"
    )]
    ResetPassword(secret::CredentialReset),
    /// Make a new secret, beside which the old one may work for a while.
    #[command(
        after_help = "Examples:\n  countersign credential rotate dev1@acme --overlap 24h\n  countersign credential rotate dev1@acme --overlap 30d --until-used\n  countersign credential rotate --tenant acme --expires-before +30d \\\n      --overlap 24h --output new.csv"
    )]
    Rotate(secret::Rotate),
    /// Forget the client id that a credential was first used with. Its
    /// sessions end.
    #[command(after_help = "Examples:\n  countersign credential untie dev1@acme")]
    Untie(Name),
    /// Let a credential do something, besides what its scheme and roles let it.
    #[command(
        after_help = "Examples:\n  countersign credential allow dev1@acme publish 'acme/alarms/${username}' \\\n      --max-qos 1"
    )]
    Allow(RuleOf),
    /// Keep a credential from something, whatever else lets it.
    #[command(
        after_help = "Examples:\n  countersign credential deny dev1@acme both 'acme/secret/#'"
    )]
    Deny(RuleOf),
    /// Take away a rule of a credential, whether it allows or denies.
    #[command(
        after_help = "Examples:\n  countersign credential remove dev1@acme both 'acme/secret/#'"
    )]
    Remove(RuleOf),
    /// Change what a credential says.
    #[command(
        after_help = "Examples:\n  countersign credential set dev1@acme --expires +30d --attr line=4\n  countersign credential set dev1@acme --expires never --attr line=\n  countersign credential set --tenant acme --group OLD --remove-group OLD \\\n      --add-group NEW --dry-run"
    )]
    Set(change::CredentialSet),
}

#[derive(Args, Debug)]
pub(crate) struct Name {
    /// Its whole name: `dev1@acme`.
    #[arg(value_parser = LoginName::parse)]
    name: LoginName,
}

#[derive(Args, Debug)]
pub(crate) struct RuleOf {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    words: RuleArguments,
}

impl RuleOf {
    /// The same for an operator alone.
    pub(crate) fn run_for_operator(
        self,
        invocation: &Invocation,
        effect: Option<Effect>,
    ) -> Result<(), CliError> {
        self.change(invocation, effect, true)
    }

    fn run(self, invocation: &Invocation, effect: Option<Effect>) -> Result<(), CliError> {
        self.change(invocation, effect, false)
    }

    fn change(
        self,
        invocation: &Invocation,
        effect: Option<Effect>,
        is_operator: bool,
    ) -> Result<(), CliError> {
        let change = match effect {
            Some(effect) => self.words.adding(effect)?,
            None => self.words.removing(),
        };
        let done = format!("{} {}", self.name.name, change_in_words(&change));
        let (changed, warnings) = invocation.run(&ChangeWithWarnings {
            name: self.name.name,
            change,
            is_operator,
        })?;
        print(invocation, &changed, Some(&done))?;
        for warning in &warnings {
            invocation.output.warn(warning);
        }
        Ok(())
    }
}

/// Changes the rules of a credential, and says what a new one does not do.
struct ChangeWithWarnings {
    name: LoginName,
    change: RuleChange,
    /// Whether it is refused unless this is an operator.
    is_operator: bool,
}

impl Command for ChangeWithWarnings {
    type Output = (ShownCredential, Vec<RuleWarning>);

    fn needs(&self) -> Permission {
        Permission::Change(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        if self.is_operator {
            tx.run(&ShowOperator(self.name.clone()))?;
        }
        let change = ChangeCredentialRules {
            name: self.name.clone(),
            change: self.change.clone(),
        };
        let warnings = tx.run(&CredentialRuleWarnings(change.clone()))?;
        Ok((tx.run(&change)?, warnings))
    }
}

#[derive(Args, Debug)]
pub(crate) struct CredentialList {
    #[command(flatten)]
    selection: Selection,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Those after this name alone.
    #[arg(long, value_name = "NAME", value_parser = LoginName::parse)]
    after: Option<LoginName>,
}

impl CredentialCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Allow(rule) => rule.run(invocation, Some(Effect::Allow))?,
            Self::Create(create) => create.run(invocation)?,
            Self::Deny(rule) => rule.run(invocation, Some(Effect::Deny))?,
            Self::Remove(rule) => rule.run(invocation, None)?,
            Self::List(list) => list.run(invocation)?,
            Self::Show(Name { name }) => {
                print(invocation, &invocation.run(&ShowCredential(name))?, None)?;
            }
            Self::Delete(targets) => match targets.chosen(false)? {
                Chosen::Many(chosen) => {
                    return many::run(invocation, &chosen, ManyAct::Delete, None);
                }
                Chosen::One(name) => {
                    let deleted = json!({ "deleted": name.as_str() });
                    let done = format!("{name} deleted");
                    let act = DeleteCredential(name.clone());
                    let ((), ended) = invocation.run(&Ending { name, act })?;
                    invocation.output.act(&told(&done, ended), &deleted)?;
                }
            },
            Self::Suspend(targets) => {
                return act_on(invocation, targets, ManyAct::Suspend, SuspendCredential);
            }
            Self::Reactivate(targets) => {
                return act_on(
                    invocation,
                    targets,
                    ManyAct::Reactivate,
                    ReactivateCredential,
                );
            }
            Self::Revoke { targets, reason } => {
                let many = ManyAct::Revoke(reason.clone());
                let one = |name| RevokeCredential { name, reason };
                return act_on(invocation, targets, many, one);
            }
            Self::ResetPassword(reset) => return reset.run(invocation),
            Self::Rotate(rotate) => return rotate.run(invocation),
            Self::Untie(Name { name }) => {
                let act = UntieCredential(name.clone());
                let done = format!("{name} is tied to no client id any more");
                let (untied, ended) = invocation.run(&Ending { name, act })?;
                print(invocation, &untied, Some(&told(&done, ended)))?;
            }
            Self::Set(set) => return set.run(invocation),
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl CredentialCommand {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        let shown = Shows::all_of(&[NEW_CREDENTIAL, CREDENTIAL]);
        let of_targets = |targets: &Targets| {
            if targets.is_one(false) {
                shown
            } else {
                Shows::all_of(&[MANY])
            }
        };
        match self {
            Self::Allow(_)
            | Self::Deny(_)
            | Self::List(_)
            | Self::Remove(_)
            | Self::Show(_)
            | Self::Untie(_) => shown,
            Self::Create(create) => create.shows(),
            Self::Delete(targets) if targets.is_one(false) => Shows::all_of(&[DELETED]),
            Self::Delete(targets) | Self::Reactivate(targets) | Self::Suspend(targets) => {
                of_targets(targets)
            }
            Self::ResetPassword(reset) => reset.shows(),
            Self::Revoke { targets, .. } => of_targets(targets),
            Self::Rotate(rotate) => rotate.shows(),
            Self::Set(set) => of_targets(set.targets()),
        }
    }
}

impl CredentialList {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let mut list = ListCredentials {
            query: self.selection.query(now())?,
            page: Page {
                after: self.after,
                limit: self.limit.unwrap_or(u64::MAX),
            },
        };
        let mut store = invocation.open_to_read()?;
        let mut listing = invocation.output.listing(COLUMNS, "No credentials.");
        loop {
            let page = run_on(&mut store, &list)?;
            for (credential, scheme) in page.iter() {
                listing.push(&CredentialView::of(credential, scheme))?;
            }
            list.page.limit = list.page.limit.saturating_sub(page.count());
            if page.listed.next.is_none() || list.page.limit == 0 {
                return listing.finish();
            }
            list.page.after = page.listed.next;
        }
    }
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("state", "STATE"),
    ("scheme", "SCHEME"),
    ("group", "GROUP"),
    ("client_id", "CLIENT ID"),
    ("last_used_at", "LAST USED"),
    ("expires_at", "EXPIRES"),
    ("description", "DESCRIPTION"),
];
