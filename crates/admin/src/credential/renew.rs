//! New secrets for old credentials: reset and rotation.

use countersign_core::lifecycle::Act;
use countersign_core::name::LoginName;
use countersign_core::scheme::Scheme;
use countersign_core::store::rows::{SchemeRows as _, SettingRows as _};
use countersign_core::store::{AdminStore, Intent};

use super::{
    CredentialError, IssuedCredential, ShownCredential, act_on, add_secret, find, transition,
};
use crate::context::Context;
use crate::lookup::Rows;
use crate::password::{NewSecret, PreparedSecret};
use crate::secret::{self, Overlap};

/// Replaces all secrets of a credential at once. Its sessions end; its state
/// stays.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when it is revoked, or when
/// the store can't be written; nothing changed then.
pub fn reset_password<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    name: &LoginName,
    secret: NewSecret,
) -> Result<IssuedCredential, CredentialError> {
    let secret = prepare(store, context, name, Act::ResetPassword, &secret)?;
    let now = context.now;
    let act = "credential.reset-password";
    let (described, ()) = act_on(store, context, name, act, |transaction, described| {
        let credential = &mut described.credential;
        credential.state = transition(credential, Act::ResetPassword)?;
        secret::retire(&mut Rows::of(transaction), credential, Overlap::None, now)?;
        add_secret(
            transaction,
            credential.id,
            &secret,
            described.scheme.as_ref(),
        )?;
        Ok(())
    })?;
    Ok(IssuedCredential {
        described,
        secret: secret.shown_once,
        old_secret_until: None,
    })
}

/// Gives a credential a new generated secret. With an overlap the old one
/// works for a while, and no session ends; without one, sessions end.
///
/// A credential holds at most two secrets. While one overlap runs, another is
/// refused: to drop the oldest secret would cut off clients that were
/// promised time.
///
/// # Errors
///
/// Returns [`CredentialError`] when there is none, when it is revoked, when an
/// overlap runs already, or when the store can't be written; nothing changed
/// then.
pub fn rotate<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    name: &LoginName,
    overlap: Overlap,
) -> Result<IssuedCredential, CredentialError> {
    let secret = prepare(store, context, name, Act::Rotate, &NewSecret::Generated)?;
    let now = context.now;
    let act = "credential.rotate";
    let (described, until) = act_on(store, context, name, act, |transaction, described| {
        let credential = &mut described.credential;
        credential.state = transition(credential, Act::Rotate)?;
        let until = secret::retire(&mut Rows::of(transaction), credential, overlap, now)?;
        add_secret(
            transaction,
            credential.id,
            &secret,
            described.scheme.as_ref(),
        )?;
        Ok(until)
    })?;
    Ok(IssuedCredential {
        described,
        secret: secret.shown_once,
        old_secret_until: until,
    })
}

/// Makes the next secret of a credential as its scheme says. What can be
/// refused is refused before a password is hashed.
fn prepare<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    name: &LoginName,
    act: Act,
    secret: &NewSecret,
) -> Result<PreparedSecret, CredentialError> {
    let (scheme, known, params) = {
        let mut transaction = store.begin(Intent::Read)?;
        let ShownCredential { credential, .. } = find(&mut transaction, name)?;
        transition(&credential, act)?;
        let known = transaction.schemes()?;
        let scheme = crate::lookup::scheme(&known, &credential.scheme)?.clone();
        (scheme, known, transaction.settings()?.argon2)
    };
    check_rotatable(&scheme, name, act)?;
    Ok(secret.prepare(context, name, &scheme, &known, params)?)
}

fn check_rotatable(scheme: &Scheme, name: &LoginName, act: Act) -> Result<(), CredentialError> {
    if scheme.is_rotatable() {
        return Ok(());
    }
    Err(CredentialError::NotRotatable {
        act,
        name: name.clone(),
        scheme: scheme.name().clone(),
    })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::credential::Generation;
    use countersign_core::lifecycle::State;
    use countersign_core::reason::Reason;

    use super::*;
    use crate::check::ConnectVerdict;
    use crate::credential::{revoke, suspend};
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
        let issued = fixture
            .act(|store, context| rotate(store, context, &name, overlap))
            .unwrap();
        issued.secret.unwrap().expose().to_vec()
    }

    #[test]
    fn a_reset_ends_every_old_secret_and_keeps_the_state() {
        let (mut fixture, first) = with_secret();
        let second = rotated(&mut fixture, Overlap::For(DAY));
        let name = login_name(NAME);
        fixture
            .act(|store, context| suspend(store, context, &name))
            .unwrap();
        let generation = fixture.show(NAME).generation;
        let password = ChosenPassword::parse(b"new".to_vec()).unwrap();
        let issued = fixture
            .act(|store, context| {
                reset_password(store, context, &name, NewSecret::Chosen(password))
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
                .act(|store, context| rotate(store, context, &name, Overlap::For(DAY)))
                .err()
        };
        assert!(matches!(
            again(&mut fixture),
            Some(CredentialError::Admin(_))
        ));
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
            .act(|store, context| revoke(store, context, &name, None))
            .unwrap();
        let reset = fixture
            .act(|store, context| reset_password(store, context, &name, NewSecret::Generated));
        assert_eq!(
            reset.err().unwrap().to_string(),
            "cannot reset the password of `dev1@acme`: it is Revoked"
        );
        let rotation = fixture.act(|store, context| rotate(store, context, &name, Overlap::None));
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
                let issued = fixture.act(|store, context| match act {
                    "rotate" => rotate(store, context, &name, Overlap::None),
                    _ => reset_password(store, context, &name, NewSecret::Generated),
                });
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
            .act(|store, context| rotate(store, context, &name, Overlap::None))
            .unwrap();
        let view = serde_json::to_value(crate::view::RenewedSecretView::of(&issued)).unwrap();
        assert_eq!(view["username"], view["secret"]);
        let token = |issued: &IssuedCredential| {
            String::from_utf8(issued.secret.as_ref().unwrap().expose().to_vec()).unwrap()
        };
        let mut connect = |token: &str| {
            let presented = crate::check::ConnectCheck {
                client_id: token,
                username: Some(token),
                password: None,
                listener: None,
            };
            fixture.policy_check().connect(presented).unwrap()
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
        let rotated = fixture.act(|store, context| rotate(store, context, &name, Overlap::None));
        assert_eq!(
            rotated.err().unwrap().to_string(),
            "cannot rotate `x@acme`: secrets of scheme `fixed` are not replaced; \
             delete and recreate it"
        );
        let reset = fixture
            .act(|store, context| reset_password(store, context, &name, NewSecret::Generated));
        assert!(matches!(
            reset.err(),
            Some(CredentialError::NotRotatable { .. })
        ));
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
            let reset = fixture.act(|store, context| {
                let secret = NewSecret::Chosen(chosen);
                reset_password(store, context, &login_name(name), secret)
            });
            let error = reset.err().unwrap().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }
}
