//! What a principal would gain and lose by a change.
//!
//! Its rights before and after the change are compiled as a broker compiles
//! them, and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_core::access::{
    Access, AccessSubject, PolicyLookup, UNKNOWN_CLIENT_ID, telling_client_ids, topic_owners,
};
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::rights::{Rights, TopicUses};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::{Action, Namespaces, Rule, TopicOwners};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::store::{StoreError, StoredSchemes, StoredTenants, all_rows};
use countersign_core::tenant::{DefaultRights, Tenant};
use countersign_core::topic::TopicFilter;

use crate::lookup::Rows;

mod sessions;

pub(crate) use self::sessions::LiveSessions;

/// What a principal may do after a change alone, and before it alone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct RightsDifference {
    pub(crate) gains: Vec<TopicUses>,
    pub(crate) loses: Vec<TopicUses>,
}

impl RightsDifference {
    pub(crate) fn is_none(&self) -> bool {
        self.gains.is_empty() && self.loses.is_empty()
    }
}

/// What a change of a role would do to one credential or user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeEffect {
    /// Its name.
    pub name: LoginName,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// What it may do after the change alone.
    pub gains: Vec<TopicUses>,
    /// What it may do before the change alone.
    pub loses: Vec<TopicUses>,
}

/// The client ids that a principal can be connected as.
pub(crate) enum PossibleClientIds {
    /// Any, for which these stand.
    Any(Vec<String>),
    /// This one, or one that is a secret.
    One(Option<String>),
}

impl PossibleClientIds {
    /// Those of a principal by all of these accesses.
    pub(crate) fn of(credential: &Credential, accesses: &[&Access<'_>]) -> Self {
        if credential.hides_client_ids() {
            return Self::One(None);
        }
        let prefix = match &credential.client_id_rule {
            ClientIdRule::Exact(id) => return Self::One(Some(id.to_string())),
            ClientIdRule::SameAsUsername => return Self::One(Some(credential.name.to_string())),
            ClientIdRule::SameAsSecret => return Self::One(None),
            ClientIdRule::Prefix(prefix) => prefix.as_str(),
            ClientIdRule::Any | ClientIdRule::FirstUse => "",
        };
        let ids = telling_client_ids(accesses).into_iter();
        let stands_for_others = |id: &str| id.contains(UNKNOWN_CLIENT_ID) || id == "/";
        let ids = ids.filter(|id| stands_for_others(id) || id.starts_with(prefix));
        Self::Any(ids.collect())
    }

    /// Those of a client without a login.
    pub(crate) fn of_anyone(access: &Access<'_>) -> Self {
        Self::Any(telling_client_ids(&[access]))
    }

    /// One of them.
    pub(crate) fn first(&self) -> Option<&str> {
        match self {
            Self::Any(ids) => ids.first().map(String::as_str),
            Self::One(id) => id.as_deref(),
        }
    }
}

/// The roles that groups of a tenant hold.
#[derive(Clone)]
struct GroupRoles(BTreeMap<GroupPath, BTreeSet<RoleName>>);

impl GroupRoles {
    /// Reads which groups hold these roles.
    fn read(rows: &mut Rows<'_>, roles: &[Role]) -> Result<Self, StoreError> {
        let mut held: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for role in roles {
            for group in rows.groups_of_role(&role.tenant, &role.name)? {
                held.entry(group).or_default().insert(role.name.clone());
            }
        }
        Ok(Self(held))
    }
}

/// What the rights of principals of one tenant, or outside of all tenants,
/// follow from besides themselves.
#[derive(Clone)]
pub(crate) struct RightsContext {
    tenant: Option<Arc<Tenant>>,
    /// All roles of the tenant.
    roles: Arc<[Role]>,
    /// The roles that groups of the tenant hold.
    of_groups: Arc<GroupRoles>,
    owners: Arc<TopicOwners>,
    /// None where schemes grant nothing.
    schemes: Option<Arc<Schemes>>,
}

impl RightsContext {
    pub(crate) fn read(rows: &mut Rows<'_>, tenant: Option<Tenant>) -> Result<Self, StoreError> {
        let tenants = all_rows(|page| rows.tenants(page))?;
        let tenants = StoredTenants {
            readable: tenants.into_iter().map(Arc::new).collect(),
            ..StoredTenants::default()
        };
        let schemes = StoredSchemes {
            readable: rows.schemes()?,
            ..StoredSchemes::default()
        };
        let users_of = |scheme: &SchemeName| rows.tenants_using_scheme(scheme);
        let owners = topic_owners(&tenants, &schemes, users_of)?;
        let roles = match &tenant {
            Some(tenant) => all_rows(|page| rows.roles(Some(&tenant.id), page))?,
            None => Vec::new(),
        };
        Ok(Self {
            tenant: tenant.map(Arc::new),
            of_groups: Arc::new(GroupRoles::read(rows, &roles)?),
            roles: roles.into(),
            owners: Arc::new(owners),
            schemes: Some(Arc::new(schemes.readable)),
        })
    }

    /// The same with this role as it is given.
    pub(crate) fn with_role(&self, role: &Role) -> Self {
        let roles = self.roles.iter().map(|it| {
            let is_it = it.name == role.name;
            if is_it { role.clone() } else { it.clone() }
        });
        Self {
            roles: roles.collect(),
            ..self.clone()
        }
    }

