//! What a broker would answer. Nothing is written and nothing counted.
//!
//! A [`PolicyCheck`] decides with the broker's own code: [`decide`] about a
//! CONNECT, and [`Rights`](countersign_core::rights::Rights) about topics, with
//! the topic owners of all tenants. It reads the store as a broker does and
//! remembers what it read: make one for one question, or for many that are
//! asked in one go.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use countersign_core::access::topic_owners;
use countersign_core::auto_registration::AutoRegistration;
use countersign_core::certificate::PresentedCertificate;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{
    ClientIdOwner, ConnectContext, Decision, Identity, Registration, Request, Reservation,
    SessionUse, decide, owner_of_client_id,
};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::reason::Reason;
use countersign_core::rule::TopicOwners;
use countersign_core::scheme::{NameForm, Schemes};
use countersign_core::seal::SealKey;
use countersign_core::secret::Secret;
use countersign_core::store::rows::PresenceRows as _;
use countersign_core::store::{AdminStore, GateStore, Intent, Settings, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::thing::of_application;
use countersign_core::time::Timestamp;

use self::overrides::{DirectVerifier, DirectoryOverrides, Signer, Strictness};
use self::rights::SessionKey;

mod bans;
mod broker;
mod connect_answer;
mod limits;
mod listeners;
mod overrides;
mod request;
mod rights;
mod topic;

pub(crate) use self::broker::{BRIDGE_STATES, keeps_some_of};
pub use self::connect_answer::{ConnectAnswer, ConnectVerdict, SignedBy};
pub use self::listeners::{Listeners, described_listeners};
pub use self::request::{Answer, CheckRequest, CheckRequestError};
pub use self::rights::{Considered, EffectiveRules};
pub use self::topic::{TopicAnswer, TopicCheck, Usage, Wall};

/// What a CONNECT would present, and where.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ConnectCheck<'a> {
    /// The client identifier.
    pub client_id: &'a str,
    /// The username, if there is one.
    pub username: Option<&'a str>,
    /// The password; if there is none, whatever is right.
    pub password: Option<Secret>,
    /// What its certificate says, of a client that presents one on a listener that asks
    /// for it. Without a password, it alone decides.
    pub certificate: Option<PresentedCertificate>,
    /// The port it would arrive at, if that is to count.
    pub listener: Option<u16>,
    /// The address it would come from, if that is to count.
    pub address: Option<IpAddr>,
}

/// Asks a store what a broker would answer, at one instant.
pub struct PolicyCheck<'s, S> {
    store: &'s mut S,
    now: Timestamp,
    listeners: Listeners,
    settings: Settings,
    seal_key: Option<SealKey>,
    schemes: Schemes,
    owners: TopicOwners,
    tenants: BTreeMap<TenantId, Arc<Tenant>>,
    credentials: HashMap<String, Option<Arc<Credential>>>,
    effective: HashMap<SessionKey, Arc<EffectiveRules>>,
    /// Who signed what the last client presented that was asked about.
    signed_by: Option<SignedBy>,
}

impl<'s, S: AdminStore + GateStore> PolicyCheck<'s, S> {
    /// Reads what holds for the whole store.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read. So do all below.
    pub fn new(store: &'s mut S, now: Timestamp, listeners: Listeners) -> Result<Self, StoreError> {
        let settings = GateStore::settings(store)?;
        let seal_key = store.read_key().key;
        let schemes = GateStore::schemes(store)?;
        let tenants = GateStore::tenants(store)?;
        let owners = topic_owners(&tenants, &schemes, |scheme| store.users_of_scheme(scheme))?;
        Ok(Self {
            store,
            now,
            listeners,
            settings,
            seal_key,
            schemes: schemes.readable,
            owners,
            tenants: tenants
                .readable
                .into_iter()
                .map(|tenant| (tenant.id.clone(), tenant))
                .collect(),
            credentials: HashMap::new(),
            effective: HashMap::new(),
            signed_by: None,
        })
    }

