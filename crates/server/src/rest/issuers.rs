//! Issuers of others, whose tokens (JWT) name credentials of a tenant.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::issuer::{
    AddIssuer, AskForKeys, ForgetIssuedIdentity, KeyOrigin, ListIssuers, RemoveIssuer,
    RevokeIssuedToken, SetIssuerKeys, ShowIssuer,
};
use countersign_admin::view::IssuerView;
use countersign_core::issuer::{
    Algorithm, Algorithms, ClaimName, IdentityClaim, IssuerName, IssuerRecord, IssuerText,
    KeyPlace, KeysUrl, MaxKeyAge, RoleWord,
};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_issuer::KeyText;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::registering::{AUTO_REGISTER, FORGOTTEN, MAX, REGISTERED, ROLE, forgotten, registers};
use super::{PageOfTenantWords, Row, part_of_all};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{FromText as _, Json, Nothing, Said, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, patch, post};
use crate::shape::{MAYBE_BOOL, MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/issuers";
    const ONE: &str = "/api/v1/issuers/{name}";
    const REFRESH: &str = "/api/v1/issuers/{name}/refresh";
    const FORGET: &str = "/api/v1/issuers/{name}/forget";
    const REVOKE: &str = "/api/v1/issuers/{name}/revoke";
    vec![
        get(ALL, "List issuers of others", list).answers_page(&ISSUER),
        post(ALL, "Have an issuer speak for a tenant", add).answers(StatusCode::CREATED, ISSUER),
        get(ONE, "Show an issuer", show).answers_tagged(ISSUER),
        patch(
            ONE,
            "Give an issuer other public keys, or have them fetched",
            change,
        )
        .answers_tagged(ISSUER)
        .conditional(),
        delete(ONE, "Have an issuer speak for its tenant no longer", remove)
            .answers_nothing()
            .conditional(),
        post(REFRESH, "Fetch an issuer's public keys now", refresh)
            .answers(StatusCode::ACCEPTED, ISSUER),
        post(
            FORGET,
            "Let an issuer register a deleted device again",
            forget,
        )
        .answers(StatusCode::OK, FORGOTTEN),
        post(REVOKE, "Revoke a token of an issuer", revoke).answers(StatusCode::OK, REVOKED),
    ]
}

fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let page = words.page(IssuerName::from_text)?;
    let tenant = words.tenant();
    let issuers = call.run(&ListIssuers { tenant })?;
    let rows = issuers.iter().map(|issuer| Row {
        key: issuer.name.clone(),
        view: IssuerView::of(issuer),
    });
    part_of_all(rows, &page)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name = call.part("name")?;
    call.show(&ShowIssuer(name), IssuerView::of)
}

/// One of `jwks`, `pem` and `jwks_url` is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// What to call it: 1 to 64 of `A-Z a-z 0-9 _ - .`.
    name: Text<IssuerName>,
    tenant: Text<TenantId>,
    /// What its tokens say of who issued them, the claim `iss`.
    iss: Text<IssuerText>,
    /// Whom its tokens have to be for, the claim `aud`.
    audience: Text<IssuerText>,
    /// What it signs by.
    alg: Vec<Text<Algorithm>>,
    /// Its public keys as a JWK Set (RFC 7517).
    #[serde(default)]
    jwks: Option<Map<String, Value>>,
    /// Its public keys, or certificates of them (PEM).
    #[serde(default)]
    pem: Option<String>,
    /// Where this service fetches them as a JWK Set, each hour.
    #[serde(default)]
    jwks_url: Option<Text<KeysUrl>>,
    /// Fetch them from a private address, too.
    #[serde(default)]
    allow_private: Option<bool>,
    /// How long fetched keys count while they can't be fetched again; `7d` where it is not
    /// said.
    #[serde(default)]
    max_key_age: Option<Text<MaxKeyAge>>,
    /// The claim that names the credential: `sub`, `client_id` or `claim:NAME`; `sub`
    /// where it is not said.
    #[serde(default)]
    identity: Option<Text<IdentityClaim>>,
    /// The claim that lists roles; dots lead into objects.
    #[serde(default)]
    role_claim: Option<Text<ClaimName>>,
    /// Words of that claim, and the role of the tenant that each means.
    #[serde(default)]
    role_map: BTreeMap<String, Text<RoleName>>,
    /// Make a device that nobody made when it first comes, with `role`.
    #[serde(default)]
    auto_register: bool,
    /// The role that such a device holds.
    #[serde(default)]
    role: Option<Text<RoleName>>,
    /// How many devices it ever makes so, from 1 to 1000000.
    #[serde(default)]
    max: Option<u32>,
}

