//! Commands on followers: machines of brokers that keep a replica of this store.

use std::collections::BTreeSet;

use countersign_core::follower::{Follower, FollowerName, MOST_FOLLOWED, MOST_FOLLOWERS};
use countersign_core::name::TenantId;
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::heard_since;
use countersign_core::store::{AdminStore, Intent, Keyed, Listed, Page};
use countersign_core::time::{Timestamp, rfc3339};
use serde::Serialize;

use crate::caller::Permission;
use crate::command::{Command, Tx, run};
use crate::context::Context;
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::secret::random_secret;
use crate::view::FollowerView;

/// A follower that was given its secret just now.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct IssuedFollower {
    /// The secret, to be shown this once.
    pub secret: Secret,
    /// The follower as it is now.
    pub follower: Follower,
}

/// Makes a follower.
#[derive(Clone, Debug)]
pub struct CreateFollower {
    /// Its name, which will be that of its broker too.
    pub name: FollowerName,
    /// The tenants that it is told of; none is all, and operators with them.
    pub tenants: Vec<TenantId>,
}

impl Command for CreateFollower {
    type Output = IssuedFollower;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedFollower, AdminError> {
        let name = &self.name;
        let tenants: BTreeSet<_> = self.tenants.iter().cloned().collect();
        check_tenants(tx, name, &tenants)?;
        if tx.follower(name)?.is_some() {
            let message = format!("there is a follower `{name}` already");
            return Err(refused(ErrorKind::Exists, name, message));
        }
        let most = u64::try_from(MOST_FOLLOWERS).unwrap_or(u64::MAX);
        let all = Page {
            limit: most,
            ..Page::default()
        };
        if tx.followers(&all)?.rows.len() >= MOST_FOLLOWERS {
            let message = format!("there are {MOST_FOLLOWERS} followers, and may be no more");
            return Err(refused(ErrorKind::Conflict, name, message));
        }
        let secret = random_secret(tx.random)?;
        let follower = Follower {
            name: name.clone(),
            tenants: (!tenants.is_empty()).then(|| tenants.into_iter().collect()),
            digest: SecretDigest::of(&secret),
            era: 1,
            created_at: tx.now,
            rotated_at: tx.now,
            progress: None,
            lag: None,
            machine: None,
            refused: 0,
        };
        tx.put_follower(&follower)?;
        let after = FollowerView::of(&follower);
        tx.record("follower.create", name.as_str(), None, Some(&after));
        Ok(IssuedFollower { secret, follower })
    }
}

/// Lists followers, by name.
#[derive(Clone, Debug, Default)]
pub struct ListFollowers(pub Page<FollowerName>);

impl Command for ListFollowers {
    type Output = Listed<Follower>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Follower>, AdminError> {
        Ok(tx.followers(&self.0)?)
    }
}

/// What became of the log of what followers are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compacted {
    /// How many changes were removed.
    pub removed: u64,
    /// The followers that had not taken all of them: they take a snapshot again.
    pub behind: Vec<FollowerName>,
}

/// Removes the oldest changes that followers are told of, as far as they were made before
/// `before`; a few at a time, for what writes longer holds up logins.
///
/// # Errors
///
/// Returns [`AdminError`] when the caller may not, and nothing changed then; and when the
/// store can't be written. Some changes may be removed then.
pub fn compact<S: AdminStore>(
    store: &mut S,
    context: &mut Context<'_>,
    before: Timestamp,
) -> Result<Compacted, AdminError> {
    let mut all: u64 = 0;
    loop {
        let Compacted { removed, behind } = run(store, context, &CompactLog { before })?;
        all = all.saturating_add(removed);
        if removed < PIECE {
            return Ok(Compacted {
                removed: all,
                behind,
            });
        }
    }
}

/// Removes up to 5,000 of the oldest changes that followers are told of.
#[derive(Clone, Copy, Debug)]
pub struct CompactLog {
    /// Those that were made since then stay.
    pub before: Timestamp,
}

impl Command for CompactLog {
    type Output = Compacted;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Compacted, AdminError> {
        let most = usize::try_from(PIECE).unwrap_or(usize::MAX);
        let removed = tx.cut_told(self.before, most)?;
        let removed = u64::try_from(removed).unwrap_or(u64::MAX);
        if removed > 0 {
            let after = AuditedCompaction {
                before: rfc3339(self.before),
                removed,
            };
            tx.record("fleet.compact", "log", None, Some(&after));
        }
        let first = tx.first_told()?;
        let all = Page {
            limit: u64::try_from(MOST_FOLLOWERS).unwrap_or(u64::MAX),
            ..Page::default()
        };
        let followers = tx.followers(&all)?.rows.into_iter();
        let is_behind = |it: &Follower| {
            let position = it.progress.and_then(|progress| progress.position);
            position.is_some_and(|position| position < first)
        };
        Ok(Compacted {
            removed,
            behind: followers.filter(is_behind).map(|it| it.name).collect(),
        })
    }
}

