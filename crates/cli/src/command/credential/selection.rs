//! Which credentials are meant: by what they are, or by name.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use countersign_admin::credential::{ListCredentials, Target, find_targets};
use countersign_core::duration::parse_duration;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::{CredentialQuery, Page};
use countersign_core::time::Timestamp;
use countersign_store::AnyStore;

use crate::error::CliError;
use crate::input::{Attribute, When};
use crate::invocation::{as_caller, now};

/// What credentials are, to be selected by: all that is said must be so.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Selection {
    /// Of this tenant alone.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: Option<TenantId>,
    /// In this group or below it alone, by one of its groups.
    #[arg(long, value_parser = GroupPath::parse)]
    group: Option<GroupPath>,
    /// In this state alone: `Inactive`, `Active`, `Suspended` or `Revoked`.
    #[arg(long, value_parser = State::parse)]
    state: Option<State>,
    /// Of this scheme alone.
    #[arg(long, value_parser = SchemeName::parse)]
    scheme: Option<SchemeName>,
    /// With this role alone, held by itself and not by a group or its tenant.
    #[arg(long, value_parser = RoleName::parse)]
    role: Option<RoleName>,
    /// With names that begin so alone.
    #[arg(long, value_name = "PREFIX", value_parser = LoginName::parse)]
    name_prefix: Option<LoginName>,
    /// With this attribute alone.
    #[arg(long = "with-attr", value_name = "KEY=VALUE", value_parser = Attribute::parse)]
    with_attributes: Vec<Attribute>,
    /// Neither made nor used for so long, and without a live session.
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    unused_since: Option<Duration>,
    /// With an end before then alone: a date-time or `+DUR`.
    #[arg(long, value_name = "WHEN", value_parser = When::parse, allow_hyphen_values = true)]
    expires_before: Option<When>,
}

impl Selection {
    /// The selection as a store is asked, as of `now`; an attribute that is named twice
    /// makes no sense.
    pub(super) fn query(self, now: Timestamp) -> Result<CredentialQuery, CliError> {
        Ok(CredentialQuery {
            tenant: self.tenant,
            group: self.group,
            within: None,
            state: self.state,
            scheme: self.scheme,
            role: self.role,
            name_prefix: self.name_prefix,
            attributes: Attribute::collect(self.with_attributes)?,
            unused_since: self.unused_since.map(|duration| now.minus(duration)),
            expires_before: self.expires_before.map(|when| when.seen_from(now)),
        })
    }

    fn is_empty(&self) -> bool {
        let Self {
            tenant,
            group,
            state,
            scheme,
            role,
            name_prefix,
            with_attributes,
            unused_since,
            expires_before,
        } = self;
        tenant.is_none()
            && group.is_none()
            && state.is_none()
            && scheme.is_none()
            && role.is_none()
            && name_prefix.is_none()
            && with_attributes.is_empty()
            && unused_since.is_none()
            && expires_before.is_none()
    }
}

/// What an act is done to.
#[derive(Args, Clone, Debug)]
pub(crate) struct Targets {
    /// Its whole name: `dev1@acme`. Of several, each is done by itself, and what
    /// became of them is summed up.
    #[arg(value_name = "NAME", value_parser = LoginName::parse)]
    names: Vec<LoginName>,
    /// All that are named in this file, a name a line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    from_file: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
    /// All credentials of all tenants, or of what is selected.
    #[arg(long, help_heading = "Selection")]
    all: bool,
    /// Those with names behind this one alone, to go on where an act on many stopped.
    #[arg(long, value_name = "NAME", value_parser = LoginName::parse, help_heading = "Selection")]
    after: Option<LoginName>,
    /// Say what would be done to which, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before an act on many, as is done on a terminal.
    #[arg(long)]
    yes: bool,
}

/// One credential, or many.
pub(super) enum Chosen {
    Many(ManyChosen),
    One(LoginName),
}

/// Which of many credentials an act is done to, and how.
pub(super) struct ManyChosen {
    /// By name; none where they are found by what they are.
    names: Option<BTreeSet<LoginName>>,
    /// What they are.
    pub(super) query: CredentialQuery,
    after: Option<LoginName>,
    pub(super) is_dry_run: bool,
    /// Whether a person at a terminal is asked.
    pub(super) asks: bool,
}