    /// Decides about a CONNECT.
    ///
    /// # Errors
    ///
    /// As [`PolicyCheck::new`].
    pub fn connect(&mut self, presented: ConnectCheck<'_>) -> Result<ConnectAnswer, StoreError> {
        let Ok(client_id) = ClientId::parse(presented.client_id) else {
            return Ok(ConnectAnswer {
                verdict: ConnectVerdict::Deny(Reason::Malformed),
                owner: None,
                signed_by: None,
            });
        };
        let username = presented.username;
        let who = CheckedClient {
            client_id: Some(client_id.clone()),
            username: presented.username,
            password: presented.password,
            certificate: presented.certificate,
            listener: presented.listener,
            address: presented.address,
            strictness: Strictness::Full,
        };
        self.signed_by = None;
        let verdict = match self.identify_within_limits(who, Some(&client_id))? {
            Ok(
                Identity::Bearer { .. }
                | Identity::Certificate { .. }
                | Identity::Credential { .. }
                | Identity::Issued { .. }
                | Identity::User { .. },
            ) => ConnectVerdict::Allow,
            Ok(Identity::Unauthenticated { .. }) => ConnectVerdict::AllowUnauthenticated,
            Err(reason) => ConnectVerdict::Deny(reason),
        };
        Ok(ConnectAnswer {
            verdict,
            owner: self.owner_behind(verdict, &client_id, username)?,
            signed_by: self.signed_by.take(),
        })
    }

    /// Why a CONNECT with the right secret would be refused now, if it would. Without a
    /// client id, none is taken for wrong; without an address, none is taken for banned.
    ///
    /// # Errors
    ///
    /// As [`PolicyCheck::new`].
    pub fn refusal(
        &mut self,
        username: &str,
        client_id: Option<&str>,
        address: Option<IpAddr>,
    ) -> Result<Option<Reason>, StoreError> {
        let client_id = match client_id.map(ClientId::parse).transpose() {
            Ok(client_id) => client_id,
            Err(_) => return Ok(Some(Reason::Malformed)),
        };
        let who = CheckedClient {
            strictness: match client_id {
                Some(_) => Strictness::IgnoreHandle,
                None => Strictness::IgnoreClientIdAndHandle,
            },
            client_id: client_id.clone(),
            username: Some(username),
            password: None,
            certificate: None,
            listener: None,
            address,
        };
        Ok(
            match self.identify_within_limits(who, client_id.as_ref())? {
                // Its tenant would let it in without proof.
                Ok(Identity::Unauthenticated { .. }) => Some(Reason::Unauthenticated),
                Ok(
                    Identity::Bearer { .. }
                    | Identity::Certificate { .. }
                    | Identity::Credential { .. }
                    | Identity::Issued { .. }
                    | Identity::User { .. },
                ) => None,
                Err(reason) => Some(reason),
            },
        )
    }

