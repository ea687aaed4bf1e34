//! Applications, their things, and what else is added without a secret.

use std::collections::BTreeMap;

use countersign_core::auto_registration::AutoRegistration;
use countersign_core::client_id::ClientIdRule;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::{Application, ApplicationName, Kind, Thing};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::SecretId;
use countersign_core::store::AdminStore;

use super::{add, commit, credential, make_roles, role_name, tenant_id};

pub(crate) fn make<S: AdminStore>(store: &mut S, credential: &Credential) -> CredentialId {
    commit(store, &[], |transaction| {
        transaction.add_credential(credential)
    })
}

/// The application `fleet` of `acme`, with one token and a role where there is
/// one.
pub(crate) fn make_application<S: AdminStore>(
    store: &mut S,
    about: Application,
    token: u8,
) -> (CredentialId, SecretId) {
    make_roles(store, "acme", &["meter"]);
    let made = Credential {
        roles: vec![role_name("meter")],
        ..application("application:fleet@acme", about)
    };
    add(store, &made, token)
}

pub(crate) fn about(is_org_admin: bool, registers_things: bool) -> Application {
    Application {
        is_org_admin,
        registers: registers_things.then(AutoRegistration::default),
    }
}

pub(crate) fn application(name: &str, about: Application) -> Credential {
    Credential {
        kind: Kind::Application(about),
        scheme: SchemeName::parse("application").unwrap(),
        ..credential(name)
    }
}

/// A thing of `acme`.
pub(crate) fn thing(key: &str, application: CredentialId) -> Credential {
    Credential {
        kind: Kind::Thing(Thing {
            application,
            application_name: ApplicationName::parse("fleet").unwrap(),
            is_org_admin: false,
        }),
        tenant: Some(tenant_id("acme")),
        scheme: SchemeName::parse("application").unwrap(),
        client_id_rule: ClientIdRule::FirstUse,
        attributes: BTreeMap::from([("thing_key".into(), key.into())]),
        ..credential(key)
    }
}
