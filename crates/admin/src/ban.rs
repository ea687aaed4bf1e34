//! Bans: client ids and networks whose clients are refused.

use std::net::IpAddr;

use countersign_core::backoff::ip_of;
use countersign_core::ban::{Ban, BanId, BanTarget, MOST_BANS};
use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::name::TenantId;
use countersign_core::network::Network;
use countersign_core::store::{BrokerPresence, Intent, Listed, Page};
use countersign_core::time::{Timestamp, rfc3339};

use crate::caller::Permission;
use crate::clients::shown_client_id;
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup;
use crate::text::FreeText;
use crate::view::BanView;

/// What is banned.
#[derive(Clone, Eq, PartialEq)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub enum Banned {
    /// These addresses.
    Address(Network),
    /// This client id: of the principals of this tenant alone, if one is named.
    ClientId(ClientId, Option<TenantId>),
}

/// Refuses clients from now on, and ends the sessions of those that are connected.
/// Takes the place of a ban of the same.
///
/// An address, and a client id of whichever tenant, is for the platform to ban. An
/// administrator of a tenant bans client ids of its own principals; so nobody is kept
/// out by another tenant's ban.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub struct AddBan {
    /// What to ban.
    pub banned: Banned,
    /// From when on it counts no more.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<FreeText>,
    /// Where the caller comes from, as far as that is known.
    pub asker: Option<IpAddr>,
    /// Whether to ban loopback, the caller, or a platform administrator who is
    /// connected, too.
    pub force: bool,
}

impl Command for AddBan {
    type Output = Ban;

    fn needs(&self) -> Permission {
        self.banned.needs()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Ban, AdminError> {
        let target = self.banned.target(tx)?;
        let shown = self.banned.shown(tx)?;
        if let Some(ends_at) = self.until.filter(|until| *until <= tx.now) {
            let message = format!("the ban ended at {}", rfc3339(ends_at));
            return Err(refused(ErrorKind::Invalid, &shown, message));
        }
        if !self.force
            && let Some(why) = self.spared(tx, &target)?
        {
            return Err(refused(ErrorKind::InUse, &shown, why));
        }
        let before = tx.ban_on(&target)?;
        if let Some(before) = &before {
            tx.remove_ban(before.id)?;
            tx.changed(Change::Ban(before.id));
        }
        check_room(tx, &target, &shown)?;
        let mut ban = Ban {
            id: BanId(0),
            target,
            shown,
            until: self.until,
            reason: self.reason.as_ref().and_then(FreeText::filled),
            created_by: tx.caller.actor.into(),
            created_at: tx.now,
        };
        ban.id = tx.add_ban(&ban)?;
        let before = before.as_ref().map(BanView::of);
        tx.record(
            "ban.add",
            &ban.shown,
            before.as_ref(),
            Some(&BanView::of(&ban)),
        );
        tx.changed(Change::Ban(ban.id));
        Ok(ban)
    }
}

impl AddBan {
    /// Whom the ban would keep out that it must not by mistake.
    fn spared(&self, tx: &mut Tx<'_>, target: &BanTarget) -> Result<Option<String>, AdminError> {
        if let BanTarget::Network(network) = target {
            if network.holds_loopback() {
                return Ok(Some(format!("`{network}` holds a loopback address")));
            }
            if let Some(asker) = self.asker.filter(|asker| network.holds(*asker)) {
                return Ok(Some(format!("`{network}` holds your own address, {asker}")));
            }
        }
        for admin in tx.platform_admins()? {
            let sessions = tx.presence_of_credential(admin)?;
            if sessions.iter().any(|session| is_meant(target, session)) {
                let message = "it would end the session of a platform administrator";
                return Ok(Some(message.into()));
            }
        }
        Ok(None)
    }
}

/// Says whether a ban is about a session.
fn is_meant(target: &BanTarget, session: &BrokerPresence) -> bool {
    let presence = &session.presence;
    let is_it = match target {
        BanTarget::ClientId(tie, tenant) => {
            presence.tie == *tie && (tenant.is_none() || *tenant == presence.tenant)
        }
        BanTarget::Network(network) => {
            let address = presence.address.as_deref().and_then(ip_of);
            address.is_some_and(|address| network.holds(address))
        }
    };
    is_it && session.is_alive
}

/// Says that there are too many bans, if there are.
fn check_room(tx: &mut Tx<'_>, target: &BanTarget, shown: &str) -> Result<(), AdminError> {
    if tx.count_bans(None, MOST_BANS)? >= MOST_BANS {
        let message = format!("there are {MOST_BANS} bans, which is the most; remove one first");
        return Err(refused(ErrorKind::Conflict, shown, message));
    }
    if let BanTarget::ClientId(_, Some(tenant)) = target
        && tx.count_bans(Some(tenant), MOST_OF_TENANT)? >= MOST_OF_TENANT
    {
        let message = format!(
            "tenant `{tenant}` has {MOST_OF_TENANT} bans, which is the most; remove one first"
        );
        return Err(refused(ErrorKind::Conflict, shown, message));
    }
    Ok(())
}

fn refused(kind: ErrorKind, shown: &str, message: String) -> AdminError {
    AdminError::new(kind, Subject::new(Noun::Ban, shown), message)
}

impl Banned {
    /// What who bans it, or lifts that, must be permitted.
    fn needs(&self) -> Permission {
        match self {
            Self::Address(_) => Permission::Platform,
            Self::ClientId(_, Some(tenant)) => Permission::Administer(tenant.clone()),
            // Whose principals are meant follows from who asks.
            Self::ClientId(_, None) => Permission::Any,
        }
    }

