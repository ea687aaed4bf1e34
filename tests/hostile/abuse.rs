//! What is done to the store and to the broker, and what that excuses.

use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::driver::{Driver, GRACE};
use crate::world::{Id, Kind, Who};

impl Driver {
    /// Something is done to the store or to the broker.
    pub fn abuse(&mut self) {
        match self.rng.u8(..8) {
            5 => self.remove_companions(),
            6 | 7 => self.corrupt_a_record(),
            0 | 1 => self.lock_the_store(),
            2 => self.restart(false),
            3 => self.restart(true),
            _ => self.move_the_store(),
        }
    }

    fn lock_the_store(&mut self) {
        self.abused("the store is locked");
        let time = Duration::from_millis(self.rng.u64(50..1_500));
        let store = self.fixture.cli.store().to_owned();
        self.disturbed_until = self.now() + u64::try_from(time.as_millis()).unwrap_or(0) + 1_000;
        thread::spawn(move || {
            let Ok(connection) = Connection::open(store) else {
                return;
            };
            if connection.execute_batch("BEGIN IMMEDIATE").is_ok() {
                thread::sleep(time);
                // What fails here is undone when the connection ends.
                let _ = connection.execute_batch("ROLLBACK");
            }
        });
    }

    fn restart(&mut self, hard: bool) {
        self.abused(if hard {
            "the broker is killed and starts again"
        } else {
            "the broker restarts"
        });
        if hard && let Err(error) = self.fixture.broker.kill_9() {
            self.fail("the broker can't be killed", &format!("{error:#}"));
        }
        let begun = self.now();
        if !hard {
            match self.fixture.broker.stop() {
                Ok(status) if status.success() => {}
                other => self.fail("the broker did not end well", &format!("{other:?}")),
            }
        }
        if let Err(error) = self.fixture.broker.restart() {
            self.fail("the broker does not start again", &format!("{error:#}"));
        }
        self.event(format!(
            "the broker is back after {} ms",
            self.now() - begun
        ));
        self.broker_was_down();
    }

    /// Moves the store away for a moment. What is in the log is written into
    /// the file first, so nothing is lost.
    fn move_the_store(&mut self) {
        self.abused("the store is moved away");
        let store = self.fixture.cli.store().to_owned();
        let away = store.with_extension("away");
        let checkpoint = Connection::open(&store)
            .and_then(|it| it.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
        if checkpoint.is_err() || std::fs::rename(&store, &away).is_err() {
            return;
        }
        let time = self.rng.u64(50..1_500);
        let end = self.now() + time;
        self.disturbed_until = end + 6_000;
        while self.now() < end {
            self.turn();
            self.step();
            thread::sleep(Duration::from_millis(3));
        }
        if let Err(error) = std::fs::rename(&away, &store) {
            self.fail("the store can't be put back", &format!("{error:#}"));
        }
        self.event("the store is back".to_owned());
    }

    /// Removes the files beside the store, when nothing is in them that the
    /// store does not hold.
    fn remove_companions(&mut self) {
        self.abused("the store's companions are removed");
        let store = self.fixture.cli.store().display().to_string();
        let checkpoint = Connection::open(&store)
            .and_then(|it| it.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)"));
        if checkpoint.is_err() {
            return;
        }
        self.disturbed_until = self.now() + 6_000;
        for end in ["-wal", "-shm"] {
            // One that is not there is as good as removed.
            let _ = std::fs::remove_file(format!("{store}{end}"));
        }
    }

    /// Makes the record of one credential unreadable, for a moment.
    fn corrupt_a_record(&mut self) {
        let now = self.now();
        let id = self.rng.usize(..self.world.principals.len());
        let principal = &mut self.world.principals[id];
        if principal.gone || principal.kind != Kind::Credential {
            return;
        }
        let name = principal.name.clone();
        let set = |state: &str, name: &str| {
            let connection = Connection::open(self.fixture.cli.store()).ok()?;
            let sql = "UPDATE credential SET state = ?1 WHERE name = ?2";
            connection.busy_timeout(Duration::from_secs(2)).ok()?;
            let before: String = connection
                .query_row(
                    "SELECT state FROM credential WHERE name = ?1",
                    [name],
                    |row| row.get(0),
                )
                .ok()?;
            connection.execute(sql, [state, name]).ok()?;
            Some(before)
        };
        let Some(before) = set("Confused", &name) else {
            return;
        };
        // Whoever reads it meanwhile can't tell whether it may be used.
        principal.usable.begin(now, false);
        self.excuse_sessions_of(id);
        self.abused(&format!("the record of `{name}` is confused"));
        let end = self.now() + self.rng.u64(50..800);
        while self.now() < end {
            self.turn();
            self.step();
            thread::sleep(Duration::from_millis(3));
        }
        let connection = Connection::open(self.fixture.cli.store());
        let restored = connection.and_then(|connection| {
            connection.busy_timeout(Duration::from_secs(5))?;
            let sql = "UPDATE credential SET state = ?1 WHERE name = ?2";
            connection.execute(sql, [&before, &name])
        });
        if let Err(error) = restored {
            self.fail("a record can't be put right", &error.to_string());
        }
        self.may_be_vouched_for(id);
        let now = self.now();
        self.event(format!("the record of `{name}` is right again: {before}"));
        let usable = &mut self.world.principals[id].usable;
        usable.begin(now, before == "Active" || before == "Inactive");
        usable.settle(now + GRACE);
        self.excuse_sessions_of(id);
    }

    fn excuse_sessions_of(&mut self, id: Id) {
        for session in &mut self.sessions {
            if session.who.contains(&Who::Principal(id)) {
                session.may_end = Some("its record could not be read".to_owned());
                session.must_end = None;
            }
        }
    }
}
