//! A store in a temporary directory, and short ways to act on it.

use std::collections::BTreeSet;

use countersign_core::audit::{AuditCheck, AuditEntry};
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::connect::{LoginRecord, Proof, SessionChange};
use countersign_core::credential::Credential;
use countersign_core::imported::ImportMark;
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::kind::{Application, ApplicationName};
use countersign_core::ledger::Ledger as _;
use countersign_core::lifecycle::State;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::{Role, RoleName};
use countersign_core::rule::{Action, Effect, Limits, Pattern, QoS, Rule};
use countersign_core::scheme::{FieldValue, Scheme, SchemeName};
use countersign_core::secret::{Argon2Params, Secret};
use countersign_core::store::{GateStore as _, LoginEffects, Recorded, Settings};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode, Tenant};
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, GrantedRight};
use countersign_sqlite::SqliteStore;
use tempfile::TempDir;

use crate::application::{CreateApplication, NewApplication};
use crate::audit::VerifyAudit;
use crate::caller::{Authority, Caller};
use crate::check::{ConnectCheck, ConnectVerdict, Listeners, PolicyCheck};
use crate::command::{Command, run};
use crate::context::{Context, RandomError, RandomSource};
use crate::credential::{
    CreateCredential, DeleteCredential, IssuedCredential, NewCredential, ShowCredential,
};
use crate::error::AdminError;
use crate::import::{ImportRow, ImportTable};
use crate::jwt::{CreateToken, CreatedToken, Issuer, ListTokens, NewToken, ShownToken};
use crate::namespace::parse_namespace;
use crate::password::ChosenPassword;
use crate::role::{ChangeRoleRules, CreateRole, NewRole};
use crate::rule::RuleChange;
use crate::scheme::{AddScheme, ListSchemes};
use crate::secret::NewSecret;
use crate::tenant::{self, CreateTenant, DeleteTenant, NewTenant, TenantDeletion};
use crate::thing::{CreateThing, NewThing};
use crate::user::{CreateUser, GrantUser, ShowUser, ShownUser};

/// A store and a clock that stands still.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) store: SqliteStore,
    pub(crate) now: Timestamp,
}

