//! Certificates that stand for a credential.

use axum::http::StatusCode;
use countersign_admin::certificate::{AddCertificate, ListCertificates, RemoveCertificate};
use countersign_admin::view::CertificateView;
use countersign_certificate::read;
use countersign_core::certificate::Fingerprint;
use countersign_core::name::LoginName;
use countersign_core::time::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::Answer;
use crate::call::Call;
use crate::input::{CertificateBytes, Json, Nothing, Text};
use crate::problem::Problem;
use crate::rest::whole;
use crate::route::{Route, delete, get, post};
use crate::shape::{MAYBE_TEXT, Shape};

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/v1/credentials/{name}/certificates";
    const ONE: &str = "/api/v1/credentials/{name}/certificates/{fingerprint}";
    vec![
        get(ALL, "List the certificates of a credential", list).answers_page(&CERTIFICATE),
        post(ALL, "Have a certificate stand for a credential", add)
            .answers(StatusCode::CREATED, CERTIFICATE),
        delete(
            ONE,
            "Have a certificate stand for a credential no longer",
            remove,
        )
        .answers_nothing(),
    ]
}

/// A credential has few of them.
fn list(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let certificates = call.run(&ListCertificates(call.part("name")?))?;
    whole(certificates.iter().map(CertificateView::of).collect())
}

/// One of `pem` and `fingerprint` is given.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New {
    /// The certificate (PEM).
    #[serde(default)]
    pem: Option<Text<CertificateBytes>>,
    /// Its SHA-256 alone: 64 hexadecimal digits. This is for the platform: nobody has
    /// shown the certificate.
    #[serde(default)]
    fingerprint: Option<Text<Fingerprint>>,
    /// When it counts no more, if that is before it ends by itself.
    #[serde(default)]
    until: Option<Text<Timestamp>>,
}

fn add(call: &mut Call<'_>, _: Nothing, body: Json<New>) -> Result<Answer, Problem> {
    let Json(said) = body;
    let (fingerprint, validity) = match (said.pem, said.fingerprint) {
        (Some(Text(CertificateBytes(bytes))), None) => {
            let found = read(&bytes);
            let found = found.map_err(|error| Problem::invalid(format!("`pem`: {error}")))?;
            (found.0, Some(found.1))
        }
        (None, Some(Text(fingerprint))) => (fingerprint, None),
        _ => return Err(Problem::invalid("give `pem`, or `fingerprint`")),
    };
    let name: LoginName = call.part("name")?;
    let added = call.run(&AddCertificate {
        name: name.clone(),
        fingerprint,
        validity,
        until: said.until.map(|Text(until)| until),
    })?;
    let fingerprint = fingerprint.to_string();
    let path = ["credentials", name.as_str(), "certificates", &fingerprint];
    Answer::created(&path, &CertificateView::of(&added))
}

fn remove(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    call.run(&RemoveCertificate {
        name: call.part("name")?,
        fingerprint: call.part("fingerprint")?,
    })?;
    Ok(Answer::deleted())
}

const CERTIFICATE: Shape = Shape::Named(
    "Certificate",
    &Shape::Object(&[
        ("fingerprint", Shape::Text),
        ("name", Shape::Text),
        ("not_before", MAYBE_TEXT),
        ("not_after", MAYBE_TEXT),
        ("until", MAYBE_TEXT),
        ("ends_at", MAYBE_TEXT),
        ("added_at", Shape::Text),
    ]),
);