impl Targets {
    /// Says whether one credential is meant, for what is done to one.
    pub(super) fn is_one(&self, is_many: bool) -> bool {
        let is_named_alone = self.from_file.is_none() && self.after.is_none();
        !is_many && !self.dry_run && is_named_alone && self.names.len() == 1
    }

    /// Says whether nothing is changed.
    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Those that are meant. One name alone is one credential, unless more is asked of
    /// it than of one.
    pub(super) fn chosen(self, is_many: bool) -> Result<Chosen, CliError> {
        let is_selected = self.all || !self.selection.is_empty();
        let ways = [
            !self.names.is_empty(),
            self.from_file.is_some(),
            is_selected,
        ];
        match ways.into_iter().filter(|is_given| *is_given).count() {
            0 => return Err(CliError::usage(NOTHING)),
            1 => {}
            _ => return Err(CliError::usage(SEVERAL_WAYS)),
        }
        let is_one = self.is_one(is_many);
        let mut names = self.names;
        if is_one && let Some(name) = names.pop() {
            return Ok(Chosen::One(name));
        }
        let names = match &self.from_file {
            Some(path) => Some(read_names(path)?),
            None => (!is_selected).then(|| names.into_iter().collect()),
        };
        Ok(Chosen::Many(ManyChosen {
            names,
            query: self.selection.query(now())?,
            after: self.after,
            is_dry_run: self.dry_run,
            asks: !self.yes && !self.dry_run,
        }))
    }
}

impl ManyChosen {
    /// Finds them, in the order of their names.
    pub(super) fn find(&self, store: &mut AnyStore) -> Result<Vec<Target>, CliError> {
        if let Some(names) = &self.names {
            let is_behind = |name: &&LoginName| self.after.as_ref().is_none_or(|it| *name > it);
            let target = |name: &LoginName| Target {
                name: name.clone(),
                id: None,
            };
            return Ok(names.iter().filter(is_behind).map(target).collect());
        }
        let list = ListCredentials {
            query: self.query.clone(),
            page: Page {
                after: self.after.clone(),
                ..Page::default()
            },
        };
        let found = as_caller(|context| find_targets(store, context, list, usize::MAX));
        Ok(found?)
    }
}

/// Reads names, a name a line; empty lines name nothing.
fn read_names(path: &PathBuf) -> Result<BTreeSet<LoginName>, CliError> {
    let shown = path.display();
    let about = |error: io::Error| {
        CliError::Refused(anyhow::Error::new(error).context(format!("could not read `{shown}`")))
    };
    let mut input: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(io::stdin()),
        Some(_) | None => Box::new(File::open(path).map_err(about)?),
    };
    let mut text = String::new();
    let most = MOST_BYTES.saturating_add(1);
    input
        .by_ref()
        .take(most)
        .read_to_string(&mut text)
        .map_err(about)?;
    if u64::try_from(text.len()).map_or(true, |read| read > MOST_BYTES) {
        return Err(CliError::refused(format!(
            "`{shown}` has more than {MOST_BYTES} bytes; divide it"
        )));
    }
    let lines = (1..).zip(text.lines());
    let names = lines.filter(|(_, line)| !line.is_empty());
    names
        .map(|(number, line): (u64, _)| {
            LoginName::parse(line)
                .map_err(|error| CliError::refused(format!("`{shown}`, line {number}: {error}")))
        })
        .collect()
}

/// A name has up to 255 bytes, and there may be a million of them.
const MOST_BYTES: u64 = if cfg!(test) { 1_000 } else { 256 << 20 };

const NOTHING: &str = "say which: NAME, several of them, --from-file, or a selection such as \
     --group; --all is all";
const SEVERAL_WAYS: &str =
    "names, --from-file and a selection do not go together; give one of them";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_names_has_a_bound() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_path_buf();
        // A hole: it takes no room.
        file.as_file().set_len(MOST_BYTES + 1).unwrap();
        let error = read_names(&path).unwrap_err().text();
        assert!(error.contains("divide it"), "{error}");
    }
}
