//! `countersign follow`.

use std::fs;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use countersign_core::store::Settings;
use countersign_server::{CentreUrl, FollowNews, Following, Health, follow};
use countersign_sqlite::SqliteStore;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::invocation::Invocation;
use crate::new_store;
use crate::store_files::key_of;

#[derive(Args, Debug)]
pub(crate) struct Follow {
    /// The service of the centre: `https://HOST:PORT`, or `http` on this machine.
    #[arg(long, value_name = "URL", value_parser = CentreUrl::parse)]
    source: CentreUrl,
    /// The file with the secret that `follower create` printed; standard input without it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The authorities that may have signed the centre's certificate, PEM; those of the
    /// system without it.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Tell here whether it follows (`/readyz`) and what is counted (`/metrics`), to
    /// whoever asks; an address of this machine.
    #[arg(long, value_name = "ADDR:PORT")]
    health_listen: Option<SocketAddr>,
}

impl Follow {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        // Root may be needed to read it, and is given up when the store is opened.
        let secret = self.token_file.as_deref().map(secret_in).transpose()?;
        let health = self.health_listen.map(Health::listen).transpose();
        let health = health.map_err(|error| CliError::refused(error.to_string()))?;
        let path = invocation.store.require_file("a replica")?;
        // What the centre seals for this machine is sealed for what follows from its key.
        new_store::make_key(&key_of(path), None, || {
            if !path.exists() {
                SqliteStore::create(path, &Settings::default()).map_err(CliError::elsewhere)?;
            }
            Ok(())
        })?;
        let store = invocation.open()?.into_file("follow a centre")?;
        let secret = secret.map_or_else(|| read_secret(io::stdin().lock()), Ok)?;
        let is_over = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The second one ends it as any program.
            flag::register_conditional_default(signal, Arc::clone(&is_over))?;
            flag::register(signal, Arc::clone(&is_over))?;
        }
        let following = Following {
            source: self.source,
            secret,
            authorities: self.ca_file,
        };
        let output = invocation.output;
        let mut told: u64 = 0;
        let followed = follow(store, &following, health, &is_over, |news| match news {
            FollowNews::Connected => output.notice("the centre answers"),
            FollowNews::Progress(objects) => {
                if objects.saturating_sub(told) >= EACH {
                    told = objects;
                    output.notice(&format!("snapshot: {objects} objects so far"));
                }
            }
            FollowNews::Snapshot(objects) => {
                told = 0;
                output.notice(&format!("equal to the centre, with {objects} objects"));
            }
            FollowNews::Trouble(trouble) => output.notice(&trouble),
        });
        followed.map_err(|error| CliError::refused(error.to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn secret_in(file: &Path) -> Result<Zeroizing<String>, CliError> {
    let opened = fs::File::open(file).map_err(|error| {
        CliError::refused(format!("could not read `{}`: {error}", file.display()))
    })?;
    read_secret(io::BufReader::new(opened))
}

/// Reads the first line, which is a secret.
fn read_secret(from: impl io::BufRead) -> Result<Zeroizing<String>, CliError> {
    let mut line = Zeroizing::new(String::new());
    from.take(LONGEST).read_line(&mut line)?;
    let secret = line.trim();
    let is_good = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good {
        Ok(Zeroizing::new(secret.to_owned()))
    } else {
        let why = "that is not the secret of a follower; `follower create` prints one";
        Err(CliError::refused(why))
    }
}

const LONGEST: u64 = 1_024;
/// Between two words about a snapshot.
const EACH: u64 = 50_000;
