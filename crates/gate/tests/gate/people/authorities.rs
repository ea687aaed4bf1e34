//! Logins by certificates of which authorities say whose they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign::core::certificate::{
    AuthorityKey, Fingerprint, IdentityKind, KeyAlgorithm, Leaf, NamePattern, PresentedCertificate,
    SignerHints, Validity,
};
use countersign::core::client_id::ClientIdRule;
use countersign::core::reason::Reason;
use countersign::core::scheme::SchemeName;
use countersign::core::store::AuditQuery;
use countersign::core::tenant::Authentication;
use countersign::{ConnectOutcome, Handle};
use countersign_admin::audit::ListAudit;
use countersign_admin::authority::{AddAuthority, RemoveAuthority};
use countersign_admin::credential::{CreateCredential, NewCredential, SuspendCredential};
use countersign_admin::tenant::{SetTenant, TenantChanges};

use super::certificates::{HOUR, add_certificate, add_device, present, validity};
use crate::fixture::{Fixture, TRY, Try, admitted, is_admitted, name, refused, tenant_id};

/// What somebody signed.
#[derive(Debug)]
pub(super) struct FakeLeaf {
    /// Who it says signed it.
    pub(super) signer: u8,
    /// Whose key did.
    pub(super) key: u8,
    pub(super) names: Vec<(IdentityKind, &'static str)>,
    /// How often somebody looked at the signature.
    pub(super) looks: AtomicUsize,
}

impl FakeLeaf {
    pub(super) fn of(signer: u8) -> Self {
        Self {
            signer,
            key: signer,
            names: Vec::new(),
            looks: AtomicUsize::new(0),
        }
    }

    pub(super) fn called(signer: u8, name: &'static str) -> Self {
        Self {
            names: vec![(IdentityKind::CommonName, name)],
            ..Self::of(signer)
        }
    }
}

impl Leaf for FakeLeaf {
    fn signer(&self) -> SignerHints {
        hints(self.signer)
    }

    fn is_signed_with(&self, key: &AuthorityKey) -> bool {
        self.looks.fetch_add(1, Ordering::SeqCst);
        *key.bytes == [self.key; 32]
    }

    fn identity(&self, kind: IdentityKind) -> Option<String> {
        let mut names = self.names.iter().filter(|(of, _)| *of == kind);
        let (_, name) = names.next()?;
        names.next().is_none().then(|| (*name).to_owned())
    }
}

fn hints(byte: u8) -> SignerHints {
    SignerHints {
        key_id: None,
        name: [byte; 32],
    }
}

/// A certificate with this fingerprint that is valid for an hour.
fn signed(fixture: &Fixture, byte: u8, leaf: FakeLeaf) -> (PresentedCertificate, Arc<FakeLeaf>) {
    let leaf = Arc::new(leaf);
    let presented = PresentedCertificate::Read {
        fingerprint: Fingerprint([byte; 32]),
        validity: validity(fixture),
        leaf: Arc::clone(&leaf) as Arc<dyn Leaf>,
    };
    (presented, leaf)
}

pub(super) fn by(fixture: &mut Fixture, it: Try<'_>, byte: u8, leaf: FakeLeaf) -> ConnectOutcome {
    let (certificate, _) = signed(fixture, byte, leaf);
    present(fixture, it, &certificate, None, None)
}

pub(super) fn authority(tenant: &str, byte: u8) -> AddAuthority {
    AddAuthority {
        tenant: tenant_id(tenant),
        fingerprint: Fingerprint([byte; 32]),
        subject: format!("CN={byte}"),
        key: AuthorityKey {
            algorithm: KeyAlgorithm::Ed25519,
            bytes: [byte; 32].into(),
        },
        signer: hints(byte),
        validity: Validity {
            not_before: countersign::core::time::Timestamp::from_millis(0),
            not_after: countersign::core::time::Timestamp::from_millis(i64::MAX),
        },
        identity: IdentityKind::CommonName,
        pattern: NamePattern::default(),
        registers: None,
    }
}

/// `dev1@acme` and `dev1@beta`, and an authority of each tenant: 1 and 2.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    add_device(&mut fixture, "dev1", ClientIdRule::Any);
    let theirs = NewCredential::new(tenant_id("beta"), "dev1");
    fixture.run(&CreateCredential(theirs)).unwrap();
    for (tenant, byte) in [("acme", 1), ("beta", 2)] {
        fixture.run(&authority(tenant, byte)).unwrap();
    }
    fixture.settle();
    fixture
}

const UNKNOWN: Reason = Reason::CertificateUnknown;

