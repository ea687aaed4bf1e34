//! What requests are made of, as types that can be read in one way alone.
//!
//! The structures of a route's query and body are read by `serde` and described by
//! `schemars`, so what the OpenAPI document says is what is read.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;
use std::borrow::Cow;

use countersign_admin::api_token::TokenLifetime;
use countersign_admin::hook::KickLogin;
use countersign_admin::namespace::parse_namespace;
use countersign_admin::password::ChosenPassword;
use countersign_admin::text::FreeText;
use countersign_certificate::certificate_of_pem;
use countersign_core::api_token::{ApiTokenId, TokenScope};
use countersign_core::audit::{AuditHead, AuditOutcome};
use countersign_core::auto_registration::KeyPattern;
use countersign_core::ban::{AutoBan, BanId};
use countersign_core::certificate::{Fingerprint, IdentityKind, NamePattern};
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::CredentialId;
use countersign_core::duration::parse_duration;
use countersign_core::follower::FollowerName;
use countersign_core::hook::{HookKind, HookName, KickUrl, Vhost};
use countersign_core::issuer::{Algorithm, IdentityClaim, IssuerText, KeysUrl, MaxKeyAge};
use countersign_core::jwt::{KeyId, TokenId, Ttl, Whoami};
use countersign_core::kind::ApplicationName;
use countersign_core::lifecycle::State;
use countersign_core::lockout::LockoutPolicy;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::network::Network;
use countersign_core::role::RoleName;
use countersign_core::rule::{Action, Effect, Pattern};
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{Argon2Params, Secret};
use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use countersign_core::user::parse_user_name;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::problem::{Problem, ProblemKind};

/// What is read from a text.
pub(crate) trait FromText: Sized {
    /// What such a text is, for those who read the OpenAPI document.
    const WHAT: &'static str;

    /// Reads it. What is wrong with a secret is said without it.
    fn from_text(text: &str) -> Result<Self, String>;
}

macro_rules! from_text {
    ($($type:ty, $what:literal, $parse:expr;)*) => {$(
        impl FromText for $type {
            const WHAT: &'static str = $what;

            fn from_text(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Result<_, _> = $parse;
                parse(text).map_err(|error| error.to_string())
            }
        }
    )*};
}

from_text! {
    ApiTokenId, "The id of an API token", ApiTokenId::parse;
    Action, "`publish`, `subscribe` or `both`", Action::parse;
    Algorithm, "`RS256`, `PS256`, `ES256` or `EdDSA`", |text| {
        Algorithm::of_name(text).ok_or("write `RS256`, `PS256`, `ES256` or `EdDSA`")
    };
    ApplicationName, "An application's name", ApplicationName::parse;
    Argon2Params, "How passwords are hashed: `m=KIB,t=PASSES,p=LANES`", Argon2Params::parse;
    AuditHead, "A head of the audit: `ID:HASH`", AuditHead::parse;
    AuditOutcome, "`done`, `refused` or `denied`", parse_outcome;
    AutoBan, "`FAILURES/DUR:DUR`, such as `20/10m:1h`, or `off`", AutoBan::parse;
    Authentication, "`required`, `optional` or `off`", Authentication::parse;
    BanId, "The id of a ban", BanId::parse;
    ChosenPassword, "A password or a secret that was chosen elsewhere", |text| {
        ChosenPassword::parse(text.as_bytes().to_vec())
    };
    ClientId, "A client id", ClientId::parse;
    CredentialId, "The number of a credential", |text| {
        text.parse::<i64>().map(CredentialId).map_err(|_| "it is no number")
    };
    ClientIdRule, "`any`, `first-use`, `same-as-username`, `exact:ID` or `prefix:P`", ClientIdRule::parse;
    DefaultRights, "`namespaces` or `none`", DefaultRights::parse;
    Duration, "A duration: `90s`, `15m`, `24h`, `30d`", parse_duration;
    Effect, "`allow` or `deny`", Effect::parse;
    Fingerprint, "The SHA-256 of a certificate: 64 hexadecimal digits", Fingerprint::parse;
    FreeText, "Text for people", FreeText::parse;
    GroupPath, "A group: `DM.MFORM.SURYA`", GroupPath::parse;
    HookKind, "`emqx`, `goauth`, `rabbitmq` or `rmqtt`", str::parse::<HookKind>;
    FollowerName, "A follower's name", FollowerName::parse;
    HookName, "A hook's name", HookName::parse;
    IdentityClaim, "`sub`, `client_id` or `claim:NAME`", IdentityClaim::parse;
    IdentityKind, "`san-uri`, `san-dns`, `san-email`, `cn`, `serial` or `subject`", IdentityKind::parse;
    IssuerText, "1 to 255 bytes without control characters", IssuerText::parse;
    KeyId, "The id of a key that signs tokens (JWT)", KeyId::parse;
    KeyPattern, "Keys of things, each `*` standing for one or more characters", KeyPattern::parse;
    KeysUrl, "Where keys are fetched: `https://HOST[:PORT]/PATH`", KeysUrl::parse;
    KickLogin, "`NAME:PASSWORD`", |text| KickLogin::parse(text.as_bytes());
    KickUrl, "Where a broker takes orders: `https://HOST:PORT`", KickUrl::parse;
    Vhost, "A virtual host of RabbitMQ", Vhost::parse;
    LockoutPolicy, "`failures=N,step=DUR,longest=DUR`", LockoutPolicy::parse;
    LoginName, "A whole login name: `dev1@acme`", LoginName::parse;
    MaxKeyAge, "How long fetched keys count, from `1h` to `365d`", MaxKeyAge::parse;
    NamePattern, "What a certificate says, with `${name}` for the name", NamePattern::parse;
    Network, "An address or a network: `192.0.2.0/24`", str::parse::<Network>;
    Pattern, "A topic filter, which may hold `${username}`, `${client_id}`, `${tenant}`, `${group}` and `${attr.NAME}`", Pattern::parse;
    RoleName, "A role's name", RoleName::parse;
    SchemeName, "A scheme's name", SchemeName::parse;
    State, "`Inactive`, `Active`, `Suspended` or `Revoked`", State::parse;
    SubscribeMode, "`strict` or `filtered`", SubscribeMode::parse;
    TenantId, "A tenant's id", TenantId::parse;
    Timestamp, "An instant: `2030-01-31T12:00:00Z`", parse_instant;
    TokenLifetime, "How long an API token lasts: `12h`, `90d`", TokenLifetime::parse;
    TokenScope, "`platform`, `tenant:T` or `viewer:T`", TokenScope::parse;
    TokenId, "The id of a token (JWT)", TokenId::parse;
    TopicFilter, "Topics that a tenant owns, as a filter", parse_namespace;
    Ttl, "How long it lasts, from `1s` to `24h`", parse_ttl;
    Whoami, "Whom a token is for", Whoami::parse;
}

