//! Names as a scheme makes them that have a password all the same: imports give them.
//!
//! What a login under an unknown name costs goes by the shape of the name, so that nobody
//! learns by it which names there are. Of a shape that no password stands under it costs
//! nothing. From the first one on, it costs as much as a wrong password.

use countersign_core::change::Change;
use countersign_core::name::LoginName;
use countersign_core::scheme::{NameForm, SchemeName, Schemes};
use countersign_core::store::{Listed, Page};
use serde::Serialize;

use crate::command::Tx;
use crate::error::AdminError;

#[derive(Serialize)]
struct AuditedScheme {
    expects_passwords: bool,
}

/// Takes note of each scheme that makes names like this one, which has a password. `known`
/// are the schemes, and stay so.
pub(crate) fn expect_password(
    tx: &mut Tx<'_>,
    known: &mut Schemes,
    name: &LoginName,
) -> Result<(), AdminError> {
    if known.form_of(name.as_str()) != NameForm::Generated {
        return Ok(());
    }
    let makers = known.makers_of(name.as_str());
    let makers: Vec<SchemeName> = makers.map(|scheme| scheme.name().clone()).collect();
    for maker in makers {
        tx.expect_passwords(&maker)?;
        let audited = |expects_passwords| AuditedScheme { expects_passwords };
        tx.record(
            "scheme.set",
            maker.as_str(),
            Some(&audited(false)),
            Some(&audited(true)),
        );
        known.expect_passwords(maker);
    }
    tx.changed(Change::Everything);
    Ok(())
}

/// Does so for all who have a password: where a scheme is new, or the rows are.
pub(crate) fn expect_stored_passwords(tx: &mut Tx<'_>) -> Result<(), AdminError> {
    let mut known = tx.schemes()?;
    let mut page = Page::default();
    loop {
        let Listed { rows, next } = tx.names_with_password(&page)?;
        for name in &rows {
            expect_password(tx, &mut known, name)?;
        }
        match next {
            Some(last) => page = Page::after(last),
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::error::{ErrorKind, Noun};
    use crate::fixture::{Fixture, with_password};

    fn is_noted_in_the_audit(act: &&String) -> bool {
        act.starts_with("scheme.set ")
    }

    #[test]
    fn an_import_alone_gives_the_first_password_to_a_name_as_a_scheme_makes_them() {
        let mut fixture = Fixture::with_credential();
        let made = fixture.run(&with_password("357890055321856"));
        let error = made.map(drop).unwrap_err();
        assert!(error.is(ErrorKind::Invalid, Noun::Scheme), "{error}");
        fixture.import("alice").unwrap();
        assert_eq!(fixture.with_passwords(), [""; 0]);
        let before = fixture.store.last_change().unwrap();
        fixture.import("357890055321856").unwrap();
        assert_eq!(fixture.with_passwords(), ["generated"]);
        assert!(fixture.changes_after(before).contains(&Change::Everything));
        // The second is no news.
        fixture.import("357890055321857").unwrap();
        fixture.run(&with_password("357890055321858")).unwrap();
        let acts = fixture.acts();
        let told: Vec<_> = acts.iter().filter(is_noted_in_the_audit).collect();
        assert_eq!(told, ["scheme.set generated"]);
        // Other shapes are as they were, and a token in the place of a name is no name.
        assert!(fixture.run(&with_password("VW-ABC123")).is_err());
        let token = format!("at_{}", "0".repeat(32));
        assert!(fixture.import(&token).is_err());
    }

    #[test]
    fn a_new_scheme_notes_who_has_a_password_under_a_name_as_it_makes_them() {
        let mut fixture = Fixture::with_credential();
        for name in ["p1234", "other"] {
            fixture.run(&with_password(name)).unwrap();
        }
        for (scheme, shape) in [("pins", "p[0-9]{4}"), ("rest", "q[0-9]{4}")] {
            fixture.scheme(&[
                ("name", scheme),
                ("login_name", "generated"),
                ("login_name_shape", shape),
                ("client_id", "any"),
                ("secret_shape", "[0-9a-f]{32}"),
            ]);
        }
        assert_eq!(fixture.with_passwords(), ["pins"]);
    }
}
