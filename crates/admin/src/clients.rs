//! Acts on live clients.

use countersign_core::audit::{AuditEntry, AuditOutcome};
use countersign_core::change::{Change, KickRequestId};
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::ownership::Holder;
use countersign_core::presence::SessionNumber;
use countersign_core::store::rows::{Behind, heard_since};
use countersign_core::store::{
    BrokerPresence, Intent, Keyed, KickTarget, Listed, Page, StoreError,
};
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::view::shown_name;

/// Lists who is connected, by broker and session.
#[derive(Clone, Debug, Default)]
pub struct ListClients {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// With this name alone.
    pub name: Option<LoginName>,
    /// With this client id alone.
    pub client_id: Option<ClientId>,
    /// At this broker alone.
    pub broker: Option<String>,
    /// Those too that were connected when a broker ended that is not alive.
    pub all: bool,
    /// Which of them.
    pub page: Page<(String, SessionNumber)>,
}

impl Command for ListClients {
    type Output = Listed<BrokerPresence>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        match (&self.tenant, &self.name) {
            (None, Some(name)) => Permission::SeeCredential(name.clone()),
            (tenant, _) => Permission::see(tenant.as_ref()),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<BrokerPresence>, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        let of_tenant = |mut rows: Vec<BrokerPresence>| {
            rows.retain(|it| tenant.is_none_or(|id| it.presence.tenant.as_ref() == Some(id)));
            rows
        };
        let mut sessions = if let Some(client_id) = &self.client_id {
            Listed {
                rows: of_tenant(tx.presence_with(&client_id.tie())?),
                next: None,
            }
        } else if let Some(rows) = self.sessions_of_credential(tx)? {
            // Not looked for among the sessions of all.
            part_of(of_tenant(rows), &self.page)
        } else {
            tx.presence(tenant, &self.page_at_broker())?
        };
        // Brokers follow one another, so behind the one that is sought there is nothing.
        let is_here = |broker: &String| self.broker.as_ref().is_none_or(|it| broker <= it);
        sessions.next = sessions.next.filter(|(broker, _)| is_here(broker));
        let is_named = |session: &BrokerPresence| {
            let name = self.name.as_ref().map(LoginName::as_str);
            name.is_none_or(|name| session.presence.username.as_deref() == Some(name))
        };
        let is_at = |session: &BrokerPresence| {
            let broker = self.broker.as_ref();
            broker.is_none_or(|broker| session.broker == *broker)
        };
        for session in &mut sessions.rows {
            session.is_alive = session.is_connected(tx.now);
        }
        sessions.rows.retain(|session| {
            (self.all || session.is_alive) && is_named(session) && is_at(session)
        });
        Ok(sessions)
    }
}

impl ListClients {
    /// The sessions of the credential whose name is sought, if it has some. One that its
    /// host vouched for has a name, too, and need be no credential's.
    fn sessions_of_credential(
        &self,
        tx: &mut Tx<'_>,
    ) -> Result<Option<Vec<BrokerPresence>>, StoreError> {
        let Some(name) = &self.name else {
            return Ok(None);
        };
        let Some(credential) = tx.credential(name)? else {
            return Ok(None);
        };
        let sessions = tx.presence_of_credential(credential.id)?;
        Ok((!sessions.is_empty()).then_some(sessions))
    }

    /// The page, which begins no earlier than the broker does that is sought.
    fn page_at_broker(&self) -> Page<(String, SessionNumber)> {
        let broker = self.broker.as_ref();
        let begin = broker.map(|broker| (broker.clone(), SessionNumber(i64::MIN)));
        Page {
            after: self.page.after.clone().max(begin),
            ..self.page.clone()
        }
    }
}

/// A page of sessions that are there as a whole.
fn part_of(
    mut rows: Vec<BrokerPresence>,
    page: &Page<(String, SessionNumber)>,
) -> Listed<BrokerPresence> {
    rows.sort_unstable_by_key(Keyed::key);
    rows.retain(|it| page.after.as_ref().is_none_or(|after| it.key() > *after));
    page.listed(rows)
}

