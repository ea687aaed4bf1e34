//! The rows of hooks.

use countersign_core::hook::{HookKind, HookName};

use super::*;
use crate::hook::{CreateHook, DeleteHook, ListHooks, NewHook, RotateHook, ShowHook};

/// A hook that there is.
pub(super) fn edge() -> HookName {
    HookName::parse("edge").unwrap()
}

pub(super) fn new_hook(name: HookName) -> NewHook {
    NewHook {
        name,
        kind: HookKind::Emqx,
        tenant: Some(tenant_id("acme")),
        from: Vec::new(),
        kick: None,
        vhosts: Vec::new(),
    }
}

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    rows! {
        Platform CreateHook CreateHook(new_hook(HookName::parse("more").unwrap()));
        Platform DeleteHook DeleteHook(edge());
        Platform ListHooks ListHooks::default();
        Platform RotateHook RotateHook(edge());
        Platform ShowHook ShowHook(edge());
    }
}
