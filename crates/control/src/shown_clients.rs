//! What clients are shown as.

use countersign_admin::credential::ListCredentials;
use countersign_admin::{AdminError, Tx};
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::role::RoleName;
use countersign_core::store::{CredentialQuery, Page};

use crate::acl::TEXT_NAME;
use crate::find;
use crate::json::Json;
use crate::listing::{Listing, described, prioritised};
use crate::note::{self, ClientNote};
use crate::params::Params;

pub(crate) fn get(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let client = find::client(tx, tenant, params.named("username")?)?;
    let shown = to_json(tx, tenant, &client)?;
    Ok(Some(Json::Object(vec![("client".into(), shown)])))
}

fn to_json(tx: &mut Tx<'_>, tenant: &TenantId, client: &Credential) -> Result<Json, AdminError> {
    let note: ClientNote = note::of(tx, tenant, client.name.as_str())?;
    let mut shown = vec![("username".into(), Json::text(client.name.as_str()))];
    if let ClientIdRule::Exact(id) = &client.client_id_rule {
        shown.push(("clientid".into(), Json::text(id.as_str())));
    }
    let textname = client.attributes.get(TEXT_NAME).map(String::as_str);
    described(&mut shown, textname, client.description.as_deref());
    if matches!(client.state, State::Suspended | State::Revoked) {
        shown.push(("disabled".into(), Json::Bool(true)));
    }
    let roles = prioritised("rolename", &client.roles, RoleName::as_str, &note.roles);
    shown.push(("roles".into(), roles));
    let groups = prioritised("groupname", &client.groups, GroupPath::as_str, &note.groups);
    shown.push(("groups".into(), groups));
    let connections = tx.presence_of_credential(client.id)?.into_iter();
    let connections = connections.map(|it| {
        let address = it.presence.address.as_deref().map(Json::text);
        Json::Object(
            address
                .into_iter()
                .map(|it| ("address".into(), it))
                .collect(),
        )
    });
    shown.push(("connections".into(), Json::Array(connections.collect())));
    Ok(Json::Object(shown))
}

pub(crate) fn list(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    params: Params<'_>,
) -> Result<Option<Json>, AdminError> {
    let listing = Listing::of(params);
    let mut clients = all(tx, tenant)?;
    let total = clients.len();
    let mut items = Vec::new();
    for client in listing.cut(&mut clients) {
        items.push(if listing.is_verbose {
            to_json(tx, tenant, &client)?
        } else {
            Json::text(client.name.as_str())
        });
    }
    Ok(Some(Listing::answer("clients", total, items)))
}

/// The clients that the caller sees.
fn all(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Vec<Credential>, AdminError> {
    let mut clients = Vec::new();
    let mut list = ListCredentials {
        query: CredentialQuery {
            tenant: Some(tenant.clone()),
            ..CredentialQuery::default()
        },
        page: Page::default(),
    };
    loop {
        let page = tx.run(&list)?;
        let devices = page.listed.rows.into_iter();
        clients.extend(devices.filter(|it| matches!(it.kind, Kind::Device)));
        match page.listed.next {
            Some(key) => list.page = Page::after(key),
            None => return Ok(clients),
        }
    }
}

/// How many clients there are.
pub(crate) fn count(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<usize, AdminError> {
    Ok(all(tx, tenant)?.len())
}
