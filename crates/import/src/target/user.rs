//! Which devices of a tenant a file of Mosquitto's can have as users, and their
//! hashes.

use countersign_admin::tenant::DeviceRights;
use countersign_core::access::BoundRule;
use countersign_core::client_id::ClientIdRule;
use countersign_core::lifecycle::State;
use countersign_core::rule::RuleSource;
use countersign_core::secret::Verifier;
use countersign_core::time::Timestamp;

use super::outcome::{Object, Outcomes};

/// What a file can say of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Target {
    /// A `password_file`: a name and a hash.
    PasswordFile,
    /// dynamic-security's: a client id, too, and whether the user is disabled.
    DynamicSecurity,
}

/// A device as a user of Mosquitto's.
pub(super) struct TargetUser<'a> {
    pub(super) name: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) hash: Option<TargetHash<'a>>,
    pub(super) client_id: Option<String>,
    pub(super) is_disabled: bool,
    pub(super) rules: &'a [BoundRule],
}

/// A hash that Mosquitto reads.
#[derive(Clone, Copy)]
pub(super) enum TargetHash<'a> {
    /// As it is written in a `password_file`.
    Text(&'a str),
    /// PBKDF2, field by field.
    Pbkdf2 {
        text: &'a str,
        rounds: &'a str,
        salt: &'a str,
        key: &'a str,
    },
}

/// Makes a user of a device, or says why it is left out.
pub(super) fn user<'a>(
    device: &'a DeviceRights,
    target: Target,
    now: Timestamp,
    outcomes: &mut Outcomes,
) -> Option<TargetUser<'a>> {
    let name = device.credential.name.as_str();
    let object = || Object::new(format!("/credentials/{name}"), name);
    match judge(device, target, now) {
        Ok((user, changes)) => {
            if changes.is_empty() {
                outcomes.keep(object());
            } else {
                outcomes.change(object(), &changes.join("; "));
            }
            Some(user)
        }
        Err(Left { why, fix }) => {
            outcomes.lose(object(), why, fix);
            let own = device.rules.iter();
            for rule in own.filter(|rule| rule.source == RuleSource::Credential) {
                outcomes.lose(
                    Object::of_rule(rule, name),
                    "its user is left out",
                    "write it again with the user",
                );
            }
            None
        }
    }
}

/// Why a device is left out.
struct Left {
    why: &'static str,
    fix: &'static str,
}

