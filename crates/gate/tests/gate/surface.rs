//! What `docs/embedding.md` promises to keep, used as a host in another crate
//! would: it compiles, or the promise is broken.

use std::path::Path;
use std::sync::Arc;

use countersign::core::connect::Reservation;
use countersign::core::name::{LoginName, TenantId};
use countersign::core::options::{OptionError, Options};
use countersign::core::reason::Reason;
use countersign::core::store::{Settings, StoreError};
use countersign::core::time::Timestamp;
use countersign::sqlite::SqliteStore;
use countersign::{
    CHALLENGE, ClientOrigin, ClientRef, Completion, CompletionStatus, ConnectInfo, ConnectOutcome,
    Directive, ENHANCED_METHOD, Enhanced, Gate, GateConfig, GateError, Handle, LogLevel,
    OptionChangeError, Payload, RESPONSE_TOPIC, RefusalCode, SESSION_TOPIC, TOKEN_METHODS, Ticket,
    TopicUse, Verdict,
};

type SqliteGate = Gate<SqliteStore>;
type Data<'a> = Option<&'a [u8]>;
type Pair = (&'static str, &'static str);

/// Every function that is promised, with its types.
#[test]
fn functions_keep_their_types() {
    let _: fn(SqliteStore, GateConfig) -> Result<SqliteGate, GateError> = Gate::open;
    let _: fn(&mut SqliteGate, &ConnectInfo<'_>) -> ConnectOutcome = Gate::connect;
    let _: fn(&mut SqliteGate, &ConnectInfo<'_>, &Enhanced<'_>) -> ConnectOutcome =
        Gate::connect_enhanced;
    let _: fn(&mut SqliteGate, Handle, &[u8], Data<'_>) -> ConnectOutcome = Gate::resume;
    let _: fn(&mut SqliteGate, &ClientRef<'_>, TopicUse<'_>) -> Verdict = Gate::check;
    let _: fn(&mut SqliteGate, &ClientRef<'_>, TopicUse<'_>) -> Option<Verdict> = Gate::check_known;
    let _: fn(&mut SqliteGate, &ClientRef<'_>, TopicUse<'_>, usize) -> Verdict = Gate::check_sized;
    let _: fn(&mut SqliteGate, &ClientRef<'_>, TopicUse<'_>, usize) -> Option<Verdict> =
        Gate::check_known_sized;
    let _: fn(&mut SqliteGate, &ClientRef<'_>, &[u8]) = Gate::command;
    let _: fn(&SqliteGate, Handle) -> bool = Gate::knows;
    let _: fn(&mut SqliteGate, &ClientRef<'_>) = Gate::arrived;
    let _: fn(&Payload) -> &[u8] = Payload::expose;
    let _: fn(&mut SqliteGate, Handle) = Gate::disconnected;
    let _: fn(&mut SqliteGate) -> Vec<Directive> = Gate::poll;
    let _: fn(&SqliteGate) -> bool = Gate::wants_poll;
    let _: fn(&mut SqliteGate, Ticket, CompletionStatus) = Gate::completed;
    let _: fn(&mut SqliteGate) = Gate::reload;
    let _: fn(&mut SqliteGate, Options) -> Result<(), OptionChangeError> = Gate::change_options;
    let _: fn(SqliteGate) = Gate::close;
    let _: fn(&OptionChangeError) -> &'static str = OptionChangeError::option;
    let _: fn(Handle, &'static [u8]) -> ConnectInfo<'static> = ConnectInfo::new;
    let _: fn([Pair; 1]) -> Result<Options, OptionError> = Options::parse;
    let _: fn(&'static str) -> Result<SqliteStore, StoreError> = SqliteStore::open;
    let _: fn(&'static Path, &Settings) -> Result<SqliteStore, StoreError> = SqliteStore::create;
    let _: fn(Reason) -> &'static str = Reason::as_str;
    let _: fn(std::time::SystemTime) -> Timestamp = Timestamp::from;
    let _: fn(i64) -> Timestamp = Timestamp::from_millis;
    assert!(TenantId::parse("acme").is_ok() && LoginName::parse("dev1@acme").is_ok());
}

/// Every field and variant that is promised.
#[test]
fn fields_and_variants_keep_their_names() {
    let options = Options::parse([("store", "/s.db")]).unwrap();
    let config = GateConfig::new(options, "b", || Timestamp::from_millis(0), || ());
    let GateConfig {
        options: _,
        broker: _,
        clock,
        wake,
        ..
    } = config;
    (clock)();
    (wake)();
    let mut info = ConnectInfo::new(Handle(1), b"c");
    (info.handle, info.client_id) = (Handle(2), b"d");
    info.username = Some(b"u");
    info.password = Some(b"p");
    info.address = Some("192.0.2.1");
    info.listener = Some(1_883);
    info.protocol = 5;
    info.clean_start = true;
    info.may_wait = true;
    assert!(info.may_wait && info.protocol == 5 && info.listener.is_some());
    let client = ClientRef {
        handle: Handle(1),
        client_id: None,
        username: None,
        connected: true,
        origin: ClientOrigin {
            address: Some("192.0.2.1"),
            listener: Some(8_883),
            protocol: 5,
            clean_start: true,
            reservation: Reservation::Free,
        },
    };
    let enhanced = Enhanced {
        method: ENHANCED_METHOD.as_bytes(),
        data: None,
    };
    assert!(enhanced.method == b"COUNTERSIGN-TOTP" && enhanced.data.is_none());
    assert_eq!(TOKEN_METHODS, ["OAUTH2-JWT", "CUSTOM-JWT"]);
    assert!(client.connected && client.username.is_none());
    let name: Arc<str> = "u".into();
    for outcome in [
        ConnectOutcome::Admitted {
            username: Some(Arc::clone(&name)),
        },
        ConnectOutcome::Challenge {
            data: CHALLENGE.as_bytes(),
        },
        ConnectOutcome::Refused {
            reason: Reason::BadSecret,
            code: RefusalCode::NotAuthorized,
            line: None,
        },
        ConnectOutcome::Pending {
            ticket: Ticket(1),
            username: None,
        },
    ] {
        drop(outcome);
    }
    let _ = [
        RefusalCode::BadMethod,
        RefusalCode::Banned,
        RefusalCode::Busy,
        RefusalCode::NotAuthorized,
    ];
    let _ = [LogLevel::Error, LogLevel::Notice, LogLevel::Warning];
    let _ = [CompletionStatus::Gone, CompletionStatus::Here];
    let _ = [
        Directive::Complete {
            ticket: Ticket(1),
            handle: Handle(1),
            client_id: Arc::clone(&name),
            completion: Completion::Admit { username: None },
        },
        Directive::Complete {
            ticket: Ticket(1),
            handle: Handle(1),
            client_id: Arc::clone(&name),
            completion: Completion::Refuse { line: None },
        },
        Directive::Kick {
            handle: Handle(1),
            client_id: name,
            line: String::new(),
        },
        Directive::Log {
            level: LogLevel::Notice,
            line: String::new(),
        },
    ];
    let _ = [
        TopicUse::Deliver { topic: b"t" },
        TopicUse::Publish {
            topic: b"t",
            qos: 0,
            retain: false,
        },
        TopicUse::Subscribe { filter: b"t" },
        TopicUse::Unsubscribe,
    ];
    assert!(Verdict::Allow.is_allowed() && !Verdict::Deny(Reason::NoRule).is_allowed());
}

/// A reply is made by a gate alone, and read by every host.
#[test]
fn a_reply_keeps_its_fields() {
    let read = |directive: Directive| match directive {
        Directive::Reply {
            handle: Handle(_),
            client_id,
            topic,
            payload,
        } => Some((Arc::<str>::clone(&client_id), topic, payload.expose().len())),
        Directive::Complete { .. } | Directive::Kick { .. } | Directive::Log { .. } | _ => None,
    };
    let line = String::new();
    let level = LogLevel::Notice;
    assert_eq!(read(Directive::Log { level, line }), None);
    assert_eq!(SESSION_TOPIC, "$CONTROL/countersign/v1/session");
    assert_eq!(RESPONSE_TOPIC, "$CONTROL/countersign/v1/session/response");
}

/// What the crate exports stands on the page, so that nothing is exported by
/// the way.
#[test]
fn the_page_names_everything_that_is_exported() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::read_to_string(here.join("src/lib.rs")).unwrap();
    let page = std::fs::read_to_string(here.join("../../docs/embedding.md")).unwrap();
    let (_, promised) = page.split_once("## What stays as it is").unwrap();
    let (_, exports) = source.split_once("pub use self::").unwrap();
    let mut count = 0;
    for word in exports.split(|letter: char| !letter.is_alphanumeric() && letter != '_') {
        if word.starts_with(|letter: char| letter.is_uppercase()) {
            count += 1;
            assert!(
                promised.contains(&format!("`{word}`")) || promised.contains(&format!("`{word}::")),
                "{word} is exported, and docs/embedding.md does not name it"
            );
        }
    }
    assert!(count > 20, "{count}");
}
