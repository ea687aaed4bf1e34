//! `countersign operator`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::operator::{
    CreateOperator, DeleteOperator, ListOperators, NewOperator, SetOperator, ShowOperator,
};
use countersign_admin::text::FreeText;
use countersign_admin::view::{NewOperatorView, OperatorView};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::rule::{Action, Effect, Pattern, Rule};
use serde_json::json;

use super::credential::{RuleOf, SecretSource};
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::listing::Column;

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
                let mut listing = invocation.output.listing(COLUMNS);
                invocation.each_row(ListOperators, |operator| {
                    listing.push(&OperatorView::of(&operator))
                })?;
                listing.finish()?;
            }
            Self::Show(Name { name }) => {
                let operator = invocation.run(&ShowOperator(name))?;
                print(invocation, &operator)?;
            }
            Self::Set(OperatorSet { name, description }) => {
                let Some(description) = description else {
                    return Err(CliError::usage("nothing to set; give --description"));
                };
                let Name { name } = name;
                let operator = invocation.run(&SetOperator { name, description })?;
                print(invocation, &operator)?;
            }
            Self::Delete(Name { name }) => {
                let deleted = json!({ "deleted": name.as_str() });
                invocation.run(&DeleteOperator(name))?;
                invocation.output.record(&deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
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
        invocation.output.record(&NewOperatorView::of(&issued))?;
        oddities.tell(invocation.output);
        for warning in &warnings {
            invocation.output.warn(warning);
        }
        Ok(())
    }
}

/// Prints an operator, its rules line by line.
pub(crate) fn print(invocation: &Invocation, operator: &Credential) -> Result<(), CliError> {
    let rules: Vec<_> = operator
        .rules
        .iter()
        .map(|rule| ("rules", rule.to_string()))
        .collect();
    invocation
        .output
        .record_with(&OperatorView::of(operator), &rules)
}

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("state", "STATE"),
    ("last_used_at", "LAST USED"),
    ("created_at", "CREATED"),
];