fn judge(
    device: &DeviceRights,
    target: Target,
    now: Timestamp,
) -> Result<(TargetUser<'_>, Vec<&'static str>), Left> {
    let credential = &device.credential;
    let left = |why, fix| Err(Left { why, fix });
    if !device.logs_in_by_name {
        return left(
            "its login name is a secret",
            "make it anew by scheme `plain`",
        );
    }
    if device.is_tls_only {
        return left(
            "it logs in by TLS alone, and the file can't say that",
            "make it anew by another scheme",
        );
    }
    let is_disabled = match (credential.state, target) {
        (State::Revoked, _) => return left("it is revoked", "nothing is to be done"),
        (State::Suspended, Target::PasswordFile) => {
            return left("it is suspended", "reactivate it first, if it is to log in");
        }
        (State::Suspended, Target::DynamicSecurity) => true,
        (State::Active | State::Inactive, _) => false,
    };
    let is_early = credential.not_before.is_some_and(|at| now < at);
    if credential.expires_at.is_some() || is_early {
        return left(
            "it counts until or from a date alone, and the file can't say that",
            "take the date away with `credential set`, and remove the user by hand when it is time",
        );
    }
    let client_id = match (&credential.client_id_rule, target) {
        (ClientIdRule::Any, _) => None,
        (ClientIdRule::Exact(id), Target::DynamicSecurity) => Some(id.to_string()),
        (ClientIdRule::SameAsUsername, Target::DynamicSecurity) => {
            Some(credential.name.to_string())
        }
        (
            ClientIdRule::Exact(_)
            | ClientIdRule::FirstUse
            | ClientIdRule::Prefix(_)
            | ClientIdRule::SameAsSecret
            | ClientIdRule::SameAsUsername,
            _,
        ) => {
            return left(
                "it is bound to client ids, and the file can't say which",
                "let any client id do: `credential set NAME --client-id any`",
            );
        }
    };
    let name = credential.name.as_str();
    if target == Target::PasswordFile && name.contains(':') {
        return left(
            "a `password_file` has no name with `:`",
            "make it anew under another name",
        );
    }
    let mut changes = Vec::new();
    let mut usable = credential.secrets.iter().filter(|it| it.is_usable(now));
    let hash = match usable.next().map(|secret| &secret.verifier) {
        None if target == Target::DynamicSecurity => None,
        None => {
            return left(
                "it has no password",
                "give it one with `credential reset-password`",
            );
        }
        Some(Verifier::Digest(_)) => {
            return left(
                "its secret was generated, and its digest is none that Mosquitto reads",
                "give it a password with `credential reset-password NAME --password-stdin`",
            );
        }
        Some(Verifier::Password(hash)) => match target_hash(hash.as_str(), target) {
            Some(hash) => {
                if hash.is_argon2() {
                    changes.push(argon2_is_read(target));
                }
                Some(hash)
            }
            None => {
                return left(
                    "its hash is none that Mosquitto reads",
                    "give it a password with `credential reset-password NAME --password-stdin`",
                );
            }
        },
    };
    if usable.next().is_some() {
        changes.push("of its two secrets the newer one counts alone");
    }
    if device.has_certificates {
        changes.push("its certificates stand for it no more: it logs in by its password alone");
    }
    if credential.external_identity {
        changes.push("whether a certificate does for its password is up to the broker's options");
    }
    let user = TargetUser {
        name,
        description: credential.description.as_deref(),
        hash,
        client_id,
        is_disabled,
        rules: &device.rules,
    };
    Ok((user, changes))
}

impl TargetHash<'_> {
    /// As it is written in a `password_file`, and by dynamic-security of 2.1.
    pub(super) const fn text(&self) -> &str {
        match self {
            Self::Pbkdf2 { text, .. } | Self::Text(text) => text,
        }
    }

    fn is_argon2(&self) -> bool {
        self.text().starts_with(ARGON2)
    }
}

/// Which brokers read an Argon2id hash, and what the others do.
const fn argon2_is_read(target: Target) -> &'static str {
    match target {
        Target::PasswordFile => {
            "its hash is Argon2id, which only a Mosquitto 2.1 reads that is built with Argon2: one \
             without it, as Debian's, does not start with this `password_file`, and 2.0 leaves the \
             user out; set its password anew there (`mosquitto_passwd -b`)"
        }
        Target::DynamicSecurity => {
            "its hash is Argon2id, which only a Mosquitto 2.1 reads that is built with Argon2: one \
             without it, as Debian's, and 2.0 refuse the user; set its password anew there \
             (`mosquitto_ctrl dynsec setClientPassword`)"
        }
    }
}

/// The hash as Mosquitto reads it; none where it does not.
fn target_hash(text: &str, target: Target) -> Option<TargetHash<'_>> {
    if let Some(rest) = text.strip_prefix("$7$") {
        let fields: Vec<&str> = rest.split('$').collect();
        let [rounds, salt, key] = *fields.as_slice() else {
            return None;
        };
        return is_read(salt, key).then_some(TargetHash::Pbkdf2 {
            text,
            rounds,
            salt,
            key,
        });
    }
    if let Some(rest) = text.strip_prefix("$6$") {
        let (salt, digest) = rest.split_once('$')?;
        let is_read = target == Target::PasswordFile && is_read(salt, digest);
        return is_read.then_some(TargetHash::Text(text));
    }
    text.starts_with(ARGON2).then_some(TargetHash::Text(text))
}

/// Says whether Mosquitto reads a salt and a digest: 12 or 64 bytes, and 64, as
/// padded base64.
fn is_read(salt: &str, digest: &str) -> bool {
    matches!(salt.len(), 16 | 88) && digest.len() == 88
}

const ARGON2: &str = "$argon2id$";