fn add(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let names: Vec<_> = said.alg.iter().map(|Text(one)| one.name()).collect();
    let algorithms = names.join(",").parse::<Algorithms>();
    let algorithms = algorithms.map_err(|error| Problem::invalid(format!("`alg`: {error}")))?;
    let keys = SaidKeys {
        jwks: said.jwks,
        pem: said.pem,
        jwks_url: said.jwks_url.map(|Text(url)| url),
        allow_private: said.allow_private,
        max_key_age: said.max_key_age.map(|Text(age)| age),
    };
    let keys = keys
        .origin()?
        .ok_or_else(|| Problem::invalid(ONE_OF_THREE))?;
    let keys = match keys {
        KeyOrigin::Given(text) => {
            let keys = text.read(&algorithms);
            let keys = keys.map_err(|error| Problem::invalid(format!("the keys: {error}")))?;
            KeyOrigin::Given(keys)
        }
        KeyOrigin::Fetched(place) => KeyOrigin::Fetched(place),
    };
    let identity = match said.identity {
        Some(Text(identity)) => identity,
        None => IdentityClaim::from_text("sub").map_err(Problem::invalid)?,
    };
    let roles = said.role_map.into_iter().map(|(word, Text(role))| {
        let word = RoleWord::from_text(&word);
        let word = word.map_err(|error| Problem::invalid(format!("`role_map`: {error}")))?;
        Ok((word, role))
    });
    let added = call.run(&AddIssuer {
        name: said.name.0,
        tenant: said.tenant.0,
        issuer: said.iss.0,
        audience: said.audience.0,
        algorithms,
        identity,
        role_claim: said.role_claim.map(|Text(claim)| claim),
        roles: roles.collect::<Result<_, Problem>>()?,
        registers: registers(said.auto_register, said.role, said.max)?,
        keys,
    })?;
    Answer::created(&["issuers", added.name.as_str()], &IssuerView::of(&added))
}

/// What to change; what is not said stays. One of `jwks`, `pem` and `jwks_url` is given;
/// what is said of fetching keys counts with `jwks_url`, and is not kept from before.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    /// Its public keys as a JWK Set (RFC 7517).
    jwks: Said<Map<String, Value>>,
    /// Its public keys, or certificates of them (PEM).
    pem: Said<String>,
    /// Where this service fetches them as a JWK Set, each hour. Those that there are count
    /// until others are fetched.
    jwks_url: Said<Text<KeysUrl>>,
    /// Fetch them from a private address, too; no, where it is not said.
    allow_private: Said<bool>,
    /// How long fetched keys count while they can't be fetched again; `7d` where it is not
    /// said.
    max_key_age: Said<Text<MaxKeyAge>>,
}

/// Tokens under the keys before prove nothing once there are others; sessions that they
/// opened go on until their tokens end.
fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let keys = SaidKeys {
        jwks: said.jwks.0,
        pem: said.pem.0,
        jwks_url: said.jwks_url.value(),
        allow_private: said.allow_private.0,
        max_key_age: said.max_key_age.value(),
    };
    let keys = keys.origin()?;
    let change = |found: &IssuerRecord| {
        let name = found.name.clone();
        let keys = keys.clone();
        Ok(keys.map(|keys| SetIssuerKeys { name, keys }))
    };
    let show = ShowIssuer(call.part("name")?);
    call.merge(&show, IssuerView::of, change, Mode::Commit)
}

