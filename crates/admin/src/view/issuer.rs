//! Issuers of others, as they are shown.

use std::collections::BTreeMap;

use countersign_core::issuer::{Algorithm, ClaimName, IssuerRecord, KeySource};
use countersign_issuer::KeySet;
use serde::Serialize;

use super::registration::RegistrationView;
use super::{duration, rfc3339};

/// All that is shown of an issuer. The audit keeps the same.
#[derive(Clone, Debug, Serialize)]
pub struct IssuerView {
    name: String,
    tenant: String,
    iss: String,
    audience: String,
    alg: Vec<&'static str>,
    identity: String,
    role_claim: Option<String>,
    role_map: BTreeMap<String, String>,
    #[serde(flatten)]
    registers: RegistrationView,
    keys: Vec<KeyView>,
    keys_at: String,
    #[serde(flatten)]
    source: SourceView,
    added_at: String,
}

/// What is shown of where its keys are fetched; nothing where they are not.
#[derive(Clone, Debug, Serialize)]
struct SourceView {
    jwks_url: Option<String>,
    allow_private: Option<bool>,
    max_key_age: Option<String>,
    fetched_at: Option<String>,
    tried_at: Option<String>,
    problem: Option<String>,
}

impl SourceView {
    fn of(source: Option<&KeySource>) -> Self {
        let place = source.map(|it| &it.place);
        Self {
            jwks_url: place.map(|it| it.url.to_string()),
            allow_private: place.map(|it| it.allow_private),
            max_key_age: place.map(|it| duration(it.max_age.get())),
            fetched_at: source.and_then(|it| it.fetched_at).map(rfc3339),
            tried_at: source.and_then(|it| it.tried_at).map(rfc3339),
            problem: source.and_then(|it| it.problem.as_deref().map(str::to_owned)),
        }
    }
}

/// What is shown of one of its keys.
#[derive(Clone, Debug, Serialize)]
struct KeyView {
    kid: Option<String>,
    alg: &'static str,
}

impl IssuerView {
    /// The view of an issuer.
    #[must_use]
    pub fn of(record: &IssuerRecord) -> Self {
        let algorithms = record.algorithms.as_slice();
        let map = record.roles.iter();
        Self {
            name: record.name.to_string(),
            tenant: record.tenant.to_string(),
            iss: record.issuer.to_string(),
            audience: record.audience.to_string(),
            alg: algorithms.iter().copied().map(Algorithm::name).collect(),
            identity: record.identity.to_string(),
            role_claim: record.role_claim.as_ref().map(ClaimName::to_string),
            role_map: map
                .map(|(word, role)| (word.to_string(), role.to_string()))
                .collect(),
            registers: RegistrationView::of(record.registers.as_ref()),
            keys: KeySet::of_record(record).map_or_else(|_| Vec::new(), |keys| shown(&keys)),
            keys_at: rfc3339(record.keys_at),
            source: SourceView::of(record.source.as_ref()),
            added_at: rfc3339(record.added_at),
        }
    }
}

fn shown(keys: &KeySet) -> Vec<KeyView> {
    let names = keys.names();
    let view = |(id, algorithm): (Option<&str>, Algorithm)| KeyView {
        kid: id.map(str::to_owned),
        alg: algorithm.name(),
    };
    names.map(view).collect()
}
