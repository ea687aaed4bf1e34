//! Whatever a text is that is not what it should be: the error that repeats it
//! is one line of bounded length, with nothing in it that a terminal would obey.

use core::fmt::Display;

use countersign_core::audit::AuditHead;
use countersign_core::auto_registration::KeyPattern;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::check_attribute;
use countersign_core::duration::parse_duration;
use countersign_core::given::is_kept_off;
use countersign_core::jwt::{KeyId, TokenId, Whoami};
use countersign_core::kind::ApplicationName;
use countersign_core::lifecycle::State;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::options::Options;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Effect, Pattern};
use countersign_core::scheme::{FieldValue, Scheme, SchemeName, Shape};
use countersign_core::secret::Argon2Params;
use countersign_core::store::{StoreError, StoreErrorKind};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign_core::topic::{Subscription, TopicFilter, TopicName, sendable};
use countersign_core::user::parse_email;

/// What somebody is told who gave a text.
type Told = Option<String>;

type Reader = fn(&str) -> Told;

fn told<T>(result: Result<T, impl Display>) -> Told {
    result.err().map(|error| error.to_string())
}

/// All that reads a text which somebody gives.
const READERS: &[(&str, Reader)] = &[
    ("action", |text| told(Action::parse(text))),
    ("application", |text| told(ApplicationName::parse(text))),
    ("argon2", |text| told(Argon2Params::parse(text))),
    ("attribute", |text| told(check_attribute(text, "x"))),
    ("attribute's value", |text| told(check_attribute("x", text))),
    ("audit head", |text| told(AuditHead::parse(text))),
    ("authentication", |text| told(Authentication::parse(text))),
    ("bearer", |text| told(Whoami::parse(text))),
    ("client id", |text| told(ClientId::parse(text))),
    ("client-id rule", |text| told(ClientIdRule::parse(text))),
    ("default rights", |text| told(DefaultRights::parse(text))),
    ("duration", |text| told(parse_duration(text))),
    ("effect", |text| told(Effect::parse(text))),
    ("e-mail", |text| told(parse_email(text))),
    ("filter", |text| told(TopicFilter::parse(text))),
    ("group", |text| told(GroupPath::parse(text))),
    ("key", |text| told(KeyId::parse(text))),
    ("key pattern", |text| told(KeyPattern::parse(text))),
    ("lockout", |text| told(LockoutPolicy::parse(text))),
    ("login name", |text| told(LoginName::parse(text))),
    ("option", |text| told(Options::parse([(text, "x")]))),
    ("option twice", |text| {
        told(Options::parse([("store", text), ("store", text)]))
    }),
    ("option's tenant", |text| {
        told(Options::parse([("listener_1", text)]))
    }),
    ("option's value", |text| {
        told(Options::parse([("chain", text)]))
    }),
    ("pattern", |text| {
        told(Pattern::parse(&format!("${{{text}}}")))
    }),
    ("role", |text| told(RoleName::parse(text))),
    ("scheme", |text| told(SchemeName::parse(text))),
    ("scheme's key", |text| {
        told(Scheme::from_fields([(
            text.to_owned(),
            FieldValue::Flag(true),
        )]))
    }),
    ("shape", |text| told(Shape::parse(&format!("]{text}")))),
    ("shape's character", |text| told(Shape::parse(text))),
    ("share", |text| {
        told(Subscription::parse(&format!("$share/+{text}/x")))
    }),
    ("state", |text| told(State::parse(text))),
    ("store", |text| {
        let error = StoreError::new("open", StoreErrorKind::Missing);
        Some(
            error
                .with_detail(text.get(..60).unwrap_or(text))
                .to_string(),
        )
    }),
    ("subscribe", |text| told(SubscribeMode::parse(text))),
    ("tenant", |text| told(TenantId::parse(text))),
    ("token", |text| told(TokenId::parse(text))),
    ("topic", |text| told(TopicName::parse(&format!("+{text}")))),
    ("topic to be sent", |text| told(sendable(text))),
];

#[test]
fn an_error_is_one_line_whatever_it_is_about() {
    for (what, read) in READERS {
        for hostile in [
            "\n",
            "\r\n",
            "\u{1b}[2J",
            "\u{9b}31m",
            "\u{7f}",
            "\u{85}",
            "\u{2028}",
            "\u{202e}",
            "\u{200b}",
        ] {
            for text in [
                hostile.to_owned(),
                format!("a{hostile}b"),
                hostile.repeat(10_000),
            ] {
                let Some(said) = read(&text) else {
                    continue;
                };
                assert!(!said.contains(is_kept_off), "{what}: {said:?}");
                assert!(said.len() < 3_000, "{what}: {} bytes", said.len());
            }
        }
        // Each of them does refuse something.
        assert!(read("a\n#b").or_else(|| read("\n")).is_some(), "{what}");
    }
}
