//! Where the store's files come from and whose they are.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use countersign_sqlite::SqliteStore;
use nix::unistd::User;

use crate::support::{Fixture, is_root, names_in};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

#[test]
fn a_store_and_its_key_are_made_for_their_owner_alone() {
    let fixture = Fixture::empty();
    let ran = fixture.run("init --json").done();
    assert_eq!(ran.json(), serde_json::json!({ "path": fixture.store() }));
    assert_eq!(fixture.files(), ["store.db", "store.db.key"]);
    let key = fixture.directory.path().join("store.db.key");
    assert_eq!(mode(&fixture.store()), 0o600);
    assert_eq!(mode(&key), 0o600);
    let key = fs::read_to_string(key).unwrap();
    assert_eq!(key.len(), 65);
    assert!(key.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(fixture.json("settings show")["argon2"], "m=19456,t=2,p=1");
}

#[test]
fn nothing_is_overwritten() {
    for taken in ["store.db", "store.db.key", "store.db-wal"] {
        let fixture = Fixture::empty();
        let taken = fixture.directory.path().join(taken);
        fs::write(&taken, "precious").unwrap();
        let said = fixture.run("init").refused(1);
        assert!(said.contains(taken.to_str().unwrap()), "{said}");
        assert_eq!(fs::read(&taken).unwrap(), b"precious");
        assert_eq!(fixture.files().len(), 1);
    }
}

#[test]
fn missing_directories_are_made_and_go_again_when_it_fails() {
    let fixture = Fixture::empty();
    let deep = fixture.directory.path().join("a/b/store.db");
    let deep_text = deep.to_str().unwrap();
    fixture.run_words(&["init", "--store", deep_text]).done();
    assert_eq!(mode(deep.parent().unwrap()), 0o750);
    assert_eq!(
        names_in(deep.parent().unwrap()),
        ["store.db", "store.db.key"]
    );
    fs::remove_dir_all(fixture.directory.path().join("a")).unwrap();
    // The last part is too long for any file system.
    let bad = fixture.directory.path().join("a/b").join("x".repeat(300));
    fixture
        .run_words(&["init", "--store", bad.to_str().unwrap()])
        .refused(1);
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
}

#[test]
fn a_strict_umask_takes_no_right_from_the_owner() {
    let fixture = Fixture::empty();
    let store = fixture.directory.path().join("a/store.db");
    let script = format!(
        "umask 0777; exec {} --store {} init",
        env!("CARGO_BIN_EXE_countersign"),
        store.display()
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(mode(&store), 0o600);
    assert_eq!(mode(store.parent().unwrap()), 0o750);
}

#[test]
fn of_many_at_once_one_makes_the_store() {
    let fixture = Fixture::empty();
    let children: Vec<_> = (0..6)
        .map(|_| {
            let mut command = fixture.command();
            command
                .arg("init")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    let made = children
        .into_iter()
        .filter_map(|mut child| child.wait().unwrap().success().then_some(()))
        .count();
    assert_eq!(made, 1);
    assert_eq!(fixture.files(), ["store.db", "store.db.key"]);
    assert_eq!(fixture.json("audit list").as_array().unwrap().len(), 1);
}

#[test]
fn the_owner_gets_all_that_was_made() {
    if !is_root("the_owner_gets_all_that_was_made") {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let fixture = Fixture::empty();
    let store = fixture.directory.path().join("a/b/store.db");
    let init = [
        "init",
        "--owner",
        "nobody",
        "--store",
        store.to_str().unwrap(),
    ];
    // The owner has to get there; until then nothing is made.
    fs::set_permissions(fixture.directory.path(), Permissions::from_mode(0o700)).unwrap();
    let said = fixture.run_words(&init).refused(1);
    assert!(said.contains("`nobody` can't pass through"), "{said}");
    assert!(fixture.files().is_empty(), "{:?}", fixture.files());
    fs::set_permissions(fixture.directory.path(), Permissions::from_mode(0o755)).unwrap();
    fixture.run_words(&init).done();
    let key = fixture.directory.path().join("a/b/store.db.key");
    let above = fixture.directory.path().join("a");
    for path in [store.as_path(), &key, store.parent().unwrap(), &above] {
        let file = path.metadata().unwrap();
        assert_eq!(file.uid(), nobody.uid.as_raw(), "{path:?}");
        assert_eq!(file.gid(), nobody.gid.as_raw(), "{path:?}");
    }
}

/// SQLite keeps `-wal` and `-shm` beside the store while it is open. If
/// root made them and they stayed root's, a broker that starts then could
/// not open its own store.
#[test]
fn what_root_does_never_locks_the_broker_out() {
    if !is_root("what_root_does_never_locks_the_broker_out") {
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let fixture = Fixture::empty();
    fs::set_permissions(fixture.directory.path(), Permissions::from_mode(0o755)).unwrap();
    let store = fixture.directory.path().join("a/store.db");
    let path = store.to_str().unwrap();
    fixture
        .run_words(&["init", "--owner", "nobody", "--store", path])
        .done();
    // Held open by root, as a command that is killed would leave it.
    let mut follower = fixture
        .command()
        .args(["--store", path, "audit", "list", "--follow"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    fixture
        .run_words(&["tenant", "create", "acme", "--store", path])
        .done();
    let log = fixture.directory.path().join("a/store.db-wal");
    let shared = fixture.directory.path().join("a/store.db-shm");
    let deadline = Instant::now() + Duration::from_secs(10);
    // While the follower opens the store, files may come, go and come again.
    let owners = loop {
        if let (Ok(log), Ok(shared)) = (log.metadata(), shared.metadata()) {
            break [log.uid(), shared.uid()];
        }
        if Instant::now() >= deadline {
            follower.kill().unwrap();
            panic!("{:?}", names_in(store.parent().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let as_nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "nobody", "--regid"])
            .args([&nobody.gid.to_string(), "--clear-groups"])
            .arg(program_for_all(&fixture))
            .args(["--store", path])
            .args(arguments);
        crate::support::finish(&mut command)
    };
    assert_eq!(owners, [nobody.uid.as_raw(); 2]);
    as_nobody(&["tenant", "create", "other"]).done();
    follower.kill().unwrap();
    follower.wait().unwrap();
    as_nobody(&["tenant", "create", "third"]).done();
    assert_eq!(
        fixture
            .run_words(&["tenant", "list", "--store", path])
            .done()
            .stdout
            .lines()
            .count(),
        4
    );
}

/// A copy of the program that every user can run.
fn program_for_all(fixture: &Fixture) -> std::path::PathBuf {
    let copy = fixture.directory.path().join("countersign");
    if !copy.exists() {
        fs::copy(env!("CARGO_BIN_EXE_countersign"), &copy).unwrap();
    }
    copy
}

#[test]
fn a_backup_is_a_store_of_its_own() {
    let fixture = Fixture::with_credential();
    let copy = fixture.directory.path().join("copy.db");
    let words = ["backup", copy.to_str().unwrap()];
    fixture.run_words(&words).done();
    fixture.run("credential create later --tenant acme").done();
    assert_eq!(mode(&copy), 0o600);
    let copied = fixture.run_words(&["credential", "list", "--store", copy.to_str().unwrap()]);
    assert_eq!(copied.done().stdout.lines().count(), 2);
    assert!(
        SqliteStore::open(&copy)
            .unwrap()
            .quick_check()
            .unwrap()
            .is_empty()
    );
    let said = fixture.run_words(&words).refused(1);
    assert!(said.contains("copy.db` exists"), "{said}");
    assert!(
        !fixture.files().contains(&"copy.db-wal".into()),
        "{:?}",
        fixture.files()
    );
}
