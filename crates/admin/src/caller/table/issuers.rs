//! The rows of issuers, and of what they and authorities register.

use countersign_core::issuer::{IdentityClaim, IssuerName, IssuerText};
use countersign_issuer::{KeySet, KeyText};

use super::*;
use crate::authority::ForgetRegisteredDevice;
use crate::issuer::{
    AddIssuer, ForgetIssuedIdentity, ListIssuers, RemoveIssuer, RevokeIssuedToken, SetIssuerKeys,
    ShowIssuer,
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
        keys: keys(),
    }
}

const PEM: &str = include_str!("../../../../issuer/tests/keys/p256.pem");

fn keys() -> KeySet {
    KeySet::of_pem(PEM, &"ES256".parse().unwrap()).unwrap()
}

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    rows! {
        Platform AddIssuer issuer(IssuerName::parse("more").unwrap(), "other");
        Platform ForgetIssuedIdentity ForgetIssuedIdentity { issuer: sso(), identity: "gone".into() };
        Platform ForgetRegisteredDevice ForgetRegisteredDevice {
            authority: ITS_AUTHORITY, name: "gone".into(),
        };
        Platform ListIssuers ListIssuers::default();
        Platform RemoveIssuer RemoveIssuer(sso());
        Platform RevokeIssuedToken RevokeIssuedToken {
            issuer: sso(), token: IssuerText::parse("t-1").unwrap(),
        };
        Platform SetIssuerKeys SetIssuerKeys { name: sso(), keys: KeyText::Pem(PEM.into()) };
        Platform ShowIssuer ShowIssuer(sso());
    }
}
