//! Commands on schemes.

use countersign_core::change::Change;
use countersign_core::scheme::{Scheme, SchemeClientIds, SchemeName, Schemes, TokenLogin};
use countersign_core::store::Intent;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;
use crate::rule::{RuleWarning, check_sendable};
use crate::view::SchemeView;

mod passwords;

pub(crate) use self::passwords::{expect_password, expect_stored_passwords};

/// Lists all schemes, built in and added.
#[derive(Clone, Copy, Debug)]
pub struct ListSchemes;

impl Command for ListSchemes {
    type Output = Schemes;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Schemes, AdminError> {
        Ok(tx.schemes()?)
    }
}

/// Shows the scheme with this name.
#[derive(Clone, Debug)]
pub struct ShowScheme(pub SchemeName);

impl Command for ShowScheme {
    type Output = Scheme;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Scheme, AdminError> {
        Ok(lookup::scheme(&tx.schemes()?, &self.0)?.clone())
    }
}

/// Refuses more default rules than a scheme may have: each session of a credential of
/// it is given a table of them.
fn check_count(scheme: &Scheme) -> Result<(), AdminError> {
    if scheme.rules().count() <= MOST_PATTERNS {
        return Ok(());
    }
    let name = scheme.name();
    let message = format!("scheme `{name}` has more than {MOST_PATTERNS} patterns");
    Err(AdminError::invalid(Noun::Scheme, name, message))
}

/// So many patterns a scheme has at most.
pub const MOST_PATTERNS: usize = 128;

/// Adds a scheme.
#[derive(Clone, Debug)]
pub struct AddScheme(pub Scheme);

impl AddScheme {
    /// Says what its default rules would not do. What they reach depends on the tenants
    /// whose credentials are made by it.
    #[must_use]
    pub fn rule_warnings(&self) -> Vec<RuleWarning> {
        let rules: Vec<_> = self.0.rules().collect();
        RuleWarning::of_list(&rules)
    }
}

impl Command for AddScheme {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let scheme = &self.0;
        check_count(scheme)?;
        scheme.rules().try_for_each(|rule| check_sendable(&rule))?;
        tx.schemes()?.add(scheme.clone())?;
        tx.add_scheme(scheme)?;
        let after = SchemeView::of(scheme);
        tx.record("scheme.add", scheme.name().as_str(), None, Some(&after));
        if scheme.naming().shape().is_some() {
            expect_stored_passwords(tx)?;
        }
        tx.changed(Change::Everything);
        Ok(())
    }
}

/// Removes a scheme that was added and that no credential was made by.
#[derive(Clone, Debug)]
pub struct RemoveScheme(pub SchemeName);

impl Command for RemoveScheme {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let name = &self.0;
        let known = tx.schemes()?;
        let scheme = lookup::scheme(&known, name)?;
        if Schemes::built_in().find(name.as_str()) == Some(scheme) {
            let message = format!("scheme `{name}` is built in; it can't be removed");
            return Err(refused(ErrorKind::Invalid, name, message));
        }
        if let Some(user) = tx.tenants_using_scheme(name)?.first() {
            let message = format!(
                "tenant `{user}` has credentials of scheme `{name}`; delete them before you remove \
                 it"
            );
            return Err(refused(ErrorKind::InUse, name, message));
        }
        tx.remove_scheme(name)?;
        let before = SchemeView::of(scheme);
        tx.record("scheme.remove", name.as_str(), Some(&before), None);
        tx.changed(Change::Everything);
        Ok(())
    }
}

/// Lists the schemes in use by which clients present a secret where brokers
/// write it into their logs: as the username or the client id.
#[derive(Clone, Copy, Debug)]
pub struct ListRevealingSchemes;

impl Command for ListRevealingSchemes {
    type Output = Vec<SchemeName>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<SchemeName>, AdminError> {
        let mut used = Vec::new();
        for scheme in tx.schemes()?.iter() {
            // The first client id is kept as a hash, as of things it is a secret.
            let shows = scheme.token_login() != TokenLogin::Never
                || [SchemeClientIds::SameAsSecret, SchemeClientIds::FirstUse]
                    .contains(scheme.client_ids());
            if shows && !tx.tenants_using_scheme(scheme.name())?.is_empty() {
                used.push(scheme.name().clone());
            }
        }
        Ok(used)
    }
}

