//! Credentials of any scheme, as a table lists them.

use std::collections::BTreeMap;

use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::imported::ImportMark;
use countersign_core::lifecycle::State;
use countersign_core::name::LoginName;
use countersign_core::scheme::Schemes;
use countersign_core::secret::{PasswordHash, SecretDigest, Verifier};
use countersign_core::store::Intent;

use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::credential::{
    CreateCredential, PreparedCredential, RevokeCredential, Surroundings, SuspendCredential,
};
use crate::error::{AdminError, ErrorKind};
use crate::password::ChosenPassword;
use crate::scheme::expect_password;
use crate::secret::{self, IssuedCredential};

/// A credential as its scheme makes it, in the state that it had elsewhere.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct ImportRow {
    /// The credential.
    pub create: CreateCredential,
    /// What is kept of its password, in the place of a generated secret.
    pub hash: Option<PasswordHash>,
    /// Its state; one that was used elsewhere is Inactive until it is used here.
    pub state: State,
    /// What is remembered of its source. The secret is told by the store.
    pub mark: ImportMark,
}

impl ImportRow {
    fn prepare(
        &self,
        tx: &mut Tx<'_>,
        surroundings: &mut Surroundings,
    ) -> Result<PreparedCredential<'_>, AdminError> {
        tx.require(&self.create.needs())?;
        self.create.prepare(tx, surroundings, self.hash.as_ref())
    }

    fn make(
        &self,
        tx: &mut Tx<'_>,
        surroundings: &mut Surroundings,
        schemes: &mut Schemes,
    ) -> Result<IssuedCredential, AdminError> {
        let prepared = self.prepare(tx, surroundings)?;
        if let Verifier::Password(_) = prepared.secret.verifier {
            expect_password(tx, schemes, &prepared.credential.name)?;
        }
        let issued = prepared.make(tx)?;
        let credential = &issued.described.credential;
        let name = &credential.name;
        match self.state {
            State::Active | State::Inactive => {}
            State::Revoked => drop(tx.run(&RevokeCredential {
                name: name.clone(),
                reason: None,
            })?),
            State::Suspended => drop(tx.run(&SuspendCredential(name.clone()))?),
        }
        let mark = ImportMark {
            secret: credential.secrets.first().map(|secret| secret.id),
            ..self.mark.clone()
        };
        tx.put_credential_import(credential.id, &mark)?;
        Ok(issued)
    }
}

/// Makes credentials, in one transaction.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct ImportTable(pub Vec<ImportRow>);

impl Command for ImportTable {
    /// In the order of the rows, as each was made before its state was set.
    type Output = Vec<IssuedCredential>;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        let rows = self.0.iter();
        rows.flat_map(|row| row.create.passwords()).collect()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<IssuedCredential>, AdminError> {
        let mut surroundings = Surroundings::of_import(tx)?;
        let mut schemes = tx.schemes()?;
        let rows = self.0.iter();
        rows.map(|row| row.make(tx, &mut surroundings, &mut schemes))
            .collect()
    }
}

/// Tries rows, each as if it were the only one: says what [`ImportTable`] would make
/// of it, or why it would refuse it. Writes nothing.
///
/// To be run dry, by which no password is hashed as a good one is.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct TryTable<'a>(pub Vec<&'a ImportRow>);

/// What a row that may be made takes for itself alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TriedRow {
    /// Its name.
    pub name: LoginName,
    /// The digest of its secret, if that was not made just now.
    pub digest: Option<SecretDigest>,
    /// The client id that no other may be bound to when it is made.
    pub wants: Option<ClientIdTie>,
    /// The client id that it is bound to from then on.
    pub bound_to: Option<ClientIdTie>,
    /// The values of attributes that no other may have.
    pub attributes: BTreeMap<&'static str, String>,
}

impl Command for TryTable<'_> {
    /// In the order of the rows.
    type Output = Vec<Result<TriedRow, AdminError>>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let mut surroundings = Surroundings::of_import(tx)?;
        let mut tried = Vec::with_capacity(self.0.len());
        for row in &self.0 {
            let prepared = row.prepare(tx, &mut surroundings);
            let one = prepared.and_then(|prepared| {
                secret::check_free(tx, &prepared.secret)?;
                Ok(TriedRow::of(row, &prepared))
            });
            match one {
                // Nothing can be said of any row.
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                one => tried.push(one),
            }
        }
        Ok(tried)
    }
}

