//! Commands on roles.

use countersign_admin::role::{
    CreateRole, DeleteRole, ListRoles, NewRole, RewriteRole, RoleDeletion, ShowRole,
};
use countersign_admin::text::FreeText;
use countersign_admin::{AdminError, ErrorKind, Tx};
use countersign_core::name::TenantId;
use countersign_core::role::{Role, RoleName};
use countersign_core::store::Page;
use countersign_core::topic::{FilterRef, sendable};

use crate::acl::{AclKind, DEFAULT_ROLE};
use crate::find::{self, texts};
use crate::json::Json;
use crate::listing::{Listing, described};
use crate::note::{self, RoleNote};
use crate::order::Order;
use crate::params::{Params, none_found, said};
use crate::role_acls::{Acl, acls_of, listed, noted, rules_of};

/// A role and what is remembered of it.
struct NotedRole {
    role: Role,
    note: RoleNote,
    acls: Vec<Acl>,
}

impl NotedRole {
    fn of(tx: &mut Tx<'_>, tenant: &TenantId, role: Role) -> Result<Self, AdminError> {
        let note = note::of(tx, tenant, role.name.as_str())?;
        Ok(Self {
            acls: acls_of(&role, &note),
            role,
            note,
        })
    }

    /// Looks up the role that a command names.
    fn find(tx: &mut Tx<'_>, tenant: &TenantId, name: &str) -> Result<Self, AdminError> {
        let name = find::role(tx, tenant, name)?;
        let tenant = tenant.clone();
        let shown = tx.run(&ShowRole {
            tenant: tenant.clone(),
            name,
        })?;
        Self::of(tx, &tenant, shown.role)
    }

    fn to_json(&self) -> Json {
        let name = self.role.name.as_str();
        let mut members = vec![("rolename".into(), Json::text(name))];
        let description = self.role.description.as_deref();
        described(&mut members, self.note.textname.as_deref(), description);
        let wildcards = Json::Bool(!self.role.no_wildcards);
        members.push(("allowwildcardsubs".into(), wildcards));
        members.push(("acls".into(), listed(&self.acls)));
        Json::Object(members)
    }

    /// Writes what the role is then, and checks whether that can be said.
    fn rewrite(
        mut self,
        tx: &mut Tx<'_>,
        acls: Option<Vec<Acl>>,
        texts: &Texts,
        is_new: &dyn Fn(&Acl) -> bool,
    ) -> Result<(), AdminError> {
        let tenant = self.role.tenant.clone();
        let rules = acls
            .as_ref()
            .map(|acls| rules_of(&self.role, &self.acls, acls));
        tx.run(&RewriteRole {
            tenant: tenant.clone(),
            name: self.role.name.clone(),
            description: texts.description.clone(),
            no_wildcards: texts.no_wildcards,
            rules,
        })?;
        if let Some(acls) = &acls {
            self.note.acls = noted(acls);
        }
        if let Some(name) = &texts.name {
            self.note.textname = Some(name.clone()).filter(|name| !name.is_empty());
        }
        let name = self.role.name.as_str();
        note::put(tx, &tenant, name, &self.note, "role.note")?;
        if acls.is_some() || texts.no_wildcards == Some(true) {
            let order = Order::read(tx, &tenant)?;
            order.check_role(tx, &self.role.name, is_new)?;
        }
        Ok(())
    }
}

/// What a command says of a role besides its rules.
#[derive(Default)]
struct Texts {
    name: Option<String>,
    description: Option<FreeText>,
    no_wildcards: Option<bool>,
}

impl Texts {
    fn of(params: Params<'_>) -> Result<Self, AdminError> {
        let (name, description) = texts(params)?;
        let wildcards = params.flag("allowwildcardsubs", "Invalid allowwildcardsubs")?;
        Ok(Self {
            name: name.map(Into::into),
            description,
            no_wildcards: wildcards.map(|allowed| !allowed),
        })
    }
}

pub(crate) fn create(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.name("rolename")?;
    let texts = Texts::of(params)?;
    let name = RoleName::parse(name).map_err(|why| said(&why.to_string()))?;
    if name.as_str() == DEFAULT_ROLE {
        return Err(said(
            "`default-access` is the role of setDefaultACLAccess here; choose another name",
        ));
    }
    let acls = given(params)?.unwrap_or_default();
    let shown = tx.run(&CreateRole(NewRole {
        tenant: tenant.clone(),
        name,
        description: None,
        no_wildcards: false,
    }))?;
    let known = NotedRole::of(tx, tenant, shown.role)?;
    known.rewrite(tx, Some(acls), &texts, &|_| true)?;
    Ok(None)
}

pub(crate) fn delete(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = find::role(tx, tenant, params.named("rolename")?)?;
    tx.run(&DeleteRole {
        tenant: tenant.clone(),
        name,
        deletion: RoleDeletion::WithGrants,
    })?;
    Ok(None)
}

