//! A gate, the store behind it, and the host's clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign::core::jwt::{TokenId, Ttl, Whoami};
use countersign::core::kind::{Application, ApplicationName};
use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::Options;
use countersign::core::reason::Reason;
use countersign::core::role::RoleName;
use countersign::core::rule::{Action, Pattern, Rule};
use countersign::core::secret::Secret;
use countersign::core::store::AuditQuery;
use countersign::core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign::core::time::Timestamp;
use countersign::core::totp::{Seed, Step};
use countersign::core::user::{Grant, GrantedRight};
use countersign::sqlite::SqliteStore;
use countersign::{
    ClientRef, ConnectInfo, ConnectOutcome, Directive, Enhanced, Gate, GateConfig, Handle,
    TopicUse, Verdict,
};
use countersign_admin::application::{CreateApplication, NewApplication};
use countersign_admin::audit::ListAudit;
use countersign_admin::jwt::{CreateToken, Issuer, NewToken};
use countersign_admin::password::ChosenPassword;
use countersign_admin::role::{ChangeRoleRules, CreateRole, NewRole};
use countersign_admin::rule::RuleChange;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::thing::{CreateThing, NewThing};
use countersign_admin::user::{
    ConfirmSecondFactor, CreateUser, EnrolSecondFactor, GrantUser, UngrantUser,
};
use countersign_admin::{AdminError, Caller, Command, Context, OsRandom};
use serde_json::Value;

use crate::by_hand::{ByHand, folder, new_store, settings};

pub(crate) const JANE: &str = "jane@mail.test";

pub(crate) struct Fixture {
    pub(crate) gate: Gate<SqliteStore>,
    pub(crate) admin: SqliteStore,
    pub(crate) config: GateConfig,
    pub(crate) background: Arc<ByHand>,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// A CONNECT.
#[derive(Clone, Copy)]
pub(crate) struct Try<'a> {
    pub(crate) handle: usize,
    pub(crate) client_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) protocol: u8,
    pub(crate) listener: Option<u16>,
    pub(crate) clean_start: bool,
    pub(crate) may_wait: bool,
}

/// Jane's.
pub(crate) const TRY: Try<'static> = Try {
    handle: 1,
    client_id: "a",
    name: JANE,
    password: "right",
    protocol: 4,
    listener: None,
    clean_start: true,
    may_wait: false,
};

impl Try<'_> {
    pub(crate) fn with_handle(self, handle: usize) -> Self {
        Self {
            handle,
            client_id: "jane",
            ..self
        }
    }
}

pub(crate) fn name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

pub(crate) fn tenant_id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub(crate) fn app(text: &str) -> ApplicationName {
    ApplicationName::parse(text).unwrap()
}

impl Fixture {
    /// With tenants `acme` and `beta`, a role `all` in each, and user Jane, whose
    /// password is `right` and who holds the role in `acme`.
    pub(crate) fn new() -> Self {
        Self::with_options(&[])
    }

    pub(crate) fn with_options(options: &[(&str, &str)]) -> Self {
        let folder = folder();
        let path = folder.path().join("countersign.db");
        let key = format!("{}\n", "0a".repeat(32));
        std::fs::write(folder.path().join("countersign.db.key"), key).unwrap();
        let admin = new_store(&path, &settings());
        let path = path.to_str().unwrap();
        let options = [("store", path), ("hash_threads", "1")]
            .into_iter()
            .chain(options.iter().copied());
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
        let options = Options::parse(options).unwrap();
        let read = Arc::clone(&clock);
        let now = move || Timestamp::from_millis(read.load(Ordering::SeqCst));
        let mut config = GateConfig::new(options, "bench", now, || ());
        let background = ByHand::of(&mut config);
        let gate = Gate::open(SqliteStore::open(path).unwrap(), config.clone()).unwrap();
        let mut fixture = Self {
            gate,
            admin,
            config,
            background,
            clock,
            _folder: folder,
        };
        for tenant in ["acme", "beta"] {
            fixture.tenant(tenant);
            fixture.role("all", tenant, &format!("{tenant}/#"));
        }
        fixture.user(JANE, "right");
        fixture.grant(JANE, "acme", role_right("all"));
        fixture.settle();
        fixture
    }

