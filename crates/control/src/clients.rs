//! Commands on clients, which are credentials of the scheme `plain`.

use std::collections::BTreeMap;

use countersign_admin::credential::{
    CreateCredential, CredentialChanges, DeleteCredential, NewCredential, ReactivateCredential,
    ResetPassword, SetCredential, SuspendCredential,
};
use countersign_admin::import::{ImportCredentials, ImportedCredential};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::{AdminError, ErrorKind, Tx};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::Credential;
use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::scheme::SchemeName;

use crate::acl::{DEFAULT_PRIORITY, TEXT_NAME};
use crate::find::{self, texts};
use crate::json::Json;
use crate::members::{GroupsOfClient, Members as _, RolesOfClient};
use crate::membership;
use crate::params::{Params, said};

/// What a command stores besides: a password that the runner has hashed.
pub(crate) enum Secret {
    /// That of a client that is made.
    Created(Box<CreateCredential>),
    /// A new one.
    Renewed(Box<ResetPassword>),
}

impl Secret {
    /// What a command stores, if it does. What is wrong with it is told when the command
    /// is applied.
    pub(crate) fn of(command: &str, tenant: &TenantId, params: Params<'_>) -> Option<Self> {
        let password = params.0.member("password").and_then(Json::as_text)?;
        let name = params.0.member("username").and_then(Json::as_text)?;
        if password.is_empty() {
            return None;
        }
        let secret = ChosenPassword::parse(password.as_bytes().to_vec()).ok()?;
        let secret = NewSecret::Chosen(secret);
        match command {
            "createClient" => Some(Self::Created(Box::new(CreateCredential(NewCredential {
                scheme: SchemeName::plain(),
                secret,
                keeps_at: name.contains('@'),
                ..new(tenant, name, params).ok()?
            })))),
            "modifyClient" | "setClientPassword" => Some(Self::Renewed(Box::new(ResetPassword {
                name: LoginName::parse(name).ok()?,
                secret,
            }))),
            _ => None,
        }
    }
}

/// A client as a command says it is, without its secret, roles and groups.
fn new(tenant: &TenantId, name: &str, params: Params<'_>) -> Result<NewCredential, AdminError> {
    let (textname, description) = texts(params)?;
    let mut attributes = BTreeMap::new();
    if let Some(text) = textname.filter(|text| !text.is_empty()) {
        attributes.insert(TEXT_NAME.to_owned(), text.to_owned());
    }
    Ok(NewCredential {
        client_id_rule: Some(
            client_id_rule(params, "Invalid/missing client id")?.unwrap_or(ClientIdRule::Any),
        ),
        description,
        attributes,
        ..NewCredential::new(tenant.clone(), name)
    })
}

/// The client id that a command ties a client to.
fn client_id_rule(params: Params<'_>, otherwise: &str) -> Result<Option<ClientIdRule>, AdminError> {
    let Some(id) = params.text("clientid", otherwise)? else {
        return Ok(None);
    };
    if id.is_empty() {
        return Ok(Some(ClientIdRule::Any));
    }
    let id = ClientId::parse(id).map_err(|why| said(&why.to_string()))?;
    Ok(Some(ClientIdRule::Exact(id)))
}

/// The client that a command names.
fn named(tx: &mut Tx<'_>, tenant: &TenantId, params: Params<'_>) -> Result<Credential, AdminError> {
    find::client(tx, tenant, params.named("username")?)
}

pub(crate) fn create(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
    secret: Option<&Secret>,
) -> Result<Option<Json>, AdminError> {
    let name = params.name("username")?;
    let password = params.text("password", "Invalid/missing password")?;
    let new = new(tenant, name, params)?;
    let login = LoginName::parse(name).map_err(|why| said(&why.to_string()))?;
    // Whose name is another tenant's is told to those alone who could give it.
    let namesake = tx.credential(&login)?;
    if namesake.is_some_and(|it| it.tenant.as_ref() == Some(tenant)) {
        return Err(AdminError::of_door(
            ErrorKind::Exists,
            "Client already exists",
        ));
    }
    let roles = roles_given(params)?.unwrap_or_default();
    let groups = groups_given(params)?.unwrap_or_default();
    match secret {
        Some(Secret::Created(create)) => drop(tx.run(&**create)?),
        Some(Secret::Renewed(_)) | None => {
            // A password that is none is refused as such.
            ChosenPassword::parse(password.unwrap_or_default().as_bytes().to_vec())?;
            create_without_password(tx, tenant, &login, new)?;
        }
    }
    let client = &find::client(tx, tenant, name)?;
    RolesOfClient { tenant, client }.replace(tx, &roles)?;
    for (group, priority) in groups {
        let group = find::group(tx, tenant, group)?;
        membership::join(tx, tenant, client, &group, priority)?;
    }
    Ok(None)
}