    /// The same where a group holds a role, or where it does not.
    pub(crate) fn with_assignment(
        &self,
        group: &GroupPath,
        role: &RoleName,
        is_held: bool,
    ) -> Self {
        let mut of_groups = GroupRoles::clone(&self.of_groups);
        let held = of_groups.0.entry(group.clone()).or_default();
        if is_held {
            held.insert(role.clone());
        } else {
            held.remove(role);
        }
        Self {
            of_groups: Arc::new(of_groups),
            ..self.clone()
        }
    }

    /// The same where nothing is granted but by these roles and by rules of one's
    /// own.
    pub(crate) fn of_roles_alone(&self, roles: &[Role]) -> Self {
        Self {
            roles: roles.into(),
            schemes: None,
            ..self.clone()
        }
    }

    /// The same if the tenant owned these topics and no others.
    pub(crate) fn with_namespaces(&self, topics: &[TopicFilter]) -> Self {
        let tenant = self.tenant.as_deref().map(|tenant| Tenant {
            // What can't be owned is not owned.
            namespaces: Namespaces::new(topics.iter().cloned()).unwrap_or_default(),
            ..tenant.clone()
        });
        Self {
            tenant: tenant.map(Arc::new),
            ..self.clone()
        }
    }

    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_deref()
    }

    /// What schemes of other tenants reach of the rest, where the tenant owns that.
    pub(crate) fn taken_from_rest(&self) -> BTreeSet<TopicFilter> {
        let tenant = self.tenant();
        tenant.map_or_else(BTreeSet::new, |it| self.owners.taken_from_rest(&it.id))
    }

    /// Says whether a credential may use its tenant's namespaces without any
    /// rule.
    pub(crate) fn gives_by_default(&self, credential: &Credential) -> bool {
        let scheme = self.scheme_named(&credential.scheme);
        let tenant = self.tenant.as_ref();
        scheme.is_some_and(Scheme::grants_namespaces)
            && tenant.is_some_and(|it| it.default_rights == DefaultRights::Namespaces)
    }

    /// Says whether all topics of a rule are another tenant's.
    pub(crate) fn is_of_others(&self, rule: &Rule) -> bool {
        let widest = rule.pattern().widest();
        let own = self.tenant.as_ref().map(|tenant| tenant.id.as_str());
        own.is_some() && self.owners.is_all_foreign(&widest, own)
    }

    /// Says whether rights allow anything.
    pub(crate) fn allow_something(&self, rights: &Rights) -> bool {
        !rights
            .gained_since(&Rights::none(), &self.owners)
            .is_empty()
    }

    /// All rules that hold for a principal.
    pub(crate) fn access<'a>(&self, subject: AccessSubject<'a>) -> Result<Access<'a>, StoreError> {
        Access::resolve(subject, &mut self.clone())
    }

    fn scheme_named(&self, name: &SchemeName) -> Option<&Scheme> {
        self.schemes.as_ref()?.find(name.as_str())
    }

    /// Compares accesses before and after, by the client ids that the principal is
    /// connected as, and where these make no difference by all that it can have.
    pub(crate) fn compare(
        &self,
        before: &Access<'_>,
        after: &Access<'_>,
        connected: &[Arc<str>],
        ids: &PossibleClientIds,
    ) -> RightsDifference {
        let mut difference = RightsDifference::default();
        let mut look = |client_id: Option<&str>, is_last_resort: bool| {
            let (before, after) = (before.rights(client_id), after.rights(client_id));
            let RightsDifference { gains, loses } = &mut difference;
            for (list, now, then) in [(gains, &after, &before), (loses, &before, &after)] {
                let told: Vec<Action> = list.iter().map(|uses| uses.action).collect();
                for uses in now.gained_since(then, &self.owners) {
                    let uses = named(uses);
                    let is_told = is_last_resort && told.contains(&uses.action);
                    if !is_told && !list.contains(&uses) {
                        list.push(uses);
                    }
                }
            }
        };
        match ids {
            PossibleClientIds::One(id) => look(id.as_deref(), false),
            PossibleClientIds::Any(ids) => {
                for id in connected {
                    look(Some(id), false);
                }
                for id in ids {
                    look(Some(id), true);
                }
            }
        }
        difference
    }
}

impl PolicyLookup for RightsContext {
    fn tenant(&mut self, id: &TenantId) -> Result<Option<Arc<Tenant>>, StoreError> {
        Ok(self.tenant.as_ref().filter(|it| it.id == *id).cloned())
    }

    fn role(&mut self, tenant: &TenantId, name: &RoleName) -> Result<Option<Role>, StoreError> {
        let mut roles = self.roles.iter();
        let found = roles.find(|role| role.tenant == *tenant && role.name == *name);
        Ok(found.cloned())
    }

    fn roles_of_group(
        &mut self,
        _tenant: &TenantId,
        group: &GroupPath,
    ) -> Result<Vec<RoleName>, StoreError> {
        let held = self.of_groups.0.get(group);
        Ok(held.into_iter().flatten().cloned().collect())
    }

    fn scheme(&mut self, name: &SchemeName) -> Result<Option<&Scheme>, StoreError> {
        Ok(self.scheme_named(name))
    }
}

/// The uses, with a client id that is not known named as rules name it.
fn named(uses: TopicUses) -> TopicUses {
    if !uses.filter.as_str().contains(UNKNOWN_CLIENT_ID) {
        return uses;
    }
    let text = uses
        .filter
        .as_str()
        .replace(UNKNOWN_CLIENT_ID, "${client_id}");
    match TopicFilter::parse(&text) {
        Ok(filter) => TopicUses { filter, ..uses },
        Err(_) => uses,
    }
}
