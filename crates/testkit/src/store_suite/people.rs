//! Users: grants, second factors, and what their logins change for good.

use std::collections::BTreeSet;

use countersign_core::change::{Change, ChangeSeq};
use countersign_core::connect::{LoginRecord, UserLogin};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::ledger::LedgerTransaction as _;
use countersign_core::name::GroupPath;
use countersign_core::seal::Sealed;
use countersign_core::secret::{SecretDigest, SecretId};
use countersign_core::store::rows::UserRows as _;
use countersign_core::store::{
    AdminStore, GateStore, Intent, LoginEffects, Recorded, StoreErrorKind, all_rows,
};
use countersign_core::totp::Step;
use countersign_core::user::{Grant, GrantedRight, SecondFactor, User};

use super::lockouts::fail;
use super::{
    acts, add, at, client_id, commit, credential, found, login_name, look, make_roles, proved,
    race, role_name, tenant, tenant_id,
};

/// All of a user is kept, and a user is neither an operator nor a device.
pub fn a_user_reads_back_as_it_was_written(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["viewer"]);
    make_roles(&mut store, "beta", &["viewer"]);
    let mut group_admin = grant("beta", None);
    group_admin.group = Some(GroupPath::parse("DM.X").unwrap());
    let written = user(vec![grant("acme", Some("viewer")), group_admin], None);
    let (id, _) = add(&mut store, &written, 1);
    let read = found(&mut store, JANE);
    assert_eq!((read.id, &read.tenant), (id, &None));
    assert!(!read.is_operator());
    assert_eq!(shown(&read), shown(&written));
    let viewer = store.role_named(&tenant_id("acme"), &role_name("viewer"));
    assert_eq!(viewer.unwrap().unwrap().tenant, tenant_id("acme"));

    let changed = with_user(&read, |user| {
        user.grants[0].right = GrantedRight::Viewer;
        user.is_platform_admin = true;
        user.handed_over = [tenant_id("beta")].into();
        user.last_tenant = Some(tenant_id("beta"));
        user.second_factor = Some(factor(true));
    });
    update(&mut store, &changed);
    assert_eq!(shown(&found(&mut store, JANE)), shown(&changed));
    look(&mut store, |transaction| {
        assert_eq!(names(all_rows(|page| transaction.users(page))?), [JANE]);
        assert!(all_rows(|page| transaction.operators(page))?.is_empty());
        assert!(all_rows(|page| transaction.credentials(&Default::default(), page))?.is_empty());
        let by_id = transaction.credential_by_id(id)?.unwrap();
        assert_eq!(shown(&by_id), shown(&changed));
        Ok(())
    });
}

/// A grant goes with its role and with its tenant, and with nothing else; the
/// user stays.
pub fn a_grant_goes_with_its_role_and_its_tenant(mut store: impl GateStore + AdminStore) {
    for tenant in ["acme", "beta", "gamma"] {
        make_roles(&mut store, tenant, &["viewer"]);
    }
    let tenants = ["acme", "beta", "gamma"];
    let grants = tenants.map(|tenant| grant(tenant, Some("viewer")));
    let handed_over = with_user(&user(grants.to_vec(), None), |user| {
        user.handed_over = tenants.map(tenant_id).into();
    });
    let (id, _) = add(&mut store, &handed_over, 1);
    let viewer = role_name("viewer");
    let acme = tenant_id("acme");
    let holders = look(&mut store, |transaction| {
        transaction.holders_of_role(&acme, &viewer)
    });
    assert_eq!(holders, [id]);
    commit(&mut store, &[], |transaction| {
        transaction.delete_role(&acme, &viewer)?;
        transaction.delete_tenant(&tenant_id("beta"))
    });
    make_roles(&mut store, "acme", &["viewer"]);
    make_roles(&mut store, "beta", &["viewer"]);
    let left = found(&mut store, JANE);
    assert_eq!(granted(&left), [grant("gamma", Some("viewer"))]);
    with_user(&left, |user| {
        assert_eq!(user.handed_over, [tenant_id("gamma")].into());
    });
    commit(&mut store, &[], |transaction| {
        transaction.delete_credential(id)
    });
    let holders = look(&mut store, |transaction| {
        transaction.holders_of_role(&tenant_id("gamma"), &viewer)
    });
    assert!(holders.is_empty());
}

