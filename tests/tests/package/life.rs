//! The life of our packages on a Debian: README's five minutes, a copy of the
//! store, a new version under a running broker, and the end.

use std::collections::BTreeSet;
use std::fs;

use countersign_testkit::artifacts::workspace;
use countersign_testkit::tools::Background;
use countersign_tests::wait_until;
use serde_json::Value;

use crate::fixture::Fixture;

#[test]
fn packages_are_used_upgraded_and_removed_and_the_broker_goes_on() {
    let debian = Fixture::new();
    let before = files(&debian);
    let secret = five_minutes(&debian);
    let login = format!("-u dev1@acme -P '{secret}' -i watcher");
    let mut watcher =
        debian.background(&format!("stdbuf -oL mosquitto_sub {login} -v -t 'acme/#'"));
    hears(&debian, &watcher, &secret, "first");
    owned_by_the_broker(&debian, &["", "-shm", "-wal", ".key"]);

    let mut service = serve(&debian);
    upgrade(&debian);
    assert!(service.is_running());
    drop(service);
    hears(&debian, &watcher, &secret, "upgraded");
    owned_by_the_broker(&debian, &["", "-shm", "-wal", ".key"]);
    restore(&debian);
    owned_by_the_broker(&debian, &["", "-shm", "-wal", ".key"]);
    hears(&debian, &watcher, &secret, "restored");
    remove(&debian);
    hears(&debian, &watcher, &secret, "removed");
    assert!(watcher.is_running());
    purge(&debian);
    let left: Vec<_> = files(&debian).difference(&before).cloned().collect();
    let by_hand = "/etc/mosquitto/conf.d/countersign.conf";
    let strange = left
        .iter()
        .filter(|path| !path.starts_with("/var/lib/countersign/") && *path != by_hand);
    assert_eq!(strange.count(), 0, "{left:?}");
    assert!(
        left.contains(&"/var/lib/countersign/countersign.db".to_owned()),
        "{left:?}"
    );
}

/// Follows README line by line; returns the secret that it shows.
fn five_minutes(debian: &Fixture) -> String {
    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let way: String = blocks
        .skip_while(|block| !block.contains("cargo xtask package"))
        .take(2)
        .collect();
    let mut secret = String::new();
    for line in way
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("cargo "))
    {
        let printed = debian.done(&line.replace("THE_SECRET", &secret));
        if line.contains("credential create") {
            let mut words =
                printed.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let shown = words.find(|word| word.starts_with("cs_"));
            shown
                .unwrap_or_else(|| panic!("{printed}"))
                .clone_into(&mut secret);
        }
    }
    assert!(way.contains("mosquitto_pub"), "{way}");
    let wrong = debian.run("mosquitto_pub -u dev1@acme -P wrong -t acme/hello -m hi");
    assert_ne!(wrong.code, Some(0), "{wrong:?}");
    secret
}

/// Sees a message arrive that is published now.
fn hears(debian: &Fixture, watcher: &Background, secret: &str, message: &str) {
    let topic = format!("acme/{message}");
    let publish = format!("mosquitto_pub -u dev1@acme -P '{secret}' -t {topic} -m hi");
    wait_until(&format!("{topic} is heard"), || {
        debian.done(&publish);
        watcher.stdout().contains(&format!("{topic} hi\n"))
    });
}

/// Whose the files of a store are that a broker uses, and who may read them.
fn owned_by_the_broker(debian: &Fixture, ends: &[&str]) {
    let folder = debian.done("stat -c '%U:%G %a' /var/lib/countersign");
    assert_eq!(folder, "mosquitto:mosquitto 750\n");
    let told = debian.done("cd /var/lib/countersign && stat -c '%n %U:%G %a' countersign.db*");
    let mut names = BTreeSet::new();
    for line in told.lines() {
        let (name, who) = line.split_once(' ').unwrap();
        assert_eq!(who, "mosquitto:mosquitto 600", "{name}");
        // Two are called by the broker's own name: its lock and what it counts.
        let is_its_own = ["-broker-", "-metrics-"];
        if !is_its_own.iter().any(|part| name.contains(part)) {
            names.insert(name.strip_prefix("countersign.db").unwrap());
        }
    }
    assert_eq!(names, BTreeSet::from_iter(ends.iter().copied()));
}

