//! Arguments of what registers devices: authorities and issuers.

use clap::{Args, value_parser};
use countersign_core::auto_registration::{AutoRegistration, DeviceRegistration};
use countersign_core::role::RoleName;

#[derive(Args, Debug)]
pub(crate) struct RegisteringArguments {
    /// Make a device that nobody made when it first comes, as `NAME@T`: up to ten a second,
    /// with names of `A-Z`, `a-z`, `0-9`, `_`, `-`, `.` and `:`. One that is deleted is not
    /// made again.
    #[arg(long, requires = "role")]
    auto_register: bool,
    /// The role that such a device holds.
    #[arg(long, value_name = "R", requires = "auto_register", value_parser = RoleName::parse)]
    role: Option<RoleName>,
    /// How many devices it ever makes; one that is deleted leaves no room.
    #[arg(long, value_name = "N", requires = "auto_register", default_value_t = AutoRegistration::DEFAULT_MAX,
        value_parser = value_parser!(u32).range(1..=i64::from(AutoRegistration::LARGEST_MAX)))]
    max: u32,
}

impl RegisteringArguments {
    /// Which devices it makes, if it does.
    pub(crate) fn registers(self) -> Option<DeviceRegistration> {
        let Self { role, max, .. } = self;
        role.map(|role| DeviceRegistration {
            role,
            max,
            registered: 0,
        })
    }
}
