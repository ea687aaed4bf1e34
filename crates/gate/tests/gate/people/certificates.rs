//! Logins by certificate.

use std::sync::Arc;
use std::time::Duration;

use countersign::core::certificate::{Fingerprint, PresentedCertificate, Validity};
use countersign::core::client_id::ClientIdRule;
use countersign::core::reason::Reason;
use countersign::core::store::AuditQuery;
use countersign::core::tenant::Authentication;
use countersign::{ConnectInfo, ConnectOutcome, Handle};
use countersign_admin::audit::ListAudit;
use countersign_admin::certificate::{AddCertificate, RemoveCertificate};
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, NewCredential, ReactivateCredential, SuspendCredential,
};
use countersign_admin::password::ChosenPassword;
use countersign_admin::secret::NewSecret;
use countersign_admin::tenant::{SetTenant, TenantChanges};

use super::authorities::FakeLeaf;
use crate::fixture::{Fixture, TRY, Try, admitted, is_admitted, name, refused, tenant_id};

const DEV1: &str = "dev1@acme";
pub(super) const HOUR: Duration = Duration::from_secs(3_600);

/// A gate whose store has `dev1@acme`, with password `right` and certificate 1.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    add_device(&mut fixture, "dev1", ClientIdRule::Any);
    add_certificate(&mut fixture, DEV1, 1, None);
    fixture
}

pub(super) fn add_device(fixture: &mut Fixture, device: &str, rule: ClientIdRule) {
    let new = NewCredential {
        secret: NewSecret::Chosen(ChosenPassword::parse("right".into()).unwrap()),
        client_id_rule: Some(rule),
        ..NewCredential::new(tenant_id("acme"), device)
    };
    fixture.run(&CreateCredential(new)).unwrap();
    fixture.settle();
}

/// Has a certificate stand for a credential, until so long from now at most.
pub(super) fn add_certificate(
    fixture: &mut Fixture,
    holder: &str,
    byte: u8,
    until: Option<Duration>,
) {
    let until = until.map(|until| fixture.now().plus(until));
    fixture
        .run(&AddCertificate {
            name: name(holder),
            fingerprint: Fingerprint([byte; 32]),
            validity: None,
            until,
        })
        .unwrap();
    fixture.settle();
}

fn remove_certificate(fixture: &mut Fixture, holder: &str, byte: u8) {
    let remove = RemoveCertificate {
        name: name(holder),
        fingerprint: Fingerprint([byte; 32]),
    };
    fixture.run(&remove).unwrap();
}

/// A certificate that began an hour ago and ends in an hour.
fn certificate(fixture: &Fixture, byte: u8) -> PresentedCertificate {
    of_nobody(byte, validity(fixture))
}

/// One that began an hour ago and ends in an hour.
pub(super) fn validity(fixture: &Fixture) -> Validity {
    Validity {
        not_before: fixture.now().minus(HOUR),
        not_after: fixture.now().plus(HOUR),
    }
}

/// A certificate that no tenant's authority signed.
fn of_nobody(byte: u8, validity: Validity) -> PresentedCertificate {
    PresentedCertificate::Read {
        fingerprint: Fingerprint([byte; 32]),
        validity,
        leaf: Arc::new(FakeLeaf::of(0)),
    }
}

/// A CONNECT with this certificate, from handle and client id of `it`.
pub(super) fn present(
    fixture: &mut Fixture,
    it: Try<'_>,
    certificate: &PresentedCertificate,
    username: Option<&str>,
    password: Option<&str>,
) -> ConnectOutcome {
    let mut info = ConnectInfo::new(Handle(it.handle), it.client_id.as_bytes());
    info.username = username.map(str::as_bytes);
    info.password = password.map(str::as_bytes);
    info.certificate = Some(certificate);
    info.address = Some("192.0.2.1");
    info.clean_start = it.clean_start;
    fixture.gate.connect(&info)
}

fn by_certificate(fixture: &mut Fixture, it: Try<'_>, byte: u8) -> ConnectOutcome {
    let certificate = certificate(fixture, byte);
    present(fixture, it, &certificate, None, None)
}

