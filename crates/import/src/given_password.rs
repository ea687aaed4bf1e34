//! What is taken over of the passwords of a source.

use countersign_admin::import::ImportedPassword;
use countersign_admin::password::ChosenPassword;
use countersign_core::secret::Secret;

use crate::plan::desired::{DesiredPassword, Item};
use crate::stored_password::StoredPassword;

/// What is taken over of a password.
pub(crate) fn given(stored: &StoredPassword, mut item: Item, accept_weak: bool) -> DesiredPassword {
    let password = match stored {
        StoredPassword::Hash(hash) => Some(ImportedPassword::Hashed(hash.clone())),
        StoredPassword::Missing => {
            item.change(NO_PASSWORD);
            None
        }
        StoredPassword::Plain(secret) if accept_weak => chosen(secret, &mut item),
        StoredPassword::Plain(_) => {
            item.lose(
                "the password is plain text, which any reader of the file knows",
                "hash it (`mosquitto_passwd -U`), or take it over with --accept-weak",
            );
            None
        }
        StoredPassword::Unusable(error) => {
            item.lose(&error.to_string(), RESET);
            None
        }
    };
    DesiredPassword {
        item: Some(item),
        password,
    }
}

fn chosen(secret: &Secret, item: &mut Item) -> Option<ImportedPassword> {
    match ChosenPassword::parse(secret.expose().to_vec()) {
        Ok(password) => {
            item.change("the password was plain text, and is kept as an Argon2id hash");
            Some(ImportedPassword::Plain(password))
        }
        Err(error) => {
            item.lose(&error.to_string(), RESET);
            None
        }
    }
}

const RESET: &str = "set another password: `credential reset-password`";
pub(crate) const NO_PASSWORD: &str = "it has no password, so it can't log in";