#[test]
fn what_an_authority_signs_names_credentials_of_its_tenant_alone() {
    let mut fixture = fixture();
    let ours = by(&mut fixture, TRY, 11, FakeLeaf::called(1, "dev1"));
    assert_eq!(admitted(&ours), "dev1@acme");
    assert!(fixture.publishes(TRY, "dev1@acme", "acme/x"));
    let other = TRY.with_handle(2);
    let theirs = by(&mut fixture, other, 12, FakeLeaf::called(2, "dev1"));
    assert_eq!(admitted(&theirs), "dev1@beta");
    for stranger in ["dev1@beta", "dev1@acme", "dev2", "", "dev1@", "a\0b"] {
        let refusal = by(
            &mut fixture,
            TRY.with_handle(3),
            13,
            FakeLeaf::called(1, stranger),
        );
        assert_eq!(refused(&refusal), UNKNOWN, "{stranger:?}");
    }
}

#[test]
fn a_name_proves_nothing_where_the_signature_does_not() {
    let mut fixture = fixture();
    // It says that authority 1 signed it, which somebody else did.
    for key in [2, 9] {
        let leaf = FakeLeaf {
            key,
            ..FakeLeaf::called(1, "dev1")
        };
        let refusal = by(&mut fixture, TRY, 11, leaf);
        assert_eq!(refused(&refusal), UNKNOWN);
    }
    // Two authorities of one name are told apart by their keys.
    let same_name = AddAuthority {
        signer: hints(1),
        ..authority("beta", 3)
    };
    fixture.run(&same_name).unwrap();
    fixture.settle();
    let ours = by(&mut fixture, TRY, 14, FakeLeaf::called(1, "dev1"));
    assert_eq!(admitted(&ours), "dev1@acme");
    let leaf = FakeLeaf {
        key: 3,
        ..FakeLeaf::called(1, "dev1")
    };
    let theirs = by(&mut fixture, TRY.with_handle(2), 15, leaf);
    assert_eq!(admitted(&theirs), "dev1@beta");
}

#[test]
fn a_fingerprint_that_another_tenant_added_gains_it_nothing() {
    let mut fixture = fixture();
    add_certificate(&mut fixture, "dev1@beta", 11, Some(HOUR / 2));
    let ours = by(&mut fixture, TRY, 11, FakeLeaf::called(1, "dev1"));
    assert_eq!(admitted(&ours), "dev1@acme");
    // Nor does it end the session sooner.
    fixture.pass(HOUR / 2);
    fixture.settle();
    assert!(fixture.kicked().is_empty());
    // Where the authority names nobody, it is nobody's.
    add_certificate(&mut fixture, "dev1@beta", 12, None);
    let nobody = by(
        &mut fixture,
        TRY.with_handle(2),
        12,
        FakeLeaf::called(1, "none"),
    );
    assert_eq!(refused(&nobody), UNKNOWN);
    // In its own tenant a fingerprint comes before the name.
    add_device(&mut fixture, "dev2", ClientIdRule::Any);
    add_certificate(&mut fixture, "dev2@acme", 13, None);
    let own = by(
        &mut fixture,
        TRY.with_handle(2),
        13,
        FakeLeaf::called(1, "dev1"),
    );
    assert_eq!(admitted(&own), "dev2@acme");
}

#[test]
fn each_kind_is_read_by_its_pattern_and_two_of_one_are_refused() {
    let mut fixture = fixture();
    for (byte, kind) in (20..).zip(IdentityKind::ALL) {
        let add = AddAuthority {
            identity: kind,
            pattern: NamePattern::parse("urn:${name}.x").unwrap(),
            ..authority("acme", byte)
        };
        fixture.run(&add).unwrap();
        fixture.settle();
        let leaf = |names: &[&'static str]| FakeLeaf {
            names: names.iter().map(|name| (kind, *name)).collect(),
            ..FakeLeaf::of(byte)
        };
        for (number, (names, is_let_in)) in [
            (&["urn:dev1.x"][..], true),
            (&["urn:dev1"], false),
            (&["urn:dev1.x.x"], false),
            (&["xurn:dev1.x"], false),
            (&["urn:.x"], false),
            (&["urn:dev1.x", "urn:dev2.x"], false),
            (&[], false),
        ]
        .into_iter()
        .enumerate()
        {
            let print = 100 + (byte - 20) * 7 + u8::try_from(number).unwrap();
            let outcome = by(&mut fixture, TRY, print, leaf(names));
            assert_eq!(is_admitted(&outcome), is_let_in, "{kind:?} {names:?}");
            fixture.gate.disconnected(Handle(1));
            fixture.pass(HOUR / 60);
        }
        let fingerprint = Fingerprint([byte; 32]);
        fixture.run(&RemoveAuthority(fingerprint)).unwrap();
        fixture.settle();
    }
}

#[test]
fn a_name_that_is_no_tenants_is_taken_where_the_scheme_adds_nothing() {
    let mut fixture = fixture();
    for tenant in ["acme", "beta"] {
        let plain = NewCredential {
            scheme: SchemeName::plain(),
            ..NewCredential::new(tenant_id(tenant), format!("meter of {tenant}"))
        };
        fixture.run(&CreateCredential(plain)).unwrap();
    }
    fixture.settle();
    let ours = by(&mut fixture, TRY, 11, FakeLeaf::called(1, "meter of acme"));
    assert_eq!(admitted(&ours), "meter of acme");
    let theirs = by(
        &mut fixture,
        TRY.with_handle(2),
        12,
        FakeLeaf::called(1, "meter of beta"),
    );
    assert_eq!(refused(&theirs), UNKNOWN);
}

