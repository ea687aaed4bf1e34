//! Acts on schemes.

use countersign_core::change::Change;
use countersign_core::name::TenantId;
use countersign_core::scheme::{
    Scheme, SchemeClientIds, SchemeName, SchemeTakenError, Schemes, TokenLogin,
};
use countersign_core::store::{AdminStore, AdminTransaction as _, Intent, StoreError};

use crate::context::Context;
use crate::rule::{RuleError, check_sendable};
use crate::view::SchemeView;

/// All schemes, built in and added.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn list<S: AdminStore>(store: &mut S) -> Result<Schemes, StoreError> {
    store.begin(Intent::Read)?.schemes()
}

/// The scheme with this name.
///
/// # Errors
///
/// Returns [`SchemeError`] when there is none or the store can't be read.
pub fn show<S: AdminStore>(store: &mut S, name: &SchemeName) -> Result<Scheme, SchemeError> {
    Ok(find(&list(store)?, name)?.clone())
}

/// Adds a scheme.
///
/// # Errors
///
/// Returns [`SchemeError`] when there is one of this name or the store can't
/// be written; nothing changed then.
pub fn add<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    scheme: &Scheme,
) -> Result<(), SchemeError> {
    scheme.rules().try_for_each(|rule| check_sendable(&rule))?;
    let mut transaction = store.begin(Intent::Write)?;
    transaction.schemes()?.add(scheme.clone())?;
    transaction.add_scheme(scheme)?;
    let after = SchemeView::of(scheme);
    let name = scheme.name().as_str();
    let row = context.audit("scheme.add", name, None::<&SchemeView>, Some(&after));
    transaction.commit(&[row], &[Change::Everything])?;
    Ok(())
}

/// Removes a scheme that was added.
///
/// # Errors
///
/// Returns [`SchemeError`] when there is none, when it is built in, when
/// credentials were made by it, or when the store can't be written; nothing
/// changed then.
pub fn remove<S: AdminStore>(
    store: &mut S,
    context: &Context<'_>,
    name: &SchemeName,
) -> Result<(), SchemeError> {
    let mut transaction = store.begin(Intent::Write)?;
    let known = transaction.schemes()?;
    let scheme = find(&known, name)?;
    if Schemes::built_in().find(name.as_str()).is_some() {
        return Err(SchemeError::BuiltIn {
            scheme: name.clone(),
        });
    }
    let users = transaction.tenants_using_scheme(name)?;
    if let Some(user) = users.into_iter().next() {
        return Err(SchemeError::InUse {
            scheme: name.clone(),
            user,
        });
    }
    transaction.remove_scheme(name)?;
    let before = SchemeView::of(scheme);
    let row = context.audit(
        "scheme.remove",
        name.as_str(),
        Some(&before),
        None::<&SchemeView>,
    );
    transaction.commit(&[row], &[Change::Everything])?;
    Ok(())
}

/// The schemes in use by which clients present a secret where brokers write it
/// into their logs: as the username or the client id.
///
/// # Errors
///
/// Returns [`StoreError`] when the store can't be read.
pub fn used_that_show_secrets<S: AdminStore>(store: &mut S) -> Result<Vec<SchemeName>, StoreError> {
    let mut transaction = store.begin(Intent::Read)?;
    let mut used = Vec::new();
    for scheme in transaction.schemes()?.iter() {
        // The first client id is kept as a hash, as of things it is a secret.
        let shows = scheme.token_login() != TokenLogin::Never
            || [SchemeClientIds::SameAsSecret, SchemeClientIds::FirstUse]
                .contains(scheme.client_ids());
        if shows && !transaction.tenants_using_scheme(scheme.name())?.is_empty() {
            used.push(scheme.name().clone());
        }
    }
    Ok(used)
}

/// The scheme with this name, among those known.
pub(crate) fn find<'a>(known: &'a Schemes, name: &SchemeName) -> Result<&'a Scheme, SchemeError> {
    known.find(name.as_str()).ok_or_else(|| {
        let names: Vec<_> = known
            .iter()
            .map(|scheme| format!("`{}`", scheme.name()))
            .collect();
        SchemeError::Missing {
            scheme: name.clone(),
            known: names.join(", "),
        }
    })
}

/// Why an act on a scheme was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemeError {
    /// Every store has it.
    #[error("scheme `{scheme}` is built in; it can't be removed")]
    BuiltIn {
        /// Its name.
        scheme: SchemeName,
    },
    /// There is one of this name.
    #[error(transparent)]
    Exists(#[from] SchemeTakenError),
    /// Credentials were made by it.
    #[error(
        "tenant `{user}` has credentials of scheme `{scheme}`; delete them before you remove it"
    )]
    InUse {
        /// Its name.
        scheme: SchemeName,
        /// One whose credentials these are.
        user: TenantId,
    },
    /// There is none with this name.
    #[error("there is no scheme `{scheme}`; known are {known}")]
    Missing {
        /// The name.
        scheme: SchemeName,
        /// Those that there are.
        known: String,
    },
    /// Something is wrong with a rule of it.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    fn a_scheme_is_added_used_and_removed() {
        let mut fixture = Fixture::with_credential();
        let before = fixture.store.last_change().unwrap();
        let scheme = made("mine");
        fixture
            .act(|store, context| add(store, context, &scheme))
            .unwrap();
        assert_eq!(fixture.changes_after(before), [Change::Everything]);
        assert_eq!(show(&mut fixture.store, scheme.name()).unwrap(), scheme);
        assert_eq!(list(&mut fixture.store).unwrap().iter().count(), 8);
        let issued = fixture.of_scheme("mine", Some("x")).unwrap();
        assert!(issued.secret.unwrap().expose().starts_with(b"x_"));
        let mut removed = || fixture.act(|store, context| remove(store, context, scheme.name()));
        assert!(matches!(removed(), Err(SchemeError::InUse { .. })));
        fixture.delete("x@acme");
        fixture
            .act(|store, context| remove(store, context, scheme.name()))
            .unwrap();
        assert!(show(&mut fixture.store, scheme.name()).is_err());
        let acts = fixture.acts();
        assert!(acts.contains(&"scheme.add mine".into()));
        assert_eq!(acts.last().unwrap(), "scheme.remove mine");
    }

    #[test]
    fn what_is_built_in_stays() {
        let mut fixture = Fixture::new();
        for name in ["basic", "vwire"] {
            let removed = fixture.act(|store, context| remove(store, context, &scheme_name(name)));
            assert!(matches!(removed, Err(SchemeError::BuiltIn { .. })));
            let added = fixture.act(|store, context| add(store, context, &made(name)));
            assert!(matches!(added, Err(SchemeError::Exists(_))));
        }
        let removed = fixture.act(|store, context| remove(store, context, &scheme_name("none")));
        assert!(matches!(removed, Err(SchemeError::Missing { .. })));
    }

    #[test]
    fn only_schemes_in_use_show_secrets() {
        let mut fixture = Fixture::with_credential();
        assert_eq!(used_that_show_secrets(&mut fixture.store).unwrap(), []);
        fixture.of_scheme("vwire", None).unwrap();
        fixture.of_scheme("vwire-compat", None).unwrap();
        let used = used_that_show_secrets(&mut fixture.store).unwrap();
        assert_eq!(used, [scheme_name("vwire-compat")]);
        fixture.application("fleet", Application::default());
        let used = used_that_show_secrets(&mut fixture.store).unwrap();
        assert_eq!(
            used,
            [scheme_name("application"), scheme_name("vwire-compat")]
        );
    }
}
