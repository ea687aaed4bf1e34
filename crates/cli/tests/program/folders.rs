//! What root does in the folders of another user, who may put there what they
//! want.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{RenameFlags, renameat2};
use nix::unistd::User;

use crate::support::{Fixture, Ran, is_root, names_in};

/// Two folders: one that another user owns, and one of root's, which nothing
/// may change.
struct Folders {
    fixture: Fixture,
    user: User,
}

/// All that there is to know about the folder of root's.
type State = Vec<(String, u32, u32, u32, u64, Vec<u8>)>;

impl Folders {
    fn new() -> Self {
        let user = User::from_name("nobody").unwrap().unwrap();
        let fixture = Fixture::empty();
        fs::set_permissions(fixture.directory.path(), Permissions::from_mode(0o755)).unwrap();
        let folders = Self { fixture, user };
        for folder in [folders.theirs(), folders.roots()] {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        }
        folders.give(&folders.theirs());
        for name in NAMES {
            let file = folders.roots().join(name);
            fs::write(&file, "precious").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        }
        folders
    }

    fn theirs(&self) -> PathBuf {
        self.fixture.directory.path().join("theirs")
    }

    fn roots(&self) -> PathBuf {
        self.fixture.directory.path().join("roots")
    }

    fn give(&self, path: &Path) {
        let (uid, gid) = (self.user.uid.as_raw(), self.user.gid.as_raw());
        std::os::unix::fs::lchown(path, Some(uid), Some(gid)).unwrap();
    }

    fn store(&self) -> String {
        self.theirs().join("store.db").to_str().unwrap().into()
    }

    fn state(&self) -> State {
        let folder = self.roots();
        let of = |path: &Path, content: Vec<u8>| {
            let facts = path.symlink_metadata().unwrap();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let (uid, gid, mode) = (facts.uid(), facts.gid(), facts.mode());
            (name, uid, gid, mode, facts.ino(), content)
        };
        let mut state = vec![of(&folder, Vec::new())];
        for name in names_in(&folder) {
            let path = folder.join(name);
            state.push(of(&path, fs::read(&path).unwrap()));
        }
        state
    }

