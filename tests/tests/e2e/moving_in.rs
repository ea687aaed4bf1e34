//! docs/moving-in.md on real brokers: the users of its files before the move,
//! after it, half way, and back.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::artifacts::{self, workspace};
use countersign_testkit::broker::Builder;
use countersign_testkit::{Broker, Cli, Client, Connect};
use countersign_tests::{ACCEPTED, REFUSED, on_every_broker, publishes, topics_so_far};

/// A file that the page shows.
fn shown(name: &str) -> String {
    let page = fs::read_to_string(workspace().join("docs/moving-in.md")).unwrap();
    let (_, rest) = page
        .split_once(&format!("<!-- file: {name} -->\n```\n"))
        .unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// The page's files in a folder.
fn files(folder: &Path) -> [PathBuf; 2] {
    ["passwd", "acl"].map(|name| {
        let file = folder.join(name);
        fs::write(&file, shown(&format!("/etc/mosquitto/{name}"))).unwrap();
        file
    })
}

fn with_files(builder: Builder, [passwords, acl]: &[PathBuf; 2]) -> Builder {
    builder
        .line(format!("password_file {}", passwords.display()))
        .line(format!("acl_file {}", acl.display()))
}

fn with_plugin(builder: Builder, store: &Path) -> Builder {
    builder
        .plugin(artifacts::plugin().unwrap())
        .plugin_option("store", store.display())
}

fn connect(broker: &Broker, user: &str) -> Client {
    Connect::v5(user)
        .login(user, format!("{user}-secret"))
        .accepted(broker.port())
}

/// What the page says that its users may do, and no more.
fn check(broker: &Broker, context: &str) {
    for user in ["alice", "bob", "sensor1"] {
        let code = |password: &str| Connect::v311("x").login(user, password).code(broker.port());
        assert_eq!(
            code(&format!("{user}-secret")),
            ACCEPTED,
            "{context}: {user}"
        );
        assert_eq!(code("wrong"), REFUSED, "{context}: {user}");
    }
    assert_eq!(Connect::v311("x").code(broker.port()), REFUSED, "{context}");
    let (mut alice, mut bob) = (connect(broker, "alice"), connect(broker, "bob"));
    let mut sensor = connect(broker, "sensor1");
    assert_eq!(bob.subscribe(&[("home/#", 0)]).unwrap(), [0], "{context}");
    let publish = |client: &mut Client, topic: &str, is_allowed: bool| {
        assert_eq!(publishes(client, topic), is_allowed, "{context}: {topic}");
    };
    publish(&mut alice, "home/hall/lamp", true);
    publish(&mut alice, "home/bedroom/lamp", true);
    publish(&mut alice, "garden/x", false);
    publish(&mut sensor, "home/sensors/sensor1/t", true);
    publish(&mut sensor, "home/sensors/bob/t", false);
    publish(&mut bob, "home/hall/lamp", false);
    let received = topics_so_far(&mut bob);
    assert_eq!(
        received,
        ["home/hall/lamp", "home/sensors/sensor1/t"],
        "{context}"
    );
}

on_every_broker! {
    fn the_users_of_mosquittos_files_move_in_and_back_with_their_old_passwords(version) {
        let builder = Broker::builder(version);
        let folder = builder.dir().to_owned();
        let files = files(&folder);
        let before = with_files(builder, &files).start().unwrap();
        check(&before, "before");
        let store = folder.join("countersign.db");
        let cli = Cli::new(&store);
        cli.json(&["init"]);
        let [passwords, acl] = files.each_ref().map(|file| file.to_str().unwrap());
        let import = ["import", "mosquitto", "--passwords", passwords, "--acl", acl, "--tenant", "home"];
        let report = cli.json(&[&import[..], &["--namespace", "home/#"]].concat());
        assert_eq!(report["lost"], serde_json::json!([]), "{report:#}");
        // Back, as long as the hashes are those of the files.
        let out = ["out.passwd", "out.acl"].map(|name| folder.join(name));
        let [to_passwords, to_acl] = out.each_ref().map(|file| file.to_str().unwrap());
        cli.json(&["export", "mosquitto", "--tenant", "home", "--passwords", to_passwords, "--acl", to_acl]);
        let back = with_files(Broker::builder(version), &out).start().unwrap();
        check(&back, "back");
        let after = with_plugin(Broker::builder(version), &store).start().unwrap();
        check(&after, "after");
        after.reload().unwrap();
        check(&after, "after a reload");
    }

    fn users_move_one_by_one_beside_the_files_of_the_others(version) {
        let builder = Broker::builder(version);
        let folder = builder.dir().to_owned();
        let files = files(&folder);
        let store = folder.join("countersign.db");
        let cli = Cli::new(&store);
        cli.json(&["init"]);
        cli.json(&["tenant", "create", "home"]);
        let builder = with_plugin(with_files(builder, &files), &store);
        let broker = builder.plugin_option("chain", "defer").line("allow_anonymous false").start().unwrap();
        check(&broker, "before anybody moved");
        let login = || Connect::v311("d1").login("dave", "dave-secret").code(broker.port());
        assert_eq!(login(), REFUSED);
        let moved = ["dave.passwd", "dave.acl"].map(|name| {
            let file = folder.join(name);
            fs::write(&file, shown(name)).unwrap();
            file
        });
        let [passwords, acl] = moved.each_ref().map(|file| file.to_str().unwrap());
        cli.json(&["import", "mosquitto", "--passwords", passwords, "--acl", acl, "--tenant", "home"]);
        assert_eq!(login(), ACCEPTED);
        let mut dave = connect(&broker, "dave");
        let code = dave.publish("home/garden/x", b"x", 1, false).unwrap();
        assert!(code < 0x80);
        assert!(dave.publish("home/hall/lamp", b"x", 1, false).unwrap() >= 0x80);
        check(&broker, "once one moved");
        cli.json(&["credential", "delete", "dave"]);
        assert_eq!(login(), REFUSED);
    }
}
