//! What users do with what is their own: password, second factor, web sessions. Their
//! API tokens are among [those of all](crate::api_token).

use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::secret::Secret;
use countersign_core::store::Intent;
use countersign_core::web_session::{WebSession, WebSessionId};
use serde_json::json;

use crate::caller::{Permission, SignedInUser};
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::password::ChosenPassword;
use crate::secret::NewSecret;
use crate::sign_in::FreshProof;
use crate::user::{self, Enrolment, ShownUser};

/// Shows the user who asks.
#[derive(Clone, Copy, Debug)]
pub struct ShowMe;

impl Command for ShowMe {
    type Output = ShownUser;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let (_, user) = me(tx)?;
        Ok(ShownUser::of(tx, user)?)
    }
}

/// Replaces the password of the user who asks, once they proved that they know the old
/// one. All of their sessions end, at brokers and at the service.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ChangeOwnPassword {
    proof: FreshProof,
    password: NewSecret,
}

impl ChangeOwnPassword {
    /// Replaces the password by another.
    #[must_use]
    pub fn new(proof: FreshProof, password: ChosenPassword) -> Self {
        Self {
            proof,
            password: NewSecret::Chosen(password),
        }
    }
}

impl Command for ChangeOwnPassword {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.password.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let name = proved(tx, self.proof)?;
        user::reset_password(tx, &name, &self.password)
    }
}

/// Makes a second factor for the user who asks, once they proved that they know their
/// password.
#[derive(Clone, Copy, Debug)]
pub struct EnrolOwnSecondFactor(pub FreshProof);

impl Command for EnrolOwnSecondFactor {
    type Output = Enrolment;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Enrolment, AdminError> {
        let name = proved(tx, self.0)?;
        user::enrol(tx, &name)
    }
}

/// Confirms the second factor of the user who asks by one of its codes. Their web
/// sessions end: from now on a login needs a code.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ConfirmOwnSecondFactor(pub Secret);

impl Command for ConfirmOwnSecondFactor {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let (_, user) = me(tx)?;
        user::confirm(tx, &user.name, &self.0)
    }
}

/// Takes the second factor of the user who asks away, once they proved that they have
/// it. Their web sessions end.
#[derive(Clone, Copy, Debug)]
pub struct DisableOwnSecondFactor(pub FreshProof);

impl Command for DisableOwnSecondFactor {
    type Output = ShownUser;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownUser, AdminError> {
        let name = proved(tx, self.0)?;
        user::disable(tx, &name)
    }
}

/// A web session of the user who asks.
#[derive(Clone, Debug)]
pub struct ShownWebSession {
    /// What is kept of it.
    pub session: WebSession,
    /// Whether it is the one that asks.
    pub is_current: bool,
}

/// Lists the web sessions of the user who asks, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct ListOwnWebSessions;

impl Command for ListOwnWebSessions {
    type Output = Vec<ShownWebSession>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<ShownWebSession>, AdminError> {
        let (signed_in, user) = me(tx)?;
        let now = tx.now;
        let mut own = tx.web_sessions_of(user.id)?;
        own.retain(|it| it.is_alive(now) && it.generation == user.generation);
        let shown = own.into_iter().map(|session| ShownWebSession {
            is_current: signed_in.session == Some(session.id),
            session,
        });
        Ok(shown.collect())
    }
}

/// Ends a web session of the user who asks: the one that asks, or another.
#[derive(Clone, Copy, Debug)]
pub struct EndOwnWebSession(pub WebSessionId);

impl Command for EndOwnWebSession {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let (_, user) = me(tx)?;
        let own = tx.web_session(self.0)?.filter(|it| it.user == user.id);
        let Some(own) = own else {
            let WebSessionId(id) = self.0;
            let message = format!("you have no web session `{id}`");
            let subject = Subject::new(Noun::WebSession, id);
            return Err(AdminError::new(ErrorKind::NotFound, subject, message));
        };
        tx.remove_web_session(own.id)?;
        let (before, after) = (None::<&()>, None::<&()>);
        tx.record("user.sign-out", user.name.as_str(), before, after);
        Ok(())
    }
}

/// Has the web session that asks work in another tenant from now on, and no other session
/// of its user. It gives no right: what may be done there is asked with each command.
#[derive(Clone, Debug)]
pub struct SwitchTenant(pub TenantId);

impl Command for SwitchTenant {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let (signed_in, user) = me(tx)?;
        let Some(session) = signed_in.session else {
            let subject = Subject::nameless(Noun::WebSession);
            let message = "a request by itself has no session that could switch";
            return Err(AdminError::new(ErrorKind::Invalid, subject, message));
        };
        let before = tx.web_session(session)?.and_then(|it| it.tenant);
        if before.as_ref() == Some(&self.0) {
            return Ok(());
        }
        tx.switch_web_session(session, &self.0)?;
        let works_in = |tenant: &TenantId| json!({ "works_in": tenant.as_str() });
        let (before, after) = (before.as_ref().map(works_in), works_in(&self.0));
        let name = user.name.as_str();
        tx.record("user.switch", name, before.as_ref(), Some(&after));
        Ok(())
    }
}

/// The user who asks.
fn me(tx: &mut Tx<'_>) -> Result<(SignedInUser, Credential), AdminError> {
    let signed_in = tx.caller.authority.own()?;
    let user = tx.credential_by_id(signed_in.id)?;
    let user = user.filter(|user| user.kind.user().is_some());
    let user = user.ok_or_else(not_proved)?;
    Ok((signed_in, user))
}

/// The name of the user who asks, if it is the one who proved who they are.
fn proved(tx: &mut Tx<'_>, proof: FreshProof) -> Result<LoginName, AdminError> {
    let (_, user) = me(tx)?;
    let FreshProof {
        user: proved,
        generation,
    } = proof;
    if (user.id, user.generation) == (proved, generation) {
        return Ok(user.name);
    }
    Err(not_proved())
}

fn not_proved() -> AdminError {
    let subject = Subject::nameless(Noun::Caller);
    let message = "the password was proved for another user, or before it changed";
    AdminError::new(ErrorKind::Forbidden, subject, message)
}

#[cfg(test)]
mod tests;