/// Counts who is connected.
#[derive(Clone, Debug)]
pub struct CountClients {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
}

impl Command for CountClients {
    type Output = u64;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<u64, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        let since = heard_since(tx.now);
        let behind = tx.count_presence_of_followers(tenant, since)?;
        Ok(tx.count_presence(tenant)?.saturating_add(behind))
    }
}

/// Asks the brokers to end the session called `target`, or those with that
/// client id. [`IsKicked`] tells whether one did.
///
/// What names a session that is connected now means that session; anything
/// else is taken for a client id, of which a broker may know more than the
/// store does. An administrator of a tenant ends sessions that the store knows, one at a
/// time.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub struct RequestKick {
    /// The session or the client id.
    pub target: String,
}

impl Command for RequestKick {
    type Output = KickRequestId;

    fn needs(&self) -> Permission {
        Permission::Kick(self.target.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<KickRequestId, AdminError> {
        let target = self.target.as_str();
        let named = if tx.may(&Permission::Platform) {
            lookup::session_named(tx, target)?
        } else {
            let (authority, now) = (tx.caller.authority, tx.now);
            let called = lookup::sessions_called(tx, target, now)?;
            let mut kickable = authority.kickable(called, tx, now)?;
            if kickable.len() > 1 {
                let message = "several sessions have this client id; name one of them";
                let subject = Subject::nameless(Noun::ClientId);
                return Err(AdminError::new(ErrorKind::Conflict, subject, message));
            }
            Some(kickable.pop().ok_or_else(|| lookup::no_session(target))?)
        };
        let subject = shown_client_id(tx, target)?;
        let (kick, client_id) = match named {
            Some(client) => {
                let known = tx.schemes()?;
                let shown = shown_name(&known, &client.presence.client_id);
                (this_one(client), shown)
            }
            None => {
                let kick = KickTarget::ClientId(ClientIdTie::of(target));
                (kick, subject.clone())
            }
        };
        let after = AuditedKick { client_id };
        // A broker that did it has this written.
        let entry = tx.entry(KICK, &subject, None::<&AuditedKick>, Some(&after));
        let request = tx.request_kick(&kick, &entry)?;
        tx.changed(Change::KickRequested(request));
        Ok(request)
    }
}

/// A session as brokers, or the follower that it is behind, are asked for it.
fn this_one(client: BrokerPresence) -> KickTarget {
    let session = client.presence.session;
    let Some(Behind { follower, .. }) = client.behind else {
        let broker = client.broker;
        return KickTarget::Session { broker, session };
    };
    let there = client.broker.strip_prefix(follower.as_str());
    let broker = there.and_then(|it| it.strip_prefix(':')).map(str::to_owned);
    KickTarget::Behind {
        follower,
        broker,
        session,
    }
}

/// Takes back a request to kick that no broker answered, and has that written
/// down; the output says whether none did.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub struct WithdrawKick {
    /// What was to be kicked.
    pub target: String,
    /// The request.
    pub request: KickRequestId,
}

impl Command for WithdrawKick {
    type Output = bool;

