//! Mosquitto's own files: whether a broker loads them, and which of their users
//! have a credential.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use countersign_config::BrokerConfig;
use countersign_core::name::LoginName;
use countersign_core::secret::PasswordHashError;
use countersign_import::source::Dialect;
use countersign_import::source::acl_file::AclFile;
use countersign_import::source::passwords::{FileUser, PasswordFile};
use countersign_import::{SourceError, StoredPassword, read_source};

use super::Problem;

/// What stands in the files of users and rules that a configuration names.
#[derive(Default)]
pub(super) struct MosquittoFiles {
    /// The users of each file, if there are few enough to look each of them up.
    users: HashMap<PathBuf, Vec<Box<str>>>,
    /// What a broker does not load.
    malformed: Vec<Malformed>,
}

/// Something that a broker does not load.
struct Malformed {
    /// The line of the configuration that names the file, its word and its path.
    file: String,
    why: String,
    /// Whether Mosquitto 2.0 does without what is malformed, and starts.
    is_loaded_by_2_0: bool,
}

impl MosquittoFiles {
    /// Reads the files that `config` names. One that can't be read is left out.
    pub(super) fn read(config: &BrokerConfig) -> Self {
        let mut files = Self::default();
        for (word, file) in &config.files {
            let is_password_file = word == "password_file";
            if !is_password_file && word != "acl_file" {
                continue;
            }
            let Ok(content) = read_source(&file.value) else {
                continue;
            };
            let read = if is_password_file {
                PasswordFile::parse(&content, Dialect::Mosquitto)
                    .map_err(|error| error.to_string())
                    .and_then(|read| files.keep(&file.value, read.users))
            } else {
                let read = AclFile::parse(&content, Dialect::Mosquitto);
                read.map(drop)
                    .map_err(|error: SourceError| error.to_string())
            };
            if let Err(why) = read {
                files.malformed.push(Malformed {
                    file: format!("{}: `{word} {}`", file.at, file.value.display()),
                    why,
                    is_loaded_by_2_0: is_password_file,
                });
            }
        }
        files
    }

    /// Keeps the users of a file. Fails where Mosquitto 2.1 does not load one of
    /// the hashes.
    fn keep(&mut self, path: &Path, users: Vec<FileUser>) -> Result<(), String> {
        let unknown = users.iter().find(|user| !is_loaded(&user.password));
        let unknown = unknown.map(|user| format!("{}: {NO_HASH}", user.place));
        if users.len() <= MOST_NAMES {
            let names = users.into_iter().map(|user| user.name);
            self.users.insert(path.into(), names.collect());
        }
        unknown.map_or(Ok(()), Err)
    }

    /// The names to look up.
    pub(super) fn names(&self) -> impl Iterator<Item = LoginName> {
        let names = self.users.values().flatten();
        names.filter_map(|name| LoginName::parse(name).ok())
    }

    /// The users of a file that have no credential; nothing where that is not
    /// known.
    pub(super) fn strangers(
        &self,
        path: &Path,
        known: Option<&HashSet<LoginName>>,
    ) -> Option<Vec<&str>> {
        let (names, known) = (self.users.get(path)?, known?);
        let is_known = |name: &str| LoginName::parse(name).is_ok_and(|name| known.contains(&name));
        let names = names.iter().map(|name| &**name);
        Some(names.filter(|name| !is_known(name)).collect())
    }

    /// What keeps a broker from starting, or from doing what a file says.
    pub(super) fn problems(&self, is_2_1: bool) -> impl Iterator<Item = Problem> {
        self.malformed.iter().map(move |malformed| {
            let Malformed { file, why, .. } = malformed;
            let problem = format!("{file} is malformed: {why}");
            if malformed.is_loaded_by_2_0 && !is_2_1 {
                let fix = "correct it: Mosquitto 2.1 does not start with it";
                return Problem::warning(problem, fix);
            }
            let fix = "correct it: the broker does not start with it, or does not do what it says";
            Problem::new(problem, fix)
        })
    }
}

/// Says whether Mosquitto 2.1 loads what stands for a password, as far as is
/// known here.
fn is_loaded(password: &StoredPassword) -> bool {
    match password {
        StoredPassword::Hash(hash) => {
            let known = ["$6$", "$7$", "$argon2id$"];
            known.iter().any(|prefix| hash.as_str().starts_with(prefix))
        }
        StoredPassword::Missing | StoredPassword::Plain(_) => false,
        // It may be one that takes too long here.
        StoredPassword::Unusable(error) => *error == PasswordHashError::TooCostly,
    }
}

/// So many names of one file are looked up.
const MOST_NAMES: usize = 10_000;
const NO_HASH: &str = "what stands behind the name is not a hash that Mosquitto 2.1 loads";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::doctor::Level;

    /// The files of a configuration that names one of users and one of rules.
    fn read(users: &str, rules: &str) -> (MosquittoFiles, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("users"), users).unwrap();
        fs::write(path("rules"), rules).unwrap();
        let config = format!(
            "password_file {}\nacl_file {}\n",
            path("users").display(),
            path("rules").display()
        );
        fs::write(path("conf"), config).unwrap();
        let config = BrokerConfig::read(&path("conf")).unwrap();
        (MosquittoFiles::read(&config), path("users"))
    }

    const HASH: &str = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";

    #[test]
    fn a_user_without_a_credential_is_a_stranger_and_so_is_a_name_that_none_can_have() {
        let (files, path) = read(&format!("alice:{HASH}\nbob:{HASH}\na#b:{HASH}\n"), "");
        let names: HashSet<_> = files.names().map(|name| name.to_string()).collect();
        assert_eq!(names, ["alice", "bob"].map(String::from).into());
        let known = HashSet::from([LoginName::parse("alice").unwrap()]);
        assert_eq!(
            files.strangers(&path, Some(&known)),
            Some(vec!["bob", "a#b"])
        );
        assert_eq!(files.strangers(&path, None), None);
        assert_eq!(files.strangers(Path::new("/other"), Some(&known)), None);
        assert_eq!(files.problems(true).count(), 0);
    }

    #[test]
    fn what_only_2_1_does_not_load_is_a_warning_for_2_0() {
        let cases = [
            ("alice:secret\n", "", [1, 0]),
            ("alice:\n", "", [1, 0]),
            (" :x\n", "", [1, 0]),
            ("", "topics a\n", [1, 1]),
            ("alice:secret\n", "topic a#\n", [2, 1]),
        ];
        for (users, rules, [on_2_1, on_2_0]) in cases {
            let (files, _) = read(users, rules);
            for (is_2_1, failures) in [(true, on_2_1), (false, on_2_0)] {
                let problems: Vec<_> = files.problems(is_2_1).collect();
                assert_eq!(problems.len(), on_2_1);
                let failed = problems.iter().filter(|it| it.level == Level::Fail);
                assert_eq!(failed.count(), failures, "{users:?} {rules:?}");
                assert!(problems.iter().all(|it| !it.problem.contains("secret")));
            }
        }
    }
}
