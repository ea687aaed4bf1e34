//! What is new about a new credential, made as its scheme says.

use core::iter;
use std::collections::BTreeMap;

use super::accepted::shapes_of;
use super::{
    AuthType, DraftError, DraftSecret, GivenSecret, LimitedField, Naming, RandomSource, SERIAL,
    Scheme, SchemeClientIds, Schemes, TOKEN,
};
use crate::client_id::{ClientId, ClientIdRule};
use crate::name::{LoginName, Suffix, TenantId};

impl Scheme {
    /// Makes everything that is new about a credential of this scheme.
    ///
    /// What was made may be taken already. Where the name or the token was
    /// made and not given, the caller makes another draft then.
    ///
    /// # Errors
    ///
    /// Returns the first [`DraftError`], of the name before all others.
    pub fn draft(
        &self,
        request: &DraftRequest<'_>,
        known: &Schemes,
        random: &mut dyn RandomSource,
    ) -> Result<CredentialDraft, DraftError> {
        let named = self.draft_name(request, random)?;
        let mut attributes = request.attributes.clone();
        for filled in self.fills() {
            if let Some(value) = attributes.get(filled) {
                self.take_over_attribute(filled, value)?;
            }
        }
        // With `#SN#` the password is ignored, its length too.
        let given = match (&named.serial, request.secret) {
            (Some(_), GivenSecret::Chosen(_)) => GivenSecret::Made,
            (Some(_) | None, given) => given,
        };
        let secret = self.draft_secret(&named.name, given, known, random)?;
        let client_id = self.draft_client_id(request, random)?;
        if let Some(attribute) = self.name_attribute {
            attributes.insert(attribute.as_str().into(), one_level(named.entered)?);
        }
        if let Some(serial) = named.serial.filter(|serial| !serial.is_empty()) {
            attributes.insert(SERIAL.into(), one_level(serial)?);
        }
        if let Some(shape) = &self.token_shape
            && !attributes.contains_key(TOKEN)
        {
            attributes.insert(TOKEN.into(), shape.generate(random)?);
        }
        Ok(CredentialDraft {
            auth_type: self.auth_type(&named.name, matches!(secret, DraftSecret::Chosen)),
            name: named.name,
            client_id,
            secret,
            attributes,
        })
    }

    fn draft_name(
        &self,
        request: &DraftRequest<'_>,
        random: &mut dyn RandomSource,
    ) -> Result<DraftName, DraftError> {
        if let Some(given) = request.name {
            // Of what was given, `#SN#` included.
            LimitedField::Username.check_most(given.chars().count(), self.longest_name)?;
        }
        let takes_over = request.takes_over();
        let serial = |given: &str| given.strip_prefix(SERIAL_PREFIX).map(str::to_owned);
        match (&self.naming, request.name) {
            (Naming::Generated(shape), None) => DraftName::as_is(shape.generate(random)?, None),
            (Naming::Generated(shape), Some(given)) => {
                let folded = self.fold(given)?;
                let accepted = self.accepted.name.as_ref();
                let mut shapes = iter::once(shape).chain(accepted.filter(|_| takes_over));
                if !shapes.any(|shape| shape.matches(&folded)) {
                    return Err(DraftError::NameShape {
                        name: folded.into(),
                        shape: shape.clone(),
                    });
                }
                DraftName::as_is(folded, None)
            }
            (Naming::GivenOrSerial(shape), Some(given)) if given.starts_with(SERIAL_PREFIX) => {
                DraftName::as_is(shape.generate(random)?, serial(given))
            }
            (Naming::Given, Some(given)) if request.keeps_at && self.name_attribute.is_none() => {
                DraftName::with_at(self.fold(given)?, None)
            }
            (Naming::Given | Naming::GivenOrSerial(_), Some(given)) => {
                DraftName::as_is(self.fold(given)?, None)
            }
            (Naming::Suffixed, Some(given)) => {
                DraftName::suffixed(self.fold(given)?, request.tenant)
            }
            (Naming::Given | Naming::GivenOrSerial(_) | Naming::Suffixed, None) => {
                Err(DraftError::NameMissing {
                    scheme: self.name.clone(),
                })
            }
        }
    }

    fn fold(&self, given: &str) -> Result<String, DraftError> {
        let refused = |character| DraftError::NameFolding { character };
        self.folding.fold(given).map_err(refused)
    }

    fn draft_client_id(
        &self,
        request: &DraftRequest<'_>,
        random: &mut dyn RandomSource,
    ) -> Result<ClientIdRule, DraftError> {
        if let Some(rule) = request.client_id_rule {
            let accepted = self.accepted.client_id.as_ref();
            let accepted = accepted.filter(|_| request.takes_over());
            return if self.client_ids.admit_shaped(rule, accepted) {
                Ok(rule.clone())
            } else {
                Err(DraftError::ClientIdRule {
                    own: self.client_ids.as_str(),
                    scheme: self.name.clone(),
                })
            };
        }
        Ok(match &self.client_ids {
            SchemeClientIds::Any => ClientIdRule::Any,
            SchemeClientIds::Exact(shape) => {
                ClientIdRule::Exact(ClientId::parse(&shape.generate(random)?)?)
            }
            SchemeClientIds::FirstUse => ClientIdRule::FirstUse,
            SchemeClientIds::Prefix(shape) => {
                ClientIdRule::Prefix(ClientId::parse(&shape.generate(random)?)?)
            }
            SchemeClientIds::SameAsSecret => ClientIdRule::SameAsSecret,
            SchemeClientIds::SameAsUsername => ClientIdRule::SameAsUsername,
        })
    }

