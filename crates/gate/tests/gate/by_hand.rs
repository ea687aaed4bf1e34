//! The jobs of a gate, run when a test says so.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::core::secret::Argon2Params;
use countersign::core::store::{GateStore, Settings};
use countersign::sqlite::SqliteStore;
use countersign::{Background, Directive, Gate, GateConfig, Job, Join, Progress};

/// Holds the jobs of a gate.
#[derive(Default)]
pub(crate) struct ByHand {
    jobs: Mutex<Vec<(&'static str, Slot)>>,
    uptime: AtomicU64,
    /// How many milliseconds go by whenever somebody looks.
    tick: AtomicU64,
}

/// A job, until it is over.
type Slot = Arc<Mutex<Option<Box<dyn Job>>>>;

impl Background for ByHand {
    fn start(&self, name: &'static str, job: Box<dyn Job>) -> io::Result<Join> {
        let slot = Arc::new(Mutex::new(Some(job)));
        self.jobs.lock().unwrap().push((name, Arc::clone(&slot)));
        Ok(Box::new(EndOnDrop(slot)))
    }

    fn uptime(&self) -> Duration {
        let tick = self.tick.load(Ordering::SeqCst);
        Duration::from_millis(self.uptime.fetch_add(tick, Ordering::SeqCst))
    }
}

impl ByHand {
    /// Has the jobs of a gate that is opened with this run by hand.
    pub(crate) fn of(config: &mut GateConfig) -> Arc<Self> {
        let by_hand = Arc::new(Self::default());
        config.background = Arc::<Self>::clone(&by_hand);
        by_hand
    }

    /// Lets so many milliseconds go by whenever somebody looks, so that a hash
    /// takes that long.
    pub(crate) fn set_tick(&self, millis: u64) {
        self.tick.store(millis, Ordering::SeqCst);
    }

    /// Lets so many milliseconds go by.
    pub(crate) fn pass(&self, millis: u64) {
        self.uptime.fetch_add(millis, Ordering::SeqCst);
    }

    /// How much time has gone by.
    pub(crate) fn passed(&self) -> u64 {
        self.uptime.load(Ordering::SeqCst)
    }

    /// Does what there is to do, once; says whether there was anything.
    pub(crate) fn step(&self) -> bool {
        self.step_of("")
    }

    /// The same of the jobs alone whose names end so.
    pub(crate) fn step_of(&self, end: &str) -> bool {
        let jobs = self.jobs.lock().unwrap().clone();
        let jobs = jobs.iter().filter(|(name, _)| name.ends_with(end));
        let worked = jobs.filter(|(_, slot)| step(slot) == Progress::Worked);
        worked.count() > 0
    }

    /// Writes what is gathered.
    pub(crate) fn write(&self) {
        while self.step_of("write") {}
    }

    /// Works and polls until there is nothing more to do.
    pub(crate) fn settle<S: GateStore>(&self, gate: &mut Gate<S>) -> Vec<Directive> {
        let mut directives = Vec::new();
        loop {
            let has_worked = self.step();
            let more = gate.poll();
            if !has_worked && more.is_empty() && !gate.wants_poll() {
                return directives;
            }
            directives.extend(more);
        }
    }
}

/// Does what is left of a job when it is dropped.
struct EndOnDrop(Slot);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        while step(&self.0) != Progress::Over {}
    }
}

fn step(slot: &Slot) -> Progress {
    let mut slot = slot.lock().unwrap();
    let progress = slot.as_mut().map_or(Progress::Over, |job| job.step());
    if progress == Progress::Over {
        *slot = None;
    }
    progress
}

/// A folder for a store: in memory where the system has such a place, for a disk
/// takes its time.
pub(crate) fn folder() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).unwrap()
}

/// A new store: a copy of one that is made once for each of the settings, for a schema
/// takes its time.
pub(crate) fn new_store(path: &Path, settings: &Settings) -> SqliteStore {
    static MADE: Mutex<Vec<(Settings, Vec<u8>)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap();
    let bytes = match made.iter().find(|(of, _)| of == settings) {
        Some((_, bytes)) => bytes.clone(),
        None => {
            drop(SqliteStore::create(path, settings).unwrap());
            let bytes = fs::read(path).unwrap();
            made.push((*settings, bytes.clone()));
            bytes
        }
    };
    fs::write(path, bytes).unwrap();
    SqliteStore::open(path).unwrap()
}

/// A store's settings under which a password is hashed in no time.
pub(crate) fn settings() -> Settings {
    Settings {
        argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
        ..Settings::default()
    }
}
