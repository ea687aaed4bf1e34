//! Acts at a centre and logins at three replicas, in any order and with any fault, against
//! a model that is as plain as can be.
//!
//! `COUNTERSIGN_FLEET_RUNS` says how many runs there are, `COUNTERSIGN_FLEET_SEED` with
//! which one they begin. The seed of a run that fails is in its message.

use std::collections::BTreeMap;

use countersign_core::ledger::FollowerLedger as _;

use super::*;

/// What is known of a credential.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Plain {
    state: String,
    generation: i64,
    tie: Option<u8>,
    last_used: i64,
}

/// What a broker wrote that the centre has not heard of.
#[derive(Clone, Copy, Debug)]
enum Wrote {
    Activated(i64),
    Tied(i64, i64, u8),
    Used(i64, i64),
    Failed(u8),
}

struct Side {
    store: SqliteStore,
    secret: SecretDigest,
    place: Option<ReplicaPlace>,
    wrote: Vec<Wrote>,
    is_whole: bool,
}

struct Fleet {
    centre: SqliteStore,
    sides: Vec<Side>,
    /// What the centre is to know.
    model: BTreeMap<i64, Plain>,
    failures: BTreeMap<u8, i64>,
    /// The numbers that were given out.
    ids: Vec<i64>,
    now: i64,
    random: u64,
    folder: TempDir,
}

#[test]
fn whatever_happens_in_whichever_order_replicas_are_equal_to_their_centre_and_nothing_is_lost() {
    let number = |name: &str, default: u64| {
        let said = std::env::var(name).ok();
        said.map_or(default, |it| it.parse().unwrap())
    };
    let first = number("COUNTERSIGN_FLEET_SEED", 1);
    for seed in first..first + number("COUNTERSIGN_FLEET_RUNS", 20) {
        let run = std::panic::catch_unwind(|| {
            let mut fleet = Fleet::begin(seed);
            for _ in 0..STEPS {
                fleet.step();
            }
            fleet.settle();
        });
        assert!(run.is_ok(), "seed {seed}");
    }
}

impl Fleet {
    fn begin(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let centre = fresh(&folder, "centre.db");
        centre
            .connection
            .execute_batch(include_str!("../../tables/sample.sql"))
            .unwrap();
        let mut fleet = Self {
            centre,
            sides: Vec::new(),
            model: BTreeMap::new(),
            failures: BTreeMap::new(),
            ids: Vec::new(),
            now: 1_000,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            folder,
        };
        for (name, tenants) in [
            ("east", None),
            ("west", None),
            ("plant", Some(&["acme"][..])),
        ] {
            let secret = SecretDigest::of(&Secret::new(name.into()));
            put_follower(&mut fleet.centre, name, &secret, tenants, 1);
            let mut store = fresh(&fleet.folder, &format!("{name}.db"));
            store.become_replica("http://127.0.0.1:1").unwrap();
            fleet.sides.push(Side {
                store,
                secret,
                place: None,
                wrote: Vec::new(),
                is_whole: tenants.is_none(),
            });
        }
        for id in 100..100 + CREDENTIALS {
            fleet.create(id);
        }
        for side in 0..fleet.sides.len() {
            fleet.follow(side);
        }
        fleet
    }

