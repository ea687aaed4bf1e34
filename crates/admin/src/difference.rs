//! What a principal would gain and lose by a change.
//!
//! Its rights before and after the change are compiled as a broker compiles
//! them, and compared.

use std::sync::Arc;

use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::rights::{Grants, PrincipalVariables, Rights, TopicUses, UNKNOWN_CLIENT_ID};
use countersign_core::role::Role;
use countersign_core::rule::{Action, TopicOwners};
use countersign_core::scheme::{Scheme, Schemes};
use countersign_core::store::{AdminTransaction, StoreError};
use countersign_core::tenant::{DefaultRights, Tenant};
use countersign_core::topic::TopicFilter;

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

/// The client ids that a principal can be connected as.
pub(crate) enum PossibleClientIds {
    /// Any, for which these stand.
    Any(Vec<String>),
    /// This one, or one that is a secret.
    One(Option<String>),
}

impl PossibleClientIds {
    /// One of them.
    pub(crate) fn first(&self) -> Option<&str> {
        match self {
            Self::Any(ids) => ids.first().map(String::as_str),
            Self::One(id) => id.as_deref(),
        }
    }
}

/// What the rights of principals of one tenant, or outside of all tenants,
/// follow from besides themselves.
pub(crate) struct RightsContext {
    tenant: Option<Tenant>,
    owners: TopicOwners,
    schemes: Schemes,
}

impl RightsContext {
    pub(crate) fn read<T: AdminTransaction>(
        transaction: &mut T,
        tenant: Option<Tenant>,
    ) -> Result<Self, StoreError> {
        let tenants = transaction.tenants()?;
        let owned = tenants
            .iter()
            .map(|tenant| (tenant.id.as_str(), &tenant.namespaces));
        Ok(Self {
            tenant,
            owners: TopicOwners::new(owned),
            schemes: transaction.schemes()?,
        })
    }

    pub(crate) fn tenant(&self) -> Option<&Tenant> {
        self.tenant.as_ref()
    }

    /// Says whether a credential may use its tenant's namespaces without any
    /// rule.
    pub(crate) fn gives_by_default(&self, credential: &Credential) -> bool {
        let scheme = self.schemes.find(credential.scheme.as_str());
        let tenant = self.tenant.as_ref();
        scheme.is_some_and(Scheme::grants_namespaces)
            && tenant.is_some_and(|it| it.default_rights == DefaultRights::Namespaces)
    }

    /// Says whether rights allow anything.
    pub(crate) fn allow_something(&self, rights: &Rights) -> bool {
        !rights
            .gained_since(&Rights::none(), &self.owners)
            .is_empty()
    }

    /// What a device, an operator or a thing may do with these roles.
    pub(crate) fn rights_of(
        &self,
        credential: &Credential,
        roles: &[Role],
        client_id: Option<&str>,
    ) -> Rights {
        let scheme = self.schemes.find(credential.scheme.as_str());
        let tenant = self.tenant.as_ref();
        Rights::of_credential(credential, client_id, tenant, scheme, roles, &[])
    }

    /// The client ids of a device, an operator or a thing, by these roles.
    pub(crate) fn client_ids(&self, credential: &Credential, roles: &[Role]) -> PossibleClientIds {
        if credential.hides_client_ids() {
            return PossibleClientIds::One(None);
        }
        let prefix = match &credential.client_id_rule {
            ClientIdRule::Exact(id) => return PossibleClientIds::One(Some(id.to_string())),
            ClientIdRule::SameAsUsername => {
                return PossibleClientIds::One(Some(credential.name.to_string()));
            }
            ClientIdRule::SameAsSecret => return PossibleClientIds::One(None),
            ClientIdRule::Prefix(prefix) => prefix.as_str(),
            ClientIdRule::Any | ClientIdRule::FirstUse => "",
        };
        let scheme = self.schemes.find(credential.scheme.as_str());
        let grants = Grants::of_credential(credential, self.tenant(), scheme, roles);
        let values = PrincipalVariables::of_credential(credential, None, scheme);
        let none = Default::default();
        let namespaces = self.tenant().map_or(&none, |tenant| &tenant.namespaces);
        let ids = grants.telling_client_ids(&values, namespaces).into_iter();
        let stands_for_others = |id: &str| id.contains(UNKNOWN_CLIENT_ID) || id == "/";
        PossibleClientIds::Any(
            ids.filter(|id| stands_for_others(id) || id.starts_with(prefix))
                .collect(),
        )
    }

    /// Compares rights before and after, by the client ids that it is connected
    /// as, and where these make no difference by all that it can have.
    pub(crate) fn compare(
        &self,
        before: impl Fn(Option<&str>) -> Rights,
        after: impl Fn(Option<&str>) -> Rights,
        connected: &[Arc<str>],
        ids: &PossibleClientIds,
    ) -> RightsDifference {
        let mut difference = RightsDifference::default();
        let mut look = |client_id: Option<&str>, is_last_resort: bool| {
            let (before, after) = (before(client_id), after(client_id));
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