/// What the audit says of it.
#[derive(Serialize)]
struct AuditedCompaction {
    before: String,
    removed: u64,
}

/// So many changes are removed in one transaction.
const PIECE: u64 = 5_000;

/// A follower, and who is connected at its broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FollowerStatus {
    /// The follower.
    pub follower: Follower,
    /// Whether it was heard of in the last minute.
    pub is_heard: bool,
    /// How many sessions it told of.
    pub sessions: u64,
}

impl Keyed for FollowerStatus {
    type Key = FollowerName;

    fn key(&self) -> FollowerName {
        self.follower.key()
    }
}

/// Says how the followers do, by name.
#[derive(Clone, Debug, Default)]
pub struct ReadFleetStatus(pub Page<FollowerName>);

impl Command for ReadFleetStatus {
    type Output = Listed<FollowerStatus>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<FollowerStatus>, AdminError> {
        let listed = tx.followers(&self.0)?;
        let since = heard_since(tx.now);
        let mut rows = Vec::new();
        for follower in listed.rows {
            rows.push(FollowerStatus {
                is_heard: follower.progress.is_some_and(|it| it.at >= since),
                sessions: tx.count_presence_behind(&follower.name)?,
                follower,
            });
        }
        Ok(Listed {
            rows,
            next: listed.next,
        })
    }
}

/// Shows a follower.
#[derive(Clone, Debug)]
pub struct ShowFollower(pub FollowerName);

impl Command for ShowFollower {
    type Output = Follower;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Follower, AdminError> {
        find(tx, &self.0)
    }
}

/// Changes of which tenants a follower is told. Its replica is begun anew then.
#[derive(Clone, Debug)]
pub struct SetFollower {
    /// Which one.
    pub name: FollowerName,
    /// Those that come.
    pub add: Vec<TenantId>,
    /// Those that go.
    pub remove: Vec<TenantId>,
}

impl Command for SetFollower {
    type Output = Follower;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Follower, AdminError> {
        let name = &self.name;
        let before = find(tx, name)?;
        let Some(told) = &before.tenants else {
            let message = format!(
                "follower `{name}` is told of all tenants; delete it and make it again to have \
                 it told of some"
            );
            return Err(refused(ErrorKind::Conflict, name, message));
        };
        let mut tenants: BTreeSet<_> = told.iter().cloned().collect();
        for tenant in &self.remove {
            if !tenants.remove(tenant) {
                let message = format!("follower `{name}` is not told of tenant `{tenant}`");
                return Err(refused(ErrorKind::Conflict, name, message));
            }
        }
        tenants.extend(self.add.iter().cloned());
        check_tenants(tx, name, &tenants)?;
        let tenants: Vec<_> = tenants.into_iter().collect();
        if tenants == *told {
            return Ok(before);
        }
        let after = Follower {
            tenants: Some(tenants),
            era: before.era.saturating_add(1),
            ..before.clone()
        };
        tx.put_follower(&after)?;
        tx.record(
            "follower.set",
            name.as_str(),
            Some(&FollowerView::of(&before)),
            Some(&FollowerView::of(&after)),
        );
        Ok(after)
    }
}

/// Gives a follower another secret. The one before is worth nothing from then on.
#[derive(Clone, Debug)]
pub struct RotateFollower(pub FollowerName);

impl Command for RotateFollower {
    type Output = IssuedFollower;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<IssuedFollower, AdminError> {
        let before = find(tx, &self.0)?;
        let secret = random_secret(tx.random)?;
        let follower = Follower {
            // Whose machine it is from now on is for the new secret to say.
            machine: None,
            digest: SecretDigest::of(&secret),
            rotated_at: tx.now,
            ..before.clone()
        };
        tx.put_follower(&follower)?;
        tx.record(
            "follower.rotate",
            self.0.as_str(),
            Some(&FollowerView::of(&before)),
            Some(&FollowerView::of(&follower)),
        );
        Ok(IssuedFollower { secret, follower })
    }
}

/// Deletes a follower. It is told nothing more; what it was told stays in its replica.
#[derive(Clone, Debug)]
pub struct DeleteFollower(pub FollowerName);

impl Command for DeleteFollower {
    type Output = ();

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<(), AdminError> {
        let follower = find(tx, &self.0)?;
        tx.remove_follower(&self.0)?;
        let before = FollowerView::of(&follower);
        tx.record("follower.delete", self.0.as_str(), Some(&before), None);
        Ok(())
    }
}

