//! Commands on hooks: what brokers of other makers ask of the service.

use countersign_core::hook::{
    Hook, HookKind, HookName, KICK_LOGIN, Kick, KickUrl, MOST_HOOKS, MOST_RANGES, MOST_VHOSTS,
    Vhost,
};
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::{Intent, Listed, Page};

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::sealed::{KeyFileError, seal};
use crate::secret::random_secret;
use crate::view::HookView;

/// A hook to be made.
#[expect(missing_debug_implementations, reason = "it may hold a secret")]
pub struct NewHook {
    /// Its name, which will be that of its broker too.
    pub name: HookName,
    /// Whose requests it takes.
    pub kind: HookKind,
    /// The only tenant whose principals it lets in, if there is one.
    pub tenant: Option<TenantId>,
    /// Where its requests may come from; none is the machine of the service.
    pub from: Vec<Network>,
    /// Where its broker is asked to end sessions.
    pub kick: Option<NewKick>,
    /// The virtual hosts that clients may use; none is the usual one alone.
    pub vhosts: Vec<Vhost>,
}

/// Where a broker is to be asked to end sessions.
#[expect(missing_debug_implementations, reason = "it may hold a secret")]
pub struct NewKick {
    /// The beginning of its addresses.
    pub url: KickUrl,
    /// Name and password for it, `NAME:PASSWORD`.
    pub login: Option<KickLogin>,
}

/// Name and password for a broker.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct KickLogin(Secret);

impl KickLogin {
    /// Parses `NAME:PASSWORD`.
    ///
    /// # Errors
    ///
    /// Returns [`KickLoginError`] when there is no colon, or what no header can hold.
    pub fn parse(text: &[u8]) -> Result<Self, KickLoginError> {
        let is_good = text.len() <= LONGEST_LOGIN
            && text.contains(&b':')
            && !text.iter().any(u8::is_ascii_control);
        if is_good {
            Ok(Self(Secret::new(text.to_vec())))
        } else {
            Err(KickLoginError)
        }
    }
}

const LONGEST_LOGIN: usize = 1_024;

/// A text is not name and password for a broker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the login for the broker is not `NAME:PASSWORD`, of at most {LONGEST_LOGIN} bytes")]
pub struct KickLoginError;

/// A hook that was given its secret just now.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedHook {
    /// The secret, to be shown this once.
    pub secret: Secret,
    /// The hook as it is now.
    pub hook: Hook,
}

/// Makes a hook.
#[expect(missing_debug_implementations, reason = "it may hold a secret")]
pub struct CreateHook(pub NewHook);

impl Command for CreateHook {
    type Output = IssuedHook;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedHook, AdminError> {
        let NewHook {
            name,
            kind,
            tenant,
            from,
            kick,
            vhosts,
        } = &self.0;
        lookup::check_tenant(tx, tenant.as_ref())?;
        if tx.hook(name)?.is_some() {
            let message = format!("there is a hook `{name}` already");
            return Err(refused(ErrorKind::Exists, name, message));
        }
        let all = Page {
            limit: MOST_HOOKS as u64,
            ..Page::default()
        };
        if tx.hooks(&all)?.rows.len() >= MOST_HOOKS {
            let message = format!("there are {MOST_HOOKS} hooks, and may be no more");
            return Err(refused(ErrorKind::Conflict, name, message));
        }
        if from.len() > MOST_RANGES {
            let message = format!("a hook takes requests from {MOST_RANGES} ranges at most");
            return Err(refused(ErrorKind::Invalid, name, message));
        }
        if !kind.has_vhosts() && !vhosts.is_empty() {
            let message = format!("brokers of the kind `{kind}` have no virtual hosts");
            return Err(refused(ErrorKind::Invalid, name, message));
        }
        if vhosts.len() > MOST_VHOSTS {
            let message = format!("clients of a hook use {MOST_VHOSTS} virtual hosts at most");
            return Err(refused(ErrorKind::Invalid, name, message));
        }
        if *kind == HookKind::GoAuth && kick.is_some() {
            let message = "brokers of the kind `goauth` have no way to end a session";
            return Err(refused(ErrorKind::Invalid, name, message));
        }
        let kick = match kick {
            None => None,
            Some(NewKick { url, login }) => Some(Kick {
                url: url.clone(),
                login: match login {
                    None => None,
                    Some(KickLogin(login)) => {
                        let key = tx.seal_key().ok_or(KeyFileError::NoKey)?;
                        let subject = name.as_str();
                        Some(seal(&key, KICK_LOGIN, subject, login.expose(), tx.random)?)
                    }
                },
            }),
        };
        let vhosts = if kind.has_vhosts() && vhosts.is_empty() {
            vec![Vhost::usual()]
        } else {
            vhosts.clone()
        };
        let secret = random_secret(tx.random)?;
        let hook = Hook {
            name: name.clone(),
            kind: *kind,
            tenant: tenant.clone(),
            from: from.clone(),
            digest: SecretDigest::of(&secret),
            kick,
            vhosts,
            created_at: tx.now,
            rotated_at: tx.now,
        };
        tx.put_hook(&hook)?;
        let after = HookView::of(&hook);
        tx.record("hook.create", name.as_str(), None, Some(&after));
        Ok(IssuedHook { secret, hook })
    }
}

