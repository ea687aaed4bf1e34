//! A store in memory with two tenants, and who gives commands about one of them.

use countersign_admin::password::ChosenPassword;
use countersign_admin::role::ShowRole;
use countersign_admin::tenant::{CreateTenant, NewTenant};
use countersign_admin::user::{CreateUser, GrantUser};
use countersign_admin::{Authority, Caller, Command, Context, OsRandom, run};
use countersign_control::answer;
use countersign_core::credential::CredentialId;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::secret::Argon2Params;
use countersign_core::store::rows::CredentialRows as _;
use countersign_core::store::{AdminStore as _, Intent, Settings};
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, GrantedRight};
use countersign_testkit::MemoryStore;
use serde_json::{Value, json};

pub(crate) struct Fixture {
    pub(crate) store: MemoryStore,
    pub(crate) authority: Authority,
}

pub(crate) fn tenant() -> TenantId {
    TenantId::parse("acme").unwrap()
}

pub(crate) fn login(name: &str) -> LoginName {
    LoginName::parse(name).unwrap()
}

pub(crate) fn chosen() -> ChosenPassword {
    ChosenPassword::parse(b"correct horse battery".to_vec()).unwrap()
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let settings = Settings {
            argon2: Argon2Params::CHEAPEST,
            ..Settings::default()
        };
        let mut fixture = Self {
            store: MemoryStore::new(&settings),
            authority: Authority::Platform,
        };
        for id in ["acme", "other"] {
            let id = TenantId::parse(id).unwrap();
            fixture.run(&CreateTenant(NewTenant::new(id))).unwrap();
        }
        fixture
    }

    pub(crate) fn context<'a>(authority: Authority, random: &'a mut OsRandom) -> Context<'a> {
        Context {
            now: Timestamp::from_millis(1_700_000_000_000),
            caller: Caller {
                actor: "session:root",
                authority,
            },
            random,
        }
    }

    pub(crate) fn run<C: Command>(&mut self, command: &C) -> Result<C::Output, String> {
        let mut random = OsRandom;
        let mut context = Self::context(Authority::Platform, &mut random);
        run(&mut self.store, &mut context, command).map_err(|error| error.to_string())
    }

    /// The answer to a payload.
    pub(crate) fn raw(&mut self, payload: &[u8]) -> String {
        let mut random = OsRandom;
        let mut context = Self::context(self.authority, &mut random);
        let answer = answer(&mut self.store, &mut context, &tenant(), payload);
        String::from_utf8(answer).unwrap()
    }

    /// The responses to commands.
    pub(crate) fn all(&mut self, commands: &Value) -> Vec<Value> {
        let payload = json!({ "commands": commands }).to_string();
        let answer: Value = serde_json::from_str(&self.raw(payload.as_bytes())).unwrap();
        answer["responses"].as_array().unwrap().clone()
    }

    /// The response to one command.
    pub(crate) fn one(&mut self, command: &Value) -> Value {
        let mut responses = self.all(&json!([command]));
        assert_eq!(responses.len(), 1);
        responses.remove(0)
    }

    /// Gives a command that is carried out; returns its data.
    pub(crate) fn done(&mut self, command: Value) -> Value {
        let response = self.one(&command);
        assert_eq!(response.get("error"), None, "{command}: {response}");
        response["data"].clone()
    }

    /// Gives a command that is refused; returns why.
    pub(crate) fn refused(&mut self, command: Value) -> String {
        let response = self.one(&command);
        let error = response["error"].as_str();
        error
            .unwrap_or_else(|| panic!("{command}: {response}"))
            .to_owned()
    }

    pub(crate) fn id_of(&mut self, name: &str) -> CredentialId {
        let mut rows = self.store.begin(Intent::Read).unwrap();
        rows.credential(&login(name)).unwrap().unwrap().id
    }

    /// The rules of a role here.
    pub(crate) fn rules(&mut self, role: &str) -> Vec<String> {
        let shown = self.run(&ShowRole {
            tenant: tenant(),
            name: RoleName::parse(role).unwrap(),
        });
        let rules = shown.unwrap().role.rules;
        rules.iter().map(|it| it.rule.to_string()).collect()
    }

    /// A user who may do this in tenants.
    pub(crate) fn user(&mut self, email: &str, tenant: &str, right: GrantedRight) -> Authority {
        let email = login(email);
        self.run(&CreateUser::new(email.clone(), chosen())).unwrap();
        let grant = Grant {
            tenant: TenantId::parse(tenant).unwrap(),
            right,
            group: None,
        };
        let name = email.to_string();
        self.run(&GrantUser { email, grant }).unwrap();
        let id = self.id_of(&name);
        Authority::Session(id)
    }
}
