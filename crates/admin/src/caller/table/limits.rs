//! The rows of limits.

use countersign_core::limit::{Limit, UseLimits};

use super::{May, Try, trying};
use crate::fixture::{login_name, role_name, tenant_id};
use crate::limit::{ClearLimits, Limited, SetLimits, ShowLimits, Unsaid};

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    let tenant = || Limited::Tenant(tenant_id("acme"));
    let role = || Limited::Role(tenant_id("acme"), role_name("ops"));
    let pump = || Limited::Credential(login_name("pump@acme"));
    let set = |of| SetLimits {
        of,
        limits: UseLimits {
            connections: Limit::new(1),
            ..UseLimits::default()
        },
        unsaid: Unsaid::Stay,
    };
    rows! {
        Admin ClearLimits ClearLimits(pump());
        Admin ClearLimits ClearLimits(role());
        Platform ClearLimits ClearLimits(tenant());
        Admin SetLimits set(pump());
        Admin SetLimits set(role());
        Platform SetLimits set(tenant());
        GroupViewer ShowLimits ShowLimits(pump());
        Viewer ShowLimits ShowLimits(role());
        Viewer ShowLimits ShowLimits(tenant());
    }
}
