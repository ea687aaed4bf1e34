//! The rows of issuers, and of what they and authorities register.

use countersign_core::issuer::{
    IdentityClaim, IssuerId, IssuerName, IssuerText, KeyPlace, KeySource, KeysUrl, MaxKeyAge,
};
use countersign_core::time::Timestamp;
use countersign_issuer::{KeySet, KeyText};

use super::*;
use crate::authority::ForgetRegisteredDevice;
use crate::issuer::{
    AddIssuer, AskForKeys, ForgetIssuedIdentity, KeyOrigin, ListDueKeys, ListIssuers,
    NoteFetchedKeys, RemoveIssuer, RevokeIssuedToken, SetIssuerKeys, ShowIssuer,
};

/// An issuer that there is.
pub(super) fn sso() -> IssuerName {
    IssuerName::parse("sso").unwrap()
}

/// An issuer whose tokens are for this one.
pub(super) fn issuer(name: IssuerName, audience: &str) -> AddIssuer {
    AddIssuer {
        name,
        tenant: tenant_id("acme"),
        issuer: IssuerText::parse("https://sso.example").unwrap(),
        audience: IssuerText::parse(audience).unwrap(),
        algorithms: "ES256".parse().unwrap(),
        identity: IdentityClaim::parse("sub").unwrap(),
        role_claim: None,
        roles: [].into(),
        registers: None,
        keys: KeyOrigin::Given(keys()),
    }
}

/// One whose keys are fetched.
pub(super) fn fetching() -> AddIssuer {
    AddIssuer {
        keys: KeyOrigin::Fetched(place()),
        ..issuer(fetched(), "fetched")
    }
}

fn fetched() -> IssuerName {
    IssuerName::parse("fetched").unwrap()
}

fn place() -> KeyPlace {
    KeyPlace {
        url: KeysUrl::parse("https://sso.example/keys").unwrap(),
        allow_private: false,
        max_age: MaxKeyAge::DEFAULT,
    }
}

const PEM: &str = include_str!("../../../../issuer/tests/keys/p256.pem");

fn keys() -> KeySet {
    KeySet::of_pem(PEM, &"ES256".parse().unwrap()).unwrap()
}

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    rows! {
        Platform AddIssuer issuer(IssuerName::parse("more").unwrap(), "other");
        Platform AskForKeys AskForKeys(fetched());
        Platform ForgetIssuedIdentity ForgetIssuedIdentity { issuer: sso(), identity: "gone".into() };
        Platform ForgetRegisteredDevice ForgetRegisteredDevice {
            authority: ITS_AUTHORITY, name: "gone".into(),
        };
        Platform ListDueKeys ListDueKeys;
        Platform ListIssuers ListIssuers::default();
        Platform NoteFetchedKeys NoteFetchedKeys {
            issuer: IssuerId(1),
            from: KeySource::new(place(), Timestamp::from_millis(0)),
            fetched: Err("it answered 503".into()),
        };
        Platform RemoveIssuer RemoveIssuer(sso());
        Platform RevokeIssuedToken RevokeIssuedToken {
            issuer: sso(), token: IssuerText::parse("t-1").unwrap(),
        };
        Platform SetIssuerKeys SetIssuerKeys { name: sso(), keys: KeyOrigin::Given(KeyText::Pem(PEM.into())) };
        Platform ShowIssuer ShowIssuer(sso());
    }
}
