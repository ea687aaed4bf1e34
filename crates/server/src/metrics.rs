//! What is counted, for Prometheus: by the brokers, each since it started, and by the
//! service since it did.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use axum::http::StatusCode;
use countersign_admin::broker::ReadMetrics;
use countersign_admin::{Caller, Context, OsRandom, run};
use countersign_core::metrics::{BrokerMetrics, Counts, HashSeconds, UseCounts};
use countersign_core::name::TenantId;
use countersign_core::store::GateStore as _;
use countersign_core::store::rows::KnownBroker;
use countersign_core::time::Timestamp;
use countersign_store::AnyStore;

use crate::answer::Answer;
use crate::call::Call;
use crate::counts::ServiceCounts;
use crate::input::Nothing;
use crate::problem::Problem;
use crate::route::{Access, Route, get};
use crate::stats::Stats;

/// The route for those who log in.
pub(crate) fn routes() -> Vec<Route> {
    vec![get(PATH, "Read what is counted, for Prometheus", known).answers_text(KIND)]
}

/// The route of an address of its own, where nobody logs in.
pub(crate) fn open_routes() -> Vec<Route> {
    let open = get(PATH, "Read what is counted", anybody).answers_text(KIND);
    vec![open.with_access(Access::Anybody)]
}

fn known(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let brokers = call.run(&ReadMetrics)?;
    Ok(answer(call, &brokers))
}

/// Whoever reaches the address may know what is counted, and nothing else.
fn anybody(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let brokers = read(call.store, call.now)?;
    Ok(answer(call, &brokers))
}

/// Looks at what brokers count now, for what is told of the last hour.
pub(crate) fn observe(store: &mut AnyStore, stats: &Stats, now: Timestamp) -> Result<(), Problem> {
    let brokers = read(store, now)?;
    let told = brokers.iter();
    let told = told.filter_map(|(broker, it)| Some((&*broker.record.name, it.as_ref()?)));
    stats.observe(now, told);
    Ok(())
}

fn read(
    store: &mut AnyStore,
    now: Timestamp,
) -> Result<Vec<(KnownBroker, Option<BrokerMetrics>)>, Problem> {
    let mut context = Context {
        now,
        caller: Caller::owner("http:metrics"),
        random: &mut OsRandom,
    };
    Ok(run(store, &mut context, &ReadMetrics)?)
}

fn answer(call: &mut Call<'_>, brokers: &[(KnownBroker, Option<BrokerMetrics>)]) -> Answer {
    let told = brokers.iter();
    let told: Vec<_> = told
        .filter_map(|(broker, metrics)| Some((&*broker.record.name, metrics.as_ref()?)))
        .collect();
    let mut text = exposition(&told, call.counts);
    text.push_str(&replica(call.store, call.now));
    Answer::text(StatusCode::OK, KIND, text.into_bytes())
}

/// How a replica does; nothing of a store that is none, or can't be read.
fn replica(store: &mut AnyStore, now: Timestamp) -> String {
    let mut text = Exposition::default();
    if let Ok(Some(replica)) = store.replica() {
        if let Some(at) = replica.contact_at {
            text.begin(
                "replica_contact_seconds",
                "gauge",
                "How long ago the centre answered last.",
            );
            text.row("replica_contact_seconds", &[], now.since(at).as_secs());
        }
        if let Ok(waiting) = store.count_to_hand_back() {
            text.begin(
                "replica_waiting",
                "gauge",
                "What the broker wrote and the centre has not judged.",
            );
            text.row("replica_waiting", &[], waiting);
        }
    }
    text.0
}