fn parse_outcome(text: &str) -> Result<AuditOutcome, &'static str> {
    let mut all = AuditOutcome::ALL.into_iter();
    let found = all.find(|outcome| outcome.as_str() == text);
    found.ok_or("write `done`, `refused` or `denied`")
}

fn parse_instant(text: &str) -> Result<Timestamp, &'static str> {
    let instant: Result<jiff::Timestamp, _> = text.parse();
    let instant = instant.map_err(|_| "write an instant as `2030-01-31T12:00:00Z`")?;
    Ok(Timestamp::from_millis(instant.as_millisecond()))
}

fn parse_ttl(text: &str) -> Result<Ttl, String> {
    let duration = parse_duration(text).map_err(|error| error.to_string())?;
    Ttl::new(duration).map_err(|error| error.to_string())
}

/// The bytes of a certificate (DER).
pub(crate) struct CertificateBytes(pub(crate) Vec<u8>);

impl FromText for CertificateBytes {
    const WHAT: &'static str = "One certificate (PEM)";

    fn from_text(text: &str) -> Result<Self, String> {
        let bytes = certificate_of_pem(text).map_err(|error| error.to_string())?;
        Ok(Self(bytes))
    }
}

/// The name of a user.
#[derive(Clone, Debug)]
pub(crate) struct UserName(pub(crate) LoginName);

impl FromText for String {
    const WHAT: &'static str = "A text";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl FromText for UserName {
    const WHAT: &'static str = "An e-mail address, or a name without `@`";

    fn from_text(text: &str) -> Result<Self, String> {
        parse_user_name(text)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

/// The name of an operator, or the key of a thing.
#[derive(Clone, Debug)]
pub(crate) struct DeviceName(pub(crate) LoginName);

impl FromText for DeviceName {
    const WHAT: &'static str = "A login name that stays as it is";

    fn from_text(text: &str) -> Result<Self, String> {
        let parsed = LoginName::parse_device(text);
        parsed.map(Self).map_err(|error| error.to_string())
    }
}

/// A text that is presented, whatever its shape.
pub(crate) struct Presented(pub(crate) Secret);

impl FromText for Presented {
    const WHAT: &'static str = "A secret as a client presents it";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self(Secret::new(text.as_bytes().to_vec())))
    }
}

/// A value that requests write as a text.
#[derive(Clone, Debug)]
pub(crate) struct Text<T>(pub(crate) T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: FromText> Visitor<'_> for Reader<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<T>, E> {
                T::from_text(text).map(Text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Reader(PhantomData))
    }
}

impl<T: FromText> JsonSchema for Text<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": T::WHAT })
    }
}

/// Takes the values out of their texts.
pub(crate) fn taken<T>(texts: Vec<Text<T>>) -> Vec<T> {
    texts.into_iter().map(|Text(value)| value).collect()
}