impl TriedRow {
    fn of(row: &ImportRow, prepared: &PreparedCredential<'_>) -> Self {
        let PreparedCredential {
            credential,
            secret,
            scheme,
            ..
        } = prepared;
        let given = &row.create.0.attributes;
        let unique = scheme.fills().filter(|_| scheme.fills_are_unique());
        let attributes = unique.filter_map(|name| Some((name, given.get(name)?.clone())));
        Self {
            name: credential.name.clone(),
            digest: match &secret.verifier {
                Verifier::Digest(digest) if secret.shown_once.is_none() => Some(digest.clone()),
                Verifier::Digest(_) | Verifier::Password(_) => None,
            },
            wants: credential.client_id_rule.only().map(ClientId::tie),
            bound_to: credential.bound_client_id(&credential.name),
            attributes: attributes.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientIdRule;
    use countersign_core::name::GroupPath;

    use super::*;
    use crate::command::dry_run;
    use crate::credential::NewCredential;
    use crate::error::Noun;
    use crate::fixture::{Fixture, import_row, login_name, new_credential, role_name, scheme_name};
    use crate::secret::NewSecret;

    fn row(new: NewCredential) -> ImportRow {
        import_row(CreateCredential(new))
    }

    fn taken_over(name: &str, secret: &str) -> ImportRow {
        let secret = ChosenPassword::parse(secret.into()).unwrap();
        row(NewCredential {
            scheme: scheme_name("vwire"),
            secret: NewSecret::TakenOver {
                secret,
                may_be_weak: false,
            },
            ..new_credential(name)
        })
    }

    fn bound(name: &str, client_id: &str) -> ImportRow {
        row(NewCredential {
            client_id_rule: Some(ClientIdRule::Exact(ClientId::parse(client_id).unwrap())),
            ..new_credential(name)
        })
    }

    #[test]
    fn a_row_is_refused_when_it_is_tried_as_it_is_when_it_is_made() {
        let mut fixture = Fixture::with_credential();
        let secret = "at_7f3a1c9e2b844d6f";
        let there = vec![taken_over("VW-ABC123", secret), bound("there", "c1")];
        fixture.run(&ImportTable(there)).unwrap();
        let rows = [
            row(new_credential("there")),
            bound("other", "c1"),
            taken_over("VW-ABC124", secret),
            taken_over("VW-ABC125", "not so"),
            row(NewCredential {
                roles: vec![role_name("missing")],
                ..new_credential("a")
            }),
            row(NewCredential {
                scheme: scheme_name("missing"),
                ..new_credential("a")
            }),
            bound("new", "c2"),
        ];
        let acts = fixture.acts();
        let tried = fixture.act(|store, context| {
            let rows = TryTable(rows.iter().collect());
            dry_run(store, context, &rows).unwrap()
        });
        assert_eq!(fixture.acts(), acts);
        let new = tried.last().unwrap().as_ref().unwrap();
        assert_eq!(new.name, login_name("new@acme"));
        assert_eq!((new.wants, &new.digest), (new.bound_to, &None));
        for (row, tried) in rows.into_iter().zip(tried) {
            let made = fixture.run(&ImportTable(vec![row]));
            let said = made.map(drop).map_err(|error| error.to_string());
            assert_eq!(said, tried.map(drop).map_err(|error| error.to_string()));
        }
        let error = fixture
            .run(&ImportTable(vec![bound("new", "c2")]))
            .map(drop);
        assert!(error.unwrap_err().is(ErrorKind::Exists, Noun::Credential));
    }

    #[test]
    fn what_is_told_of_a_credential_that_is_made_is_what_is_stored() {
        let mut fixture = Fixture::with_credential();
        fixture.role("b").unwrap();
        fixture.role("a").unwrap();
        let new = NewCredential {
            roles: ["b", "a", "b"].map(role_name).to_vec(),
            groups: ["DM.X", "DM"]
                .map(|path| GroupPath::parse(path).unwrap())
                .to_vec(),
            attributes: [("floor".into(), "2".into()), ("none".into(), String::new())].into(),
            ..new_credential("new")
        };
        let token = NewCredential {
            scheme: scheme_name("vwire-token"),
            ..new_credential("greenhouse")
        };
        for new in [new, token] {
            let made = fixture.run(&CreateCredential(new)).unwrap();
            let told = made.described.credential;
            let stored = fixture.show(told.name.as_str());
            assert_eq!(format!("{stored:?}"), format!("{told:?}"));
        }
    }
}