/// All that is counted, as Prometheus reads it.
fn exposition(brokers: &[(&str, &BrokerMetrics)], service: &ServiceCounts) -> String {
    let mut text = Exposition::default();
    let by_tenant = service.is_by_tenant;
    text.begin(
        "logins_total",
        "counter",
        "Logins, by what became of them and why.",
    );
    for (broker, metrics) in brokers {
        for (tenant, counts) in uses(metrics, by_tenant, |uses| &uses.logins) {
            text.counts(
                "logins_total",
                broker,
                ["outcome", "cause"],
                tenant,
                &counts,
            );
        }
    }
    text.begin(
        "denied_total",
        "counter",
        "Uses of topics that were denied.",
    );
    for (broker, metrics) in brokers {
        for (tenant, counts) in uses(metrics, by_tenant, |uses| &uses.denied) {
            text.counts("denied_total", broker, ["act", "cause"], tenant, &counts);
        }
    }
    text.begin("sessions", "gauge", "Sessions that are connected.");
    for (broker, metrics) in brokers {
        text.row("sessions", &[("broker", broker)], metrics.sessions);
    }
    text.begin("hash_queue", "gauge", "Password checks that wait.");
    let waiting = brokers.iter().map(|(_, metrics)| metrics.hash_queue);
    text.row("hash_queue", &[], waiting.fold(0, u64::saturating_add));
    text.hash_seconds(brokers.iter().map(|(_, metrics)| &metrics.hash_seconds));
    text.begin(
        "store_lag_seconds",
        "gauge",
        "For how long a broker has not heard of what was committed.",
    );
    for (broker, metrics) in brokers {
        let lag = Decimal::<1_000>(metrics.store_lag_millis);
        text.row("store_lag_seconds", &[("broker", broker)], lag);
    }
    let counted = service.lock();
    let mut acts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let of_service = counted.acts.iter();
    let of_service = of_service.map(|(act, count)| ((&**act, DONE), *count));
    let of_brokers = brokers.iter().flat_map(|(_, metrics)| &metrics.acts);
    let of_brokers =
        of_brokers.map(|((act, outcome), count)| ((act.as_str(), outcome.as_str()), *count));
    for (key, count) in of_service.chain(of_brokers) {
        let sum = acts.entry(key).or_default();
        *sum = sum.saturating_add(count);
    }
    text.begin("acts_total", "counter", "Acts of administration.");
    for ((act, outcome), count) in acts {
        text.row("acts_total", &[("act", act), ("outcome", outcome)], count);
    }
    text.begin(
        "http_requests_total",
        "counter",
        "Requests that were answered.",
    );
    for ((route, status), count) in &counted.requests {
        let labels = [("route", *route), ("status", &status.to_string())];
        text.row("http_requests_total", &labels, *count);
    }
    text.0
}

/// The uses that a broker counted: all together, or those of each tenant and the rest
/// of them, so that their sum is the same.
fn uses<'a>(
    metrics: &'a BrokerMetrics,
    by_tenant: bool,
    counts: impl Fn(&'a UseCounts) -> &'a Counts,
) -> Vec<(Option<&'a str>, Counts)> {
    let mut rest = counts(&metrics.uses).clone();
    if !by_tenant {
        return vec![(None, rest)];
    }
    let mut parts = Vec::new();
    for (tenant, uses) in &metrics.by_tenant {
        let own = counts(uses);
        for (key, count) in own {
            if let Some(left) = rest.get_mut(key) {
                *left = left.saturating_sub(*count);
            }
        }
        let name = tenant.as_ref().map_or(OTHERS, TenantId::as_str);
        parts.push((Some(name), own.clone()));
    }
    parts.push((None, rest));
    parts
}

/// Text in the form of Prometheus.
#[derive(Default)]
struct Exposition(String);

impl Exposition {
    /// Says what the rows below are.
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {PREFIX}{name} {help}"));
        self.line(format_args!("# TYPE {PREFIX}{name} {kind}"));
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: impl fmt::Display) {
        let mut shown = String::new();
        for (key, value) in labels {
            let separator = if shown.is_empty() { "{" } else { "," };
            let value = value.replace('\\', "\\\\");
            let value = value.replace('"', "\\\"").replace('\n', "\\n");
            shown.push_str(&format!("{separator}{key}=\"{value}\""));
        }
        if !shown.is_empty() {
            shown.push('}');
        }
        self.line(format_args!("{PREFIX}{name}{shown} {value}"));
    }

    fn counts(
        &mut self,
        name: &str,
        broker: &str,
        [what, why]: [&str; 2],
        tenant: Option<&str>,
        counts: &Counts,
    ) {
        for ((first, second), count) in counts {
            let labels = [
                ("broker", broker),
                (what, first.as_str()),
                (why, second.as_str()),
            ];
            let tenant = tenant.map(|tenant| ("tenant", tenant));
            let labels: Vec<_> = labels.into_iter().chain(tenant).collect();
            self.row(name, &labels, *count);
        }
    }

    /// A histogram holds in each place what took no longer, and not what took longer
    /// than the place before.
    fn hash_seconds<'a>(&mut self, all: impl Iterator<Item = &'a HashSeconds>) {
        let mut sum = HashSeconds::default();
        for one in all {
            sum.sum_micros = sum.sum_micros.saturating_add(one.sum_micros);
            for (sum, count) in sum.counts.iter_mut().zip(one.counts) {
                *sum = sum.saturating_add(count);
            }
        }
        self.begin(
            "hash_seconds",
            "histogram",
            "How long password checks took.",
        );
        let bounds = HashSeconds::BOUNDS.map(|bound| Decimal::<1_000_000>(bound).to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        let mut reached = 0_u64;
        for (bound, count) in bounds.zip(sum.counts) {
            reached = reached.saturating_add(count);
            self.row("hash_seconds_bucket", &[("le", bound)], reached);
        }
        let seconds = Decimal::<1_000_000>(sum.sum_micros);
        self.row("hash_seconds_sum", &[], seconds);
        self.row("hash_seconds_count", &[], reached);
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // A text takes all that is written to it.
        let _ = writeln!(self.0, "{line}");
    }
}

