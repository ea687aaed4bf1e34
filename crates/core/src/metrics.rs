//! What a broker counts, in the form in which it lies beside a store for those who
//! watch brokers.
//!
//! The form is JSON with a number, [`FORM`]. Who reads it trusts nothing that stands
//! there: what is no such file, is too long or names anything twice is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::TenantId;

/// What a broker counted since it started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BrokerMetrics {
    /// What logins came to and what was denied, of all tenants and of none.
    pub uses: UseCounts,
    /// The same of single tenants, as far as a use was known to be a tenant's. None
    /// stands for those that have no counts of their own.
    pub by_tenant: BTreeMap<Option<TenantId>, UseCounts>,
    /// What the broker did that is no login, by act and outcome.
    pub acts: Counts,
    /// How many sessions there are.
    pub sessions: u64,
    /// How many password checks wait for a worker.
    pub hash_queue: u64,
    /// How long password checks took.
    pub hash_seconds: HashSeconds,
    /// For how long the broker has not heard of what was committed to the store, in
    /// milliseconds; 0 below a second.
    pub store_lag_millis: u64,
}

/// What logins came to and what was denied.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UseCounts {
    /// Logins, by outcome (`admitted`, `refused`) and cause.
    pub logins: Counts,
    /// Uses of topics that were denied, by act and cause.
    pub denied: Counts,
}

/// How often there was something, by what it was and why.
pub type Counts = BTreeMap<(Label, Label), u64>;

/// A word that says what is counted: 1 to 32 of `a-z`, `-` and `.`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Label(Cow<'static, str>);

impl Label {
    /// One of our own words.
    #[must_use]
    pub const fn of(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: String) -> Option<Self> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.');
        let is_word = (1..=LONGEST_LABEL).contains(&text.len()) && text.bytes().all(is_part);
        is_word.then_some(Self(Cow::Owned(text)))
    }
}

/// How long password checks took, as a histogram.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HashSeconds {
    /// How many took no longer than each of [`Self::BOUNDS`], and longer than the one
    /// before; the last took longer than all.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// How long they took together, in microseconds.
    pub sum_micros: u64,
}

impl HashSeconds {
    /// In microseconds.
    pub const BOUNDS: [u64; 10] = [
        1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    ];

    /// Where one is counted that took so many microseconds.
    #[must_use]
    pub fn bucket_of(micros: u64) -> usize {
        Self::BOUNDS.partition_point(|bound| *bound < micros)
    }
}

impl BrokerMetrics {
    /// The bytes that lie beside a store.
    #[must_use]
    pub fn to_json(&self, broker: &str) -> String {
        let tenants = self.by_tenant.iter();
        let written = Written {
            form: FORM,
            broker: broker.into(),
            uses: WrittenUses::of(&self.uses),
            tenants: tenants
                .map(|(tenant, uses)| {
                    let name = tenant.as_ref().map_or(OTHERS, TenantId::as_str);
                    (name.into(), WrittenUses::of(uses))
                })
                .collect(),
            acts: rows_of(&self.acts),
            sessions: self.sessions,
            hash_queue: self.hash_queue,
            hash_counts: self.hash_seconds.counts,
            hash_sum_micros: self.hash_seconds.sum_micros,
            store_lag_millis: self.store_lag_millis,
        };
        // Texts and numbers can always be written.
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote of this broker.
    ///
    /// # Errors
    ///
    /// Returns [`MetricsError`] for anything else.
    pub fn parse(bytes: &[u8], broker: &str) -> Result<Self, MetricsError> {
        if bytes.len() > MOST_BYTES {
            return Err(MetricsError);
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|_| MetricsError)?;
        if written.form != FORM || written.broker != broker {
            return Err(MetricsError);
        }
        let mut by_tenant = BTreeMap::new();
        for (name, uses) in written.tenants {
            let tenant = match name.as_str() {
                OTHERS => None,
                name => Some(TenantId::parse(name).map_err(|_| MetricsError)?),
            };
            if by_tenant.insert(tenant, uses.parse()?).is_some() {
                return Err(MetricsError);
            }
        }
        Ok(Self {
            uses: written.uses.parse()?,
            by_tenant,
            acts: counts_of(written.acts)?,
            sessions: written.sessions,
            hash_queue: written.hash_queue,
            hash_seconds: HashSeconds {
                counts: written.hash_counts,
                sum_micros: written.hash_sum_micros,
            },
            store_lag_millis: written.store_lag_millis,
        })
    }
}

/// The file as it is written.
#[derive(Deserialize, Serialize)]
struct Written {
    form: u32,
    broker: String,
    #[serde(flatten)]
    uses: WrittenUses,
    tenants: Vec<(String, WrittenUses)>,
    acts: Vec<Row>,
    sessions: u64,
    hash_queue: u64,
    hash_counts: [u64; HashSeconds::BOUNDS.len() + 1],
    hash_sum_micros: u64,
    store_lag_millis: u64,
}

#[derive(Deserialize, Serialize)]
struct WrittenUses {
    logins: Vec<Row>,
    denied: Vec<Row>,
}

/// What is counted, why, and how often.
type Row = (String, String, u64);

impl WrittenUses {
    fn of(uses: &UseCounts) -> Self {
        Self {
            logins: rows_of(&uses.logins),
            denied: rows_of(&uses.denied),
        }
    }

