//! Countersign's stores, made by its program and filled through its library.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use countersign_core::credential::Credential;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::secret::{Argon2Params, PasswordHash, Secret, SecretDigest, Verifier};
use countersign_core::store::rows::SecretRows as _;
use countersign_core::store::{AdminStore, AdminTransaction, Directory, Intent};
use countersign_sqlite::SqliteStore;
use countersign_testkit::artifacts;

use crate::login::{self, TENANT};
use crate::scale::Scale;

/// The credentials of a store.
pub struct Devices {
    pub count: usize,
    /// The numbers of those that logged in before any broker was started.
    pub used: Range<usize>,
    /// Whether all have the chosen password and not each a generated secret.
    pub have_passwords: bool,
    /// Whether each has two roles of four rules, a group, and two rules of its
    /// own.
    pub have_roles: bool,
}

/// One store for each number of credentials, and the folder that it is in.
pub struct Sizes(pub Vec<(usize, PathBuf)>);

impl Sizes {
    pub fn make(scale: &Scale, place: &Path) -> Result<Self> {
        let mut folders = Vec::new();
        for &count in &scale.sizes {
            let folder = place.join(format!("store-of-{count}"));
            fs::create_dir_all(&folder)?;
            let start = Instant::now();
            let devices = Devices {
                // One at least, so that somebody can log in.
                count: count.max(1),
                used: 0..0,
                have_passwords: false,
                have_roles: false,
            };
            devices.store_in(&folder)?;
            println!(
                "store of {} credentials: {:.1} s, {:.1} MiB",
                devices.count,
                start.elapsed().as_secs_f64(),
                file(&folder).metadata()?.len() as f64 / 1_048_576.0
            );
            folders.push((devices.count, folder));
        }
        Ok(Self(folders))
    }
}

/// The store's file in `folder`.
pub fn file(folder: &Path) -> PathBuf {
    folder.join("countersign.db")
}

/// The program at work on the store in `folder`, with a line of words.
pub fn cli(folder: &Path, line: &str) -> Result<Command> {
    let mut cli = Command::new(artifacts::cli()?);
    cli.env("COUNTERSIGN_STORE", file(folder))
        .args(line.split(' '));
    Ok(cli)
}

/// Runs a command to its end and returns what it printed.
pub fn read(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {complaint}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The chosen password and its hash. All who share the password may share its
/// hash, which is checked no faster for that.
pub fn hash_of_chosen() -> Result<(Secret, PasswordHash)> {
    let password = Secret::new(login::CHOSEN.as_bytes().to_vec());
    let hash = PasswordHash::new(&password, [7; 16], Argon2Params::default());
    Ok((password, hash.context("cannot hash the password")?))
}

impl Devices {
    /// Makes a store with one tenant and these devices, many in each transaction:
    /// an act for each would sync to disk for each.
    pub fn store_in(&self, folder: &Path) -> Result<()> {
        self.store_varied_in(folder, |_, _| ())
    }

    /// The same, with what `vary` makes of each out of the one before it.
    pub fn store_varied_in(
        &self,
        folder: &Path,
        vary: impl Fn(usize, &mut Credential),
    ) -> Result<()> {
        let template = self.template(folder)?;
        let hash = if self.have_passwords {
            Some(Verifier::Password(hash_of_chosen()?.1))
        } else {
            None
        };
        let mut store = SqliteStore::open(file(folder))?;
        for first in (0..self.count).step_by(AT_ONCE) {
            let mut transaction = store.begin(Intent::Write)?;
            let mut credential = template.clone();
            for index in first..self.count.min(first + AT_ONCE) {
                credential.name = LoginName::parse_device(&login::name(index))?;
                credential.ever_used = self.used.contains(&index);
                credential.state = if credential.ever_used {
                    State::Active
                } else {
                    State::Inactive
                };
                vary(index, &mut credential);
                let id = transaction.add_credential(&credential)?;
                let digest = || Verifier::Digest(SecretDigest::of(&login::generated(index)));
                transaction.add_secret(id, &hash.clone().unwrap_or_else(digest))?;
            }
            transaction.commit(&[], &[])?;
        }
        Ok(())
    }

    /// A credential as the program makes it in a new store, to make others like
    /// it; gone again from the store.
    fn template(&self, folder: &Path) -> Result<Credential> {
        let run = |line: &str| read(&mut cli(folder, line)?);
        run("init")?;
        run(&format!("tenant create {TENANT}"))?;
        let name = format!("template@{TENANT}");
        let mut more = "";
        if self.have_roles {
            more = " --role reader --role writer --group plant.hall";
            for role in ["reader", "writer"] {
                run(&format!("role create {role} --tenant {TENANT}"))?;
                for rule in [
                    "allow R publish T/R/a/#",
                    "allow R subscribe T/R/${username}/#",
                    "allow R both T/R/b/+",
                    "deny R publish T/R/secret",
                ] {
                    let rule = rule.replace('R', role).replace('T', TENANT);
                    run(&format!("role {rule} --tenant {TENANT}"))?;
                }
            }
        }
        run(&format!(
            "credential create template --tenant {TENANT}{more}"
        ))?;
        if self.have_roles {
            let own = format!("{TENANT}/own");
            run(&format!(
                "credential allow {name} publish {own}/${{client_id}}"
            ))?;
            run(&format!("credential deny {name} subscribe {own}/hidden"))?;
        }
        let template = SqliteStore::open(file(folder))?
            .credential(&LoginName::parse_device(&name)?)?
            .context("the template is not there")?;
        run(&format!("credential delete {name}"))?;
        Ok(Credential::clone(&template))
    }
}

/// How many credentials go into one transaction.
pub const AT_ONCE: usize = 20_000;