/// The watcher's session, once a broker has reported it.
fn session(debian: &Fixture) -> Value {
    let mut found = None;
    wait_until("the session is reported", || {
        let told = debian.done("countersign clients list --json");
        let clients: Vec<Value> = serde_json::from_str(&told).unwrap();
        let mut clients = clients.into_iter();
        found = clients.find(|client| client["client_id"] == "watcher");
        found.is_some()
    });
    found.unwrap()
}

/// Installs the next version while a broker runs the one of before.
fn upgrade(debian: &Fixture) {
    let service = debian.done("pidof countersign");
    let (broker, live) = (debian.broker(), session(debian));
    let said = debian
        .run("apt-get install -y ./next/countersign_*.deb ./next/mosquitto-countersign_*.deb");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.contains(&format!("process {broker}")),
        "{said:?}"
    );
    let told = format!("process {} goes on", service.trim());
    assert!(said.stderr.contains(&told), "{said:?}");
    assert_eq!(debian.broker(), broker);
    assert_eq!(session(debian), live);
    let maps = debian.done(&format!("grep countersign.so /proc/{broker}/maps"));
    assert!(
        maps.lines().all(|line| line.ends_with("(deleted)")),
        "{maps}"
    );
    debian.done("countersign doctor --config /etc/mosquitto/mosquitto.conf");
    // It still follows the store, and ends who may not stay.
    debian.done("countersign credential create dev2 --tenant acme");
    debian.done("countersign credential delete dev2@acme");
}

/// Starts the service with the options of its unit.
fn serve(debian: &Fixture) -> Background {
    let unit = "/usr/lib/systemd/system/countersign-serve.service";
    let unit = fs::read_to_string(debian.path(unit)).unwrap();
    let command = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let service = debian.background(&format!("exec {}", command.unwrap()));
    // Port 8080.
    wait_until("the service listens", || {
        debian.run("grep -q ':1F90 .* 0A ' /proc/net/tcp").code == Some(0)
    });
    service
}

/// The guide's way to go back to a copy.
fn restore(debian: &Fixture) {
    for line in [
        "countersign backup /var/backups/countersign.db",
        "systemctl stop mosquitto",
        "cd /var/lib/countersign && mkdir old && mv countersign.db* old/",
        "countersign restore /var/backups/countersign.db --owner mosquitto",
        "cd /var/lib/countersign && cp -p old/countersign.db.key .",
    ] {
        debian.done(line);
    }
    owned_by_the_broker(debian, &["", ".key"]);
    debian.done("rm -r /var/lib/countersign/old");
    debian.done("countersign doctor");
    debian.done("systemctl start mosquitto");
    let broker = debian.broker();
    let maps = debian.done(&format!("grep countersign.so /proc/{broker}/maps"));
    assert!(!maps.contains("(deleted)"), "{maps}");
}

/// Removes the packages while a broker runs, which its configuration still has
/// load the plugin.
fn remove(debian: &Fixture) {
    let (broker, live) = (debian.broker(), session(debian));
    let said = debian.run("apt-get remove -y mosquitto-countersign");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr
            .contains("/etc/mosquitto/conf.d/countersign.conf loads the plugin"),
        "{said:?}"
    );
    assert!(!debian.path("/usr/lib/countersign").exists());
    assert_eq!(debian.broker(), broker);
    assert_eq!(session(debian), live);
    let said = debian.run("apt-get remove -y countersign");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(debian.broker(), broker);
}

/// Purges the packages: the store stays, and its owner is told where it is.
fn purge(debian: &Fixture) {
    let broker = debian.broker();
    let said = debian.run("apt-get purge -y countersign mosquitto-countersign");
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr.contains("/var/lib/countersign is left"),
        "{said:?}"
    );
    owned_by_the_broker(debian, &["", "-shm", "-wal", ".key"]);
    assert_eq!(debian.broker(), broker);
    let installed = debian.done("dpkg-query --show");
    assert!(!installed.contains("countersign"), "{installed}");
}

/// All files, less what changes by itself.
fn files(debian: &Fixture) -> BTreeSet<String> {
    let listed = debian.done(
        "find / -xdev \\( -path /proc -o -path /root -o -path /run -o -path /tmp -o -path '/var/log' \
         -o -path '/var/cache' -o -path '/var/lib/dpkg' -o -path /var/lib/apt \
         -o -path /var/lib/mosquitto -o -path /var/backups \\) -prune -o -type f -print",
    );
    listed.lines().map(str::to_owned).collect()
}
