//! Commands that are carried out on the host's thread, and which of the others
//! a session may give.

use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::client_id::ClientId;
use countersign_core::connect::may_keep_client_id;
use countersign_core::credential::Credential;
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::presence::PresenceEvent;
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;
use countersign_core::user::{Grant, GrantedRight};

use super::error::CommandError;
use super::json::{CommandRequest, CommandResult, Info, Tenancy};
use crate::command::admin_job::{AdminJob, JobKind};
use crate::connection::principal::Principal;
use crate::connection::session::Session;
use crate::connection::session_extension::Child;
use crate::connection::session_grant::{may_be_child, rights_of_session};
use crate::host::Handle;
use crate::journal::entry::{JournalEntry, Moved};
use crate::state::State;

impl From<StoreError> for CommandError {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}

/// What becomes of a command.
pub(super) enum CommandStep {
    /// It is answered.
    Answered(Result<CommandResult, CommandError>),
    /// It is an act, for the admin worker.
    Job(AdminJob),
}

/// Executes a command, or returns the job for the admin worker.
pub(super) fn execute<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    request: CommandRequest,
) -> CommandStep {
    match try_execute(state, handle, request) {
        Ok(step) => step,
        Err(error) => CommandStep::Answered(Err(error)),
    }
}

fn try_execute<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    request: CommandRequest,
) -> Result<CommandStep, CommandError> {
    let now = state.now();
    let session = state.sessions.get(handle);
    let id = session.and_then(Session::credential);
    let id = id.ok_or(CommandError::Unavailable)?;
    // A session whose credential was deleted is about to be ended.
    let record = state.view.store.credential_by_id(id)?;
    let record = record.ok_or(CommandError::Unavailable)?;
    if matches!(record.kind, Kind::Bearer) && request != CommandRequest::Info {
        return Err(CommandError::WrongSession("a token has no other commands"));
    }
    let answer = match request {
        CommandRequest::Info => CommandResult::Info(info(state, handle, &record)?),
        CommandRequest::ListTenants => CommandResult::Tenants(tenancies(state, handle, &record)),
        CommandRequest::Switch(tenant) => switch(state, handle, &record, tenant, now)?,
        CommandRequest::Bind(key) => bind(state, handle, &record, key, now)?,
        CommandRequest::MakeToken {
            role,
            whoami,
            things,
            ttl,
        } => {
            let kind = JobKind::MakeToken {
                role,
                whoami,
                things,
                ttl,
            };
            return admin_job(state, handle, &record, kind);
        }
        CommandRequest::Untie(key) => {
            return admin_job(state, handle, &record, JobKind::Untie(key));
        }
    };
    Ok(CommandStep::Answered(Ok(answer)))
}

/// An act of an administrator. The admin worker checks the authority again.
fn admin_job<S: GateStore>(
    state: &State<S>,
    handle: Handle,
    record: &Credential,
    kind: JobKind,
) -> Result<CommandStep, CommandError> {
    let session = state
        .sessions
        .get(handle)
        .ok_or(CommandError::Unavailable)?;
    let tenant = session.tenant.as_ref();
    let tenant = tenant.filter(|tenant| record.is_org_admin_of(tenant));
    Ok(CommandStep::Job(AdminJob {
        principal: record.id,
        actor: format!("session:{}", record.name),
        tenant: tenant.cloned().ok_or(CommandError::NotAdmin)?,
        kind,
    }))
}

fn info<S: GateStore>(
    state: &State<S>,
    handle: Handle,
    record: &Credential,
) -> Result<Info, CommandError> {
    let session = state
        .sessions
        .get(handle)
        .ok_or(CommandError::Unavailable)?;
    let tenant = session.tenant.as_ref();
    let own = |text: &LoginName| text.as_str().to_owned();
    let (roles, things): (Vec<String>, Vec<String>) = match &record.kind {
        Kind::User(user) => {
            let grant = tenant.and_then(|tenant| user.grant_in(tenant));
            (grant.and_then(role_of).into_iter().collect(), Vec::new())
        }
        Kind::Bearer => match session.token() {
            Some(token) => (
                vec![token.role.to_string()],
                token.things.iter().map(own).collect(),
            ),
            None => (Vec::new(), Vec::new()),
        },
        Kind::Application(_) | Kind::Device | Kind::Operator | Kind::Thing(_) => {
            let is_thing = matches!(record.kind, Kind::Thing(_));
            let key = is_thing.then(|| own(&record.name));
            let children = session.children().iter().map(|child| own(&child.key));
            (
                record.roles.iter().map(ToString::to_string).collect(),
                key.into_iter().chain(children).collect(),
            )
        }
    };
    Ok(Info {
        username: session.username.as_deref().map(str::to_owned),
        kind: kind_of(record),
        org_key: tenant.map(ToString::to_string),
        role: match roles.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
        roles,
        org_admin: tenant.is_some_and(|tenant| record.is_org_admin_of(tenant)),
        client_id: session.client_id.to_string(),
        things,
    })
}

