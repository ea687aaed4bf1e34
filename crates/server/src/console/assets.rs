//! What pages load: a style sheet, a script, a picture. Each has an address of its own for
//! each content, which browsers may keep.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use countersign_core::hex;
use sha2::{Digest as _, Sha256};

use crate::answer::Answer;
use crate::call::Call;
use crate::input::Nothing;
use crate::problem::Problem;
use crate::route::{Access, Route, get};

/// Something that pages load.
pub(super) struct Asset {
    kind: &'static str,
    content: &'static str,
    /// The last part of its address.
    file: String,
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, content: &'static str) -> Self {
        let digest = Sha256::digest(content.as_bytes());
        let digest = hex::encode(digest.get(..8).unwrap_or_default());
        Self {
            kind,
            content,
            file: format!("{stem}.{digest}.{ending}"),
        }
    }

    /// Where it is.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}", self.file)
    }
}

pub(super) fn routes() -> Vec<Route> {
    let one = get("/assets/{file}", "What pages load", show);
    vec![one.with_access(Access::Anybody)]
}

fn show(call: &mut Call<'_>, _: Nothing, _: Nothing) -> Result<Answer, Problem> {
    let file: String = call.part("file")?;
    let mut all = [&STYLE, &SCRIPT, &ICON].into_iter();
    let asset = all.find(|asset| asset.file == file);
    let asset = asset.ok_or_else(Problem::not_found)?;
    let content = asset.content.as_bytes().to_vec();
    Answer::text(StatusCode::OK, asset.kind, content)
        .with(CACHE_CONTROL, "public, max-age=31536000, immutable")
}

pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../assets/console.css");
    Asset::new("console", "css", "text/css; charset=utf-8", content)
});
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../assets/console.js");
    Asset::new("console", "js", "text/javascript; charset=utf-8", content)
});
pub(super) static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../assets/icon.svg");
    Asset::new("icon", "svg", "image/svg+xml", content)
});
