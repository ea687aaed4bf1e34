//! The three Mosquittos that the tests and the demo run against.
//!
//! 2.0.11 is the host's package. 2.0.21 and 2.1 are unpacked beside it from
//! bookworm-backports and sid, and run from there: the first with the host's
//! libraries, the second with the whole set it was built against, down to the
//! loader. `brokers.json` in the cache says how to start each.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use countersign_testkit::Version;
use countersign_testkit::artifacts::{BrokerCommand, Manifest};

use crate::apt::{Installed, PrivateApt};
use crate::command::read;

/// The version of Debian bookworm, whose headers the bindings are made from.
pub const HOST_VERSION: &str = "2.0.11";

/// Reads the name of a broker from the command line.
pub fn version() -> impl TypedValueParser<Value = Version> {
    PossibleValuesParser::new(Version::ALL.map(Version::name))
        .try_map(|name| name.parse::<Version>().map_err(|error| error.to_string()))
}

/// Puts those that are wanted in place.
pub fn install(cache: &Path, wanted: &[Version]) -> Result<()> {
    remove_scratch(cache)?;
    let path = cache.join("brokers.json");
    let known: Manifest = fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut brokers = known.clone();
    for version in wanted {
        let name = version.name();
        let broker = match known.get(name) {
            Some(broker) if *version != Version::V2_0_11 && runs(broker).is_ok() => broker.clone(),
            _ => place_version(*version, cache)
                .with_context(|| format!("cannot get Mosquitto {name}"))?,
        };
        println!(
            "broker {name}: Mosquitto {} (Debian {})",
            broker.version, broker.package
        );
        brokers.insert(name.to_owned(), broker);
    }
    if brokers != known {
        let text = serde_json::to_string_pretty(&brokers)?;
        let file = tempfile::NamedTempFile::new_in(cache)?;
        fs::write(file.path(), text + "\n")?;
        file.persist(&path)?;
    }
    Ok(())
}

fn place_version(version: Version, cache: &Path) -> Result<BrokerCommand> {
    match version {
        Version::V2_0_11 => host(),
        Version::V2_0_21 => backports(cache),
        Version::V2_1 => sid(cache),
    }
}

/// Says which version a broker is, by its own words.
fn runs(broker: &BrokerCommand) -> Result<String> {
    let (program, arguments) = broker.command.split_first().context("it has no command")?;
    // `-h` prints the version and exits with a code that varies.
    let output = Command::new(program)
        .args(arguments)
        .arg("-h")
        .envs(&broker.env)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("mosquitto version "))
    {
        Some(version) => Ok(version.trim().to_owned()),
        None => bail!(
            "`{program}` does not start: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}

fn host() -> Result<BrokerCommand> {
    let format = ["--show", "--showformat", "${Version}", "mosquitto"];
    let mut broker = BrokerCommand {
        version: String::new(),
        package: read(Command::new("dpkg-query").args(format))?,
        command: vec!["/usr/sbin/mosquitto".to_owned()],
        env: BTreeMap::new(),
    };
    broker.version = runs(&broker)?;
    ensure!(
        broker.version == HOST_VERSION,
        "this machine's Mosquitto is {}, and the tests need Debian 12 with its {HOST_VERSION}",
        broker.version
    );
    Ok(broker)
}

fn backports(cache: &Path) -> Result<BrokerCommand> {
    let target = cache.join("brokers/2.0.21");
    place(
        cache,
        &target,
        |scratch, root| {
            let apt = PrivateApt::new(
                scratch.join("apt"),
                "bookworm-backports",
                Installed::AsOnHost,
            )?;
            let package = apt.newest("mosquitto", "2.0.21")?;
            println!("getting Mosquitto {package} from bookworm-backports");
            let packages = ["mosquitto", "libmosquitto1"].map(|name| format!("{name}={package}"));
            apt.unpack(&packages, root)?;
            Ok(package)
        },
        |root| {
            let libraries = libraries(root)?;
            Ok(Start {
                command: vec![text(&root.join("usr/sbin/mosquitto"))],
                env: BTreeMap::from([("LD_LIBRARY_PATH".to_owned(), text(&libraries))]),
            })
        },
    )
}

fn sid(cache: &Path) -> Result<BrokerCommand> {
    let target = cache.join("brokers/2.1");
    place(
        cache,
        &target,
        |scratch, root| {
            let apt = PrivateApt::new(scratch.join("apt"), "sid", Installed::Nothing)?;
            let package = apt.newest("mosquitto", "2.1.")?;
            println!("getting Mosquitto {package} and its libraries from sid");
            apt.unpack(&[format!("mosquitto={package}")], root)?;
            // Not every package ships the link that its library is looked up by.
            read(
                Command::new("/sbin/ldconfig")
                    .arg("-n")
                    .arg(libraries(root)?),
            )?;
            Ok(package)
        },
        |root| {
            let libraries = libraries(root)?;
            let loader = entry(&libraries, "ld-linux-", ".so.")?;
            Ok(Start {
                command: vec![
                    text(&loader),
                    "--library-path".to_owned(),
                    text(&libraries),
                    text(&root.join("usr/sbin/mosquitto")),
                ],
                env: BTreeMap::new(),
            })
        },
    )
}

struct Start {
    command: Vec<String>,
    env: BTreeMap<String, String>,
}

/// Places a Mosquitto, and says how to start it.
fn place(
    cache: &Path,
    target: &Path,
    fill: impl FnOnce(&Path, &Path) -> Result<String>,
    start: impl Fn(&Path) -> Result<Start>,
) -> Result<BrokerCommand> {
    let at = |root: &Path| -> Result<BrokerCommand> {
        let Start { command, env } = start(root)?;
        let mut broker = BrokerCommand {
            version: String::new(),
            package: String::new(),
            command,
            env,
        };
        broker.version = runs(&broker)?;
        Ok(broker)
    };
    let package = place_whole(cache, target, fill, |root| at(root).map(drop))?;
    Ok(BrokerCommand {
        package,
        ..at(target)?
    })
}

/// Fills a scratch folder, sees what is in it run, and only then moves it to `target`:
/// what is there is whole.
pub fn place_whole<T>(
    cache: &Path,
    target: &Path,
    fill: impl FnOnce(&Path, &Path) -> Result<T>,
    runs: impl Fn(&Path) -> Result<()>,
) -> Result<T> {
    let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(cache)?;
    let root = scratch.path().join("root");
    fs::create_dir(&root)?;
    let filled = fill(scratch.path(), &root)?;
    runs(&root)?;
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    fs::create_dir_all(target.parent().context("the cache has no parent")?)?;
    fs::rename(&root, target)?;
    Ok(filled)
}

/// Removes what an interrupted setup left; the lock says that it is no other's.
fn remove_scratch(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(SCRATCH) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The folder of the unpacked libraries, such as `usr/lib/x86_64-linux-gnu`.
pub fn libraries(root: &Path) -> Result<PathBuf> {
    entry(&root.join("usr/lib"), "", "-linux-gnu")
}

/// The entry of `folder` whose name begins and goes on like this.
pub fn entry(folder: &Path, begins: &str, holds: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name
            .strip_prefix(begins)
            .is_some_and(|rest| rest.contains(holds))
        {
            return Ok(entry.path());
        }
    }
    bail!("{} holds no {begins}*{holds}*", folder.display());
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

const SCRATCH: &str = "unpacking-";