/// Lists hooks, by name.
#[derive(Clone, Debug, Default)]
pub struct ListHooks(pub Page<HookName>);

impl Command for ListHooks {
    type Output = Listed<Hook>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Hook>, AdminError> {
        Ok(tx.hooks(&self.0)?)
    }
}

/// Shows a hook.
#[derive(Clone, Debug)]
pub struct ShowHook(pub HookName);

impl Command for ShowHook {
    type Output = Hook;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Hook, AdminError> {
        find(tx, &self.0)
    }
}

/// Gives a hook another secret. The one before is worth nothing from then on.
#[derive(Clone, Debug)]
pub struct RotateHook(pub HookName);

impl Command for RotateHook {
    type Output = IssuedHook;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedHook, AdminError> {
        let before = find(tx, &self.0)?;
        let secret = random_secret(tx.random)?;
        let hook = Hook {
            digest: SecretDigest::of(&secret),
            rotated_at: tx.now,
            ..before.clone()
        };
        tx.put_hook(&hook)?;
        tx.record(
            "hook.rotate",
            self.0.as_str(),
            Some(&HookView::of(&before)),
            Some(&HookView::of(&hook)),
        );
        Ok(IssuedHook { secret, hook })
    }
}

/// Deletes a hook. Its broker is answered no more.
#[derive(Clone, Debug)]
pub struct DeleteHook(pub HookName);

impl Command for DeleteHook {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let hook = find(tx, &self.0)?;
        tx.remove_hook(&self.0)?;
        let before = HookView::of(&hook);
        tx.record("hook.delete", self.0.as_str(), Some(&before), None);
        Ok(())
    }
}

fn find(rows: &mut Rows<'_>, name: &HookName) -> Result<Hook, AdminError> {
    let missing = || {
        refused(
            ErrorKind::NotFound,
            name,
            format!("there is no hook `{name}`"),
        )
    };
    rows.hook(name)?.ok_or_else(missing)
}

