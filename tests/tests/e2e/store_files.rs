//! Whatever is done to the store's files under a running broker: it notices, says
//! so, lets nobody in by what it remembers, and goes on with the store that is
//! there next.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_tests::{
    ACCEPTED, Fixture, Login, PATIENCE, REFUSED, is_kicked, on_every_broker, wait_until,
};

on_every_broker! {
    fn a_store_that_is_away_lets_nobody_in_until_it_is_back(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let mut stays = login.connect("stays").accepted(fixture.port());
        let store = fixture.cli.store().to_owned();
        let aside = store.with_extension("aside");

        fs::rename(&store, &aside).unwrap();
        refused_with(&fixture, &login, "moved away");
        fs::rename(&aside, &store).unwrap();
        admitted_again(&fixture, &login);

        let open = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&store, fs::Permissions::from_mode(0o000)).unwrap();
        refused_with(&fixture, &login, "may not be read");
        fs::set_permissions(&store, open).unwrap();
        admitted_again(&fixture, &login);
        stays.ping(PATIENCE).unwrap();
        revokes_arrive(&fixture, &login);
    }

    fn a_store_that_was_replaced_by_an_older_one_is_judged_by_that(version) {
        let fixture = Fixture::start_with_tenant(version);
        let old = fixture.credential("old", "t1");
        let copy = fixture.cli.store().with_file_name("copy.db");
        fixture.cli.json(&["backup", copy.to_str().unwrap()]);
        let new = fixture.credential("new", "t1");
        let mut old_stays = old.connect("old").accepted(fixture.port());
        let mut new_ends = new.connect("new").accepted(fixture.port());
        // Moved into its place: the log of the old store still lies beside it.
        fs::rename(&copy, fixture.cli.store()).unwrap();
        assert!(new_ends.wait_closed(PATIENCE).is_some());
        assert_eq!(fixture.code(&new), REFUSED);
        admitted_again(&fixture, &old);
        old_stays.ping(PATIENCE).unwrap();
        assert!(fixture.our_lines().contains("moved or replaced"));
        let shown = fixture.cli.run(&["credential", "show", "new@t1"]);
        assert_eq!(shown.code, Some(1), "{shown:?}");
        fixture.cli.json(&["audit", "verify"]);
        revokes_arrive(&fixture, &old);
    }

    fn a_store_that_is_overwritten_in_place_is_judged_by_what_is_there(version) {
        let fixture = Fixture::start_with_tenant(version);
        let old = fixture.credential("old", "t1");
        let copy = fixture.cli.store().with_file_name("copy.db");
        fixture.cli.json(&["backup", copy.to_str().unwrap()]);
        let new = fixture.credential("new", "t1");
        let mut ends = new.connect("new").accepted(fixture.port());
        let content = fs::read(&copy).unwrap();

        fs::write(fixture.cli.store(), "garbage ".repeat(5_000)).unwrap();
        refused_with(&fixture, &old, "overwritten");
        fs::write(fixture.cli.store(), &content).unwrap();
        admitted_again(&fixture, &old);
        assert!(ends.wait_closed(PATIENCE).is_some());
        assert_eq!(fixture.code(&new), REFUSED);
        fixture.cli.json(&["audit", "verify"]);

        fs::write(fixture.cli.store(), "").unwrap();
        refused_with(&fixture, &old, "overwritten");
        fs::write(fixture.cli.store(), &content).unwrap();
        admitted_again(&fixture, &old);
        revokes_arrive(&fixture, &old);
    }

    fn a_companion_file_that_is_gone_or_cut_short_neither_kills_nor_fools_the_broker(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let mut stays = login.connect("stays").accepted(fixture.port());
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", fixture.cli.store().display()));
        let acts: [(&str, &str, Abuse); 4] = [
            ("-wal", "lost its `-wal`", |path| fs::remove_file(path).unwrap()),
            ("-shm", "lost its `-shm`", |path| fs::remove_file(path).unwrap()),
            ("-shm", "lost its `-shm`", |path| cut(path, 0)),
            ("-shm", "lost its `-shm`", |path| {
                fs::rename(path, path.with_extension("aside")).unwrap();
                fs::write(path, "garbage").unwrap();
            }),
        ];
        for (number, (suffix, said, act)) in acts.into_iter().enumerate() {
            let before = fixture.our_lines().matches(said).count();
            act(&beside(suffix));
            wait_until("the broker says so", || fixture.our_lines().matches(said).count() > before);
            admitted_again(&fixture, &login);
            stays.ping(PATIENCE).unwrap();
            let other = fixture.credential(&format!("other{number}"), "t1");
            revokes_arrive(&fixture, &other);
            fixture.cli.json(&["audit", "verify"]);
        }
        // What was in a log that is cut is lost; the broker goes on without it.
        cut(&beside("-wal"), 0);
        admitted_again(&fixture, &login);
        // Until the broker has noticed, the program finds frames missing.
        wait_until("the program opens the store", || {
            fixture.cli.run(&["settings", "show"]).code == Some(0)
        });
        revokes_arrive(&fixture, &login);
    }

    fn nothing_is_lost_where_the_companions_are_removed_between_two_acts(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let mut stays = login.connect("stays").accepted(fixture.port());
        let store = fixture.cli.store().to_owned();
        for round in 0..3 {
            let [first, second] = ["first", "second"].map(|name| format!("{name}{round}@t1"));
            fixture.cli.json(&["credential", "create", &first, "--tenant", "t1"]);
            // So that the program is there before the broker finds it out.
            fixture.broker.freeze().unwrap();
            for suffix in ["-wal", "-shm"] {
                fs::remove_file(format!("{}{suffix}", store.display())).unwrap();
            }
            std::thread::scope(|scope| {
                let act = scope.spawn(|| {
                    fixture.cli.run(&["credential", "create", &second, "--tenant", "t1"])
                });
                let start = Instant::now();
                while !act.is_finished() && start.elapsed() < Duration::from_millis(500) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                fixture.broker.thaw().unwrap();
                let act = act.join().unwrap();
                assert_eq!(act.code, Some(0), "{act:?}");
            });
            for name in [first, second] {
                fixture.cli.json(&["credential", "show", &name]);
            }
            admitted_again(&fixture, &login);
            stays.ping(PATIENCE).unwrap();
            fixture.cli.json(&["audit", "verify"]);
        }
        revokes_arrive(&fixture, &login);
    }

    fn a_directory_that_is_renamed_and_a_key_file_that_is_gone_are_noticed(version) {
        let fixture = Fixture::start_with_tenant(version);
        let login = fixture.credential("dev", "t1");
        let _stays = login.connect("stays").accepted(fixture.port());
        let folder = fixture.cli.store().parent().unwrap().to_owned();
        let aside = folder.with_extension("aside");
        fs::rename(&folder, &aside).unwrap();
        refused_with(&fixture, &login, "moved away");
        fs::rename(&aside, &folder).unwrap();
        admitted_again(&fixture, &login);
        let key = PathBuf::from(format!("{}.key", fixture.cli.store().display()));
        let kept = key.with_extension("kept");
        let said = |what: &str| fixture.our_lines().matches(what).count();
        let (gone, back) = ("key file beside the store is gone", "key file changed");
        // It was gone with the folder, perhaps for too short a time to be missed.
        wait_until("the broker has the key", || said(gone) == said(back));
        let before = said(gone);
        fs::rename(&key, &kept).unwrap();
        wait_until("the broker misses the key", || said(gone) > before);
        fs::rename(&kept, &key).unwrap();
        wait_until("the broker has the key again", || said(back) > before);
        revokes_arrive(&fixture, &login);
    }
}

/// What is done to a file.
type Abuse = fn(&Path);

fn cut(path: &Path, length: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

/// Waits until the broker has said that something happened to the store, and
/// sees that even who logged in a moment ago is refused.
fn refused_with(fixture: &Fixture, login: &Login, said: &str) {
    wait_until("the broker refuses", || fixture.code(login) == REFUSED);
    wait_until("the broker says so", || fixture.our_lines().contains(said));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(fixture.code(login), REFUSED);
}

fn admitted_again(fixture: &Fixture, login: &Login) {
    wait_until("the login is admitted again", || {
        fixture.code(login) == ACCEPTED
    });
}

/// Sees that a revoke ends a session as fast as ever.
fn revokes_arrive(fixture: &Fixture, login: &Login) {
    wait_until("the login is admitted", || fixture.code(login) == ACCEPTED);
    let mut ends = login.connect("ends").accepted(fixture.port());
    fixture.act("revoke", login);
    assert!(is_kicked(&mut ends));
    assert_eq!(fixture.code(login), REFUSED);
}
