//! New secrets for old credentials: reset and rotation.

use countersign_core::lifecycle::Act;
use countersign_core::name::LoginName;
use countersign_core::secret::Secret;
use countersign_core::time::Timestamp;

use super::{ShownCredential, change_one, conflict, transition};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::AdminError;
use crate::lookup;
use crate::password::ChosenPassword;
use crate::secret::{self, IssuedCredential, NewSecret, Overlap};

/// Replaces all secrets of a credential at once. Its sessions end; its state
/// stays.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ResetPassword {
    /// Its name.
    pub name: LoginName,
    /// Its new secret.
    pub secret: NewSecret,
}

impl Command for ResetPassword {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.name.clone())
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.secret.password().into_iter().collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let (name, act) = (&self.name, "credential.reset-password");
        let (described, (secret, _)) = change_one(tx, name, act, |tx, described| {
            renew(
                tx,
                described,
                Act::ResetPassword,
                &self.secret,
                Overlap::None,
            )
        })?;
        Ok(IssuedCredential {
            described,
            secret,
            old_secret_until: None,
        })
    }
}

/// Gives a credential a new generated secret. With an overlap the old one
/// works for a while, and no session ends; without one, sessions end.
///
/// A credential holds at most two secrets. While one overlap runs, another is
/// refused: to drop the oldest secret would cut off clients that were
/// promised time.
#[derive(Clone, Debug)]
pub struct RotateCredential {
    /// Its name.
    pub name: LoginName,
    /// How long the old secret works too.
    pub overlap: Overlap,
}

impl Command for RotateCredential {
    type Output = IssuedCredential;

