//! Issuers of others, whose tokens (JWT) name credentials of a tenant.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::issuer::{
    AddIssuer, KeyOrigin, ListIssuers, RemoveIssuer, RevokeIssuedToken, SetIssuerKeys, ShowIssuer,
};
use countersign_admin::view::IssuerView;
use countersign_core::issuer::{
    Algorithm, Algorithms, ClaimName, IdentityClaim, IssuerName, IssuerRecord, IssuerText, RoleWord,
};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_issuer::KeyText;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::registering::{AUTO_REGISTER, MAX, REGISTERED, ROLE, registers};
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
    const REVOKE: &str = "/api/v1/issuers/{name}/revoke";
    vec![
        get(ALL, "List issuers of others", list).answers_page(&ISSUER),
        post(ALL, "Have an issuer speak for a tenant", add).answers(StatusCode::CREATED, ISSUER),
        get(ONE, "Show an issuer", show).answers_tagged(ISSUER),
        patch(ONE, "Give an issuer other public keys", change)
            .answers_tagged(ISSUER)
            .conditional(),
        delete(ONE, "Have an issuer speak for its tenant no longer", remove)
            .answers_nothing()
            .conditional(),
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

/// One of `jwks` and `pem` is given.
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
    let keys = keys_of(said.jwks, said.pem)?;
    let keys = keys.ok_or_else(|| Problem::invalid(ONE_OF_TWO))?;
    let keys = keys.read(&algorithms);
    let keys = keys.map_err(|error| Problem::invalid(format!("the keys: {error}")))?;
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
        keys: KeyOrigin::Given(keys),
    })?;
    Answer::created(&["issuers", added.name.as_str()], &IssuerView::of(&added))
}

/// What to change; what is not said stays. One of `jwks` and `pem` is given.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Changes {
    /// Its public keys as a JWK Set (RFC 7517).
    jwks: Said<Map<String, Value>>,
    /// Its public keys, or certificates of them (PEM).
    pem: Said<String>,
}

/// Tokens under the keys before prove nothing from then on; sessions that they opened go
/// on until their tokens end.
fn change(call: &mut Call<'_>, _: Nothing, body: Json<Changes>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let keys = keys_of(said.jwks.0, said.pem.0)?;
    let change = |found: &IssuerRecord| {
        let name = found.name.clone();
        let keys = keys.clone().map(KeyOrigin::Given);
        Ok(keys.map(|keys| SetIssuerKeys { name, keys }))
    };
    let show = ShowIssuer(call.part("name")?);
    call.merge(&show, IssuerView::of, change, Mode::Commit)
}

/// The keys as they were written down, if they were.
fn keys_of(
    jwks: Option<Map<String, Value>>,
    pem: Option<String>,
) -> Result<Option<KeyText>, Problem> {
    match (jwks, pem) {
        (Some(jwks), None) => Ok(Some(KeyText::Jwks(Value::Object(jwks).to_string()))),
        (None, Some(pem)) => Ok(Some(KeyText::Pem(pem))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::invalid(ONE_OF_TWO)),
    }
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
const ONE_OF_TWO: &str = "give the keys as `jwks` or as `pem`";