    fn draw(&mut self, end: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11).checked_rem(end).unwrap()
    }

    fn act(&self, sql: &str) -> usize {
        self.centre.connection.execute(sql, []).unwrap()
    }

    fn create(&mut self, id: i64) {
        self.act(&format!(
            "INSERT INTO credential (id, name, kind, scheme, tenant, state, generation,
                 client_id_rule, ever_used, external_identity, created_at, updated_at)
             VALUES ({id}, 'm{id}@acme', 'device', 'basic', 'acme', 'Inactive', 1,
                 'first-use', 0, 0, 1, 1)"
        ));
        let plain = Plain {
            state: "Inactive".into(),
            generation: 1,
            ..Plain::default()
        };
        self.model.insert(id, plain);
        self.ids.push(id);
    }

    fn step(&mut self) {
        self.now = self.now.saturating_add(1);
        let known = u64::try_from(self.ids.len()).unwrap();
        let place = usize::try_from(self.draw(known)).unwrap();
        let id = self.ids[place];
        let side = usize::try_from(self.draw(3)).unwrap();
        match self.draw(14) {
            0 => self.set_state(id, "Suspended", &["Inactive", "Active"]),
            1 => self.set_state(id, "Active", &["Suspended"]),
            2 => self.set_state(id, "Revoked", &["Inactive", "Active", "Suspended"]),
            3 => self.replace(id),
            4 => self.untie(id),
            5..=7 => self.login(side, id),
            8 => self.fail(side),
            9 | 10 => self.follow(side),
            11 => self.hand_back(side, true),
            // The answer is lost.
            12 => self.hand_back(side, false),
            _ => self.die(side),
        }
    }

    fn set_state(&mut self, id: i64, state: &str, from: &[&str]) {
        if let Some(plain) = self.model.get_mut(&id)
            && from.contains(&plain.state.as_str())
        {
            plain.state = state.into();
            self.act(&format!(
                "UPDATE credential SET state = '{state}' WHERE id = {id}"
            ));
        }
    }

    /// Deletes a credential, and makes another one.
    fn replace(&mut self, id: i64) {
        self.act(&format!("DELETE FROM credential WHERE id = {id}"));
        if self.model.remove(&id).is_some() {
            // A number is given out once.
            self.create(self.now);
        }
    }

    fn untie(&mut self, id: i64) {
        if let Some(plain) = self.model.get_mut(&id) {
            plain.tie = None;
            plain.generation = plain.generation.saturating_add(1);
            self.act(&format!(
                "UPDATE credential SET client_id_tie = NULL, bound_to = NULL,
                     generation = generation + 1 WHERE id = {id}"
            ));
        }
    }

    /// A client with one of few client ids logs in at a broker, as far as its replica lets
    /// it.
    fn login(&mut self, side: usize, id: i64) {
        let client_id = u8::try_from(self.draw(3)).unwrap();
        let now = self.now;
        let side = &mut self.sides[side];
        // No two credentials share a client id.
        let tie = tie(id, client_id);
        let found = column(
            &side.store,
            &format!(
                "SELECT concat(state, ' ', generation, ' ', hex(client_id_tie)) FROM credential
                 WHERE id = {id} AND state IN ('Inactive', 'Active')
                     AND coalesce(client_id_tie, {tie}) = {tie}"
            ),
        );
        let Some(found) = found.first() else {
            return;
        };
        let words: Vec<_> = found.split(' ').collect();
        if words[0] == "Inactive" {
            side.wrote.push(Wrote::Activated(id));
        }
        if words[2].is_empty() {
            let generation = words[1].parse().unwrap();
            side.wrote.push(Wrote::Tied(id, generation, client_id));
        }
        side.wrote.push(Wrote::Used(id, now));
        side.at_broker(&format!(
            "UPDATE credential SET state = 'Active', ever_used = 1, last_used_at = {now},
                 client_id_tie = {tie}, bound_to = {tie} WHERE id = {id}"
        ));
    }

    /// A login under a name that nobody has fails; so seldom that nothing is locked.
    fn fail(&mut self, side: usize) {
        let name = u8::try_from(self.draw(3)).unwrap();
        let of_sides = self.sides.iter().flat_map(|side| &side.wrote);
        let waiting = of_sides.filter(|it| matches!(it, Wrote::Failed(of) if *of == name));
        let known = *self.failures.get(&name).unwrap_or(&0);
        if known.saturating_add(i64::try_from(waiting.count()).unwrap()) >= 4 {
            return;
        }
        let side = &mut self.sides[side];
        side.wrote.push(Wrote::Failed(name));
        side.at_broker(&format!(
            "INSERT INTO lockout VALUES ('n{name}@mail.test', 0, 1, NULL, 60)
             ON CONFLICT DO UPDATE SET failures = failures + 1"
        ));
    }

    fn hand_back(&mut self, side: usize, is_answered: bool) {
        let now = Timestamp::from_millis(self.now);
        let Self { sides, centre, .. } = self;
        let side = &mut sides[side];
        let Some(handed) = side.store.to_hand_back().unwrap() else {
            assert!(side.wrote.is_empty(), "lost: {:?}", side.wrote);
            return;
        };
        let judged = centre.take_hand_back(&side.secret, &handed, &mut || None, now);
        let answer = judged.unwrap().unwrap().answer;
        for wrote in core::mem::take(&mut side.wrote) {
            hear(&mut self.model, &mut self.failures, wrote);
        }
        if is_answered {
            side.store.settle_hand_back(&handed, &answer, now).unwrap();
        }
    }

    fn follow(&mut self, side: usize) {
        let now = Timestamp::from_millis(self.now);
        let Self { sides, centre, .. } = self;
        let side = &mut sides[side];
        let told = side.place.map(|place| {
            let told = centre.changes_for_follower(&side.secret, place);
            told.unwrap().unwrap().1
        });
        side.place = Some(match told {
            Some(SinceThen::Changes(changes)) => {
                side.store.take_changes(&changes, now).unwrap();
                changes.place
            }
            Some(SinceThen::Behind) | None => {
                let (staged, place) = read_snapshot(centre, &side.secret, &side.store, || ());
                side.store.take_snapshot(&staged, place, now).unwrap();
                place
            }
        });
        // Whoever was stopped there is stopped here, whatever the broker wrote meanwhile.
        let stopped = "SELECT CAST(id AS TEXT) FROM credential
             WHERE state IN ('Suspended', 'Revoked') AND id >= 100 ORDER BY id";
        assert_eq!(column(&side.store, stopped), column(centre, stopped));
        let there = "SELECT CAST(id AS TEXT) FROM credential WHERE id >= 100 ORDER BY id";
        assert_eq!(column(&side.store, there), column(centre, there));
    }

    /// The machine dies; sometimes the follower has to begin anew.
    fn die(&mut self, side: usize) {
        let is_anew = self.draw(2) == 0;
        let side = &mut self.sides[side];
        side.store = side.store.reopen().unwrap();
        if is_anew {
            side.place = None;
        }
    }

    /// All that waits arrives.
    fn settle(&mut self) {
        for _ in 0..2 {
            for side in 0..self.sides.len() {
                self.hand_back(side, true);
            }
            for side in 0..self.sides.len() {
                self.follow(side);
            }
        }
        // Last uses alone are told with whatever else there is to tell.
        self.act("UPDATE credential SET description = 'end' WHERE id >= 100");
        for side in 0..self.sides.len() {
            self.follow(side);
        }
        for side in &self.sides {
            if side.is_whole {
                assert_equal(&self.centre, &side.secret, &side.store);
            }
            let waiting = "SELECT kind FROM hand_back";
            assert!(column(&side.store, waiting).is_empty());
        }
        let known = self.model.iter().map(|(id, plain)| {
            let tie = plain
                .tie
                .map_or(String::new(), |tie| format!("{:02X}", tie_byte(*id, tie)));
            format!(
                "{id} {} {} {tie} {}",
                plain.state, plain.generation, plain.last_used
            )
        });
        let known: Vec<_> = known.collect();
        let there = column(
            &self.centre,
            "SELECT concat(id, ' ', state, ' ', generation, ' ',
                 substr(hex(client_id_tie), 1, 2), ' ', coalesce(last_used_at, 0))
             FROM credential WHERE id >= 100 ORDER BY id",
        );
        assert_eq!(there, known);
        let failed = column(
            &self.centre,
            "SELECT concat(name, ' ', failures) FROM lockout WHERE name LIKE 'n_@mail.test'
             ORDER BY name",
        );
        let counted = self.failures.iter();
        let counted: Vec<_> = counted
            .map(|(name, count)| format!("n{name}@mail.test {count}"))
            .collect();
        assert_eq!(failed, counted);
    }
}

