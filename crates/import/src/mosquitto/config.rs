//! Which files a configuration of Mosquitto names, and what else it says of users.

use std::path::Path;

use countersign_config::{BrokerConfig, ListenerConfig, PluginConfig, Security, Source, Sourced};

use super::anonymous::admission;
use super::source::MosquittoSource;
use crate::content::read_source;
use crate::error::SourceError;
use crate::import_error::ImportError;
use crate::place::{Place, SourceName};
use crate::plan::desired::{Item, Outcome};
use crate::source::Dialect;
use crate::source::acl_file::AclFile;
use crate::source::passwords::PasswordFile;

impl MosquittoSource {
    /// Reads the files at these paths, of which there must be one at least.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where one can't be read or Mosquitto would not load
    /// it.
    pub fn read_files(passwords: Option<&Path>, acl: Option<&Path>) -> Result<Self, ImportError> {
        Self::read_files_of(Dialect::Mosquitto, passwords, acl)
    }

    /// The same, as another program reads them.
    pub(crate) fn read_files_of(
        dialect: Dialect,
        passwords: Option<&Path>,
        acl: Option<&Path>,
    ) -> Result<Self, ImportError> {
        let Some(first) = passwords.or(acl) else {
            let message = "there is nothing to import: name a file of passwords or of rules";
            return Err(ImportError::Refused(message.into()));
        };
        Ok(Self {
            dialect,
            passwords: passwords
                .map(|path| read_passwords(path, dialect))
                .transpose()?,
            acl: acl.map(|path| read_acl(path, dialect)).transpose()?,
            admits_anonymous: None,
            settings: Vec::new(),
            has_rules_of_plugin: false,
            certifies_names: false,
            whole: Some(SourceName::of(first).whole()),
        })
    }

    /// Reads a configuration of Mosquitto, and the files that it names.
    ///
    /// # Errors
    ///
    /// Returns [`ImportError`] where the configuration or a file can't be read, where
    /// a broker would not start with it, where it names no file, and where its
    /// listeners have different ones.
    pub fn read_config(path: &Path) -> Result<Self, ImportError> {
        let config = BrokerConfig::read(path).map_err(|error| refused(error.to_string()))?;
        if let Some(diagnostic) = config.diagnostics.first() {
            return Err(refused(diagnostic.to_string()));
        }
        let listeners: Vec<&ListenerConfig> = config
            .listeners
            .iter()
            .filter(|listener| !listener.is_http_api())
            .collect();
        let securities: Vec<&Security> = if listeners.is_empty() {
            vec![config.security(None)]
        } else {
            listeners
                .iter()
                .map(|it| config.security(Some(it)))
                .collect()
        };
        let files = |file: fn(&Security) -> Option<&Sourced<_>>, word| {
            only(securities.iter().map(|security| file(security)), word)
        };
        let passwords = files(|security| security.password_file.as_ref(), "password_file")?;
        let acl = files(|security| security.acl_file.as_ref(), "acl_file")?;
        if passwords.is_none() && acl.is_none() {
            return Err(refused(format!(
                "`{}` names no password_file and no acl_file, so there is nothing to import",
                path.display()
            )));
        }
        let (admits, differs) = admission(&config, &listeners);
        let differs = differs.map(|(at, told)| Item::new(place(at), "allow_anonymous", told));
        let dialect = Dialect::Mosquitto;
        Ok(Self {
            dialect,
            passwords: passwords
                .map(|it| read_passwords(&it.value, dialect))
                .transpose()?,
            acl: acl.map(|it| read_acl(&it.value, dialect)).transpose()?,
            admits_anonymous: Some(admits),
            settings: settings(&config, &securities)
                .into_iter()
                .chain(differs)
                .collect(),
            has_rules_of_plugin: others(&config).next().is_some(),
            certifies_names: listeners.iter().any(|it| it.is_name_certified()),
            whole: Some(SourceName::of(path).whole()),
        })
    }
}

fn read_passwords(path: &Path, dialect: Dialect) -> Result<PasswordFile, SourceError> {
    PasswordFile::parse(&read_source(path)?, dialect)
}

fn read_acl(path: &Path, dialect: Dialect) -> Result<AclFile, SourceError> {
    AclFile::parse(&read_source(path)?, dialect)
}

/// The one file that all listeners have, if any.
fn only<'a, T: PartialEq>(
    files: impl Iterator<Item = Option<&'a Sourced<T>>>,
    word: &str,
) -> Result<Option<&'a Sourced<T>>, ImportError> {
    let mut found: Option<Option<&Sourced<T>>> = None;
    for file in files {
        let is_other = found
            .is_some_and(|found| found.map(|found| &found.value) != file.map(|file| &file.value));
        if is_other {
            return Err(refused(format!(
                "listeners have different files under `{word}`; import each with --passwords and \
                 --acl, into a tenant of its own if their users differ"
            )));
        }
        found = Some(file);
    }
    Ok(found.flatten())
}

/// What the configuration says of users that stand in no such file.
fn settings(config: &BrokerConfig, securities: &[&Security]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for security in securities {
        if let Some(file) = &security.psk_file {
            let why = "identities of pre-shared keys are not taken over";
            let fix = "make a credential with --external-identity for each";
            let item = Item::new(
                place(&file.at),
                file.value.display().to_string(),
                Outcome::lost(why, fix),
            );
            if items.iter().all(|other| other.place != item.place) {
                items.push(item);
            }
        }
    }
    items.extend(others(config).map(of_plugin));
    items
}

/// The plugins that are asked about users or rules.
fn others(config: &BrokerConfig) -> impl Iterator<Item = &PluginConfig> {
    let plugins = config.plugins.iter();
    plugins.filter(|plugin| !plugin.is_countersign() && !plugin.is_storage())
}

fn of_plugin(plugin: &PluginConfig) -> Item {
    let file = plugin.file().display().to_string();
    let fix = match plugin.option("config_file") {
        Some(path) if file.contains("dynamic_security") => {
            format!("import them with `import dynamic-security {path}`")
        }
        Some(_) | None => "import them from where the plugin keeps them".into(),
    };
    let why = "users and rules of another plugin are not in these files";
    Item::new(place(&plugin.at), file, Outcome::lost(why, fix))
}

fn place(at: &Source) -> Place {
    SourceName::of(&at.file).line(at.line)
}

fn refused(message: String) -> ImportError {
    ImportError::Refused(message)
}
