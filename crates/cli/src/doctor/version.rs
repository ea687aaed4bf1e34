//! The Mosquitto that is installed here. A configuration may be another one's,
//! so what this tells is never more than a warning.

use std::path::Path;
use std::process::{Command, Stdio};

use countersign_config::BrokerConfig;
use countersign_core::options::Options;

use super::listeners::shown;
use super::{Problem, Report};

/// A version of Mosquitto, as it says it itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Version(u16, u16, u16);

impl Version {
    /// The first that ends sessions where `per_listener_settings` is true.
    pub(super) const TICKS: Self = Self(2, 0, 21);
    /// The first that tells a plugin the port and whose a client id is, and knows
    /// `plugin_use`.
    const TELLS_PORTS: Self = Self(2, 1, 0);
    /// The first that forgets the listener of a client that went away.
    const FORGETS_LISTENERS: Self = Self(2, 0, 12);

    /// What is installed, if anything is.
    pub(super) fn installed() -> Option<Self> {
        let program = PROGRAMS
            .iter()
            .find(|program| Path::new(program).exists())?;
        let mut help = Command::new(program);
        help.arg("-h").stdin(Stdio::null()).stderr(Stdio::null());
        Self::parse(&String::from_utf8_lossy(&help.output().ok()?.stdout))
    }

    /// Reads `mosquitto version 2.0.11`, the first line of its help.
    fn parse(help: &str) -> Option<Self> {
        let (_, version) = help.lines().next()?.split_once("version ")?;
        let mut numbers = version.split('.').map(|number| number.trim().parse().ok());
        Some(Self(numbers.next()??, numbers.next()??, numbers.next()??))
    }
}

/// Whether a broker with this configuration tells a plugin whose a client id is,
/// as far as is known.
pub(super) fn tells_of_clients(config: &BrokerConfig, installed: Option<Version>) -> bool {
    config.only_2_1.is_some() || installed.is_some_and(|it| it >= Version::TELLS_PORTS)
}

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    options: Option<&Options>,
    installed: Option<Version>,
) {
    report.note("version", knows(config, options, installed));
    report.note("reload", reloads(config, installed));
    report.note_all("websockets", damaged_by_frames(config, installed));
}

/// The listeners whose WebSockets Mosquitto 2.1 reads itself, and wrongly. No
/// version that is known reads them rightly.
fn damaged_by_frames(config: &BrokerConfig, installed: Option<Version>) -> Vec<Problem> {
    let Some(installed) = installed.filter(|it| *it >= Version::TELLS_PORTS) else {
        return Vec::new();
    };
    let Version(major, minor, patch) = installed;
    let listeners = config
        .listeners
        .iter()
        .filter(|listener| listener.is_websockets());
    let problems = listeners.map(|listener| {
        Problem::warning(
            format!(
                "whoever can connect to {} can damage the memory of Mosquitto \
                 {major}.{minor}.{patch} and end it, before any login, with any plugin or none",
                shown(Some(listener))
            ),
            "let none but machines that you trust connect to it, or use Mosquitto 2.0.21 for \
             WebSockets",
        )
    });
    problems.collect()
}

/// Whether Mosquitto keeps its memory whole when it reads its configuration
/// again: where it ends a session that is away once more, it does not.
fn reloads(config: &BrokerConfig, installed: Option<Version>) -> Result<(), Problem> {
    let Some(installed) = installed.filter(|it| *it < Version::TELLS_PORTS) else {
        return Ok(());
    };
    let certified = || {
        config
            .listeners
            .iter()
            .find(|listener| listener.is_name_certified())
    };
    let (what, remedy) = match &config.per_listener_settings {
        Some(setting) if setting.value && installed >= Version::FORGETS_LISTENERS => (
            format!("`per_listener_settings true` ({})", setting.at),
            "write `per_listener_settings false`, use Mosquitto 2.1, or restart it instead of \
             sending SIGHUP",
        ),
        _ if installed < Version::FORGETS_LISTENERS => match certified() {
            Some(listener) => (
                format!("names from certificates on {}", shown(Some(listener))),
                "use Mosquitto 2.0.21 or newer, or restart it instead of sending SIGHUP",
            ),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    let Version(major, minor, patch) = installed;
    Err(Problem::warning(
        format!(
            "with {what} Mosquitto {major}.{minor}.{patch} damages its memory on SIGHUP while a \
             client of MQTT 5 is away whose session expires, with any plugin or none"
        ),
        remedy,
    ))
}

fn knows(
    config: &BrokerConfig,
    options: Option<&Options>,
    installed: Option<Version>,
) -> Result<(), Problem> {
    let Some(installed) = installed.filter(|installed| *installed < Version::TELLS_PORTS) else {
        return Ok(());
    };
    let what = match &config.only_2_1 {
        Some(at) => format!("what stands at {at}"),
        None if options.is_some_and(Options::needs_ports) => {
            "`plugin_opt_listener_PORT` and `plugin_opt_tls_listeners`".into()
        }
        None => return Ok(()),
    };
    let Version(major, minor, patch) = installed;
    Err(Problem::warning(
        format!(
            "the Mosquitto installed here is {major}.{minor}.{patch}; it does not start with {what}"
        ),
        "use Mosquitto 2.1 or newer, or leave it away",
    ))
}

const PROGRAMS: &[&str] = &["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_first_line_of_help() {
        for (help, version) in [
            ("mosquitto version 2.0.11\n\nmore", Some(Version(2, 0, 11))),
            ("mosquitto version 2.1.2", Some(Version(2, 1, 2))),
            ("mosquitto version 2.1", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(help), version, "{help}");
        }
    }

    #[test]
    fn each_websockets_listener_of_2_1_is_warned_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mosquitto.conf");
        let (plain, web) = ("listener 1\n", "listener 2\nprotocol websockets\n");
        for (text, version, expected) in [
            (plain, Some(Version(2, 1, 2)), 0),
            (web, Some(Version(2, 1, 2)), 1),
            (web, Some(Version(2, 1, 0)), 1),
            (web, Some(Version(2, 0, 21)), 0),
            (web, None, 0),
        ] {
            std::fs::write(&file, text).unwrap();
            let config = BrokerConfig::read(&file).unwrap();
            let found = damaged_by_frames(&config, version);
            assert_eq!(found.len(), expected, "{text}: {version:?}");
        }
    }

    #[test]
    fn a_reload_is_warned_of_where_the_broker_would_damage_its_memory() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mosquitto.conf");
        let (certified, split) = (
            "listener 1\nuse_identity_as_username true",
            "per_listener_settings true\nlistener 1",
        );
        for (text, version, warns) in [
            (certified, Version(2, 0, 11), true),
            (certified, Version(2, 0, 21), false),
            (split, Version(2, 0, 11), false),
            (split, Version(2, 0, 21), true),
            (split, Version(2, 1, 2), false),
            ("listener 1", Version(2, 0, 11), false),
            ("listener 1", Version(2, 0, 21), false),
        ] {
            std::fs::write(&file, text).unwrap();
            let config = BrokerConfig::read(&file).unwrap();
            let found = reloads(&config, Some(version));
            assert_eq!(found.is_err(), warns, "{text}: {version:?}");
        }
    }
}