    fn needs(&self) -> Permission {
        Permission::Any
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, AdminError> {
        require_asked(tx, self.request)?;
        if !tx.withdraw_kick(self.request)? {
            return Ok(false);
        }
        let subject = shown_client_id(tx, &self.target)?;
        let entry = AuditEntry {
            outcome: AuditOutcome::Refused,
            ..tx.entry(KICK, &subject, None::<&AuditedKick>, None::<&AuditedKick>)
        };
        tx.record_entry(entry);
        Ok(true)
    }
}

/// A client id as the audit may keep it: masked where it has the shape of a
/// secret, and hidden where a thing uses it.
pub(crate) fn shown_client_id(rows: &mut Rows<'_>, client_id: &str) -> Result<String, StoreError> {
    let tie = ClientIdTie::of(client_id);
    let user = match rows.bound_to(&tie)? {
        Some(id) => rows.credential_by_id(id)?,
        None => None,
    };
    if user.is_some_and(|user| matches!(user.kind, Kind::Thing(_))) {
        return Ok(tie.hidden());
    }
    Ok(shown_name(&rows.schemes()?, client_id))
}

/// Checks that it was the caller who asked for a kick, unless the caller may do
/// everything.
fn require_asked(tx: &mut Tx<'_>, request: KickRequestId) -> Result<(), AdminError> {
    let actor = tx.kick_actor(request)?;
    if actor.as_deref() == Some(tx.caller.actor) || tx.may(&Permission::Platform) {
        return Ok(());
    }
    let message = "there is no such request to end a session";
    let subject = Subject::nameless(Noun::Caller);
    Err(AdminError::new(ErrorKind::NotFound, subject, message))
}

/// Tells whether a broker ended a session that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct IsKicked(pub KickRequestId);

impl Command for IsKicked {
    type Output = bool;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Any
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<bool, AdminError> {
        require_asked(tx, self.0)?;
        Ok(tx.is_kick_answered(self.0)?)
    }
}

/// Gives up a client id on behalf of the credential whose stored session it
/// names. From then on it can be taken with a clean start.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub struct ReleaseClientId(pub ClientId);

impl Command for ReleaseClientId {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let client_id = &self.0;
        let tie = client_id.tie();
        let stored = tx.stored_session(&tie)?;
        let holder = match stored.as_ref().map(|stored| stored.holder) {
            Some(Holder::Credential(holder)) => holder,
            Some(Holder::Former | Holder::Unauthenticated) | None => {
                return Err(not_held(tx, client_id)?);
            }
        };
        tx.release_client_id(&tie)?;
        let before = AuditedRelease {
            holder: stored
                .as_ref()
                .and_then(|stored| stored.username.as_deref()),
            credential: holder.0,
        };
        let subject = shown_client_id(tx, client_id.as_str())?;
        tx.record("client.release", &subject, Some(&before), None);
        tx.changed(Change::Credential(holder));
        Ok(())
    }
}

/// Why a client id that no stored session names can't be given up.
fn not_held(rows: &mut Rows<'_>, client_id: &ClientId) -> Result<AdminError, AdminError> {
    let bound_to = match rows.bound_to(&client_id.tie())? {
        Some(id) => rows.credential_by_id(id)?,
        None => None,
    };
    let (kind, message) = match bound_to {
        Some(credential) => (
            ErrorKind::Conflict,
            format!(
                "client id `{client_id}` is the one that `{}` is bound to",
                credential.name
            ),
        ),
        None => (
            ErrorKind::NotFound,
            format!("no credential holds client id `{client_id}`"),
        ),
    };
    let subject = Subject::new(Noun::ClientId, client_id);
    Ok(AdminError::new(kind, subject, message))
}

/// What the audit keeps of a client id that was given up.
#[derive(Serialize)]
struct AuditedRelease<'a> {
    holder: Option<&'a str>,
    credential: i64,
}

/// What the audit keeps of a request to kick.
#[derive(Serialize)]
struct AuditedKick {
    client_id: String,
}

/// The act, as the audit calls it.
const KICK: &str = "client.kick";

#[cfg(test)]
pub(crate) mod tests {
    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::{Presence, PresenceEvent};
    use countersign_core::store::{Batch, Directory as _, GateStore as _};

    use super::*;
    use crate::fixture::{Fixture, tenant_id};

    pub(crate) fn connected(session: i64, client_id: &str, fixture: &Fixture) -> PresenceEvent {
        PresenceEvent::Connected(presence(session, client_id, fixture))
    }

    pub(crate) fn presence(session: i64, client_id: &str, fixture: &Fixture) -> Presence {
        Presence {
            session: SessionNumber(session),
            client_id: client_id.into(),
            tie: ClientId::parse(client_id).unwrap().tie(),
            username: None,
            credential: None,
            tenant: Some(tenant_id("acme")),
            address: Some("127.0.0.1".into()),
            protocol: 4,
            connected_at: fixture.now,
            authenticated: false,
            listener: None,
            stored: false,
        }
    }