fn tenancies<S: GateStore>(state: &State<S>, handle: Handle, record: &Credential) -> Vec<Tenancy> {
    let session = state.sessions.get(handle);
    let current = session.and_then(|session| session.tenant.as_ref());
    let tenancy = |tenant: &TenantId, role: Option<String>| Tenancy {
        key: tenant.to_string(),
        role,
        org_admin: record.is_org_admin_of(tenant),
        current: Some(tenant) == current,
    };
    match record.kind.user() {
        Some(user) => {
            let grants = user.grants.iter();
            grants
                .map(|grant| tenancy(&grant.tenant, role_of(grant)))
                .collect()
        }
        None => {
            let own = record.tenant.iter();
            own.map(|tenant| tenancy(tenant, None)).collect()
        }
    }
}

/// Moves a user's session into another tenant, if a CONNECT there would be
/// let in. Other sessions stay where they are.
fn switch<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    record: &Arc<Credential>,
    tenant: TenantId,
    now: Timestamp,
) -> Result<CommandResult, CommandError> {
    let Kind::User(user) = &record.kind else {
        return Err(CommandError::WrongSession("only users switch"));
    };
    state.view.refresh()?;
    let session = state
        .sessions
        .get(handle)
        .ok_or(CommandError::Unavailable)?;
    let Principal::User { secret, .. } = session.principal else {
        return Err(CommandError::WrongSession("only users switch"));
    };
    let client_id = ClientId::parse(&session.client_id).map_err(|_| CommandError::Unavailable)?;
    let (number, is_stored) = (session.number, session.stored);
    if user.grant_in(&tenant).is_none() || !state.view.snapshot.has_tenant(&tenant) {
        return Err(CommandError::NotFound("the user is granted no such tenant"));
    }
    if record.admits(secret, &client_id, now).is_err() {
        return Err(CommandError::NotFound("the user may not log in any more"));
    }
    let only = state.config.listener_at(session.listener).listener_tenant;
    if only.is_some_and(|only| only != tenant) {
        return Err(CommandError::Conflict(
            "the listener takes another tenant".into(),
        ));
    }
    let hold = state.view.snapshot.settings.client_id_hold;
    let mut directory = state.directory(None, now)?;
    let kept = may_keep_client_id(record.id, &tenant, &client_id, hold, now, &mut directory)?;
    if kept.is_err() {
        let why = "the client id can't be used there";
        return Err(CommandError::Conflict(why.into()));
    }
    let subject = AccessSubject::User {
        credential: record,
        tenant: &tenant,
    };
    let rights = state.view.rights_of(subject, client_id.as_str())?;
    let tie = client_id.tie();
    if state.is_over_connections(&rights, Some(record.id), Some(&tenant), &tie) {
        let why = "the tenant has as many connections as it may";
        return Err(CommandError::Conflict(why.into()));
    }
    state
        .sessions
        .move_to(handle, Some(tenant.clone()), subject.groups());
    state.give_rights(handle, rights, now);
    let joined = PresenceEvent::Joined(number, tenant.clone());
    state.journal.writer.observe(joined);
    state
        .journal
        .writer
        .append(JournalEntry::Moved(Box::new(Moved {
            user: Arc::clone(record),
            secret,
            tenant: tenant.clone(),
            client_id,
            is_stored,
            at: now,
        })));
    Ok(CommandResult::Switched(tenant))
}

/// Binds a thing to the session of another of its application.
fn bind<S: GateStore>(
    state: &mut State<S>,
    handle: Handle,
    record: &Credential,
    key: LoginName,
    now: Timestamp,
) -> Result<CommandResult, CommandError> {
    if !matches!(record.kind, Kind::Thing(_)) {
        return Err(CommandError::WrongSession(
            "only an application binds things",
        ));
    }
    let session = state
        .sessions
        .get(handle)
        .ok_or(CommandError::Unavailable)?;
    let mut children = session.children().to_vec();
    let not_found = CommandError::NotFound("the application has no such thing");
    let found = state.view.store.credential(&key)?;
    let Some(child) = found.filter(|found| is_of_same_application(found, record)) else {
        return Err(not_found);
    };
    if !may_be_child(&child, record, now) {
        let why = "the thing connects itself, or may not be used";
        return Err(CommandError::Conflict(why.into()));
    }
    if !children.iter().any(|known| known.id == child.id) {
        if children.len() >= MOST_CHILDREN {
            return Err(CommandError::Conflict(
                "too many things are bound already".into(),
            ));
        }
        children.push(Child::from(&*child));
        state.sessions.set_children(handle, children);
    }
    let (rights, _) = rights_of_session(&mut state.view, &mut state.sessions, handle, record, now)?;
    state.give_rights(handle, rights, now);
    Ok(CommandResult::Bound(key))
}

fn is_of_same_application(one: &Credential, other: &Credential) -> bool {
    one.parent().is_some() && one.parent() == other.parent()
}

fn role_of(grant: &Grant) -> Option<String> {
    match &grant.right {
        GrantedRight::OrgAdmin | GrantedRight::Viewer => None,
        GrantedRight::Role(role) => Some(role.to_string()),
    }
}

/// What kind of session it is, in the words of the answer.
fn kind_of(record: &Credential) -> &'static str {
    match record.kind {
        Kind::Application(_) => "application",
        Kind::Bearer => "jwt",
        Kind::Device => "device",
        Kind::Operator => "operator",
        Kind::Thing(_) => "thing",
        Kind::User(_) => "user",
    }
}

/// So many things are bound to one session at most.
const MOST_CHILDREN: usize = 64;
