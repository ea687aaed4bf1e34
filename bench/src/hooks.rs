//! CPU and rate of answers to other brokers, which ask by hooks.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Instant;
use std::{fs, str};

use anyhow::{Context, Result, ensure};
use countersign_testkit::Cli;
use countersign_testkit::service::Service;

use crate::act::NO_BROKER;
use crate::figure::{Figure, Quantity, Rounds, percentile};
use crate::http::HttpClient;
use crate::login::{Login, TENANT};
use crate::meter::Meter;
use crate::scale::Scale;
use crate::store::{Devices, cli, file, read};

/// Each kind of broker asks about the same clients, which logged in before.
pub fn measure(scale: &Scale, place: &Path) -> Result<Vec<Figure>> {
    let folder = place.join("hooks");
    fs::create_dir_all(&folder)?;
    let devices = Devices {
        count: DEVICES,
        used: 0..DEVICES,
        have_passwords: false,
        have_roles: true,
    };
    devices.store_in(&folder)?;
    let mut secrets = Vec::new();
    for kind in KINDS {
        let create = format!("hook create {kind} --kind {kind} --field secret");
        secrets.push(read(&mut cli(&folder, &create)?)?);
    }
    let service = Service::start(&Cli::new(file(&folder)), &[])?;
    let meter = Meter::of(service.pid())?;
    // All of its threads share one core.
    read(Command::new("taskset").args(["-a", "-p", "-c", "0", &service.pid().to_string()]))?;
    let each = scale.connects / ASKERS;
    let case = format!(
        "the service on one core; {DEVICES} devices with roles, of which one logs in and publishes \
         {} times, and then {ASKERS} at once, {each} times each",
        scale.connects
    );
    let mut rounds = Rounds::begin("hooks", case);
    let mut asked = Vec::new();
    for (kind, secret) in KINDS.into_iter().zip(&secrets) {
        let mut questions = Vec::new();
        for number in 0..ASKERS {
            let hook = Hook {
                kind,
                secret: secret.trim(),
                address: service.address,
            };
            questions.push(hook.questions(&Login::generated(number))?);
        }
        asked.push((kind, questions));
    }
    for _ in 0..scale.rounds {
        for (kind, questions) in &asked {
            for (place, what) in ["login", "publish"].into_iter().enumerate() {
                let title = format!("{kind}, {what}");
                let mut asker = HttpClient::new(service.address)?;
                let first = questions.first().context("nobody asks")?;
                let mut used = Vec::new();
                for _ in 0..scale.connects {
                    let before = meter.cpu()?;
                    is_allowed(&mut asker, &first[place])?;
                    used.push((meter.cpu()? - before).process / 1e3);
                }
                for (quantity, share) in [(P50, 0.5), (P99, 0.99)] {
                    rounds.push(NO_BROKER, &title, quantity, percentile(&used, share));
                }
                let (begun, before) = (Instant::now(), meter.cpu()?);
                thread::scope(|scope| {
                    let asks = questions.iter().map(|all| {
                        let mut asker = HttpClient::new(service.address)?;
                        Ok(scope.spawn(move || {
                            (0..each)
                                .try_for_each(|_| is_allowed(&mut asker, &all[place]).map(drop))
                        }))
                    });
                    let asks: Vec<_> = asks.collect::<Result<_>>()?;
                    asks.into_iter()
                        .try_for_each(|ask| ask.join().expect("asking panicked"))
                })?;
                let used = (meter.cpu()? - before).process / 1e3;
                let count = (each * ASKERS) as f64;
                rounds.push(NO_BROKER, &title, AT_ONCE, used / count);
                rounds.push(
                    NO_BROKER,
                    &title,
                    RATE,
                    count / begun.elapsed().as_secs_f64(),
                );
            }
        }
    }
    let mut figures = rounds.figures("");
    for figure in &mut figures {
        figure.goal = (figure.quantity == P50 || figure.quantity == AT_ONCE).then_some(MOST_CPU);
    }
    Ok(figures)
}

/// A hook of a broker of this kind.
struct Hook<'a> {
    kind: &'static str,
    secret: &'a str,
    address: SocketAddr,
}