#[test]
fn a_certificate_lets_its_credential_in_without_name_and_password() {
    let mut fixture = fixture();
    assert_eq!(admitted(&by_certificate(&mut fixture, TRY, 1)), DEV1);
    assert!(fixture.publishes(TRY, DEV1, "acme/x"));
    assert!(!fixture.publishes(TRY, DEV1, "beta/x"));
    let acts = fixture.acts();
    let activated = acts
        .iter()
        .any(|(_, act, of)| act == "credential.activate" && of == DEV1);
    assert!(activated, "{acts:?}");
}

#[test]
fn a_name_must_be_the_credentials_and_a_password_decides_alone() {
    let mut fixture = fixture();
    add_device(&mut fixture, "dev2", ClientIdRule::Any);
    let its = certificate(&fixture, 1);
    for (username, password, expected) in [
        (Some(DEV1), None, Ok(DEV1)),
        (Some("dev2@acme"), None, Err(Reason::CertificateUnknown)),
        (Some("nobody"), None, Err(Reason::CertificateUnknown)),
        (Some("dev2@acme"), Some("right"), Ok("dev2@acme")),
        (Some(DEV1), Some("right"), Ok(DEV1)),
        (None, Some("right"), Err(Reason::Unauthenticated)),
        (Some("dev2@acme"), Some(""), Err(Reason::BadSecret)),
    ] {
        // What a slow check found out is there at the second try.
        let _first = present(&mut fixture, TRY, &its, username, password);
        fixture.settle();
        let outcome = present(&mut fixture, TRY, &its, username, password);
        match expected {
            Ok(name) => assert_eq!(admitted(&outcome), name, "{username:?} {password:?}"),
            Err(reason) => assert_eq!(refused(&outcome), reason, "{username:?} {password:?}"),
        }
        fixture.gate.disconnected(Handle(1));
        fixture.gate.disconnected(Handle(1));
    }
}

#[test]
fn a_certificate_that_is_nobodys_is_refused_in_every_mode_and_audited() {
    let mut fixture = fixture();
    for mode in [
        Authentication::Required,
        Authentication::Optional,
        Authentication::Off,
    ] {
        let changes = TenantChanges {
            authentication: Some(mode),
            ..TenantChanges::default()
        };
        let id = tenant_id("acme");
        fixture.run(&SetTenant { id, changes }).unwrap();
        fixture.settle();
        let outcome = by_certificate(&mut fixture, TRY, 9);
        assert_eq!(refused(&outcome), Reason::CertificateUnknown, "{mode:?}");
        let unreadable = PresentedCertificate::Unreadable;
        let outcome = present(&mut fixture, TRY, &unreadable, Some(DEV1), None);
        assert_eq!(refused(&outcome), Reason::CertificateUnknown, "{mode:?}");
    }
    fixture.pass(Duration::from_secs(120));
    fixture.settle();
    fixture.background.write();
    let rows = fixture.run(&ListAudit(AuditQuery::default())).unwrap();
    let subject = format!("certificate {}", "09".repeat(32));
    let refused = rows.iter().find(|row| row.entry.subject == subject);
    assert!(refused.is_some(), "{rows:?}");
}

#[test]
fn a_session_ends_with_its_certificate_or_sooner_where_that_was_said() {
    let mut fixture = fixture();
    add_certificate(&mut fixture, DEV1, 2, Some(HOUR / 2));
    let other = TRY.with_handle(2);
    assert!(is_admitted(&by_certificate(&mut fixture, TRY, 1)));
    assert!(is_admitted(&by_certificate(&mut fixture, other, 2)));
    fixture.pass(HOUR / 2);
    assert_eq!(fixture.kicked(), ["jane"]);
    let again = by_certificate(&mut fixture, other, 2);
    assert_eq!(refused(&again), Reason::CertificateExpired);
    // Its last second is one in which it is valid.
    fixture.pass(HOUR / 2);
    assert!(fixture.kicked().is_empty());
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.kicked(), ["a"]);
}

#[test]
fn what_is_not_valid_yet_or_any_more_is_refused() {
    let mut fixture = fixture();
    let now = fixture.now();
    for (not_before, not_after, reason) in [
        (now.plus(HOUR), now.plus(HOUR), Reason::NotYetValid),
        (now.minus(HOUR), now.minus(HOUR), Reason::CertificateExpired),
    ] {
        let validity = Validity {
            not_before,
            not_after,
        };
        let presented = of_nobody(1, validity);
        let outcome = present(&mut fixture, TRY, &presented, None, None);
        assert_eq!(refused(&outcome), reason);
    }
}

