//! docs/moving-in.md on real brokers: the users of its files before the move,
//! after it, half way, and back.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::artifacts::{self, workspace};
use countersign_testkit::broker::Builder;
use countersign_testkit::{Broker, Cli, Client, Connect};
use countersign_tests::mosquitto_tools::dynamic_security;
use countersign_tests::{ACCEPTED, REFUSED, on_every_broker, publishes, topics_so_far};
use serde_json::json;

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
        // What a login costs is not asked here: none is told to come again.
        .plugin_option("hash_budget", 100)
        .plugin_option("hash_round", 1_000)
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

/// A file that the page shows, in a folder.
fn write(folder: &Path, shown_as: &str) -> PathBuf {
    let file = folder.join(Path::new(shown_as).file_name().unwrap());
    fs::write(&file, shown(shown_as)).unwrap();
    file
}

/// A store beside a broker's files, into which an import of these words went.
fn imported(folder: &Path, words: &[&str]) -> Cli {
    let cli = Cli::new(folder.join("countersign.db"));
    cli.json(&["init"]);
    cli.json(&[&["import"], words].concat());
    cli
}

fn plugin() -> String {
    artifacts::plugin().unwrap().display().to_string()
}

fn code(broker: &Broker, user: &str, client_id: &str, password: &str) -> Option<u8> {
    let client = Connect::v311(client_id).login(user, password);
    client.code(broker.port())
}

/// What the page says of the clients of dynamic-security's file.
fn check_plant(broker: &Broker, context: &str, opens: bool) {
    for (client_id, password, expected) in [
        ("panel-1", "panel-secret", ACCEPTED),
        ("panel-1", "wrong", REFUSED),
        ("other", "panel-secret", REFUSED),
    ] {
        let code = code(broker, "panel", client_id, password);
        assert_eq!(code, expected, "{context}: {client_id}");
    }
    let panel = Connect::v5("panel-1").login("panel", "panel-secret");
    let (mut panel, mut pump) = (panel.accepted(broker.port()), connect(broker, "pump"));
    assert_eq!(
        panel.subscribe(&[("plant/#", 0)]).unwrap(),
        [0],
        "{context}"
    );
    for (topic, is_allowed) in [
        ("plant/state/flow", true),
        ("plant/pump/open", opens),
        ("plant/pump/close", false),
    ] {
        assert_eq!(
            publishes(&mut pump, topic),
            is_allowed,
            "{context}: {topic}"
        );
    }
    let expected: &[_] = if opens {
        &["plant/state/flow", "plant/pump/open"]
    } else {
        &["plant/state/flow"]
    };
    assert_eq!(topics_so_far(&mut panel), expected, "{context}");
}

