//! What the thread of a hook does: it has the gate, and answers one question after the
//! other.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use countersign::{
    Completion, CompletionStatus, ConnectInfo, ConnectOutcome, Directive, Gate, Handle, LogLevel,
    PinnedClient, Ticket,
};
use countersign_core::hook::Hook;
use countersign_core::secret::Secret;
use countersign_core::store::rows::HookRows as _;
use countersign_core::store::{AdminStore as _, GateStore as _, Intent, StoreMark};
use countersign_store::AnyStore;
use tokio::sync::oneshot;

use super::asked::{Asked, Login, Use, Verdict};
use super::host::Message;
use super::kick::{Kicker, Order};
use super::remembered::{LetIn, Remembered};

pub(super) struct HostThread {
    pub(super) gate: Gate<AnyStore>,
    pub(super) store: AnyStore,
    /// When the hook was read.
    pub(super) mark: Option<StoreMark>,
    pub(super) known: Arc<RwLock<Option<Hook>>>,
    pub(super) kicker: Option<Kicker>,
    /// Whose passwords are being hashed.
    pub(super) held: HashMap<Ticket, Held>,
    pub(super) remembered: Remembered,
    /// The handle that was given last.
    pub(super) last: usize,
    pub(super) hook: Hook,
}

pub(super) struct Held {
    client_id: String,
    /// What it presented.
    username: String,
    answer: oneshot::Sender<Verdict>,
}

