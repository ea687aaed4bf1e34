//! Credentials: a login name with its secrets, state, binding and attributes.

use core::fmt;
use std::collections::BTreeMap;

use crate::client_id::{ClientId, ClientIdRule, ClientIdTie};
use crate::given::Given;
use crate::kind::Kind;
use crate::lifecycle::State;
use crate::limit::UseLimits;
use crate::name::{GroupPath, LoginName, TenantId};
use crate::reason::Reason;
use crate::role::RoleName;
use crate::rule::Rule;
use crate::scheme::SchemeName;
use crate::secret::{SecretId, StoredSecret, Verifier};
use crate::time::Timestamp;
use crate::user::Grant;

/// The number of a credential in its store; never used again for another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CredentialId(pub i64);

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Grows whenever what was given out before must stop working.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Generation(pub i64);

impl Generation {
    /// The generation of a new credential.
    pub const FIRST: Self = Self(1);

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A credential as it is stored.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its number.
    pub id: CredentialId,
    /// The whole login name: `dev1@acme`.
    pub name: LoginName,
    /// What it stands for.
    pub kind: Kind,
    /// Its tenant; none for an operator, who stands outside of all, and for a
    /// user, whose sessions have one each.
    pub tenant: Option<TenantId>,
    /// The scheme it was made by.
    pub scheme: SchemeName,
    /// Where it stands in its life.
    pub state: State,
    /// Whether any client ever authenticated with it.
    pub ever_used: bool,
    /// Its generation.
    pub generation: Generation,
    /// The groups it is in, in the order in which it joined them; at most
    /// [`MOST_GROUPS`], each once.
    pub groups: Vec<GroupPath>,
    /// Free text for people.
    pub description: Option<String>,
    /// Which client ids it may connect with.
    pub client_id_rule: ClientIdRule,
    /// The client id it was first used with, where the rule asks for that.
    pub client_id_tie: Option<ClientIdTie>,
    /// Whether a certificate or PSK listener may vouch for it.
    pub external_identity: bool,
    /// From when on it may be used.
    pub not_before: Option<Timestamp>,
    /// From when on it may no longer be used.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an act last changed it.
    pub updated_at: Timestamp,
    /// When a client last authenticated with it.
    pub last_used_at: Option<Timestamp>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// The at most two secrets that it accepts, newest first.
    pub secrets: Vec<StoredSecret>,
    /// The roles it holds in its tenant.
    pub roles: Vec<RoleName>,
    /// Rules of its own.
    pub rules: Vec<Rule>,
    /// What all its sessions together may, on each broker.
    pub limits: UseLimits,
    /// Values for rules and for people.
    pub attributes: BTreeMap<String, String>,
}

impl Credential {
    /// A credential that was never used and holds nothing yet; any client id will
    /// do. The store gives it its id.
    #[must_use]
    pub fn new(
        name: LoginName,
        kind: Kind,
        tenant: Option<TenantId>,
        scheme: SchemeName,
        now: Timestamp,
    ) -> Self {
        Self {
            id: CredentialId(0),
            name,
            kind,
            tenant,
            scheme,
            state: State::Inactive,
            ever_used: false,
            generation: Generation::FIRST,
            groups: Vec::new(),
            description: None,
            client_id_rule: ClientIdRule::Any,
            client_id_tie: None,
            external_identity: false,
            not_before: None,
            expires_at: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
            revoked_reason: None,
            secrets: Vec::new(),
            roles: Vec::new(),
            rules: Vec::new(),
            limits: UseLimits::default(),
            attributes: BTreeMap::new(),
        }
    }

    /// Of the groups that it is in, the one that it joined first.
    #[must_use]
    pub fn group(&self) -> Option<&GroupPath> {
        self.groups.first()
    }

    /// Puts it into a group, if it is not in it.
    ///
    /// # Errors
    ///
    /// Returns [`TooManyGroupsError`] when it is in [`MOST_GROUPS`] others.
    pub fn join(&mut self, group: &GroupPath) -> Result<(), TooManyGroupsError> {
        if self.groups.contains(group) {
            return Ok(());
        }
        if self.groups.len() >= MOST_GROUPS {
            return Err(TooManyGroupsError);
        }
        self.groups.push(group.clone());
        Ok(())
    }

    /// Takes it out of a group; says whether it was in it.
    pub fn leave(&mut self, group: &GroupPath) -> bool {
        let before = self.groups.len();
        self.groups.retain(|own| own != group);
        self.groups.len() < before
    }

    /// Says whether a client that proved the secret `secret` may use this
    /// credential at `now` under `client_id`, and why not.
    ///
    /// A login and a live session are judged by the same words: this is where
    /// both ask.
    ///
    /// # Errors
    ///
    /// Returns the first [`Reason`] of the order state, dates, secret, client
    /// id.
    pub fn admits(
        &self,
        secret: SecretId,
        client_id: &ClientId,
        now: Timestamp,
    ) -> Result<(), Reason> {
        self.is_in_force(now)?;
        let proved = |stored: &&StoredSecret| stored.id == secret && stored.is_usable(now);
        let Some(stored) = self.secrets.iter().find(proved) else {
            return Err(Reason::BadSecret);
        };
        self.keeps_client_id_rule(client_id, Some(&stored.verifier))
    }

    fn keeps_client_id_rule(
        &self,
        client_id: &ClientId,
        secret: Option<&Verifier>,
    ) -> Result<(), Reason> {
        let rule = &self.client_id_rule;
        if rule.admits(client_id, self.name.as_str(), self.client_id_tie, secret) {
            Ok(())
        } else {
            Err(Reason::ClientIdMismatch)
        }
    }

