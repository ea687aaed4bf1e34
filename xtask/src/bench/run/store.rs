//! Countersign's stores, made by its program and filled through its library.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use countersign_core::credential::Credential;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretDigest, Verifier};
use countersign_core::store::{AdminStore, AdminTransaction, Directory, Intent};
use countersign_sqlite::SqliteStore;

use super::{Bench, login};
use crate::command::read;

/// What the credentials of a store are proved by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Secrets {
    Chosen,
    Generated,
}

/// The credentials of a store.
pub struct Devices {
    pub count: usize,
    pub secrets: Secrets,
    /// The numbers of those that logged in before any broker was started.
    pub used: Range<usize>,
    /// Whether each has two roles of four rules, a group, and two rules of its
    /// own.
    pub have_roles: bool,
}

/// One store for each number of credentials.
pub struct Sizes {
    folders: Vec<(usize, PathBuf)>,
}

impl Sizes {
    /// The stores in `place`, made if there are none.
    pub fn in_place<'a>(place: &'a mut Option<Self>, bench: &Bench) -> Result<&'a Self> {
        Ok(match place {
            Some(sizes) => sizes,
            None => place.insert(Self::make(bench)?),
        })
    }

    fn make(bench: &Bench) -> Result<Self> {
        let mut folders = Vec::new();
        for &count in &bench.scale.sizes {
            let folder = bench.folder.path().join(format!("store-of-{count}"));
            fs::create_dir_all(&folder)?;
            let start = Instant::now();
            // One at least, so that somebody can log in.
            let count = count.max(1);
            let devices = Devices {
                count,
                secrets: Secrets::Generated,
                used: 0..0,
                have_roles: false,
            };
            make(bench, &folder, &devices)?;
            let bytes = file(&folder).metadata()?.len();
            println!(
                "store of {count} credentials: {:.1} s, {:.1} MiB",
                start.elapsed().as_secs_f64(),
                bytes as f64 / 1_048_576.0
            );
            folders.push((count, folder));
        }
        Ok(Self { folders })
    }

    /// Each size with its store's folder.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Path)> {
        self.folders
            .iter()
            .map(|(count, folder)| (*count, folder.as_path()))
    }
}

/// The store's file in `folder`.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("countersign.db")
}

/// The program at work on the store in `folder`.
pub fn cli(bench: &Bench, folder: &Path, arguments: &[&str]) -> Command {
    let mut cli = Command::new(bench.cli());
    cli.env("COUNTERSIGN_STORE", file(folder)).args(arguments);
    cli
}

/// Makes a store with one tenant and its devices, many in each transaction: an
/// act for each would sync to disk for each.
pub fn make(bench: &Bench, folder: &Path, devices: &Devices) -> Result<()> {
    read(&mut cli(bench, folder, &["init"]))?;
    read(&mut cli(
        bench,
        folder,
        &["tenant", "create", login::TENANT],
    ))?;
    let template = template(bench, folder, devices.have_roles)?;
    let hash = match devices.secrets {
        Secrets::Chosen => Some(hash()?),
        Secrets::Generated => None,
    };
    let mut store = SqliteStore::open(file(folder))?;
    for first in (0..devices.count).step_by(AT_ONCE) {
        let range = first..devices.count.min(first + AT_ONCE);
        add(&mut store, range, &template, hash.as_ref(), &devices.used)?;
    }
    Ok(())
}

fn add(
    store: &mut SqliteStore,
    range: Range<usize>,
    template: &Credential,
    hash: Option<&PasswordHash>,
    used: &Range<usize>,
) -> Result<()> {
    let mut transaction = store.begin(Intent::Write)?;
    let mut credential = template.clone();
    for index in range {
        credential.name = LoginName::parse_device(&login::name(index))?;
        credential.ever_used = used.contains(&index);
        credential.state = if credential.ever_used {
            State::Active
        } else {
            State::Inactive
        };
        let id = transaction.add_credential(&credential)?;
        let verifier = match hash {
            Some(hash) => Verifier::Password(hash.clone()),
            None => Verifier::Digest(SecretDigest::of(&login::generated(index))),
        };
        transaction.add_secret(id, &verifier)?;
    }
    Ok(transaction.commit(&[], &[])?)
}

/// A credential as the program makes it, to make others like it; gone again
/// from the store.
fn template(bench: &Bench, folder: &Path, has_roles: bool) -> Result<Credential> {
    let run = |arguments: &str| {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        read(&mut cli(bench, folder, &arguments))
    };
    let (tenant, mut more) = (login::TENANT, "");
    let name = format!("template@{tenant}");
    if has_roles {
        more = " --role reader --role writer --group plant.hall";
        for role in ["reader", "writer"] {
            run(&format!("role create {role} --tenant {tenant}"))?;
            for rule in [
                "allow R publish T/R/a/#",
                "allow R subscribe T/R/${username}/#",
                "allow R both T/R/b/+",
                "deny R publish T/R/secret",
            ] {
                let rule = rule.replace('R', role).replace('T', tenant);
                run(&format!("role {rule} --tenant {tenant}"))?;
            }
        }
    }
    run(&format!(
        "credential create template --tenant {tenant}{more}"
    ))?;
    if has_roles {
        run(&format!(
            "credential allow {name} publish {tenant}/own/${{client_id}}"
        ))?;
        run(&format!(
            "credential deny {name} subscribe {tenant}/own/hidden"
        ))?;
    }
    let template = SqliteStore::open(file(folder))?
        .credential(&LoginName::parse_device(&name)?)?
        .context("the template is not there")?;
    read(&mut cli(bench, folder, &["credential", "delete", &name]))?;
    Ok(Credential::clone(&template))
}

/// The hash of the chosen password; all who share it may share its hash, which
/// is checked no faster for that.
fn hash() -> Result<PasswordHash> {
    let password = Secret::new(login::CHOSEN.as_bytes().to_vec());
    PasswordHash::new(&password, [7; 16], Argon2Params::default())
        .context("cannot hash the password")
}

/// How many credentials go into one transaction.
const AT_ONCE: usize = 20_000;
