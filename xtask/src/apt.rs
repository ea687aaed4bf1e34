//! Debian's packages: those of the host, and those of other suites in a
//! private root that leaves the host's apt as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{as_root, read, run};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Which of `packages` are not installed.
pub fn missing(packages: &[&'static str]) -> Result<Vec<&'static str>> {
    // dpkg-query exits 1 when it knows nothing of a package.
    let output = Command::new("dpkg-query")
        .args([
            "--show",
            "--showformat",
            "${Package} ${db:Status-Status}\\n",
        ])
        .args(packages)
        .output()
        .context("cannot run dpkg-query: Countersign is developed on Debian 12")?;
    let listed = String::from_utf8_lossy(&output.stdout);
    let installed = |package: &&&str| {
        !listed
            .lines()
            .any(|line| line == format!("{package} installed"))
    };
    Ok(packages.iter().filter(installed).copied().collect())
}

/// Installs `packages` without starting any service they bring.
pub fn install(packages: &[&str]) -> Result<()> {
    let _no_services = NoServices::begin()?;
    let apt = || {
        let mut apt = as_root("env");
        apt.args([
            "DEBIAN_FRONTEND=noninteractive",
            "apt-get",
            "--quiet",
            "--quiet",
        ]);
        apt.args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
        apt
    };
    run(apt().arg("update"))?;
    run(apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages))
}

/// An apt of one suite of Debian, with lists, cache and status of its own.
pub struct PrivateApt {
    folder: PathBuf,
    suite: &'static str,
    installed: Installed,
}

/// What a private apt believes to be installed already.
pub enum Installed {
    /// What the host has.
    AsOnHost,
    /// Nothing, so that every dependency is fetched as well.
    Nothing,
}

impl PrivateApt {
    /// Fetches the package lists of `suite` into `folder`.
    pub fn new(folder: PathBuf, suite: &'static str, installed: Installed) -> Result<Self> {
        for part in ["state/lists/partial", "cache/archives/partial", "etc"] {
            fs::create_dir_all(folder.join(part))?;
        }
        fs::write(folder.join("status"), "")?;
        let mirror = mirror()?;
        let source = format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
        fs::write(folder.join("etc/sources.list"), source)?;
        let apt = Self {
            folder,
            suite,
            installed,
        };
        read(apt.command("apt-get").arg("update"))
            .with_context(|| format!("cannot read {suite} from {mirror}"))?;
        Ok(apt)
    }

    /// The newest version of `package` that begins with `prefix`.
    pub fn newest(&self, package: &str, prefix: &str) -> Result<String> {
        let listed = read(self.command("apt-cache").args(["madison", package]))?;
        // `mosquitto | 2.1.2-3 | http://… Packages`, the newest first.
        let versions: Vec<&str> = listed
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim)
            .collect();
        let Some(newest) = versions.iter().find(|version| version.starts_with(prefix)) else {
            bail!(
                "{} has no {package} {prefix}x, only: {}",
                self.suite,
                if versions.is_empty() {
                    "none at all".to_owned()
                } else {
                    versions.join(", ")
                }
            );
        };
        Ok((*newest).to_owned())
    }

    /// Fetches `packages`, with what they need unless the host has it, and
    /// unpacks them into `target`.
    pub fn unpack(&self, packages: &[String], target: &Path) -> Result<()> {
        let archives = self.folder.join("cache/archives");
        let mut fetch = self.command("apt-get");
        match self.installed {
            Installed::AsOnHost => fetch.arg("download").current_dir(&archives),
            Installed::Nothing => fetch.args([
                "install",
                "--download-only",
                "--yes",
                "--no-install-recommends",
            ]),
        };
        read(fetch.args(packages))?;
        let mut unpacked = 0;
        for entry in fs::read_dir(&archives)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                read(
                    Command::new("dpkg-deb")
                        .arg("--extract")
                        .arg(path)
                        .arg(target),
                )?;
                unpacked += 1;
            }
        }
        ensure!(
            unpacked >= packages.len(),
            "apt fetched {unpacked} packages of {}",
            self.suite
        );
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let mut set = |name: &str, value: &Path| {
            command.arg("-o").arg(format!("{name}={}", value.display()));
        };
        set("Dir::State", &self.folder.join("state"));
        set("Dir::Cache", &self.folder.join("cache"));
        set(
            "Dir::Etc::sourcelist",
            &self.folder.join("etc/sources.list"),
        );
        for unused in ["sourceparts", "preferences", "preferencesparts"] {
            set(&format!("Dir::Etc::{unused}"), Path::new("/dev/null"));
        }
        set("Dir::State::status", &self.folder.join("status"));
        for setting in [
            "Acquire::IndexTargets::deb::CNF::DefaultEnabled=false",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
            "Acquire::Languages=none",
            "Acquire::Retries=3",
            // What is fetched belongs to us; there is no `_apt` to drop to.
            "APT::Sandbox::User=",
            "Debug::NoLocking=true",
            // Hooks of the host's own updates are none of ours.
            "APT::Update::Post-Invoke-Success::=true",
        ] {
            command.args(["-o", setting]);
        }
        command.arg("--quiet=2");
        command
    }
}

