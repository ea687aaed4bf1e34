//! Devices that authorities and issuers register: the same for both.

use countersign_core::auto_registration::{AutoRegistration, DeviceRegistration};
use countersign_core::name::LoginName;
use countersign_core::role::RoleName;
use serde_json::json;

use crate::answer::Answer;
use crate::input::Text;
use crate::problem::Problem;
use crate::shape::{MAYBE_TEXT, Shape};

/// Reads which devices one registers, of the members `auto_register`, `role` and `max`.
pub(super) fn registers(
    auto_register: bool,
    role: Option<Text<RoleName>>,
    max: Option<u32>,
) -> Result<Option<DeviceRegistration>, Problem> {
    let max_is_said = max.is_some();
    let max = read_max(max)?;
    match role {
        Some(Text(role)) if auto_register => Ok(Some(DeviceRegistration {
            role,
            max,
            registered: 0,
        })),
        None if !auto_register && !max_is_said => Ok(None),
        Some(_) | None => Err(Problem::invalid(
            "`auto_register` needs a `role`; `role` and `max` are about `auto_register`",
        )),
    }
}

/// Reads how many one ever registers.
pub(super) fn read_max(max: Option<u32>) -> Result<u32, Problem> {
    let max = max.unwrap_or(AutoRegistration::DEFAULT_MAX);
    if (1..=AutoRegistration::LARGEST_MAX).contains(&max) {
        return Ok(max);
    }
    let largest = AutoRegistration::LARGEST_MAX;
    Err(Problem::invalid(format!("`max` is from 1 to {largest}")))
}

/// Says which device may be registered again.
pub(super) fn forgotten(device: &LoginName) -> Result<Answer, Problem> {
    Answer::ok(&json!({ "forgotten": device.as_str() }))
}

pub(super) const FORGOTTEN: Shape = Shape::Object(&[("forgotten", Shape::Text)]);
pub(super) const AUTO_REGISTER: (&str, Shape) = ("auto_register", Shape::Bool);
pub(super) const ROLE: (&str, Shape) = ("role", MAYBE_TEXT);
pub(super) const MAX: (&str, Shape) = ("max", Shape::Maybe(&Shape::Integer));
pub(super) const REGISTERED: (&str, Shape) = ("registered", Shape::Maybe(&Shape::Integer));
