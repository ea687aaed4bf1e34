//! Authorities (CAs), each of which speaks for a tenant.

use axum::http::StatusCode;
use countersign_admin::Mode;
use countersign_admin::authority::{
    AddAuthority, ForgetRegisteredDevice, ListAuthorities, RemoveAuthority, ShowAuthority,
};
use countersign_admin::view::AuthorityView;
use countersign_certificate::read_authority;
use countersign_core::certificate::{Fingerprint, IdentityKind, NamePattern};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::registering::{AUTO_REGISTER, FORGOTTEN, MAX, REGISTERED, ROLE, forgotten, registers};
use super::{PageOfTenantWords, Row, part_of_all};
use crate::answer::Answer;
use crate::call::Call;
use crate::input::{CertificateBytes, FromText as _, Json, Nothing, Text};
use crate::problem::Problem;
use crate::route::{Route, delete, get, post};
use crate::shape::Shape;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/authorities";
    const ONE: &str = "/api/v1/authorities/{fingerprint}";
    const FORGET: &str = "/api/v1/authorities/{fingerprint}/forget";
    vec![
        get(ALL, "List authorities (CAs)", list).answers_page(&AUTHORITY),
        post(ALL, "Have an authority speak for a tenant", add)
            .answers(StatusCode::CREATED, AUTHORITY),
        get(ONE, "Show an authority", show).answers_tagged(AUTHORITY),
        delete(
            ONE,
            "Have an authority speak for its tenant no longer",
            remove,
        )
        .answers_nothing()
        .conditional(),
        post(
            FORGET,
            "Let an authority register a deleted device again",
            forget,
        )
        .answers(StatusCode::OK, FORGOTTEN),
    ]
}

fn list(call: &mut Call<'_>, words: PageOfTenantWords, _: Nothing) -> Result<Answer, Problem> {
    let page = words.page(Fingerprint::from_text)?;
    let tenant = words.tenant();
    let authorities = call.run(&ListAuthorities { tenant })?;
    let rows = authorities.iter().map(|authority| Row {
        key: authority.fingerprint,
        view: AuthorityView::of(authority),
    });
    part_of_all(rows, &page)
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let fingerprint = call.part("fingerprint")?;
    call.show(&ShowAuthority(fingerprint), AuthorityView::of)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    tenant: Text<TenantId>,
    /// The authority's certificate (PEM).
    pem: Text<CertificateBytes>,
    /// What of a certificate names the credential: `san-uri`, `san-dns`, `san-email`,
    /// `cn`, `serial` or `subject`.
    identity: Text<IdentityKind>,
    /// What that looks like from end to end; `${name}` stands for the name. All of it is
    /// the name where this is not said.
    #[serde(default)]
    pattern: Option<Text<NamePattern>>,
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
    let CertificateBytes(bytes) = said.pem.0;
    let found = read_authority(&bytes);
    let found = found.map_err(|error| Problem::invalid(format!("`pem`: {error}")))?;
    let pattern = said.pattern.map(|Text(pattern)| pattern);
    let added = call.run(&AddAuthority {
        tenant: said.tenant.0,
        fingerprint: found.fingerprint,
        subject: found.subject,
        key: found.key,
        signer: found.signer,
        validity: found.validity,
        identity: said.identity.0,
        pattern: pattern.unwrap_or_default(),
        registers: registers(said.auto_register, said.role, said.max)?,
    })?;
    let fingerprint = added.fingerprint.to_string();
    Answer::created(&["authorities", &fingerprint], &AuthorityView::of(&added))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let fingerprint = call.part("fingerprint")?;
    let show = ShowAuthority(fingerprint);
    let removal = RemoveAuthority(fingerprint);
    call.run_if_matches(&show, AuthorityView::of, &removal, Mode::Commit)?;
    Ok(Answer::deleted())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Device {
    /// The name of the device, with or without its tenant.
    name: String,
}

fn forget(call: &mut Call<'_>, _: Nothing, body: Json<Device>) -> Result<Answer, Problem> {
    let Json(Device { name }) = body;
    let authority = call.part("fingerprint")?;
    let device = call.run(&ForgetRegisteredDevice { authority, name })?;
    forgotten(&device)
}

const AUTHORITY: Shape = Shape::Named(
    "Authority",
    &Shape::Object(&[
        ("fingerprint", Shape::Text),
        ("tenant", Shape::Text),
        ("subject", Shape::Text),
        ("key", Shape::Text),
        ("identity", Shape::Text),
        ("pattern", Shape::Text),
        AUTO_REGISTER,
        ROLE,
        MAX,
        REGISTERED,
        ("not_before", Shape::Text),
        ("not_after", Shape::Text),
        ("added_at", Shape::Text),
    ]),
);