impl HostThread {
    pub(super) fn run(mut self, inbound: &Receiver<Message>) {
        loop {
            match inbound.recv_timeout(A_MOMENT) {
                Ok(Message::Question {
                    digest,
                    asked,
                    answer,
                }) => {
                    if !self.look() {
                        break;
                    }
                    if self.hook.digest == digest {
                        self.answer(asked, answer);
                    }
                }
                Ok(Message::Look(done)) => {
                    let is_there = self.look();
                    let _ = done.send(());
                    if !is_there {
                        break;
                    }
                }
                Ok(Message::Poll) => {}
                Err(RecvTimeoutError::Timeout) => {
                    if !self.look() {
                        break;
                    }
                }
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            for directive in self.gate.poll() {
                self.carry_out(directive);
            }
        }
        self.tell(None);
        self.gate.close();
    }

    fn tell(&self, hook: Option<Hook>) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Reads the hook again if anybody has committed anything; says whether it is the one
    /// that this thread is for.
    fn look(&mut self) -> bool {
        let mark = self.store.mark().ok();
        if mark.is_some() && mark == self.mark {
            return true;
        }
        let read = self.store.begin(Intent::Read);
        match read.and_then(|mut transaction| transaction.hook(&self.hook.name)) {
            Ok(Some(hook)) => {
                self.mark = mark;
                let before = Hook {
                    digest: hook.digest.clone(),
                    rotated_at: hook.rotated_at,
                    ..self.hook.clone()
                };
                let is_same = before == hook;
                if !is_same {
                    self.tell(None);
                } else if self.hook != hook {
                    self.hook = hook.clone();
                    self.tell(Some(hook));
                }
                is_same
            }
            Ok(None) => {
                self.tell(None);
                false
            }
            // What can't be read now may be soon. The gate refuses everybody meanwhile.
            Err(_) => true,
        }
    }

    fn answer(&mut self, asked: Asked, answer: oneshot::Sender<Verdict>) {
        match asked {
            Asked::Login(login) => self.log_in(&login, answer),
            Asked::Use(usage) => {
                let verdict = if self.judge(&usage) {
                    Verdict::Yes(None)
                } else {
                    Verdict::No
                };
                let _ = answer.send(verdict);
            }
        }
    }

    fn judge(&mut self, usage: &Use) -> bool {
        let remembered = self.remembered.pin_of(&usage.client_id, &usage.username);
        let client = PinnedClient {
            pin: usage.pin.or(remembered),
            username: usage.username.as_bytes(),
            client_id: usage.client_id.as_bytes(),
        };
        let mut wanted = [Some(&usage.wanted), usage.also.as_ref()]
            .into_iter()
            .flatten();
        wanted.all(|wanted| {
            let verdict = self.gate.check_pinned(&client, wanted.as_use());
            verdict.is_allowed()
        })
    }

    fn log_in(&mut self, login: &Login, answer: oneshot::Sender<Verdict>) {
        self.last = self.last.wrapping_add(1);
        let handle = Handle(self.last);
        let mut info = ConnectInfo::new(handle, login.client_id.as_bytes());
        info.username = Some(login.username.as_bytes());
        info.password = login.password.as_ref().map(Secret::expose);
        info.address = login.address.as_deref();
        info.may_wait = true;
        match self.gate.connect(&info) {
            ConnectOutcome::Admitted { .. } => {
                let pinned = self.admit(handle, &login.client_id, &login.username);
                let _ = answer.send(pinned);
            }
            ConnectOutcome::Pending { ticket, .. } => {
                let held = Held {
                    client_id: login.client_id.clone(),
                    username: login.username.clone(),
                    answer,
                };
                self.held.insert(ticket, held);
            }
            ConnectOutcome::Refused { line, .. } => {
                let _ = answer.send(Verdict::No);
                self.log(line.as_deref());
            }
            // What is not known lets nobody in.
            ConnectOutcome::Challenge { .. } | _ => drop(answer),
        }
    }

    /// What a broker is told of a client that the gate let in.
    fn admit(&mut self, handle: Handle, client_id: &str, username: &str) -> Verdict {
        let Some(pinned) = self.gate.pinned(handle) else {
            self.gate.disconnected(handle);
            return Verdict::No;
        };
        let is_kicked = self.kicker.is_some();
        if is_kicked || !self.hook.kind.hands_back() {
            let names = [username.into(), Arc::clone(&pinned.username)];
            let handle = is_kicked.then_some(handle);
            let let_in = LetIn {
                handle,
                names,
                pin: pinned.pin,
            };
            for before in self.remembered.keep(client_id, let_in) {
                self.gate.disconnected(before);
            }
        }
        if !is_kicked {
            self.gate.disconnected(handle);
        }
        Verdict::Yes(Some(pinned))
    }

    fn carry_out(&mut self, directive: Directive) {
        match directive {
            Directive::Complete {
                ticket,
                handle,
                completion,
                ..
            } => self.complete(ticket, handle, completion),
            Directive::Kick {
                handle,
                client_id,
                line,
            } => {
                self.log(Some(&line));
                let username = self.remembered.presented_by(&client_id);
                if let (Some(kicker), Some(username)) = (&self.kicker, username) {
                    kicker.end(Order {
                        client_id,
                        username,
                    });
                }
                self.gate.disconnected(handle);
            }
            Directive::Log { level, line } => match level {
                LogLevel::Error => tracing::error!(hook = self.hook.name.as_str(), "{line}"),
                LogLevel::Notice | LogLevel::Warning | _ => self.log(Some(&line)),
            },
            // Nobody is let in by leaving it alone.
            Directive::Reply { .. } | _ => {}
        }
    }

    /// Ends the wait of a login.
    fn complete(&mut self, ticket: Ticket, handle: Handle, completion: Completion) {
        let held = self.held.remove(&ticket);
        let Completion::Admit { .. } = completion else {
            if let Completion::Refuse { line } = completion {
                self.log(line.as_deref());
            }
            // Dropping the question is a no.
            return;
        };
        let is_here = held.as_ref().is_some_and(|held| !held.answer.is_closed());
        let status = if is_here {
            CompletionStatus::Here
        } else {
            CompletionStatus::Gone
        };
        self.gate.completed(ticket, status);
        if let Some(held) = held.filter(|_| is_here) {
            let verdict = self.admit(handle, &held.client_id, &held.username);
            let _ = held.answer.send(verdict);
        }
    }

    fn log(&self, line: Option<&str>) {
        if let Some(line) = line {
            tracing::info!(hook = self.hook.name.as_str(), "{line}");
        }
    }
}

const A_MOMENT: Duration = Duration::from_millis(100);
