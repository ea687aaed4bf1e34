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
use crate::output::Output;

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
                let enrolment = invocation.run(&EnrolSecondFactor(email))?;
                print_enrolment(invocation, &EnrolmentView::of(&enrolment))
            }
            Self::Confirm {
                email: Email { email },
                code_stdin,
            } => {
                let code = read_code(code_stdin)?;
                print(invocation, &ConfirmSecondFactor { email, code })
            }
            Self::Disable(Email { email }) => print(invocation, &DisableSecondFactor(email)),
        }
    }
}

/// Prints a second factor this once; on a terminal as a QR code, too.
fn print_enrolment(invocation: &Invocation, view: &EnrolmentView) -> Result<(), CliError> {
    if invocation.output == Output::Json {
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
    invocation.output.record_with(view, &more)
}
