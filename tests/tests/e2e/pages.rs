//! Pages of `docs` on real brokers: their commands run by a shell as they stand,
//! but for ports, paths, and secrets that were printed before.

use std::fs;
use std::path::{Path, PathBuf};

use countersign_testkit::artifacts::{self, workspace};
use countersign_testkit::broker::Builder;
use countersign_testkit::tools::Tool;
use countersign_testkit::{Broker, Client, Connect};
use countersign_tests::{
    Fixture, Login, PATIENCE, is_kicked, on_every_broker, topics_so_far, wait_until,
};
use serde_json::json;
use tempfile::TempDir;

/// A block of a page, and the text before it.
struct Block {
    before: String,
    text: String,
}

/// The blocks below a title, or of a whole page.
fn blocks(page: &str, title: Option<&str>) -> Vec<Block> {
    let page = fs::read_to_string(workspace().join(page)).unwrap();
    let section = title.map_or(page.as_str(), |title| {
        let (_, rest) = page.split_once(&format!("\n{title}\n")).unwrap();
        rest.split("\n## ").next().unwrap()
    });
    let parts: Vec<_> = section.split("```").collect();
    let pairs = parts.chunks_exact(2).map(|pair| Block {
        before: pair[0].into(),
        text: pair[1].split_once('\n').unwrap().1.into(),
    });
    pairs.collect()
}

impl Block {
    /// What is configured here, for a broker that `which` names.
    fn config(&self, which: &str) -> Option<impl Iterator<Item = &str>> {
        let is_config = self.before.trim_end().ends_with(which);
        is_config.then(|| self.text.lines())
    }

    /// The commands of a block that only shows them.
    fn commands(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.is_empty())
    }
}

/// The one who reads a page, with a shell in a folder.
struct Reader {
    folder: TempDir,
    store: Option<PathBuf>,
    /// What a line says, and what is meant here.
    meant: Vec<(String, String)>,
}

impl Reader {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: None,
            meant: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From now on `said` means something else.
    fn mean(&mut self, said: &str, meant: impl ToString) {
        self.meant.retain(|(it, _)| it != said);
        self.meant.push((said.into(), meant.to_string()));
    }

    fn meant(&self, text: &str) -> String {
        let meant = self.meant.iter();
        meant.fold(text.to_owned(), |text, (said, meant)| {
            text.replace(said, meant)
        })
    }

    /// Runs a line, which must be done, or denied where it says so.
    fn run(&mut self, line: &str) -> String {
        let (command, comment) = line.split_once("  #").unwrap_or((line, ""));
        let programs = artifacts::cli().unwrap();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", programs.parent().unwrap().display());
        let mut shell = Tool::new("sh").args(["-euc", &self.meant(command)]);
        shell = shell.env("PATH", path).current_dir(self.folder.path());
        if let Some(store) = &self.store {
            shell = shell.env("COUNTERSIGN_STORE", store);
        }
        let ran = shell.run(PATIENCE).unwrap();
        let expected = i32::from(comment.trim().starts_with("deny"));
        assert_eq!(ran.code, Some(expected), "{line}: {ran:?}");
        if let Some((_, rest)) = ran.stdout.split_once("cs_") {
            let digits = rest.chars().take_while(char::is_ascii_hexdigit);
            self.mean("THE_SECRET", format!("cs_{}", digits.collect::<String>()));
        }
        ran.stdout
    }
}

/// The meters of the second hall, logged in with the secrets of a table.
fn second_hall(fixture: &Fixture, table: &Path) -> Vec<Client> {
    let rows = fs::read_to_string(table).unwrap();
    let rows = rows.lines().skip(1).map(|row| row.split_once(',').unwrap());
    let hall = rows.filter(|(name, _)| *name > "meter45@plant");
    let logins = hall.map(|(name, secret)| Login {
        username: name.into(),
        secret: secret.into(),
    });
    let connects = logins.map(|login| login.connect_v5(&login.username));
    let clients: Vec<_> = connects.map(|it| it.accepted(fixture.port())).collect();
    assert_eq!(clients.len(), 5);
    clients
}

