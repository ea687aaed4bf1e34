//! Devices that authorities and issuers register by their first login. All of it holds for
//! both.

use std::time::Duration;

use countersign::core::auto_registration::DeviceRegistration;
use countersign::core::certificate::Fingerprint;
use countersign::core::client_id::ClientId;
use countersign::core::credential::Credential;
use countersign::core::reason::Reason;
use countersign::core::role::RoleName;
use countersign::{ConnectOutcome, Handle};
use countersign_admin::authority::{AddAuthority, ForgetRegisteredDevice, RemoveAuthority};
use countersign_admin::ban::{AddBan, BanNamed, Banned, RemoveBan};
use countersign_admin::credential::{
    CreateCredential, DeleteCredential, NewCredential, ShowCredential, SuspendCredential,
};
use countersign_admin::issuer::{AddIssuer, ForgetIssuedIdentity, RemoveIssuer};
use countersign_admin::role::{DeleteRole, RoleDeletion};

use super::authorities::{FakeLeaf, authority, by};
use super::issuers::{called, issuer, token, with};
use crate::fixture::{Fixture, TRY, Try, admitted, is_admitted, name, refused, tenant_id};

/// Who registers devices of `acme`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Authority,
    Issuer,
}

const KINDS: [Kind; 2] = [Kind::Authority, Kind::Issuer];

impl Kind {
    /// A gate with a role `meter` of `acme`, and one of this kind that makes so many
    /// devices with it.
    fn fixture(self, max: u32) -> Fixture {
        let mut fixture = Fixture::new();
        fixture.role("meter", "acme", "acme/meter/${username}/#");
        self.add(&mut fixture, Some(max));
        fixture
    }

    fn add(self, fixture: &mut Fixture, max: Option<u32>) {
        let registers = max.map(|max| DeviceRegistration {
            role: role(),
            max,
            registered: 0,
        });
        match self {
            Self::Authority => {
                let add = AddAuthority {
                    registers,
                    ..authority("acme", 1)
                };
                fixture.run(&add).unwrap();
            }
            Self::Issuer => {
                let add = AddIssuer {
                    registers,
                    ..issuer("acme", 1)
                };
                fixture.run(&add).unwrap();
            }
        }
        fixture.settle();
    }

    fn remove(self, fixture: &mut Fixture) {
        match self {
            Self::Authority => fixture.run(&RemoveAuthority(Fingerprint([1; 32]))),
            Self::Issuer => fixture.run(&RemoveIssuer(called("acme"))),
        }
        .unwrap();
        fixture.settle();
    }

    fn forget(self, fixture: &mut Fixture, name: &str) {
        match self {
            Self::Authority => fixture.run(&ForgetRegisteredDevice {
                authority: Fingerprint([1; 32]),
                name: name.into(),
            }),
            Self::Issuer => fixture.run(&ForgetIssuedIdentity {
                issuer: called("acme"),
                identity: name.into(),
            }),
        }
        .unwrap();
    }

    /// A client that presents what one of this kind signed for `name`, and is gone again.
    fn comes(self, fixture: &mut Fixture, name: &str) -> ConnectOutcome {
        let it = Try {
            client_id: name,
            ..TRY
        };
        let outcome = match self {
            Self::Authority => {
                // Of each name another certificate.
                let byte = name
                    .bytes()
                    .fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
                let leaf = FakeLeaf::called(1, name.to_owned().leak());
                by(fixture, it, byte, leaf)
            }
            Self::Issuer => {
                let token = token(fixture, 1, "acme", name);
                fixture.connect(Try {
                    client_id: name,
                    ..with("jwt", &token)
                })
            }
        };
        fixture.gate.disconnected(Handle(1));
        outcome
    }

    /// What is said of one that is nobody's.
    fn unknown(self) -> Reason {
        match self {
            Self::Authority => Reason::CertificateUnknown,
            Self::Issuer => Reason::UnknownName,
        }
    }
}

/// A credential, if there is one.
fn shown(fixture: &mut Fixture, called: &str) -> Option<Credential> {
    let shown = fixture.run(&ShowCredential(name(called)));
    shown.ok().map(|it| it.credential)
}

fn role() -> RoleName {
    RoleName::parse("meter").unwrap()
}

#[test]
fn a_device_is_made_of_what_was_signed_with_the_role_and_comes_again_as_that() {
    for kind in KINDS {
        let mut fixture = kind.fixture(1);
        assert_eq!(admitted(&kind.comes(&mut fixture, "new1")), "new1@acme");
        assert_eq!(admitted(&kind.comes(&mut fixture, "new1")), "new1@acme");
        let made = shown(&mut fixture, "new1@acme").unwrap();
        assert_eq!(made.roles, [role()], "{kind:?}");
        assert!(made.secrets.is_empty() && made.ever_used);
        let made = (
            "broker:bench".to_owned(),
            "credential.create".to_owned(),
            "new1@acme".to_owned(),
        );
        let acts = fixture.acts();
        assert_eq!(acts.iter().filter(|act| **act == made).count(), 1);
        // It is as any other from then on.
        fixture.run(&SuspendCredential(name("new1@acme"))).unwrap();
        fixture.settle();
        let suspended = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&suspended), Reason::Suspended, "{kind:?}");
    }
}

