use core::time::Duration;

use countersign_core::audit::AuditEntry;
use countersign_core::secret::Secret;
use countersign_core::store::AdminTransaction as _;
use countersign_core::totp::{Seed, Step};
use countersign_core::user::GrantedRight;

use super::*;
use crate::account::{EndOwnWebSession, ListOwnWebSessions, ShowMe};
use crate::check::ConnectVerdict;
use crate::fixture::{Fixture, JANE, login_name, tenant_id};
use crate::password::ChosenPassword;
use crate::tenant::{ListTenants, ShowTenant};
use crate::user::{
    ConfirmSecondFactor, CreateUser, DeleteUser, DisableSecondFactor, EnrolSecondFactor,
    ResetUserPassword, UngrantUser,
};

const HOME: Option<&str> = Some("192.0.2.1");
const AWAY: Option<&str> = Some("192.0.2.99");

struct Service {
    fixture: Fixture,
    guard: SignInGuard,
}

impl Service {
    fn new() -> Self {
        Self {
            fixture: Fixture::with_admin(),
            guard: SignInGuard::new(&mut crate::OsRandom).unwrap(),
        }
    }

    fn sign_in_from(
        &mut self,
        address: Option<&str>,
        known: Option<&Secret>,
        name: &str,
        password: &str,
    ) -> Result<SignedIn, SignInRefusal> {
        let presented = SignIn {
            name,
            password: Secret::presented(password.as_bytes()),
            code: PresentedCode::Apart(None),
            address,
            known,
        };
        let (store, now) = (&mut self.fixture.store, self.fixture.now);
        sign_in(store, &self.guard, presented, &mut crate::OsRandom, now)
    }

    fn sign_in(&mut self, name: &str, password: &str) -> Result<SignedIn, SignInRefusal> {
        self.sign_in_from(HOME, None, name, password)
    }

    fn sign_in_with_code(&mut self, code: &[u8]) -> Result<SignedIn, SignInRefusal> {
        let presented = SignIn {
            name: JANE,
            password: Secret::presented(b"hunter2"),
            code: PresentedCode::Apart(Some(Secret::new(code.to_vec()))),
            address: HOME,
            known: None,
        };
        let (store, now) = (&mut self.fixture.store, self.fixture.now);
        sign_in(store, &self.guard, presented, &mut crate::OsRandom, now)
    }

    fn basic(&mut self, name: &str, password: &[u8]) -> Result<Authenticated, SignInRefusal> {
        let presented = SignIn {
            name,
            password: Secret::presented(password),
            code: PresentedCode::Appended,
            address: HOME,
            known: None,
        };
        let (store, now) = (&mut self.fixture.store, self.fixture.now);
        check_password(store, &self.guard, presented, now)
    }

    fn find(&mut self, session: &SignedIn) -> Option<Authenticated> {
        let (store, now) = (&mut self.fixture.store, self.fixture.now);
        find_web_session(store, &session.secret, now).unwrap()
    }

    fn is_alive(&mut self, session: &SignedIn) -> bool {
        self.find(session).is_some()
    }

    fn pass(&mut self, seconds: u64) {
        self.fixture.now = self.fixture.now.plus(Duration::from_secs(seconds));
    }

    fn refusals(&mut self) -> Vec<AuditEntry> {
        let mut rows = self.fixture.entries();
        rows.retain(|row| row.act == "login");
        rows
    }

    fn enrol(&mut self) -> (Seed, Vec<Secret>) {
        let enrol = EnrolSecondFactor(login_name(JANE));
        let enrolment = self.fixture.run(&enrol).unwrap();
        let code = code_of(&enrolment.seed, &self.fixture);
        let confirm = ConfirmSecondFactor {
            email: login_name(JANE),
            code: Secret::new(code),
        };
        self.fixture.run(&confirm).unwrap();
        self.pass(30);
        (enrolment.seed, enrolment.recovery_codes)
    }
}

fn code_of(seed: &Seed, fixture: &Fixture) -> Vec<u8> {
    seed.code_at(Step::at(fixture.now)).to_vec()
}

fn is_wrong<T>(result: Result<T, SignInRefusal>) -> bool {
    matches!(result, Err(SignInRefusal::Wrong))
}