/// A member of a change: what is not said stays. Only where `T` may be `null` may
/// the member be.
#[derive(Clone, Debug)]
pub(crate) struct Said<T>(pub(crate) Option<T>);

impl<T> Default for Said<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Said<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Some).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Said<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T> Said<Text<T>> {
    /// What is said.
    pub(crate) fn value(self) -> Option<T> {
        self.0.map(|Text(value)| value)
    }
}

impl<T> Said<Option<Text<T>>> {
    /// What is said; `Some(None)` is `null`.
    pub(crate) fn value_or_null(self) -> Option<Option<T>> {
        self.0.map(|said| said.map(|Text(value)| value))
    }
}

/// A query or a body without anything in it.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What a route asks for in its body.
pub(crate) trait FromBody: Sized {
    /// Whether there must be one; none where there may be none.
    const IS_REQUIRED: Option<bool>;

    /// The schema that describes it.
    fn schema() -> Option<Schema>;

    /// Reads it.
    fn read(bytes: &[u8]) -> Result<Self, Problem>;
}

impl FromBody for Nothing {
    const IS_REQUIRED: Option<bool> = None;

    fn schema() -> Option<Schema> {
        None
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self {});
        }
        Err(Problem::invalid("this takes no body"))
    }
}

/// A body of JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema> FromBody for Json<T> {
    const IS_REQUIRED: Option<bool> = Some(true);

    fn schema() -> Option<Schema> {
        Some(schema_of::<T>())
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        read_json(bytes).map(Self)
    }
}

/// A body of JSON that need not be there.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<T: Default + DeserializeOwned + JsonSchema> FromBody for MaybeJson<T> {
    const IS_REQUIRED: Option<bool> = Some(false);

    fn schema() -> Option<Schema> {
        Some(schema_of::<T>())
    }

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        read_json(bytes).map(Self)
    }
}

/// Reads an object.
pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // `serde` would take a list for the members in their order.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::invalid("the body is no JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = told(&error.to_string());
        Problem::invalid(format!("the body, line {line}, column {column}: {text}"))
    })
}

/// Reads the words behind the `?` of an address.
pub(crate) fn read_query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Problem> {
    serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| Problem::invalid(format!("the query: {}", told(&error.to_string()))))
}

/// What is wrong, without a value that may be a secret.
fn told(error: &str) -> String {
    let error = error.split(" at line ").next().unwrap_or_default();
    let is_about_value = error.starts_with("invalid type") || error.starts_with("invalid value");
    match error.rsplit_once(", expected ") {
        Some((_, expected)) if is_about_value => format!("expected {expected}"),
        Some(_) | None => error.to_owned(),
    }
}

/// The schema of a structure, with all that it is made of in itself.
pub(crate) fn schema_of<T: JsonSchema>() -> Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<T>()
}

/// Reads a part of the path. What can't be the name of anything names nothing.
pub(crate) fn part_of_path<T: FromText>(text: &str) -> Result<T, Problem> {
    T::from_text(text).map_err(|error| Problem::new(ProblemKind::NotFound, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Change {
        tenant: Said<Text<TenantId>>,
        expires_at: Said<Option<Text<Timestamp>>>,
        flag: Said<bool>,
    }

    fn read(body: &str) -> Result<Change, String> {
        let read = Json::<Change>::read(body.as_bytes());
        read.map(|Json(read)| read)
            .map_err(|problem| problem.detail)
    }

    #[test]
    fn null_and_nothing_said_are_told_apart_and_null_is_only_where_it_may_be() {
        let none = read("{}").unwrap();
        assert!(none.expires_at.value_or_null().is_none());
        let null = read(r#"{"expires_at":null}"#).unwrap();
        assert_eq!(null.expires_at.value_or_null(), Some(None));
        let said = read(r#"{"expires_at":"2030-01-31T12:00:00Z"}"#).unwrap();
        assert!(matches!(said.expires_at.value_or_null(), Some(Some(_))));
        assert!(read(r#"{"tenant":null}"#).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        for body in [
            r#"{"flag":"hunter2"}"#,
            r#"{"tenant":17}"#,
            r#"{"expires_at":"hunter2"}"#,
        ] {
            let told = read(body).unwrap_err();
            assert!(!told.contains("hunter2") && !told.contains("17,"), "{told}");
        }
        let told = read(r#"{"nonsense":1}"#).unwrap_err();
        assert!(told.contains("unknown field `nonsense`"), "{told}");
    }

    #[test]
    fn json_that_is_deep_or_no_json_is_refused() {
        let deep = "[".repeat(100_000);
        for body in ["", "{", "nul", "[]", &deep, "{\"tenant\":\"\\ud800\"}"] {
            assert!(read(body).is_err(), "{body:.20}");
        }
        assert!(Json::<Change>::read(b"{\"tenant\":\"\xff\"}").is_err());
    }
}
