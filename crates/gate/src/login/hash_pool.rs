//! The workers that check secrets slowly.
//!
//! A worker answers one thing: whether a secret matches one of the hashes that
//! it was given. What follows is decided later, on the host's thread, with what
//! is stored then.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use countersign_core::backoff::Origin;
use countersign_core::secret::{Argon2Params, HashMemory, PasswordHash, Secret, SecretId};

use crate::background::{Background, Job, Join, Progress};
use crate::counters::Counters;
use crate::host::Ticket;
use crate::journal::entry::{JournalEntry, Rehashed};
use crate::journal::queue::JournalQueue;
use crate::login::fair_queue::{FairQueue, Priority};
use crate::wakeup::{Inbound, WakeSignal};

/// The host's end of the workers.
pub(crate) struct HashPool {
    shared: Arc<PoolShared>,
    joins: Vec<Join>,
}

/// A slow check.
pub(crate) struct HashJob {
    pub(crate) ticket: Ticket,
    /// What is checked; wiped with the last who holds it.
    pub(crate) presented: Arc<Secret>,
    /// What it may be; at most two.
    pub(crate) passwords: Vec<(SecretId, PasswordHash)>,
    /// What to waste the time with if it is none of them.
    pub(crate) dummy: Option<PasswordHash>,
    /// What it is known to be. Then the time of a wrong one is spent, and nothing
    /// else.
    pub(crate) proved: Option<SecretId>,
}

/// A password that let a client in and is to be hashed in another way.
pub(crate) struct RehashJob {
    pub(crate) secret: SecretId,
    /// Wiped with the last who holds it.
    pub(crate) presented: Arc<Secret>,
    pub(crate) old: PasswordHash,
    pub(crate) wanted: Argon2Params,
}

/// What became of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashAnswer {
    pub(crate) ticket: Ticket,
    pub(crate) found: HashOutcome,
}

/// What a slow check found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HashOutcome {
    /// It failed, and says nothing.
    Failed,
    /// The secret is this one, and what a wrong one takes is spent.
    Match(SecretId),
    /// The secret is none of them.
    Nothing,
    /// The secret is this one, and a wrong one takes longer to find out. A refusal
    /// owes the difference.
    QuickMatch(SecretId),
}

impl HashOutcome {
    /// Which secret it is, if it is one.
    pub(crate) const fn secret(self) -> Option<SecretId> {
        match self {
            Self::Match(secret) | Self::QuickMatch(secret) => Some(secret),
            Self::Failed | Self::Nothing => None,
        }
    }

    /// The same for a decision at another time, which owes nothing for it.
    pub(crate) fn settled(self) -> Self {
        self.secret().map_or(self, Self::Match)
    }
}

/// What a worker does.
enum PoolTask {
    Check(HashJob),
    /// Hash a password anew.
    Rehash(RehashJob),
}

struct PoolShared {
    state: Mutex<PoolState>,
    more: Condvar,
    answers: Inbound<HashAnswer>,
    counters: Arc<Counters>,
}

/// What the workers are to do.
#[derive(Default)]
struct PoolState {
    queue: FairQueue<PoolTask>,
    /// How many of them hash a password anew.
    rehashes: usize,
    stop: bool,
}

impl HashPool {
    /// Starts so many workers.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when a worker can't be run.
    pub(crate) fn start(
        workers: usize,
        wake_signal: &Arc<WakeSignal>,
        journal: &Arc<JournalQueue<JournalEntry>>,
        counters: &Arc<Counters>,
        background: &Arc<dyn Background>,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(PoolShared {
            state: Mutex::default(),
            more: Condvar::new(),
            answers: Inbound::new(Arc::clone(wake_signal)),
            counters: Arc::clone(counters),
        });
        let mut pool = Self {
            shared,
            joins: Vec::with_capacity(workers),
        };
        for _ in 0..workers {
            let worker = HashWorker {
                shared: Arc::clone(&pool.shared),
                journal: Arc::clone(journal),
                background: Arc::clone(background),
                memory: HashMemory::default(),
            };
            // If it fails, dropping the pool ends those that run already.
            pool.joins
                .push(background.start("countersign-hash", Box::new(worker))?);
        }
        Ok(pool)
    }

    /// Hands over a job. How many there may be is for the caller to say.
    pub(crate) fn submit(&self, job: HashJob, origin: Origin, priority: Priority) {
        self.shared.counters.hash_queue.enter();
        self.shared
            .lock()
            .queue
            .push(PoolTask::Check(job), origin, priority);
        self.shared.more.notify_one();
    }

