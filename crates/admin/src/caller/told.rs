//! What an administrator of a tenant is told, and not told, of other tenants.

use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::store::CredentialQuery;

use super::{Authority, Caller, Permission};
use crate::command::{Command, Tx, run};
use crate::context::{Context, RandomError, RandomSource};
use crate::credential::{CreateCredential, ListCredentials, NewCredential};
use crate::error::{AdminError, ErrorKind, Noun};
use crate::fixture::{Fixture, JANE, new_credential, new_tenant, scheme_name, tenant_id};
use crate::tenant::{CreateTenant, NewTenant};
use crate::thing::ListThings;

/// Randomness that is the same each time.
struct Zeros;

impl RandomSource for Zeros {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        buffer.fill(0);
        Ok(())
    }
}

fn impact(tenant: TenantId, name: &str) -> NewCredential {
    NewCredential {
        scheme: scheme_name("impact"),
        ..NewCredential::new(tenant, name)
    }
}

/// What making a credential is refused with: to the owner of the store, and to an
/// administrator of the tenant.
fn refusals(fixture: &mut Fixture, new: impl Fn() -> NewCredential) -> [String; 2] {
    let jane = fixture.session_of(JANE);
    [Authority::Platform, jane].map(|authority| {
        let refused = without_chance(fixture, authority, new());
        refused.unwrap_err().to_string()
    })
}

/// Makes a credential with randomness that is the same each time.
fn without_chance(
    fixture: &mut Fixture,
    authority: Authority,
    new: NewCredential,
) -> Result<(), AdminError> {
    let mut context = Context {
        now: fixture.now,
        caller: Caller {
            actor: "tester",
            authority,
        },
        random: &mut Zeros,
    };
    run(&mut fixture.store, &mut context, &CreateCredential(new)).map(drop)
}

#[test]
fn a_refusal_names_to_an_administrator_nothing_of_another_tenant() {
    let mut fixture = Fixture::with_admin();
    let other = NewTenant {
        client_id_prefix: Some(ClientId::parse("oth-").unwrap()),
        ..new_tenant("other", &["other/#", "vwire/VW-ABC123/x"])
    };
    fixture.run(&CreateTenant(other)).unwrap();
    let of_prefix = refusals(&mut fixture, || NewCredential {
        client_id_rule: Some(ClientIdRule::Exact(ClientId::parse("oth-1").unwrap())),
        ..new_credential("pump")
    });
    assert_eq!(
        of_prefix,
        [
            "client id `oth-1` begins with `oth-`, which belongs to tenant `other`",
            "client id `oth-1` begins with the prefix of another tenant",
        ]
    );
    let of_scheme = refusals(&mut fixture, || NewCredential {
        scheme: scheme_name("vwire"),
        name: None,
        ..new_credential("")
    });
    let [owner, jane] = of_scheme
        .each_ref()
        .map(|it| it.contains("vwire/VW-ABC123/x"));
    assert!(owner && !jane, "{of_scheme:?}");
    let [owner, jane] = of_scheme.each_ref().map(|it| it.contains("`other`"));
    assert!(owner && !jane, "{of_scheme:?}");

    fixture.tenant("third", &[]).unwrap();
    let taken = impact(tenant_id("third"), "SECRETNAME");
    without_chance(&mut fixture, Authority::Platform, taken).unwrap();
    let of_attribute = refusals(&mut fixture, || impact(tenant_id("acme"), "PUMP2"));
    let [owner, jane] = of_attribute.each_ref().map(|it| it.contains("SECRETNAME"));
    assert!(owner && !jane, "{of_attribute:?}");
}

#[test]
fn a_list_tells_the_schemes_of_what_it_lists_alone() {
    let mut fixture = Fixture::with_admin();
    let jane = fixture.session_of(JANE);
    let list = ListCredentials {
        query: CredentialQuery {
            tenant: Some(tenant_id("acme")),
            ..CredentialQuery::default()
        },
        ..ListCredentials::default()
    };
    let page = fixture.run_by(jane, &list).unwrap();
    let schemes: Vec<_> = page.schemes.iter().map(|it| it.name().as_str()).collect();
    assert_eq!(schemes, ["basic"]);
}

#[test]
fn an_application_without_its_tenant_is_not_all_applications() {
    let mut fixture = Fixture::with_admin();
    let list = ListThings {
        application: Some(crate::fixture::application_name("fleet")),
        ..ListThings::default()
    };
    let error: AdminError = fixture.run(&list).unwrap_err();
    assert!(error.is(ErrorKind::Invalid, Noun::Application), "{error}");
}

#[test]
fn who_administers_nothing_of_a_tenant_is_not_taken_for_one_without_a_limit() {
    /// Asks for the limit in another tenant than the one that it needs.
    struct LimitElsewhere;

    impl Command for LimitElsewhere {
        type Output = Option<GroupPath>;

        fn needs(&self) -> Permission {
            Permission::See(tenant_id("acme"))
        }

        fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<GroupPath>, AdminError> {
            let (authority, now) = (tx.caller.authority, tx.now);
            authority.limit_in(&tenant_id("other"), tx, now)
        }
    }

    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let jane = fixture.session_of(JANE);
    let error = fixture.run_by(jane, &LimitElsewhere).unwrap_err();
    assert!(error.is(ErrorKind::NotFound, Noun::Tenant), "{error}");
}