impl Fixture {
    /// An empty store.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            argon2: Argon2Params::parse("m=8,t=1,p=1").unwrap(),
            ..Settings::default()
        };
        let store = SqliteStore::create(directory.path().join("store.db"), &settings).unwrap();
        let key = format!("{}\n", "0123456789abcdef".repeat(4));
        std::fs::write(directory.path().join("store.db.key"), key).unwrap();
        Self {
            directory,
            store,
            now: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    /// A store with the tenant `acme` and its credential `dev1`.
    pub(crate) fn with_credential() -> Self {
        let mut fixture = Self::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.credential("dev1").unwrap();
        fixture
    }

    /// Acts with a context.
    pub(crate) fn act<T>(
        &mut self,
        act: impl FnOnce(&mut SqliteStore, &mut Context<'_>) -> T,
    ) -> T {
        let mut context = Context {
            now: self.now,
            caller: Caller::owner("cli:tester"),
            random: &mut crate::OsRandom,
        };
        act(&mut self.store, &mut context)
    }

    /// Runs a command as the owner of the store.
    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, AdminError> {
        self.act(|store, context| run(store, context, command))
    }

    /// Runs a command by another authority.
    pub(crate) fn run_by<C: Command>(
        &mut self,
        authority: Authority,
        command: &C,
    ) -> Result<C::Output, AdminError> {
        self.act(|store, context| {
            context.caller.authority = authority;
            run(store, context, command)
        })
    }

    /// What the session of a user counts for.
    pub(crate) fn session_of(&mut self, email: &str) -> Authority {
        let shown = self.run(&ShowUser(login_name(email))).unwrap();
        Authority::Session(shown.user.id)
    }

    pub(crate) fn tenant(&mut self, id: &str, namespaces: &[&str]) -> Result<Tenant, AdminError> {
        self.run(&CreateTenant(new_tenant(id, namespaces)))
    }

    pub(crate) fn delete_tenant(
        &mut self,
        id: &str,
        deletion: TenantDeletion,
    ) -> Result<(), AdminError> {
        let id = tenant_id(id);
        self.act(|store, context| {
            tenant::delete(
                store,
                context,
                &DeleteTenant { id, deletion },
                &mut |_, _| (),
            )
        })
    }

    pub(crate) fn credential(&mut self, name: &str) -> Result<IssuedCredential, AdminError> {
        let new = new_credential(name);
        self.run(&CreateCredential(new))
    }

    /// Makes a credential of `acme` by a scheme.
    pub(crate) fn of_scheme(
        &mut self,
        scheme: &str,
        name: Option<&str>,
    ) -> Result<IssuedCredential, AdminError> {
        let new = NewCredential {
            scheme: scheme_name(scheme),
            name: name.map(Into::into),
            ..new_credential("")
        };
        self.run(&CreateCredential(new))
    }

    /// A store with the tenant `acme`, its role `ops` that may do anything in
    /// it, and the user `jane@mail.test` who administers it.
    pub(crate) fn with_admin() -> Self {
        let mut fixture = Self::with_credential();
        fixture.role("ops").unwrap();
        fixture
            .change_role("ops", &adding("allow both acme/#"))
            .unwrap();
        fixture.user(JANE);
        fixture.grant(JANE, "acme", GrantedRight::OrgAdmin).unwrap();
        fixture
    }

    /// Opens the store again with another content of its key file, none where
    /// it is lost.
    pub(crate) fn reopen(&mut self, key: Option<&str>) {
        let path = self.directory.path().join("store.db");
        let key_file = self.directory.path().join("store.db.key");
        match key {
            Some(key) => std::fs::write(key_file, key).unwrap(),
            None => std::fs::remove_file(key_file).unwrap(),
        }
        self.store = SqliteStore::open(path).unwrap();
    }

    /// Makes a user with the password `hunter2`.
    pub(crate) fn user(&mut self, email: &str) -> Credential {
        let password = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
        let create = CreateUser::new(login_name(email), password);
        self.run(&create).unwrap().user
    }

    pub(crate) fn grant(
        &mut self,
        email: &str,
        tenant: &str,
        right: GrantedRight,
    ) -> Result<ShownUser, AdminError> {
        let grant = Grant {
            tenant: tenant_id(tenant),
            group: None,
            right,
        };
        let email = login_name(email);
        self.run(&GrantUser { email, grant })
    }

    /// Makes an application of `acme` and returns its token.
    pub(crate) fn application(&mut self, name: &str, about: Application) -> String {
        let new = NewApplication {
            name: application_name(name),
            tenant: tenant_id("acme"),
            roles: Vec::new(),
            about,
        };
        text_of(&self.run(&CreateApplication(new)).unwrap().token)
    }

    /// Makes a thing of an application of `acme`.
    pub(crate) fn thing(&mut self, key: &str, application: &str) -> Result<Credential, AdminError> {
        let new = NewThing {
            key: login_name(key),
            tenant: tenant_id("acme"),
            application: application_name(application),
        };
        self.run(&CreateThing(new))
    }

    /// Makes a token of `acme` for `portal` as `jane@mail.test`.
    pub(crate) fn token(&mut self, things: &[&str]) -> Result<CreatedToken, AdminError> {
        self.run(&CreateToken(NewToken {
            things: things.iter().map(|key| login_name(key)).collect(),
            ..new_token(JANE)
        }))
    }

    /// The only token that is listed.
    pub(crate) fn only_token(&mut self) -> ShownToken {
        let mut tokens = self.run(&ListTokens::default()).unwrap().rows;
        assert_eq!(tokens.len(), 1);
        tokens.pop().unwrap()
    }

    pub(crate) fn role(&mut self, name: &str) -> Result<Role, AdminError> {
        let new = NewRole {
            tenant: tenant_id("acme"),
            name: role_name(name),
            description: None,
            no_wildcards: false,
        };
        Ok(self.run(&CreateRole(new))?.role)
    }

    pub(crate) fn show(&mut self, name: &str) -> Credential {
        let shown = self.run(&ShowCredential(login_name(name))).unwrap();
        shown.credential
    }

    /// Logs in with the newest secret, as a broker would record it.
    pub(crate) fn log_in(&mut self, name: &str, client_id: &str) {
        let credential = self.show(name);
        let client_id = ClientId::parse(client_id).unwrap();
        let login = LoginEffects {
            broker: "b",
            client_id: &client_id,
            username: Some(name),
            tenant: credential.tenant.as_ref(),
            proved: Some((
                &credential,
                Proof::Secret(credential.secrets.first().unwrap().id),
            )),
            record: LoginRecord {
                activates: !credential.ever_used,
                ties: (credential.client_id_rule == ClientIdRule::FirstUse)
                    .then(|| client_id.tie()),
                retires_older_secrets: credential.secrets.iter().any(|secret| secret.until_used),
                session: SessionChange::Taken,
                ..LoginRecord::default()
            },
        };
        let recorded = self.store.record_login(&login, self.now).unwrap();
        assert_eq!(recorded, Recorded::Done);
    }

    /// Adds a scheme of these texts.
    pub(crate) fn scheme(&mut self, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(key, text)| match *text {
            "true" | "false" => (*key, FieldValue::Flag(*text == "true")),
            _ => (*key, FieldValue::Text((*text).into())),
        });
        let scheme = Scheme::from_fields(fields).unwrap();
        self.run(&AddScheme(scheme)).unwrap();
    }

    /// Imports a credential of scheme `plain` with a password.
    pub(crate) fn import(&mut self, name: &str) -> Result<(), AdminError> {
        let row = import_row(with_password(name));
        self.run(&ImportTable(vec![row])).map(drop)
    }

    /// The schemes of whose names some have a password.
    pub(crate) fn with_passwords(&mut self) -> Vec<String> {
        let schemes = self.run(&ListSchemes).unwrap();
        schemes.with_passwords().map(ToString::to_string).collect()
    }

    pub(crate) fn delete(&mut self, name: &str) {
        let name = login_name(name);
        self.run(&DeleteCredential(name)).unwrap();
    }

    /// Changes the rules of a role of `acme`.
    pub(crate) fn change_role(
        &mut self,
        role: &str,
        change: &RuleChange,
    ) -> Result<Role, AdminError> {
        Ok(self.run(&change_of_role(role, change))?.role)
    }

    /// All rows of the audit.
    pub(crate) fn entries(&mut self) -> Vec<AuditEntry> {
        let rows = self.run(&crate::audit::ListAudit::default()).unwrap();
        rows.into_iter().map(|row| row.entry).collect()
    }

    /// What was written into the change log after `seq`.
    pub(crate) fn changes_after(&mut self, seq: ChangeSeq) -> Vec<Change> {
        let changes = self.store.changes_after(seq, 100).unwrap();
        changes.into_iter().map(|(_, change)| change).collect()
    }

    /// Asks what a client with this password would be told.
    pub(crate) fn check(&mut self, name: &str, password: Option<&[u8]>) -> ConnectVerdict {
        self.check_with(name, "c", password)
    }

    /// The same of a client with this id.
    pub(crate) fn check_with(
        &mut self,
        name: &str,
        client_id: &str,
        password: Option<&[u8]>,
    ) -> ConnectVerdict {
        let presented = ConnectCheck {
            address: None,
            certificate: None,
            client_id,
            username: Some(name),
            password: password.map(|bytes| Secret::new(bytes.to_vec())),
            listener: None,
        };
        self.policy_check().connect(presented).unwrap().verdict
    }

    /// Asks what a broker would answer.
    pub(crate) fn policy_check(&mut self) -> PolicyCheck<'_, SqliteStore> {
        PolicyCheck::new(&mut self.store, self.now, Listeners::default()).unwrap()
    }

    /// The acts in the audit, with their subjects.
    pub(crate) fn acts(&mut self) -> Vec<String> {
        let AuditCheck::Intact { .. } = self.run(&VerifyAudit::default()).unwrap() else {
            panic!("the audit does not verify");
        };
        self.entries()
            .iter()
            .map(|entry| format!("{} {}", entry.act, entry.subject))
            .collect()
    }
}

