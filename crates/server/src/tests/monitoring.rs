//! What `examples/monitoring` asks of Prometheus: it is well formed, and names what the
//! service tells.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use countersign_core::metrics::{BrokerMetrics, Label, UseCounts};
use countersign_core::store::GateStore as _;
use serde_json::{Value, json};

use super::brokers::introduce;
use crate::fixture::Server;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/monitoring")
}

/// Runs Prometheus's tool, which must be content.
fn promtool(arguments: &[&str], input: &str) {
    let mut tool = Command::new("promtool");
    tool.args(arguments).current_dir(folder());
    tool.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = tool
        .spawn()
        .expect("`cargo xtask setup` installs prometheus");
    running
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = running.wait_with_output().unwrap();
    let [said, errors] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success(), "{arguments:?}: {said}{errors}");
}

/// The queries of the dashboard, with numbers and texts for what Grafana puts in.
fn dashboard_queries() -> Vec<String> {
    let text = std::fs::read_to_string(folder().join("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = targets.map(|target| {
        let query = target["expr"].as_str().unwrap();
        query
            .replace("$__rate_interval", "5m")
            .replace("$broker", ".*")
    });
    let mut variables = dashboard["templating"]["list"].as_array().unwrap().iter();
    let broker = variables.find(|it| it["name"] == "broker").unwrap();
    let asked = broker["definition"].as_str().unwrap();
    let metric = asked
        .strip_prefix("label_values(")
        .and_then(|it| it.split(',').next());
    queries.chain(metric.map(str::to_owned)).collect()
}

/// The names of metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let words = text.split(|it| !is_part(it));
    let named = words.filter(|word| word.starts_with("countersign_"));
    named.map(str::to_owned).collect()
}

/// What the service tells of a broker that counted something of everything.
fn told() -> String {
    let server = Server::start();
    server
        .post("/api/v1/tenants", json!({ "id": "acme" }))
        .with(201);
    introduce(&server, "edge", None);
    let store = server.store();
    let _alive = store.lock_broker("edge").unwrap();
    let count = |what, why| [((Label::of(what), Label::of(why)), 1)].into();
    let counted = BrokerMetrics {
        uses: UseCounts {
            logins: count("refused", "bad-secret"),
            denied: count("publish", "no-rule"),
        },
        ..BrokerMetrics::default()
    };
    store.put_metrics("edge", &counted).unwrap();
    server.get("/metrics");
    server.get("/metrics").with(200).text
}

#[test]
fn the_alerts_say_what_is_wrong_and_nothing_of_what_is_well() {
    promtool(&["check", "config", "prometheus.yml"], "");
    promtool(&["test", "rules", "alerts-test.yml"], "");
    let text = |name| std::fs::read_to_string(folder().join(name)).unwrap();
    let (alerts, tests) = (text("alerts.yml"), text("alerts-test.yml"));
    for alert in alerts
        .lines()
        .filter_map(|line| line.split_once("- alert: "))
    {
        let tried = tests.matches(alert.1).count();
        assert_eq!(
            tried, 2,
            "{} is to be tried where it is told and where not",
            alert.1
        );
    }
}

#[test]
fn dashboard_and_alerts_name_what_is_told_and_what_is_told_is_well_formed() {
    let told = told();
    promtool(&["check", "metrics"], &told);
    let known = metrics_in(&told);
    let queries = dashboard_queries();
    assert!(queries.len() > 10, "{queries:?}");
    let alerts = std::fs::read_to_string(folder().join("alerts.yml")).unwrap();
    let tests = std::fs::read_to_string(folder().join("alerts-test.yml")).unwrap();
    let named = metrics_in(&(queries.join("\n") + &alerts + &tests));
    let unknown: Vec<_> = named.difference(&known).collect();
    assert!(unknown.is_empty(), "nobody tells {unknown:?}");
    // Each metric is looked at by something.
    let parts = ["_bucket", "_sum", "_count"];
    let base = |name: &String| {
        let part = parts.iter().find_map(|part| name.strip_suffix(part));
        part.unwrap_or(name).to_owned()
    };
    let [looked_at, all] = [&named, &known].map(|it| it.iter().map(base).collect::<BTreeSet<_>>());
    assert_eq!(looked_at, all);
    // Prometheus can read each query.
    let rules = queries.iter().enumerate();
    let rules =
        rules.map(|(number, expr)| json!({ "record": format!("query:{number}"), "expr": expr }));
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules.collect::<Vec<_>>() }] });
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    std::fs::write(file.path(), rules.to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()], "");
}
