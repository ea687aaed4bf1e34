//! The errors that are not `AdminError` yet, as it.

use crate::error::{AdminError, Noun};

macro_rules! bridge {
    ($error:ty, $admin:path, $store:path, $noun:expr) => {
        impl From<$error> for AdminError {
            fn from(error: $error) -> Self {
                match error {
                    $admin(error) => error,
                    $store(error) => error.into(),
                    error => Self::invalid($noun, "", error),
                }
            }
        }
    };
}

use crate::jwt::JwtError;
bridge!(JwtError, JwtError::Admin, JwtError::Store, Noun::Token);