    fn with_clients(client_ids: &[&str]) -> Fixture {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let observations = (1..)
            .zip(client_ids)
            .map(|(session, client_id)| connected(session, client_id, &fixture))
            .collect();
        let batch = Batch {
            observations,
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        fixture
    }

    fn asked(fixture: &mut Fixture, target: &str) -> KickTarget {
        let request = fixture
            .run(&RequestKick {
                target: target.into(),
            })
            .unwrap();
        assert!(!fixture.run(&IsKicked(request)).unwrap());
        let asked = fixture.store.kick_request(request).unwrap().unwrap();
        let answered = Batch {
            kicked: vec![request],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &answered).unwrap();
        assert!(fixture.run(&IsKicked(request)).unwrap());
        asked
    }

    #[test]
    fn clients_are_listed_by_their_client_id() {
        let mut fixture = with_clients(&["c1", "c2"]);
        let _alive = fixture.store.lock_broker("b").unwrap();
        let mut listed = |tenant, client_id| {
            let listed = fixture.run(&ListClients {
                tenant,
                client_id: Some(ClientId::parse(client_id).unwrap()),
                ..ListClients::default()
            });
            let rows = listed.unwrap().rows.into_iter();
            let ids: Vec<_> = rows.map(|it| it.presence.client_id.to_string()).collect();
            ids.join(" ")
        };
        assert_eq!(listed(None, "c2"), "c2");
        assert_eq!(listed(Some(tenant_id("acme")), "c2"), "c2");
        assert_eq!(listed(Some(tenant_id("acme")), "c"), "");
        assert_eq!(listed(Some(tenant_id("other")), "c2"), "");
    }

    #[test]
    fn who_is_sought_by_name_or_at_a_broker_is_found_before_all_others() {
        let mut fixture = with_clients(&["c1", "c2", "c3"]);
        let name = LoginName::parse("dev1@acme").unwrap();
        let credential = fixture.store.credential(&name).unwrap().unwrap();
        let of_dev1 = [4, 5].map(|number| {
            let mut presence = presence(number, &format!("c{number}"), &fixture);
            presence.credential = Some(credential.id);
            presence.username = Some(name.as_str().into());
            PresenceEvent::Connected(presence)
        });
        let of_others = vec![connected(6, "c6", &fixture), connected(7, "c7", &fixture)];
        for (broker, observations) in [("b", of_dev1.into()), ("c", of_others)] {
            let batch = Batch {
                observations,
                ..Batch::default()
            };
            fixture.store.write_batch(broker, &batch).unwrap();
        }
        let _alive = ["b", "c"].map(|broker| fixture.store.lock_broker(broker).unwrap());
        let mut listed = |name: Option<&LoginName>, broker: Option<&str>, after| {
            let listed = fixture.run(&ListClients {
                name: name.cloned(),
                broker: broker.map(Into::into),
                page: Page { after, limit: 1 },
                ..ListClients::default()
            });
            let Listed { rows, next } = listed.unwrap();
            let ids = rows.into_iter().map(|it| it.presence.client_id.to_string());
            (ids.collect::<Vec<_>>().join(" "), next)
        };
        let key = |broker: &str, number| Some((broker.to_owned(), SessionNumber(number)));
        let (first, next) = listed(Some(&name), None, None);
        assert_eq!((&*first, &next), ("c4", &key("b", 4)));
        assert_eq!(listed(Some(&name), None, next), ("c5".into(), None));
        let (first, next) = listed(None, Some("c"), None);
        assert_eq!((&*first, &next), ("c6", &key("c", 6)));
        assert_eq!(listed(None, Some("c"), next), ("c7".into(), None));
        assert_eq!(listed(None, Some("b"), key("b", 5)), (String::new(), None));
    }

    #[test]
    fn clients_are_counted_by_tenant() {
        let mut fixture = with_clients(&["c1", "c2"]);
        // Whom a broker left that is not alive is not connected.
        assert_eq!(fixture.run(&CountClients { tenant: None }).unwrap(), 0);
        assert!(
            fixture
                .run(&ListClients {
                    tenant: None,
                    all: false,
                    ..ListClients::default()
                })
                .unwrap()
                .rows
                .is_empty()
        );
        let left = fixture
            .run(&ListClients {
                tenant: None,
                all: true,
                ..ListClients::default()
            })
            .unwrap()
            .rows;
        assert!(left.len() == 2 && left.iter().all(|client| !client.is_alive));
        let _alive = fixture.store.lock_broker("b").unwrap();
        assert_eq!(fixture.run(&CountClients { tenant: None }).unwrap(), 2);
        assert_eq!(
            fixture
                .run(&CountClients {
                    tenant: Some(tenant_id("other"))
                })
                .unwrap(),
            0
        );
        assert_eq!(
            fixture
                .run(&ListClients {
                    tenant: Some(tenant_id("acme")),
                    all: false,
                    ..ListClients::default()
                })
                .unwrap()
                .rows
                .len(),
            2
        );
        let tenant = Some(tenant_id("none"));
        let error = fixture.run(&CountClients { tenant }).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Tenant));
    }

    #[test]
    fn a_session_is_kicked_by_its_name_and_anything_else_is_a_client_id() {
        let mut fixture = with_clients(&["c1", "c2"]);
        let session = KickTarget::Session {
            broker: "b".into(),
            session: SessionNumber(2),
        };
        assert_eq!(asked(&mut fixture, "b:2"), session);
        for target in ["c1", "unseen", "b:3", "b:02", ""] {
            assert_eq!(
                asked(&mut fixture, target),
                KickTarget::ClientId(ClientIdTie::of(target))
            );
        }
        assert!(fixture.acts().contains(&"client.kick b:2".into()));
    }

    #[test]
    fn a_kick_that_reached_nobody_is_refused_in_the_audit_and_one_that_did_is_done() {
        let mut fixture = with_clients(&["c1"]);
        let request = fixture
            .run(&RequestKick {
                target: "nobody".into(),
            })
            .unwrap();
        let of_kicks = |fixture: &mut Fixture| {
            let entries = fixture.entries().into_iter();
            let kicks = entries.filter(|entry| entry.act == KICK);
            kicks
                .map(|entry| (entry.subject, entry.outcome))
                .collect::<Vec<_>>()
        };
        assert_eq!(of_kicks(&mut fixture), []);
        for is_first in [true, false] {
            let withdrawn = fixture
                .run(&WithdrawKick {
                    target: "nobody".into(),
                    request,
                })
                .unwrap();
            assert_eq!(withdrawn, is_first);
        }
        asked(&mut fixture, "b:1");
        let kicks = [
            ("nobody".to_owned(), AuditOutcome::Refused),
            ("b:1".to_owned(), AuditOutcome::Done),
        ];
        assert_eq!(of_kicks(&mut fixture), kicks);
    }

    #[test]
    fn a_client_id_that_a_credential_holds_can_be_given_up_once() {
        let mut fixture = Fixture::with_credential();
        let id = |text| ClientId::parse(text).unwrap();
        fixture.log_in("dev1@acme", "mine");
        let mut give_up = |text| fixture.run(&ReleaseClientId(id(text)));
        assert_eq!(
            give_up("other").unwrap_err().to_string(),
            "no credential holds client id `other`"
        );
        give_up("mine").unwrap();
        let again = give_up("mine").unwrap_err();
        assert!(again.is(ErrorKind::NotFound, Noun::ClientId));
        assert_eq!(fixture.acts().last().unwrap(), "client.release mine");
    }

    #[test]
    fn a_client_id_that_is_a_secret_is_masked_in_the_audit() {
        let mut fixture = Fixture::with_credential();
        let token = "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774";
        fixture.log_in("dev1@acme", token);
        let id = ClientId::parse(token).unwrap();
        fixture.run(&ReleaseClientId(id)).unwrap();
        asked(&mut fixture, token);
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 2..],
            ["client.release dt_7f3a…", "client.kick dt_7f3a…"]
        );
        assert!(!format!("{:?}", fixture.entries()).contains(token));
    }
}