#[test]
fn what_ends_a_certificate_or_its_credential_ends_its_sessions_alone() {
    let mut fixture = fixture();
    add_certificate(&mut fixture, DEV1, 2, None);
    let other = TRY.with_handle(2);
    assert!(is_admitted(&by_certificate(&mut fixture, TRY, 1)));
    assert!(is_admitted(&by_certificate(&mut fixture, other, 2)));
    remove_certificate(&mut fixture, DEV1, 1);
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    let again = by_certificate(&mut fixture, TRY, 1);
    assert_eq!(refused(&again), Reason::CertificateUnknown);
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    fixture.run(&ReactivateCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["jane"]);
    fixture.gate.disconnected(Handle(2));
    assert!(is_admitted(&by_certificate(&mut fixture, other, 2)));
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    assert_eq!(fixture.kicked(), ["jane"]);
    let suspended = by_certificate(&mut fixture, TRY, 2);
    assert_eq!(refused(&suspended), Reason::Suspended);
    fixture.run(&DeleteCredential(name(DEV1))).unwrap();
    fixture.settle();
    let deleted = by_certificate(&mut fixture, TRY, 2);
    assert_eq!(refused(&deleted), Reason::CertificateUnknown);
    // A new one of that name inherits no certificate.
    add_device(&mut fixture, "dev1", ClientIdRule::Any);
    let inherited = by_certificate(&mut fixture, TRY, 2);
    assert_eq!(refused(&inherited), Reason::CertificateUnknown);
}

#[test]
fn a_certificate_that_went_to_another_credential_ends_the_first_ones_session() {
    let mut fixture = fixture();
    add_device(&mut fixture, "dev2", ClientIdRule::Any);
    assert!(is_admitted(&by_certificate(&mut fixture, TRY, 1)));
    remove_certificate(&mut fixture, DEV1, 1);
    fixture
        .run(&AddCertificate {
            name: name("dev2@acme"),
            fingerprint: Fingerprint([1; 32]),
            validity: None,
            until: None,
        })
        .unwrap();
    assert_eq!(fixture.kicked(), ["a"]);
    fixture.gate.disconnected(Handle(1));
    let other = TRY.with_handle(2);
    assert_eq!(
        admitted(&by_certificate(&mut fixture, other, 1)),
        "dev2@acme"
    );
}

#[test]
fn after_a_reload_a_certificate_is_recognised_and_no_other_is() {
    let mut fixture = fixture();
    add_certificate(&mut fixture, DEV1, 2, None);
    assert!(is_admitted(&by_certificate(&mut fixture, TRY, 1)));
    // The gate has not heard of it yet.
    fixture.run(&SuspendCredential(name(DEV1))).unwrap();
    fixture.gate.reload();
    let its = certificate(&fixture, 1);
    let outcome = present(&mut fixture, TRY, &its, Some(DEV1), None);
    assert_eq!(admitted(&outcome), DEV1);
    let other = certificate(&fixture, 2);
    let outcome = present(&mut fixture, TRY, &other, Some(DEV1), None);
    assert_eq!(refused(&outcome), Reason::Suspended);
}

#[test]
fn client_ids_are_ruled_tied_and_owned_as_with_a_password() {
    let mut fixture = fixture();
    add_device(&mut fixture, "dev2", ClientIdRule::FirstUse);
    add_certificate(&mut fixture, "dev2@acme", 2, None);
    let first = TRY.with_handle(2);
    let (mine, others) = (
        Try {
            client_id: "mine",
            ..first
        },
        Try {
            client_id: "others",
            ..first
        },
    );
    assert!(is_admitted(&by_certificate(&mut fixture, mine, 2)));
    fixture.gate.disconnected(Handle(2));
    fixture.gate.disconnected(Handle(2));
    let outcome = by_certificate(&mut fixture, others, 2);
    assert_eq!(refused(&outcome), Reason::ClientIdMismatch);
    // An id that is tied to one is never another's.
    let thief = Try { handle: 1, ..mine };
    let outcome = by_certificate(&mut fixture, thief, 1);
    assert_eq!(refused(&outcome), Reason::ClientIdOwned);
}
