//! Deciding about a CONNECT with what the store holds now, and committing what
//! the decision changes.

use std::sync::Arc;

use countersign_core::backoff::Origin;
use countersign_core::connect::{
    Admission, ConnectContext, Decision, Identity, Proof, Request, decide,
};
use countersign_core::options::ChainMode;
use countersign_core::reason::Reason;
use countersign_core::secret::Verifier;
use countersign_core::store::{
    GateStore, LogPosition, LoginEffects, Recorded, StoreError, StoreMark,
};
use countersign_core::time::Timestamp;

use crate::credential_cache::CachedDirectory;
use crate::gate::{ConnectSource, Gate};
use crate::hash_pool::RehashJob;
use crate::journal::writer::JournalEntry;
use crate::recent_uses::EndedUse;
use crate::secret_verifier::{Comparison, HashRequest, HashResult};
use crate::users::SessionGrant;

impl<S: GateStore> Gate<S> {
    /// Decides, and commits what must be committed before the client hears of
    /// it. If the credential changed in between, decides again.
    pub(crate) fn decide(
        &mut self,
        source: &ConnectSource<'_>,
        request: &Request,
        hash_result: Option<&HashResult>,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let listener = self.config.listener_at(source.listener);
        let leaves_unknown = self.config.options.chain == ChainMode::Defer;
        let (mut live_holders, mut unproved) = (Vec::new(), None);
        for session in self.sessions.live(request.client_id.as_str()) {
            match session.credential() {
                Some(holder) => live_holders.push(holder),
                None if session.stored => unproved = Some(EndedUse::unproved(session)),
                None => {}
            }
        }
        for _ in 0..MOST_TRIES {
            let log_position = self.sync_with_store()?;
            let at = ConnectContext {
                listener: &listener,
                schemes: &self.snapshot.schemes,
                client_id_hold: self.snapshot.settings.client_id_hold,
                live_holders: &live_holders,
                reservation: source.reservation,
                seal_key: self.users.seal_key.as_ref(),
                lockout: self.snapshot.settings.lockout,
                now,
            };
            let mut comparison =
                Comparison::new(&self.secret_verifier, hash_result, leaves_unknown);
            let mut directory = CachedDirectory {
                store: &mut self.store,
                credential_cache: &mut self.credential_cache,
                snapshot: &self.snapshot,
                log_position,
                recent_uses: &self.recent_uses,
                unproved: unproved.as_ref(),
                now,
            };
            let decision = decide(request, &at, &mut directory, &mut comparison)?;
            let hash_request = comparison.hash_request();
            // A refusal is not sent before it has cost what it must.
            let refused = |reason| match hash_request {
                Some(hash_request) => Decided::NeedsHash(hash_request),
                None => Decided::Refused(reason),
            };
            let admission = match decision {
                Decision::Admit(admission) => self.counted(admission),
                Decision::Refuse(reason) => return Ok(refused(reason)),
                Decision::Fail(failure) => {
                    return match refused(failure.reason) {
                        Decided::Refused(_) => self
                            .fail(&failure, source.address, now)
                            .map(Decided::Refused),
                        asks @ (Decided::Admitted(..)
                        | Decided::NeedsHash(_)
                        | Decided::Challenged) => Ok(asks),
                    };
                }
                Decision::Challenge => return Ok(Decided::Challenged),
                Decision::Register(registration) => match self.register(&registration, now)? {
                    Ok(()) => continue,
                    Err(reason) => return Ok(Decided::Refused(reason)),
                },
                Decision::Wait => return Ok(refused(Reason::OverBudget)),
            };
            // All that can fail comes before what is committed.
            let session_grant = self.session_grant_of(&admission.identity, &request.client_id)?;
            match self.record(&admission, request, now)? {
                Recorded::Done => {
                    if let Some(hash_result) = hash_result {
                        self.remember(&admission, hash_result, source.address);
                    }
                    return Ok(Decided::Admitted(admission, session_grant));
                }
                Recorded::Full => return Ok(refused(Reason::ClientIdLimit)),
                Recorded::Outdated => {}
            }
        }
        Ok(Decided::Refused(Reason::StoreBusy))
    }

    /// The admission; for a user, with what has to be written down while
    /// failures can't be: else an attacker could guess without limit.
    fn counted(&self, mut admission: Admission) -> Admission {
        if self.users.has_uncounted_failure && matches!(admission.identity, Identity::User { .. }) {
            admission.record.user.get_or_insert_default();
        }
        admission
    }

