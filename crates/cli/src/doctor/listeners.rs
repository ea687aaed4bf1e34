//! The listeners: which of them Countersign guards, and what they take.

use countersign_config::{BrokerConfig, ListenerConfig, OpenedBy, is_on};
use countersign_core::options::Options;

use super::version::Version;
use super::{Problem, Report};

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    options: Option<&Options>,
    installed: Option<Version>,
) {
    report.note_all("ports", taken_ports(config));
    report.note_all("default-listener", opened_besides(config));
    report.note_all("listeners", unguarded(config));
    report.note("per-listener", ticks(config, installed));
    report.note_all("http-api", http(config));
    report.note_all("certificates", names_from_certificates(config));
    if let Some(options) = options {
        report.note_all("listener-options", unknown_ports(config, options));
    }
}

/// A listener, as a message names it.
pub(super) fn shown(listener: Option<&ListenerConfig>) -> String {
    let Some(listener) = listener else {
        return "the broker, which listens on localhost,".into();
    };
    let at = &listener.at;
    match (&listener.bind, listener.port) {
        (Some(path), 0) => format!("listener `{path}` ({at})"),
        (Some(address), port) => format!("listener {port} on `{address}` ({at})"),
        (None, port) => format!("listener {port} ({at})"),
    }
}

/// The listeners of a broker; none stands for the one on localhost that it
/// has where no other is named.
pub(super) fn each(config: &BrokerConfig) -> impl Iterator<Item = Option<&ListenerConfig>> {
    let named = config.listeners.iter().map(Some);
    named.chain(config.listeners.is_empty().then_some(None))
}

pub(super) fn is_guarded(config: &BrokerConfig, listener: Option<&ListenerConfig>) -> bool {
    let mut asked = config.asked(listener);
    asked.any(countersign_config::PluginConfig::is_countersign)
}

fn taken_ports(config: &BrokerConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, listener) in config.listeners.iter().enumerate() {
        let mut before = config.listeners.iter().take(index);
        let Some(first) = before.find(|first| first.collides(listener)) else {
            continue;
        };
        let (first, second) = (shown(Some(first)), shown(Some(listener)));
        problems.push(Problem::new(
            format!("{first} and {second} are on one port, and the broker does not start so"),
            "remove one of them",
        ));
    }
    problems
}

fn opened_besides(config: &BrokerConfig) -> Option<Problem> {
    if config.listeners.len() < 2 {
        return None;
    }
    config.listeners.iter().find_map(|listener| match &listener.opened {
        OpenedBy::ByListener | OpenedBy::ByPort => None,
        OpenedBy::BySetting(word) => Some(Problem::new(
            format!(
                "{}: `{word}` stands above the first `listener` of its file, so it opens port {} \
                 besides, and belongs to that one alone",
                listener.at, listener.port
            ),
            "move it below the `listener` line that it is meant for",
        )),
    })
}

fn unguarded(config: &BrokerConfig) -> Vec<Problem> {
    let unguarded = each(config).filter(|listener| !is_guarded(config, *listener));
    let problems = unguarded.map(|listener| {
        let shown = shown(listener);
        let others = config.asked(listener).find(|plugin| !plugin.is_storage());
        let judge = match (&config.security(listener).password_file, others) {
            (_, Some(plugin)) => Some(format!("the plugin at {}", plugin.at)),
            (Some(file), None) => Some(format!("`password_file` ({})", file.at)),
            (None, None) => None,
        };
        if let Some(judge) = judge {
            return Problem::warning(
                format!("{shown} is not guarded by Countersign: {judge} decides who gets in"),
                GUARD_IT,
            );
        }
        let consequence = if config.allows_anonymous(listener) {
            "everybody gets in and may use the topics of every tenant"
        } else {
            "nobody gets in, as `allow_anonymous` is false"
        };
        Problem::new(
            format!("{shown} is not guarded by Countersign: {consequence}"),
            GUARD_IT,
        )
    });
    problems.collect()
}

fn ticks(config: &BrokerConfig, installed: Option<Version>) -> Result<(), Problem> {
    let Some(setting) = &config.per_listener_settings else {
        return Ok(());
    };
    let is_new = installed.is_some_and(|installed| installed >= Version::TICKS);
    if !setting.value || config.only_2_1.is_some() || is_new {
        return Ok(());
    }
    Err(Problem::new(
        format!(
            "{}: with `per_listener_settings true` a plugin guards only the listener that it stands \
             below, and before Mosquitto 2.0.21 Countersign refuses everybody, as it can't end \
             sessions",
            setting.at
        ),
        "write `per_listener_settings false`; listeners get tenants with `plugin_opt_listener_PORT`",
    ))
}

fn http(config: &BrokerConfig) -> Vec<Problem> {
    let doors = config
        .listeners
        .iter()
        .filter(|listener| listener.is_http_api());
    let guarded = doors.filter(|listener| is_guarded(config, Some(listener)));
    let problems = guarded.map(|listener| {
        Problem::warning(
            format!(
                "{} speaks `http_api`: Mosquitto asks about it on another thread, and Countersign \
                 refuses every such request; MQTT is not touched by it",
                shown(Some(listener))
            ),
            "remove the listener, as its requests are all refused",
        )
    });
    problems.collect()
}

fn names_from_certificates(config: &BrokerConfig) -> Vec<Problem> {
    let listeners = config.listeners.iter().filter(|listener| {
        listener.is_name_certified() && !is_on(listener.use_username_as_clientid.as_ref())
    });
    let problems = listeners.map(|listener| {
        Problem::warning(
            format!(
                "on {} Mosquitto asks nobody about a CONNECT: a client with any valid certificate \
                 or key may present the client id of another one, and ends its session",
                shown(Some(listener))
            ),
            "write `use_username_as_clientid true` below the listener, so that the client id is \
             the certified name",
        )
    });
    problems.collect()
}

/// Options that name a port nobody arrives at, or one without TLS.
fn unknown_ports(config: &BrokerConfig, options: &Options) -> Vec<Problem> {
    let open = |port: &u16| {
        config
            .listeners
            .iter()
            .find(|listener| listener.port == *port)
    };
    let tenants = options.listeners.keys().filter(|port| open(port).is_none());
    let tenants = tenants.map(|port| {
        Problem::warning(
            format!("`plugin_opt_listener_{port}` names a port that no `listener` opens"),
            "correct the port, or remove the option",
        )
    });
    let protected = options.tls_listeners.iter().filter_map(|port| {
        let problem = match open(port) {
            None => "a port that no `listener` opens",
            Some(listener) if listener.tls.is_none() => {
                "a listener that has no certificate and no pre-shared keys"
            }
            Some(_) => return None,
        };
        Some(Problem::warning(
            format!("`plugin_opt_tls_listeners` names {port}, {problem}"),
            "name listeners alone whose clients came through TLS",
        ))
    });
    tenants.chain(protected).collect()
}

const GUARD_IT: &str = "on Mosquitto 2.1 write `plugin_use NAME` below it, or load Countersign with \
                        `global_plugin`; else write `per_listener_settings false` and one `plugin` \
                        line";