/// What is said of an issuer's keys.
struct SaidKeys {
    jwks: Option<Map<String, Value>>,
    pem: Option<String>,
    jwks_url: Option<KeysUrl>,
    allow_private: Option<bool>,
    max_key_age: Option<MaxKeyAge>,
}

impl SaidKeys {
    /// Where they come from; nothing where that is not said.
    fn origin(self) -> Result<Option<KeyOrigin<KeyText>>, Problem> {
        let is_about_url = self.allow_private.is_some() || self.max_key_age.is_some();
        let text = match (self.jwks, self.pem, self.jwks_url) {
            (None, None, Some(url)) => {
                return Ok(Some(KeyOrigin::Fetched(KeyPlace {
                    url,
                    allow_private: self.allow_private.unwrap_or(false),
                    max_age: self.max_key_age.unwrap_or(MaxKeyAge::DEFAULT),
                })));
            }
            (None, None, None) => None,
            (Some(jwks), None, None) => Some(KeyText::Jwks(Value::Object(jwks).to_string())),
            (None, Some(pem), None) => Some(KeyText::Pem(pem)),
            _ => return Err(Problem::invalid(ONE_OF_THREE)),
        };
        if is_about_url {
            return Err(Problem::invalid(
                "`allow_private` and `max_key_age` are about `jwks_url`",
            ));
        }
        Ok(text.map(KeyOrigin::Given))
    }
}

/// What comes of it is told by `tried_at` and `problem` of the issuer.
fn refresh(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let name: IssuerName = call.part("name")?;
    call.run(&AskForKeys(name.clone()))?;
    let asked = call.run(&ShowIssuer(name))?;
    Answer::json(StatusCode::ACCEPTED, &IssuerView::of(&asked))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Token {
    /// The token's own id, its claim `jti`.
    jti: Text<IssuerText>,
}

/// Sessions that it opened end.
fn revoke(call: &mut Call<'_>, _: Nothing, body: Json<Token>) -> Result<Answer, Problem> {
    let Json(Token { jti: Text(token) }) = body;
    let revoked = json!({ "revoked": token.as_str() });
    let issuer = call.part("name")?;
    call.run(&RevokeIssuedToken { issuer, token })?;
    Answer::ok(&revoked)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Device {
    /// What its tokens say of whose they are; the device's whole name will do, too.
    identity: String,
}

fn forget(call: &mut Call<'_>, _: Nothing, body: Json<Device>) -> Result<Answer, Problem> {
    let Json(Device { identity }) = body;
    let issuer = call.part("name")?;
    let device = call.run(&ForgetIssuedIdentity { issuer, identity })?;
    forgotten(&device)
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let show = ShowIssuer(call.part("name")?);
    let removal = RemoveIssuer(show.0.clone());
    call.run_if_matches(&show, IssuerView::of, &removal, Mode::Commit)?;
    Ok(Answer::deleted())
}

const ISSUER: Shape = Shape::Named(
    "Issuer",
    &Shape::Object(&[
        ("name", Shape::Text),
        ("tenant", Shape::Text),
        ("iss", Shape::Text),
        ("audience", Shape::Text),
        ("alg", TEXTS),
        ("identity", Shape::Text),
        ("role_claim", MAYBE_TEXT),
        ("role_map", Shape::Map(&Shape::Text)),
        AUTO_REGISTER,
        ROLE,
        MAX,
        REGISTERED,
        ("keys", Shape::List(&KEY)),
        ("keys_at", Shape::Text),
        ("jwks_url", MAYBE_TEXT),
        ("allow_private", MAYBE_BOOL),
        ("max_key_age", MAYBE_TEXT),
        ("fetched_at", MAYBE_TEXT),
        ("tried_at", MAYBE_TEXT),
        ("problem", MAYBE_TEXT),
        ("added_at", Shape::Text),
    ]),
);
const KEY: Shape = Shape::Object(&[("kid", MAYBE_TEXT), ("alg", Shape::Text)]);
const REVOKED: Shape = Shape::Object(&[("revoked", Shape::Text)]);
const ONE_OF_THREE: &str =
    "give the keys as `jwks` or as `pem`, or say by `jwks_url` where they are fetched";
