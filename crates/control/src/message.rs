//! A message with commands, and the answer to it.

use countersign_admin::error::Noun;
use countersign_admin::password::ChosenPassword;
use countersign_admin::{AdminError, Command, Context, ErrorKind, Permission, Tx, run};
use countersign_core::name::TenantId;
use countersign_core::store::{AdminStore, Intent, StoreError, StoreErrorKind};
use zeroize::Zeroize as _;

use crate::clients::{self, Secret};
use crate::json::Json;
use crate::params::{Params, said};
use crate::{defaults, groups, membership, roles, shown_clients};

/// Carries out the commands of a message, as the caller of the context may, and returns
/// the answer. It is about one tenant and no other.
#[must_use]
pub fn answer<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    tenant: &TenantId,
    payload: &[u8],
) -> Vec<u8> {
    let mut responses = Responses::default();
    match read(payload) {
        Ok(mut message) => {
            answer_all(store, context, tenant, &message, &mut responses);
            message.zeroize();
        }
        Err(why) => responses.push_last(response(UNKNOWN, Err(why), None)),
    }
    responses.written()
}

/// The answer to a message that is not looked at, for this reason.
#[must_use]
pub fn refusal(why: &str) -> Vec<u8> {
    let mut responses = Responses::default();
    responses.push_last(response(UNKNOWN, Err(why.into()), None));
    responses.written()
}

fn read(payload: &[u8]) -> Result<Json, String> {
    if payload.len() > LONGEST {
        return Err(TOO_LONG.into());
    }
    let message = Json::read(payload, MOST_VALUES);
    let message = message.map_err(|_| "Payload not valid JSON".to_owned())?;
    match message.member("commands") {
        Some(Json::Array(commands)) if commands.len() > MOST_COMMANDS => Err(format!(
            "a message has at most {MOST_COMMANDS} commands here; send several messages"
        )),
        Some(Json::Array(_)) => Ok(message),
        Some(_) | None => Err("Invalid/missing commands".into()),
    }
}

fn answer_all<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    tenant: &TenantId,
    message: &Json,
    responses: &mut Responses,
) {
    let Some(Json::Array(commands)) = message.member("commands") else {
        return;
    };
    for command in commands {
        let Json::Object(_) = command else {
            responses.push_last(response(UNKNOWN, Err("Command not an object".into()), None));
            return;
        };
        let Some(name) = command.member("command").and_then(Json::as_text) else {
            responses.push_last(response(UNKNOWN, Err("Missing command".into()), None));
            return;
        };
        let correlation = match command.member("correlationData") {
            None => None,
            Some(Json::Text(text)) => Some(&**text),
            Some(_) => {
                let why = "Invalid correlationData data type.".to_owned();
                responses.push_last(response(name, Err(why), None));
                return;
            }
        };
        let known = COMMANDS.iter().find(|it| it.eq_ignore_ascii_case(name));
        let Some(&known) = known else {
            responses.push_last(response(name, Err("Unknown command".into()), correlation));
            continue;
        };
        let act = Act {
            command: known,
            tenant,
            params: Params(command),
            secret: Secret::of(known, tenant, Params(command)),
        };
        let is_look = act.intent() == Intent::Read;
        let done = run(store, context, &act).map_err(|error| told(&error));
        let shown = if is_look { known } else { name };
        if !responses.push(response(shown, done, correlation)) {
            let why = format!(
                "the answer would be longer than {LONGEST_ANSWER} bytes; ask for less with `count` \
                 and `offset`, or in several messages"
            );
            responses.push_last(response(shown, Err(why), correlation));
        }
    }
}

/// A command.
struct Act<'a> {
    command: &'static str,
    tenant: &'a TenantId,
    params: Params<'a>,
    secret: Option<Secret>,
}