    /// The same of one that is not banned.
    fn identify_unbanned(
        &mut self,
        who: CheckedClient<'_>,
    ) -> Result<Result<Identity, Reason>, StoreError> {
        // No id that anything is known about, as it holds nothing.
        let id = match &who.client_id {
            Some(id) => id.as_str(),
            None => "-",
        };
        let session = SessionUse {
            starts_clean: true,
            is_stored: false,
        };
        let username = who.username.map(str::as_bytes);
        let mut request = match Request::parse(id.as_bytes(), username, None, session) {
            Ok(request) => request,
            Err(reason) => return Ok(Err(reason)),
        };
        request.certificate = who.certificate;
        let is_assumed = who.password.is_none() && request.certificate.is_none();
        // An assumed password must be there to be found right; where the name
        // is a secret, it is the same.
        let assumed = || {
            let name = who.username.unwrap_or_default();
            let is_token = self.schemes.form_of(name) == NameForm::Token;
            let same = if is_token { name.as_bytes() } else { b"" };
            Secret::new(same.to_vec())
        };
        let presented = who.password.as_ref();
        request.token = presented.and_then(|it| countersign_issuer::presented(it.expose()));
        request.secret = who.password.or_else(|| is_assumed.then(assumed));
        let live_holders = match &who.client_id {
            Some(id) => self.connected(id)?,
            None => Vec::new(),
        };
        let at = ConnectContext {
            listener: &self.listeners.listener(who.listener),
            schemes: &self.schemes,
            client_id_hold: self.settings.client_id_hold,
            live_holders: &live_holders,
            reservation: self.listeners.reservation(id),
            seal_key: self.seal_key.as_ref(),
            lockout: self.settings.lockout,
            now: self.now,
        };
        let mut check = DirectVerifier {
            assumed: is_assumed.then_some(&request.client_id),
            signer: None,
        };
        let mut look = DirectoryOverrides {
            store: &mut *self.store,
            tenants: &self.tenants,
            credentials: &mut self.credentials,
            schemes: &self.schemes,
            strictness: who.strictness,
            assumes_code: is_assumed && who.strictness != Strictness::Full,
        };
        let mut decision = decide(&request, &at, &mut look, &mut check)?;
        if let Decision::Register(registration) = decision {
            let made = match made_by(registration, self.now) {
                Ok(made) => made,
                Err(reason) => return Ok(Err(reason)),
            };
            let name = made.name.as_str().into();
            look.credentials.insert(name, Some(Arc::new(made)));
            decision = decide(&request, &at, &mut look, &mut check)?;
        }
        self.signed_by = match (check.signer, &request.certificate) {
            (Some(Signer::Issuer(name)), _) => Some(SignedBy::Issuer(name)),
            (Some(Signer::Authority(key)), Some(PresentedCertificate::Read { leaf, .. })) => {
                let alike = self.store.authorities_like(&leaf.signer())?;
                let authority = alike.iter().find(|it| it.key == key);
                authority.map(|it| SignedBy::Authority(it.fingerprint))
            }
            (Some(Signer::Authority(_)) | None, _) => None,
        };
        Ok(match decision {
            Decision::Admit(admission) => Ok(admission.identity),
            Decision::Refuse(reason) => Err(reason),
            Decision::Fail(failure) => Err(failure.reason),
            Decision::Challenge => Err(Reason::MfaRequired),
            Decision::Register(_) => Err(Reason::UnknownName),
            Decision::Wait => Err(Reason::OverBudget),
        })
    }

    /// Whose the client id is, where that is why a CONNECT is refused.
    fn owner_behind(
        &mut self,
        verdict: ConnectVerdict,
        client_id: &ClientId,
        username: Option<&str>,
    ) -> Result<Option<ClientIdOwner>, StoreError> {
        if verdict != ConnectVerdict::Deny(Reason::ClientIdOwned) {
            return Ok(None);
        }
        let live = self.connected(client_id)?;
        let claimant = username.and_then(|name| LoginName::parse(name).ok());
        let owner = owner_of_client_id(client_id, claimant.as_ref(), &live, &mut *self.store)?;
        let is_kept = self.listeners.reservation(client_id.as_str()) != Reservation::Free;
        Ok(owner.or_else(|| is_kept.then_some(ClientIdOwner::Host)))
    }

    /// Who is connected with a client id.
    fn connected(&mut self, client_id: &ClientId) -> Result<Vec<CredentialId>, StoreError> {
        let mut transaction = self.store.begin(Intent::Read)?;
        let clients = transaction.presence_with(&client_id.tie())?;
        let alive = clients.into_iter().filter(|client| client.is_alive);
        Ok(alive
            .filter_map(|client| client.presence.credential)
            .collect())
    }
}

impl<S> core::fmt::Debug for PolicyCheck<'_, S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PolicyCheck")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// A client that may be let in.
struct CheckedClient<'a> {
    /// None where it is not said, and does not count.
    client_id: Option<ClientId>,
    username: Option<&'a str>,
    password: Option<Secret>,
    certificate: Option<PresentedCertificate>,
    listener: Option<u16>,
    address: Option<IpAddr>,
    strictness: Strictness,
}