/// Nothing is granted where there is no such role or tenant.
pub fn a_grant_needs_its_role_and_its_tenant(mut store: impl GateStore + AdminStore) {
    make_roles(&mut store, "acme", &["viewer"]);
    make_roles(&mut store, "beta", &["other"]);
    for bad in [grant("beta", Some("viewer")), grant("gone", None)] {
        let mut transaction = store.begin(Intent::Write).unwrap();
        assert!(transaction.add_credential(&user(vec![bad], None)).is_err());
    }
}

/// A code of a step is accepted once, whoever presents it where at the same
/// time, and none of an earlier step after it.
pub fn a_code_is_accepted_once(mut store: impl GateStore + AdminStore) {
    let secret = jane(&mut store, Some(factor(true)));
    let seen = found(&mut store, JANE);
    let mut other = store.reopen().unwrap();
    let with = |store: &mut _, step| record(store, &seen, secret, step, None);
    assert_eq!(with(&mut store, Some(7)), Recorded::Done);
    for step in [7, 6, -1] {
        assert_eq!(with(&mut other, Some(step)), Recorded::Outdated);
    }
    assert_eq!(last_step(&mut store), Some(Step(7)));
    assert_eq!(with(&mut other, Some(8)), Recorded::Done);
    assert_eq!(last_step(&mut store), Some(Step(8)));
    for step in 9..30 {
        let both = race(&mut store, &mut other, |store, _| {
            record(store, &seen, secret, Some(step), None)
        });
        assert_eq!(both, 1, "{step}");
    }
    // Nobody asks for a code that was never confirmed.
    let unconfirmed = with_user(&seen, |user| user.second_factor = Some(factor(false)));
    update(&mut store, &unconfirmed);
    let seen = found(&mut store, JANE);
    let recorded = record(&mut store, &seen, secret, Some(99), None);
    assert_eq!(recorded, Recorded::Outdated);
}

/// A recovery code works once.
pub fn a_recovery_code_is_used_up(mut store: impl GateStore + AdminStore) {
    let secret = jane(&mut store, Some(factor(true)));
    let id = found(&mut store, JANE).id;
    put_codes(&mut store, id, &[1, 2, 3]);
    let seen = found(&mut store, JANE);
    let mut other = store.reopen().unwrap();
    let codes = recovery(&seen);
    assert_eq!(codes.len(), 3);
    let first = Some(codes[0].0);
    let recorded = record(&mut store, &seen, secret, None, first);
    assert_eq!(recorded, Recorded::Done);
    let recorded = record(&mut other, &seen, secret, None, first);
    assert_eq!(recorded, Recorded::Outdated);
    assert_eq!(acts(&mut store), ["user.use-recovery-code"]);
    let left = recovery(&found(&mut store, JANE));
    assert_eq!(left, codes[1..]);
    let second = Some(codes[1].0);
    let both = race(&mut store, &mut other, |store, _| {
        record(store, &seen, secret, None, second)
    });
    assert_eq!(both, 1);
    assert_eq!(recovery(&found(&mut store, JANE)), codes[2..]);
}