    fn needs(&self) -> Permission {
        Permission::Operate(self.name.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedCredential, AdminError> {
        let (name, act) = (&self.name, "credential.rotate");
        let (described, (secret, old_secret_until)) =
            change_one(tx, name, act, |tx, described| {
                let secret = NewSecret::Generated;
                renew(tx, described, Act::Rotate, &secret, self.overlap)
            })?;
        Ok(IssuedCredential {
            described,
            secret,
            old_secret_until,
        })
    }
}

/// Gives a credential its next secret, as its scheme says, which is the output
/// if it is to be shown, with the end of the old one.
fn renew(
    tx: &mut Tx<'_>,
    described: &mut ShownCredential,
    act: Act,
    secret: &NewSecret,
    overlap: Overlap,
) -> Result<(Option<Secret>, Option<Timestamp>), AdminError> {
    let credential = &mut described.credential;
    credential.state = transition(credential, act)?;
    let known = tx.schemes()?;
    let scheme = lookup::scheme(&known, &credential.scheme)?;
    let name = &credential.name;
    if !scheme.is_rotatable() {
        let message = format!(
            "cannot {act} `{name}`: secrets of scheme `{}` are not replaced; delete and recreate it",
            scheme.name()
        );
        return Err(conflict(name, message));
    }
    let secret = secret.drafted(tx, name, scheme, &known)?;
    let now = tx.now;
    let until = secret::retire(tx, credential, overlap, now)?;
    drop(secret::add(tx, credential.id, &secret, scheme)?);
    Ok((secret.shown_once, until))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::credential::Generation;
    use countersign_core::lifecycle::State;
    use countersign_core::reason::Reason;

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::credential::{RevokeCredential, SuspendCredential};
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, login_name};
    use crate::password::ChosenPassword;

    const DAY: Duration = Duration::from_secs(86_400);
    const NAME: &str = "dev1@acme";
    const BAD_SECRET: ConnectVerdict = ConnectVerdict::Deny(Reason::BadSecret);

    fn with_secret() -> (Fixture, Vec<u8>) {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let secret = fixture.credential("dev1").unwrap().secret.unwrap();
        (fixture, secret.expose().to_vec())
    }

    fn rotated(fixture: &mut Fixture, overlap: Overlap) -> Vec<u8> {
        let name = login_name(NAME);
        let issued = fixture.run(&RotateCredential { name, overlap }).unwrap();
        issued.secret.unwrap().expose().to_vec()
    }

    #[test]
    fn a_reset_ends_every_old_secret_and_keeps_the_state() {
        let (mut fixture, first) = with_secret();
        let second = rotated(&mut fixture, Overlap::For(DAY));
        let name = login_name(NAME);
        fixture.run(&SuspendCredential(name.clone())).unwrap();
        let generation = fixture.show(NAME).generation;
        let password = ChosenPassword::parse(b"new".to_vec()).unwrap();
        let issued = fixture
            .run(&ResetPassword {
                name,
                secret: NewSecret::Chosen(password),
            })
            .unwrap();
        assert!(issued.secret.is_none());
        assert_eq!(issued.described.credential.state, State::Suspended);
        assert_eq!(issued.described.credential.generation, generation.next());
        assert_eq!(issued.described.credential.secrets.len(), 1);
        assert_eq!(fixture.check(NAME, Some(&first)), BAD_SECRET);
        assert_eq!(fixture.check(NAME, Some(&second)), BAD_SECRET);
        assert_eq!(
            fixture.check(NAME, Some(b"new")),
            ConnectVerdict::Deny(Reason::Suspended)
        );
    }

    #[test]
    fn rotation_without_an_overlap_ends_the_old_secret_at_once() {
        let (mut fixture, first) = with_secret();
        let second = rotated(&mut fixture, Overlap::None);
        assert_eq!(fixture.check(NAME, Some(&first)), BAD_SECRET);
        assert_eq!(fixture.check(NAME, Some(&second)), ConnectVerdict::Allow);
        let credential = fixture.show(NAME);
        assert_eq!(credential.generation, Generation::FIRST.next());
        assert_eq!(credential.secrets.len(), 1);
    }

    #[test]
    fn with_an_overlap_both_secrets_work_until_its_instant() {
        let (mut fixture, first) = with_secret();
        let second = rotated(&mut fixture, Overlap::For(DAY));
        assert_eq!(fixture.show(NAME).generation, Generation::FIRST);
        assert_eq!(fixture.check(NAME, Some(&first)), ConnectVerdict::Allow);
        assert_eq!(fixture.check(NAME, Some(&second)), ConnectVerdict::Allow);
        fixture.now = fixture.now.plus(DAY);
        assert_eq!(fixture.check(NAME, Some(&first)), BAD_SECRET);
        assert_eq!(fixture.check(NAME, Some(&second)), ConnectVerdict::Allow);
    }

    #[test]
    fn until_used_ends_the_old_secret_when_the_new_one_is_used() {
        for overlap in [Overlap::UntilUsed, Overlap::ForUntilUsed(DAY)] {
            let (mut fixture, first) = with_secret();
            rotated(&mut fixture, overlap);
            assert_eq!(fixture.check(NAME, Some(&first)), ConnectVerdict::Allow);
            fixture.log_in(NAME, "c");
            assert_eq!(fixture.check(NAME, Some(&first)), BAD_SECRET);
        }
    }

    #[test]
    fn a_running_overlap_is_not_cut_short_by_another() {
        let (mut fixture, first) = with_secret();
        rotated(&mut fixture, Overlap::For(DAY));
        let name = login_name(NAME);
        let again = |fixture: &mut Fixture| {
            fixture
                .run(&RotateCredential {
                    name: name.clone(),
                    overlap: Overlap::For(DAY),
                })
                .err()
        };
        let refused = again(&mut fixture).unwrap();
        assert!(refused.is(ErrorKind::Conflict, Noun::Credential));
        assert_eq!(fixture.check(NAME, Some(&first)), ConnectVerdict::Allow);
        assert_eq!(fixture.show(NAME).secrets.len(), 2);
        fixture.now = fixture.now.plus(DAY);
        assert!(again(&mut fixture).is_none());
        assert_eq!(fixture.show(NAME).secrets.len(), 2);
        rotated(&mut fixture, Overlap::None);
        assert_eq!(fixture.show(NAME).secrets.len(), 1);
    }

    #[test]
    fn a_revoked_credential_gets_no_new_secret() {
        let (mut fixture, _) = with_secret();
        let name = login_name(NAME);
        fixture
            .run(&RevokeCredential {
                name: name.clone(),
                reason: None,
            })
            .unwrap();
        let reset = fixture.run(&ResetPassword {
            name: name.clone(),
            secret: NewSecret::Generated,
        });
        assert_eq!(
            reset.err().unwrap().to_string(),
            "cannot reset the password of `dev1@acme`: it is Revoked"
        );
        let rotation = fixture.run(&RotateCredential {
            name,
            overlap: Overlap::None,
        });
        assert_eq!(
            rotation.err().unwrap().to_string(),
            "cannot rotate `dev1@acme`: it is Revoked"
        );
    }

    #[test]
    fn the_next_secret_has_the_shape_of_the_first() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        for (scheme, name, length) in [
            ("generated", Some("357890055321856"), 30),
            ("impact", Some("x"), 44),
            ("vwire", Some("VW-ABC123"), 35),
            ("vwire-token", Some("greenhouse"), 39),
        ] {
            let made = fixture.of_scheme(scheme, name).unwrap();
            let name = made.described.credential.name;
            let before = made.secret.unwrap().expose().to_vec();
            for act in ["rotate", "reset"] {
                let (name, overlap) = (name.clone(), Overlap::None);
                let secret = NewSecret::Generated;
                let issued = match act {
                    "rotate" => fixture.run(&RotateCredential { name, overlap }),
                    _ => fixture.run(&ResetPassword { name, secret }),
                };
                let secret = issued.unwrap().secret.unwrap().expose().to_vec();
                assert_eq!(secret.len(), length, "{scheme}");
                assert_eq!(secret[..3] == before[..3], length == 35 || length == 39);
            }
        }
    }

