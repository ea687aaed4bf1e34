//! An issuer's keys: given by administrators, or fetched by the service.

use countersign_core::change::Change;
use countersign_core::issuer::{
    IssuerId, IssuerName, IssuerRecord, KeyPlace, KeySource, LONGEST_PROBLEM,
};
use countersign_core::store::Intent;
use countersign_issuer::{KeySetError, KeyText};

use super::{found, refused};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind};
use crate::view::IssuerView;

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeyOrigin<K> {
    /// From whoever says so.
    Given(K),
    /// From a place where the service fetches them.
    Fetched(KeyPlace),
}

/// Gives an issuer other keys, or has them fetched from now on. Tokens that the ones before
/// have signed prove nothing once there are others; sessions that they opened go on until
/// their tokens end.
#[derive(Clone, Debug)]
pub struct SetIssuerKeys {
    /// The issuer.
    pub name: IssuerName,
    /// Its public keys, for the algorithms that it signs by. Those that it has count until
    /// the first are fetched.
    pub keys: KeyOrigin<KeyText>,
}

impl Command for SetIssuerKeys {
    type Output = IssuerRecord;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuerRecord, AdminError> {
        let before = found(tx, &self.name)?;
        let mut after = before.clone();
        match &self.keys {
            KeyOrigin::Given(text) => {
                let keys = text.read(&before.algorithms).map_err(|error| {
                    let message = format!("the keys are of no use: {error}");
                    refused(ErrorKind::Invalid, &self.name, message)
                })?;
                after.keys = keys.to_jwks().as_str().into();
                after.keys_at = tx.now;
                after.source = None;
                tx.set_issuer_keys(after.id, &after.keys, after.keys_at)?;
            }
            KeyOrigin::Fetched(place) => {
                after.source = Some(KeySource::new(place.clone(), tx.now));
            }
        }
        tx.set_key_source(after.id, after.source.as_ref())?;
        record(tx, "issuer.set", &before, &after);
        Ok(after)
    }
}

/// Has the service fetch an issuer's keys now. The output is the number of this wish, which
/// the issuer's source says once it is answered.
#[derive(Clone, Debug)]
pub struct AskForKeys(pub IssuerName);

impl Command for AskForKeys {
    type Output = u32;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<u32, AdminError> {
        let before = found(tx, &self.0)?;
        let mut after = before.clone();
        let Some(source) = &mut after.source else {
            let message = "its keys were given, and are fetched nowhere";
            return Err(refused(ErrorKind::Conflict, &self.0, message));
        };
        source.asked = source.asked.saturating_add(1);
        let asked = source.asked;
        tx.set_key_source(after.id, after.source.as_ref())?;
        record(tx, "issuer.refresh", &before, &after);
        Ok(asked)
    }
}

/// Lists where keys are to be fetched now, those that somebody asked for first.
#[derive(Clone, Copy, Debug)]
pub struct ListDueKeys;

impl Command for ListDueKeys {
    type Output = Vec<(IssuerId, KeySource)>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Self::Output, AdminError> {
        let mut due = tx.key_sources()?;
        due.retain(|(_, source)| source.is_due(tx.now));
        due.sort_by_key(|(_, source)| (source.asked == source.answered, source.tried_at));
        Ok(due)
    }
}

/// Writes down what came of fetching an issuer's keys. Those that it had stay where nothing
/// of use was fetched.
#[derive(Clone, Debug)]
pub struct NoteFetchedKeys {
    /// The issuer.
    pub issuer: IssuerId,
    /// Where they were fetched, as that was read before.
    pub from: KeySource,
    /// What was there, or what went wrong.
    pub fetched: FetchedKeys,
}

/// What came of fetching keys: a JWK Set, or a line that says what went wrong.
pub type FetchedKeys = Result<String, String>;

/// What came of it for the issuer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Noted {
    /// It is another one by now, or its keys come from elsewhere.
    Gone,
    /// It has other keys.
    Changed(IssuerName),
    /// It has the keys that it had.
    Same,
    /// It has the keys that it had, as something went wrong; said once for each problem.
    Failed(IssuerName, String),
}