/// New codes replace the old ones, whose numbers never come again, and the last
/// step is forgotten; an update touches neither.
pub fn recovery_codes_and_the_last_step_are_written_on_their_own(
    mut store: impl GateStore + AdminStore,
) {
    jane(&mut store, Some(factor(true)));
    let id = found(&mut store, JANE).id;
    put_codes(&mut store, id, &[1, 2]);
    commit(&mut store, &[], |transaction| {
        transaction.put_last_step(id, Step(5))
    });
    let before = found(&mut store, JANE);
    let changed = with_user(&before, |user| user.second_factor = Some(factor(true)));
    update(&mut store, &changed);
    let after = found(&mut store, JANE);
    assert_eq!(recovery(&after), recovery(&before));
    assert_eq!(last_step(&mut store), Some(Step(5)));
    put_codes(&mut store, id, &[2, 3]);
    assert_eq!(last_step(&mut store), None);
    let newer = recovery(&found(&mut store, JANE));
    let is_newer = |(id, _): &(_, _)| recovery(&before).iter().all(|(old, _)| old < id);
    assert!(newer.len() == 2 && newer.iter().all(is_newer));
    let mut transaction = store.begin(Intent::Write).unwrap();
    let nobody = CredentialId(999);
    assert!(transaction.put_recovery_codes(nobody, &[]).is_err());
    assert!(transaction.put_last_step(nobody, Step(1)).is_err());
}

/// A login forgives what failed and remembers where the user works; one that
/// was decided before a lock does not.
pub fn a_users_login_forgives_and_remembers(mut store: impl GateStore + AdminStore) {
    let secret = jane(&mut store, None);
    let jane = login_name(JANE);
    for _ in 0..4 {
        fail(&mut store, JANE, at(10));
    }
    let seen = found(&mut store, JANE);
    let recorded = record(&mut store, &seen, secret, None, None);
    assert_eq!(recorded, Recorded::Done);
    assert_eq!(store.lockout(&jane).unwrap(), Default::default());
    let Kind::User(user) = found(&mut store, JANE).kind else {
        panic!("no user");
    };
    assert_eq!(user.last_tenant, Some(tenant_id("acme")));
    for _ in 0..5 {
        fail(&mut store, JANE, at(10));
    }
    let locked = store.lockout(&jane).unwrap();
    let recorded = record(&mut store, &seen, secret, None, None);
    assert_eq!(recorded, Recorded::Outdated);
    assert_eq!(store.lockout(&jane).unwrap(), locked);
}

/// A session moves to a tenant that is granted, and to no other.
pub fn a_user_moves_where_something_is_granted(mut store: impl GateStore + AdminStore) {
    jane(&mut store, None);
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("other"))
    });
    let id = found(&mut store, JANE).id;
    let last = |store: &mut _| match found(store, JANE).kind {
        Kind::User(user) => user.last_tenant,
        _ => panic!("no user"),
    };
    store.move_user(id, &tenant_id("beta")).unwrap();
    assert_eq!(last(&mut store), Some(tenant_id("beta")));
    let error = store.move_user(id, &tenant_id("other")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert_eq!(last(&mut store), Some(tenant_id("beta")));
}

/// A stored session of a user lies in the tenant that the session works in.
pub fn a_users_stored_session_is_in_the_sessions_tenant(mut store: impl GateStore + AdminStore) {
    use countersign_core::connect::SessionChange;
    use countersign_core::ownership::Holder;
    let secret = jane(&mut store, None);
    let seen = found(&mut store, JANE);
    let c = client_id("c");
    for id in ["acme", "beta"] {
        let tenant = tenant_id(id);
        let login = LoginEffects {
            tenant: Some(&tenant),
            record: LoginRecord {
                session: SessionChange::Taken,
                ..LoginRecord::default()
            },
            ..proved(&seen, secret, &c)
        };
        assert_eq!(store.record_login(&login, at(5)).unwrap(), Recorded::Done);
        let stored = store.stored_session(&c.tie()).unwrap().unwrap();
        assert_eq!(stored.holder, Holder::Credential(seen.id));
        assert_eq!(stored.tenant, Some(tenant));
        assert_eq!(stored.username.as_deref(), Some(JANE));
    }
    assert_eq!(
        store.changes_after(ChangeSeq(0), 9).unwrap(),
        Vec::<(_, Change)>::new()
    );
}

/// A user of two tenants, granted everything.
fn jane<S: AdminStore>(store: &mut S, second_factor: Option<SecondFactor>) -> SecretId {
    commit(store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))?;
        transaction.put_tenant(&tenant("beta"))
    });
    let grants = vec![grant("acme", None), grant("beta", None)];
    add(store, &user(grants, second_factor), 1).1
}

