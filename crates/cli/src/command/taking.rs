//! What `--take`, `--keep-strict` and `--dry-run` say about topics of the tenant
//! that owns `#`.

use clap::Args;
use countersign_admin::taking::{Plan, PreviewTaking, TakeFromRest, Taking};
use countersign_admin::view::LoserView;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::listing::Column;

#[derive(Args, Debug)]
pub(crate) struct TakingArguments {
    /// Take the topics, if they are the tenant's that owns `#`. That tenant
    /// subscribes `filtered` from then on.
    #[arg(long)]
    take: bool,
    /// Leave that tenant `strict`: it no longer may subscribe to what reaches
    /// others, `#` above all.
    #[arg(long, requires = "take")]
    keep_strict: bool,
    /// Say who would lose which of these topics, with their live sessions, and
    /// change nothing.
    #[arg(long)]
    dry_run: bool,
}

impl TakingArguments {
    /// Says whether topics may be taken.
    pub(crate) fn takes(&self) -> bool {
        self.take && !self.dry_run
    }

    /// Says whether nothing is changed.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Runs an act as they say; for a dry run prints who would lose what.
    pub(crate) fn run<C: Plan>(
        &self,
        invocation: &Invocation,
        command: C,
    ) -> Result<Option<C::Output>, CliError> {
        if self.dry_run {
            let losers = invocation.run(&PreviewTaking(command))?;
            let mut listing = invocation
                .output
                .listing(LOSERS, "Nobody would lose anything.");
            for loser in &losers {
                listing.push(&LoserView::of(loser))?;
            }
            listing.finish()?;
            return Ok(None);
        }
        let taking = match (self.take, self.keep_strict) {
            (false, _) => Taking::Refused,
            (true, false) => Taking::Filtering,
            (true, true) => Taking::KeepingStrict,
        };
        let command = TakeFromRest { command, taking };
        invocation.run(&command).map(Some)
    }
}

const LOSERS: &[Column] = &[
    ("tenant", "TENANT"),
    ("name", "NAME"),
    ("loses", "LOSES"),
    ("sessions", "SESSIONS"),
];