/// A token of `acme` for `portal` that lasts an hour.
pub(crate) fn new_token(issuer: &str) -> NewToken {
    NewToken {
        tenant: tenant_id("acme"),
        role: role_name("ops"),
        whoami: Whoami::parse("portal").unwrap(),
        things: Vec::new(),
        ttl: Ttl::DEFAULT,
        issuer: Issuer::Named(issuer.into()),
    }
}

pub(crate) fn application_name(text: &str) -> ApplicationName {
    ApplicationName::parse(text).unwrap()
}

pub(crate) fn text_of(secret: &Secret) -> String {
    String::from_utf8(secret.expose().to_vec()).unwrap()
}

/// Who administers `acme`.
pub(crate) const JANE: &str = "jane@mail.test";

/// Randomness that fails.
pub(crate) struct NoRandomness;

impl RandomSource for NoRandomness {
    fn fill(&mut self, _buffer: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError)
    }
}

pub(crate) fn new_tenant(id: &str, namespaces: &[&str]) -> NewTenant {
    NewTenant {
        id: tenant_id(id),
        namespaces: namespaces
            .iter()
            .map(|text| parse_namespace(text).unwrap())
            .collect(),
        authentication: Authentication::Required,
        subscribe: SubscribeMode::Strict,
        client_id_prefix: None,
        lockout: None,
        default_rights: DefaultRights::Namespaces,
    }
}