/// Keeps packages that are being installed from starting services.
///
/// Debian asks `policy-rc.d` before it starts one. Ours answers no for as long
/// as this process lives, so that one left behind by a crash does no harm.
struct NoServices {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl NoServices {
    fn begin() -> Result<Self> {
        const MARK: &str = "# Written by Countersign's `cargo xtask setup`.";
        match fs::read_to_string(POLICY) {
            Ok(text) if !text.contains(MARK) => return Ok(Self { ours: false }),
            _ => {}
        }
        let script = format!(
            "#!/bin/sh\n{MARK}\nkill -0 {} 2>/dev/null && exit 101\nexit 0\n",
            std::process::id()
        );
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), script)?;
        run(as_root("install")
            .args(["-m", "755"])
            .arg(file.path())
            .arg(POLICY))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            // A copy that stays behind answers yes once we are gone.
            let _ = as_root("rm").args(["-f", POLICY]).status();
        }
    }
}

/// The suite of Debian that this machine has.
pub fn codename() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release names no VERSION_CODENAME")?;
    Ok(codename.trim_matches('"').to_owned())
}

/// The mirror of Debian that this machine's apt uses for its own suite.
pub fn mirror() -> Result<String> {
    let codename = &codename()?;
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    files.sort();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let found = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => mirror_in_lines(&text, codename),
            Some("sources") => mirror_in_stanzas(&text, codename),
            _ => None,
        };
        if let Some(mirror) = found {
            return Ok(mirror);
        }
    }
    bail!("apt's sources name no mirror for {codename} main");
}

/// Looks for `deb [options] URI SUITE main` (sources.list(5), one-line style).
fn mirror_in_lines(text: &str, suite: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?.trim();
        let rest = line.strip_prefix("deb")?;
        if !rest.starts_with([' ', '\t', '[']) {
            return None;
        }
        let rest = rest.trim_start();
        let rest = if rest.starts_with('[') {
            rest.split_once(']')?.1
        } else {
            rest
        };
        let mut words = rest.split_whitespace();
        let uri = words.next()?;
        let fits = words.next() == Some(suite) && words.any(|component| component == "main");
        fits.then(|| uri.to_owned())
    })
}

/// Looks for a stanza with that suite (sources.list(5), deb822 style).
fn mirror_in_stanzas(text: &str, suite: &str) -> Option<String> {
    let uncommented: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    uncommented.split("\n\n").find_map(|stanza| {
        // A line that begins with a blank continues the one before.
        let unfolded = stanza.replace("\n ", " ").replace("\n\t", " ");
        let field = |name: &str| {
            let mut fields = unfolded.lines().filter_map(|line| line.split_once(':'));
            fields
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        let holds = |name, wanted| {
            field(name).is_some_and(|value| value.split_whitespace().any(|word| word == wanted))
        };
        let enabled = !field("Enabled")
            .is_some_and(|value| ["no", "false", "without", "off", "disable"].contains(&value));
        let fits = enabled
            && holds("Types", "deb")
            && holds("Suites", suite)
            && holds("Components", "main");
        field("URIs")?
            .split_whitespace()
            .next()
            .filter(|_| fits)
            .map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_names_no_mirror() {
        assert_eq!(mirror_in_lines("", "bookworm"), None);
        assert_eq!(mirror_in_stanzas("", "bookworm"), None);
    }

    #[test]
    fn a_mirror_is_read_from_a_line() {
        let text = "# deb http://old.example/debian bookworm main\n\
                    deb-src http://source.example/debian bookworm main\n\
                    deb http://security.example/debian bookworm-security main\n\
                    deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm contrib main # ours\n";
        assert_eq!(
            mirror_in_lines(text, "bookworm").as_deref(),
            Some("http://mirror.example/debian")
        );
        assert_eq!(mirror_in_lines(text, "trixie"), None);
    }

    #[test]
    fn a_mirror_is_read_from_a_stanza() {
        let text = "Types: deb\n# a comment\nURIs: http://security.example/debian\n\
                    Suites: bookworm-security\nComponents: main\n\n\
                    Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n\n\
                    types: deb deb-src\nURIs:\n http://mirror.example/debian\n http://second.example/debian\n\
                    Suites: bookworm bookworm-updates\nComponents: main contrib\n";
        assert_eq!(
            mirror_in_stanzas(text, "bookworm").as_deref(),
            Some("http://mirror.example/debian")
        );
        assert_eq!(mirror_in_stanzas(text, "trixie"), None);
    }
}