/// Lists the schemes of the store that stand in the place of built-in ones.
#[derive(Clone, Copy, Debug)]
pub struct ListReplacedSchemes;

impl Command for ListReplacedSchemes {
    type Output = Vec<SchemeName>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<SchemeName>, AdminError> {
        let known = tx.schemes()?;
        Ok(known.replaced().map(|it| it.name().clone()).collect())
    }
}

fn refused(kind: ErrorKind, scheme: &SchemeName, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Scheme, scheme), message)
}

#[cfg(test)]
mod tests {
    use countersign_core::kind::Application;
    use countersign_core::scheme::FieldValue;
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::fixture::{Fixture, scheme_name};

    fn made(name: &str) -> Scheme {
        let text = |text: &str| FieldValue::Text(text.into());
        let fields = [
            ("name", text(name)),
            ("login_name", text("suffixed")),
            ("client_id", text("any")),
            ("secret_shape", text("x_[0-9a-f]{32}")),
        ];
        Scheme::from_fields(fields).unwrap()
    }

    #[test]
    fn a_scheme_has_so_many_patterns_and_no_more() {
        let mut fixture = Fixture::with_credential();
        let with = |count: usize| {
            let patterns = (0..count).map(|it| format!("x/${{username}}/{it}"));
            let fields = [
                ("name", FieldValue::Text("mine".into())),
                ("login_name", FieldValue::Text("suffixed".into())),
                ("client_id", FieldValue::Text("any".into())),
                ("secret_shape", FieldValue::Text("x_[0-9a-f]{32}".into())),
                ("publish", FieldValue::List(patterns.collect())),
            ];
            AddScheme(Scheme::from_fields(fields).unwrap())
        };
        let error = fixture.run(&with(MOST_PATTERNS + 1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "scheme `mine` has more than 128 patterns"
        );
        fixture.run(&with(MOST_PATTERNS)).unwrap();
    }

    #[test]
    fn a_scheme_is_added_used_and_removed() {
        let mut fixture = Fixture::with_credential();
        let before = fixture.store.last_change().unwrap();
        let scheme = made("mine");
        fixture.run(&AddScheme(scheme.clone())).unwrap();
        assert_eq!(fixture.changes_after(before), [Change::Everything]);
        let show = ShowScheme(scheme.name().clone());
        assert_eq!(fixture.run(&show).unwrap(), scheme);
        assert_eq!(fixture.run(&ListSchemes).unwrap().iter().count(), 9);
        let issued = fixture.of_scheme("mine", Some("x")).unwrap();
        assert!(issued.secret.unwrap().expose().starts_with(b"x_"));
        let remove = RemoveScheme(scheme.name().clone());
        let error = fixture.run(&remove).unwrap_err();
        assert!(error.is(ErrorKind::InUse, Noun::Scheme), "{error}");
        fixture.delete("x@acme");
        fixture.run(&remove).unwrap();
        assert!(fixture.run(&show).is_err());
        let acts = fixture.acts();
        assert!(acts.contains(&"scheme.add mine".into()));
        assert_eq!(acts.last().unwrap(), "scheme.remove mine");
    }

    #[test]
    fn what_is_built_in_stays() {
        let mut fixture = Fixture::new();
        for name in ["basic", "vwire"] {
            let error = fixture.run(&RemoveScheme(scheme_name(name))).unwrap_err();
            assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
            let error = fixture.run(&AddScheme(made(name))).unwrap_err();
            assert!(error.is(ErrorKind::Exists, Noun::Scheme), "{error}");
        }
        let error = fixture.run(&RemoveScheme(scheme_name("none"))).unwrap_err();
        assert!(error.is(ErrorKind::NotFound, Noun::Scheme), "{error}");
    }

    #[test]
    fn only_schemes_in_use_show_secrets() {
        let mut fixture = Fixture::with_credential();
        assert_eq!(fixture.run(&ListRevealingSchemes).unwrap(), []);
        fixture.of_scheme("vwire", None).unwrap();
        fixture.of_scheme("vwire-compat", None).unwrap();
        let used = fixture.run(&ListRevealingSchemes).unwrap();
        assert_eq!(used, [scheme_name("vwire-compat")]);
        fixture.application("fleet", Application::default());
        let used = fixture.run(&ListRevealingSchemes).unwrap();
        assert_eq!(
            used,
            [scheme_name("application"), scheme_name("vwire-compat")]
        );
    }
}