    /// Says whether a client that a certificate or pre-shared key vouches for
    /// may use this credential at `now` under `client_id`, and why not.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] why not; [`Reason::Unauthenticated`] where
    /// nobody may vouch for it.
    pub fn admits_external(&self, client_id: &ClientId, now: Timestamp) -> Result<(), Reason> {
        if !self.external_identity || !matches!(self.kind, Kind::Device) {
            return Err(Reason::Unauthenticated);
        }
        self.is_in_force(now)?;
        self.keeps_client_id_rule(client_id, None)
    }

    /// Says whether a client that logged in by name may go on with this credential at
    /// `now` under `client_id`, as far as it is known without the secret, and why not.
    ///
    /// # Errors
    ///
    /// Returns the first [`Reason`] of the order state, dates, client id.
    pub fn admits_known(&self, client_id: &ClientId, now: Timestamp) -> Result<(), Reason> {
        self.is_in_force(now)?;
        self.keeps_client_id_rule(client_id, None)
    }

    /// Says whether the device that this is may log in as `client_id` at `now`, once
    /// a certificate or a token of an issuer proved that it is the client.
    ///
    /// # Errors
    ///
    /// Returns the reason for which it may not.
    pub fn admits_proved(&self, client_id: &ClientId, now: Timestamp) -> Result<(), Reason> {
        if !self.may_be_proved() {
            return Err(Reason::CertificateUnknown);
        }
        self.is_in_force(now)?;
        self.keeps_client_id_rule(client_id, None)
    }

    /// Says whether a certificate, or a token of an issuer, may prove that a client is
    /// this: a device alone.
    #[must_use]
    pub const fn may_be_proved(&self) -> bool {
        matches!(self.kind, Kind::Device)
    }

    /// Says whether this is an operator, whom no wall stops.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        matches!(self.kind, Kind::Operator)
    }

    /// Says whether the client ids that it connects with are secrets: tokens, or
    /// application ids.
    #[must_use]
    pub fn hides_client_ids(&self) -> bool {
        let is_token = self.client_id_rule == ClientIdRule::SameAsSecret;
        is_token || matches!(self.kind, Kind::Thing(_))
    }

    /// Says whether sessions of this credential administer a tenant.
    #[must_use]
    pub fn is_org_admin_of(&self, tenant: &TenantId) -> bool {
        let is_its = self.tenant.as_ref() == Some(tenant);
        match &self.kind {
            Kind::Application(application) => is_its && application.is_org_admin,
            Kind::Thing(thing) => is_its && thing.is_org_admin,
            Kind::User(user) => user.grant_in(tenant).is_some_and(Grant::is_org_admin),
            Kind::Bearer | Kind::Device | Kind::Operator => false,
        }
    }

    /// The one client id that this credential, called `name`, admits, as far as
    /// its rule or its tie says so. A revoked one holds none any more.
    #[must_use]
    pub fn bound_client_id(&self, name: &LoginName) -> Option<ClientIdTie> {
        if self.state == State::Revoked {
            return None;
        }
        match &self.client_id_rule {
            ClientIdRule::Exact(id) => Some(id.tie()),
            ClientIdRule::FirstUse => self.client_id_tie,
            ClientIdRule::SameAsUsername => ClientId::parse(name.as_str()).ok().map(|id| id.tie()),
            ClientIdRule::Any | ClientIdRule::Prefix(_) | ClientIdRule::SameAsSecret => None,
        }
    }

    /// The credential, besides itself, that a session of this one depends on:
    /// once that changes, the session is to be judged again.
    #[must_use]
    pub fn parent(&self) -> Option<CredentialId> {
        Some(self.kind.thing()?.application)
    }

    /// Says whether state and dates let this credential be used at `now`.
    ///
    /// # Errors
    ///
    /// Returns the [`Reason`] why not.
    pub fn is_in_force(&self, now: Timestamp) -> Result<(), Reason> {
        match self.state {
            State::Suspended => return Err(Reason::Suspended),
            State::Revoked => return Err(Reason::Revoked),
            State::Inactive | State::Active => {}
        }
        if self.not_before.is_some_and(|start| now < start) {
            return Err(Reason::NotYetValid);
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            return Err(Reason::Expired);
        }
        Ok(())
    }

    /// The instant from which [`Credential::admits`] refuses what it admits
    /// now, if time alone brings it about.
    #[must_use]
    pub fn ends_at(&self, secret: SecretId) -> Option<Timestamp> {
        let of_secret = self
            .secrets
            .iter()
            .find(|stored| stored.id == secret)
            .and_then(|stored| stored.ends_at);
        match (self.expires_at, of_secret) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// How many groups a credential may be in.
pub const MOST_GROUPS: usize = 32;

/// A credential is in as many groups as it may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a credential may be in {MOST_GROUPS} groups, and this one would be in more")]
pub struct TooManyGroupsError;

/// Checks that `key` and `value` may be an attribute of a credential.
///
/// # Errors
///
/// Returns [`AttributeError`] unless the key is 1 to 64 of `A-Z a-z 0-9 _ -`
/// and the value at most 1,024 bytes without control characters.
pub fn check_attribute(key: &str, value: &str) -> Result<(), AttributeError> {
    let good_key = (1..=64).contains(&key.len())
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !good_key {
        return Err(AttributeError::Key { key: key.into() });
    }
    if value.len() > 1_024 || value.chars().any(char::is_control) {
        return Err(AttributeError::Value { key: key.into() });
    }
    Ok(())
}

/// Why a key and a value are no attribute.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The key has another shape.
    #[error(
        "`{key}` is not a valid attribute; a key is 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`"
    )]
    Key {
        /// The key.
        key: Given,
    },
    /// The value is too long or holds a control character.
    #[error(
        "the value of attribute `{key}` is longer than 1024 bytes or holds a control character"
    )]
    Value {
        /// The key.
        key: Given,
    },
}