/// A credential of `acme` with a generated secret.
pub(crate) fn new_credential(name: &str) -> NewCredential {
    NewCredential::new(tenant_id("acme"), name)
}

/// A row of a table, of this credential.
pub(crate) fn import_row(create: CreateCredential) -> ImportRow {
    ImportRow {
        create,
        hash: None,
        state: State::Inactive,
        mark: ImportMark {
            source: "test".into(),
            parts: BTreeSet::new(),
            secret: None,
        },
    }
}

/// Of scheme `plain`, with a password.
pub(crate) fn with_password(name: &str) -> CreateCredential {
    CreateCredential(NewCredential {
        scheme: SchemeName::plain(),
        secret: NewSecret::Chosen(ChosenPassword::parse(b"correct horse".to_vec()).unwrap()),
        ..new_credential(name)
    })
}

pub(crate) fn tenant_id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub(crate) fn scheme_name(text: &str) -> SchemeName {
    SchemeName::parse(text).unwrap()
}

pub(crate) fn role_name(text: &str) -> RoleName {
    RoleName::parse(text).unwrap()
}

/// The change of the rules of a role of `acme` that are bound to no group.
pub(crate) fn change_of_role(role: &str, change: &RuleChange) -> ChangeRoleRules {
    ChangeRoleRules {
        tenant: tenant_id("acme"),
        name: role_name(role),
        change: change.clone(),
        group: None,
    }
}

/// The change that adds a rule, written like `allow publish a/#`.
pub(crate) fn adding(text: &str) -> RuleChange {
    RuleChange::Add(rule(text))
}

/// The change that takes a rule away, written like `publish a/#`.
pub(crate) fn removing(text: &str) -> RuleChange {
    let (action, pattern) = text.split_once(' ').unwrap();
    RuleChange::Remove {
        action: Action::parse(action).unwrap(),
        pattern: Pattern::parse(pattern).unwrap(),
        limits: Limits::NONE,
        literal: false,
    }
}

/// A rule, as rules print themselves.
pub(crate) fn rule(text: &str) -> Rule {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap();
    let effect = Effect::parse(word()).unwrap();
    let action = Action::parse(word()).unwrap();
    let pattern = Pattern::parse(word()).unwrap();
    let mut limits = Limits::NONE;
    while let Some(limit) = words.next() {
        match limit {
            "max_qos" => {
                let qos: u8 = words.next().unwrap().parse().unwrap();
                limits.max_qos = Some(QoS::try_from(qos).unwrap());
            }
            _ => limits.no_retain = true,
        }
    }
    Rule::new(effect, action, pattern, limits).unwrap()
}

pub(crate) fn login_name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}