    #[test]
    fn a_new_token_is_name_and_client_id_from_then_on() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        let made = fixture.of_scheme("vwire-token", Some("x")).unwrap();
        let name = made.described.credential.name;
        let issued = fixture
            .run(&RotateCredential {
                name,
                overlap: Overlap::None,
            })
            .unwrap();
        let view = serde_json::to_value(crate::view::RenewedSecretView::of(&issued)).unwrap();
        assert_eq!(view["username"], view["secret"]);
        let token = |issued: &IssuedCredential| {
            String::from_utf8(issued.secret.as_ref().unwrap().expose().to_vec()).unwrap()
        };
        let mut connect = |token: &str| {
            let presented = crate::check::ConnectCheck {
                address: None,
                certificate: None,
                client_id: token,
                username: Some(token),
                password: None,
                listener: None,
            };
            fixture.policy_check().connect(presented).unwrap().verdict
        };
        assert_eq!(connect(&token(&issued)), ConnectVerdict::Allow);
        let old = token(&IssuedCredential {
            described: issued.described.clone(),
            secret: made.secret,
            old_secret_until: None,
        });
        assert_eq!(connect(&old), ConnectVerdict::Deny(Reason::UnknownName));
    }

    #[test]
    fn a_scheme_may_keep_its_secrets_for_good() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.scheme(&[
            ("name", "fixed"),
            ("login_name", "suffixed"),
            ("client_id", "any"),
            ("secret_shape", "[0-9a-f]{32}"),
            ("rotatable", "false"),
        ]);
        fixture.of_scheme("fixed", Some("x")).unwrap();
        let name = login_name("x@acme");
        let rotated = fixture.run(&RotateCredential {
            name: name.clone(),
            overlap: Overlap::None,
        });
        assert_eq!(
            rotated.err().unwrap().to_string(),
            "cannot rotate `x@acme`: secrets of scheme `fixed` are not replaced; \
             delete and recreate it"
        );
        let reset = fixture.run(&ResetPassword {
            name,
            secret: NewSecret::Generated,
        });
        let reset = reset.err().unwrap();
        assert!(reset.is(ErrorKind::Conflict, Noun::Credential));
    }

    #[test]
    fn a_password_is_chosen_only_where_the_scheme_lets_one() {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &[]).unwrap();
        fixture.of_scheme("vwire", Some("VW-ABC123")).unwrap();
        fixture.of_scheme("impact", Some("x")).unwrap();
        fixture.credential("dev1").unwrap();
        for (name, password, said) in [
            (
                "VW-ABC123",
                "password",
                "scheme `vwire` makes its secrets itself; ",
            ),
            ("X", "", "'password' can not be less than 5 chars"),
            ("X", "abcd", "'password' can not be less than 5 chars"),
            ("dev1@acme", "", "a password can't be empty"),
        ] {
            let chosen = ChosenPassword::parse(password.into()).unwrap();
            let reset = fixture.run(&ResetPassword {
                name: login_name(name),
                secret: NewSecret::Chosen(chosen),
            });
            let error = reset.err().unwrap().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
