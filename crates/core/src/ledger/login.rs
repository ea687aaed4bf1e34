//! What a login changes permanently, committed before the client is answered.

use super::{Durability, Ledger, LedgerTransaction, Pace, client_ids};
use crate::audit::{AuditChain, AuditEntry};
use crate::change::Change;
use crate::connect::{LoginRecord, Proof, SessionChange, UserLogin};
use crate::credential::{Credential, CredentialId};
use crate::lifecycle::{Act, State};
use crate::name::TenantId;
use crate::store::rows::{
    AuditRows as _, ChangeRows as _, CredentialRows as _, CredentialUse, UserRows as _,
};
use crate::store::{LoginEffects, Recorded, StoreError};
use crate::time::Timestamp;

pub(super) fn record(
    ledger: &mut impl Ledger,
    login: &LoginEffects<'_>,
    now: Timestamp,
) -> Result<Recorded, StoreError> {
    let mut writing = ledger.begin_writing("record a login", Pace::Host)?;
    let changed = ChangedUser::of(login);
    if let Some(changed) = &changed
        && !change_credential(&mut writing, changed, now)?
    {
        return Ok(Recorded::Outdated);
    }
    let recorded = client_ids::change(&mut writing, login, now)?;
    match recorded {
        Recorded::Done | Recorded::Arriving => {}
        Recorded::Full | Recorded::Outdated => return Ok(recorded),
    }
    let actor = format!("broker:{}", login.broker);
    let entries = changed.map_or_else(Vec::new, |changed| changed.entries(&actor, now));
    if !entries.is_empty() {
        writing.append_audit(AuditChain::Acts, &entries)?;
    }
    for change in changes(login) {
        writing.append_change(now, &change)?;
    }
    writing.commit_surviving(durability(login.proved.is_some(), &login.record))?;
    Ok(recorded)
}

pub(super) fn move_user(
    ledger: &mut impl Ledger,
    user: CredentialId,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    let action = "move a user";
    let mut writing = ledger.begin_writing(action, Pace::Host)?;
    let found = writing.credential_by_id(user)?;
    if found
        .as_ref()
        .and_then(|credential| credential.kind.user())
        .and_then(|user| user.grant_in(tenant))
        .is_none()
    {
        return Err(StoreError::gone(action, "the grant"));
    }
    writing.put_last_tenant(user, tenant)?;
    writing.commit_surviving(Durability::Kill)
}

/// What a login must survive: a client id that was given away is the
/// principal's, and a code that was accepted is used up.
fn durability(is_proved: bool, record: &LoginRecord) -> Durability {
    let changes_for_good =
        record.ties.is_some() || record.session == SessionChange::Taken || record.user.is_some();
    if is_proved && changes_for_good {
        Durability::PowerFailure
    } else {
        Durability::Kill
    }
}

/// What a login changes of a credential.
pub(super) struct ChangedUser<'a> {
    /// The credential, as it was looked up.
    pub(super) credential: &'a Credential,
    /// What proved it.
    pub(super) proof: Proof<'a>,
    /// What changes.
    pub(super) record: &'a LoginRecord,
    /// The tenant whose topics a session uses.
    pub(super) tenant: Option<&'a TenantId>,
    /// Whether a user's lock does not count; it stays then.
    pub(super) passes_lock: bool,
}

impl<'a> ChangedUser<'a> {
    fn of(login: &'a LoginEffects<'a>) -> Option<Self> {
        let (credential, proof) = login.proved?;
        Some(Self {
            credential,
            proof,
            record: &login.record,
            tenant: login.tenant,
            passes_lock: false,
        })
    }