#[test]
fn a_user_signs_in_and_is_who_they_are_until_they_sign_out() {
    let mut service = Service::new();
    let session = service.sign_in("Jane@Mail.Test", "hunter2").ok().unwrap();
    let found = service.find(&session).unwrap();
    assert_eq!(found.actor(), "http:jane@mail.test");
    let fixture = &mut service.fixture;
    assert!(
        fixture
            .run_by(found.authority, &ShowTenant(tenant_id("acme")))
            .is_ok()
    );
    let me = fixture.run_by(found.authority, &ShowMe).unwrap();
    assert_eq!(me.user.name.as_str(), JANE);
    let own = fixture
        .run_by(found.authority, &ListOwnWebSessions)
        .unwrap();
    assert!(own.len() == 1 && own[0].is_current);
    let end = EndOwnWebSession(own[0].session.id);
    fixture.run_by(found.authority, &end).unwrap();
    // The authority of a session is worth nothing once that is over.
    assert!(fixture.run_by(found.authority, &ShowMe).is_err());
    assert!(!service.is_alive(&session));
    let acts = service.fixture.acts();
    let last: Vec<_> = acts.iter().rev().take(3).map(String::as_str).collect();
    assert_eq!(
        last,
        [
            "user.sign-out jane@mail.test",
            "user.sign-in jane@mail.test",
            "credential.activate jane@mail.test",
        ]
    );
    let rows = service.fixture.entries();
    let row = rows.iter().find(|row| row.act == "user.sign-in").unwrap();
    assert_eq!(row.actor, "http:jane@mail.test");
    assert_eq!(row.address.as_deref(), HOME);
}

#[test]
fn what_is_wrong_is_told_to_the_audit_alone() {
    let mut service = Service::new();
    for (name, password, cause) in [
        (JANE, "wrong", Reason::BadSecret),
        ("nobody@mail.test", "hunter2", Reason::UnknownName),
        ("nobody", "hunter2", Reason::UnknownName),
        // Whoever logs in at brokers is nobody here.
        ("dev1@acme", "hunter2", Reason::UnknownName),
        ("a\nb", "hunter2", Reason::Malformed),
    ] {
        assert!(is_wrong(service.sign_in(name, password)), "{name}");
        let rows = service.refusals();
        let row = rows.iter().find(|row| row.cause == Some(cause)).unwrap();
        assert_eq!(row.actor, format!("http:{}", row.subject));
        assert_eq!(row.address.as_deref(), HOME);
        assert_eq!(row.outcome, countersign_core::audit::AuditOutcome::Refused);
    }
    let audit = format!("{:?}", service.refusals());
    assert!(!audit.contains("hunter2"));
}

#[test]
fn whoever_is_no_user_is_locked_out_as_users_are() {
    for name in [JANE, "nobody@mail.test", "nobody", "dev1@acme"] {
        let mut service = Service::new();
        for _ in 0..6 {
            assert!(is_wrong(service.sign_in(name, "wrong")), "{name}");
        }
        let rows = service.refusals();
        let of = |cause| {
            let mut rows = rows.iter().filter(|row| row.cause == Some(cause));
            rows.next().map(|row| row.count)
        };
        assert_eq!(of(Reason::Locked), Some(1), "{name}");
        assert_eq!(of(Reason::BadSecret).or(of(Reason::UnknownName)), Some(5));
        assert!(is_wrong(service.sign_in(name, "hunter2")), "{name}");
    }
    // The lock holds at brokers, too, and those of brokers here.
    let mut service = Service::new();
    for _ in 0..5 {
        assert!(is_wrong(service.sign_in(JANE, "wrong")));
    }
    let locked = ConnectVerdict::Deny(Reason::Locked);
    assert_eq!(service.fixture.check(JANE, Some(b"hunter2")), locked);
    service.pass(300);
    assert!(service.sign_in(JANE, "hunter2").is_ok());
}

#[test]
fn who_fails_elsewhere_locks_nobody_out_of_where_they_last_signed_in() {
    let mut service = Service::new();
    let signed_in = service.sign_in(JANE, "hunter2").ok().unwrap();
    let known = signed_in.known.unwrap();
    for _ in 0..5 {
        assert!(is_wrong(service.sign_in_from(AWAY, None, JANE, "wrong")));
    }
    assert!(is_wrong(service.sign_in_from(AWAY, None, JANE, "hunter2")));
    assert!(service.sign_in(JANE, "hunter2").is_ok());
    let made_up = Secret::new(b"made up".to_vec());
    // By its cookie a browser is known anywhere, and it is known for one user.
    let mut from = |name, known| service.sign_in_from(Some("198.51.100.7"), known, name, "hunter2");
    assert!(is_wrong(from(JANE, None)));
    assert!(is_wrong(from(JANE, Some(&made_up))));
    let again = from(JANE, Some(&known)).ok().unwrap();
    assert!(again.known.is_none());
    assert!(is_wrong(from("joe@mail.test", Some(&known))));
    // What fails there is counted there, and locks there.
    for _ in 0..5 {
        assert!(is_wrong(service.sign_in_from(
            AWAY,
            Some(&known),
            JANE,
            "wrong"
        )));
    }
    assert!(is_wrong(service.sign_in_from(
        AWAY,
        Some(&known),
        JANE,
        "hunter2"
    )));
}

