//! The store that the table is tried on.

use std::sync::Arc;

use countersign_core::api_token::{ApiToken, ApiTokenId, TokenScope};
use countersign_core::certificate::{
    AuthorityKey, Fingerprint, IdentityKind, KeyAlgorithm, NamePattern, SignerHints, Validity,
};
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::secret::SecretDigest;
use countersign_core::store::rows::{ApiTokenRows as _, WebSessionRows as _};
use countersign_core::store::{
    AdminStore as _, AdminTransaction as _, Batch, GateStore as _, Intent,
};
use countersign_core::time::Timestamp;
use countersign_core::web_session::WebSession;

use super::*;
use crate::api_token::{NewApiToken, TokenLifetime};
use crate::ban::AddBan;
use crate::caller::SignedInUser;
use crate::credential::{ActOnTarget, Target};

/// An act on many, done to the pump.
pub(super) fn on_pump(act: ManyAct) -> ActOnTarget {
    ActOnTarget {
        act: Arc::new(act),
        selection: Arc::default(),
        target: Target {
            name: login_name("pump@acme"),
            id: None,
        },
    }
}

/// A further certificate of the pump; of one that was read, the validity is known.
pub(super) fn certificate(validity: Option<Validity>) -> AddCertificate {
    AddCertificate {
        name: login_name("pump@acme"),
        fingerprint: Fingerprint([2; 32]),
        validity,
        until: None,
    }
}

/// An authority of the tenant.
pub(super) fn authority(byte: u8) -> AddAuthority {
    AddAuthority {
        tenant: tenant_id("acme"),
        fingerprint: Fingerprint([byte; 32]),
        subject: "CN=Acme".into(),
        key: AuthorityKey {
            algorithm: KeyAlgorithm::Ed25519,
            bytes: [byte; 32].into(),
        },
        signer: SignerHints {
            key_id: None,
            name: [byte; 32],
        },
        validity: VALIDITY,
        identity: IdentityKind::CommonName,
        pattern: NamePattern::default(),
        registers: None,
    }
}

/// The authority that the tenant has.
pub(super) const ITS_AUTHORITY: Fingerprint = Fingerprint([1; 32]);

/// A ban of this.
pub(super) fn ban(banned: Banned) -> AddBan {
    AddBan {
        banned,
        until: None,
        reason: None,
        asker: None,
        force: false,
    }
}

/// An address that is banned.
pub(super) const BANNED: &str = "198.51.100.1";

/// A client id that the tenant has banned.
pub(super) fn its_ban() -> Banned {
    Banned::ClientId(ClientId::parse("banned").unwrap(), Some(tenant_id("acme")))
}

/// The certificate that the pump has.
pub(super) const ITS_CERTIFICATE: Fingerprint = Fingerprint([1; 32]);

/// Of a certificate that never ends.
pub(super) const VALIDITY: Validity = Validity {
    not_before: Timestamp::from_millis(0),
    not_after: Timestamp::from_millis(i64::MAX),
};

/// A store that has something of everything.
pub(super) fn furnished() -> Fixture {
    let mut fixture = Fixture::with_admin();
    fixture.tenant("other", &[]).unwrap();
    for banned in [Banned::Address(BANNED.parse().unwrap()), its_ban()] {
        fixture.run(&ban(banned)).unwrap();
    }
    let changes = TenantChanges {
        name_prefix: Some(Some(login_name("m"))),
        ..TenantChanges::default()
    };
    let id = tenant_id("acme");
    fixture.run(&SetTenant { id, changes }).unwrap();
    for email in [
        "joe@mail.test",
        "gina@mail.test",
        "kate@mail.test",
        "nina@mail.test",
        "otto@mail.test",
        "rolf@mail.test",
        "vera@mail.test",
        "vic@mail.test",
    ] {
        fixture.user(email);
    }
    let password = ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
    let pat = CreateUser::new(login_name("pat"), password).with_platform_admin(true);
    fixture.run(&pat).unwrap();
    let group_admin = Grant {
        tenant: tenant_id("acme"),
        group: group("DM"),
        right: GrantedRight::OrgAdmin,
    };
    let group_viewer = Grant {
        right: GrantedRight::Viewer,
        ..group_admin.clone()
    };
    for (email, grant) in [
        ("gina@mail.test", group_admin),
        ("vera@mail.test", group_viewer),
        ("vic@mail.test", whole("acme", GrantedRight::Viewer)),
        ("otto@mail.test", whole("other", GrantedRight::Viewer)),
        ("joe@mail.test", whole("other", GrantedRight::OrgAdmin)),
        (
            "kate@mail.test",
            whole("acme", GrantedRight::Role(role_name("ops"))),
        ),
        (
            "rolf@mail.test",
            whole("acme", GrantedRight::Role(role_name("ops"))),
        ),
    ] {
        let email = login_name(email);
        fixture.run(&GrantUser { email, grant }).unwrap();
    }
    let pump = NewCredential {
        groups: vec![group("DM.PUMPS").unwrap()],
        client_id_rule: Some(ClientIdRule::FirstUse),
        ..new_credential("pump")
    };
    fixture.run(&CreateCredential(pump)).unwrap();
    fixture.role("pumps").unwrap();
    let held = Assignment {
        tenant: tenant_id("acme"),
        role: role_name("pumps"),
        group: group("DM.PUMPS").unwrap(),
    };
    fixture.run(&AssignRole(held)).unwrap();
    fixture.log_in("pump@acme", "c");
    let pump = id_of(&mut fixture, &login_name("pump@acme"));
    connect(&mut fixture, pump);
    let first = AddCertificate {
        fingerprint: ITS_CERTIFICATE,
        ..certificate(None)
    };
    fixture.run(&first).unwrap();
    let edge = hooks::new_hook(hooks::edge());
    fixture.run(&crate::hook::CreateHook(edge)).unwrap();
    let west = followers::new_follower(followers::west());
    fixture.run(&west).unwrap();
    fixture.run(&authority(1)).unwrap();
    fixture
        .run(&issuers::issuer(issuers::sso(), "mqtt"))
        .unwrap();
    fixture.run(&issuers::fetching()).unwrap();
    fixture.application("fleet", Application::default());
    fixture.thing("valve", "fleet").unwrap();
    fixture.token(&[]).unwrap();
    fixture.run(&AddScheme(scheme("mine"))).unwrap();
    let root = NewOperator {
        name: login_name("root"),
        secret: NewSecret::Generated,
        rules: Vec::new(),
    };
    fixture.run(&CreateOperator(root)).unwrap();
    fixture
}