    /// Has a password hashed anew. Where many wait for that already, it is done
    /// after another login.
    pub(crate) fn rehash(&self, outdated: RehashJob, origin: Origin) {
        let mut state = self.shared.lock();
        if state.rehashes >= MOST_REHASHES {
            return;
        }
        state.rehashes = state.rehashes.saturating_add(1);
        state
            .queue
            .push(PoolTask::Rehash(outdated), origin, Priority::Other);
        drop(state);
        self.shared.more.notify_one();
    }

    /// See [`FairQueue::evict`]: answers a login that will not be checked. Says
    /// whether there was one to give up.
    pub(crate) fn evict(&self, priority: Priority) -> bool {
        let mut state = self.shared.lock();
        match state.queue.evict(priority) {
            None => return false,
            Some(PoolTask::Check(HashJob { ticket, .. })) => {
                self.shared.counters.hash_queue.leave(1);
                let found = HashOutcome::Failed;
                self.shared.answers.put([HashAnswer { ticket, found }]);
            }
            // It is hashed anew after another login.
            Some(PoolTask::Rehash(_)) => state.rehashes = state.rehashes.saturating_sub(1),
        }
        true
    }

    /// Drops the jobs of logins that no longer wait.
    pub(crate) fn drop_jobs(&self, tickets: &HashSet<Ticket>) {
        let hash_queue = &self.shared.counters.hash_queue;
        let is_wanted = |task: &PoolTask| match task {
            PoolTask::Check(job) if tickets.contains(&job.ticket) => {
                hash_queue.leave(1);
                false
            }
            PoolTask::Check(_) | PoolTask::Rehash(_) => true,
        };
        self.shared.lock().queue.retain(is_wanted);
    }

    /// See [`FairQueue::demote`].
    pub(crate) fn demote(&self, origin: Origin) {
        self.shared.lock().queue.demote(origin);
    }

    /// Takes the answers since the last time, once the wake signal was
    /// acknowledged.
    pub(crate) fn take(&self) -> VecDeque<HashAnswer> {
        self.shared.answers.take()
    }
}

impl Drop for HashPool {
    /// Drops what waits. The workers end once each has finished the hash that it is
    /// at.
    fn drop(&mut self) {
        *self.shared.lock() = PoolState {
            stop: true,
            ..PoolState::default()
        };
        self.shared.more.notify_all();
    }
}

impl HashJob {
    /// Does it. Never panics, so that it is always answered.
    pub(crate) fn run(&self, memory: &mut HashMemory) -> HashOutcome {
        catch_unwind(AssertUnwindSafe(|| self.check(memory))).unwrap_or(HashOutcome::Failed)
    }

    fn check(&self, memory: &mut HashMemory) -> HashOutcome {
        let found = found_among(&self.passwords, &self.presented, memory);
        let owed = self.owed();
        if self.proved.is_none()
            && owed.is_some()
            && let Some(secret) = found
        {
            return HashOutcome::QuickMatch(secret);
        }
        if let Some(dummy) = owed {
            let _never = core::hint::black_box(dummy.verify_in(&self.presented, memory));
        }
        let found = self.proved.or(found);
        found.map_or(HashOutcome::Nothing, HashOutcome::Match)
    }

    /// What is hashed besides: what matches nothing costs at least what a name
    /// costs that no credential has, also where its hashes are cheap because
    /// they were made elsewhere or before the parameters were raised.
    fn owed(&self) -> Option<&PasswordHash> {
        let dummy = self.dummy.as_ref()?;
        let mut passwords = self.passwords.iter();
        let is_paid = passwords.any(|(_, hash)| hash.params() == dummy.params());
        (!is_paid).then_some(dummy)
    }
}

/// Which of the passwords a secret is. All are hashed, so that it takes the same
/// time whichever it is.
pub(crate) fn found_among(
    passwords: &[(SecretId, PasswordHash)],
    presented: &Secret,
    memory: &mut HashMemory,
) -> Option<SecretId> {
    let mut found = None;
    for (id, hash) in passwords {
        if hash.verify_in(presented, memory) {
            found = Some(*id);
        }
    }
    found
}

impl RehashJob {
    fn rehash(self) -> Option<Rehashed> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        let new = PasswordHash::new(&self.presented, salt, self.wanted).ok()?;
        Some(Rehashed {
            secret: self.secret,
            old: self.old,
            new,
        })
    }
}

/// A worker.
struct HashWorker {
    shared: Arc<PoolShared>,
    journal: Arc<JournalQueue<JournalEntry>>,
    background: Arc<dyn Background>,
    memory: HashMemory,
}

