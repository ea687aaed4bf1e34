//! The thread of a hook: a gate, and the questions that wait for it.
//!
//! Nothing is kept that an answer depends on but what the store holds. Of clients that
//! were let in it is remembered, as far as there is room, who they were: so that their
//! broker is asked to end them, and so that of a broker that hands no pin back a name that
//! was deleted and made again is not taken for the one before.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use countersign::{Gate, GateConfig, GateError};
use countersign_core::hook::Hook;
use countersign_core::options::Options;
use countersign_core::secret::SecretDigest;
use countersign_core::store::{GateStore as _, StoreError};
use countersign_store::AnyStore;
use tokio::sync::oneshot;

use super::asked::{Asked, Verdict};
use super::kick::Kicker;
use super::remembered::Remembered;
use super::thread::HostThread;
use crate::who::now;

/// Whether a request is the broker's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admits {
    /// It comes from an address that it may not come from.
    Elsewhere,
    /// It shows another secret.
    No,
    /// The hook is gone, or another one by now.
    Over,
    Yes,
}

/// What the thread of a hook is sent.
pub(super) enum Message {
    /// Looks whether the hook is what it was.
    Look(oneshot::Sender<()>),
    Poll,
    Question {
        digest: SecretDigest,
        asked: Asked,
        answer: oneshot::Sender<Verdict>,
    },
    Stop,
}

/// A hook whose thread runs.
pub(super) struct Host {
    /// The hook as it was read first. It has another secret by now perhaps, and is the
    /// same but for that.
    hook: Hook,
    /// The hook as it was read last; none once it is gone.
    known: Arc<RwLock<Option<Hook>>>,
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

/// Why the thread of a hook can't be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error("its name or the store's path is no option: {0}")]
    Options(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl Host {
    /// Starts the thread of a hook.
    pub(super) fn start(hook: Hook, store: AnyStore) -> Result<Self, HostError> {
        let (messages, inbound) = mpsc::sync_channel(MOST_WAITING);
        let wake = {
            let messages = messages.clone();
            // Where it is full, the thread polls soon anyway.
            move || drop(messages.try_send(Message::Poll))
        };
        let place = store.place();
        let options = [
            ("store", place.as_str()),
            ("broker", hook.name.as_str()),
            ("hash_threads", "1"),
        ];
        let options = Options::parse(options).map_err(|it| HostError::Options(it.to_string()))?;
        let mut config = GateConfig::new(options, hook.name.as_str(), now, wake);
        config.version = Some(format!("hook of {}", hook.kind));
        config.hears_of_ends = false;
        config.tenant.clone_from(&hook.tenant);
        let gate = Gate::open(store.reopen()?, config)?;
        let known = Arc::new(RwLock::new(Some(hook.clone())));
        let kicker = hook
            .kick
            .as_ref()
            .map(|kick| Kicker::start(&hook, kick, &store));
        let thread = HostThread {
            gate,
            store,
            mark: None,
            known: Arc::clone(&known),
            kicker: kicker.transpose()?,
            held: HashMap::new(),
            remembered: Remembered::default(),
            last: 0,
            hook,
        };
        let hook = thread.hook.clone();
        let thread = std::thread::Builder::new()
            .name("countersign-hook".into())
            .spawn(move || thread.run(&inbound))?;
        Ok(Self {
            hook,
            known,
            messages,
            thread: Some(thread),
        })
    }

    /// What this thread is for: of its secret it knows nothing new.
    pub(super) fn hook(&self) -> &Hook {
        &self.hook
    }

    /// Says whether a request is the broker's, that shows this secret and comes from
    /// here.
    pub(super) async fn admits(&self, digest: &SecretDigest, client: IpAddr) -> Admits {
        let admits = self.judge_request(digest, client);
        if admits == Admits::Yes {
            return admits;
        }
        // It may have been given another secret just now.
        let (done, looked) = oneshot::channel();
        if self.messages.try_send(Message::Look(done)).is_ok() {
            let _ = looked.await;
        }
        self.judge_request(digest, client)
    }

    fn judge_request(&self, digest: &SecretDigest, client: IpAddr) -> Admits {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            None => Admits::Over,
            Some(hook) if hook.digest != *digest => Admits::No,
            Some(hook) if hook.takes(client) => Admits::Yes,
            Some(_) => Admits::Elsewhere,
        }
    }

    /// Has the thread judge what a broker asks, which showed this secret; none where that
    /// is not the hook's any more.
    pub(super) async fn judge(
        &self,
        digest: &SecretDigest,
        client: IpAddr,
        asked: Asked,
    ) -> Option<Verdict> {
        let (answer, answered) = oneshot::channel();
        let question = Message::Question {
            digest: digest.clone(),
            asked,
            answer,
        };
        let sent = self.messages.try_send(question);
        let verdict = match sent {
            Ok(()) => answered.await.ok(),
            Err(_) => None,
        };
        let is_the_brokers = || self.judge_request(digest, client) == Admits::Yes;
        verdict.or_else(|| is_the_brokers().then_some(Verdict::No))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.messages.send(Message::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of a hook panicked");
        }
    }
}

/// So many questions wait at most.
const MOST_WAITING: usize = 1_024;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use countersign_core::hook::{HookKind, HookName};
    use countersign_core::secret::Secret;
    use countersign_core::time::Timestamp;

    use super::super::asked::Login;
    use super::*;

    #[test]
    fn so_many_questions_wait_and_the_next_is_answered_with_no() {
        let digest = SecretDigest::of(&Secret::new(b"secret".to_vec()));
        let hook = Hook {
            name: HookName::parse("edge").unwrap(),
            kind: HookKind::Emqx,
            tenant: None,
            from: Vec::new(),
            digest: digest.clone(),
            kick: None,
            vhosts: Vec::new(),
            created_at: Timestamp::from_millis(0),
            rotated_at: Timestamp::from_millis(0),
        };
        // Its thread takes nothing.
        let (messages, inbound) = mpsc::sync_channel(MOST_WAITING);
        for _ in 0..MOST_WAITING {
            assert!(messages.try_send(Message::Poll).is_ok());
        }
        let host = Host {
            hook: hook.clone(),
            known: Arc::new(RwLock::new(Some(hook))),
            messages,
            thread: None,
        };
        let asked = Asked::Login(Login::of("dev1@acme", Some("x"), "c"));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let client = IpAddr::from(Ipv4Addr::LOCALHOST);
        let verdict = runtime.block_on(host.judge(&digest, client, asked));
        assert!(matches!(verdict, Some(Verdict::No)));
        drop(inbound);
    }
}
