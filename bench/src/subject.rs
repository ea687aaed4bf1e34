//! What is compared: ways to have Mosquitto decide who may connect.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use countersign_testkit::broker::{Builder, Version};
use countersign_testkit::{Broker, artifacts};
use serde_json::json;

use crate::login::{self, Login};
use crate::scale::Scale;
use crate::store::{self, Devices, read};

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
    pub fn login(self, index: usize) -> Login {
        match self {
            Self::Generated | Self::Roles => Login::generated(index),
            _ => Login::chosen(index),
        }
    }

    /// The CONNECTs of these numbers.
    pub fn connects(self, numbers: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
        let connect = |number| self.login(number).connect().bytes();
        numbers.map(connect).collect()
    }

    /// The numbers of the devices that have logged in before anything is measured.
    pub fn known(self, scale: &Scale) -> Range<usize> {
        match self {
            // Each is a slow hash.
            Self::Chosen => 0..KNOWN_PASSWORDS.min(scale.connects),
            _ => 0..scale.connects,
        }
    }

    /// The numbers of the devices that log in for the first time in this round.
    pub fn fresh(self, scale: &Scale, round: usize) -> Range<usize> {
        let each = match self {
            Self::Chosen => scale.first_passwords,
            Self::Generated => scale.first_logins,
            _ => 0,
        };
        nth(self.known(scale).end, each, round)
    }

    /// The numbers of the devices that are kept for storms.
    pub fn stormers(self, scale: &Scale) -> Range<usize> {
        match self {
            Self::Chosen => nth(self.fresh(scale, scale.rounds).start, 2_000, 0),
            _ => self.known(scale),
        }
    }

    /// The numbers of the devices that logged in before their broker was started
    /// and log in again in this round. They are the last ones.
    pub fn returning(self, scale: &Scale, round: usize) -> Range<usize> {
        let each = match self {
            Self::Chosen => scale.first_passwords,
            _ => 0,
        };
        let others = self.fresh(scale, scale.rounds).start;
        nth(others.max(self.stormers(scale).end), each, round)
    }

    /// Fills `folder` with what `count` logins need, for [`Subject::configure`].
    /// Those of `used` logged in before, where that makes a difference.
    pub fn prepare(self, folder: &Path, count: usize, used: Range<usize>) -> Result<()> {
        fs::create_dir_all(folder)?;
        match self {
            Self::Bare => Ok(()),
            Self::Yes => yes(folder),
            Self::Files => password_file(folder, count),
            Self::DynamicSecurity => dynamic_security(folder, count),
            Self::Generated | Self::Roles | Self::Chosen => Devices {
                count,
                used,
                have_passwords: self == Self::Chosen,
                have_roles: self == Self::Roles,
            }
            .store_in(folder),
        }
    }

    /// A broker of this version that decides by what is in `folder`. It has
    /// Mosquitto's own defaults, but for what it logs of every connect.
    pub fn configure(self, version: Version, folder: &Path) -> Result<Builder> {
        let at = |name: &str| folder.join(name);
        let builder = Broker::builder(version)
            .log_types(&["error", "warning", "notice", "information"])
            .line("set_tcp_nodelay true")
            .line("connection_messages false")
            .line(format!(
                "allow_anonymous {}",
                !matches!(self, Self::Yes | Self::Files | Self::DynamicSecurity)
            ));
        Ok(match self {
            Self::Bare => builder,
            Self::Yes => builder.plugin(at(YES)),
            Self::Files => builder
                .line(format!("password_file {}", at(PASSWORDS).display()))
                .line(format!("acl_file {}", at(ACL).display())),
            Self::DynamicSecurity => builder
                .plugin(dynamic_security_plugin(version)?)
                .plugin_option("config_file", at(DYNAMIC_SECURITY).display()),
            Self::Generated | Self::Roles | Self::Chosen => builder
                .plugin(artifacts::plugin()?)
                .plugin_option("store", store::file(folder).display()),
        })
    }
}