fn refused(kind: ErrorKind, name: &HookName, message: impl Into<String>) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Hook, name), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, tenant_id};

    fn new_hook(text: &str) -> NewHook {
        NewHook {
            name: name(text),
            kind: HookKind::Emqx,
            tenant: None,
            from: Vec::new(),
            kick: None,
            vhosts: Vec::new(),
        }
    }

    fn name(text: &str) -> HookName {
        HookName::parse(text).unwrap()
    }

    fn refusal(fixture: &mut Fixture, new: NewHook) -> (ErrorKind, String) {
        let error = fixture.run(&CreateHook(new)).err().unwrap();
        (error.kind(), error.to_string())
    }

    #[test]
    fn a_hook_is_made_rotated_and_deleted_and_the_audit_never_has_its_secret() {
        let mut fixture = Fixture::with_credential();
        let login = KickLogin::parse(b"key:hidden word").ok();
        let url = KickUrl::parse("http://127.0.0.1:18083").unwrap();
        let made = fixture.run(&CreateHook(NewHook {
            tenant: Some(tenant_id("acme")),
            from: vec!["10.0.0.0/8".parse().unwrap()],
            kick: Some(NewKick { url, login }),
            ..new_hook("edge")
        }));
        let made = made.unwrap();
        assert_eq!(made.hook.digest, SecretDigest::of(&made.secret));
        assert_eq!(fixture.run(&ShowHook(name("edge"))).unwrap(), made.hook);
        let rotated = fixture.run(&RotateHook(name("edge"))).unwrap();
        assert_ne!(rotated.hook.digest, made.hook.digest);
        let listed = fixture.run(&ListHooks::default()).unwrap().rows;
        assert_eq!(listed, [rotated.hook]);
        fixture.run(&DeleteHook(name("edge"))).unwrap();
        let gone = fixture.run(&ShowHook(name("edge"))).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
        let audit = format!("{:?}", fixture.acts());
        assert!(
            audit.contains("hook.create") && audit.contains("hook.delete"),
            "{audit}"
        );
        for secret in [made.secret, rotated.secret] {
            let text = String::from_utf8(secret.expose().to_vec()).unwrap();
            assert!(!audit.contains(&text), "{audit}");
        }
        assert!(!audit.contains("hidden"), "{audit}");
    }

    #[test]
    fn clients_of_rabbitmq_use_the_usual_virtual_host_unless_others_are_named() {
        let mut fixture = Fixture::with_credential();
        let plant = || Vhost::parse("plant").unwrap();
        for (kind, given, has) in [
            (HookKind::Emqx, vec![], vec![]),
            (HookKind::RabbitMq, vec![], vec![Vhost::usual()]),
            (HookKind::RabbitMq, vec![plant()], vec![plant()]),
        ] {
            let made = fixture.run(&CreateHook(NewHook {
                kind,
                vhosts: given,
                ..new_hook("edge")
            }));
            assert_eq!(made.unwrap().hook.vhosts, has);
            fixture.run(&DeleteHook(name("edge"))).unwrap();
        }
    }

    #[test]
    fn so_many_hooks_there_are_and_no_more() {
        let mut fixture = Fixture::with_credential();
        for number in 0..MOST_HOOKS {
            let made = fixture.run(&CreateHook(new_hook(&format!("h{number}"))));
            assert!(made.is_ok());
        }
        let (kind, message) = refusal(&mut fixture, new_hook("one-more"));
        assert_eq!(kind, ErrorKind::Conflict, "{message}");
    }

    #[test]
    fn a_hook_that_can_not_be_is_refused() {
        let mut fixture = Fixture::with_credential();
        fixture.run(&CreateHook(new_hook("edge"))).unwrap();
        let url = || KickUrl::parse("http://127.0.0.1:1").unwrap();
        let kick = || {
            Some(NewKick {
                url: url(),
                login: None,
            })
        };
        let range: Network = "10.0.0.0/8".parse().unwrap();
        for (new, kind) in [
            (new_hook("edge"), ErrorKind::Exists),
            (
                NewHook {
                    tenant: Some(tenant_id("none")),
                    ..new_hook("a")
                },
                ErrorKind::NotFound,
            ),
            (
                NewHook {
                    from: vec![range; MOST_RANGES + 1],
                    ..new_hook("a")
                },
                ErrorKind::Invalid,
            ),
            (
                NewHook {
                    kind: HookKind::GoAuth,
                    kick: kick(),
                    ..new_hook("a")
                },
                ErrorKind::Invalid,
            ),
            (
                NewHook {
                    vhosts: vec![Vhost::usual()],
                    ..new_hook("a")
                },
                ErrorKind::Invalid,
            ),
            (
                NewHook {
                    kind: HookKind::RabbitMq,
                    vhosts: vec![Vhost::usual(); MOST_VHOSTS + 1],
                    ..new_hook("a")
                },
                ErrorKind::Invalid,
            ),
        ] {
            let (found, message) = refusal(&mut fixture, new);
            assert_eq!(found, kind, "{message}");
        }
        for wrong in [&b"no colon"[..], b"a:b\r\nX: y", &[b':'; LONGEST_LOGIN + 1]] {
            assert!(KickLogin::parse(wrong).is_err());
        }
    }
}