#[test]
fn nobody_is_made_where_that_is_not_asked_for_or_the_role_is_gone() {
    for kind in KINDS {
        let mut fixture = kind.fixture(5);
        kind.remove(&mut fixture);
        kind.add(&mut fixture, None);
        let outcome = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&outcome), kind.unknown(), "{kind:?}");
        kind.remove(&mut fixture);
        kind.add(&mut fixture, Some(5));
        assert!(is_admitted(&kind.comes(&mut fixture, "new1")));
        let delete = DeleteRole {
            tenant: tenant_id("acme"),
            name: role(),
            deletion: RoleDeletion::WithGrants,
        };
        fixture.run(&delete).unwrap();
        fixture.settle();
        let outcome = kind.comes(&mut fixture, "new2");
        assert_eq!(refused(&outcome), kind.unknown(), "{kind:?}");
        // Who is there stays.
        assert!(is_admitted(&kind.comes(&mut fixture, "new1")));
    }
}

#[test]
fn no_name_is_taken_that_is_not_one_level_or_another_kinds() {
    for kind in KINDS {
        let mut fixture = kind.fixture(50);
        let long = "x".repeat(65);
        for odd in [
            "a/b",
            "a+b",
            "a b",
            "a@beta",
            "jwt:me",
            "application:x",
            "a\u{202e}b",
            &long,
        ] {
            let outcome = kind.comes(&mut fixture, odd);
            assert_eq!(refused(&outcome), Reason::Malformed, "{kind:?} {odd:?}");
            // So that the address is not held up for the next one.
            fixture.pass(Duration::from_secs(60));
        }
        assert_eq!(
            admitted(&kind.comes(&mut fixture, "AA:BB-1.x")),
            "AA:BB-1.x@acme"
        );
    }
}

#[test]
fn so_many_are_made_in_a_second_and_ever_whoever_deletes_them() {
    for kind in KINDS {
        let mut fixture = kind.fixture(12);
        for number in 0..10 {
            let outcome = kind.comes(&mut fixture, &format!("n{number}"));
            assert!(is_admitted(&outcome), "{kind:?} {number}");
        }
        let outcome = kind.comes(&mut fixture, "n10");
        assert_eq!(refused(&outcome), Reason::OverBudget, "{kind:?}");
        fixture.pass(Duration::from_secs(1));
        for number in 10..12 {
            assert!(is_admitted(
                &kind.comes(&mut fixture, &format!("n{number}"))
            ));
        }
        fixture.run(&DeleteCredential(name("n3@acme"))).unwrap();
        fixture.settle();
        fixture.pass(Duration::from_secs(1));
        let outcome = kind.comes(&mut fixture, "n12");
        assert_eq!(refused(&outcome), Reason::OverLimit, "{kind:?}");
        assert!(is_admitted(&kind.comes(&mut fixture, "n4")));
    }
}

#[test]
fn one_that_was_deleted_is_refused_until_it_is_made_or_forgotten() {
    for kind in KINDS {
        let mut fixture = kind.fixture(5);
        let delete = |fixture: &mut Fixture| {
            fixture.run(&DeleteCredential(name("new1@acme"))).unwrap();
            fixture.settle();
        };
        assert!(is_admitted(&kind.comes(&mut fixture, "new1")));
        delete(&mut fixture);
        let outcome = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&outcome), Reason::Revoked, "{kind:?}");
        // Another one for the same tenant does not make it either.
        kind.remove(&mut fixture);
        kind.add(&mut fixture, Some(5));
        let outcome = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&outcome), Reason::Revoked, "{kind:?}");
        let by_hand = NewCredential::new(tenant_id("acme"), "new1");
        fixture.run(&CreateCredential(by_hand)).unwrap();
        fixture.settle();
        assert!(is_admitted(&kind.comes(&mut fixture, "new1")));
        delete(&mut fixture);
        let outcome = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&outcome), Reason::Revoked, "{kind:?}");
        kind.forget(&mut fixture, "new1");
        assert_eq!(admitted(&kind.comes(&mut fixture, "new1")), "new1@acme");
        let made = shown(&mut fixture, "new1@acme").unwrap();
        assert_eq!(made.roles, [role()], "{kind:?}");
    }
}

#[test]
fn nobody_is_made_for_a_client_that_is_banned_or_says_another_name() {
    for kind in KINDS {
        let mut fixture = kind.fixture(5);
        let client_id = ClientId::parse("new1").unwrap();
        let banned = Banned::ClientId(client_id, Some(tenant_id("acme")));
        let add = AddBan {
            banned: banned.clone(),
            until: None,
            reason: None,
            asker: None,
            force: false,
        };
        fixture.run(&add).unwrap();
        fixture.settle();
        let outcome = kind.comes(&mut fixture, "new1");
        assert_eq!(refused(&outcome), Reason::Banned, "{kind:?}");
        assert!(shown(&mut fixture, "new1@acme").is_none());
        fixture.run(&RemoveBan(BanNamed::On(banned))).unwrap();
        fixture.settle();
        if kind == Kind::Issuer {
            let token = token(&fixture, 1, "acme", "new1");
            for username in ["new2@acme", "new1", "new1@beta"] {
                let outcome = fixture.connect(with(username, &token));
                assert_eq!(refused(&outcome), Reason::UnknownName, "{username}");
            }
            assert!(shown(&mut fixture, "new1@acme").is_none());
            let outcome = fixture.connect(with("new1@acme", &token));
            assert_eq!(admitted(&outcome), "new1@acme");
        }
    }
}
