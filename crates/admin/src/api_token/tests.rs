use countersign_core::name::GroupPath;
use countersign_core::user::{Grant, GrantedRight};

use super::*;
use crate::caller::SignedInUser;
use crate::credential::{ShowCredential, SuspendCredential};
use crate::fixture::{Fixture, JANE, login_name, tenant_id, text_of};
use crate::settings::ShowSettings;
use crate::sign_in::find_api_token;
use crate::tenant::{ShowTenant, TenantDeletion};
use crate::user::{DeleteUser, GrantUser, SetUser, UngrantUser};

fn new(scope: &str, lifetime: &str) -> CreateApiToken {
    CreateApiToken(NewApiToken {
        scope: TokenScope::parse(scope).unwrap(),
        lifetime: TokenLifetime::parse(lifetime).unwrap(),
        description: FreeText::parse("for the build").ok(),
    })
}

fn jane(fixture: &mut Fixture) -> Authority {
    use countersign_core::store::Directory as _;
    let user = fixture.store.credential(&login_name(JANE)).unwrap();
    let user = user.unwrap();
    Authority::User(SignedInUser {
        id: user.id,
        generation: user.generation,
        session: None,
    })
}

fn made(fixture: &mut Fixture, by: Authority, scope: &str) -> (Authority, Secret) {
    let created = fixture.run_by(by, &new(scope, "1h")).ok().unwrap();
    (Authority::Token(created.shown.token.id), created.secret)
}

fn is_found(fixture: &mut Fixture, secret: &Secret) -> bool {
    let now = fixture.now;
    let found = find_api_token(&mut fixture.store, secret, now).unwrap();
    found.is_some()
}

#[test]
fn a_token_is_found_by_its_secret_until_it_ends_and_its_use_is_kept() {
    let mut fixture = Fixture::with_admin();
    let created = fixture.run(&new("tenant:acme", "2h")).ok().unwrap();
    let text = text_of(&created.secret);
    assert!(text.starts_with("cs_") && text.len() == 35, "{text}");
    let token = &created.shown.token;
    assert_eq!(token.created_by, "cli:tester");
    assert_eq!(token.description.as_deref(), Some("for the build"));
    let now = fixture.now;
    let found = find_api_token(&mut fixture.store, &created.secret, now);
    let found = found.unwrap().unwrap();
    assert_eq!(found.authority, Authority::Token(token.id));
    assert_eq!(found.actor(), format!("http:token:{}", token.id));
    let list = ListApiTokens::default();
    let listed = |fixture: &mut Fixture| {
        let rows = fixture.run(&list).unwrap().rows;
        rows[0].token.last_used_at
    };
    assert_eq!(listed(&mut fixture), Some(now));
    fixture.now = now.plus(Duration::from_secs(60));
    assert!(is_found(&mut fixture, &created.secret));
    assert_eq!(listed(&mut fixture), Some(now));
    fixture.now = now.plus(Duration::from_secs(7_200));
    assert!(!is_found(&mut fixture, &created.secret));
    assert!(!is_found(&mut fixture, &Secret::new(b"cs_".to_vec())));
    let shown = ShowTenant(tenant_id("acme"));
    assert!(fixture.run_by(found.authority, &shown).is_err());
    let audit = format!("{:?}", fixture.entries());
    assert!(audit.contains("token.create") && !audit.contains(&text));
}