    /// What is banned where the caller says this: an administrator of one tenant means
    /// its principals, without naming it.
    fn target(&self, tx: &mut Tx<'_>) -> Result<BanTarget, AdminError> {
        let (client_id, tenant) = match self {
            Self::Address(network) => return Ok(BanTarget::Network(*network)),
            Self::ClientId(client_id, tenant) => (client_id, tenant),
        };
        let tenant = match tenant {
            Some(tenant) => {
                lookup::check_tenant(tx, Some(tenant))?;
                Some(tenant.clone())
            }
            None if tx.may(&Permission::Platform) => None,
            None => {
                let (authority, now) = (tx.caller.authority, tx.now);
                let only = authority.only_tenant(tx, now)?;
                let needed = only
                    .clone()
                    .map_or(Permission::Platform, Permission::Administer);
                tx.require(&needed)?;
                only
            }
        };
        Ok(BanTarget::ClientId(client_id.tie(), tenant))
    }

    fn shown(&self, tx: &mut Tx<'_>) -> Result<String, AdminError> {
        Ok(match self {
            Self::Address(network) => network.to_string(),
            Self::ClientId(client_id, _) => shown_client_id(tx, client_id.as_str())?,
        })
    }
}

/// Lifts a ban; what it was is the output.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub struct RemoveBan(pub BanNamed);

/// Which ban.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "a client id may be a secret")]
pub enum BanNamed {
    /// The one with this number.
    Id(BanId),
    /// The one of this.
    On(Banned),
}

impl Command for RemoveBan {
    type Output = Ban;

    fn needs(&self) -> Permission {
        match &self.0 {
            BanNamed::Id(_) => Permission::Any,
            BanNamed::On(banned) => banned.needs(),
        }
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Ban, AdminError> {
        let (found, shown) = match &self.0 {
            BanNamed::Id(id) => (tx.ban(*id)?, id.to_string()),
            BanNamed::On(banned) => {
                let target = banned.target(tx)?;
                (tx.ban_on(&target)?, banned.shown(tx)?)
            }
        };
        let found = found.filter(|ban| match &ban.target {
            BanTarget::ClientId(_, Some(tenant)) => tx.may(&Permission::Administer(tenant.clone())),
            BanTarget::ClientId(_, None) | BanTarget::Network(_) => tx.may(&Permission::Platform),
        });
        let Some(ban) = found else {
            let message = format!("there is no ban `{shown}`");
            return Err(refused(ErrorKind::NotFound, &shown, message));
        };
        tx.remove_ban(ban.id)?;
        tx.record("ban.remove", &ban.shown, Some(&BanView::of(&ban)), None);
        tx.changed(Change::Ban(ban.id));
        Ok(ban)
    }
}

/// Lists bans that count, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct ListBans {
    /// Of this tenant alone.
    pub tenant: Option<TenantId>,
    /// Which of them.
    pub page: Page<BanId>,
}

impl Command for ListBans {
    type Output = Listed<Ban>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::see(self.tenant.as_ref())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<Ban>, AdminError> {
        let tenant = self.tenant.as_ref();
        lookup::check_tenant(tx, tenant)?;
        let mut bans = tx.bans(tenant, &self.page)?;
        let now = tx.now;
        bans.rows.retain(|ban| ban.is_in_force(now));
        Ok(bans)
    }
}

/// So many bans a tenant has.
const MOST_OF_TENANT: u64 = 1_000;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::PresenceEvent;
    use countersign_core::store::{Batch, Directory as _, GateStore as _};