/// So many of which `PARTS` are one, in decimal. `PARTS` is a power of ten.
struct Decimal<const PARTS: u64>(u64);

impl<const PARTS: u64> fmt::Display for Decimal<PARTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = PARTS.ilog10() as usize;
        let whole = self.0.checked_div(PARTS).unwrap_or_default();
        let rest = self.0.checked_rem(PARTS).unwrap_or_default();
        let rest = format!("{rest:0digits$}");
        match rest.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            rest => write!(f, "{whole}.{rest}"),
        }
    }
}

const PATH: &str = "/metrics";
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";
const PREFIX: &str = "countersign_";
const DONE: &str = "done";
/// What stands for all tenants that have no counts of their own.
const OTHERS: &str = "*";

#[cfg(test)]
mod tests {
    use countersign_core::metrics::Label;

    use super::*;

    fn counts(rows: &[(&'static str, &'static str, u64)]) -> Counts {
        let rows = rows.iter();
        rows.map(|(what, why, count)| ((Label::of(what), Label::of(why)), *count))
            .collect()
    }

    fn metrics() -> BrokerMetrics {
        let of = |count| UseCounts {
            logins: counts(&[("admitted", "ok", count)]),
            denied: counts(&[("publish", "no-rule", count)]),
        };
        let mut hash_seconds = HashSeconds {
            sum_micros: 1_500_020,
            ..HashSeconds::default()
        };
        hash_seconds.counts[0] = 2;
        hash_seconds.counts[3] = 3;
        hash_seconds.counts[10] = 1;
        BrokerMetrics {
            uses: of(10),
            by_tenant: [(TenantId::parse("acme").ok(), of(4)), (None, of(1))].into(),
            acts: counts(&[("client.kick", "done", 2)]),
            sessions: 7,
            hash_queue: 3,
            hash_seconds,
            store_lag_millis: 1_250,
        }
    }

    #[test]
    fn what_brokers_count_is_written_as_prometheus_reads_it() {
        let (one, other) = (metrics(), BrokerMetrics::default());
        let service = ServiceCounts::default();
        service.add_acts("client.kick", 1);
        service.add_acts("tenant.create", 0);
        service.add_request("/api/v1/tenants", 200);
        service.add_request("/api/v1/tenants", 200);
        let text = exposition(&[("a \"b\"\\\n", &one), ("c", &other)], &service);
        let rows: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let a = r#"broker="a \"b\"\\\n""#;
        let expected = [
            format!(r#"countersign_logins_total{{{a},outcome="admitted",cause="ok"}} 10"#),
            format!(r#"countersign_denied_total{{{a},act="publish",cause="no-rule"}} 10"#),
            format!("countersign_sessions{{{a}}} 7"),
            r#"countersign_sessions{broker="c"} 0"#.into(),
            "countersign_hash_queue 3".into(),
            r#"countersign_hash_seconds_bucket{le="0.001"} 2"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.005"} 2"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.01"} 2"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.025"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.05"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.1"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.25"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="0.5"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="1"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="2.5"} 5"#.into(),
            r#"countersign_hash_seconds_bucket{le="+Inf"} 6"#.into(),
            "countersign_hash_seconds_sum 1.50002".into(),
            "countersign_hash_seconds_count 6".into(),
            format!("countersign_store_lag_seconds{{{a}}} 1.25"),
            r#"countersign_store_lag_seconds{broker="c"} 0"#.into(),
            r#"countersign_acts_total{act="client.kick",outcome="done"} 3"#.into(),
            r#"countersign_http_requests_total{route="/api/v1/tenants",status="200"} 2"#.into(),
        ];
        assert_eq!(rows, expected);
        let kinds = text
            .lines()
            .filter(|line| line.starts_with("# TYPE "))
            .count();
        assert_eq!(kinds, 8);
    }

    #[test]
    fn by_tenant_no_use_is_counted_twice() {
        let service = ServiceCounts::of(true);
        let text = exposition(&[("b", &metrics())], &service);
        let logins = text.lines().filter(|line| line.contains("logins_total{"));
        let told: Vec<_> = logins
            .map(|line| line.trim_start_matches("countersign_logins_total"))
            .collect();
        let all = r#"broker="b",outcome="admitted",cause="ok""#;
        assert_eq!(
            told,
            [
                format!(r#"{{{all},tenant="*"}} 1"#),
                format!(r#"{{{all},tenant="acme"}} 4"#),
                format!("{{{all}}} 5"),
            ]
        );
    }
}