#[test]
fn a_users_token_shrinks_and_dies_with_the_user() {
    let mut fixture = Fixture::with_admin();
    let by = jane(&mut fixture);
    let (token, secret) = made(&mut fixture, by, "tenant:acme");
    let show = ShowCredential(login_name("dev1@acme"));
    let suspend = SuspendCredential(login_name("dev1@acme"));
    assert!(fixture.run_by(token, &show).is_ok());
    fixture.run_by(token, &suspend).unwrap();
    let regrant = |fixture: &mut Fixture, right, group: Option<&str>| {
        let grant = Grant {
            tenant: tenant_id("acme"),
            group: group.map(|path| GroupPath::parse(path).unwrap()),
            right,
        };
        let email = login_name(JANE);
        fixture.run(&GrantUser { email, grant }).unwrap();
    };
    regrant(&mut fixture, GrantedRight::Viewer, None);
    assert!(fixture.run_by(token, &show).is_ok());
    assert!(fixture.run_by(token, &suspend).is_err());
    regrant(&mut fixture, GrantedRight::OrgAdmin, Some("DM"));
    assert!(fixture.run_by(token, &show).is_err());
    let ungrant = UngrantUser {
        email: login_name(JANE),
        tenant: tenant_id("acme"),
    };
    fixture.run(&ungrant).unwrap();
    let refused = fixture.run_by(token, &ShowTenant(tenant_id("acme")));
    assert!(refused.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    assert!(is_found(&mut fixture, &secret));
    fixture.run(&DeleteUser(login_name(JANE))).unwrap();
    assert!(!is_found(&mut fixture, &secret));
    assert!(
        fixture
            .run(&ListApiTokens::default())
            .unwrap()
            .rows
            .is_empty()
    );
}

#[test]
fn a_token_of_the_platform_is_worth_what_its_owner_is() {
    let mut fixture = Fixture::with_admin();
    let set = |is_platform_admin| SetUser {
        email: login_name(JANE),
        is_platform_admin,
    };
    let by = jane(&mut fixture);
    let refused = fixture.run_by(by, &new("platform", "1h")).err().unwrap();
    assert!(refused.is(ErrorKind::Forbidden, Noun::Caller), "{refused}");
    fixture.run(&set(true)).unwrap();
    let (token, _) = made(&mut fixture, by, "platform");
    assert!(fixture.run_by(token, &ShowSettings).is_ok());
    fixture.run(&set(false)).unwrap();
    assert!(fixture.run_by(token, &ShowSettings).is_err());
    // What is left is what she is still granted.
    assert!(
        fixture
            .run_by(token, &ShowTenant(tenant_id("acme")))
            .is_ok()
    );
}

#[test]
fn a_token_made_with_another_is_worth_no_more_and_ends_with_it() {
    let mut fixture = Fixture::with_admin();
    let by = jane(&mut fixture);
    let (parent, _) = made(&mut fixture, by, "tenant:acme");
    let child = fixture.run_by(parent, &new("viewer:acme", "90d"));
    let child = child.ok().unwrap();
    let token = &child.shown.token;
    assert_eq!(
        token.expires_at,
        fixture.now.plus(Duration::from_secs(3_600))
    );
    assert_eq!(child.shown.owner, Some(login_name(JANE)));
    let grandchild = fixture.run_by(Authority::Token(token.id), &new("viewer:acme", "1m"));
    let grandchild = grandchild.ok().unwrap().secret;
    let more = fixture.run_by(Authority::Token(token.id), &new("tenant:acme", "1m"));
    assert!(more.is_err());
    let Authority::Token(id) = parent else {
        panic!("{parent:?}")
    };
    fixture.run_by(by, &RevokeApiToken(id)).unwrap();
    assert!(!is_found(&mut fixture, &child.secret));
    assert!(!is_found(&mut fixture, &grandchild));
    let again = fixture.run(&RevokeApiToken(id)).unwrap_err();
    assert!(again.is(ErrorKind::NotFound, Noun::ApiToken), "{again}");
    let acts = fixture.acts();
    assert_eq!(
        acts.iter()
            .filter(|act| act.starts_with("token.revoke"))
            .count(),
        3
    );
}

#[test]
fn a_tenants_tokens_are_seen_by_its_administrators_and_go_with_it() {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    let (_, secret) = made(&mut fixture, Authority::Platform, "viewer:acme");
    made(&mut fixture, Authority::Platform, "viewer:other");
    let by = jane(&mut fixture);
    let list = ListApiTokens {
        tenant: Some(tenant_id("acme")),
        ..ListApiTokens::default()
    };
    assert_eq!(fixture.run_by(by, &list).unwrap().rows.len(), 1);
    made(&mut fixture, by, "tenant:acme");
    let own = fixture.run_by(by, &ListOwnApiTokens::default()).unwrap();
    assert_eq!(own.rows.len(), 1);
    fixture
        .delete_tenant("acme", TenantDeletion::WithEverything)
        .unwrap();
    assert!(!is_found(&mut fixture, &secret));
}

#[test]
fn there_are_so_many_tokens_and_no_more() {
    let mut fixture = Fixture::with_admin();
    let by = jane(&mut fixture);
    for _ in 0..MOST_OF_USER {
        made(&mut fixture, by, "viewer:acme");
    }
    let refused = fixture.run_by(by, &new("viewer:acme", "1h"));
    let refused = refused.err().unwrap();
    assert!(refused.is(ErrorKind::Conflict, Noun::ApiToken), "{refused}");
    // What ended makes room.
    fixture.now = fixture.now.plus(Duration::from_secs(3_600));
    made(&mut fixture, by, "viewer:acme");
}

#[test]
fn a_lifetime_is_bounded() {
    for good in ["1s", "12h", "90d", "3650d"] {
        assert!(TokenLifetime::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "0s", "3651d", "90", "never", "-1d"] {
        assert!(TokenLifetime::parse(bad).is_err(), "{bad}");
    }
}