    use super::*;
    use crate::clients::tests::presence;
    use crate::fixture::{Fixture, JANE, login_name, tenant_id};
    use crate::user::SetUser;

    fn address(text: &str) -> Banned {
        Banned::Address(text.parse().unwrap())
    }

    fn client_id(text: &str, tenant: Option<&str>) -> Banned {
        Banned::ClientId(ClientId::parse(text).unwrap(), tenant.map(tenant_id))
    }

    fn add(banned: Banned) -> AddBan {
        AddBan {
            banned,
            until: None,
            reason: Some(FreeText::parse("noisy").unwrap()),
            asker: Some("203.0.113.9".parse().unwrap()),
            force: false,
        }
    }

    fn remove(banned: Banned) -> RemoveBan {
        RemoveBan(BanNamed::On(banned))
    }

    fn listed(fixture: &mut Fixture, tenant: Option<&str>) -> Vec<Ban> {
        let list = ListBans {
            tenant: tenant.map(tenant_id),
            ..ListBans::default()
        };
        fixture.run(&list).unwrap().rows
    }

    #[test]
    fn a_ban_is_listed_audited_told_to_brokers_and_lifted() {
        let mut fixture = Fixture::with_admin();
        let last = fixture.store.last_change().unwrap();
        let network = fixture.run(&add(address("192.0.2.0/24"))).unwrap();
        let id = fixture.run(&add(client_id("pump", None))).unwrap();
        let of_acme = fixture.run(&add(client_id("pump", Some("acme")))).unwrap();
        let all = [&network, &id, &of_acme].map(Clone::clone);
        assert_eq!(listed(&mut fixture, None), all);
        assert_eq!(listed(&mut fixture, Some("acme")), all[2..]);
        fixture.run(&remove(address("192.0.2.0/24"))).unwrap();
        fixture.run(&RemoveBan(BanNamed::Id(id.id))).unwrap();
        assert_eq!(listed(&mut fixture, None), all[2..]);
        for gone in [
            remove(address("192.0.2.0/24")),
            remove(client_id("pump", None)),
        ] {
            let error = fixture.run(&gone).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let acts = fixture.acts();
        assert_eq!(
            acts[acts.len() - 5..],
            [
                "ban.add 192.0.2.0/24",
                "ban.add pump",
                "ban.add pump",
                "ban.remove 192.0.2.0/24",
                "ban.remove pump"
            ]
        );
        let changes = fixture.store.changes_after(last, 100).unwrap();
        let told: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
        let expected = [network.id, id.id, of_acme.id, network.id, id.id];
        assert_eq!(told, expected.map(Change::Ban));
    }

    #[test]
    fn a_ban_of_the_same_takes_its_place_and_an_ended_one_is_not_listed() {
        let mut fixture = Fixture::with_admin();
        fixture.run(&add(address("192.0.2.1"))).unwrap();
        let until = Some(fixture.now.plus(Duration::from_secs(60)));
        let second = AddBan {
            until,
            ..add(address("192.0.2.1"))
        };
        let second = fixture.run(&second).unwrap();
        assert_eq!(listed(&mut fixture, None), [second]);
        fixture.now = fixture.now.plus(Duration::from_secs(60));
        assert_eq!(listed(&mut fixture, None), []);
        let past = AddBan {
            until,
            ..add(address("192.0.2.2"))
        };
        let error = fixture.run(&past).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }

    #[test]
    fn loopback_the_asker_and_a_platform_administrator_are_banned_by_force_alone() {
        let mut fixture = Fixture::with_admin();
        let jane = fixture
            .store
            .credential(&login_name(JANE))
            .unwrap()
            .unwrap();
        let mut presence = presence(1, "desk", &fixture);
        presence.credential = Some(jane.id);
        presence.username = Some(JANE.into());
        presence.tenant = Some(tenant_id("acme"));
        presence.address = Some("192.0.2.7".into());
        let lock = fixture.store.lock_broker("b").unwrap();
        let batch = Batch {
            observations: vec![PresenceEvent::Connected(presence)],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        let of_jane = [
            address("192.0.2.0/24"),
            client_id("desk", None),
            client_id("desk", Some("acme")),
        ];
        for banned in &of_jane {
            fixture.run(&add(banned.clone())).unwrap();
            fixture.run(&remove(banned.clone())).unwrap();
        }
        let set = SetUser {
            email: login_name(JANE),
            is_platform_admin: true,
        };
        fixture.run(&set).unwrap();
        let spared = [
            address("127.0.0.0/8"),
            address("::1"),
            address("0.0.0.0/0"),
            address("203.0.113.9"),
            address("203.0.113.0/24"),
        ];
        for banned in spared.iter().chain(&of_jane) {
            let error = fixture.run(&add(banned.clone())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InUse, "{error}");
            let forced = AddBan {
                force: true,
                ..add(banned.clone())
            };
            fixture.run(&forced).unwrap();
        }
        for other in [
            address("198.51.100.1"),
            client_id("other", None),
            client_id("desk", Some("other")),
        ] {
            let is_tenant = matches!(&other, Banned::ClientId(_, Some(_)));
            if is_tenant {
                fixture.tenant("other", &[]).unwrap();
            }
            fixture.run(&add(other)).unwrap();
        }
        drop(lock);
    }

    #[test]
    fn an_administrator_bans_principals_of_the_own_tenant_alone() {
        let mut fixture = Fixture::with_admin();
        fixture.tenant("other", &[]).unwrap();
        let jane = fixture.session_of(JANE);
        let of_all = fixture.run(&add(client_id("a", None))).unwrap();
        let of_other = fixture.run(&add(client_id("a", Some("other")))).unwrap();
        let made = fixture.run_by(jane, &add(client_id("a", None))).unwrap();
        let of_acme =
            BanTarget::ClientId(ClientId::parse("a").unwrap().tie(), Some(tenant_id("acme")));
        assert_eq!(made.target, of_acme);
        for (ban, kind) in [
            (add(address("192.0.2.1")), ErrorKind::Forbidden),
            (add(client_id("a", Some("other"))), ErrorKind::NotFound),
        ] {
            let error = fixture.run_by(jane, &ban).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        for others in [of_all.id, of_other.id, BanId(999)] {
            let error = fixture
                .run_by(jane, &RemoveBan(BanNamed::Id(others)))
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        }
        let lifted = fixture.run_by(jane, &remove(client_id("a", None))).unwrap();
        assert_eq!(lifted, made);
        assert_eq!(listed(&mut fixture, None), [of_all, of_other]);
    }

    #[test]
    fn a_tenant_has_so_many_bans_and_no_more() {
        let mut fixture = Fixture::with_admin();
        let all: Vec<_> = (0..MOST_OF_TENANT)
            .map(|number| add(client_id(&format!("c{number}"), Some("acme"))))
            .collect();
        fixture
            .act(|store, context| {
                let mode = crate::command::Mode::Commit;
                crate::command::run_all(store, context, &all, mode, |_| Ok(()))
            })
            .unwrap();
        let error = fixture
            .run(&add(client_id("more", Some("acme"))))
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        fixture.run(&add(client_id("c1", Some("acme")))).unwrap();
        fixture.run(&add(client_id("more", None))).unwrap();
    }
}