impl Command for NoteFetchedKeys {
    type Output = Noted;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Noted, AdminError> {
        let Some(before) = tx.issuer(self.issuer)? else {
            return Ok(Noted::Gone);
        };
        let mut after = before.clone();
        // A place that was set anew since is another one, even if it is called the same.
        let is_same =
            |it: &&mut KeySource| (&it.place, it.set_at) == (&self.from.place, self.from.set_at);
        let Some(source) = after.source.as_mut().filter(is_same) else {
            return Ok(Noted::Gone);
        };
        source.tried_at = Some(tx.now);
        source.answered = self.from.asked;
        let read = self.fetched.clone().and_then(|text| {
            let keys = KeyText::Jwks(text).read(&before.algorithms);
            keys.map_err(|error: KeySetError| format!("its keys are of no use: {error}"))
        });
        let noted = match read {
            Ok(keys) => {
                source.fetched_at = Some(tx.now);
                source.problem = None;
                let keys = keys.to_jwks();
                if *keys == *before.keys {
                    Noted::Same
                } else {
                    after.keys = keys.as_str().into();
                    after.keys_at = tx.now;
                    tx.set_issuer_keys(after.id, &after.keys, after.keys_at)?;
                    Noted::Changed(before.name.clone())
                }
            }
            Err(problem) => {
                let problem = one_line(&problem);
                let had = before.source.as_ref().and_then(|it| it.problem.as_deref());
                let is_known = had == Some(&*problem);
                source.problem = Some(problem.as_str().into());
                if is_known {
                    Noted::Same
                } else {
                    Noted::Failed(before.name.clone(), problem)
                }
            }
        };
        tx.set_key_source(after.id, after.source.as_ref())?;
        if noted == Noted::Same {
            // It goes on every hour, and says nothing new.
            tx.changed(Change::IssuerKeys(after.id));
        } else {
            record(tx, "issuer.fetch", &before, &after);
        }
        Ok(noted)
    }
}

fn record(tx: &mut Tx<'_>, act: &'static str, before: &IssuerRecord, after: &IssuerRecord) {
    let [shown, then] = [before, after].map(IssuerView::of);
    tx.record(act, before.name.as_str(), Some(&shown), Some(&then));
    tx.changed(Change::IssuerKeys(after.id));
}

