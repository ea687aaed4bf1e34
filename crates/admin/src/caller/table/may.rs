//! Who may run a command.

/// Who may, besides the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum May {
    /// Nobody else.
    Platform,
    /// An administrator of the tenant, too.
    Admin,
    /// An administrator of the credential's group, too.
    GroupAdmin,
    /// An administrator and a viewer of the tenant, too.
    Viewer,
    /// Whoever administers or views the tenant or the credential's group, too.
    GroupViewer,
    /// Every user who signed in with a password, and not the platform.
    Own,
    /// Whoever is there still. What it is about is looked at besides.
    Any,
}