fn nth(first: usize, each: usize, index: usize) -> Range<usize> {
    first + index * each..first + (index + 1) * each
}

/// The chosen password's hash of kind `$7$`, PBKDF2 of SHA-512, as Debian's
/// `mosquitto_passwd` makes it: iterations, salt, hash. All who share the password
/// may share its hash, which is checked no faster for that.
fn hash_of_chosen(folder: &Path) -> Result<[String; 3]> {
    let file = folder.join("one.passwords");
    let mut tool = Command::new("mosquitto_passwd");
    tool.args(["-H", "sha512-pbkdf2", "-c", "-b"]).arg(&file);
    read(tool.args(["one", login::CHOSEN]))?;
    let text = fs::read_to_string(&file)?;
    let parts: Vec<&str> = text.trim().split('$').collect();
    let ["one:", "7", iterations, salt, hash] = parts[..] else {
        bail!("mosquitto_passwd wrote `{}`", text.trim());
    };
    Ok([iterations, salt, hash].map(str::to_owned))
}

fn password_file(folder: &Path, count: usize) -> Result<()> {
    let hash = hash_of_chosen(folder)?.join("$");
    let lines: String = (0..count.max(1))
        .map(|index| format!("{}:$7${hash}\n", login::name(index)))
        .collect();
    fs::write(folder.join(PASSWORDS), lines)?;
    let rule = format!("pattern readwrite {}/#\n", login::TENANT);
    Ok(fs::write(folder.join(ACL), rule)?)
}

fn dynamic_security(folder: &Path, count: usize) -> Result<()> {
    let [iterations, salt, hash] = hash_of_chosen(folder)?;
    let iterations: u32 = iterations.parse()?;
    let client = |index| {
        json!({
            "username": login::name(index),
            "password": hash,
            "salt": salt,
            "iterations": iterations,
            "roles": [{"rolename": "device"}],
        })
    };
    let topic = format!("{}/#", login::TENANT);
    let acl = |kind| json!({"acltype": kind, "topic": topic, "priority": 0, "allow": true});
    let config = json!({
        "defaultACLAccess": {
            "publishClientSend": false,
            "publishClientReceive": false,
            "subscribe": false,
            "unsubscribe": true,
        },
        "clients": (0..count.max(1)).map(client).collect::<Vec<_>>(),
        "roles": [{
            "rolename": "device",
            "acls": USES.map(acl),
        }],
    });
    let file = folder.join(DYNAMIC_SECURITY);
    Ok(fs::write(file, serde_json::to_vec(&config)?)?)
}

/// Builds the plugin that says yes.
fn yes(folder: &Path) -> Result<()> {
    let source = folder.join("yes.c");
    fs::write(&source, include_str!("yes.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-pthread", "-o"]);
    read(compiler.arg(folder.join(YES)).arg(&source)).map(drop)
}

/// Where the plugin lies that came with a broker.
fn dynamic_security_plugin(version: Version) -> Result<PathBuf> {
    let command = artifacts::broker(version)?.command;
    let program = command.last().context("it has no command")?;
    let usr = Path::new(program).ancestors().nth(2);
    for entry in fs::read_dir(usr.context("the broker is in no folder")?.join("lib"))? {
        let plugin = entry?.path().join("mosquitto_dynamic_security.so");
        if plugin.exists() {
            return Ok(plugin);
        }
    }
    bail!("{program} brought no dynamic-security plugin");
}

/// What dynamic-security lets a device do with its topics.
const USES: [&str; 3] = [
    "publishClientSend",
    "publishClientReceive",
    "subscribePattern",
];

/// The subject that all others are told against.
pub const BASELINE: &str = "bare";

/// How many devices with chosen passwords reconnect.
const KNOWN_PASSWORDS: usize = 100;

const PASSWORDS: &str = "passwords";
const ACL: &str = "acl";
const DYNAMIC_SECURITY: &str = "dynamic-security.json";
const YES: &str = "yes.so";