    /// The file that holds the key.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.config.options.store.with_extension("db.key")
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    /// Another gate on the same store, as after a restart.
    pub(crate) fn restart(self) -> Self {
        let path = self.config.options.store.clone();
        self.gate.close();
        let gate = Gate::open(SqliteStore::open(path).unwrap(), self.config.clone()).unwrap();
        Self { gate, ..self }
    }

    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| countersign_admin::run(store, context, command))
    }

    pub(crate) fn act<T>(
        &mut self,
        act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now: self.now(),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        act(&mut self.admin, &mut context)
    }

    pub(crate) fn tenant(&mut self, id: &str) {
        let new = NewTenant {
            id: tenant_id(id),
            namespaces: Vec::new(),
            authentication: Authentication::Required,
            subscribe: SubscribeMode::Strict,
            client_id_prefix: None,
            lockout: None,
            default_rights: DefaultRights::Namespaces,
        };
        self.run(&CreateTenant(new)).unwrap();
    }

    /// Makes a role that may publish and subscribe to a pattern.
    pub(crate) fn role(&mut self, role: &str, tenant: &str, pattern: &str) {
        let new = NewRole {
            tenant: tenant_id(tenant),
            name: RoleName::parse(role).unwrap(),
            description: None,
            no_wildcards: false,
        };
        self.run(&CreateRole(new)).unwrap();
        self.allow(role, tenant, pattern);
    }

    pub(crate) fn allow(&mut self, role: &str, tenant: &str, pattern: &str) {
        let rule = Rule::allow(Action::Both, Pattern::parse(pattern).unwrap());
        let change = ChangeRoleRules {
            tenant: tenant_id(tenant),
            name: RoleName::parse(role).unwrap(),
            change: RuleChange::Add(rule),
            group: None,
        };
        self.run(&change).unwrap();
    }

    pub(crate) fn user(&mut self, email: &str, password: &str) {
        let password = ChosenPassword::parse(password.into()).unwrap();
        self.run(&CreateUser::new(name(email), password)).unwrap();
    }

    pub(crate) fn grant(&mut self, email: &str, tenant: &str, right: GrantedRight) {
        let grant = Grant {
            tenant: tenant_id(tenant),
            group: None,
            right,
        };
        let email = name(email);
        self.run(&GrantUser { email, grant }).unwrap();
    }

    pub(crate) fn ungrant(&mut self, email: &str, tenant: &str) {
        let (email, tenant) = (name(email), tenant_id(tenant));
        self.run(&UngrantUser { email, tenant }).unwrap();
    }

    /// Gives a user a second factor, confirmed by the code before the last.
    pub(crate) fn enrol(&mut self, email: &str) -> (Seed, Vec<Secret>) {
        let email = name(email);
        let enrolment = self.run(&EnrolSecondFactor(email.clone())).unwrap();
        let code = self.code(&enrolment.seed, -1);
        let code = Secret::new(code.into_bytes());
        self.run(&ConfirmSecondFactor { email, code }).unwrap();
        self.settle();
        (enrolment.seed, enrolment.recovery_codes)
    }

    /// The code of so many steps after the running one.
    pub(crate) fn code(&self, seed: &Seed, offset: i64) -> String {
        let Step(step) = Step::at(self.now());
        String::from_utf8(seed.code_at(Step(step + offset)).to_vec()).unwrap()
    }

    /// Makes an application in `acme`; returns its token.
    pub(crate) fn application(&mut self, name: &str, about: Application) -> String {
        let new = NewApplication {
            name: app(name),
            tenant: tenant_id("acme"),
            roles: Vec::new(),
            about,
        };
        let issued = self.run(&CreateApplication(new)).unwrap();
        String::from_utf8(issued.token.expose().to_vec()).unwrap()
    }

    pub(crate) fn thing(&mut self, key: &str, application: &str) {
        let new = NewThing {
            key: name(key),
            tenant: tenant_id("acme"),
            application: app(application),
        };
        self.run(&CreateThing(new)).unwrap();
    }

    /// Makes a token of role `all` in `acme`.
    pub(crate) fn token(
        &mut self,
        issuer: &str,
        things: &[&str],
        seconds: u64,
    ) -> (String, TokenId) {
        let new = NewToken {
            tenant: tenant_id("acme"),
            role: RoleName::parse("all").unwrap(),
            whoami: Whoami::parse("script").unwrap(),
            things: things.iter().map(|key| name(key)).collect(),
            ttl: Ttl::new(Duration::from_secs(seconds)).unwrap(),
            issuer: Issuer::Named(issuer.into()),
        };
        let made = self.run(&CreateToken(new)).unwrap();
        let token = String::from_utf8(made.token.expose().to_vec()).unwrap();
        (token, made.record.id)
    }

    pub(crate) fn connect(&mut self, it: Try<'_>) -> ConnectOutcome {
        self.gate.connect(&info(it, Some(it.password.as_bytes())))
    }

    /// As enhanced authentication.
    pub(crate) fn enhance(&mut self, it: Try<'_>) -> ConnectOutcome {
        let enhanced = Enhanced {
            method: b"COUNTERSIGN-TOTP",
            data: Some(it.password.as_bytes()),
        };
        let it = Try { protocol: 5, ..it };
        self.gate
            .connect_enhanced(&info(it, Some(b"ignored")), &enhanced)
    }

    pub(crate) fn resume(&mut self, it: Try<'_>, code: &str) -> ConnectOutcome {
        let client_id = it.client_id.as_bytes();
        self.gate
            .resume(Handle(it.handle), client_id, Some(code.as_bytes()))
    }

    /// Works and polls until there is nothing more to do.
    pub(crate) fn settle(&mut self) -> Vec<Directive> {
        self.background.settle(&mut self.gate)
    }

    /// The client ids that the gate asks to kick, sorted.
    pub(crate) fn kicked(&mut self) -> Vec<String> {
        let mut kicked: Vec<_> = self
            .settle()
            .into_iter()
            .filter_map(|directive| match directive {
                Directive::Kick { client_id, .. } => Some(client_id.to_string()),
                _ => None,
            })
            .collect();
        kicked.sort();
        kicked
    }

    pub(crate) fn check(&mut self, it: Try<'_>, username: &str, usage: TopicUse<'_>) -> Verdict {
        self.gate.check(&client(it, username), usage)
    }

    pub(crate) fn publishes(&mut self, it: Try<'_>, username: &str, topic: &str) -> bool {
        let usage = TopicUse::Publish {
            topic: topic.as_bytes(),
            qos: 0,
            retain: false,
        };
        self.check(it, username, usage).is_allowed()
    }

    /// Gives commands and returns the answer.
    pub(crate) fn commands(&mut self, it: Try<'_>, username: &str, payload: &str) -> Option<Value> {
        self.gate.command(&client(it, username), payload.as_bytes());
        let replies = self
            .settle()
            .into_iter()
            .filter_map(|directive| match directive {
                Directive::Reply {
                    handle,
                    client_id,
                    topic,
                    payload,
                } => {
                    assert_eq!((handle, &*client_id), (Handle(it.handle), it.client_id));
                    assert_eq!(topic, "$CONTROL/countersign/v1/session/response");
                    Some(serde_json::from_slice(payload.expose()).unwrap())
                }
                _ => None,
            });
        let replies: Vec<Value> = replies.collect();
        assert!(replies.len() < 2, "{replies:?}");
        replies.into_iter().next()
    }

    /// Gives one command; returns the parameters of the answer, or the error code.
    pub(crate) fn command(
        &mut self,
        it: Try<'_>,
        username: &str,
        command: &str,
        params: Value,
    ) -> Result<Value, i64> {
        let payload = serde_json::json!({"commands": [{"command": command, "params": params}]});
        let answer = self.commands(it, username, &payload.to_string()).unwrap();
        let response = &answer["responses"][0];
        assert_eq!(response["command"], command);
        if response["success"] == true {
            Ok(response["params"].clone())
        } else {
            Err(response["errorCodes"][0].as_i64().unwrap())
        }
    }

    /// The acts in the audit, once what is gathered is written.
    pub(crate) fn acts(&mut self) -> Vec<(String, String, String)> {
        self.background.write();
        let rows = self.run(&ListAudit(AuditQuery::default())).unwrap();
        rows.into_iter()
            .map(|row| (row.entry.actor, row.entry.act, row.entry.subject))
            .collect()
    }
}

