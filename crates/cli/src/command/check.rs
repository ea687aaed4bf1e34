//! `countersign check`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::check::{self, Connect, Verdict};
use countersign_core::connect::Site;
use serde::Serialize;

use crate::REFUSED;
use crate::failure::Failure;
use crate::input::read_presented;
use crate::invocation::{Invocation, now};

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Ask whether a client would be let in. Exits with 1 if not.
    #[command(
        after_help = "Examples:\n  countersign check connect --username dev1@acme --client-id c1\n  printf %s \"$PASSWORD\" | countersign check connect --username dev1@acme --client-id c1 --password-stdin"
    )]
    Connect(CheckConnect),
}

#[derive(Args, Debug)]
pub(crate) struct CheckConnect {
    /// The username it would present.
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The client id it would present.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Read the password from standard input, all bytes up to the first
    /// newline. Without this, the password is taken as right.
    #[arg(long)]
    password_stdin: bool,
}

impl CheckCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, Failure> {
        match self {
            Self::Connect(connect) => connect.run(invocation),
        }
    }
}

impl CheckConnect {
    fn run(self, invocation: &Invocation) -> Result<ExitCode, Failure> {
        let password = if self.password_stdin {
            Some(read_presented()?)
        } else {
            None
        };
        let presented = Connect {
            client_id: &self.client_id,
            username: Some(&self.username),
            password,
        };
        let verdict = check::connect(&mut invocation.open()?, now(), &Site::default(), presented)?;
        invocation.output.record(&Answer::to(verdict))?;
        Ok(if verdict.is_allowed() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(REFUSED)
        })
    }
}

/// What a program is told. Rules decide about topics, not about a CONNECT.
#[derive(Serialize)]
struct Answer {
    verdict: &'static str,
    reason: &'static str,
    rule: Option<()>,
    considered: [(); 0],
}

impl Answer {
    fn to(verdict: Verdict) -> Self {
        Self {
            verdict: if verdict.is_allowed() {
                "allow"
            } else {
                "deny"
            },
            reason: verdict.reason(),
            rule: None,
            considered: [],
        }
    }
}
