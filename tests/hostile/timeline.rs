//! A value that others change at a moment that is known within bounds only.

/// Milliseconds since the run began.
pub type Millis = u64;

/// What a value was, and from when to when it may have been that.
#[derive(Debug)]
pub struct Timeline<T> {
    steps: Vec<Step<T>>,
}

#[derive(Debug)]
struct Step<T> {
    value: T,
    /// It can't have been in force before.
    earliest: Millis,
    /// Nothing older can be in force after.
    latest: Millis,
}

impl<T> Timeline<T> {
    /// A value that was always so.
    pub fn new(value: T) -> Self {
        Self {
            steps: vec![Step {
                value,
                earliest: 0,
                latest: 0,
            }],
        }
    }

    /// A change was asked for; from now on both values are possible.
    pub fn begin(&mut self, now: Millis, value: T) {
        self.steps.push(Step {
            value,
            earliest: now,
            latest: Millis::MAX,
        });
    }

    /// The last change is in force from here on, and nothing older.
    pub fn settle(&mut self, at: Millis) {
        if let Some(step) = self.steps.last_mut() {
            step.latest = step.latest.min(at);
        }
    }

    /// What the value may have been at some moment between these two.
    pub fn possible(&self, from: Millis, to: Millis) -> impl Iterator<Item = &T> {
        self.steps
            .iter()
            .enumerate()
            .filter_map(move |(index, step)| {
                let later = self.steps.get(index + 1..).unwrap_or_default();
                let end = later.iter().map(|step| step.latest).min();
                let over = end.is_some_and(|end| end < from);
                (step.earliest <= to && !over).then_some(&step.value)
            })
    }

    /// The newest value, whether it is in force already or not.
    pub fn newest(&self) -> &T {
        &self.steps[self.steps.len() - 1].value
    }
}
