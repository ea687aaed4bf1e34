//! What goes with what.

use countersign_core::credential::CredentialId;
use countersign_core::jwt::KeyId;
use countersign_core::kind::Kind;
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::token::TokenRecord;
use countersign_core::user::{Grant, GrantedRight, User};

use super::bans::tenant_of;
use super::tables::{CredentialRow, Tables};

impl Tables {
    /// Removes a tenant with all that belongs to it; says whether it was there.
    pub(super) fn remove_tenant(&mut self, id: &TenantId) -> bool {
        let of_tenant =
            |_: &CredentialId, row: &CredentialRow| row.credential.tenant.as_ref() == Some(id);
        for credential in self.credentials.keys_where(usize::MAX, of_tenant) {
            self.remove_credential(credential);
        }
        let roles = self.roles.keys_where(usize::MAX, |(of, _), _| of == id);
        for (_, role) in roles {
            self.remove_role(id, &role);
        }
        self.remove_grants(|grant| grant.tenant == *id);
        let keys = self
            .token_keys
            .keys_where(usize::MAX, |_, sealed| sealed.key.tenant == *id);
        for key in keys {
            self.remove_token_key(&key);
        }
        self.api_tokens
            .remove_where(|_, (token, _)| token.scope.tenant() == Some(id));
        self.hooks
            .remove_where(|_, hook| hook.tenant.as_ref() == Some(id));
        let authorities = self
            .authorities
            .keys_where(usize::MAX, |_, it| it.tenant == *id);
        for authority in authorities {
            self.remove_authority(authority);
        }
        self.registered_names.remove_where(|(of, _), ()| of == id);
        self.followers.change_where(
            |follower| follower.tenants.iter().flatten().any(|it| it == id),
            |follower| {
                follower.era = follower.era.saturating_add(1);
                let tenants = follower.tenants.iter_mut();
                tenants.for_each(|tenants| tenants.retain(|it| it != id));
            },
        );
        self.control_notes.remove_where(|key, _| key.tenant == *id);
        self.bans.remove_where(|_, ban| tenant_of(ban) == Some(id));
        let issuers = self
            .issuers
            .keys_where(usize::MAX, |_, it| it.tenant == *id);
        for issuer in issuers {
            self.remove_issuer(issuer);
        }
        self.tenants.remove(id)
    }

    /// Removes a role and takes it from its holders; says whether it was there.
    pub(super) fn remove_role(&mut self, tenant: &TenantId, name: &RoleName) -> bool {
        self.credentials.change_where(
            |row| {
                row.credential.tenant.as_ref() == Some(tenant)
                    && row.credential.roles.contains(name)
            },
            |row| row.credential.roles.retain(|held| held != name),
        );
        let is_of_role = |right: &GrantedRight| match right {
            GrantedRight::OrgAdmin | GrantedRight::Viewer => false,
            GrantedRight::Role(role) => role == name,
        };
        self.remove_grants(|grant| grant.tenant == *tenant && is_of_role(&grant.right));
        self.remove_tokens(|token| token.tenant == *tenant && token.role == *name);
        self.group_roles
            .remove_where(|(of, _, role), ()| of == tenant && role == name);
        if let Some(tenant) = self.tenants.row(tenant) {
            tenant.default_roles.retain(|given| given != name);
            tenant.anonymous_roles.retain(|given| given != name);
        }
        self.issuers.change_where(
            |issuer| issuer.tenant == *tenant,
            |issuer| {
                issuer.roles.retain(|_, role| role != name);
                issuer.registers.take_if(|it| it.role == *name);
            },
        );
        self.authorities.change_where(
            |authority| authority.tenant == *tenant,
            |authority| drop(authority.registers.take_if(|it| it.role == *name)),
        );
        let key = (tenant.clone(), name.clone());
        self.role_imports.remove(&key);
        self.roles.remove(&key)
    }

    /// Removes a credential with all that belongs to it; says whether it was there.
    /// The records of its client ids stay, and have no holder any more.
    pub(super) fn remove_credential(&mut self, id: CredentialId) -> bool {
        let things = self
            .credentials
            .keys_where(usize::MAX, |_, row| row.credential.parent() == Some(id));
        for thing in things {
            self.remove_credential(thing);
        }
        self.secrets.remove_where(|_, (owner, _)| *owner == id);
        self.certificates.remove_where(|_, it| it.credential == id);
        self.recovery_codes.remove_where(|_, (user, _)| *user == id);
        self.remove_tokens(|token| token.bearer == id || token.issuer == id);
        self.api_tokens
            .remove_where(|_, (token, _)| token.owner == Some(id));
        self.web_sessions
            .remove_where(|_, (session, _)| session.user == id);
        self.give_up_client_ids(|record| record.credential == Some(id));
        self.credential_imports.remove(&id);
        self.credentials.remove(&id)
    }

    pub(super) fn remove_token_key(&mut self, id: &KeyId) {
        self.remove_tokens(|token| token.key == *id);
        self.token_keys.remove(id);
    }

    fn remove_tokens(&mut self, mut is_meant: impl FnMut(&TokenRecord) -> bool) {
        self.tokens.remove_where(|_, token| is_meant(token));
    }

    fn remove_grants(&mut self, is_meant: impl Fn(&Grant) -> bool) {
        self.credentials.change_where(
            |row| match &row.credential.kind {
                Kind::User(user) => user.grants.iter().any(&is_meant),
                _ => false,
            },
            |row| {
                if let Kind::User(user) = &mut row.credential.kind {
                    user.grants.retain(|grant| !is_meant(grant));
                    keep_handed_over(user);
                }
            },
        );
    }
}

/// Keeps of the tenants that a user was handed over to those that grant something.
pub(super) fn keep_handed_over(user: &mut User) {
    let User {
        grants,
        handed_over,
        ..
    } = user;
    handed_over.retain(|tenant| grants.iter().any(|grant| grant.tenant == *tenant));
}
