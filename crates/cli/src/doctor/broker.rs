//! What the broker's configuration makes of the plugin.

use std::fs;
use std::path::Path;

use countersign_admin::check::Places;
use countersign_core::options::Options;

use super::access::{Visitor, Want};
use super::config::{BrokerConfig, PluginLine};
use super::store::Content;
use super::{Problem, Report};
use crate::account::Account;

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    store: &Path,
    content: &Content,
    user: Option<&Account>,
) {
    let plugin = config.plugins.iter().find(|plugin| plugin.is_countersign());
    let Some(plugin) = report.take("plugin", plugin.ok_or_else(|| not_loaded(store))) else {
        return;
    };
    report.note("plugin-file", file_is_there(plugin, user));
    if let Some(options) = report.take("plugin-options", options_of(plugin)) {
        report.note("plugin-store", is_store(&options, store));
    }
    report.note("other-plugins", is_asked_first(config));
    report.note("listeners", is_on_all_listeners(config));
    report.note("anonymous", reloads_well(config, content.admits_anonymous));
    report.note("connection-messages", keeps_secrets(config, content));
}

/// Says whether the configuration names this store.
pub(super) fn names(config: &BrokerConfig, store: &Path) -> bool {
    config
        .plugins
        .iter()
        .filter(|plugin| plugin.is_countersign())
        .any(|plugin| {
            let value = plugin.options.iter().find(|(option, _)| option == "store");
            value.is_some_and(|(_, path)| same(Path::new(path), store))
        })
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

fn file_is_there(plugin: &PluginLine, user: Option<&Account>) -> Result<(), Problem> {
    let path = plugin.path.display();
    if !plugin.path.is_absolute() {
        return Err(Problem::new(
            format!("`plugin {path}` depends on where the broker is started"),
            "write the whole path of the plugin",
        ));
    }
    let file = match fs::metadata(&plugin.path) {
        Ok(file) if file.is_file() => file,
        Ok(_) => {
            return Err(Problem::new(
                format!("the plugin `{path}` is no file"),
                "correct its path",
            ));
        }
        Err(error) => {
            return Err(Problem::new(
                format!("the plugin `{path}` can't be read: {error}"),
                "correct its path",
            ));
        }
    };
    let Some(user) = user else {
        return Ok(());
    };
    let visitor = Visitor::new(user);
    visitor.reach(&plugin.path)?;
    if visitor.may(Want::Read, &file) {
        return Ok(());
    }
    Err(Problem::new(
        format!("`{}` may not read the plugin `{path}`", user.name),
        format!("chmod a+r {path}"),
    ))
}

fn options_of(plugin: &PluginLine) -> Result<Options, Problem> {
    let options = plugin
        .options
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    Options::parse(options).map_err(|error| {
        Problem::new(
            error.to_string(),
            "correct it: the broker won't start with it",
        )
    })
}

fn is_store(options: &Options, store: &Path) -> Result<(), Problem> {
    if !options.store.is_absolute() {
        return Err(Problem::new(
            format!(
                "`plugin_opt_store {}` depends on where the broker is started",
                options.store.display()
            ),
            format!("write `plugin_opt_store {}`", store.display()),
        ));
    }
    if same(&options.store, store) {
        return Ok(());
    }
    let (named, store) = (options.store.display(), store.display());
    Err(Problem::new(
        format!("the broker uses the store `{named}`, and this is `{store}`"),
        format!("name that one with --store {named}, or this one with `plugin_opt_store {store}`"),
    ))
}

fn is_asked_first(config: &BrokerConfig) -> Result<(), Problem> {
    let before = config
        .plugins
        .iter()
        .take_while(|plugin| !plugin.is_countersign());
    let others: Vec<_> = before
        .map(|plugin| format!("`{}`", plugin.path.display()))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "{} is asked before Countersign, and what it allows is allowed",
            others.join(", ")
        ),
        "load Countersign first, unless you mean it so",
    ))
}

fn is_on_all_listeners(config: &BrokerConfig) -> Result<(), Problem> {
    if !config.per_listener_settings {
        return Ok(());
    }
    Err(Problem::new(
        "with `per_listener_settings true` a plugin guards only the listener that it stands below, \
         and before Mosquitto 2.0.21 it can't end sessions",
        "write `per_listener_settings false`; listeners get tenants with `plugin_opt_listener_PORT`",
    ))
}

fn reloads_well(config: &BrokerConfig, admits_anonymous: bool) -> Result<(), Problem> {
    if config.allow_anonymous || !admits_anonymous {
        return Ok(());
    }
    Err(Problem::new(
        "a tenant admits clients without a login, and Mosquitto drops those on SIGHUP, \
         as `allow_anonymous` is false",
        "write `allow_anonymous true`; Countersign still decides who gets in",
    ))
}

fn keeps_secrets(config: &BrokerConfig, content: &Content) -> Result<(), Problem> {
    let Some(scheme) = content.show_secrets.first() else {
        return Ok(());
    };
    if config.hides_connections {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "clients of scheme `{scheme}` present a secret as user name or client id, and \
             Mosquitto writes both into its log"
        ),
        "write `connection_messages false`; Countersign's own lines show such names masked",
    ))
}

/// What the options of our plugin say about the places that clients arrive at.
pub(super) fn places(config: &BrokerConfig, store: &Path) -> Result<Places, Problem> {
    let plugin = config.plugins.iter().find(|plugin| plugin.is_countersign());
    let plugin = plugin.ok_or_else(|| not_loaded(store))?;
    Ok(Places::of(&options_of(plugin)?))
}

fn same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), _) => one == other,
    }
}
