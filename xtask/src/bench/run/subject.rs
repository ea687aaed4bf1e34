//! What is compared: ways to have Mosquitto decide who may connect.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Bench;
use super::login::{self, Login};
use super::store::{self, Devices, Secrets};
use crate::brokers::Broker;
use crate::command::read;

/// A broker that decides in one way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// Anybody may connect and do anything.
    Bare,
    /// A plugin that says yes and has a thread that sleeps.
    Yes,
    /// `password_file` and `acl_file`.
    Files,
    /// Mosquitto's own plugin.
    DynamicSecurity,
    /// Countersign, each device with a generated secret.
    Generated,
    /// The same with roles, a group and rules of its own.
    Roles,
    /// Countersign, each device with a chosen password.
    Chosen,
}

impl Subject {
    pub const ALL: [Self; 7] = [
        Self::Bare,
        Self::Yes,
        Self::Files,
        Self::DynamicSecurity,
        Self::Generated,
        Self::Roles,
        Self::Chosen,
    ];

    /// The name in the tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bare => BASELINE,
            Self::Yes => "a plugin that says yes, with a thread",
            Self::Files => "password_file + acl_file",
            Self::DynamicSecurity => "dynamic-security",
            Self::Generated => "countersign, generated",
            Self::Roles => "countersign, generated, with roles, group and rules",
            Self::Chosen => "countersign, Argon2id, known",
        }
    }

    /// How number `index` logs in.
    pub fn login(self, index: usize) -> Result<Login> {
        match self {
            Self::Generated | Self::Roles => Login::generated(index),
            Self::Bare | Self::Yes | Self::Files | Self::DynamicSecurity | Self::Chosen => {
                Ok(Login::chosen(index))
            }
        }
    }

    /// Fills `folder` with what `count` logins need, for [`Subject::config`].
    /// Those of `used` logged in before, where that makes a difference.
    pub fn prepare(
        self,
        bench: &Bench,
        folder: &Path,
        count: usize,
        used: Range<usize>,
    ) -> Result<()> {
        fs::create_dir_all(folder)?;
        let filled = |secrets| {
            let devices = Devices {
                count,
                secrets,
                used,
                have_roles: self == Self::Roles,
            };
            store::make(bench, folder, &devices)
        };
        match self {
            Self::Bare => Ok(()),
            Self::Yes => yes(folder),
            Self::Files => password_file(folder, count),
            Self::DynamicSecurity => dynamic_security(folder, count),
            Self::Generated | Self::Roles => filled(Secrets::Generated),
            Self::Chosen => filled(Secrets::Chosen),
        }
    }

    /// The lines of mosquitto.conf that have `broker` decide by what is in
    /// `folder`.
    pub fn config(self, bench: &Bench, broker: &Broker, folder: &Path) -> Result<String> {
        let at = |name: &str| folder.join(name).display().to_string();
        Ok(match self {
            Self::Bare => "allow_anonymous true\n".to_owned(),
            Self::Yes => format!("allow_anonymous false\nplugin {}\n", at(YES)),
            Self::Files => format!(
                "allow_anonymous false\npassword_file {}\nacl_file {}\n",
                at(PASSWORDS),
                at(ACL)
            ),
            Self::DynamicSecurity => format!(
                "allow_anonymous false\nplugin {}\nplugin_opt_config_file {}\n",
                dynamic_security_plugin(broker)?,
                at(DYNAMIC_SECURITY)
            ),
            Self::Generated | Self::Roles | Self::Chosen => format!(
                "allow_anonymous true\nplugin {}\nplugin_opt_store {}\n",
                bench.plugin().display(),
                store::file(folder).display()
            ),
        })
    }
}

/// `$7$`: PBKDF2 of SHA-512, as Debian's `mosquitto_passwd` makes it.
struct Hash {
    iterations: u32,
    salt: String,
    hash: String,
}

impl Hash {
    /// Hashes the chosen password; all who share it may share its hash, which
    /// is checked no faster for that.
    fn of_chosen(folder: &Path) -> Result<Self> {
        let file = folder.join("one.passwords");
        let mut tool = std::process::Command::new("mosquitto_passwd");
        tool.args(["-H", "sha512-pbkdf2", "-c", "-b"])
            .arg(&file)
            .args(["one", login::CHOSEN]);
        read(&mut tool)?;
        let text = fs::read_to_string(&file)?;
        let parts: Vec<&str> = text.trim().split('$').collect();
        let ["one:", "7", iterations, salt, hash] = parts[..] else {
            bail!("mosquitto_passwd wrote `{}`", text.trim());
        };
        Ok(Self {
            iterations: iterations.parse()?,
            salt: salt.to_owned(),
            hash: hash.to_owned(),
        })
    }
}

fn password_file(folder: &Path, count: usize) -> Result<()> {
    let Hash {
        iterations,
        salt,
        hash,
    } = Hash::of_chosen(folder)?;
    let lines: String = (0..count.max(1))
        .map(|index| format!("{}:$7${iterations}${salt}${hash}\n", login::name(index)))
        .collect();
    fs::write(folder.join(PASSWORDS), lines)?;
    let rule = format!("pattern readwrite {}/#\n", login::TENANT);
    fs::write(folder.join(ACL), rule)?;
    Ok(())
}

fn dynamic_security(folder: &Path, count: usize) -> Result<()> {
    let hash = Hash::of_chosen(folder)?;
    let clients: Vec<_> = (0..count.max(1))
        .map(|index| {
            json!({
                "username": login::name(index),
                "password": hash.hash,
                "salt": hash.salt,
                "iterations": hash.iterations,
                "roles": [{"rolename": "device"}],
            })
        })
        .collect();
    let kinds = [
        "publishClientSend",
        "publishClientReceive",
        "subscribePattern",
    ];
    let acls = kinds.map(|kind| {
        json!({
            "acltype": kind,
            "topic": format!("{}/#", login::TENANT),
            "priority": 0,
            "allow": true,
        })
    });
    let nothing = json!({
        "publishClientSend": false,
        "publishClientReceive": false,
        "subscribe": false,
        "unsubscribe": true,
    });
    let config = json!({
        "defaultACLAccess": nothing,
        "clients": clients,
        "roles": [{"rolename": "device", "acls": acls}],
    });
    fs::write(folder.join(DYNAMIC_SECURITY), serde_json::to_vec(&config)?)?;
    Ok(())
}

/// Builds the plugin that says yes.
fn yes(folder: &Path) -> Result<()> {
    let source = folder.join("yes.c");
    fs::write(&source, include_str!("yes.c"))?;
    let mut compiler = std::process::Command::new("cc");
    compiler
        .args(["-O2", "-shared", "-fPIC", "-pthread", "-o"])
        .arg(folder.join(YES))
        .arg(&source);
    read(&mut compiler)?;
    Ok(())
}

/// Where the plugin lies that came with `broker`.
fn dynamic_security_plugin(broker: &Broker) -> Result<String> {
    let program = broker.command.last().context("it has no command")?;
    let usr = Path::new(program)
        .ancestors()
        .nth(2)
        .context("the broker is in no folder")?;
    for entry in fs::read_dir(usr.join("lib"))? {
        let plugin = entry?.path().join("mosquitto_dynamic_security.so");
        if plugin.exists() {
            return Ok(plugin.display().to_string());
        }
    }
    bail!("{program} brought no dynamic-security plugin");
}

/// The subject that all others are told against.
pub const BASELINE: &str = "bare";

const PASSWORDS: &str = "passwords";
const ACL: &str = "acl";
const DYNAMIC_SECURITY: &str = "dynamic-security.json";
const YES: &str = "yes.so";