impl Command for Act<'_> {
    type Output = Option<Json>;

    /// What a command needs, the commands need that it is made of. This is what every
    /// caller needs who is told anything.
    fn needs(&self) -> Permission {
        Permission::SeeSome(self.tenant.clone())
    }

    fn intent(&self) -> Intent {
        if self.command.starts_with("get") || self.command.starts_with("list") {
            Intent::Read
        } else {
            Intent::Write
        }
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        match &self.secret {
            Some(Secret::Created(create)) => create.passwords(),
            Some(Secret::Renewed(reset)) => reset.passwords(),
            None => Vec::new(),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<Json>, AdminError> {
        let Self {
            command,
            tenant,
            params,
            secret,
        } = self;
        let (params, secret) = (*params, secret.as_ref());
        match *command {
            "addClientRole" => clients::add_role(tx, tenant, params),
            "addGroupClient" => groups::add_client(tx, tenant, params),
            "addGroupRole" => groups::add_role(tx, tenant, params),
            "addRoleACL" => roles::add_acl(tx, tenant, params),
            "createClient" => clients::create(tx, tenant, params, secret),
            "createGroup" => groups::create(tx, tenant, params),
            "createRole" => roles::create(tx, tenant, params),
            "deleteClient" => clients::delete(tx, tenant, params),
            "deleteGroup" => groups::delete(tx, tenant, params),
            "deleteRole" => roles::delete(tx, tenant, params),
            "disableClient" => clients::disable(tx, tenant, params),
            "enableClient" => clients::enable(tx, tenant, params),
            "getAnonymousGroup" => {
                see_all(tx, tenant)?;
                membership::get_anonymous(tx, tenant)
            }
            "getClient" => shown_clients::get(tx, tenant, params),
            "getDefaultACLAccess" => defaults::get(tx, tenant),
            "getDetails" => details(tx, tenant),
            "getGroup" => {
                see_all(tx, tenant)?;
                groups::get(tx, tenant, params)
            }
            "getRole" => roles::get(tx, tenant, params),
            "listClients" => shown_clients::list(tx, tenant, params),
            "listGroups" => {
                see_all(tx, tenant)?;
                groups::list(tx, tenant, params)
            }
            "listRoles" => roles::list(tx, tenant, params),
            "modifyClient" => clients::modify(tx, tenant, params, secret),
            "modifyGroup" => groups::modify(tx, tenant, params),
            "modifyRole" => roles::modify(tx, tenant, params),
            "removeClientRole" => clients::remove_role(tx, tenant, params),
            "removeGroupClient" => groups::remove_client(tx, tenant, params),
            "removeGroupRole" => groups::remove_role(tx, tenant, params),
            "removeRoleACL" => roles::remove_acl(tx, tenant, params),
            "setAnonymousGroup" => membership::set_anonymous(tx, tenant, params),
            "setClientId" => clients::set_client_id(tx, tenant, params),
            "setClientPassword" => clients::set_password(tx, tenant, params, secret),
            "setDefaultACLAccess" => defaults::set(tx, tenant, params),
            _ => Err(said("Unknown command")),
        }
    }
}

/// All commands, as the plugin calls them.
const COMMANDS: [&str; 32] = [
    "addClientRole",
    "addGroupClient",
    "addGroupRole",
    "addRoleACL",
    "createClient",
    "createGroup",
    "createRole",
    "deleteClient",
    "deleteGroup",
    "deleteRole",
    "disableClient",
    "enableClient",
    "getAnonymousGroup",
    "getClient",
    "getDefaultACLAccess",
    "getDetails",
    "getGroup",
    "getRole",
    "listClients",
    "listGroups",
    "listRoles",
    "modifyClient",
    "modifyGroup",
    "modifyRole",
    "removeClientRole",
    "removeGroupClient",
    "removeGroupRole",
    "removeRoleACL",
    "setAnonymousGroup",
    "setClientId",
    "setClientPassword",
    "setDefaultACLAccess",
];

/// Asks whether the caller may see all of the tenant.
fn see_all(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<(), AdminError> {
    tx.run(&countersign_admin::tenant::ShowTenant(tenant.clone()))
        .map(drop)
}

fn details(tx: &mut Tx<'_>, tenant: &TenantId) -> Result<Option<Json>, AdminError> {
    see_all(tx, tenant)?;
    Ok(Some(Json::Object(vec![
        (
            "clientCount".into(),
            Json::number(shown_clients::count(tx, tenant)?),
        ),
        (
            "groupCount".into(),
            Json::number(groups::count(tx, tenant)?),
        ),
        ("roleCount".into(), Json::number(roles::count(tx, tenant)?)),
        ("changeIndex".into(), Json::number(tx.last_change()?.0)),
    ])))
}

/// The words for a refusal: the plugin's, where it has some.
fn told(error: &AdminError) -> String {
    let subject = error.subject();
    let store = error.store().map(StoreError::kind);
    match (error.kind(), subject.noun) {
        (_, Noun::Command) => error.to_string(),
        // Who has nothing to do with a tenant is not told that there is one.
        (ErrorKind::NotFound, Noun::Tenant) | (ErrorKind::Forbidden, Noun::Tenant) => {
            "this session may not do that".into()
        }
        (ErrorKind::NotFound | ErrorKind::WrongKind, Noun::Credential) => "Client not found".into(),
        (ErrorKind::NotFound, Noun::Role) => "Role not found".into(),
        (ErrorKind::NotFound, Noun::Group) => "Group not found".into(),
        (ErrorKind::Exists, Noun::Role) => "Role already exists".into(),
        (ErrorKind::Exists, Noun::Credential) => "Client already exists".into(),
        _ if store == Some(StoreErrorKind::Replica) => error.to_string(),
        (ErrorKind::Unavailable, _) => "the store can't be used now; try again".into(),
        _ => error.to_string(),
    }
}

fn response(
    command: &str,
    outcome: Result<Option<Json>, String>,
    correlation: Option<&str>,
) -> Json {
    let mut members = vec![("command".into(), Json::text(command))];
    match outcome {
        Ok(Some(data)) => members.push(("data".into(), data)),
        Ok(None) => {}
        Err(why) => members.push(("error".into(), Json::text(&why))),
    }
    members.extend(correlation.map(|text| ("correlationData".into(), Json::text(text))));
    Json::Object(members)
}

/// The responses to a message, as far as an answer holds them.
#[derive(Default)]
struct Responses {
    written: Vec<u8>,
}

impl Responses {
    /// Adds one; says whether there is room for it.
    fn push(&mut self, response: Json) -> bool {
        let written = serde_json::to_vec(&response).unwrap_or_default();
        let length = self.written.len().saturating_add(written.len());
        if length > LONGEST_ANSWER {
            return false;
        }
        self.add(&written);
        true
    }

    /// Adds one that is short.
    fn push_last(&mut self, response: Json) {
        let written = serde_json::to_vec(&response).unwrap_or_default();
        self.add(&written);
    }

    fn add(&mut self, written: &[u8]) {
        if !self.written.is_empty() {
            self.written.push(b',');
        }
        self.written.extend_from_slice(written);
    }

    fn written(self) -> Vec<u8> {
        [&br#"{"responses":["#[..], &self.written, b"]}"].concat()
    }
}

/// Where no command can be read.
const UNKNOWN: &str = "Unknown command";
/// So long a message may be.
pub const LONGEST: usize = 256 * 1_024;
/// Where it is longer.
pub const TOO_LONG: &str = "the message is longer than 262144 bytes";
/// So many commands a message may have.
const MOST_COMMANDS: usize = 256;
/// So many values it may hold.
const MOST_VALUES: usize = 65_536;
/// So long an answer becomes, but for refusals at its end.
const LONGEST_ANSWER: usize = 1_024 * 1_024;