on_every_broker! {
    fn the_tuesday_of_the_guide_can_be_followed(version) {
        let fixture = Fixture::start(version);
        let mut reader = Reader::new();
        reader.store = Some(fixture.cli.store().to_owned());
        reader.mean("mosquitto_pub", format!("mosquitto_pub -p {}", fixture.port()));
        let [old, new] = ["secrets.csv", "new.csv"].map(|name| reader.path(name));
        let mut clients = Vec::new();
        let mut shown = 0;
        for block in blocks("docs/guide.md", Some("## Many devices at once")) {
            let Some(transcript) = block.text.strip_prefix("$ ") else {
                block.commands().for_each(|line| drop(reader.run(line)));
                continue;
            };
            let line = transcript.lines().next().unwrap();
            if let Some((_, words)) = block.before.rsplit_once("<!-- on a broker; it shows ") {
                let words: Vec<_> = words.split('`').skip(1).step_by(2).collect();
                wait_until("it shows what happened", || {
                    let printed = reader.run(line);
                    words.iter().all(|word| printed.contains(word))
                });
                shown += words.len();
                continue;
            }
            let printed = reader.run(line);
            if line.contains("import csv") {
                clients = second_hall(&fixture, &old);
                let granted = clients[0].subscribe(&[("plant/notices/#", 0)]).unwrap();
                assert!(granted[0] >= 0x80, "{granted:?}");
            } else if line.contains("role allow") {
                wait_until("the group may read", || {
                    clients[0].subscribe(&[("plant/notices/#", 0)]).unwrap() == [0]
                });
            } else if line.ends_with("--dry-run") {
                assert!(printed.contains("meter50@plant"), "{printed}");
                assert!(clients.iter_mut().all(Client::is_alive), "a dry run ends no session");
            } else if line.contains("suspend") {
                assert!(clients.iter_mut().all(is_kicked), "a suspended meter is still there");
            } else if line.contains("reactivate") {
                clients = second_hall(&fixture, &old);
            } else if line.contains("rotate") {
                // The old secret counts for a day more.
                assert!(clients.iter_mut().all(Client::is_alive));
                drop(second_hall(&fixture, &new));
                let secrets = fs::read_to_string(&new).unwrap();
                let mut rows = secrets.lines().filter_map(|row| row.strip_prefix("meter46@plant,"));
                reader.mean("THE_SECRET", rows.next().unwrap());
            }
        }
        assert_eq!(shown, 2, "the page says why a meter can't publish");
        let left = fixture.cli.json(&["credential", "list", "--group", "METERS.HALL2"]);
        assert_eq!(left, json!([]));
    }

    fn the_page_about_tls_can_be_followed(version) {
        let page = blocks("docs/tls.md", None);
        let mut reader = Reader::new();
        let makes_keys = |line: &&str| line.starts_with("openssl ");
        for line in page.iter().flat_map(Block::commands).filter(makes_keys) {
            reader.run(line);
        }
        let folder = reader.folder.path().display().to_string();
        reader.mean("/etc/mosquitto/certs", folder);
        let mut ports = Vec::new();
        let fixture = Fixture::start_with(version, |mut builder| {
            for line in page.iter().filter_map(|block| block.config("<!-- conf -->")).flatten() {
                builder = match line.strip_prefix("listener ") {
                    Some(port) => {
                        ports.push(port.to_owned());
                        builder.listener()
                    }
                    None => builder.listener_line(reader.meant(line)),
                };
            }
            builder
        });
        for (number, port) in ports.iter().enumerate() {
            reader.mean(&format!("-p {port}"), format!("-p {}", fixture.broker.port_of(number + 1)));
        }
        reader.store = Some(fixture.cli.store().to_owned());
        fixture.tenant("acme", &[]);
        let mut observer = fixture.observer("acme/#");
        let is_run = |line: &&str| line.starts_with("countersign ") || line.starts_with("mosquitto_pub ");
        for line in page.iter().flat_map(Block::commands).filter(is_run) {
            reader.run(line);
        }
        assert_eq!(topics_so_far(&mut observer), ["acme/hello", "acme/meter1", "acme/meter2", "acme/lamp2"]);
    }

    fn the_page_about_the_service_can_be_followed(version) {
        let fixture = Fixture::start(version);
        let mut reader = Reader::new();
        reader.store = Some(fixture.cli.store().to_owned());
        reader.mean("mosquitto_pub", format!("mosquitto_pub -p {}", fixture.port()));
        reader.mean("curl ", "curl -sS --fail-with-body --noproxy '*' ");
        // Nothing outside of this machine is asked for keys.
        reader.mean("https://sso.example.com/keys", "https://127.0.0.1:1/keys");
        let mut service = None;
        let mut asked = 0;
        let page = blocks("docs/service.md", None);
        let lines = page.iter().flat_map(Block::commands);
        for line in lines.filter(|line| !line.starts_with('#')) {
            if let Some(options) = line.strip_prefix("countersign serve ") {
                // With a certificate, and behind a proxy, it is the same service.
                let options: Vec<_> = options.split(' ').collect();
                let served = match options[..] {
                    ["--door", ..] => service.insert(fixture.serve_with(&options)),
                    _ => service.get_or_insert_with(|| fixture.serve()),
                };
                reader.mean("localhost:8080", served.address);
                continue;
            }
            reader.run(line);
            asked += usize::from(line.starts_with("curl "));
        }
        assert!(asked >= 10, "only {asked} examples were found");
        let dev1 = fixture.cli.json(&["credential", "show", "dev1@acme"]);
        assert_eq!((&dev1["description"], &dev1["state"]), (&json!("the pump"), &json!("Active")));
        let left = fixture.cli.json(&["credential", "list", "--tenant", "acme"]);
        assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
        assert_eq!(service.unwrap().end().code, Some(0));
    }

    fn the_page_about_bridges_can_be_followed(version) {
        let fixture = Fixture::start(version);
        let mut reader = Reader::new();
        reader.store = Some(fixture.cli.store().to_owned());
        reader.mean("broker.example.com:1883", format!("127.0.0.1:{}", fixture.port()));
        let mut observer = fixture.observer("site/#");
        let mut edge = None;
        for block in blocks("docs/bridges.md", None) {
            if let Some(lines) = block.config("<!-- conf of the other broker -->") {
                let builder = Broker::builder(version).line("allow_anonymous true");
                let builder = lines.map(|line| reader.meant(line)).fold(builder, Builder::listener_line);
                edge = Some(builder.start().unwrap());
                continue;
            }
            block.commands().for_each(|line| drop(reader.run(line)));
        }
        let edge = edge.unwrap();
        fixture.wait_for_clients(&["observer", "site-7"]);
        let mut device = Connect::v311("device").accepted(edge.port());
        device.publish("site/pump", b"on", 1, false).unwrap();
        assert_eq!(observer.receive(PATIENCE).unwrap().topic, "site/pump");
    }
}
