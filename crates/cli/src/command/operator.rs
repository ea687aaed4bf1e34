//! `countersign operator`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::operator::{
    CreateOperator, DeleteOperator, ListOperators, NewOperator, SetOperator, ShowOperator,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{NewOperatorView, OperatorView};
use countersign_core::name::LoginName;
use countersign_core::rule::{Action, Effect, Pattern, Rule};
use serde_json::json;

use super::credential::{RuleOf, SecretSource, print_operator};
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::keys::{DELETED, OPERATOR, Shows};
use crate::listing::Column;
use crate::output::Mark;
use crate::told::{Ending, told};

#[derive(Debug, Subcommand)]
pub(crate) enum OperatorCommand {
    /// Make an operator, and print its secret this once. It may do what its
    /// rules say, in all tenants, and nothing else.
    #[command(
        after_help = "Examples:\n  countersign operator create bridge --publish '#' --subscribe '#'\n  countersign operator create monitor --subscribe '$SYS/#'"
    )]
    Create(OperatorCreate),
    /// List the operators.
    #[command(after_help = "Examples:\n  countersign operator list")]
    List,
    /// Show an operator.
    #[command(after_help = "Examples:\n  countersign operator show bridge")]
    Show(Name),
    /// Change what is said of an operator.
    #[command(
        after_help = "Examples:\n  countersign operator set bridge --description 'to the plant in Lyon'"
    )]
    Set(OperatorSet),
    /// Let an operator do something more.
    #[command(
        after_help = "Examples:\n  countersign operator allow monitor publish 'monitor/#' --max-qos 1"
    )]
    Allow(RuleOf),
    /// Keep an operator from something, whatever else lets it.
    #[command(after_help = "Examples:\n  countersign operator deny bridge both 'acme/secret/#'")]
    Deny(RuleOf),
    /// Take away a rule of an operator, whether it allows or denies.
    #[command(after_help = "Examples:\n  countersign operator remove bridge publish '#'")]
    Remove(RuleOf),
    /// Delete an operator. Its sessions end.
    #[command(after_help = "Examples:\n  countersign operator delete bridge")]
    Delete(Name),
}

#[derive(Args, Debug)]
pub(crate) struct Name {
    /// Its name, which it logs in with.
    #[arg(value_parser = LoginName::parse)]
    name: LoginName,
}

#[derive(Args, Debug)]
pub(crate) struct OperatorCreate {
    /// Its name, which it logs in with. It holds no `@`.
    #[arg(value_parser = LoginName::parse_device)]
    name: LoginName,
    #[command(flatten)]
    secret: SecretSource,
    /// Topics that it may publish to.
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::parse)]
    publish: Vec<Pattern>,
    /// Topics that it may subscribe to.
    #[arg(long, value_name = "PATTERN", value_parser = Pattern::parse)]
    subscribe: Vec<Pattern>,
}

#[derive(Args, Debug)]
pub(crate) struct OperatorSet {
    #[command(flatten)]
    name: Name,
    /// Free text for people; '' takes it away.
    #[arg(long, value_name = "TEXT", value_parser = FreeText::parse)]
    description: Option<FreeText>,
}

impl OperatorCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Allow(rule) => rule.run_for_operator(invocation, Some(Effect::Allow))?,
            Self::Create(create) => create.run(invocation)?,
            Self::Deny(rule) => rule.run_for_operator(invocation, Some(Effect::Deny))?,
            Self::Remove(rule) => rule.run_for_operator(invocation, None)?,
            Self::List => {
                let mut listing = invocation.output.listing(COLUMNS, "No operators.");
                invocation.each_row(ListOperators, |operator| {
                    listing.push(&OperatorView::of(&operator))
                })?;
                listing.finish()?;
            }
            Self::Show(Name { name }) => {
                let operator = invocation.run(&ShowOperator(name))?;
                print_operator(invocation, &operator, None)?;
            }
            Self::Set(OperatorSet { name, description }) => {
                let Some(description) = description else {
                    return Err(CliError::usage("nothing to set; give --description"));
                };
                let Name { name } = name;
                let done = format!("{name} changed");
                let operator = invocation.run(&SetOperator { name, description })?;
                print_operator(invocation, &operator, Some(&done))?;
            }
            Self::Delete(Name { name }) => {
                let deleted = json!({ "deleted": name.as_str() });
                let done = format!("{name} deleted");
                let act = DeleteOperator(name.clone());
                let ((), ended) = invocation.run(&Ending { name, act })?;
                invocation.output.act(&told(&done, ended), &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Create(create) => {
                Shows::all_of(&[&["name", "secret"]]).once("secret", create.secret.is_generated())
            }
            Self::Delete(_) => Shows::all_of(&[DELETED]),
            Self::Allow(_)
            | Self::Deny(_)
            | Self::List
            | Self::Remove(_)
            | Self::Set(_)
            | Self::Show(_) => Shows::all_of(&[OPERATOR]),
        }
    }
}

impl OperatorCreate {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let allowed = |action| move |pattern: Pattern| Rule::allow(action, pattern);
        let publish = self.publish.into_iter().map(allowed(Action::Publish));
        let subscribe = self.subscribe.into_iter().map(allowed(Action::Subscribe));
        let (secret, oddities) = self.secret.read()?;
        let new = NewOperator {
            name: self.name,
            secret,
            rules: publish.chain(subscribe).collect(),
        };
        let warnings = new
            .rule_warnings()
            .map_err(|error| CliError::usage(error.to_string()))?;
        let issued = invocation.run(&CreateOperator(new))?;
        let name = &issued.described.credential.name;
        let done = match &issued.secret {
            Some(_) => format!("{name} created; its secret is shown this once"),
            None => format!("{name} created"),
        };
        let view = NewOperatorView::of(&issued);
        let more = &[] as &[(&str, &str)];
        invocation
            .output
            .made(Mark::Done, &done, &view, &["secret"], more)?;
        oddities.tell(invocation.output);
        for warning in &warnings {
            invocation.output.warn(warning);
        }
        Ok(())
    }
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("state", "STATE"),
    ("last_used_at", "LAST USED"),
    ("created_at", "CREATED"),
];