/// A problem as it is kept: somebody else's words may be in it.
fn one_line(problem: &str) -> String {
    let mut line: String = problem
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .collect();
    while line.len() > LONGEST_PROBLEM {
        line.pop();
    }
    line
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::issuer::{KeysUrl, MaxKeyAge, NO_KEYS};
    use countersign_core::store::GateStore as _;

    use super::*;
    use crate::fixture::Fixture;
    use crate::issuer::tests::{add, name};
    use crate::issuer::{AddIssuer, RemoveIssuer, ShowIssuer};

    const KEYS: &str = include_str!("../../../issuer/tests/keys/issuer.jwks.json");

    fn place(url: &str) -> KeyPlace {
        KeyPlace {
            url: KeysUrl::parse(url).unwrap(),
            allow_private: false,
            max_age: MaxKeyAge::DEFAULT,
        }
    }

    fn fetching() -> AddIssuer {
        AddIssuer {
            algorithms: "EdDSA".parse().unwrap(),
            keys: KeyOrigin::Fetched(place("https://sso.example/keys")),
            ..add("sso")
        }
    }

    /// Does what a service does, and says what came of it.
    fn serve(fixture: &mut Fixture, fetched: Result<&str, &str>) -> Noted {
        let (issuer, from) = fixture.run(&ListDueKeys).unwrap().remove(0);
        let fetched = fetched.map(Into::into).map_err(Into::into);
        let note = NoteFetchedKeys {
            issuer,
            from,
            fetched,
        };
        fixture.run(&note).unwrap()
    }

    fn shown(fixture: &mut Fixture) -> (IssuerRecord, KeySource) {
        let issuer = fixture.run(&ShowIssuer(name("sso"))).unwrap();
        let source = issuer.source.clone().unwrap();
        (issuer, source)
    }

    #[test]
    fn the_last_good_keys_stay_and_count_for_so_long() {
        let mut fixture = Fixture::with_credential();
        let added = fixture.run(&fetching()).unwrap();
        assert_eq!(&*added.keys, NO_KEYS);
        assert!(!added.has_keys(fixture.now), "there are none");
        assert_eq!(serve(&mut fixture, Ok(KEYS)), Noted::Changed(name("sso")));
        let (good, source) = shown(&mut fixture);
        assert_eq!(source.fetched_at, Some(fixture.now));
        assert!(good.has_keys(fixture.now));
        assert_eq!(fixture.run(&ListDueKeys).unwrap(), []);
        let before = fixture.now;
        let week = Duration::from_secs(7 * 86_400);
        fixture.now = before.plus(week).minus(Duration::from_millis(1));
        for (bad, told) in [
            (Err("it answered\n503"), "it answered 503"),
            (Ok("<html>"), "its keys are of no use: it is no JWK Set"),
            (
                Ok(NO_KEYS),
                "its keys are of no use: there is no public key in it",
            ),
            (
                Ok(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AA","d":"AA"}]}"#),
                "its keys are of no use: the key `a` is a private or shared one",
            ),
        ] {
            let Noted::Failed(_, problem) = serve(&mut fixture, bad) else {
                panic!("{told}");
            };
            assert!(problem.starts_with(told), "{problem}");
            let last = fixture.acts().pop().unwrap();
            assert_eq!(last, "issuer.fetch sso");
            let count = fixture.acts().len();
            fixture.run(&AskForKeys(name("sso"))).unwrap();
            assert_eq!(serve(&mut fixture, bad), Noted::Same, "it is said once");
            assert_eq!(fixture.acts().len(), count + 1, "the wish alone is an act");
            let (kept, source) = shown(&mut fixture);
            assert_eq!((&kept.keys, kept.keys_at), (&good.keys, good.keys_at));
            assert_eq!(source.fetched_at, Some(before));
            assert_eq!(source.tried_at, Some(fixture.now));
            assert!(kept.has_keys(fixture.now));
            fixture.run(&AskForKeys(name("sso"))).unwrap();
        }
        let (kept, source) = shown(&mut fixture);
        assert!(source.problem.is_some());
        assert!(!kept.has_keys(before.plus(week)), "they are too old");
        assert_eq!(serve(&mut fixture, Ok(KEYS)), Noted::Same);
        let (again, source) = shown(&mut fixture);
        assert_eq!(source.problem, None);
        assert!(again.has_keys(before.plus(week)));
        let long = "x".repeat(1_000);
        fixture.run(&AskForKeys(name("sso"))).unwrap();
        let failed = serve(&mut fixture, Err(&long));
        assert_eq!(
            failed,
            Noted::Failed(name("sso"), "x".repeat(LONGEST_PROBLEM))
        );
    }

    #[test]
    fn brokers_are_told_of_keys_and_no_session_is_judged_again() {
        let mut fixture = Fixture::with_credential();
        let issuer = fixture.run(&fetching()).unwrap().id;
        let last = fixture.store.last_change().unwrap();
        serve(&mut fixture, Ok(KEYS));
        fixture.run(&AskForKeys(name("sso"))).unwrap();
        serve(&mut fixture, Ok(KEYS));
        let changes = fixture.store.changes_after(last, 9).unwrap();
        let changes: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
        assert_eq!(changes, vec![Change::IssuerKeys(issuer); 3]);
    }

    #[test]
    fn what_was_fetched_elsewhere_or_before_counts_for_nothing() {
        let mut fixture = Fixture::with_credential();
        fixture.run(&fetching()).unwrap();
        let (issuer, from) = fixture.run(&ListDueKeys).unwrap().remove(0);
        let late = NoteFetchedKeys {
            issuer,
            from,
            fetched: Ok(KEYS.into()),
        };
        let elsewhere = SetIssuerKeys {
            name: name("sso"),
            keys: KeyOrigin::Fetched(place("https://other.example/keys")),
        };
        fixture.run(&elsewhere).unwrap();
        assert_eq!(fixture.run(&late).unwrap(), Noted::Gone);
        assert_eq!(&*shown(&mut fixture).0.keys, NO_KEYS);
        let given = SetIssuerKeys {
            name: name("sso"),
            keys: KeyOrigin::Given(KeyText::Jwks(KEYS.into())),
        };
        let given = fixture.run(&given).unwrap();
        assert_eq!(given.source, None);
        assert_eq!(fixture.run(&late).unwrap(), Noted::Gone);
        let error = fixture.run(&AskForKeys(name("sso"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_eq!(fixture.run(&ListDueKeys).unwrap(), []);
        // Those that it has count until others are fetched.
        let set = fixture.run(&elsewhere).unwrap();
        assert_eq!(set.keys, given.keys);
        assert!(set.has_keys(fixture.now));
        fixture.run(&RemoveIssuer(name("sso"))).unwrap();
        assert_eq!(fixture.run(&late).unwrap(), Noted::Gone);
    }

    #[test]
    fn who_was_asked_for_comes_first() {
        let mut fixture = Fixture::with_credential();
        fixture.run(&fetching()).unwrap();
        serve(&mut fixture, Ok(KEYS));
        let other = AddIssuer {
            keys: KeyOrigin::Fetched(place("https://sso.example/keys")),
            ..add("other")
        };
        let other = fixture.run(&other).unwrap().id;
        let due = |fixture: &mut Fixture| {
            let due = fixture.run(&ListDueKeys).unwrap().into_iter();
            due.map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(due(&mut fixture), [other]);
        let asked = fixture.run(&AskForKeys(name("sso"))).unwrap();
        assert_eq!(asked, 1);
        let sso = shown(&mut fixture).0.id;
        assert_eq!(due(&mut fixture), [sso, other]);
        assert_eq!(serve(&mut fixture, Ok(KEYS)), Noted::Same);
        assert_eq!(shown(&mut fixture).1.answered, asked);
    }
}