pub(crate) fn user(grants: Vec<Grant>, second_factor: Option<SecondFactor>) -> Credential {
    Credential {
        kind: Kind::User(Box::new(User {
            is_platform_admin: false,
            handed_over: BTreeSet::new(),
            second_factor,
            grants,
            last_tenant: None,
        })),
        tenant: None,
        ever_used: true,
        ..credential(JANE)
    }
}

/// To administer a tenant or, with a role, to hold that.
pub(crate) fn grant(tenant: &str, role: Option<&str>) -> Grant {
    Grant {
        tenant: tenant_id(tenant),
        group: None,
        right: match role {
            Some(role) => GrantedRight::Role(role_name(role)),
            None => GrantedRight::OrgAdmin,
        },
    }
}

pub(crate) fn factor(is_confirmed: bool) -> SecondFactor {
    SecondFactor {
        seed: Sealed::from_bytes(vec![0, 255, 7]),
        is_confirmed,
        last_step: None,
        recovery: Vec::new(),
    }
}

/// Records a login of a user that changes this.
fn record<S: GateStore>(
    store: &mut S,
    seen: &Credential,
    secret: SecretId,
    step: Option<i64>,
    recovery: Option<i64>,
) -> Recorded {
    let (acme, c) = (tenant_id("acme"), client_id("c"));
    let user = UserLogin {
        step: step.map(Step),
        recovery: recovery.map(countersign_core::user::RecoveryCodeId),
    };
    let login = LoginEffects {
        tenant: Some(&acme),
        record: LoginRecord {
            user: Some(user),
            ..LoginRecord::default()
        },
        ..proved(seen, secret, &c)
    };
    super::patiently(|| store.record_login(&login, at(20)))
}

fn put_codes<S: AdminStore>(store: &mut S, id: CredentialId, bytes: &[u8]) {
    let codes: Vec<_> = bytes
        .iter()
        .map(|byte| SecretDigest::from_bytes([*byte; 32]))
        .collect();
    commit(store, &[], |transaction| {
        transaction.put_recovery_codes(id, &codes)
    });
}

fn update<S: AdminStore>(store: &mut S, changed: &Credential) {
    commit(store, &[], |transaction| {
        transaction.update_credential(changed)
    });
}

pub(crate) fn with_user(credential: &Credential, change: impl FnOnce(&mut User)) -> Credential {
    let mut changed = credential.clone();
    let Kind::User(user) = &mut changed.kind else {
        panic!("no user");
    };
    change(user);
    changed
}

/// What makes it a user, as text; sealed bytes are compared apart.
fn shown(credential: &Credential) -> (String, Option<Vec<u8>>) {
    let Kind::User(user) = &credential.kind else {
        panic!("no user");
    };
    let seed = user.second_factor.as_ref();
    let seed = seed.map(|factor| factor.seed.as_bytes().to_vec());
    (format!("{user:?}"), seed)
}

fn granted(credential: &Credential) -> Vec<Grant> {
    match &credential.kind {
        Kind::User(user) => user.grants.clone(),
        _ => panic!("no user"),
    }
}

fn recovery(credential: &Credential) -> Vec<(i64, [u8; 32])> {
    let Kind::User(user) = &credential.kind else {
        panic!("no user");
    };
    let codes = user
        .second_factor
        .iter()
        .flat_map(|factor| &factor.recovery);
    codes
        .map(|code| (code.id.0, *code.digest.as_bytes()))
        .collect()
}

fn last_step<S: GateStore>(store: &mut S) -> Option<Step> {
    match found(store, JANE).kind {
        Kind::User(user) => user.second_factor.unwrap().last_step,
        _ => panic!("no user"),
    }
}

fn names(credentials: Vec<Credential>) -> Vec<String> {
    credentials
        .into_iter()
        .map(|one| one.name.to_string())
        .collect()
}

pub(crate) const JANE: &str = "jane@mail.test";