    /// Remembers the password that let a client in, and has it hashed anew if
    /// it is hashed in another way than it should be.
    fn remember(&mut self, admission: &Admission, hash_result: &HashResult, address: Option<&str>) {
        let identity = &admission.identity;
        let (Some(credential), Some(Proof::Secret(secret))) =
            (identity.credential(), identity.proof())
        else {
            return;
        };
        let Some(about) = hash_result.proves(credential.id, secret) else {
            return;
        };
        self.secret_verifier
            .remember(about, secret, &hash_result.presented);
        let hash = credential
            .secrets
            .iter()
            .find(|stored| stored.id == secret)
            .and_then(|stored| match &stored.verifier {
                Verifier::Digest(_) => None,
                Verifier::Password(hash) => Some(hash),
            });
        let wanted = self.snapshot.settings.argon2;
        if let Some(old) = hash.filter(|hash| hash.params() != Some(wanted)) {
            let outdated = RehashJob {
                secret,
                presented: Arc::clone(&hash_result.presented),
                old: old.clone(),
                wanted,
            };
            self.password_logins.rehash(outdated, Origin::of(address));
        }
    }

    /// Gives up what is kept in memory and changed in the store by now. Looks
    /// into the store only if anybody has committed anything since the last
    /// time.
    pub(crate) fn sync_with_store(&mut self) -> Result<LogPosition, StoreError> {
        // Before the look: what is committed after it has another mark.
        let mark = self.look_for_another_store()?;
        let before = self.sync_point.as_ref();
        if let Some(sync_point) = before.filter(|it| it.mark == mark) {
            return Ok(sync_point.log_position);
        }
        let log_position = self.store.log_position()?;
        if before.is_none_or(|it| it.log_position.last_change != log_position.last_change) {
            self.sync_point = None;
            if let Some(outdated) = self.credential_cache.follow(&mut self.store)? {
                self.writer
                    .append(JournalEntry::Discarded(Box::new(outdated)));
            }
            self.snapshot
                .refresh_to(&mut self.store, mark, log_position)?;
        }
        // Not what the two found at their ends: they may differ, and what came
        // after this is looked at again.
        self.sync_point = Some(SyncPoint { mark, log_position });
        Ok(log_position)
    }

    /// Marks the moment. Forgets all that was found out in another store, if other
    /// files stand in its place by now.
    pub(crate) fn look_for_another_store(&mut self) -> Result<StoreMark, StoreError> {
        let mark = self.store.mark()?;
        let before = core::mem::replace(&mut self.mark, mark);
        if !before.is_of_same_files(mark) {
            self.sync_point = None;
            self.secret_verifier.forget_all();
            self.write_presence_anew();
        }
        Ok(mark)
    }

    /// Commits what a login changes, if the credential still is what was looked
    /// up.
    fn record(
        &mut self,
        admission: &Admission,
        request: &Request,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let identity = &admission.identity;
        // A store that can't be written could not count the failures of users, so
        // none of them is let in then.
        let is_user = matches!(identity, Identity::User { .. });
        if admission.record.is_empty() && !is_user {
            return Ok(Recorded::Done);
        }
        let proved = identity
            .credential()
            .zip(identity.proof())
            .map(|(credential, proof)| (&**credential, proof));
        let login = LoginEffects {
            broker: self.config.broker(),
            client_id: &request.client_id,
            username: proved.map(|(credential, _)| credential.name.as_str()),
            tenant: identity.tenant(),
            proved,
            record: admission.record,
        };
        if let Some((credential, _)) = proved {
            // Whatever comes of it, it is not what was looked up any more.
            self.credential_cache.forget(credential.id);
        }
        let recorded = self.store.record_login(&login, now)?;
        if admission.record.user.is_some() {
            self.users.has_uncounted_failure = false;
        }
        Ok(recorded)
    }
}

/// How far what is kept in memory is up to date.
pub(crate) struct SyncPoint {
    /// When the store was looked at.
    mark: StoreMark,
    /// All that these logs tell of is worked off.
    log_position: LogPosition,
}

/// What became of a CONNECT, committed.
pub(crate) enum Decided {
    Admitted(Admission, SessionGrant),
    /// A code is asked for.
    Challenged,
    /// Something must be found out first.
    NeedsHash(HashRequest),
    Refused(Reason),
}

const MOST_TRIES: usize = 3;