#[test]
fn an_address_that_fails_too_often_is_told_so_and_a_name_is_not() {
    let mut service = Service::new();
    for number in 0..64 {
        let name = format!("n{number}@mail.test");
        assert!(is_wrong(service.sign_in(&name, "x")));
    }
    let refused = service.sign_in("other@mail.test", "x");
    assert!(matches!(refused, Err(SignInRefusal::TooMany)));
    assert!(service.sign_in_from(AWAY, None, JANE, "hunter2").is_ok());
}

#[test]
fn a_code_is_asked_for_and_accepted_once_here_and_at_brokers() {
    let mut service = Service::new();
    let (seed, recovery) = service.enrol();
    let asked = service.sign_in(JANE, "hunter2");
    assert!(matches!(asked, Err(SignInRefusal::CodeNeeded)));
    assert!(is_wrong(service.sign_in(JANE, "wrong")));
    assert!(is_wrong(service.sign_in_with_code(b"000000")));
    let code = code_of(&seed, &service.fixture);
    assert!(service.sign_in_with_code(&code).is_ok());
    assert!(is_wrong(service.sign_in_with_code(&code)));
    let whole = [b"hunter2", &code[..]].concat();
    let replayed = ConnectVerdict::Deny(Reason::MfaRequired);
    assert_eq!(service.fixture.check(JANE, Some(&whole)), replayed);
    // As on MQTT 3.1.1, Basic has the code behind the password.
    assert!(is_wrong(service.basic(JANE, b"hunter2")));
    service.pass(30);
    let code = code_of(&seed, &service.fixture);
    let whole = [b"hunter2", &code[..]].concat();
    assert!(service.basic(JANE, &whole).is_ok());
    assert!(is_wrong(service.basic(JANE, &whole)));
    assert!(service.sign_in_with_code(recovery[0].expose()).is_ok());
    assert!(is_wrong(service.sign_in_with_code(recovery[0].expose())));
}

#[test]
fn a_session_ends_after_a_while_and_sooner_without_use() {
    let mut service = Service::new();
    let session = service.sign_in(JANE, "hunter2").ok().unwrap();
    service.pass(30 * 60);
    assert!(!service.is_alive(&session));
    let session = service.sign_in(JANE, "hunter2").ok().unwrap();
    for _ in 0..24 {
        service.pass(29 * 60);
        assert!(service.is_alive(&session));
    }
    service.pass(24 * 60);
    assert!(!service.is_alive(&session));
}

