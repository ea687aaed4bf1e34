//! How much is measured.

use std::time::Duration;

use crate::subject::Subject;

/// Counts and times of all measurements.
#[derive(Clone)]
pub struct Scale {
    /// How often the subjects take turns.
    pub rounds: usize,
    /// Connects of one subject in one round, by devices that connected before.
    pub connects: usize,
    /// First logins with generated secrets in one round.
    pub first_logins: usize,
    /// Logins with a pause after each in one round. Of chosen passwords there are
    /// as many first ones, and as many that are the first since the start; each of
    /// those is a slow hash.
    pub first_passwords: usize,
    /// Messages published in one round.
    pub messages: usize,
    /// Messages fanned out in one round.
    pub fanned: usize,
    /// How long a storm or a flood lasts.
    pub storm: Duration,
    /// How many credentials a store holds.
    pub sizes: Vec<usize>,
    /// How many logins Mosquitto's own ways hold. With 100,000 clients
    /// dynamic-security does not start within twenty seconds on 2.0.11.
    pub others: Vec<(Subject, usize)>,
    /// Administrative acts on each size.
    pub acts: usize,
    /// The credentials of which the service shows pages.
    pub listed: usize,
    /// Requests for each of those pages.
    pub asked: usize,
    /// Sessions ended on each broker.
    pub kicks: usize,
    /// The users of an import.
    pub imported: usize,
    /// How often each source is imported.
    pub imports: usize,
    /// The credentials of a centre of which a follower takes a snapshot.
    pub followed: usize,
    /// So long a centre that is followed is busy.
    pub followed_for: Duration,
}

impl Scale {
    /// The whole of it, or what fits into ten minutes.
    pub fn of(quick: bool, rounds: Option<u16>) -> Self {
        use Subject::{DynamicSecurity, Files};
        let mut scale = Self {
            rounds: 7,
            connects: 8_000,
            first_logins: 1_000,
            first_passwords: 10,
            messages: 20_000,
            fanned: 500,
            storm: Duration::from_millis(1_500),
            sizes: vec![0, 1_000, 100_000, 1_000_000],
            others: vec![(Files, 1_000), (Files, 100_000), (Files, 1_000_000)],
            acts: 30,
            listed: 1_000_000,
            asked: 300,
            kicks: 100,
            imported: 100_000,
            imports: 5,
            followed: 1_000_000,
            followed_for: Duration::from_secs(60),
        };
        scale.others.push((DynamicSecurity, 1_000));
        scale.others.push((DynamicSecurity, 10_000));
        if quick {
            let others = vec![(Files, 1_000), (Files, 100_000), (DynamicSecurity, 1_000)];
            scale = Self {
                rounds: 5,
                connects: 1_500,
                first_logins: 200,
                first_passwords: 5,
                messages: 5_000,
                fanned: 100,
                storm: Duration::from_millis(300),
                sizes: vec![0, 1_000, 100_000],
                others,
                acts: 10,
                listed: 100_000,
                asked: 100,
                kicks: 25,
                imported: 100_000,
                imports: 1,
                followed: 100_000,
                followed_for: Duration::from_secs(10),
            };
        }
        scale.rounds = rounds.map_or(scale.rounds, usize::from);
        scale
    }
}