/// Makes a client that can't log in until it has a password.
fn create_without_password(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    login: &LoginName,
    new: NewCredential,
) -> Result<(), AdminError> {
    let credential = ImportedCredential {
        name: login.clone(),
        is_operator: false,
        password: None,
        client_id_rule: new.client_id_rule.unwrap_or(ClientIdRule::Any),
        description: new.description,
        groups: Vec::new(),
        roles: Vec::new(),
        rules: Vec::new(),
        attributes: new.attributes,
        is_suspended: false,
        mark: ImportMark {
            source: "dynamic-security".into(),
            parts: [].into(),
            secret: None,
        },
    };
    tx.run(&ImportCredentials {
        tenant: tenant.clone(),
        credentials: vec![credential],
    })
    .map(drop)
}

fn roles_given(params: Params<'_>) -> Result<Option<Vec<(&str, i64)>>, AdminError> {
    let otherwise = "'roles' not an array or missing/invalid rolename";
    params.members("roles", "rolename", otherwise)
}

fn groups_given(params: Params<'_>) -> Result<Option<Vec<(&str, i64)>>, AdminError> {
    let otherwise = "'groups' contains an object with an invalid 'groupname'";
    params.members("groups", "groupname", otherwise)
}

pub(crate) fn delete(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let client = named(tx, tenant, params)?;
    for group in &client.groups {
        membership::leave(tx, tenant, &client, group)?;
    }
    tx.run(&DeleteCredential(client.name))?;
    Ok(None)
}

pub(crate) fn modify(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
    secret: Option<&Secret>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let client = find::client(tx, tenant, name)?;
    let password = params.text("password", "Invalid/missing password")?;
    let client_id = client_id_rule(params, "Invalid/missing clientid")?;
    let (textname, description) = texts(params)?;
    let roles = roles_given(params)?;
    let groups = groups_given(params)?;
    if let Some(Secret::Renewed(reset)) = secret {
        tx.run(&**reset)?;
    } else if let Some(password) = password {
        ChosenPassword::parse(password.as_bytes().to_vec())?;
    }
    let text = textname.map(|text| (TEXT_NAME.to_owned(), text.to_owned()));
    let changes = CredentialChanges {
        description,
        attributes: text.into_iter().collect(),
        client_id_rule: client_id,
        ..CredentialChanges::default()
    };
    if changes != CredentialChanges::default() {
        let name = client.name.clone();
        tx.run(&SetCredential { name, changes })?;
    }
    let client = &client;
    if let Some(roles) = roles {
        RolesOfClient { tenant, client }.replace(tx, &roles)?;
    }
    if let Some(groups) = groups {
        GroupsOfClient { tenant, client }.replace(tx, &groups)?;
    }
    Ok(None)
}

pub(crate) fn set_client_id(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let rule = client_id_rule(params, "Invalid/missing client ID")?;
    let client = find::client(tx, tenant, name)?;
    tx.run(&SetCredential {
        name: client.name,
        changes: CredentialChanges {
            client_id_rule: Some(rule.unwrap_or(ClientIdRule::Any)),
            ..CredentialChanges::default()
        },
    })?;
    Ok(None)
}

pub(crate) fn set_password(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
    secret: Option<&Secret>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let password = params.required("password", "Invalid/missing password")?;
    if password.is_empty() {
        return Err(said("Empty password is not allowed"));
    }
    find::client(tx, tenant, name)?;
    match secret {
        Some(Secret::Renewed(reset)) => drop(tx.run(&**reset)?),
        Some(Secret::Created(_)) | None => {
            ChosenPassword::parse(password.as_bytes().to_vec())?;
            return Err(said("Invalid/missing password"));
        }
    }
    Ok(None)
}

pub(crate) fn enable(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let client = named(tx, tenant, params)?;
    match client.state {
        State::Suspended => drop(tx.run(&ReactivateCredential(client.name))?),
        State::Revoked => {
            let name = client.name;
            return Err(said(&format!(
                "`{name}` was revoked, which is for good here; delete the client and create it anew"
            )));
        }
        State::Active | State::Inactive => {}
    }
    Ok(None)
}

pub(crate) fn disable(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let client = named(tx, tenant, params)?;
    match client.state {
        State::Active | State::Inactive => drop(tx.run(&SuspendCredential(client.name))?),
        State::Suspended | State::Revoked => {}
    }
    Ok(None)
}

pub(crate) fn add_role(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let role = params.named("rolename")?;
    let priority = params.priority(DEFAULT_PRIORITY)?;
    let client = find::client(tx, tenant, name)?;
    let role = find::role(tx, tenant, role)?;
    if client.roles.contains(&role) {
        return Err(AdminError::of_door(ErrorKind::Exists, "Internal error"));
    }
    let client = &client;
    RolesOfClient { tenant, client }.put_in(tx, &role, priority)?;
    Ok(None)
}

pub(crate) fn remove_role(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let name = params.named("username")?;
    let role = params.named("rolename")?;
    let client = find::client(tx, tenant, name)?;
    let role = find::role(tx, tenant, role)?;
    if client.roles.contains(&role) {
        let client = &client;
        RolesOfClient { tenant, client }.take_out(tx, &role)?;
    }
    Ok(None)
}