    /// Runs a command that must come to an end, whatever it comes to.
    fn run(&self, words: &[&str]) -> Ran {
        let mut child = self
            .fixture
            .command()
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("{words:?} hangs");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Empties the other user's folder.
    fn clear(&self) {
        for name in names_in(&self.theirs()) {
            let path = self.theirs().join(name);
            if path.symlink_metadata().unwrap().is_dir() {
                fs::remove_dir_all(path).unwrap();
            } else {
                fs::remove_file(path).unwrap();
            }
        }
    }

    /// Puts something at `path` that leads to root's file `target`, or nowhere.
    fn plant(&self, bait: Bait, path: &Path, target: &Path) {
        match bait {
            Bait::Directory => fs::create_dir(path).unwrap(),
            // A system may be set up to allow this.
            Bait::HardLink => fs::hard_link(target, path).unwrap(),
            Bait::Link => symlink(target, path).unwrap(),
            Bait::Pipe => {
                let made = Command::new("mkfifo").arg(path).status().unwrap();
                assert!(made.success());
            }
        }
        if bait != Bait::HardLink {
            self.give(path);
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Bait {
    Directory,
    HardLink,
    Link,
    Pipe,
}

const BAITS: [Bait; 4] = [Bait::Directory, Bait::HardLink, Bait::Link, Bait::Pipe];

/// Every name that the program uses beside a store.
const NAMES: [&str; 8] = [
    "store.db",
    "store.db-journal",
    "store.db-shm",
    "store.db-wal",
    "store.db.key",
    "store.db.v3.bak",
    "copy.db",
    "copy.db-journal",
];

#[test]
fn whatever_another_user_puts_where_root_makes_or_uses_a_store_leads_nowhere() {
    if !is_root("whatever_another_user_puts_where_root_makes_or_uses_a_store_leads_nowhere") {
        return;
    }
    let folders = Folders::new();
    let before = folders.state();
    let store = folders.store();
    let copy = folders.theirs().join("copy.db");
    let copy = copy.to_str().unwrap();
    let made = |words: &[&str]| {
        folders.clear();
        folders.run(words).done();
    };
    let owned: &[&str] = &["--store", &store, "init", "--owner", "nobody"];
    for bait in BAITS {
        for name in NAMES {
            let path = folders.theirs().join(name);
            let target = folders.roots().join(name);
            // Before there is a store.
            for init in [owned, &["--store", &store, "init"]] {
                folders.clear();
                folders.plant(bait, &path, &target);
                folders.run(init);
                assert_eq!(folders.state(), before, "{bait:?} {name} {init:?}");
            }
            // In place of a part of it.
            made(owned);
            if path.symlink_metadata().is_ok() {
                fs::remove_file(&path).unwrap();
            }
            folders.plant(bait, &path, &target);
            for words in [
                ["tenant", "create", "acme"].as_slice(),
                &["credential", "list"],
                &["doctor"],
                &["jwt", "list"],
                &["backup", copy],
            ] {
                folders.run(&[&["--store", &store], words].concat());
                assert_eq!(folders.state(), before, "{bait:?} {name} {words:?}");
            }
        }
    }
}

/// Root alone may enter the folder, and the store is another user's.
#[test]
fn what_root_makes_of_another_users_store_goes_where_root_wants_it() {
    if !is_root("what_root_makes_of_another_users_store_goes_where_root_wants_it") {
        return;
    }
    let folders = Folders::new();
    let store = folders.store();
    let folder = folders.roots();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let run = |words: &[&str]| folders.run(&[&["--store", &store], words].concat());
    run(&["init", "--owner", "nobody"]).done();
    run(&["tenant", "create", "acme"]).done();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (copy, rows) = (path("apart.db"), path("rows.jsonl"));
    let (passwords, acl, json) = (path("passwords"), path("acl"), path("dynsec.json"));
    let acme = ["--tenant", "acme"];
    let files = ["--passwords", &passwords, "--acl", &acl];
    let made: [(Vec<&str>, &[&String]); 4] = [
        (vec!["backup", &copy], &[&copy]),
        (vec!["export", &rows], &[&rows]),
        (
            [&["export", "mosquitto"][..], &acme, &files].concat(),
            &[&passwords, &acl],
        ),
        (
            [&["export", "dynamic-security"][..], &acme, &[&json]].concat(),
            &[&json],
        ),
    ];
    let before = folders.state();
    // What fails leaves nothing there, and says whose rights did not suffice.
    let database = folders.theirs().join("store.db");
    let mode = database.metadata().unwrap().permissions();
    fs::set_permissions(&database, Permissions::from_mode(0o000)).unwrap();
    for (words, _) in &made {
        let ran = run(words);
        assert_eq!(ran.code, Some(3), "{words:?}");
        assert!(ran.stderr.contains("as `nobody`"), "{}", ran.stderr);
        assert_eq!(folders.state(), before, "{words:?}");
    }
    fs::set_permissions(&database, mode).unwrap();
    for (words, files) in &made {
        run(words).done();
        for file in *files {
            let facts = Path::new(file).metadata().unwrap();
            assert_eq!((facts.uid(), facts.mode() & 0o777), (0, 0o600), "{file}");
        }
    }
    // And back: root reads its own copy, and the store is the other user's.
    let again = folders.theirs().join("again.db");
    let owner = folders.theirs().metadata().unwrap().uid();
    let restore = ["restore", &copy, "--owner", "nobody"];
    folders
        .run(&[&["--store", again.to_str().unwrap()], &restore[..]].concat())
        .done();
    let facts = again.metadata().unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (owner, 0o600));
    let beside = ["again.db-wal", "again.db-shm"].map(|name| folders.theirs().join(name));
    assert!(beside.iter().all(|file| !file.exists()));
}

#[test]
fn a_folder_that_is_swapped_for_a_link_while_root_works_gains_its_owner_nothing() {
    if !is_root("a_folder_that_is_swapped_for_a_link_while_root_works_gains_its_owner_nothing") {
        return;
    }
    let folders = Folders::new();
    let before = folders.state();
    // Root's own store, which is copied into the folder.
    folders.fixture.run("init").done();
    let folder = folders.theirs().join("swapped");
    let link = folders.theirs().join("link");
    fs::create_dir(&folder).unwrap();
    symlink(folders.roots(), &link).unwrap();
    folders.give(&folder);
    folders.give(&link);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let here = nix::fcntl::AT_FDCWD;
                renameat2(here, &folder, here, &link, RenameFlags::RENAME_EXCHANGE).unwrap();
                std::thread::yield_now();
            }
        });
        for round in 0..200 {
            let path = |name: &str| folder.join(format!("{name}{round}"));
            let (store, copy) = (path("store.db"), path("copy.db"));
            let (store, copy) = (store.to_str().unwrap(), copy.to_str().unwrap());
            folders.run(&["--store", store, "init", "--owner", "nobody"]);
            folders.run(&["backup", copy]);
            if folders.state() != before {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(folders.state(), before);
}

#[test]
fn root_uses_no_store_where_more_than_one_user_may_write() {
    if !is_root("root_uses_no_store_where_more_than_one_user_may_write") {
        return;
    }
    let folders = Folders::new();
    let open = folders.fixture.directory.path().join("open");
    fs::create_dir(&open).unwrap();
    let store = open.join("store.db");
    let store = store.to_str().unwrap();
    folders.run(&["--store", store, "init"]).done();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let copy = open.join("copy.db");
    for words in [
        ["--store", store, "credential", "list"].as_slice(),
        &["--store", store, "export", "-"],
        &["--store", store, "backup", "other.db"],
        &["--store", store, "backup", copy.to_str().unwrap()],
        &["--store", copy.to_str().unwrap(), "init"],
        &["man", open.to_str().unwrap()],
    ] {
        let said = folders.run(words).refused(1);
        assert!(said.contains("chmod go-w"), "{said}");
    }
    assert_eq!(names_in(&open), ["store.db", "store.db.key"]);
    // Where only its owner can take a file away, it is root's if all beside it is.
    fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
    let list = ["--store", store, "credential", "list"];
    folders.run(&list).done();
    let journal = open.join("store.db-journal");
    fs::write(&journal, "").unwrap();
    folders.give(&journal);
    folders.run(&list).refused(1);
    fs::remove_file(&journal).unwrap();
    // As its owner it may be used, if it has one.
    for name in ["store.db", "store.db.key"] {
        chown(
            open.join(name),
            Some(folders.user.uid.as_raw()),
            Some(folders.user.gid.as_raw()),
        )
        .unwrap();
    }
    folders
        .run(&["--store", store, "credential", "list"])
        .done();
}

#[test]
fn who_runs_the_program_is_written_down_whomever_it_acts_as() {
    if !is_root("who_runs_the_program_is_written_down_whomever_it_acts_as") {
        return;
    }
    let folders = Folders::new();
    let store = folders.store();
    folders
        .run(&["--store", &store, "init", "--owner", "nobody"])
        .done();
    folders
        .run(&["--store", &store, "tenant", "create", "acme"])
        .done();
    let ran = folders
        .fixture
        .run_words(&["--store", &store, "--json", "audit", "list"])
        .done();
    let acts = ran.json();
    let acts = acts.as_array().unwrap();
    assert_eq!(acts.len(), 2);
    for act in acts {
        assert_eq!(act["actor"], "cli:root", "{act}");
    }
    // What is in the store's folder is the user's to the last file.
    let held = File::open(&store).unwrap();
    assert_eq!(held.metadata().unwrap().uid(), folders.user.uid.as_raw());
    for name in names_in(&folders.theirs()) {
        let facts = folders.theirs().join(&name).metadata().unwrap();
        assert_eq!(facts.uid(), folders.user.uid.as_raw(), "{name}");
    }
}

#[test]
fn a_store_of_roots_in_a_folder_of_another_user_says_whose_rights_are_missing() {
    if !is_root("a_store_of_roots_in_a_folder_of_another_user_says_whose_rights_are_missing") {
        return;
    }
    let folders = Folders::new();
    let store = folders.store();
    folders.run(&["--store", &store, "init"]).done();
    chown(&store, Some(0), Some(0)).unwrap();
    for words in [["tenant", "list"], ["export", "-"]] {
        let said = folders
            .run(&[&["--store", &store][..], &words].concat())
            .refused(3);
        assert!(said.contains("as `nobody`"), "{said}");
    }
}

#[test]
fn the_secrets_that_root_imports_lie_where_one_user_alone_may_write() {
    if !is_root("the_secrets_that_root_imports_lie_where_one_user_alone_may_write") {
        return;
    }
    let folders = Folders::new();
    let folder = folders.fixture.directory.path();
    folders.fixture.run("init").done();
    folders.fixture.run("tenant create acme").done();
    let table = folder.join("devices.csv");
    fs::write(&table, "name\npump-1\n").unwrap();
    let import = |output: &Path| {
        let words = ["import", "csv", "--tenant", "acme"];
        let files = [&table, output].map(|file| file.to_str().unwrap());
        folders.run(&[&words[..], &[files[0], "--output", files[1]]].concat())
    };
    let open = folder.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
    let said = import(&open.join("secrets.csv")).refused(1);
    assert!(said.contains("chmod go-w"), "{said}");
    assert!(names_in(&open).is_empty());
    // A link of theirs leads root nowhere.
    let before = folders.state();
    symlink(folders.roots(), folders.theirs().join("link")).unwrap();
    folders.give(&folders.theirs().join("link"));
    import(&folders.theirs().join("link/secrets.csv")).refused(1);
    assert_eq!(folders.state(), before);
    let output = folders.theirs().join("secrets.csv");
    import(&output).done();
    let facts = output.metadata().unwrap();
    assert_eq!(facts.uid(), folders.user.uid.as_raw());
    assert_eq!(facts.mode() & 0o777, 0o600);
    let written = fs::read_to_string(&output).unwrap();
    assert!(
        written.starts_with("name,secret\npump-1@acme,"),
        "{written}"
    );
}
