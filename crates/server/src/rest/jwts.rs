//! Tokens (JWT) that let somebody in for a while, and the keys that sign them.

use core::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_admin::jwt::{
    CreateToken, Issuer, ListKeys, ListTokens, NewToken, RevokeToken, RevokeTokensOfIssuer,
    RevokeTokensOfKey, RotateKey,
};
use countersign_admin::view::{CreatedTokenView, KeyView, RotatedKeyView, TokenView};
use countersign_core::jwt::{KeyId, TokenId, Ttl, Whoami};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{PageOfTenantWords, part, whole};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{DeviceName, Json, MaybeJson, Nothing, Said, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape, TEXTS};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get(
            "/api/v1/jwts",
            "List tokens that have not ended long since",
            list,
        )
        .answers_page(&TOKEN),
        post("/api/v1/jwts", "Make a token", create).answers(StatusCode::CREATED, CREATED),
        delete("/api/v1/jwts/{jti}", "Revoke a token", remove).answers_nothing(),
        post(
            "/api/v1/jwts/revoke",
            "Revoke all tokens that somebody made, or that a key signed",
            revoke,
        )
        .answers(StatusCode::OK, REVOKED),
        get(
            "/api/v1/tenants/{tenant}/keys",
            "List the keys that sign a tenant's tokens",
            keys,
        )
        .answers_page(&KEY),
        post(
            "/api/v1/tenants/{tenant}/rotate-key",
            "Sign tokens of a tenant with a new key",
            rotate_key,
        )
        .answers(StatusCode::OK, ROTATED),
    ]
}

type Key = (TenantId, Timestamp, TokenId);

fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let page = words.page(read_key)?;
    let tenant = words.tenant();
    let listed = call.run(&ListTokens { tenant, page })?;
    let next = listed.next.as_ref().map(write_key);
    part(listed.rows.iter().map(TokenView::of).collect(), next)
}

fn write_key((tenant, time, id): &Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{tenant} {} {id}", time.as_millis()))
}

fn read_key(text: &str) -> Result<Key, String> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split(' ');
        let (tenant, time, id) = (parts.next()?, parts.next()?, parts.next()?);
        let time = Timestamp::from_millis(time.parse().ok()?);
        let (tenant, id) = (TenantId::parse(tenant).ok()?, TokenId::parse(id).ok()?);
        parts.next().is_none().then_some((tenant, time, id))
    };
    read().ok_or_else(|| "it is not the `next` of a listing".to_owned())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    tenant: Text<TenantId>,
    /// The role whose rules its bearer has.
    role: Text<RoleName>,
    /// Whom it is for: its bearer is the principal `jwt:WHOAMI@TENANT`.
    whoami: Text<Whoami>,
    /// Things that it is limited to; without any, it is not limited.
    #[serde(default)]
    things: Vec<Text<DeviceName>>,
    /// How long it lasts; `1h` where it is not said.
    #[serde(default)]
    ttl: Said<Text<Ttl>>,
    /// Who makes it, where that is not the asker: a user, an application or a thing.
    #[serde(default, rename = "as")]
    issuer: Option<String>,
}

fn create(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let things = said.things.into_iter();
    let made = call.run(&CreateToken(NewToken {
        tenant: said.tenant.0,
        role: said.role.0,
        whoami: said.whoami.0,
        things: things.map(|Text(DeviceName(key))| key).collect(),
        ttl: said.ttl.value().unwrap_or(Ttl::DEFAULT),
        issuer: said.issuer.map_or(Issuer::Caller, Issuer::Named),
    }))?;
    let id = made.record.id.to_string();
    Answer::created(&["jwts", &id], &CreatedTokenView::of(&made))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let id = call.part("jti")?;
    call.run(&RevokeToken(id))?;
    Ok(Answer::deleted())
}

/// One of `issuer` and `key` is given.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Revoked {
    /// Who made them: a user, an application or a thing.
    issuer: Option<String>,
    /// With `issuer`, those of this tenant alone; an application is called by its name only
    /// with its tenant.
    tenant: Option<Text<TenantId>>,
    /// The key that signed them; it ends, too.
    key: Option<Text<KeyId>>,
}

/// Their sessions end.
fn revoke(call: &mut Call<'_>, _: Nothing, body: Json<Revoked>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let tenant = said.tenant.map(|Text(tenant)| tenant);
    let tokens = match (said.issuer, said.key) {
        (Some(issuer), None) => call.run(&RevokeTokensOfIssuer { issuer, tenant })?,
        (None, Some(Text(key))) if tenant.is_none() => call.run(&RevokeTokensOfKey(key))?,
        _ => {
            return Err(Problem::invalid(
                "give `issuer`, perhaps with `tenant`, or `key`",
            ));
        }
    };
    Answer::ok(&json!({ "revoked": tokens.len() }))
}

/// There are few of them: so many as a tenant may have.
fn keys(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let tenant = call.part("tenant")?;
    let keys = call.run(&ListKeys { tenant })?;
    whole(keys.iter().map(KeyView::of).collect())
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
    /// How long tokens still count that the old key signed; `24h` where it is not said. No
    /// token lasts longer.
    overlap: Option<Text<Duration>>,
}

fn rotate_key(
    call: &mut Call<'_>,
    _: Nothing,
    body: MaybeJson<Rotation>,
) -> Result<Answer, Problem> {
    let tenant = call.part("tenant")?;
    let said = body.0.overlap.map(|Text(overlap)| overlap);
    let overlap = said.unwrap_or(Ttl::MOST.as_duration());
    let rotated = call.run(&RotateKey { tenant, overlap })?;
    Answer::ok(&RotatedKeyView::of(&rotated))
}

const TOKEN: Shape = Shape::Named(
    "Jwt",
    &Shape::Object(&[
        ("jti", Shape::Text),
        ("tenant", Shape::Text),
        ("whoami", MAYBE_TEXT),
        ("role", Shape::Text),
        ("things", TEXTS),
        ("issuer", MAYBE_TEXT),
        ("key", Shape::Text),
        ("issued_at", Shape::Text),
        ("expires_at", Shape::Text),
        ("revoked_at", MAYBE_TEXT),
        ("valid", Shape::Bool),
    ]),
);
const ROTATED: Shape = Shape::Object(&[
    ("key", Shape::Text),
    ("tenant", Shape::Text),
    ("created_at", Shape::Text),
    ("old_key_until", MAYBE_TEXT),
]);
const KEY: Shape = Shape::Named(
    "Key",
    &Shape::Object(&[
        ("key", Shape::Text),
        ("tenant", Shape::Text),
        ("created_at", Shape::Text),
        ("ends_at", MAYBE_TEXT),
        ("valid", Shape::Bool),
    ]),
);
const REVOKED: Shape = Shape::Object(&[("revoked", Shape::Integer)]);
const CREATED: Shape = Shape::Object(&[
    ("token", Shape::Text),
    ("jti", Shape::Text),
    ("expires_at", Shape::Text),
]);
