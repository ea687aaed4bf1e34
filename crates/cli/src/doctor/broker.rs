//! What the broker's configuration makes of the plugin.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use countersign_admin::check::Listeners;
use countersign_config::{BrokerConfig, OPTION_PREFIX, PluginConfig, Source, Sourced};
use countersign_core::broker::ListenerOptions;
use countersign_core::options::{OptionError, Options};

use super::access::{BrokerUser, NeededAccess};
use super::mosquitto_files::MosquittoFiles;
use super::store::Content;
use super::version::{self, Version};
use super::{Problem, Report, beside, listeners, settings};
use crate::account::Account;

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    store: &Path,
    content: &Content,
    files: &MosquittoFiles,
    user: Option<&Account>,
) {
    let installed = Version::installed();
    let unusable = unusable_files(config, user).into_iter();
    let malformed = files.problems(version::tells_of_clients(config, installed));
    report.note_all("files", unusable.chain(malformed));
    let ours: Vec<_> = ours(config).collect();
    let Some(first) = report.take("plugin", ours.first().ok_or_else(|| not_loaded(store))) else {
        return;
    };
    report.note_all(
        "plugin-file",
        ours.iter()
            .filter_map(|plugin| file_is_there(plugin, user).err()),
    );
    report.note_all(
        "plugin-options",
        ours.iter().flat_map(|plugin| option_problems(plugin)),
    );
    report.note_all(
        "plugin-store",
        ours.iter()
            .filter_map(|plugin| is_store(plugin.option("store")?, store).err()),
    );
    let options = options_of(first).ok();
    report.note("loaded-once", is_loaded_once(config, &ours));
    version::check(report, config, options.as_ref(), installed);
    listeners::check(report, config, options.as_ref(), installed);
    beside::check(report, config, content, files);
    settings::check(report, config, options.as_ref(), content);
}

/// The lines that load Countersign.
fn ours(config: &BrokerConfig) -> impl Iterator<Item = &PluginConfig> {
    config
        .plugins
        .iter()
        .filter(|plugin| plugin.is_countersign())
}

/// Says whether the configuration names this store.
pub(super) fn names(config: &BrokerConfig, store: &Path) -> bool {
    let mut named = ours(config).filter_map(|plugin| plugin.option("store"));
    named.any(|path| same(Path::new(path), store))
}

/// What the options of our plugin say about the places that clients arrive at.
pub(super) fn places(config: &BrokerConfig, store: &Path) -> Result<Listeners, Problem> {
    let plugin = ours(config).next().ok_or_else(|| not_loaded(store))?;
    let options = options_of(plugin).map_err(|error| wrong_option(&error, &plugin.at))?;
    let places = Listeners::of(&ListenerOptions::of(&options));
    Ok(with_bridges(config, places))
}

/// The places, and whose client ids the broker's bridges have, where it tells.
pub(super) fn with_bridges(config: &BrokerConfig, places: Listeners) -> Listeners {
    if !version::tells_of_clients(config, Version::installed()) {
        return places;
    }
    let host = fs::read_to_string(HOST_NAME).unwrap_or_default();
    let bridges = config.bridges.iter();
    places.with_bridges(bridges.map(|bridge| bridge.client_id(host.trim_end())))
}

fn not_loaded(store: &Path) -> Problem {
    Problem::new(
        "the broker's configuration does not load Countersign",
        format!(
            "add `plugin /path/to/libmosquitto_countersign.so` and, below it, `plugin_opt_store {}`",
            store.display()
        ),
    )
}

/// The files that a broker reads at its start and can't.
fn unusable_files(config: &BrokerConfig, user: Option<&Account>) -> Vec<Problem> {
    let visitor = user.map(BrokerUser::new);
    let unusable = config.files.iter().filter_map(|(word, file)| {
        let (at, path) = (&file.at, file.value.display());
        let found = match fs::metadata(&file.value) {
            Ok(found) if found.is_file() => found,
            Ok(_) => {
                return Some(Problem::new(
                    format!("{at}: `{word} {path}` is not a file"),
                    "correct the path: the broker does not start with it",
                ));
            }
            Err(error) => {
                return Some(Problem::new(
                    format!("{at}: `{word} {path}` can't be read: {error}"),
                    "correct the path: the broker does not start without the file",
                ));
            }
        };
        let visitor = visitor.as_ref()?;
        visitor.reach(&file.value).err().or_else(|| {
            (!visitor.may(NeededAccess::Read, &found)).then(|| {
                Problem::new(
                    format!("{at}: `{}` may not read `{word} {path}`", visitor.name()),
                    format!("chgrp {0} {path} && chmod g+r {path}", visitor.name()),
                )
            })
        })
    });
    unusable.collect()
}