#[test]
fn what_ends_an_authority_or_a_credential_ends_its_sessions_and_its_certificate_does() {
    let mut fixture = fixture();
    let leaf = || FakeLeaf::called(1, "dev1");
    assert!(is_admitted(&by(&mut fixture, TRY, 11, leaf())));
    // Added again, it is another authority.
    fixture.run(&RemoveAuthority(Fingerprint([1; 32]))).unwrap();
    fixture.run(&authority("acme", 1)).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    assert!(is_admitted(&by(&mut fixture, TRY, 11, leaf())));
    fixture.run(&SuspendCredential(name("dev1@acme"))).unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    let suspended = by(&mut fixture, TRY, 11, leaf());
    assert_eq!(refused(&suspended), Reason::Suspended);
    let other = TRY.with_handle(2);
    let theirs = FakeLeaf::called(2, "dev1");
    assert!(is_admitted(&by(&mut fixture, other, 12, theirs)));
    fixture.pass(HOUR);
    assert!(fixture.kicked().is_empty());
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.kicked(), ["jane"]);
    fixture.run(&RemoveAuthority(Fingerprint([1; 32]))).unwrap();
    fixture.settle();
    let removed = by(&mut fixture, TRY, 11, leaf());
    assert_eq!(refused(&removed), UNKNOWN);
}

#[test]
fn a_signature_is_looked_at_once_however_often_its_client_comes() {
    let mut fixture = fixture();
    let (certificate, leaf) = signed(&fixture, 11, FakeLeaf::called(1, "dev1"));
    for _ in 0..3 {
        let outcome = present(&mut fixture, TRY, &certificate, None, None);
        assert_eq!(admitted(&outcome), "dev1@acme");
        fixture.gate.disconnected(Handle(1));
        // Whatever changes, it stays signed.
        add_certificate(&mut fixture, "dev1@beta", 77, None);
        let removed = countersign_admin::certificate::RemoveCertificate {
            name: name("dev1@beta"),
            fingerprint: Fingerprint([77; 32]),
        };
        fixture.run(&removed).unwrap();
        fixture.settle();
    }
    assert_eq!(leaf.looks.load(Ordering::SeqCst), 1);
}

#[test]
fn signatures_of_nobody_count_as_failures_and_end_at_the_budget() {
    let mut fixture = fixture();
    let forged = |byte| FakeLeaf {
        key: 9,
        ..FakeLeaf::called(byte, "dev1")
    };
    let (known, _) = signed(&fixture, 11, FakeLeaf::called(1, "dev1"));
    let outcome = present(&mut fixture, TRY, &known, None, None);
    assert!(is_admitted(&outcome));
    fixture.gate.disconnected(Handle(1));
    let mut reasons = Vec::new();
    for byte in 100..250 {
        let outcome = by(&mut fixture, TRY.with_handle(2), byte, forged(1));
        let reason = refused(&outcome);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    assert_eq!(reasons, [UNKNOWN, Reason::TooManyFailures]);
    // One that is known needs no look.
    let outcome = present(&mut fixture, TRY, &known, None, None);
    assert!(is_admitted(&outcome));
    // One that is of no authority costs none, and is refused as before.
    let outcome = by(&mut fixture, TRY.with_handle(3), 251, forged(50));
    assert_eq!(refused(&outcome), UNKNOWN);
}

#[test]
fn the_audit_names_whom_an_authority_means_and_no_other_tenants_credential() {
    let mut fixture = fixture();
    let changes = TenantChanges {
        authentication: Some(Authentication::Off),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes }).unwrap();
    add_certificate(&mut fixture, "dev1@beta", 12, None);
    fixture.run(&SuspendCredential(name("dev1@acme"))).unwrap();
    fixture.settle();
    let suspended = by(&mut fixture, TRY, 11, FakeLeaf::called(1, "dev1"));
    assert_eq!(refused(&suspended), Reason::Suspended);
    let nobody = by(&mut fixture, TRY, 12, FakeLeaf::called(1, "none"));
    assert_eq!(refused(&nobody), UNKNOWN);
    fixture.pass(Duration::from_secs(120));
    fixture.settle();
    fixture.background.write();
    let rows = fixture.run(&ListAudit(AuditQuery::default())).unwrap();
    let told = |subject: &str, cause: Reason| {
        rows.iter()
            .any(|row| row.entry.subject == subject && row.entry.cause == Some(cause))
    };
    assert!(told("dev1@acme", Reason::Suspended), "{rows:?}");
    let print = format!("certificate {}", "0c".repeat(32));
    assert!(told(&print, UNKNOWN), "{rows:?}");
    assert!(!told("dev1@beta", UNKNOWN), "{rows:?}");
}
