//! `countersign user mfa`.

use std::io::{IsTerminal as _, Write as _, stdout};

use clap::Subcommand;
use countersign_admin::user::{ConfirmSecondFactor, DisableSecondFactor, EnrolSecondFactor};
use countersign_admin::view::EnrolmentView;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use zeroize::Zeroizing;

use super::{Email, print};
use crate::error::CliError;
use crate::input::read_code;
use crate::invocation::Invocation;
use crate::keys::{ENROLMENT, Shows, USER};
use crate::output::Mark;

#[derive(Debug, Subcommand)]
pub(crate) enum MfaCommand {
    /// Make a second factor, and print this once what the authenticator program
    /// needs, and recovery codes. It is not asked for until it is confirmed.
    #[command(after_help = "Examples:\n  countersign user mfa enrol jane@example.com")]
    Enrol(Email),
    /// Show by a code that the authenticator program works. From then on a login
    /// needs one.
    #[command(
        after_help = "Examples:\n  countersign user mfa confirm jane@example.com\n  printf %s \"$CODE\" | countersign user mfa confirm jane@example.com --code-stdin"
    )]
    Confirm {
        #[command(flatten)]
        email: Email,
        /// Read the code from standard input. Without this, it is asked for on
        /// the terminal.
        #[arg(long)]
        code_stdin: bool,
    },
    /// Take a second factor away. This works without the key file, too.
    #[command(after_help = "Examples:\n  countersign user mfa disable jane@example.com")]
    Disable(Email),
}

impl MfaCommand {
    pub(super) fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        match self {
            Self::Enrol(Email { email }) => {
                let name = email.to_string();
                let enrolment = invocation.run(&EnrolSecondFactor(email))?;
                print_enrolment(invocation, &name, &EnrolmentView::of(&enrolment))
            }
            Self::Confirm {
                email: Email { email },
                code_stdin,
            } => {
                let code = read_code(code_stdin)?;
                let done = format!("user {email} needs a code from now on");
                print(
                    invocation,
                    &ConfirmSecondFactor { email, code },
                    Some(&done),
                )
            }
            Self::Disable(Email { email }) => {
                let done = format!("user {email} needs no code any more");
                print(invocation, &DisableSecondFactor(email), Some(&done))
            }
        }
    }

    /// What is printed.
    pub(super) fn shows(&self) -> Shows {
        match self {
            Self::Enrol(_) => Shows::all_of(&[ENROLMENT]).all_once(),
            Self::Confirm { .. } | Self::Disable(_) => Shows::all_of(&[USER]),
        }
    }
}

/// Prints a second factor this once; on a terminal as a QR code, too.
fn print_enrolment(
    invocation: &Invocation,
    name: &str,
    view: &EnrolmentView,
) -> Result<(), CliError> {
    if !invocation.output.is_for_people() {
        return invocation.output.record(view);
    }
    if stdout().is_terminal()
        && let Ok(code) = QrCode::new(view.otpauth())
    {
        // Most terminals are dark, and a code is dark on light.
        let mut picture = code.render::<Dense1x2>();
        picture.dark_color(Dense1x2::Light);
        picture.light_color(Dense1x2::Dark);
        let picture = Zeroizing::new(picture.build());
        writeln!(stdout(), "{}", picture.as_str())?;
    }
    let codes = view.recovery_codes().map(|code| ("recovery codes", code));
    let next = "show with a code that it works: `countersign user mfa confirm`";
    let more: Vec<_> = codes.chain([("next", next)]).collect();
    let done = format!("user {name} has a second factor, which is shown this once");
    let keys = ["otpauth", "secret", "recovery codes", "next"];
    invocation
        .output
        .made(Mark::Done, &done, view, &keys, &more)
}
