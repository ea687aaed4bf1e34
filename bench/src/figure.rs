//! Figures: what the rounds of a measurement come to.

use serde::Serialize;

use crate::fleet::MeasuredBroker;
use crate::meter::Cpu;

/// Something that is measured, such as CPU for each login.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantity {
    pub name: &'static str,
    pub unit: &'static str,
    /// How rounds become one figure.
    pub of_rounds: OfRounds,
}

/// How the values of several rounds become one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OfRounds {
    Median,
    Maximum,
}

impl Quantity {
    pub const fn median(name: &'static str, unit: &'static str) -> Self {
        let of_rounds = OfRounds::Median;
        Self {
            name,
            unit,
            of_rounds,
        }
    }

    pub const fn maximum(name: &'static str, unit: &'static str) -> Self {
        let of_rounds = OfRounds::Maximum;
        Self {
            name,
            unit,
            of_rounds,
        }
    }
}

/// One number of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub measurement: &'static str,
    pub case: String,
    pub broker: &'static str,
    pub subject: String,
    pub quantity: Quantity,
    /// What the rounds came to.
    pub value: f64,
    /// All rounds.
    pub rounds: Vec<f64>,
    /// The median of each round's value over the baseline's in the same round.
    pub ratio: Option<f64>,
    /// What it should not exceed.
    pub goal: Option<f64>,
}

/// The values of a measurement in which subjects take turns.
pub struct Rounds {
    measurement: &'static str,
    case: String,
    figures: Vec<Figure>,
}

impl Rounds {
    /// Says what is measured now.
    pub fn begin(measurement: &'static str, case: impl Into<String>) -> Self {
        let case = case.into();
        println!("{measurement}: {case}");
        Self {
            measurement,
            case,
            figures: Vec::new(),
        }
    }

    /// Adds the value of one round.
    pub fn push(&mut self, broker: &'static str, subject: &str, quantity: Quantity, value: f64) {
        let known = self.figures.iter_mut().find(|figure| {
            (figure.broker, figure.subject.as_str(), figure.quantity) == (broker, subject, quantity)
        });
        match known {
            Some(figure) => figure.rounds.push(value),
            None => self.figures.push(Figure {
                measurement: self.measurement,
                case: self.case.clone(),
                broker,
                subject: subject.to_owned(),
                quantity,
                value: f64::NAN,
                rounds: vec![value],
                ratio: None,
                goal: None,
            }),
        }
    }

    /// Adds the CPU that a broker used in one round for `count` things.
    pub fn push_cpu(&mut self, broker: &MeasuredBroker, title: &str, used: Cpu, count: usize) {
        let each = |nanos: f64| nanos / 1e3 / count as f64;
        self.push(broker.version.name(), title, CPU, each(used.process));
        self.push(broker.version.name(), title, THREAD, each(used.thread));
    }

    /// Adds the percentiles of some times, in milliseconds.
    pub fn push_times(
        &mut self,
        broker: &'static str,
        subject: &str,
        quantities: [Quantity; 3],
        times: &[f64],
    ) {
        for (quantity, share) in quantities.into_iter().zip([0.5, 0.99, 1.0]) {
            self.push(broker, subject, quantity, percentile(times, share));
        }
    }

    /// What all rounds come to, told against the subject `baseline`.
    pub fn figures(self, baseline: &str) -> Vec<Figure> {
        let figure = |figure: &Figure| {
            let base = self.figures.iter().find(|other| {
                (other.broker, other.subject.as_str(), other.quantity)
                    == (figure.broker, baseline, figure.quantity)
            });
            let base = base.filter(|base| base.subject != figure.subject);
            Figure {
                value: match figure.quantity.of_rounds {
                    OfRounds::Median => median(&figure.rounds),
                    OfRounds::Maximum => percentile(&figure.rounds, 1.0),
                },
                ratio: base
                    .map(|base| median_ratio(&figure.rounds, &base.rounds))
                    .filter(|ratio| ratio.is_finite()),
                ..figure.clone()
            }
        };
        self.figures.iter().map(figure).collect()
    }
}

/// The value in the middle; the mean of the two of an even number.
pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

/// The median of each value over the one at the same place in `base`.
fn median_ratio(values: &[f64], base: &[f64]) -> f64 {
    let ratios = values.iter().zip(base).map(|(value, base)| value / base);
    median(&ratios.collect::<Vec<f64>>())
}

/// The smallest value that the given share of all does not exceed.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(rank.saturating_sub(1));
    value.copied().unwrap_or(f64::NAN)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

const CPU: Quantity = Quantity::median("CPU", "µs");
const THREAD: Quantity = Quantity::median("broker thread", "µs");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_median() {
        assert!(median(&[]).is_nan());
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(percentile(&values, 0.5), 50.0);
        assert_eq!(percentile(&values, 0.99), 99.0);
        assert_eq!(percentile(&values, 1.0), 100.0);
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds() {
        let mut rounds = Rounds::begin("connect", "");
        for (bare, ours) in [(1.0, 2.0), (10.0, 30.0), (2.0, 8.0)] {
            rounds.push("2.1", "bare", CPU, bare);
            rounds.push("2.1", "ours", CPU, ours);
        }
        let figures = rounds.figures("bare");
        assert_eq!((figures[0].value, figures[0].ratio), (2.0, None));
        assert_eq!((figures[1].value, figures[1].ratio), (8.0, Some(3.0)));
    }
}