#[test]
fn what_changes_who_may_sign_in_ends_the_sessions() {
    type Change = fn(&mut Service);
    let changes: [Change; 5] = [
        |service| {
            let password = ChosenPassword::parse(b"other".to_vec()).unwrap();
            let reset = ResetUserPassword::new(login_name(JANE), password);
            service.fixture.run(&reset).unwrap();
        },
        |service| {
            let (email, tenant) = (login_name(JANE), tenant_id("acme"));
            let ungrant = UngrantUser { email, tenant };
            service.fixture.run(&ungrant).unwrap();
        },
        |service| {
            service.enrol();
        },
        |service| {
            let disable = DisableSecondFactor(login_name(JANE));
            service
                .fixture
                .run(&EnrolSecondFactor(login_name(JANE)))
                .unwrap();
            service.fixture.run(&disable).unwrap();
        },
        |service| {
            service.fixture.run(&DeleteUser(login_name(JANE))).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut service = Service::new();
        let session = service.sign_in(JANE, "hunter2").ok().unwrap();
        let authority = service.find(&session).unwrap().authority;
        change(&mut service);
        assert!(!service.is_alive(&session), "{number}");
        assert!(
            service.fixture.run_by(authority, &ShowMe).is_err(),
            "{number}"
        );
    }
}

#[test]
fn a_platform_administrator_without_grants_signs_in_here_and_not_at_a_broker() {
    let mut service = Service::new();
    let password = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
    let root = CreateUser::new(login_name("root"), password).with_platform_admin(true);
    service.fixture.run(&root).unwrap();
    let session = service.sign_in("root", "hunter2").ok().unwrap();
    let found = service.find(&session).unwrap();
    assert_eq!(found.actor(), "http:root");
    assert!(
        service
            .fixture
            .run_by(found.authority, &ListTenants::default())
            .is_ok()
    );
    let denied = ConnectVerdict::Deny(Reason::UnknownTenant);
    assert_eq!(service.fixture.check("root", Some(b"hunter2")), denied);
    assert!(service.basic("root", b"hunter2").is_ok());
}

#[test]
fn a_user_has_so_many_sessions_and_the_oldest_makes_room() {
    let mut service = Service::new();
    service.fixture.user("joe@mail.test");
    service
        .fixture
        .grant("joe@mail.test", "acme", GrantedRight::OrgAdmin)
        .unwrap();
    let others = service.sign_in("joe@mail.test", "hunter2").ok().unwrap();
    let mut sessions: Vec<_> = (0..=countersign_core::ledger::MOST_OF_USER)
        .map(|_| service.sign_in(JANE, "hunter2").ok().unwrap())
        .collect();
    let oldest = sessions.remove(0);
    assert!(!service.is_alive(&oldest));
    for session in &sessions {
        assert!(service.is_alive(session));
    }
    assert!(service.is_alive(&others));
}

#[test]
fn one_request_with_a_password_writes_nothing_once_the_user_is_known() {
    let mut service = Service::new();
    service.basic(JANE, b"hunter2").unwrap();
    let before = service.fixture.store.mark().unwrap();
    service.basic(JANE, b"hunter2").unwrap();
    assert_eq!(service.fixture.store.mark().unwrap(), before);
    let authority = service.basic(JANE, b"hunter2").unwrap().authority;
    let password = ChosenPassword::parse(b"other".to_vec()).unwrap();
    let reset = ResetUserPassword::new(login_name(JANE), password);
    service.fixture.run(&reset).unwrap();
    // What was verified before is not what is right now.
    assert!(is_wrong(service.basic(JANE, b"hunter2")));
    assert!(service.fixture.run_by(authority, &ShowMe).is_err());
    service.basic(JANE, b"other").unwrap();
}

#[test]
fn of_all_users_so_many_sign_in_and_no_more() {
    let mut service = Service::new();
    let joe = service.fixture.user("joe@mail.test");
    let most = countersign_core::ledger::MOST_SESSIONS;
    let now = service.fixture.now;
    let mut writing = service.fixture.store.begin(Intent::Write).unwrap();
    for number in 0..most {
        let session = WebSession {
            id: WebSessionId(0),
            user: joe.id,
            generation: joe.generation,
            created_at: now,
            last_used_at: now,
            address: None,
            tenant: None,
        };
        let digest = SecretDigest::of(&Secret::new(number.to_le_bytes().to_vec()));
        writing.add_web_session(&session, &digest).unwrap();
    }
    writing.commit(&[], &[]).unwrap();
    let refused = service.sign_in(JANE, "hunter2");
    assert!(matches!(refused, Err(SignInRefusal::Unavailable(_))));
    service.pass(30 * 60 + 1);
    assert!(service.sign_in(JANE, "hunter2").is_ok());
}

#[test]
fn what_is_over_at_the_service_is_removed() {
    let mut service = Service::new();
    service.sign_in(JANE, "hunter2").ok().unwrap();
    let new = crate::api_token::NewApiToken {
        scope: countersign_core::api_token::TokenScope::Platform,
        lifetime: crate::api_token::TokenLifetime::parse("1d").unwrap(),
        description: None,
    };
    let create = crate::api_token::CreateApiToken(new);
    service.fixture.run(&create).ok().unwrap();
    let left = |service: &mut Service| {
        let now = service.fixture.now;
        service.fixture.store.maintain(now).unwrap();
        let mut looking = service.fixture.store.begin(Intent::Read).unwrap();
        let sessions = looking.count_web_sessions().unwrap();
        let everybody = countersign_core::store::rows::ApiTokensOf::Everybody;
        (sessions, looking.count_api_tokens(&everybody, 9).unwrap())
    };
    assert_eq!(left(&mut service), (1, 1));
    service.pass(30 * 60 + 1);
    assert_eq!(left(&mut service), (0, 1));
    service.pass(7 * 86_400);
    assert_eq!(left(&mut service), (0, 1));
    service.pass(86_400);
    assert_eq!(left(&mut service), (0, 0));
}

#[test]
fn nobody_is_signed_in_to_a_store_that_was_restored() {
    let mut service = Service::new();
    let session = service.sign_in(JANE, "hunter2").ok().unwrap();
    let restore = crate::settings::RecordRestore;
    service.fixture.run(&restore).unwrap();
    assert!(!service.is_alive(&session));
}
