//! The clerk: does administrative acts that sessions asked for, on a thread of
//! its own and with a connection of its own to the store, as any other door to
//! the acts does. Whether whoever asks may is looked up in the act's own
//! transaction.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use countersign_admin::authority::AuthorityError;
use countersign_admin::jwt::{self, JwtError, NewToken};
use countersign_admin::role::RoleError;
use countersign_admin::thing::{self, ThingError};
use countersign_admin::view::rfc3339;
use countersign_admin::{Authority, Context, OsRandom};
use countersign_core::credential::CredentialId;
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::{AdminStore, GateStore};
use countersign_core::time::Timestamp;

use crate::bell::{Bell, Mailbox};
use crate::command::problem::Problem;
use crate::command::words::Answer;

/// The host's end of the clerk.
pub(crate) struct Clerk {
    work: Option<SyncSender<Work>>,
    done: Arc<Mailbox<Done>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the clerk is told.
enum Work {
    /// To do something.
    Errand(Place, Errand),
    /// To open the store anew, for an open one keeps what it read.
    Reload,
}

/// An act that a session asks for.
#[derive(Debug)]
pub(crate) struct Errand {
    /// Who asks.
    pub(crate) principal: CredentialId,
    /// As the audit calls them.
    pub(crate) actor: String,
    /// The tenant that the session works in.
    pub(crate) tenant: TenantId,
    /// What is asked.
    pub(crate) act: Act,
}

/// What a session asks the clerk for.
#[derive(Debug)]
pub(crate) enum Act {
    /// To make a token.
    MakeToken {
        role: RoleName,
        whoami: Whoami,
        things: Vec<LoginName>,
        ttl: Ttl,
    },
    /// To untie a thing from its application id.
    Untie(LoginName),
}

/// Where an answer goes: which message, and which of its responses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) message: u64,
    pub(crate) response: usize,
}

/// What the clerk has done.
pub(crate) struct Done {
    pub(crate) place: Place,
    pub(crate) outcome: Result<Answer, Problem>,
}

impl Clerk {
    /// Starts the clerk.
    ///
    /// # Errors
    ///
    /// Returns the operating system's error when no thread can be started.
    pub(crate) fn start<S: GateStore + AdminStore>(
        store: S,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        bell: &Arc<Bell>,
    ) -> std::io::Result<Self> {
        let (work, inbox) = sync_channel(MOST_WAITING);
        let done = Arc::new(Mailbox::new(Arc::clone(bell)));
        let stop = Arc::new(AtomicBool::new(false));
        let working = Working {
            store,
            clock,
            done: Arc::clone(&done),
            stop: Arc::clone(&stop),
        };
        let thread = std::thread::Builder::new()
            .name("countersign-act".into())
            .spawn(move || working.run(&inbox))?;
        Ok(Self {
            work: Some(work),
            done,
            stop,
            thread: Some(thread),
        })
    }

    /// Sends the clerk on an errand; says why not.
    pub(crate) fn send(&self, place: Place, errand: Errand) -> Result<(), Problem> {
        let work = self.work.as_ref().ok_or(Problem::Unavailable)?;
        let sent = work.try_send(Work::Errand(place, errand));
        sent.map_err(|error| match error {
            TrySendError::Full(_) => Problem::TooMuch,
            TrySendError::Disconnected(_) => Problem::Unavailable,
        })
    }

    /// Has the store opened anew.
    pub(crate) fn reload(&self) {
        if let Some(work) = &self.work {
            // With so much to do, it is done the next time.
            let _sent = work.try_send(Work::Reload);
        }
    }

    /// Takes what was done since the last time, once the bell was answered.
    pub(crate) fn take(&self) -> VecDeque<Done> {
        self.done.take()
    }

    /// Drops what waits, and ends the thread once it has finished what it is at.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.work = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was its own end; nothing of it is left to undo.
            let _ended = thread.join();
        }
    }
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's own part.
struct Working<S> {
    store: S,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    done: Arc<Mailbox<Done>>,
    stop: Arc<AtomicBool>,
}

