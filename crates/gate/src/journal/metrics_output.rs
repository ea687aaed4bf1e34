//! What the gate counts, put where those find it who watch: when it is another than
//! before, and at most once a second.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::metrics::BrokerMetrics;
use countersign_core::store::GateStore;

use crate::background::Background;
use crate::config::GateConfig;
use crate::counters::Counters;

/// What is left to be put there.
pub(crate) struct MetricsOutput {
    pub(crate) counters: Arc<Counters>,
    background: Arc<dyn Background>,
    looked_at: Option<Duration>,
    written: Option<BrokerMetrics>,
}

impl MetricsOutput {
    pub(crate) fn new(counters: &Arc<Counters>, config: &GateConfig) -> Self {
        Self {
            counters: Arc::clone(counters),
            background: Arc::clone(&config.background),
            looked_at: None,
            written: None,
        }
    }

    /// Puts it there, if it is time and there is anything new. What fails is tried
    /// again a second later.
    pub(crate) fn write(&mut self, store: &impl GateStore, broker: &str) {
        let uptime = self.background.uptime();
        let since = self.looked_at.map(|at| uptime.saturating_sub(at));
        if since.is_some_and(|since| since < EVERY) {
            return;
        }
        self.looked_at = Some(uptime);
        let metrics = self.counters.read(uptime);
        if self.written.as_ref() != Some(&metrics) {
            let written = store.put_metrics(broker, &metrics);
            self.written = written.is_ok().then_some(metrics);
        }
    }
}

/// By a clock that is never set.
const EVERY: Duration = Duration::from_secs(1);
