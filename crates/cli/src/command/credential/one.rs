//! An act on one credential, and what is printed of one.

use std::process::ExitCode;

use countersign_admin::Command;
use countersign_admin::credential::{ManyAct, ShownCredential};
use countersign_admin::view::{CredentialView, OperatorView};
use countersign_core::credential::Credential;
use countersign_core::name::LoginName;
use countersign_core::time::rfc3339;

use super::many;
use super::selection::{Chosen, Targets};
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::told::{Ending, told};

/// Does to one credential what `one` does, and to several what `many` does.
pub(super) fn act_on<C: Command<Output = ShownCredential>>(
    invocation: &Invocation,
    targets: Targets,
    many: ManyAct,
    one: impl FnOnce(LoginName) -> C,
) -> Result<ExitCode, CliError> {
    let name = match targets.chosen(false)? {
        Chosen::Many(chosen) => return many::run(invocation, &chosen, many, None),
        Chosen::One(name) => name,
    };
    let done = format!("{name} {}", many::done_to(&many));
    let act = one(name.clone());
    let (changed, live) = invocation.run(&Ending { name, act })?;
    // Of other acts it depends on the session whether it ends.
    let ends = matches!(many, ManyAct::Revoke(_) | ManyAct::Suspend);
    let ended = if ends { live } else { 0 };
    print(invocation, &changed, Some(&told(&done, ended)))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints a credential, or what was done to it. People are also told what has no key in
/// `--json`.
pub(super) fn print(
    invocation: &Invocation,
    described: &ShownCredential,
    done: Option<&str>,
) -> Result<(), CliError> {
    let ShownCredential { credential, scheme } = described;
    if credential.is_operator() {
        return print_operator(invocation, credential, done);
    }
    let old_secret_until =
        credential
            .secrets
            .iter()
            .find_map(|secret| match (secret.ends_at, secret.until_used) {
                (Some(end), false) => Some(rfc3339(end)),
                (Some(end), true) => Some(format!(
                    "the new one is used, at the latest {}",
                    rfc3339(end)
                )),
                (None, true) => Some("the new one is used".into()),
                (None, false) => None,
            });
    let tied = if credential.client_id_tie.is_some() {
        ", tied"
    } else {
        ""
    };
    let mut more = vec![(
        "client id rule",
        format!("{}{tied}", credential.client_id_rule),
    )];
    if credential.external_identity {
        more.push(("external identity", "yes".into()));
    }
    if let Some(until) = old_secret_until {
        more.push(("old secret until", until));
    }
    for rule in &credential.rules {
        more.push(("rules", rule.to_string()));
    }
    let view = CredentialView::of(credential, scheme.as_ref());
    invocation.output.tell(done, &view, &more)
}

/// Prints an operator, its rules line by line, or what was done to it.
pub(crate) fn print_operator(
    invocation: &Invocation,
    operator: &Credential,
    done: Option<&str>,
) -> Result<(), CliError> {
    let rules: Vec<_> = operator
        .rules
        .iter()
        .map(|rule| ("rules", rule.to_string()))
        .collect();
    invocation
        .output
        .tell(done, &OperatorView::of(operator), &rules)
}
