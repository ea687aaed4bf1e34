//! What followers say of the use of credentials.

use super::{Judge, Verdict, refuse};
use crate::audit::{AuditChain, AuditEntry};
use crate::change::Change;
use crate::client_id::{ClientIdRule, ClientIdTie};
use crate::credential::Credential;
use crate::hand_back::tie_of;
use crate::ledger::LedgerTransaction;
use crate::lifecycle::State;
use crate::reason::Reason;
use crate::secret::SecretId;
use crate::store::StoreError;
use crate::store::rows::CredentialUse;
use crate::time::Timestamp;
use crate::totp::Step;
use crate::user::User;

impl Judge<'_> {
    /// A first use: Inactive becomes Active, and nothing else does.
    pub(super) fn activated(
        &self,
        writing: &mut impl LedgerTransaction,
        found: &Credential,
        at: Timestamp,
    ) -> Verdict {
        match found.state {
            State::Active => return Ok(Ok(())),
            State::Inactive => {}
            State::Revoked => return refuse(found, Reason::Revoked),
            State::Suspended => return refuse(found, Reason::Suspended),
        }
        let change = CredentialUse {
            state: State::Active,
            activates: true,
            ties: None,
            at,
        };
        if writing.use_credential(found, &change)? {
            let as_json = |state: State| Some(format!(r#"{{"state":"{state}"}}"#));
            let entry = AuditEntry {
                before: as_json(found.state),
                after: as_json(State::Active),
                ..self.done("credential.activate", found)
            };
            writing.append_audit(AuditChain::Acts, &[entry])?;
        }
        Ok(Ok(()))
    }

    /// A tie to the client id of the first use, of what is not tied. Who comes first has
    /// won.
    pub(super) fn tied(
        &self,
        writing: &mut impl LedgerTransaction,
        found: &Credential,
        generation: i64,
        client_id: &str,
        at: Timestamp,
    ) -> Verdict {
        let Some(tie) = tie_of(client_id) else {
            return refuse(found, Reason::Malformed);
        };
        if found.client_id_tie == Some(tie) {
            return Ok(Ok(()));
        }
        if let Some(cause) = self.obstacle(writing, found, generation, &tie)? {
            return refuse(found, cause);
        }
        let change = CredentialUse {
            state: found.state,
            activates: false,
            ties: Some(tie),
            at,
        };
        if !writing.use_credential(found, &change)? {
            return refuse(found, Reason::ClientIdMismatch);
        }
        let entry = self.done("credential.tie", found);
        writing.append_audit(AuditChain::Acts, &[entry])?;
        writing.append_change(self.now, &Change::Credential(found.id))?;
        Ok(Ok(()))
    }

    /// Why a credential can't be tied.
    fn obstacle(
        &self,
        writing: &mut impl LedgerTransaction,
        found: &Credential,
        generation: i64,
        tie: &ClientIdTie,
    ) -> Result<Option<Reason>, StoreError> {
        match found.state {
            State::Active | State::Inactive => {}
            State::Revoked => return Ok(Some(Reason::Revoked)),
            State::Suspended => return Ok(Some(Reason::Suspended)),
        }
        let is_wanted = found.client_id_rule == ClientIdRule::FirstUse;
        if !is_wanted || found.client_id_tie.is_some() || found.generation.0 != generation {
            return Ok(Some(Reason::ClientIdMismatch));
        }
        let is_anothers = writing.is_bound_to_another(tie, Some(found.id))?;
        Ok(is_anothers.then_some(Reason::ClientIdOwned))
    }

    /// A code that was accepted: no login takes it, or an earlier one, any more. One that no
    /// login would take yet is refused, for a user could be kept out by it.
    pub(super) fn code_used(
        &self,
        writing: &mut impl LedgerTransaction,
        found: &Credential,
        step: Step,
    ) -> Verdict {
        let factor = found.kind.user().and_then(User::required_factor);
        if factor.is_none() {
            return refuse(found, Reason::Malformed);
        }
        if step > Step::at(self.now).next() {
            return refuse(found, Reason::NotYetValid);
        }
        writing.use_step(found.id, step)?;
        Ok(Ok(()))
    }

    /// The end of a secret that was to count until a newer one is used.
    pub(super) fn retired(
        &self,
        writing: &mut impl LedgerTransaction,
        found: &Credential,
        secret: SecretId,
    ) -> Verdict {
        let mut newest_first = found.secrets.iter();
        let Some(place) = newest_first.position(|it| it.id == secret) else {
            // It ended before, or is none of this credential's.
            return Ok(Ok(()));
        };
        let ends = found.secrets.get(place).is_some_and(|it| it.until_used);
        if place == 0 || !ends {
            return refuse(found, Reason::Malformed);
        }
        writing.remove_secret(secret)?;
        let entry = self.done("credential.retire-secret", found);
        writing.append_audit(AuditChain::Acts, &[entry])?;
        writing.append_change(self.now, &Change::Credential(found.id))?;
        Ok(Ok(()))
    }
}
