//! Making credentials.

use std::collections::BTreeMap;

use countersign_core::change::Change;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId, Generation, check_attribute};
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::store::{AdminStore, AdminTransaction, Intent};
use countersign_core::time::Timestamp;

use super::{CredentialError, Issued, client_ids, exists, find};
use crate::context::Context;
use crate::password::NewSecret;
use crate::tenant;
use crate::text::Text;
use crate::view::CredentialTrace;

/// A credential of the scheme `basic` to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct NewCredential {
    /// The entered name, which becomes `name@tenant`. It may hold `@`.
    pub name: String,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its secret.
    pub secret: NewSecret,
    /// Which client ids it may connect with.
    pub client_id_rule: ClientIdRule,
    /// The group it is sorted under.
    pub group: Option<GroupPath>,
    /// Free text for people.
    pub description: Option<Text>,
    /// Values for rules and for people; an empty one counts as none.
    pub attributes: BTreeMap<String, String>,
    /// From when on it may be used.
    pub not_before: Option<Timestamp>,
    /// From when on it may no longer be used.
    pub expires_at: Option<Timestamp>,
    /// Whether a certificate or PSK listener may vouch for it.
    pub external_identity: bool,
}

/// Makes a credential.
///
/// # Errors
///
/// Returns [`CredentialError`] when the name is taken or no name, when there
/// is no such tenant, when what is asked for makes no sense together, or when
/// the store can't be written; nothing changed then.
pub fn create<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    new: NewCredential,
) -> Result<Issued, CredentialError> {
    let name = whole_name(&new.name, &new.tenant)?;
    let draft = Draft {
        tenant: &new.tenant,
        credential: blank(name, &new, context.now)?,
    };
    // What can be refused is refused before a password is hashed.
    let params = {
        let mut transaction = store.begin(Intent::Read)?;
        draft.check(&mut transaction)?;
        transaction.settings()?.argon2
    };
    let secret = new.secret.prepare(context, params)?;

    let mut transaction = store.begin(Intent::Write)?;
    draft.check(&mut transaction)?;
    let name = &draft.credential.name;
    let id = transaction
        .add_credential(&draft.credential)
        .map_err(|error| exists(error, name))?;
    transaction.add_secret(id, &secret.verifier)?;
    let credential = find(&mut transaction, name)?;
    let after = CredentialTrace::of(&credential);
    let row = context.audit(
        "credential.create",
        name.as_str(),
        None::<&CredentialTrace>,
        Some(&after),
    );
    transaction.commit(&[row], &[Change::Credential(id)])?;
    Ok(Issued {
        credential,
        secret: secret.shown_once,
        old_secret_until: None,
    })
}

/// A credential that is not stored yet.
struct Draft<'a> {
    tenant: &'a TenantId,
    credential: Credential,
}

impl Draft<'_> {
    /// Checks what the store has against it.
    fn check<T: AdminTransaction>(&self, transaction: &mut T) -> Result<(), CredentialError> {
        let tenant = tenant::find(transaction, self.tenant)?;
        client_ids::check(&self.credential, &tenant, &transaction.tenants()?)?;
        match transaction.credential(&self.credential.name)? {
            Some(taken) => Err(CredentialError::Exists { name: taken.name }),
            None => Ok(()),
        }
    }
}

fn blank(
    name: LoginName,
    new: &NewCredential,
    now: Timestamp,
) -> Result<Credential, CredentialError> {
    for (key, value) in &new.attributes {
        check_attribute(key, value)?;
    }
    if let (Some(start), Some(end)) = (new.not_before, new.expires_at)
        && start >= end
    {
        return Err(CredentialError::Dates { name });
    }
    Ok(Credential {
        id: CredentialId(0),
        name,
        tenant: Some(new.tenant.clone()),
        scheme: SCHEME.into(),
        state: State::Inactive,
        ever_used: false,
        generation: Generation::FIRST,
        group: new.group.clone(),
        description: new.description.clone().and_then(Text::into_filled),
        client_id_rule: new.client_id_rule.clone(),
        client_id_tie: None,
        external_identity: new.external_identity,
        not_before: new.not_before,
        expires_at: new.expires_at,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        revoked_reason: None,
        secrets: Vec::new(),
        roles: Vec::new(),
        attributes: filled(&new.attributes),
    })
}

fn filled(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut attributes = attributes.clone();
    attributes.retain(|_, value| !value.is_empty());
    attributes
}

/// The login name that an entered name becomes.
fn whole_name(entered: &str, tenant: &TenantId) -> Result<LoginName, CredentialError> {
    let refused = |text: &str, why| CredentialError::Name {
        text: text.into(),
        why,
    };
    LoginName::parse_device(entered).map_err(|why| refused(entered, why))?;
    let whole = format!("{entered}@{tenant}");
    LoginName::parse_device(&whole).map_err(|why| refused(&whole, why))
}

/// The one scheme there is.
pub(crate) const SCHEME: &str = "basic";
