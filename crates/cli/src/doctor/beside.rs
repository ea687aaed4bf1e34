//! What else decides besides Countersign: password files, ACL files and other
//! plugins.

use countersign_config::{BrokerConfig, ListenerConfig, PluginConfig};
use countersign_core::given::one_line;

use super::listeners::{each, is_guarded};
use super::mosquitto_files::MosquittoFiles;
use super::store::Content;
use super::{Problem, Report};

pub(super) fn check(
    report: &mut Report,
    config: &BrokerConfig,
    content: &Content,
    files: &MosquittoFiles,
) {
    report.note_all("other-plugins", other_plugins(config));
    report.note_found("password-file", password_files(config, content, files));
    report.note_all("acl-file", acl_files(config));
    report.note_all("chain", open_chain(config));
}

/// The listeners that Countersign guards, each with its line.
fn guarded(
    config: &BrokerConfig,
) -> impl Iterator<Item = (Option<&ListenerConfig>, &PluginConfig)> {
    let guarded = each(config).filter(|listener| is_guarded(config, *listener));
    guarded.filter_map(|listener| {
        let mut asked = config.asked(listener);
        let ours = asked.find(|plugin| plugin.is_countersign())?;
        Some((listener, ours))
    })
}

/// Whether others may grant what this refused.
fn defers(ours: &PluginConfig) -> bool {
    ours.option("chain") == Some("defer")
}

fn other_plugins(config: &BrokerConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    for plugin in config.plugins.iter().filter(|plugin| !plugin.is_storage()) {
        if plugin.is_countersign() {
            continue;
        }
        let beside = guarded(config).find_map(|(listener, ours)| {
            let position =
                |one: &PluginConfig| config.asked(listener).position(|asked| asked == one);
            Some((position(plugin)? < position(ours)?, ours))
        });
        let (at, path) = (&plugin.at, plugin.file().display());
        match beside {
            Some((true, _)) => problems.push(Problem::new(
                format!(
                    "{at}: `{path}` is asked before Countersign, and what it allows is allowed"
                ),
                "load Countersign first, unless you mean it so",
            )),
            Some((false, ours)) if !defers(ours) => problems.push(Problem::warning(
                format!(
                    "{at}: `{path}` is never asked about logins and topics, as Countersign ({}) \
                     answers for everybody",
                    ours.at
                ),
                DEFER,
            )),
            Some((false, _)) | None => {}
        }
    }
    problems
}

/// What becomes of users whose names Countersign does not know; which of them are not
/// moved yet, where the file lets them in.
fn password_files(
    config: &BrokerConfig,
    content: &Content,
    files: &MosquittoFiles,
) -> Result<Option<String>, Problem> {
    let mut waiting = None;
    for (listener, ours) in guarded(config) {
        let security = config.security(listener);
        let Some(file) = &security.password_file else {
            continue;
        };
        let strangers = files.strangers(&file.value, content.names.as_ref());
        let at = &file.at;
        let file = format!("`password_file {}`", file.value.display());
        let (users, is_one) = match strangers.as_deref() {
            Some([]) => continue,
            Some([name]) => (format!("the user `{}` of {file}", one_line(name)), true),
            Some([name, others @ ..]) => {
                let count = others.len().saturating_add(1);
                let name = one_line(name);
                let users = format!("{count} users of {file}, `{name}` among them,");
                (users, false)
            }
            None => (format!("the users of {file}"), false),
        };
        let are = if is_one { "is" } else { "are" };
        if !defers(ours) {
            return Err(Problem::warning(
                format!(
                    "{at}: {users} {are} refused, as Countersign ({}) answers for everybody",
                    ours.at
                ),
                format!("take them over with `{IMPORT}`, or {DEFER}"),
            ));
        }
        let has_rights = security.acl_file.is_some();
        let others = config.asked(listener);
        let others = others.filter(|plugin| !plugin.is_countersign() && !plugin.is_storage());
        if !has_rights && others.count() == 0 {
            let get = if is_one { "gets" } else { "get" };
            return Err(Problem::warning(
                format!(
                    "{at}: {users} {get} in and may do nothing, as no `acl_file` says what they may"
                ),
                "name an `acl_file` for them, or make a credential for each",
            ));
        }
        if waiting.is_none() && strangers.is_some() {
            waiting = Some(format!("{at}: {users} {are} not in the store yet"));
        }
    }
    Ok(waiting)
}

fn acl_files(config: &BrokerConfig) -> Option<Problem> {
    guarded(config).find_map(|(listener, ours)| {
        let file = config.security(listener).acl_file.as_ref()?;
        (!defers(ours)).then(|| {
            Problem::warning(
                format!(
                    "{}: `acl_file {}` is never asked, as Countersign ({}) answers for everybody",
                    file.at,
                    file.value.display(),
                    ours.at
                ),
                format!("take the line out once its rules are taken over (`{IMPORT}`), or {DEFER}"),
            )
        })
    })
}

/// Where Countersign defers, Mosquitto itself lets clients in that have no
/// name.
fn open_chain(config: &BrokerConfig) -> Option<Problem> {
    guarded(config).find_map(|(listener, ours)| {
        let open = defers(ours) && listener.is_some() && config.allows_anonymous(listener);
        open.then(|| {
            Problem::new(
                format!(
                    "{}: with `plugin_opt_chain defer` and `allow_anonymous true` Mosquitto lets \
                     clients without a login in that every tenant refuses",
                    ours.at
                ),
                "write `allow_anonymous false`, or `plugin_opt_chain final`",
            )
        })
    })
}

/// Moves users and rules in.
const IMPORT: &str = "countersign import mosquitto --config FILE --tenant T";
const DEFER: &str = "write `plugin_opt_chain defer`, so that Mosquitto goes on asking about names \
                     that Countersign does not know";