/// What a broker would find, once it has made it, or why it makes none.
fn made_by(registration: Registration, now: Timestamp) -> Result<Credential, Reason> {
    match registration {
        Registration::Device { device, .. } => Ok(*device),
        Registration::Thing { application, key } => {
            let about = application.kind.application();
            let registers = about.and_then(|about| about.registers.as_ref());
            if registers.is_some_and(AutoRegistration::is_full) {
                return Err(Reason::OverLimit);
            }
            let thing = of_application(&application, &key, now);
            let mut thing = thing.ok_or(Reason::UnknownName)?;
            thing.secrets.clone_from(&application.secrets);
            thing.roles.clone_from(&application.roles);
            Ok(thing)
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::broker::ListenerOptions;
    use countersign_core::kind::Application;
    use countersign_core::ledger::Ledger as _;
    use countersign_core::options::Options;
    use countersign_core::tenant::Authentication;

    use super::*;
    use crate::credential::{Overlap, RotateCredential, SuspendCredential};
    use crate::fixture::{Fixture, login_name, tenant_id};
    use crate::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};

    #[test]
    fn nobody_is_let_into_an_empty_store() {
        let mut fixture = Fixture::new();
        assert_eq!(
            fixture.check("dev1@acme", None),
            ConnectVerdict::Deny(Reason::UnknownTenant)
        );
        assert_eq!(
            fixture.check("dev1", None),
            ConnectVerdict::Deny(Reason::UnknownName)
        );
        assert_eq!(
            fixture.check("a#b", None),
            ConnectVerdict::Deny(Reason::Malformed)
        );
    }

    #[test]
    fn a_password_is_taken_as_right_only_where_none_is_given() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let secret = fixture.credential("dev1").unwrap().secret.unwrap();
        assert_eq!(fixture.check("dev1@acme", None), ConnectVerdict::Allow);
        assert_eq!(
            fixture.check("dev1@acme", Some(secret.expose())),
            ConnectVerdict::Allow
        );
        for wrong in [&b""[..], b"wrong"] {
            assert_eq!(
                fixture.check("dev1@acme", Some(wrong)),
                ConnectVerdict::Deny(Reason::BadSecret)
            );
        }
    }

    #[test]
    fn a_wrong_login_is_let_in_as_nobody_where_the_tenant_asks_for_none() {
        let mut fixture = Fixture::with_credential();
        let changes = TenantChanges {
            authentication: Some(Authentication::Off),
            ..TenantChanges::default()
        };
        fixture
            .run(&SetTenant {
                id: tenant_id("acme"),
                changes,
            })
            .unwrap();
        let verdict = fixture.check("dev1@acme", Some(b"wrong"));
        assert_eq!(
            (verdict, verdict.reason()),
            (ConnectVerdict::AllowUnauthenticated, "unauthenticated")
        );
        assert_eq!(fixture.check("dev1@acme", None), ConnectVerdict::Allow);
    }

    #[test]
    fn a_check_writes_nothing() {
        let mut fixture = Fixture::with_credential();
        let acts = fixture.acts();
        assert!(fixture.check("dev1@acme", None).is_allowed());
        assert!(!fixture.check("dev1@acme", Some(b"wrong")).is_allowed());
        assert!(!fixture.show("dev1@acme").ever_used);
        assert_eq!(fixture.acts(), acts);
    }

    #[test]
    fn the_state_counts_after_the_secret() {
        let mut fixture = Fixture::with_credential();
        let name = login_name("dev1@acme");
        fixture.run(&SuspendCredential(name)).unwrap();
        assert_eq!(
            fixture.check("dev1@acme", None),
            ConnectVerdict::Deny(Reason::Suspended)
        );
        assert_eq!(
            fixture.check("dev1@acme", Some(b"x")),
            ConnectVerdict::Deny(Reason::BadSecret)
        );
    }

    fn token_of(fixture: &mut Fixture, scheme: &str, name: Option<&str>) -> String {
        let secret = fixture.of_scheme(scheme, name).unwrap().secret.unwrap();
        String::from_utf8(secret.expose().to_vec()).unwrap()
    }

    fn connect(fixture: &mut Fixture, username: Option<&str>, client_id: &str) -> &'static str {
        let presented = ConnectCheck {
            address: None,
            certificate: None,
            client_id,
            username,
            password: None,
            listener: None,
        };
        fixture
            .policy_check()
            .connect(presented)
            .unwrap()
            .verdict
            .reason()
    }

    #[test]
    fn a_token_is_name_password_and_client_id_as_its_scheme_says() {
        let mut fixture = Fixture::with_credential();
        let token = token_of(&mut fixture, "vwire-token", Some("greenhouse"));
        let compatible = token_of(&mut fixture, "vwire-compat", Some("VW-ABC123"));
        let of_device = token_of(&mut fixture, "vwire", Some("VW-XYZ123"));
        for (username, client_id, reason) in [
            (token.as_str(), token.as_str(), "ok"),
            (&token, "c", "client-id-mismatch"),
            ("greenhouse@acme", &token, "unknown-name"),
            (&compatible, "c", "ok"),
            ("VW-ABC123", "c", "ok"),
            (&of_device, "VW-XYZ123", "unknown-name"),
            ("VW-XYZ123", "VW-XYZ123", "ok"),
            ("VW-XYZ123", "c", "client-id-mismatch"),
        ] {
            let said = connect(&mut fixture, Some(username), client_id);
            assert_eq!(said, reason, "{username} {client_id}");
        }
    }

    #[test]
    fn an_assumed_secret_is_the_one_that_the_client_id_goes_with() {
        let mut fixture = Fixture::with_credential();
        let old = token_of(&mut fixture, "vwire-token", Some("x"));
        let name = login_name("x@acme");
        let overlap = Overlap::For(core::time::Duration::from_secs(60));
        fixture.run(&RotateCredential { name, overlap }).unwrap();
        assert_eq!(connect(&mut fixture, Some(&old), &old), "ok");
    }

    #[test]
    fn a_client_id_that_another_holds_is_refused() {
        let mut fixture = Fixture::with_credential();
        fixture.credential("dev2").unwrap();
        fixture.log_in("dev1@acme", "mine");
        assert_eq!(connect(&mut fixture, Some("dev1@acme"), "mine"), "ok");
        let other = Some("dev2@acme");
        assert_eq!(connect(&mut fixture, other, "mine"), "client-id-owned");
        let id = ClientId::parse("mine").unwrap();
        fixture.run(&crate::clients::ReleaseClientId(id)).unwrap();
        assert_eq!(connect(&mut fixture, other, "mine"), "ok");
    }

    #[test]
    fn a_client_id_that_the_broker_keeps_is_no_logins() {
        let mut fixture = Fixture::with_credential();
        let now = fixture.now;
        let options = Options::parse([("store", "/x")]).unwrap();
        let untold = Listeners::of(&ListenerOptions::of(&options));
        let told = untold.clone().with_bridges(["mine".into()]);
        let connect = |fixture: &mut Fixture, listeners: &Listeners, client_id| {
            let mut policy_check =
                PolicyCheck::new(&mut fixture.store, now, listeners.clone()).unwrap();
            let username = Some("dev1@acme");
            let presented = ConnectCheck {
                address: None,
                certificate: None,
                client_id,
                username,
                password: None,
                listener: None,
            };
            let answer = policy_check.connect(presented).unwrap();
            assert_eq!(answer.owner.is_some(), !answer.verdict.is_allowed());
            (answer.verdict.reason(), answer.owner)
        };
        let kept = ("client-id-owned", Some(ClientIdOwner::Host));
        assert_eq!(connect(&mut fixture, &untold, "local.x"), kept);
        assert_eq!(connect(&mut fixture, &untold, "mine"), ("ok", None));
        assert_eq!(connect(&mut fixture, &told, "local.x"), ("ok", None));
        assert_eq!(connect(&mut fixture, &told, "mine"), kept);
        // A tenant with the prefix has it, where the broker does not tell.
        let new = NewTenant {
            client_id_prefix: ClientId::parse("local.").ok(),
            ..crate::fixture::new_tenant("bridges", &[])
        };
        fixture.run(&CreateTenant(new)).unwrap();
        let owner = Some(ClientIdOwner::Tenant(tenant_id("bridges")));
        assert_eq!(
            connect(&mut fixture, &untold, "local.x"),
            ("client-id-owned", owner)
        );
    }

    #[test]
    fn a_client_id_is_held_while_its_client_is_connected() {
        let mut fixture = Fixture::with_credential();
        fixture.credential("dev2").unwrap();
        let presence = countersign_core::presence::Presence {
            session: countersign_core::presence::SessionNumber(1),
            client_id: "live".into(),
            tie: ClientId::parse("live").unwrap().tie(),
            username: Some("dev1@acme".into()),
            credential: Some(fixture.show("dev1@acme").id),
            tenant: Some(tenant_id("acme")),
            address: None,
            protocol: 4,
            connected_at: fixture.now,
            authenticated: true,
            listener: None,
            stored: false,
        };
        let batch = countersign_core::store::Batch {
            observations: vec![countersign_core::presence::PresenceEvent::Connected(
                presence,
            )],
            ..countersign_core::store::Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        // What a broker left that is not alive holds nothing.
        let other = connect(&mut fixture, Some("dev2@acme"), "live");
        assert_eq!(other, "ok");
        let _alive = fixture.store.lock_broker("b").unwrap();
        assert_eq!(connect(&mut fixture, Some("dev1@acme"), "live"), "ok");
        let other = connect(&mut fixture, Some("dev2@acme"), "live");
        assert_eq!(other, "client-id-owned");
    }

    /// What a broker would register is told without being registered.
    #[test]
    fn a_thing_that_would_register_itself_is_let_in() {
        let mut fixture = Fixture::with_credential();
        let about = Application {
            registers: Some(AutoRegistration::default()),
            ..Application::default()
        };
        let open = fixture.application("open", about);
        let shut = fixture.application("shut", Application::default());
        for (key, token, allowed) in [
            ("pump", &open, true),
            ("pump", &shut, false),
            ("a/b", &open, false),
            ("jwt", &open, false),
        ] {
            let verdict = fixture.check(key, Some(token.as_bytes()));
            assert_eq!(verdict.is_allowed(), allowed, "{key}");
        }
        let token = Secret::new(open.into_bytes());
        for (topic, allowed) in [("thing/pump/x", true), ("thing/valve/x", false)] {
            let ask = TopicCheck {
                username: Some("pump"),
                client_id: None,
                password: Some(&token),
                listener: None,
                usage: Usage::Deliver { topic },
            };
            let answer = fixture.policy_check().topic(&ask).unwrap();
            assert_eq!(answer.verdict.is_allowed(), allowed, "{topic}");
        }
        let things = fixture.run(&crate::thing::ListThings::default()).unwrap();
        assert!(things.rows.is_empty());
    }

    #[test]
    fn a_listener_means_what_the_brokers_options_say() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        fixture.scheme(&[
            ("name", "tls"),
            ("login_name", "suffixed"),
            ("client_id", "any"),
            ("secret_shape", "[0-9a-f]{32}"),
            ("tls_only", "true"),
        ]);
        fixture.of_scheme("tls", Some("safe")).unwrap();
        let options = Options::parse([
            ("store", "/x"),
            ("listener_1884", "other"),
            ("tls_listeners", "8883"),
        ])
        .unwrap();
        let now = fixture.now;
        let mut policy_check = PolicyCheck::new(
            &mut fixture.store,
            now,
            Listeners::of(&ListenerOptions::of(&options)),
        )
        .unwrap();
        let mut connect = |username, listener| {
            let presented = ConnectCheck {
                address: None,
                certificate: None,
                client_id: "c",
                username: Some(username),
                password: None,
                listener,
            };
            policy_check.connect(presented).unwrap().verdict.reason()
        };
        for (username, listener, reason) in [
            ("dev1@acme", None, "ok"),
            ("dev1@acme", Some(1883), "ok"),
            ("dev1@acme", Some(1884), "wrong-listener"),
            ("safe@acme", None, "ok"),
            ("safe@acme", Some(1883), "tls-required"),
            ("safe@acme", Some(8883), "ok"),
        ] {
            assert_eq!(
                connect(username, listener),
                reason,
                "{username} {listener:?}"
            );
        }
        assert_eq!(fixture.check("safe@acme", None), ConnectVerdict::Allow);
    }
}