impl Job for HashWorker {
    fn step(&mut self) -> Progress {
        let mut state = self.shared.lock();
        if state.stop {
            return Progress::Over;
        }
        let Some(task) = state.queue.pop() else {
            return Progress::Idle;
        };
        if let PoolTask::Rehash(_) = task {
            state.rehashes = state.rehashes.saturating_sub(1);
        }
        drop(state);
        match task {
            PoolTask::Check(job) => {
                let counters = &self.shared.counters;
                counters.hash_queue.leave(1);
                let start = self.background.uptime();
                let found = job.run(&mut self.memory);
                counters.hashed(self.background.uptime().saturating_sub(start));
                let ticket = job.ticket;
                self.shared.answers.put([HashAnswer { ticket, found }]);
            }
            PoolTask::Rehash(outdated) => {
                // A panic is the end of this attempt and of nothing else.
                let rehashed = catch_unwind(AssertUnwindSafe(|| outdated.rehash()));
                if let Ok(Some(rehashed)) = rehashed {
                    self.journal.put_if_room(JournalEntry::Rehashed(rehashed));
                }
            }
        }
        Progress::Worked
    }

    fn wait(&mut self) {
        let rests = |state: &mut PoolState| !state.stop && state.queue.is_empty();
        let waited = self.shared.more.wait_while(self.shared.lock(), rests);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl PoolShared {
    fn lock(&self) -> MutexGuard<'_, PoolState> {
        // INVARIANT: no code panics between two changes of the queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// So many passwords wait to be hashed anew.
const MOST_REHASHES: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::background::Threads;
    use crate::journal::queue::QueueContent;

    fn quick() -> Argon2Params {
        Argon2Params::parse("m=8,t=1,p=1").unwrap()
    }

    fn hash(password: &[u8]) -> PasswordHash {
        let params = quick();
        PasswordHash::new(&Secret::new(password.to_vec()), [7; 16], params).unwrap()
    }

    fn job(ticket: u64, password: &[u8]) -> HashJob {
        HashJob {
            ticket: Ticket(ticket),
            presented: Arc::new(Secret::new(password.to_vec())),
            passwords: vec![(SecretId(1), hash(b"one")), (SecretId(2), hash(b"two"))],
            dummy: Some(PasswordHash::unmatchable(quick()).unwrap()),
            proved: None,
        }
    }

    fn outdated(id: i64, password: &[u8]) -> RehashJob {
        RehashJob {
            secret: SecretId(id),
            presented: Arc::new(Secret::new(password.to_vec())),
            old: hash(password),
            wanted: Argon2Params::parse("m=16,t=1,p=1").unwrap(),
        }
    }

    /// A pool, and a worker of it that works when it is told to.
    fn pool() -> (HashPool, HashWorker, Arc<WakeSignal>) {
        let wake_signal = Arc::new(WakeSignal::new(Arc::new(|| ())));
        let journal = Arc::default();
        let background: Arc<dyn Background> = Arc::new(Threads::default());
        let counters = Arc::default();
        let pool = HashPool::start(0, &wake_signal, &journal, &counters, &background).unwrap();
        let worker = HashWorker {
            shared: Arc::clone(&pool.shared),
            journal,
            background,
            memory: HashMemory::default(),
        };
        (pool, worker, wake_signal)
    }

    fn work(worker: &mut HashWorker) {
        while worker.step() == Progress::Worked {}
    }

    #[test]
    fn an_empty_secret_matches_nothing() {
        let mut memory = HashMemory::default();
        assert_eq!(job(1, b"").run(&mut memory), HashOutcome::Nothing);
    }

    #[test]
    fn a_wrong_password_costs_an_argon2id_however_cheap_its_own_hash_is() {
        let cheap = "$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==";
        let cheap = (SecretId(1), PasswordHash::parse(cheap).unwrap());
        let older = Argon2Params::parse("m=16,t=1,p=1").unwrap();
        let older = PasswordHash::new(&Secret::new(b"one".to_vec()), [7; 16], older).unwrap();
        let older = (SecretId(2), older);
        let current = (SecretId(3), hash(b"two"));
        for (passwords, is_dummy_hashed) in [
            (vec![], true),
            (vec![cheap.clone()], true),
            (vec![older.clone()], true),
            (vec![current.clone()], false),
            (vec![cheap.clone(), current.clone()], false),
        ] {
            let job = HashJob {
                passwords,
                ..job(1, b"correct horse")
            };
            assert_eq!(job.owed().is_some(), is_dummy_hashed);
        }
        let (quick, id) = (HashOutcome::QuickMatch, SecretId(1));
        for (passwords, proved, outcome) in [
            (vec![cheap.clone(), older], None, quick(id)),
            (vec![cheap.clone(), current], None, HashOutcome::Match(id)),
            (vec![cheap], Some(id), HashOutcome::Match(id)),
            (vec![], Some(id), HashOutcome::Match(id)),
        ] {
            let mut job = job(1, b"correct horse");
            (job.passwords, job.proved) = (passwords, proved);
            assert_eq!(job.run(&mut HashMemory::default()), outcome);
        }
    }

    #[test]
    fn a_worker_says_which_secret_it_is_or_that_it_is_none() {
        let (pool, mut worker, wake_signal) = pool();
        for (ticket, password) in [(1, &b"one"[..]), (2, b"two"), (3, b"three")] {
            pool.submit(job(ticket, password), Origin::default(), Priority::Other);
        }
        let mut nothing_stored = job(4, b"one");
        nothing_stored.passwords.clear();
        pool.submit(nothing_stored, Origin::default(), Priority::KnownOrigin);
        work(&mut worker);
        let mut found: Vec<_> = pool
            .take()
            .into_iter()
            .map(|answer| (answer.ticket.0, answer.found))
            .collect();
        found.sort_unstable_by_key(|(ticket, _)| *ticket);
        let expected = [
            (1, HashOutcome::Match(SecretId(1))),
            (2, HashOutcome::Match(SecretId(2))),
            (3, HashOutcome::Nothing),
            (4, HashOutcome::Nothing),
        ];
        assert_eq!(found, expected);
        assert!(wake_signal.acknowledge());
    }

    #[test]
    fn a_password_that_is_hashed_in_another_way_is_hashed_anew() {
        let (pool, mut worker, _) = pool();
        pool.rehash(outdated(1, b"one"), Origin::default());
        pool.rehash(outdated(2, b"two"), Origin::default());
        work(&mut worker);
        let mut taken = QueueContent::default();
        assert!(worker.journal.take(&mut taken) && taken.entries.len() == 2);
        let expected = [(1, &b"one"[..]), (2, b"two")];
        for ((id, password), note) in expected.into_iter().zip(taken.entries) {
            let JournalEntry::Rehashed(rehashed) = note else {
                panic!("something else is written down");
            };
            assert_eq!(rehashed.secret, SecretId(id));
            assert_eq!(rehashed.old.as_str(), hash(password).as_str());
            assert!(rehashed.new.verify(&Secret::new(password.to_vec())));
            let params = rehashed.new.params().unwrap().to_string();
            assert_eq!(params, "m=16,t=1,p=1");
        }
        assert_eq!(pool.shared.lock().rehashes, 0);
    }

    #[test]
    fn the_jobs_of_logins_that_nobody_waits_for_are_dropped_with_their_secrets() {
        let (pool, ..) = pool();
        let jobs: Vec<_> = (0..100).map(|ticket| job(ticket, b"x")).collect();
        let secrets: Vec<_> = jobs
            .iter()
            .map(|job| Arc::downgrade(&job.presented))
            .collect();
        for job in jobs {
            pool.submit(job, Origin::default(), Priority::Other);
        }
        pool.drop_jobs(&(0..60).map(Ticket).collect());
        let alive = secrets.iter().filter(|secret| secret.upgrade().is_some());
        assert_eq!(alive.count(), 40);
    }

    #[test]
    fn passwords_to_be_hashed_anew_are_bounded_in_number() {
        let (pool, ..) = pool();
        for _ in 0..MOST_REHASHES + 10 {
            pool.rehash(outdated(1, b"one"), Origin::default());
        }
        assert_eq!(pool.shared.lock().rehashes, MOST_REHASHES);
        assert!(pool.evict(Priority::Other));
        assert_eq!(pool.shared.lock().rehashes, MOST_REHASHES - 1);
    }

    #[test]
    fn stopping_drops_what_waits_and_wipes_its_secrets() {
        let (pool, mut worker, _) = pool();
        let jobs: Vec<_> = (0..200).map(|ticket| job(ticket, b"x")).collect();
        let secrets: Vec<_> = jobs
            .iter()
            .map(|job| Arc::downgrade(&job.presented))
            .collect();
        for job in jobs {
            pool.submit(job, Origin::default(), Priority::Other);
        }
        drop(pool);
        assert!(secrets.iter().all(|secret| secret.upgrade().is_none()));
        assert_eq!(worker.step(), Progress::Over);
    }

    #[test]
    fn every_answer_wakes_the_host_or_finds_the_bell_ringing() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&wakes);
        let wake = move || {
            counted.fetch_add(1, Ordering::SeqCst);
        };
        let wake_signal = Arc::new(WakeSignal::new(Arc::new(wake)));
        // With a thread of its own, as a host has it.
        let background: Arc<dyn Background> = Arc::new(Threads::default());
        let (journal, counters) = (Arc::default(), Arc::default());
        let pool = HashPool::start(1, &wake_signal, &journal, &counters, &background).unwrap();
        for ticket in 0..50 {
            pool.submit(job(ticket, b"one"), Origin::default(), Priority::Other);
            while !wake_signal.is_raised() {
                std::thread::yield_now();
            }
            assert!(wake_signal.acknowledge());
            assert_eq!(pool.take().len(), 1);
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 50);
    }
}
