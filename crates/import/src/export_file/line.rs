//! The header, as it is written and read.

use std::collections::BTreeMap;

use countersign_core::name::TenantId;
use countersign_core::store::{ExportHeader, ExportScope};
use serde::{Deserialize, Serialize};

use super::FORMAT;

/// The first line of an export, to be written as JSON.
#[must_use]
pub fn header_line(header: &ExportHeader) -> impl Serialize {
    HeaderLine {
        format: FORMAT,
        schema: header.schema,
        tenant: header.scope.tenant.as_ref().map(ToString::to_string),
        with_sealed: header.scope.with_sealed,
        key: header.key.clone(),
        sequences: header.sequences.clone(),
        rows: header.rows.clone(),
    }
}

/// The header, key by key.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeaderLine {
    pub(super) format: u32,
    schema: u32,
    tenant: Option<String>,
    with_sealed: bool,
    key: Option<String>,
    sequences: BTreeMap<String, i64>,
    rows: BTreeMap<String, u64>,
}

/// What is read of any header, so that one of another form can be told.
#[derive(Deserialize)]
pub(super) struct FormatLine {
    pub(super) format: u32,
}

impl HeaderLine {
    /// The header, if its tenant has the name of one.
    pub(super) fn into_header(self) -> Option<ExportHeader> {
        let tenant = match self.tenant {
            Some(tenant) => Some(TenantId::parse(&tenant).ok()?),
            None => None,
        };
        Some(ExportHeader {
            schema: self.schema,
            scope: ExportScope {
                tenant,
                with_sealed: self.with_sealed,
            },
            key: self.key,
            sequences: self.sequences,
            rows: self.rows,
        })
    }
}
