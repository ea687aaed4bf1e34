//! Deciding about a CONNECT with what the store holds now, and committing what
//! the decision changes.

use countersign_core::connect::{Admission, Circumstances, Decision, Request, decide};
use countersign_core::options::Chain;
use countersign_core::reason::Reason;
use countersign_core::store::{GateStore, Login, Recorded, Standing, StoreError, StoreState};
use countersign_core::time::Timestamp;

use crate::compare::{Comparison, Learned, Question};
use crate::gate::{Gate, Place};
use crate::people::Prospect;
use crate::records::Known;
use crate::session::Session;
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
        let live_holders: Vec<_> = self
            .sessions
            .live(request.client_id.as_str())
            .filter_map(Session::credential)
            .collect();
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
            let mut comparison = Comparison::new(&mut self.comparer, learned, leaves_unknown);
            let mut directory = Known {
                store: &mut self.store,
                records: &mut self.records,
                policy: &self.policy,
                standing,
            };
            let admission = match decide(request, &at, &mut directory, &mut comparison)? {
                Decision::Admit(admission) => admission,
                Decision::Refuse(reason) => return Ok(Decided::Refused(reason)),
                Decision::Fail(failure) => {
                    let address = place.address;
                    return Ok(Decided::Refused(self.fail(&failure, address, now)?));
                }
                Decision::Challenge => return Ok(Decided::Challenged),
                Decision::Register(registration) => match self.register(&registration, now)? {
                    Ok(()) => continue,
                    Err(reason) => return Ok(Decided::Refused(reason)),
                },
                Decision::Wait => {
                    let question = comparison.question();
                    return Ok(question.map_or(Decided::Refused(Reason::OverBudget), Decided::Asks));
                }
            };
            // All that can fail comes before what is committed.
            let prospect = self.prospect_of(&admission.identity, request.client_id.as_str())?;
            if self.record(&admission, request, now)? {
                return Ok(Decided::Admitted(admission, prospect));
            }
        }
        Ok(Decided::Refused(Reason::StoreBusy))
    }

    /// Gives up what is kept in memory and changed in the store by now. Looks
    /// into the store only if anybody has committed anything since the last
    /// time.
    pub(crate) fn catch_up(&mut self) -> Result<Standing, StoreError> {
        // Before the look: what is committed after it is another state.
        let state = self.store.state()?;
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

    /// Commits what a login changes; says whether the credential still was
    /// what was looked up.
    fn record(
        &mut self,
        admission: &Admission,
        request: &Request,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if admission.record.is_empty() {
            return Ok(true);
        }
        let identity = &admission.identity;
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
        Ok(match self.store.record_login(&login, now)? {
            Recorded::Done => true,
            Recorded::Outdated => false,
        })
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