fn file_is_there(plugin: &PluginConfig, user: Option<&Account>) -> Result<(), Problem> {
    let (at, path) = (&plugin.at, plugin.file().display());
    if plugin.path.trim() != plugin.path {
        return Err(Problem::new(
            format!(
                "{at}: Mosquitto 2.1 takes the white space around the path of the plugin for a \
                 part of it, and does not start: `{}`",
                plugin.path.escape_debug()
            ),
            "remove the white space",
        ));
    }
    if !plugin.file().is_absolute() {
        return Err(Problem::new(
            format!("{at}: `plugin {path}` depends on where the broker is started"),
            "write the whole path of the plugin",
        ));
    }
    let file = match fs::metadata(plugin.file()) {
        Ok(file) if file.is_file() => file,
        Ok(_) => {
            return Err(Problem::new(
                format!("{at}: the plugin `{path}` is not a file"),
                "correct its path",
            ));
        }
        Err(error) => {
            return Err(Problem::new(
                format!("{at}: the plugin `{path}` can't be read: {error}"),
                "correct its path",
            ));
        }
    };
    let Some(user) = user else {
        return Ok(());
    };
    let visitor = BrokerUser::new(user);
    visitor.reach(plugin.file())?;
    if visitor.may(NeededAccess::Read, &file) {
        return Ok(());
    }
    Err(Problem::new(
        format!("{at}: `{}` may not read the plugin `{path}`", user.name),
        format!("chmod a+r {path}"),
    ))
}

fn options_of(plugin: &PluginConfig) -> Result<Options, OptionError> {
    let options = plugin.options.iter();
    Options::parse(options.map(|(key, value)| (key.as_str(), value.value.as_str())))
}

/// All that is wrong with a plugin's options.
fn option_problems(plugin: &PluginConfig) -> Vec<Problem> {
    let mut given = BTreeSet::new();
    let mut problems: Vec<_> = plugin
        .options
        .iter()
        .filter_map(|(key, value)| option_problem(key, value, !given.insert(key)))
        .collect();
    // What no option alone is to blame for.
    if problems.is_empty()
        && let Err(error) = options_of(plugin)
    {
        problems.push(wrong_option(&error, &plugin.at));
    }
    problems
}

fn option_problem(key: &str, value: &Sourced<String>, is_given: bool) -> Option<Problem> {
    let at = &value.at;
    if is_given {
        let error = OptionError::Twice { key: key.into() };
        return Some(wrong_option(&error, at));
    }
    if value.value.trim() != value.value {
        return Some(Problem::new(
            format!(
                "{at}: the white space around the value of `plugin_opt_{key}` belongs to it: `{}`",
                value.value.escape_debug()
            ),
            "remove it: the broker won't start with it",
        ));
    }
    let store = ("store", "/");
    let option = (key, value.value.as_str());
    let parsed = match key {
        "store" => Options::parse([option]),
        _ => Options::parse([store, option]),
    };
    Some(wrong_option(&parsed.err()?, at))
}

fn wrong_option(error: &OptionError, at: &Source) -> Problem {
    let error = error.prefixed(OPTION_PREFIX);
    Problem::new(format!("{at}: {error}"), WILL_NOT_START)
}

fn is_store(named: &str, store: &Path) -> Result<(), Problem> {
    let named = Path::new(named.trim());
    let (shown, store_shown) = (named.display(), store.display());
    if !named.is_absolute() {
        return Err(Problem::new(
            format!("`plugin_opt_store {shown}` depends on where the broker is started"),
            format!("write `plugin_opt_store {store_shown}`"),
        ));
    }
    if same(named, store) {
        return Ok(());
    }
    Err(Problem::new(
        format!("the broker uses the store `{shown}`, and this is `{store_shown}`"),
        format!(
            "name that one with --store {shown}, or this one with `plugin_opt_store {store_shown}`"
        ),
    ))
}

/// Checks that no client is asked about twice, and that no two plugins are one
/// broker.
fn is_loaded_once(config: &BrokerConfig, ours: &[&PluginConfig]) -> Result<(), Problem> {
    let twice = |first: &PluginConfig, second: &PluginConfig, why: &str| {
        Problem::new(
            format!(
                "Countersign is loaded at {} and at {}, {why}",
                first.at, second.at
            ),
            "keep one of them: without `per_listener_settings` it guards all listeners",
        )
    };
    for listener in config.listeners.iter().map(Some).chain([None]) {
        let mut asked = config
            .asked(listener)
            .filter(|plugin| plugin.is_countersign());
        if let (Some(first), Some(second)) = (asked.next(), asked.next()) {
            return Err(twice(first, second, "and the broker does not start so"));
        }
    }
    for (index, second) in ours.iter().enumerate() {
        let broker = second.option("broker");
        let mut before = ours.iter().take(index);
        if let Some(first) = before.find(|first| first.option("broker") == broker) {
            return Err(Problem::new(
                format!(
                    "Countersign is loaded at {} and at {} under one broker's name, and the \
                     broker does not start so",
                    first.at, second.at
                ),
                "give each a `plugin_opt_broker` of its own; on Mosquitto 2.1 load it once with \
                 `global_plugin`, or with `plugin_load` and `plugin_use`",
            ));
        }
    }
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), _) => one == other,
    }
}

const HOST_NAME: &str = "/proc/sys/kernel/hostname";
const WILL_NOT_START: &str = "correct it: the broker won't start with it";
