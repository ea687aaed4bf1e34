//! The rows of what dynamic-security's commands need besides.

use countersign_core::control_note::{NoteKey, NoteKind};

use super::*;
use crate::control_note::WriteNote;
use crate::role::RewriteRole;

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    let key = NoteKey {
        tenant: tenant_id("acme"),
        kind: NoteKind::Role,
        name: "ops".into(),
    };
    rows! {
        Admin RewriteRole RewriteRole {
            tenant: tenant_id("acme"), name: role_name("ops"), description: None,
            no_wildcards: Some(true), rules: None,
        };
        Admin WriteNote WriteNote { key, text: Some("{}".into()), act: "role.note" };
    }
}