impl<S: GateStore + AdminStore> Working<S> {
    fn run(mut self, inbox: &Receiver<Work>) {
        loop {
            let work = match inbox.recv_timeout(LOOK_EVERY) {
                Ok(work) => work,
                Err(RecvTimeoutError::Timeout) => {
                    // Whoever does not look keeps all others from opening
                    // another store.
                    let _there = self.store.state();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            let (place, errand) = match work {
                Work::Errand(place, errand) => (place, errand),
                Work::Reload => {
                    if let Ok(store) = self.store.reopen() {
                        self.store = store;
                    }
                    continue;
                }
            };
            // A panic is the end of this errand and of nothing else: what a
            // transaction has not committed never happened.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.go(errand)))
                .unwrap_or(Err(Problem::Unavailable));
            self.done.put([Done { place, outcome }]);
        }
    }

    fn go(&mut self, errand: Errand) -> Result<Answer, Problem> {
        let mut context = Context {
            now: (self.clock)(),
            actor: &errand.actor,
            random: &mut OsRandom,
        };
        match errand.act {
            Act::MakeToken {
                role,
                whoami,
                things,
                ttl,
            } => {
                let new = NewToken {
                    tenant: errand.tenant,
                    role,
                    whoami,
                    things,
                    ttl,
                    issuer: errand.principal,
                };
                let made = jwt::create(&mut self.store, &mut context, new)?;
                Ok(Answer::Token {
                    token: made.token,
                    jti: made.record.id.to_string(),
                    expires_at: rfc3339(made.record.expires_at),
                })
            }
            Act::Untie(key) => {
                let authority = Authority::Session(errand.principal);
                thing::untie(&mut self.store, &context, &key, &errand.tenant, authority)?;
                Ok(Answer::Untied(key))
            }
        }
    }
}

impl From<AuthorityError> for Problem {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Store(_) => Self::Unavailable,
            AuthorityError::Gone | AuthorityError::NotAdmin { .. } | _ => Self::NotAdmin,
        }
    }
}

impl From<JwtError> for Problem {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::Authority(error) => error.into(),
            JwtError::NameTaken { .. } => Self::InTheWay("`whoami` is taken".into()),
            JwtError::TooMany { .. } => Self::InTheWay("there are too many tokens".into()),
            JwtError::Role(RoleError::Missing { .. }) => {
                Self::NotFound("the tenant has no such role")
            }
            JwtError::Sign(_) => Self::Parameter("there are too many things for a token".into()),
            JwtError::Thing(error) => error.into(),
            JwtError::KeyUnreadable { .. } | JwtError::Vault(_) => {
                Self::InTheWay("the tenant's key can't be used; an administrator knows more".into())
            }
            JwtError::Missing { .. }
            | JwtError::NoIssuer { .. }
            | JwtError::NoKey { .. }
            | JwtError::Random(_)
            | JwtError::Revoked { .. }
            | JwtError::Role(_)
            | JwtError::Store(_)
            | JwtError::Tenant(_)
            | _ => Self::Unavailable,
        }
    }
}

impl From<ThingError> for Problem {
    fn from(error: ThingError) -> Self {
        match error {
            ThingError::Authority(error) => error.into(),
            ThingError::Missing { .. } => Self::NotFound("the tenant has no such thing"),
            ThingError::NotTied { .. } => {
                Self::InTheWay("the thing is not tied to an application id".into())
            }
            ThingError::Application(_)
            | ThingError::Exists { .. }
            | ThingError::Key { .. }
            | ThingError::Name(_)
            | ThingError::NoApplication { .. }
            | ThingError::Reserved(_)
            | ThingError::Store(_)
            | ThingError::Tenant(_)
            | _ => Self::Unavailable,
        }
    }
}

/// So many errands wait at most.
const MOST_WAITING: usize = 256;
const LOOK_EVERY: Duration = Duration::from_millis(250);