impl Side {
    fn at_broker(&self, sql: &str) {
        self.store.connection.execute_batch(sql).unwrap();
    }
}

/// What the centre is to make of what a broker wrote.
fn hear(model: &mut BTreeMap<i64, Plain>, failures: &mut BTreeMap<u8, i64>, wrote: Wrote) {
    match wrote {
        Wrote::Activated(id) => {
            if let Some(plain) = model.get_mut(&id).filter(|it| it.state == "Inactive") {
                plain.state = "Active".into();
            }
        }
        Wrote::Tied(id, generation, client_id) => {
            if let Some(plain) = model.get_mut(&id).filter(|it| {
                it.tie.is_none()
                    && it.generation == generation
                    && ["Inactive", "Active"].contains(&it.state.as_str())
            }) {
                plain.tie = Some(client_id);
            }
        }
        Wrote::Used(id, at) => {
            if let Some(plain) = model.get_mut(&id) {
                plain.last_used = plain.last_used.max(at);
            }
        }
        Wrote::Failed(name) => {
            let count = failures.entry(name).or_default();
            *count = count.saturating_add(1);
        }
    }
}

fn tie_byte(id: i64, client_id: u8) -> u8 {
    let of_id = u8::try_from(id.rem_euclid(60)).unwrap();
    of_id.saturating_mul(4).saturating_add(client_id)
}

/// The hash of a client id that this credential's clients have, as SQL.
fn tie(id: i64, client_id: u8) -> String {
    let first = tie_byte(id, client_id);
    format!("x'{first:02x}{id:062x}'")
}

const CREDENTIALS: i64 = 4;
const STEPS: u32 = 40;