on_every_broker! {
    fn the_clients_of_dynamic_security_move_in_and_back(version) {
        let builder = Broker::builder(version);
        let folder = builder.dir().to_owned();
        let file = write(&folder, "/var/lib/mosquitto/dynamic-security.json");
        let copy = folder.join("copy.json");
        fs::copy(&file, &copy).unwrap();
        let with = |builder: Builder, file: &Path| {
            let builder = builder.plugin(dynamic_security(version));
            builder.plugin_option("config_file", file.display()).start().unwrap()
        };
        let before = with(builder, &file);
        check_plant(&before, "before", true);
        let copy = copy.to_str().unwrap();
        let to = ["--tenant", "plant", "--namespace", "plant/#", "--accept-losses"];
        let cli = imported(&folder, &[&["dynamic-security", copy], &to[..]].concat());
        let out = folder.join("plant.json");
        cli.json(&["export", "dynamic-security", "--tenant", "plant", out.to_str().unwrap()]);
        let after = with_plugin(Broker::builder(version), cli.store()).start().unwrap();
        check_plant(&after, "after", false);
        check_plant(&with(Broker::builder(version), &out), "back by an export", false);
        check_plant(&with(Broker::builder(version), &file), "back to the file", true);
    }

    fn the_users_of_mosquitto_go_auth_move_in(version) {
        let builder = Broker::builder(version);
        let folder = builder.dir().to_owned();
        let [passwords, acl] = ["passwords", "acls"]
            .map(|name| write(&folder, &format!("/etc/mosquitto/go-auth/{name}")));
        let [passwords, acl] = [&passwords, &acl].map(|file| file.to_str().unwrap());
        let from = ["go-auth", "--passwords", passwords, "--acl", acl];
        let to = ["--tenant", "lab", "--namespace", "lab/#"];
        let cli = imported(&folder, &[&from[..], &to].concat());
        let broker = with_plugin(builder, cli.store()).start().unwrap();
        for user in ["erin", "meter1"] {
            assert_eq!(code(&broker, user, user, "wrong"), REFUSED, "{user}");
            assert_eq!(code(&broker, user, user, &format!("{user}-secret")), ACCEPTED, "{user}");
        }
        let (mut erin, mut meter) = (connect(&broker, "erin"), connect(&broker, "meter1"));
        assert_eq!(erin.subscribe(&[("lab/#", 0)]).unwrap(), [0]);
        assert!(publishes(&mut meter, "lab/meters/meter1/kwh"));
        assert!(!publishes(&mut meter, "lab/meters/erin/kwh"));
        assert!(publishes(&mut erin, "lab/hall"));
        assert!(!publishes(&mut erin, "lab/keys/door"));
        assert_eq!(topics_so_far(&mut erin), ["lab/meters/meter1/kwh", "lab/hall"]);
        assert_eq!(meter.subscribe(&[("lab/news", 0)]).unwrap(), [0]);
    }

    fn the_devices_of_a_table_move_in(version) {
        let builder = Broker::builder(version);
        let folder = builder.dir().to_owned();
        let [table, secrets] = ["presses.csv", "secrets.csv"].map(|name| folder.join(name));
        let rows = shown("devices.csv");
        let rows: Vec<_> = rows.lines().take(4).collect();
        fs::write(&table, rows.join("\n")).unwrap();
        let from = ["csv", table.to_str().unwrap(), "--output", secrets.to_str().unwrap()];
        let to = ["--tenant", "works", "--namespace", "works/#"];
        let cli = imported(&folder, &[&from[..], &to].concat());
        let broker = with_plugin(builder, cli.store()).start().unwrap();
        assert_eq!(code(&broker, "press-1", "press-1", "press-1-secret"), ACCEPTED);
        assert_eq!(code(&broker, "press-1", "other", "press-1-secret"), REFUSED);
        let secrets = fs::read_to_string(secrets).unwrap();
        let made = secrets.lines().skip(1).map(|line| line.split_once(',').unwrap());
        assert_eq!(made.clone().count(), 2);
        for (name, secret) in made {
            assert_eq!(code(&broker, name, "x", "wrong"), REFUSED);
            let press = Connect::v5(name).login(name, secret);
            let mut press = press.accepted(broker.port());
            let is_allowed = publishes(&mut press, &format!("works/{name}/strokes"));
            assert!(!is_allowed, "its tenant gives nothing by itself");
        }
    }

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
        assert_eq!(report["lost"], json!([]), "{report:#}");
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

    fn a_newcomer_moves_debians_own_layout_in_and_back(version) {
        let builder = Broker::builder(version);
        let (folder, port) = (builder.dir().to_owned(), builder.port());
        let here = |text: &str| {
            let listener = format!("listener {port} 127.0.0.1");
            text.replace("/etc/mosquitto", folder.to_str().unwrap())
                .replace("/var/lib/mosquitto", folder.to_str().unwrap())
                .replace("/usr/lib/countersign/libmosquitto_countersign.so", &plugin())
                .replace("/var/lib/countersign", folder.to_str().unwrap())
                .replace("listener 1883", &listener)
        };
        let write = |name: &str, text: &str| fs::write(folder.join(name), here(text)).unwrap();
        fs::create_dir(folder.join("conf.d")).unwrap();
        let names = ["passwd", "acl", "conf.d/local.conf"];
        let files = names.map(|name| (name, shown(&format!("/etc/mosquitto/{name}"))));
        files.iter().for_each(|(name, text)| write(name, text));
        let builder = builder.whole(here(&shown("/etc/mosquitto/mosquitto.conf")));
        let mut broker = builder.start().unwrap();
        check(&broker, "before");

        let cli = Cli::new(folder.join("countersign.db"));
        cli.json(&["init"]);
        let config = broker.config();
        let config = config.to_str().unwrap();
        let doctor = || cli.run(&["doctor", "--config", config]).code;
        assert_eq!(doctor(), Some(1), "the plugin is not there");
        let import = ["import", "mosquitto", "--config", config, "--tenant", "home"];
        let import = [&import[..], &["--namespace", "home/#"]].concat();
        let export = || cli.run(&["export", "-"]).stdout;
        let empty = export();
        let dry = cli.json(&[&import[..], &["--dry-run"]].concat());
        assert_eq!(export(), empty, "a dry run writes nothing");
        let done = cli.json(&import);
        for told in [dry, done] {
            assert_eq!((&told["kept"], &told["lost"]), (&json!(10), &json!([])), "{told:#}");
        }

        let example = workspace().join("examples/mosquitto/countersign.conf");
        let example = fs::read_to_string(example).unwrap();
        // What a login costs is not asked here: none is told to come again.
        let example = format!("{example}plugin_opt_hash_budget 100\nplugin_opt_hash_round 1000\n");
        write("conf.d/countersign.conf", &example);
        write("conf.d/local.conf", "listener 1883\n");
        assert_eq!(doctor(), Some(0));
        broker.restart().unwrap();
        check(&broker, "after");
        broker.reload().unwrap();
        check(&broker, "after a SIGHUP");

        fs::remove_file(folder.join("conf.d/countersign.conf")).unwrap();
        files.iter().for_each(|(name, text)| write(name, text));
        broker.restart().unwrap();
        check(&broker, "back");
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