pub(crate) fn role_right(role: &str) -> GrantedRight {
    GrantedRight::Role(RoleName::parse(role).unwrap())
}

fn info<'a>(it: Try<'a>, password: Option<&'a [u8]>) -> ConnectInfo<'a> {
    {
        let mut info = ConnectInfo::new(Handle(it.handle), it.client_id.as_bytes());
        info.username = Some(it.name.as_bytes());
        info.password = password;
        info.address = Some("192.0.2.1");
        info.listener = it.listener;
        info.protocol = it.protocol;
        info.clean_start = it.clean_start;
        info.may_wait = it.may_wait;
        info
    }
}

pub(crate) fn client<'a>(it: Try<'a>, username: &'a str) -> ClientRef<'a> {
    ClientRef {
        handle: Handle(it.handle),
        client_id: Some(it.client_id.as_bytes()),
        username: Some(username.as_bytes()),
        connected: true,
        ..ClientRef::default()
    }
}

#[track_caller]
pub(crate) fn is_admitted(outcome: &ConnectOutcome) -> bool {
    match outcome {
        ConnectOutcome::Admitted { .. } => true,
        ConnectOutcome::Refused { .. } => false,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn admitted(outcome: &ConnectOutcome) -> &str {
    match outcome {
        ConnectOutcome::Admitted { username } => username.as_deref().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(outcome: &ConnectOutcome) -> Reason {
    match outcome {
        ConnectOutcome::Refused { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_challenged(outcome: &ConnectOutcome) -> bool {
    matches!(outcome, ConnectOutcome::Challenge { data } if *data == br#"{"errorCode":-90041}"#)
}
