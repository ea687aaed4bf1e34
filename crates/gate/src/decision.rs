//! Deciding about a CONNECT with what the store holds now, and committing what
//! the decision changes.

use std::sync::Arc;

use countersign_core::backoff::Origin;
use countersign_core::connect::{
    Admission, Circumstances, Decision, Identity, Proof, Request, decide,
};
use countersign_core::options::Chain;
use countersign_core::reason::Reason;
use countersign_core::secret::Verifier;
use countersign_core::store::{GateStore, Login, Recorded, Standing, StoreError, StoreState};
use countersign_core::time::Timestamp;

use crate::compare::{Comparison, Learned, Question};
use crate::gate::{Gate, Place};
use crate::hashing::Outdated;
use crate::lately::Ended;
use crate::people::Prospect;
use crate::records::Known;
use crate::writer::Note;

impl<S: GateStore> Gate<S> {
    /// Decides, and commits what must be committed before the client hears of
    /// it. If the credential changed in between, decides again.
    pub(crate) fn decide(
        &mut self,
        place: &Place<'_>,
        request: &Request,
        learned: Option<&Learned>,
        now: Timestamp,
    ) -> Result<Decided, StoreError> {
        let site = self.setting.site(place.listener);
        let leaves_unknown = self.setting.options.chain == Chain::Defer;
        let (mut live_holders, mut unproved) = (Vec::new(), None);
        for session in self.sessions.live(request.client_id.as_str()) {
            match session.credential() {
                Some(holder) => live_holders.push(holder),
                None if session.stored => unproved = Some(Ended::unproved(session)),
                None => {}
            }
        }
        for _ in 0..MOST_TRIES {
            let standing = self.catch_up()?;
            let at = Circumstances {
                site: &site,
                schemes: &self.policy.schemes,
                client_id_hold: self.policy.settings.client_id_hold,
                live_holders: &live_holders,
                reservation: place.reservation,
                vault: self.crowd.vault.as_ref(),
                lockout: self.policy.settings.lockout,
                now,
            };
            let mut comparison = Comparison::new(&self.comparer, learned, leaves_unknown);
            let mut directory = Known {
                store: &mut self.store,
                records: &mut self.records,
                policy: &self.policy,
                standing,
                lately: &self.lately,
                unproved: unproved.as_ref(),
                now,
            };
            let decision = decide(request, &at, &mut directory, &mut comparison)?;
            let question = comparison.question();
            // Nobody hears of a refusal before it has cost what it must.
            let refused = |reason| match question {
                Some(question) => Decided::Asks(question),
                None => Decided::Refused(reason),
            };
            let admission = match decision {
                Decision::Admit(admission) => self.counted(admission),
                Decision::Refuse(reason) => return Ok(refused(reason)),
                Decision::Fail(failure) => {
                    return match refused(failure.reason) {
                        Decided::Refused(_) => self
                            .fail(&failure, place.address, now)
                            .map(Decided::Refused),
                        asks @ (Decided::Admitted(..) | Decided::Asks(_) | Decided::Challenged) => {
                            Ok(asks)
                        }
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
            let prospect = self.prospect_of(&admission.identity, &request.client_id)?;
            match self.record(&admission, request, now)? {
                Recorded::Done => {
                    if let Some(learned) = learned {
                        self.remember(&admission, learned, place.address);
                    }
                    return Ok(Decided::Admitted(admission, prospect));
                }
                Recorded::Full => return Ok(refused(Reason::ClientIdLimit)),
                Recorded::Outdated => {}
            }
        }
        Ok(Decided::Refused(Reason::StoreBusy))
    }

    /// What is let in, where it is a person with what has to be written down while
    /// failures can't be: else whoever guesses would have no end of tries.
    fn counted(&self, mut admission: Admission) -> Admission {
        if self.crowd.is_uncounted && matches!(admission.identity, Identity::User { .. }) {
            admission.record.user.get_or_insert_default();
        }
        admission
    }

    /// Remembers the password that let somebody in, and has it hashed anew if it
    /// is hashed in another way than it should be.
    fn remember(&mut self, admission: &Admission, learned: &Learned, address: Option<&str>) {
        let identity = &admission.identity;
        let (Some(credential), Some(Proof::Secret(secret))) =
            (identity.credential(), identity.proof())
        else {
            return;
        };
        let Some(about) = learned.proves(credential.id, secret) else {
            return;
        };
        self.comparer.remember(about, secret, &learned.presented);
        let hash = credential
            .secrets
            .iter()
            .find(|stored| stored.id == secret)
            .and_then(|stored| match &stored.verifier {
                Verifier::Digest(_) => None,
                Verifier::Password(hash) => Some(hash),
            });
        let wanted = self.policy.settings.argon2;
        if let Some(old) = hash.filter(|hash| hash.params() != wanted) {
            let outdated = Outdated {
                secret,
                presented: Arc::clone(&learned.presented),
                old: old.clone(),
                wanted,
            };
            self.slow.rehash(outdated, Origin::of(address));
        }
    }

    /// Gives up what is kept in memory and changed in the store by now. Looks
    /// into the store only if anybody has committed anything since the last
    /// time.
    pub(crate) fn catch_up(&mut self) -> Result<Standing, StoreError> {
        // Before the look: what is committed after it is another state.
        let state = self.look_for_another_store()?;
        let before = self.caught_up.as_ref();
        if let Some(caught_up) = before.filter(|it| StoreState::is_the_same(it.state, state)) {
            return Ok(caught_up.standing);
        }
        let standing = self.store.standing()?;
        if before.is_none_or(|it| it.standing.last_change != standing.last_change) {
            self.caught_up = None;
            if let Some(outdated) = self.records.follow(&mut self.store)? {
                self.writer.note(Note::Outdated(Box::new(outdated)));
            }
            self.policy.refresh(&mut self.store)?;
        }
        // Not what the two found at their ends: they may differ, and what came
        // after this is looked at again.
        self.caught_up = Some(CaughtUp { state, standing });
        Ok(standing)
    }

    /// The state of the store. Forgets all that was found out in another one, if
    /// other files stand in its place by now.
    pub(crate) fn look_for_another_store(&mut self) -> Result<Option<StoreState>, StoreError> {
        let state = self.store.state()?;
        let openings = self.store.openings();
        if core::mem::replace(&mut self.openings, openings) != openings {
            self.caught_up = None;
            self.comparer.forget_all();
            self.write_presence_anew();
        }
        Ok(state)
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
        let login = Login {
            broker: self.setting.broker(),
            client_id: &request.client_id,
            username: proved.map(|(credential, _)| credential.name.as_str()),
            tenant: identity.tenant(),
            proved,
            record: admission.record,
        };
        if let Some((credential, _)) = proved {
            // Whatever comes of it, it is not what was looked up any more.
            self.records.forget(credential.id);
        }
        let recorded = self.store.record_login(&login, now)?;
        if admission.record.user.is_some() {
            self.crowd.is_uncounted = false;
        }
        Ok(recorded)
    }
}

/// How far what is kept in memory is up to date.
pub(crate) struct CaughtUp {
    /// The state of the store before it was looked at.
    state: Option<StoreState>,
    /// All that these logs tell of is worked off.
    standing: Standing,
}

/// What became of a CONNECT, committed.
pub(crate) enum Decided {
    Admitted(Admission, Prospect),
    /// A code is asked for.
    Challenged,
    /// Something must be found out first.
    Asks(Question),
    Refused(Reason),
}

const MOST_TRIES: usize = 3;
