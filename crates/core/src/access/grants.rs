//! All rules that hold for a principal, and where each comes from.

use crate::credential::Credential;
use crate::name::{GroupPath, LoginName};
use crate::rights::things;
use crate::role::Role;
use crate::rule::{Action, Pattern, Rule, RuleSource};
use crate::scheme::Scheme;
use crate::tenant::{DefaultRights, Tenant};
use crate::user::{Grant, GrantedRight};

/// A role that a principal holds.
pub(super) struct HeldRole {
    pub(super) role: Role,
    /// The group that holds it, where the principal has it by a group.
    pub(super) group: Option<GroupPath>,
}

/// All rules that hold for a principal, and where each comes from.
#[derive(Clone, Debug, Default)]
pub struct Grants(Vec<(RuleSource, Rule)>);

impl Grants {
    /// All rules that hold for a client without a login, which is in no group.
    pub(super) fn of_anonymous(tenant: &Tenant, roles: &[Role]) -> Self {
        let mut grants = Self::of_default(tenant.anonymous_rights, tenant);
        for role in roles {
            grants.add_role(&[], role, None);
        }
        grants
    }

    /// All rules that hold for a credential that has none but the default ones.
    pub(super) fn of_default_credential(tenant: &Tenant) -> Self {
        Self::of_default(tenant.default_rights, tenant)
    }

    /// The right to use what a tenant owns, or nothing.
    fn of_default(rights: DefaultRights, tenant: &Tenant) -> Self {
        match rights {
            DefaultRights::Namespaces => Self::of_namespaces(tenant),
            DefaultRights::Nothing => Self::default(),
        }
    }

    /// The right to use what a tenant owns, and nothing else.
    fn of_namespaces(tenant: &Tenant) -> Self {
        let source = RuleSource::Tenant(tenant.id.as_str().into());
        let rules = tenant.namespaces.iter().filter_map(|namespace| {
            // A namespace holds no variable, so it always is a pattern; one
            // that was none would grant nothing.
            let pattern = Pattern::parse(namespace.as_str()).ok()?;
            Some((source.clone(), Rule::allow(Action::Both, pattern)))
        });
        Self(rules.collect())
    }

    /// All rules that hold for a credential: its scheme's, its roles', its own.
    ///
    /// A scheme or tenant that is no more grants nothing.
    pub(super) fn of_credential(
        credential: &Credential,
        tenant: Option<&Tenant>,
        scheme: Option<&Scheme>,
        roles: &[HeldRole],
    ) -> Self {
        let mut grants = Self::default();
        if let Some(scheme) = scheme {
            if let Some(tenant) = tenant.filter(|_| scheme.grants_namespaces()) {
                grants = Self::of_default(tenant.default_rights, tenant);
            }
            let source = RuleSource::Scheme(scheme.name().as_str().into());
            let rules: Vec<Rule> = scheme.rules().collect();
            grants = grants.and(&source, &rules);
        }
        let own = if credential.is_operator() {
            RuleSource::Operator
        } else {
            RuleSource::Credential
        };
        grants
            .and_roles(&credential.groups, roles)
            .and(&own, &credential.rules)
    }

    /// All rules that hold for a user in the tenant of a grant: those of the
    /// role, or as an administrator all of the tenant's topics.
    ///
    /// Who administers a group alone, or may only see what there is, may use no topics
    /// by that.
    pub(super) fn of_user(grant: &Grant, tenant: &Tenant, roles: &[HeldRole]) -> Self {
        match &grant.right {
            GrantedRight::OrgAdmin if grant.is_org_admin() => Self::of_namespaces(tenant),
            GrantedRight::OrgAdmin | GrantedRight::Viewer => Self::default(),
            GrantedRight::Role(_) => Self::default().and_roles(grant.groups(), roles),
        }
    }

    /// All rules that hold for the holder of a token with these roles.
    pub(super) fn of_token(roles: &[HeldRole]) -> Self {
        Self::default().and_roles(&[], roles)
    }

    /// Adds the topics of things that are bound to a thing's session.
    pub(super) fn and_children(self, scheme: Option<&Scheme>, children: &[LoginName]) -> Self {
        let Some(scheme) = scheme else {
            return self;
        };
        let source = RuleSource::Scheme(scheme.name().as_str().into());
        let rules: Vec<Rule> = children.iter().filter_map(things::child_rule).collect();
        self.and(&source, &rules)
    }

    /// Adds the rules of roles that hold for a member of these groups.
    fn and_roles(mut self, groups: &[GroupPath], roles: &[HeldRole]) -> Self {
        for HeldRole { role, group } in roles {
            self.add_role(groups, role, group.as_ref());
        }
        self
    }

    fn add_role(&mut self, groups: &[GroupPath], role: &Role, held_by: Option<&GroupPath>) {
        for role_rule in &role.rules {
            if !role_rule.holds_for(groups) {
                continue;
            }
            let name = role.name.as_str().into();
            let source = match (&role_rule.group, held_by) {
                (Some(group), _) => RuleSource::Group(group.as_str().into()),
                (None, Some(group)) => RuleSource::RoleOfGroup {
                    role: name,
                    group: group.as_str().into(),
                },
                (None, None) => RuleSource::Role(name),
            };
            let mut rule = role_rule.rule.clone();
            if role.no_wildcards {
                rule = rule.without_wildcards();
            }
            self.0.push((source, rule));
        }
    }

    /// Adds rules of one source.
    fn and(mut self, source: &RuleSource, rules: &[Rule]) -> Self {
        let sourced = rules.iter().map(|rule| (source.clone(), rule.clone()));
        self.0.extend(sourced);
        self
    }

    /// The rules, in the order they were added, and where each comes from.
    pub fn iter(&self) -> impl Iterator<Item = (&RuleSource, &Rule)> + Clone {
        self.0.iter().map(|(source, rule)| (source, rule))
    }
}
