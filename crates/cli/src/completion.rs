//! Completions: what a shell asks for while somebody types, and what it is told.
//!
//! The script that a shell loads calls this program with the words so far. Words
//! of the command line come from the arguments, names from the store: it is read
//! as it is, by the rights of whoever keeps it, and never asked for anything that
//! it would not list. Where it can't be read, there are no names, and no
//! complaint.

mod bash;
mod names;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::Str;
use clap::{Arg, Command};
use clap_complete::CompleteEnv;
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::{Elvish, Fish, Powershell, Shells, Zsh};

use self::bash::Bash;
use self::names::{Asked, Names};
use crate::error::CliError;
use crate::store_files::DEFAULT_STORE;
use crate::store_place::StorePlace;

/// The shells that scripts are written for.
const SHELLS: Shells<'static> = Shells(&[&Bash, &Elvish, &Fish, &Powershell, &Zsh]);

/// What a script sets to the name of its shell when it asks.
const VARIABLE: &str = "COUNTERSIGN_COMPLETE";

/// Writes the script that a shell loads.
pub(crate) fn write_script(shell: &str) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    if let Some(shell) = SHELLS.completer(shell) {
        let name = "countersign";
        shell.write_registration(VARIABLE, name, name, name, &mut script)?;
    }
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell about the program's commands, if it is one that asks.
pub(crate) fn answer(program: fn() -> Command) -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let words: Vec<_> = std::env::args_os().collect();
    let place = std::env::current_dir().ok();
    let asking = CompleteEnv::with_factory(|| with_names(program(), &words))
        .var(VARIABLE)
        .shells(SHELLS);
    match asking.try_complete(words.iter().cloned(), place.as_deref()) {
        Ok(false) => None,
        Ok(true) => Some(ExitCode::SUCCESS),
        // A shell would print it into the line that is being typed.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// All commands, whose arguments are completed by names of the store that the
/// words speak of.
fn with_names(program: Command, words: &[OsString]) -> Command {
    let text = |name| value_of(words, name).and_then(|value| value.into_string().ok());
    let store = value_of(words, "--store").or_else(|| std::env::var_os("COUNTERSIGN_STORE"));
    let store = store.map_or_else(|| DEFAULT_STORE.into(), PathBuf::from);
    let names = Names {
        store: StorePlace::named(store),
        tenant: text("--tenant"),
    };
    completed(program, &[], &names)
}

/// What an option is given on a command line: the last time, as one that is given
/// twice is refused anyway.
fn value_of(words: &[OsString], option: &str) -> Option<OsString> {
    let mut words = words.iter().rev();
    let mut behind = None;
    words.find_map(|word| {
        let after = behind.replace(word.clone());
        if word == option {
            return after;
        }
        let value = word.to_str()?.strip_prefix(option)?.strip_prefix('=')?;
        Some(value.into())
    })
}

fn completed(command: Command, path: &[&str], names: &Names) -> Command {
    let command = command.mut_args(|argument| match asked(path, &argument) {
        Some(asked) => {
            let names = names.clone();
            argument.add(ArgValueCompleter::new(move |begun: &std::ffi::OsStr| {
                names.complete(asked, begun)
            }))
        }
        None => argument,
    });
    command.mut_subcommands(|below| {
        let name = below.get_name().to_owned();
        let path = [path, &[name.as_str()]].concat();
        completed(below, &path, names)
    })
}

/// Which names an argument takes, by what its help calls its value.
fn asked(path: &[&str], argument: &Arg) -> Option<Asked> {
    let id = argument.get_id().as_str();
    let value = match argument.get_value_names() {
        Some([value]) => Str::as_str(value),
        Some(_) => return None,
        None => id,
    };
    // What makes a thing takes a name that nothing has.
    let is_new = path.get(1) == Some(&"create") || path == ["issuer", "add"];
    if is_new && argument.is_positional() {
        return None;
    }
    match (value, path) {
        _ if id == "tenant" => Some(Asked::Tenants),
        _ if id == "broker" => Some(Asked::Brokers),
        ("APPLICATION", _) | ("NAME", ["application", ..]) => Some(Asked::Applications),
        ("B", ["broker", ..]) => Some(Asked::Brokers),
        ("EMAIL", _) => Some(Asked::Users),
        ("FINGERPRINT", ["ca", ..]) => Some(Asked::Authorities),
        ("GROUP", _) => Some(Asked::Groups),
        ("KEY", ["thing", ..]) => Some(Asked::Things),
        ("KEY", ["jwt", "create"]) => Some(Asked::Things),
        ("NAME", ["follower", ..]) => Some(Asked::Followers),
        ("NAME", ["hook", ..]) => Some(Asked::Hooks),
        ("NAME", ["issuer", ..]) => Some(Asked::Issuers),
        ("NAME", ["operator", ..]) => Some(Asked::Operators),
        ("NAME", ["jwt" | "token", ..]) => None,
        ("NAME", _) => Some(Asked::Principals),
        ("ROLE", _) => Some(Asked::Roles),
        ("SCHEME", _) => Some(Asked::Schemes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(Into::into).collect()
    }

    #[test]
    fn nothing_is_said_of_an_option_that_is_not_there() {
        assert_eq!(value_of(&[], "--store"), None);
        assert_eq!(value_of(&words("countersign --store"), "--store"), None);
        assert_eq!(value_of(&words("countersign --stores x"), "--store"), None);
    }

    #[test]
    fn an_option_is_read_with_a_blank_or_an_equals_sign() {
        let both = words("countersign --store a role --tenant=acme show");
        assert_eq!(value_of(&both, "--store"), Some("a".into()));
        assert_eq!(value_of(&both, "--tenant"), Some("acme".into()));
    }

    #[test]
    fn whatever_makes_a_thing_completes_no_name_for_it() {
        let taken = Arg::new("name").value_name("NAME");
        assert_eq!(asked(&["credential", "create"], &taken), None);
        assert_eq!(
            asked(&["credential", "show"], &taken),
            Some(Asked::Principals)
        );
        assert_eq!(
            asked(
                &["credential", "create"],
                &Arg::new("tenant").long("tenant")
            ),
            Some(Asked::Tenants)
        );
    }
}