    /// What the audit says.
    pub(super) fn entries(&self, actor: &str, now: Timestamp) -> Vec<AuditEntry> {
        let Self {
            credential, record, ..
        } = self;
        let entry = |act: &str| AuditEntry::done(now, actor, act, credential.name.as_str());
        let mut entries = Vec::new();
        if record.activates {
            let as_json = |state: State| Some(format!(r#"{{"state":"{state}"}}"#));
            entries.push(AuditEntry {
                before: as_json(credential.state),
                after: as_json(State::Active),
                ..entry("credential.activate")
            });
        }
        if record.ties.is_some() {
            entries.push(entry("credential.tie"));
        }
        if record.retires_older_secrets {
            entries.push(entry("credential.retire-secret"));
        }
        if record.user.is_some_and(|user| user.recovery.is_some()) {
            entries.push(entry("user.use-recovery-code"));
        }
        entries
    }
}

/// Writes what changes of the credential; says whether it still was what the
/// login was decided on.
pub(super) fn change_credential(
    writing: &mut impl LedgerTransaction,
    login: &ChangedUser<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let (credential, proof, record) = (login.credential, login.proof, login.record);
    if !proves(writing, credential, proof, now)? {
        return Ok(false);
    }
    let Ok(used) = credential.state.after(Act::Authenticate) else {
        return Ok(false);
    };
    let change = CredentialUse {
        state: if record.activates {
            used
        } else {
            credential.state
        },
        activates: record.activates,
        ties: record.ties,
        at: now,
    };
    if !writing.use_credential(credential, &change)? {
        return Ok(false);
    }
    if let (true, Proof::Secret(secret)) = (record.retires_older_secrets, proof) {
        writing.retire_older_secrets(owner_of_secrets(credential), secret)?;
    }
    match record.user {
        Some(change) => change_user(writing, login, change, now),
        None => Ok(true),
    }
}

/// Writes what changes of a user; says whether it still may. No user logs in who
/// was locked out meanwhile. A code is accepted once: not if one of its step or a
/// later one was accepted meanwhile, nor if the recovery code is used up.
fn change_user(
    writing: &mut impl LedgerTransaction,
    login: &ChangedUser<'_>,
    change: UserLogin,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let credential = login.credential;
    let is_locked = writing.lockout(&credential.name)?.is_locked(now);
    if is_locked && !login.passes_lock {
        return Ok(false);
    }
    if let Some(step) = change.step
        && !writing.use_step(credential.id, step)?
    {
        return Ok(false);
    }
    if let Some(code) = change.recovery
        && !writing.remove_recovery_code(credential.id, code)?
    {
        return Ok(false);
    }
    if let Some(tenant) = login.tenant {
        writing.put_last_tenant(credential.id, tenant)?;
    }
    if !is_locked {
        writing.clear_lockout(&credential.name)?;
    }
    Ok(true)
}

/// Says whether what proved a credential still does.
fn proves(
    writing: &mut impl LedgerTransaction,
    credential: &Credential,
    proof: Proof<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    match proof {
        Proof::Authority(id) => {
            let authority = writing.authority(id)?;
            Ok(authority.is_some_and(|it| credential.tenant == Some(it.tenant)))
        }
        Proof::Issued(token) => {
            let issuer = writing.issuer(token.issuer)?;
            let is_revoked = match &token.token_id {
                Some(id) => writing.is_issued_token_revoked(token.issuer, id)?,
                None => false,
            };
            let tenant = credential.tenant.as_ref();
            Ok(token
                .admits(issuer.as_ref(), is_revoked, tenant, now)
                .is_ok())
        }
        Proof::Certificate(fingerprint) => {
            let record = writing.certificate(&fingerprint)?;
            Ok(record.is_some_and(|record| {
                let is_over = record.until.is_some_and(|until| now >= until);
                record.credential == credential.id && !is_over
            }))
        }
        Proof::Secret(secret) => writing.has_secret(owner_of_secrets(credential), secret),
        Proof::Token(id) => {
            let Some(token) = writing.token(id)? else {
                return Ok(false);
            };
            let key = writing.token_key(&token.key)?;
            Ok(token.bearer == credential.id
                && token.revoked_at.is_none()
                && key.is_some_and(|key| key.is_usable(now)))
        }
    }
}

/// Whose a credential's secrets are.
fn owner_of_secrets(credential: &Credential) -> CredentialId {
    credential.parent().unwrap_or(credential.id)
}

/// What other sessions of the credential may have to end for.
fn changes(login: &LoginEffects<'_>) -> Vec<Change> {
    let Some((credential, _)) = login.proved else {
        return Vec::new();
    };
    let record = &login.record;
    let mut changed = Vec::new();
    if record.ties.is_some() {
        changed.push(credential.id);
    }
    let owner = owner_of_secrets(credential);
    if record.retires_older_secrets && !changed.contains(&owner) {
        changed.push(owner);
    }
    changed.into_iter().map(Change::Credential).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_id::ClientIdTie;

    #[test]
    fn what_a_power_failure_must_not_undo_is_synced_and_nothing_else() {
        let nothing = LoginRecord::default();
        let with = |session| LoginRecord { session, ..nothing };
        let tied = LoginRecord {
            ties: Some(ClientIdTie::of("c")),
            ..nothing
        };
        let user = LoginRecord {
            user: Some(UserLogin::default()),
            ..nothing
        };
        for (is_proved, record, is_synced) in [
            (false, with(SessionChange::Taken), false),
            (false, with(SessionChange::Dropped), false),
            (true, nothing, false),
            (true, with(SessionChange::Taken), true),
            (true, with(SessionChange::Dropped), false),
            (true, tied, true),
            (true, user, true),
        ] {
            let survives = durability(is_proved, &record);
            assert_eq!(
                survives == Durability::PowerFailure,
                is_synced,
                "{record:?}"
            );
        }
    }
}