    /// Says whether it takes over tokens of this value, beside those that it makes.
    #[must_use]
    pub fn takes_over_token(&self, value: &str) -> bool {
        let accepted = self.accepted.token.as_ref();
        accepted.is_some_and(|shape| shape.matches(value))
    }

    /// Takes a value of an attribute that the scheme fills.
    fn take_over_attribute(
        &self,
        attribute: &'static str,
        value: &str,
    ) -> Result<String, DraftError> {
        match (attribute, &self.token_shape, &self.naming) {
            (TOKEN, Some(made), _) => {
                let shapes = || iter::once(made).chain(&self.accepted.token);
                if shapes().any(|shape| shape.matches(value)) {
                    return Ok(value.into());
                }
                Err(DraftError::AttributeShape {
                    attribute,
                    value: value.into(),
                    shapes: shapes_of(shapes()),
                })
            }
            (SERIAL, _, Naming::GivenOrSerial(_)) => one_level(value.into()),
            // What keeps the name is the name.
            _ => Err(DraftError::AttributeFilled {
                attribute,
                scheme: self.name.clone(),
            }),
        }
    }
}

/// What is known of a credential that is to be made.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct DraftRequest<'a> {
    /// Its tenant.
    pub tenant: &'a TenantId,
    /// The entered name.
    pub name: Option<&'a str>,
    /// Whether a name that is given, and taken as it is, may hold `@`.
    pub keeps_at: bool,
    /// The secret that it is to have.
    pub secret: GivenSecret<'a>,
    /// The rule for its client ids.
    pub client_id_rule: Option<&'a ClientIdRule>,
    /// The attributes that were set by hand. Of those that the scheme fills, the
    /// values were given out elsewhere.
    pub attributes: &'a BTreeMap<String, String>,
}

impl DraftRequest<'_> {
    /// Says whether the credential was given out elsewhere, under a name and a client
    /// id of the form that they have there.
    fn takes_over(&self) -> bool {
        matches!(self.secret, GivenSecret::TakenOver { .. })
    }
}

/// What is new about a new credential.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CredentialDraft {
    /// Its name: the login name, unless the scheme requires a token login.
    pub name: LoginName,
    /// Which client ids it may connect with.
    pub client_id: ClientIdRule,
    /// Its secret.
    pub secret: DraftSecret,
    /// What was set by hand, and what the scheme filled.
    pub attributes: BTreeMap<String, String>,
    /// What its name and secret came from, if its scheme tells that.
    pub auth_type: Option<AuthType>,
}

/// A name, and what it was made from.
struct DraftName {
    name: LoginName,
    /// What was entered, folded, or made in its place.
    entered: String,
    /// What stood behind `#SN#`.
    serial: Option<String>,
}

impl DraftName {
    fn as_is(entered: String, serial: Option<String>) -> Result<Self, DraftError> {
        let named = Self::with_at(entered, serial)?;
        if named.entered.contains('@') {
            return Err(DraftError::NameAt { name: named.name });
        }
        Ok(named)
    }

    /// The same of a name that may hold `@`.
    fn with_at(entered: String, serial: Option<String>) -> Result<Self, DraftError> {
        Ok(Self {
            name: device_name(&entered)?,
            entered,
            serial,
        })
    }

    /// The whole name may be given, too, as all other commands take it.
    fn suffixed(mut entered: String, tenant: &TenantId) -> Result<Self, DraftError> {
        let name = device_name(&entered)?;
        match (name.suffix(), entered.rsplit_once('@')) {
            (Suffix::Tenant(own), Some((before, _))) if own == *tenant => {
                entered = before.to_owned();
                device_name(&entered)?;
            }
            (Suffix::Email | Suffix::None | Suffix::Tenant(_) | Suffix::Unknown, _) => {}
        }
        Ok(Self {
            name: device_name(&format!("{entered}@{tenant}"))?,
            entered,
            serial: None,
        })
    }
}

fn device_name(text: &str) -> Result<LoginName, DraftError> {
    LoginName::parse_device(text).map_err(|why| DraftError::Name {
        text: text.into(),
        why,
    })
}

/// Takes a text that rules can put into a level of topics: it is made of what
/// a name is made of, and of one piece.
fn one_level(text: String) -> Result<String, DraftError> {
    device_name(&text)?;
    if text.contains('/') {
        return Err(DraftError::NoLevel { text: text.into() });
    }
    Ok(text)
}

/// How a name begins that asks for a made one.
const SERIAL_PREFIX: &str = "#SN#";