pub(crate) fn modify(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("rolename")?;
    let texts = Texts::of(params)?;
    let known = NotedRole::find(tx, tenant, name)
        .map_err(|error| find::missing(error, "Role does not exist"))?;
    let acls = given(params)?;
    known.rewrite(tx, acls, &texts, &|_| true)?;
    Ok(None)
}

/// The rules of a list, without those that the plugin skips.
fn given(params: Params<'_>) -> Result<Option<Vec<Acl>>, AdminError> {
    let Some(Json::Array(items)) = params.0.member("acls") else {
        return Ok(None);
    };
    let mut acls: Vec<Acl> = Vec::new();
    for item in items {
        let item = Params(item);
        let kind = item.0.member("acltype").and_then(Json::as_text);
        let topic = item.0.member("topic").and_then(Json::as_text);
        let (Some(kind), Some(topic)) = (kind.and_then(AclKind::of), topic) else {
            continue;
        };
        if acls.iter().any(|it| it.kind == kind && it.topic == topic) {
            continue;
        }
        let priority = item.priority(0).unwrap_or_default();
        let is_allowed = item.flag("allow", "").ok().flatten().unwrap_or_default();
        let acl = Acl::given(kind, topic, priority, is_allowed);
        acls.push(acl.map_err(|why| said(&why))?);
    }
    Ok(Some(acls))
}

pub(crate) fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let known = NotedRole::find(tx, tenant, params.named("rolename")?)?;
    Ok(Some(Json::Object(vec![("role".into(), known.to_json())])))
}

pub(crate) fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let listing = Listing::of(params);
    let mut roles = all(tx, tenant)?;
    let total = roles.len();
    let mut items = Vec::new();
    for role in listing.cut(&mut roles) {
        items.push(if listing.is_verbose {
            NotedRole::of(tx, tenant, role)?.to_json()
        } else {
            Json::text(role.name.as_str())
        });
    }
    Ok(Some(Listing::answer("roles", total, items)))
}

/// The roles that a caller sees.
pub(crate) fn all(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Role>, AdminError> {
    let mut roles = Vec::new();
    let mut list = ListRoles {
        tenant: Some(tenant.clone()),
        page: Page::default(),
    };
    loop {
        let listed = tx.run(&list)?;
        roles.extend(listed.rows.into_iter().map(|shown| shown.role));
        match listed.next {
            Some(key) => list.page = Page::after(key),
            None => break,
        }
    }
    roles.retain(|role| role.name.as_str() != DEFAULT_ROLE);
    Ok(roles)
}

pub(crate) fn add_acl(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let known = NotedRole::find(tx, tenant, params.named("rolename")?)?;
    let (kind, topic) = acl_named(params)?;
    if known
        .acls
        .iter()
        .any(|it| it.kind == kind && it.topic == topic)
    {
        return Err(AdminError::of_door(
            ErrorKind::Exists,
            "ACL with this topic already exists",
        ));
    }
    let priority = params.priority(0)?;
    let is_allowed = params.flag("allow", "Invalid/missing allow")?;
    let acl = Acl::given(kind, topic, priority, is_allowed.unwrap_or_default());
    let acl = acl.map_err(|why| said(&why))?;
    let mut acls = known.acls.clone();
    acls.push(acl.clone());
    known.rewrite(tx, Some(acls), &Texts::default(), &|it| *it == acl)?;
    Ok(None)
}

/// The type and the topic of a rule.
fn acl_named(params: Params<'_>) -> Result<(AclKind, &str), AdminError> {
    let kind = params.required("acltype", "Invalid/missing acltype")?;
    let kind = AclKind::of(kind).ok_or_else(|| said("Unknown acltype"))?;
    let topic = params.required("topic", "Invalid/missing topic")?;
    if sendable(topic).is_err() || FilterRef::parse(topic).is_err() {
        return Err(said("Invalid ACL topic"));
    }
    Ok((kind, topic))
}

pub(crate) fn remove_acl(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let known = NotedRole::find(tx, tenant, params.named("rolename")?)?;
    let (kind, topic) = acl_named(params)?;
    let mut acls = known.acls.clone();
    let is_meant = |it: &Acl| it.kind == kind && it.topic == topic;
    let Some(at) = acls.iter().position(is_meant) else {
        return Err(none_found("ACL not found"));
    };
    acls.remove(at);
    // Without it, a SUBSCRIBE may go past another deny.
    let was_withheld = kind == AclKind::Deliver;
    known.rewrite(tx, Some(acls), &Texts::default(), &|it| {
        was_withheld && it.kind == AclKind::SubscribePattern
    })?;
    Ok(None)
}

/// How many roles there are.
pub(crate) fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<usize, AdminError> {
    Ok(all(tx, tenant)?.len())
}