fn check_tenants(
    tx: &mut Tx<'_>,
    name: &FollowerName,
    tenants: &BTreeSet<TenantId>,
) -> Result<(), AdminError> {
    if tenants.len() > MOST_FOLLOWED {
        let message = format!("a follower is told of {MOST_FOLLOWED} tenants at most, or of all");
        return Err(refused(ErrorKind::Invalid, name, message));
    }
    for tenant in tenants {
        lookup::check_tenant(tx, Some(tenant))?;
    }
    Ok(())
}

fn find(rows: &mut Rows<'_>, name: &FollowerName) -> Result<Follower, AdminError> {
    let missing = || {
        let message = format!("there is no follower `{name}`");
        refused(ErrorKind::NotFound, name, message)
    };
    rows.follower(name)?.ok_or_else(missing)
}

fn refused(kind: ErrorKind, name: &FollowerName, message: impl Into<String>) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Follower, name), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, tenant_id};

    fn name(text: &str) -> FollowerName {
        FollowerName::parse(text).unwrap()
    }

    fn new(text: &str, tenants: &[&str]) -> CreateFollower {
        CreateFollower {
            name: name(text),
            tenants: tenants.iter().map(|id| tenant_id(id)).collect(),
        }
    }

    fn set(add: &[&str], remove: &[&str]) -> SetFollower {
        let ids = |ids: &[&str]| ids.iter().map(|id| tenant_id(id)).collect();
        SetFollower {
            name: name("edge"),
            add: ids(add),
            remove: ids(remove),
        }
    }

    #[test]
    fn a_follower_is_made_rotated_and_deleted_and_the_audit_never_has_its_secret() {
        let mut fixture = Fixture::with_credential();
        let made = fixture.run(&new("edge", &["acme", "acme"])).unwrap();
        assert_eq!(made.follower.digest, SecretDigest::of(&made.secret));
        assert_eq!(made.follower.tenants, Some(vec![tenant_id("acme")]));
        let shown = fixture.run(&ShowFollower(name("edge"))).unwrap();
        assert_eq!(shown, made.follower);
        let rotated = fixture.run(&RotateFollower(name("edge"))).unwrap();
        assert_ne!(rotated.follower.digest, made.follower.digest);
        assert_eq!(rotated.follower.era, made.follower.era);
        let listed = fixture.run(&ListFollowers::default()).unwrap().rows;
        assert_eq!(listed, [rotated.follower]);
        fixture.run(&DeleteFollower(name("edge"))).unwrap();
        let gone = fixture.run(&ShowFollower(name("edge"))).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
        let audit = format!("{:?}", fixture.acts());
        for act in ["follower.create", "follower.rotate", "follower.delete"] {
            assert!(audit.contains(act), "{audit}");
        }
        for secret in [made.secret, rotated.secret] {
            let text = String::from_utf8(secret.expose().to_vec()).unwrap();
            assert!(!audit.contains(&text), "{audit}");
        }
    }

    #[test]
    fn other_tenants_are_another_era_and_the_same_are_not() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        fixture.run(&new("edge", &["acme"])).unwrap();
        let both = fixture.run(&set(&["other", "acme"], &[])).unwrap();
        assert_eq!(both.era, 2);
        assert_eq!(fixture.run(&set(&["other"], &[])).unwrap().era, 2);
        let none = fixture.run(&set(&[], &["acme", "other"])).unwrap();
        assert_eq!((none.tenants, none.era), (Some(Vec::new()), 3));
        for (wrong, kind) in [
            (set(&["none"], &[]), ErrorKind::NotFound),
            (set(&[], &["acme"]), ErrorKind::Conflict),
        ] {
            assert_eq!(fixture.run(&wrong).unwrap_err().kind(), kind);
        }
    }

    #[test]
    fn a_follower_that_can_not_be_is_refused() {
        let mut fixture = Fixture::with_credential();
        fixture.run(&new("edge", &[])).unwrap();
        let refusal =
            |fixture: &mut Fixture, new: CreateFollower| fixture.run(&new).err().unwrap().kind();
        assert_eq!(refusal(&mut fixture, new("edge", &[])), ErrorKind::Exists);
        let too_many = CreateFollower {
            tenants: (0..=MOST_FOLLOWED)
                .map(|number| tenant_id(&format!("t{number}")))
                .collect(),
            ..new("a", &[])
        };
        assert_eq!(refusal(&mut fixture, too_many), ErrorKind::Invalid);
        let of_none = new("a", &["none"]);
        assert_eq!(refusal(&mut fixture, of_none), ErrorKind::NotFound);
        let of_all = fixture.run(&set(&["acme"], &[])).unwrap_err();
        assert_eq!(of_all.kind(), ErrorKind::Conflict);
        for number in 1..MOST_FOLLOWERS {
            fixture.run(&new(&format!("f{number}"), &[])).unwrap();
        }
        let one_more = refusal(&mut fixture, new("one-more", &[]));
        assert_eq!(one_more, ErrorKind::Conflict);
    }
}
