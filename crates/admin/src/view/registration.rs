//! Which devices an authority or an issuer registers, as that is shown.

use countersign_core::auto_registration::DeviceRegistration;
use serde::Serialize;

/// What is shown of it, beside the rest of the authority or the issuer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RegistrationView {
    auto_register: bool,
    role: Option<String>,
    max: Option<u32>,
    registered: Option<u32>,
}

impl RegistrationView {
    /// The view of what one registers.
    pub(super) fn of(registers: Option<&DeviceRegistration>) -> Self {
        Self {
            auto_register: registers.is_some(),
            role: registers.map(|it| it.role.to_string()),
            max: registers.map(|it| it.max),
            registered: registers.map(|it| it.registered),
        }
    }
}