    fn parse(self) -> Result<UseCounts, MetricsError> {
        Ok(UseCounts {
            logins: counts_of(self.logins)?,
            denied: counts_of(self.denied)?,
        })
    }
}

fn rows_of(counts: &Counts) -> Vec<Row> {
    let counts = counts.iter();
    counts
        .map(|((what, why), count)| (what.as_str().into(), why.as_str().into(), *count))
        .collect()
}

fn counts_of(rows: Vec<Row>) -> Result<Counts, MetricsError> {
    let mut counts = Counts::new();
    for (what, why, count) in rows {
        let labels = Label::parse(what).zip(Label::parse(why));
        if counts.insert(labels.ok_or(MetricsError)?, count).is_some() {
            return Err(MetricsError);
        }
    }
    Ok(counts)
}

/// A file is not what this version's brokers write of what they count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not what a broker of this version writes of what it counts")]
pub struct MetricsError;

/// The number of the form.
pub const FORM: u32 = 1;

/// A longer file is not read. What a broker writes is far shorter.
pub const MOST_BYTES: usize = 2 << 20;

/// So many tenants have counts of their own.
pub const MOST_TENANTS: usize = 100;

/// What stands for all tenants that have no counts of their own.
const OTHERS: &str = "*";

const LONGEST_LABEL: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reason::Reason;

    fn counts(word: &'static str) -> Counts {
        let causes = Reason::ALL.iter().map(|reason| Label::of(reason.as_str()));
        causes
            .map(|cause| ((Label::of(word), cause), u64::MAX))
            .collect()
    }

    /// As many counts as there can be, each as long as it can be.
    fn fullest() -> BrokerMetrics {
        let uses = UseCounts {
            logins: counts("unauthenticated")
                .into_iter()
                .chain(counts("refused"))
                .collect(),
            denied: counts("subscribe")
                .into_iter()
                .chain(counts("publish"))
                .collect(),
        };
        let tenant = |number: usize| TenantId::parse(&format!("{number:0>63}")).ok();
        let tenants = (0..MOST_TENANTS).map(tenant).chain([None]);
        BrokerMetrics {
            by_tenant: tenants.map(|tenant| (tenant, uses.clone())).collect(),
            acts: counts("client.kick"),
            uses,
            sessions: 7,
            hash_queue: 8,
            hash_seconds: HashSeconds {
                counts: [u64::MAX; 11],
                sum_micros: 9,
            },
            store_lag_millis: 10,
        }
    }

    #[test]
    fn what_a_broker_counted_reads_back_and_fits_however_much_it_is() {
        for metrics in [BrokerMetrics::default(), fullest()] {
            let json = metrics.to_json("edge \"1\"");
            assert!(json.len() < MOST_BYTES / 2, "{}", json.len());
            assert_eq!(
                BrokerMetrics::parse(json.as_bytes(), "edge \"1\""),
                Ok(metrics)
            );
            assert_eq!(
                BrokerMetrics::parse(json.as_bytes(), "other"),
                Err(MetricsError)
            );
        }
    }

    #[test]
    fn a_file_that_no_broker_of_this_version_wrote_is_an_error() {
        let good = BrokerMetrics {
            uses: UseCounts {
                logins: [((Label::of("admitted"), Label::of("ok")), 3)].into(),
                ..UseCounts::default()
            },
            by_tenant: [(None, UseCounts::default())].into(),
            ..BrokerMetrics::default()
        }
        .to_json("b");
        assert!(BrokerMetrics::parse(good.as_bytes(), "b").is_ok());
        let longer = format!("{good}{}", " ".repeat(MOST_BYTES));
        assert_eq!(
            BrokerMetrics::parse(longer.as_bytes(), "b"),
            Err(MetricsError)
        );
        for (what, instead) in [
            (r#""form":1"#, r#""form":2"#),
            (
                r#"["admitted","ok",3]"#,
                r#"["admitted","ok",3],["admitted","ok",4]"#,
            ),
            (r#"["admitted","ok",3]"#, r#"["admitted","o\"k",3]"#),
            (r#"["admitted","ok",3]"#, r#"["admitted","",3]"#),
            (r#"["admitted","ok",3]"#, r#"["admitted","ok",-3]"#),
            (r#"["admitted","ok",3]"#, r#"["admitted","ok",1e3]"#),
            (r#"["*","#, r#"["A\nB","#),
            (r#""hash_counts":[0,"#, r#""hash_counts":["#),
            ("}", ""),
        ] {
            let bad = good.replacen(what, instead, 1);
            assert_ne!(bad, good, "{what}");
            assert_eq!(
                BrokerMetrics::parse(bad.as_bytes(), "b"),
                Err(MetricsError),
                "{bad}"
            );
        }
        let deep = "[".repeat(100_000);
        assert_eq!(
            BrokerMetrics::parse(deep.as_bytes(), "b"),
            Err(MetricsError)
        );
    }

    #[test]
    fn a_check_is_counted_where_it_took_no_longer() {
        for (micros, bucket) in [
            (0, 0),
            (1_000, 0),
            (1_001, 1),
            (2_500_000, 9),
            (u64::MAX, 10),
        ] {
            assert_eq!(HashSeconds::bucket_of(micros), bucket);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_file_holds_reading_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = BrokerMetrics::parse(&bytes, "b");
        }
    }
}