impl Hook<'_> {
    /// What its broker asks when a client logs in, and when it publishes; it logs in once.
    fn questions(&self, login: &Login) -> Result<[Vec<u8>; 2]> {
        let name = &login.username;
        let id = name.replace('@', "-");
        let topic = format!("{TENANT}/reader/a/x");
        let writes_json = matches!(self.kind, "emqx" | "goauth");
        // As each writes it.
        let fields = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, text)| {
                if writes_json {
                    format!("\"{name}\":\"{text}\"")
                } else {
                    format!("{name}={}", text.replace('@', "%40").replace('/', "%2F"))
                }
            });
            pairs
                .collect::<Vec<_>>()
                .join(if writes_json { "," } else { "&" })
        };
        let request = |last: &str, body: String| {
            let (media, body) = if writes_json {
                ("application/json", format!("{{{body}}}"))
            } else {
                ("application/x-www-form-urlencoded", body)
            };
            let Self { kind, secret, .. } = self;
            format!(
                "POST /hooks/{kind}/{secret}/{last} HTTP/1.1\r\nHost: {}\r\nContent-Type: \
                 {media}\r\nContent-Length: {}\r\n\r\n{body}",
                self.address,
                body.len()
            )
            .into_bytes()
        };
        let id_name = match self.kind {
            "rabbitmq" => "client_id",
            _ => "clientid",
        };
        let who = [("username", name.as_str()), (id_name, id.as_str())];
        let presented = [&who[..], &[("password", &*login.password)]].concat();
        let log_in = match self.kind {
            "emqx" => (
                "authn",
                [&presented[..], &[("peerhost", "192.0.2.1")]].concat(),
            ),
            "goauth" => ("user", presented),
            "rabbitmq" => ("user", [&presented[..], &[("vhost", "/")]].concat()),
            _ => ("auth", presented),
        };
        let log_in = request(log_in.0, fields(&log_in.1));
        let answer = is_allowed(&mut HttpClient::new(self.address)?, &log_in)?;
        let pin = match answer.split_once("cs.") {
            Some((_, rest)) => format!("cs.{}", rest.split('"').next().unwrap_or_default()),
            None => String::new(),
        };
        let publish = match self.kind {
            "emqx" => {
                let more = [
                    ("topic", &*topic),
                    ("action", "publish"),
                    ("qos", "1"),
                    ("retain", "false"),
                    ("pin", &*pin),
                ];
                request("authz", fields(&[&who[..], &more].concat()))
            }
            "goauth" => {
                let more = fields(&[&who[..], &[("topic", &*topic)]].concat());
                request("acl", format!("{more},\"acc\":2"))
            }
            "rabbitmq" => {
                let key = topic.replace('/', ".");
                let more = [
                    ("username", name.as_str()),
                    ("vhost", "/"),
                    ("tags", &*pin),
                    ("resource", "topic"),
                    ("name", "amq.topic"),
                    ("permission", "write"),
                    ("routing_key", &*key),
                    ("variable_map.client_id", &*id),
                ];
                request("topic", fields(&more))
            }
            _ => {
                let more = [("access", "2"), ("topic", &*topic)];
                request("acl", fields(&[&who[..], &more].concat()))
            }
        };
        Ok([log_in, publish])
    }
}

/// Sends a request that is answered with yes; returns the answer.
fn is_allowed(broker: &mut HttpClient, request: &[u8]) -> Result<String> {
    let (status, body) = broker.send(request)?;
    let is_yes = body.contains("allow") || body.contains("\"ok\":true");
    ensure!(is_yes, "it was refused: {status} {body}");
    Ok(body)
}

const P50: Quantity = Quantity::median("CPU, p50", "µs");
const P99: Quantity = Quantity::median("CPU, p99", "µs");
const AT_ONCE: Quantity = Quantity::median("CPU, all at once", "µs");
const RATE: Quantity = Quantity::median("requests", "/s");

/// An answer should not take more CPU, in µs: that is 5,000 a second on one core.
const MOST_CPU: f64 = 200.0;
const KINDS: [&str; 4] = ["emqx", "goauth", "rabbitmq", "rmqtt"];
const DEVICES: usize = 10_000;
const ASKERS: usize = 16;
