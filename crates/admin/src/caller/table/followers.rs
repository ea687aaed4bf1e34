//! The rows of followers.

use countersign_core::follower::FollowerName;
use countersign_core::time::Timestamp;

use super::*;
use crate::follower::{
    CompactLog, CreateFollower, DeleteFollower, ListFollowers, ReadFleetStatus, RotateFollower,
    SetFollower, ShowFollower,
};

/// A follower that there is.
pub(super) fn west() -> FollowerName {
    FollowerName::parse("west").unwrap()
}

pub(super) fn new_follower(name: FollowerName) -> CreateFollower {
    CreateFollower {
        name,
        tenants: vec![tenant_id("acme")],
    }
}

pub(super) fn rows() -> Vec<(&'static str, May, Try)> {
    rows! {
        Platform CreateFollower new_follower(FollowerName::parse("more").unwrap());
        Platform DeleteFollower DeleteFollower(west());
        Platform ListFollowers ListFollowers::default();
        Platform ReadFleetStatus ReadFleetStatus::default();
        Platform CompactLog CompactLog { before: Timestamp::from_millis(0) };
        Platform RotateFollower RotateFollower(west());
        Platform SetFollower SetFollower { name: west(), add: Vec::new(), remove: vec![tenant_id("acme")] };
        Platform ShowFollower ShowFollower(west());
    }
}