/// Has the pump connected with client id `c`.
fn connect(fixture: &mut Fixture, pump: CredentialId) {
    use countersign_core::ledger::Ledger as _;
    let client_id = ClientId::parse("c").unwrap();
    let connected = PresenceEvent::Connected(Presence {
        session: SessionNumber(1),
        client_id: client_id.as_str().into(),
        tie: client_id.tie(),
        username: Some("pump@acme".into()),
        credential: Some(pump),
        tenant: Some(tenant_id("acme")),
        address: None,
        protocol: 4,
        connected_at: fixture.now,
        authenticated: true,
        listener: None,
        stored: false,
    });
    let batch = Batch {
        observations: vec![connected],
        ..Batch::default()
    };
    fixture.store.write_batch("b", &batch).unwrap();
    // A session of a broker that is not alive is not connected.
    Box::leak(Box::new(fixture.store.lock_broker("b").unwrap()));
}

/// A user as signed in, with a web session or without.
pub(super) fn signed_in(
    fixture: &mut Fixture,
    name: &LoginName,
    with_session: bool,
) -> SignedInUser {
    use countersign_core::store::Directory as _;
    let user = fixture.store.credential(name).unwrap().unwrap();
    let session = with_session.then(|| {
        let session = WebSession {
            id: WebSessionId(0),
            user: user.id,
            generation: user.generation,
            created_at: fixture.now,
            last_used_at: fixture.now,
            address: None,
            tenant: None,
        };
        let digest = SecretDigest::of(&Secret::new(name.as_str().into()));
        let mut writing = fixture.store.begin(Intent::Write).unwrap();
        let id = writing.add_web_session(&session, &digest).unwrap();
        writing.commit(&[], &[]).unwrap();
        id
    });
    SignedInUser {
        id: user.id,
        generation: user.generation,
        session,
    }
}

/// An API token with a scope that its owner need not have.
pub(super) fn made_api_token(
    fixture: &mut Fixture,
    scope: &str,
    owner: Option<&LoginName>,
) -> Authority {
    let owner = owner.map(|name| id_of(fixture, name));
    let token = ApiToken {
        id: ApiTokenId(0),
        scope: TokenScope::parse(scope).unwrap(),
        owner,
        parent: None,
        created_by: "tester".into(),
        description: None,
        created_at: fixture.now,
        expires_at: fixture.now.plus(Duration::from_secs(60)),
        last_used_at: None,
    };
    let secret = Secret::new(format!("{scope} {owner:?}").into_bytes());
    let mut writing = fixture.store.begin(Intent::Write).unwrap();
    let id = writing.add_api_token(&token, &SecretDigest::of(&secret));
    writing.commit(&[], &[]).unwrap();
    Authority::Token(id.unwrap())
}

pub(super) fn new_api_token(scope: &str) -> NewApiToken {
    NewApiToken {
        scope: TokenScope::parse(scope).unwrap(),
        lifetime: TokenLifetime::DEFAULT,
        description: None,
    }
}

pub(super) fn whole(tenant: &str, right: GrantedRight) -> Grant {
    Grant {
        tenant: tenant_id(tenant),
        group: None,
        right,
    }
}

pub(super) fn mark() -> ImportMark {
    ImportMark {
        source: "csv".into(),
        parts: BTreeSet::new(),
        secret: None,
    }
}

pub(super) fn group(path: &str) -> Option<GroupPath> {
    GroupPath::parse(path).ok()
}

pub(super) fn scheme(name: &str) -> Scheme {
    let text = |text: &str| FieldValue::Text(text.into());
    Scheme::from_fields([
        ("name", text(name)),
        ("login_name", text("suffixed")),
        ("client_id", text("any")),
        ("secret_shape", text("x_[0-9a-f]{32}")),
    ])
    .unwrap()
}

pub(super) fn id_of(fixture: &mut Fixture, name: &LoginName) -> CredentialId {
    use countersign_core::store::Directory as _;
    fixture.store.credential(name).unwrap().unwrap().id
}
