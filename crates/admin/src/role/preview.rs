//! The preview of a change of a role: which of its holders would gain or lose
//! what.

use core::ops::ControlFlow;
use std::collections::BTreeMap;
use std::sync::Arc;

use countersign_core::access::AccessSubject;
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::rights::TopicUses;
use countersign_core::role::{Role, RoleName};
use countersign_core::store::{AdminStore, AdminTransaction, Intent, StoreError};

use super::{RoleError, changed, find};
use crate::credential::CredentialError;
use crate::difference::{Policy, PossibleClientIds, RightsDifference};
use crate::lookup::{self, Rows};
use crate::rule::{RuleChange, RuleImpact, RuleWarning};

/// What a change of a role would do to one credential or user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChangeEffect {
    /// Its name.
    pub name: LoginName,
    /// Whether it is connected now.
    pub is_connected: bool,
    /// What it may do after the change alone.
    pub gains: Vec<TopicUses>,
    /// What it may do before the change alone.
    pub loses: Vec<TopicUses>,
}

/// Says which credentials, things and users would gain or lose what by a change
/// of a role; those to whom it makes no difference are left out, and so are
/// tokens, which end soon. Nothing is changed.
///
/// # Errors
///
/// Returns [`CredentialError`] when [`change_rules`](super::change_rules) would
/// refuse, or when the store can't be read.
pub fn preview<S: AdminStore>(
    store: &mut S,
    tenant: &TenantId,
    name: &RoleName,
    change: &RuleChange,
    group: Option<&GroupPath>,
) -> Result<Vec<ChangeEffect>, CredentialError> {
    let mut transaction = store.begin(Intent::Read)?;
    let before = find(&mut transaction, tenant, name)?;
    let after = changed(&before, change, group).map_err(RoleError::from)?;
    let mut connected: BTreeMap<CredentialId, Vec<Arc<str>>> = BTreeMap::new();
    for client in transaction.presence(Some(tenant))? {
        if !client.is_alive {
            continue;
        }
        if let Some(credential) = client.presence.credential {
            let ids = connected.entry(credential).or_default();
            ids.push(client.presence.client_id);
        }
    }
    let mut effects = Vec::new();
    let change = RoleChange::read(&mut transaction, &before, &after)?;
    let ids = transaction.holders_of_role(tenant, name)?;
    for_each_holder(&mut transaction, tenant, ids, |credential, holder| {
        let connected = connected.get(&credential.id).map_or(&[][..], Vec::as_slice);
        let difference = change.of(credential, holder, connected)?;
        if !difference.is_none() {
            effects.push(ChangeEffect {
                name: credential.name.clone(),
                is_connected: !connected.is_empty(),
                gains: difference.gains,
                loses: difference.loses,
            });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(effects)
}

/// Says what a new rule of a role would not do. Nothing is changed.
///
/// Whether it adds something is said where few hold the role.
///
/// # Errors
///
/// Returns [`CredentialError`] when [`change_rules`](super::change_rules) would
/// refuse, or when the store can't be read.
pub fn rule_warnings<S: AdminStore>(
    store: &mut S,
    tenant: &TenantId,
    name: &RoleName,
    change: &RuleChange,
    group: Option<&GroupPath>,
) -> Result<Vec<RuleWarning>, CredentialError> {
    let RuleChange::Add(rule) = change else {
        return Ok(Vec::new());
    };
    let mut transaction = store.begin(Intent::Read)?;
    let before = find(&mut transaction, tenant, name)?;
    let after = changed(&before, change, group).map_err(RoleError::from)?;
    let alone = Role {
        rules: after
            .rules
            .iter()
            .filter(|it| it.rule == *rule)
            .cloned()
            .collect(),
        ..before.clone()
    };
    let change = RoleChange::read(&mut transaction, &before, &after)?;
    let ids = transaction.holders_of_role(tenant, name)?;
    let mut impact = RuleImpact::default();
    let mut count: usize = 0;
    for_each_holder(&mut transaction, tenant, ids, |credential, holder| {
        count = count.saturating_add(1);
        impact.is_known = count <= FEW;
        if !impact.is_known {
            return Ok(ControlFlow::Break(()));
        }
        impact.makes_difference |= !change.of(credential, holder, &[])?.is_none();
        impact.has_value |= change.allows_something_alone(credential, holder, &alone)?;
        impact.is_by_default |= change.before.gives_by_default(credential);
        Ok(if impact.makes_difference {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    let mut warnings = RuleWarning::of_text(rule);
    warnings.extend(RuleWarning::of_impact(rule, change.before.tenant(), impact));
    Ok(warnings)
}

/// Shows the devices and users among those who hold a role, and the things of
/// applications that hold it, to `each` until that breaks off.
fn for_each_holder<T: AdminTransaction>(
    transaction: &mut T,
    tenant: &TenantId,
    ids: Vec<CredentialId>,
    mut each: impl FnMut(&Credential, AccessSubject<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), CredentialError> {
    for id in ids {
        let Some(credential) = transaction.credential_by_id(id)? else {
            continue;
        };
        let step = match &credential.kind {
            Kind::Device | Kind::Thing(_) => {
                each(&credential, AccessSubject::of_credential(&credential))?
            }
            Kind::User(_) => {
                let credential = &credential;
                each(credential, AccessSubject::User { credential, tenant })?
            }
            Kind::Application(_) => {
                let mut step = ControlFlow::Continue(());
                for thing in transaction.things(Some(tenant), Some(id))? {
                    step = each(&thing, AccessSubject::of_credential(&thing))?;
                    if step.is_break() {
                        break;
                    }
                }
                step
            }
            Kind::Bearer => ControlFlow::Continue(()),
        };
        if step.is_break() {
            break;
        }
    }
    Ok(())
}

/// What rights follow from before a role changes, and after it.
struct RoleChange {
    before: Policy,
    after: Policy,
}

impl RoleChange {
    fn read<T: AdminTransaction>(
        transaction: &mut T,
        before: &Role,
        after: &Role,
    ) -> Result<Self, CredentialError> {
        let tenant = lookup::tenant(&mut Rows::of(transaction), &before.tenant)?;
        let policy = Policy::read(transaction, Some(tenant))?;
        Ok(Self {
            after: policy.with_role(after),
            before: policy,
        })
    }

    /// What a holder of the role would gain and lose.
    fn of(
        &self,
        credential: &Credential,
        holder: AccessSubject<'_>,
        connected: &[Arc<str>],
    ) -> Result<RightsDifference, StoreError> {
        let (before, after) = (self.before.access(holder)?, self.after.access(holder)?);
        let ids = PossibleClientIds::of(credential, &[&before, &after]);
        Ok(self.before.compare(&before, &after, connected, &ids))
    }

    /// Says whether the rules of a role alone would allow a holder something.
    fn allows_something_alone(
        &self,
        credential: &Credential,
        holder: AccessSubject<'_>,
        alone: &Role,
    ) -> Result<bool, StoreError> {
        let (before, after) = (self.before.access(holder)?, self.after.access(holder)?);
        let ids = PossibleClientIds::of(credential, &[&before, &after]);
        let bare = Credential {
            rules: Vec::new(),
            ..credential.clone()
        };
        let holder = match holder {
            AccessSubject::User { tenant, .. } => AccessSubject::User {
                credential: &bare,
                tenant,
            },
            AccessSubject::Anonymous { .. }
            | AccessSubject::Credential { .. }
            | AccessSubject::Token { .. } => AccessSubject::of_credential(&bare),
        };
        let policy = self.before.of_roles_alone(core::slice::from_ref(alone));
        let rights = policy.access(holder)?.rights(ids.first());
        Ok(policy.allow_something(&rights))
    }
}

/// How many who hold a role are looked at to say that a rule adds nothing.
const FEW: usize = 1_000;

#[cfg(test)]
mod tests {
    use countersign_core::client_id::ClientId;
    use countersign_core::kind::Application;
    use countersign_core::ledger::Ledger as _;
    use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
    use countersign_core::store::{Batch, GateStore as _};
    use countersign_core::user::GrantedRight;

    use super::*;
    use crate::application::{CreateApplication, NewApplication};
    use crate::credential::{self, NewCredential};
    use crate::fixture::{
        Fixture, JANE, adding, application_name, new_credential, removing, role_name, scheme_name,
        tenant_id,
    };

    /// A tenant with a role that devices of a scheme without own topics hold.
    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.tenant("acme", &["acme/#", "plant/+/x"]).unwrap();
        fixture.tenant("other", &[]).unwrap();
        fixture.scheme(&[
            ("name", "bare"),
            ("login_name", "given"),
            ("client_id", "any"),
            ("secret_shape", "[0-9a-f]{32}"),
        ]);
        fixture.role("ops").unwrap();
        hold(&mut fixture, "dev1", Some("DM.X"));
        fixture
    }

    fn hold(fixture: &mut Fixture, name: &str, group: Option<&str>) {
        let new = NewCredential {
            scheme: scheme_name("bare"),
            roles: vec![role_name("ops")],
            group: group.and_then(|text| GroupPath::parse(text).ok()),
            ..new_credential(name)
        };
        fixture
            .act(|store, context| credential::create(store, context, new))
            .unwrap();
    }

    fn effects(fixture: &mut Fixture, change: &RuleChange, group: Option<&str>) -> String {
        let group = group.map(|text| GroupPath::parse(text).unwrap());
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        let effects = preview(&mut fixture.store, &tenant, &name, change, group.as_ref()).unwrap();
        let uses = |sign: char, uses: &[TopicUses]| -> String {
            let uses = uses.iter();
            uses.map(|usage| format!(" {sign}{} {}", usage.action, usage.filter))
                .collect()
        };
        let lines = effects.iter().map(|effect| {
            let live = if effect.is_connected { "*" } else { "" };
            let (gains, loses) = (uses('+', &effect.gains), uses('-', &effect.loses));
            format!("{}{live}{gains}{loses}", effect.name)
        });
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn nobody_gains_from_a_role_that_nobody_holds() {
        let mut fixture = fixture();
        fixture.delete("dev1");
        assert_eq!(
            effects(&mut fixture, &adding("allow both acme/#"), None),
            ""
        );
    }

    #[test]
    fn what_is_given_is_gained_as_far_as_the_tenant_owns_it() {
        let mut fixture = fixture();
        for (rule, expected) in [
            ("allow publish acme/a", "dev1 +publish acme/a"),
            (
                "allow both acme/${username}",
                "dev1 +publish acme/dev1 +subscribe acme/dev1",
            ),
            (
                "allow subscribe #",
                "dev1 +subscribe acme/# +subscribe plant/+/x",
            ),
            ("allow subscribe plant/#", "dev1 +subscribe plant/+/x"),
            ("allow publish other/#", ""),
            ("allow publish nobody/#", ""),
            ("allow publish acme/${attr.none}", ""),
            (
                "allow publish acme/${client_id}",
                "dev1 +publish acme/${client_id}",
            ),
            ("deny both acme/#", ""),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn things_and_users_hold_roles_too() {
        let mut fixture = fixture();
        fixture.delete("dev1");
        let new = NewApplication {
            name: application_name("fleet"),
            tenant: tenant_id("acme"),
            roles: vec![role_name("ops")],
            about: Application::default(),
        };
        fixture.run(&CreateApplication(new)).unwrap();
        fixture.thing("pump", "fleet").unwrap();
        fixture.user(JANE);
        let ops = GrantedRight::Role(role_name("ops"));
        fixture.grant(JANE, "acme", ops).unwrap();
        let rule = adding("allow publish acme/${username}");
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "pump +publish acme/pump; jane@mail.test +publish acme/jane@mail.test"
        );
        let of_group = effects(&mut fixture, &rule, Some("DM"));
        assert_eq!(of_group, "");
    }

    #[test]
    fn what_the_rest_makes_up_for_is_no_difference() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow both acme/#"))
            .unwrap();
        fixture
            .change_role("ops", &adding("allow publish acme/a max_qos 1"))
            .unwrap();
        fixture
            .change_role("ops", &adding("deny subscribe acme/secret/#"))
            .unwrap();
        for (change, expected) in [
            (adding("allow both acme/a"), ""),
            (removing("publish acme/a"), ""),
            (
                removing("both acme/#"),
                "dev1 -publish acme/# -subscribe acme/#",
            ),
            (adding("deny publish acme/a/+"), "dev1 -publish acme/a/+"),
            (
                adding("deny both #"),
                "dev1 -publish acme/# -subscribe acme/#",
            ),
            (
                removing("subscribe acme/secret/#"),
                "dev1 +subscribe acme/secret/#",
            ),
            (adding("allow subscribe acme/secret/a"), ""),
        ] {
            let said = effects(&mut fixture, &change, None);
            assert_eq!(said, expected, "{change:?}");
        }
    }

    #[test]
    fn a_limit_is_lifted_only_by_a_rule_without_it() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow publish acme/a max_qos 0"))
            .unwrap();
        for (rule, expected) in [
            ("allow publish acme/a max_qos 1", "dev1 +publish acme/a"),
            ("allow publish acme/a", "dev1 +publish acme/a"),
            // It would take the place of the one that is there.
            (
                "allow publish acme/a max_qos 0 no_retain",
                "dev1 -publish acme/a",
            ),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }

    #[test]
    fn a_rule_of_a_group_changes_nothing_for_others() {
        let mut fixture = fixture();
        hold(&mut fixture, "dev2", Some("DMX"));
        hold(&mut fixture, "dev3", None);
        let rule = adding("allow publish acme/${group}");
        assert_eq!(
            effects(&mut fixture, &rule, Some("DM")),
            "dev1 +publish acme/DM.X"
        );
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "dev1 +publish acme/DM.X; dev2 +publish acme/DMX"
        );
    }

    #[test]
    fn who_is_connected_is_told_and_by_which_client_id() {
        let mut fixture = fixture();
        hold(&mut fixture, "dev2", None);
        let credential = fixture.show("dev2");
        let connected = PresenceEvent::Connected(Presence {
            session: SessionNumber(1),
            client_id: "c2".into(),
            tie: ClientId::parse("c2").unwrap().tie(),
            username: Some("dev2".into()),
            credential: Some(credential.id),
            tenant: Some(tenant_id("acme")),
            address: None,
            protocol: 4,
            connected_at: fixture.now,
            authenticated: true,
            listener: None,
            stored: false,
        });
        let batch = Batch {
            observations: vec![connected],
            ..Batch::default()
        };
        fixture.store.write_batch("b", &batch).unwrap();
        let _alive = fixture.store.lock_broker("b").unwrap();
        let rule = adding("allow publish acme/${client_id}");
        assert_eq!(
            effects(&mut fixture, &rule, None),
            "dev1 +publish acme/${client_id}; dev2* +publish acme/c2"
        );
    }

    #[test]
    fn a_preview_changes_nothing_and_refuses_what_the_act_would() {
        let mut fixture = fixture();
        let acts = fixture.acts();
        effects(&mut fixture, &adding("allow both acme/#"), None);
        assert_eq!(fixture.acts(), acts);
        let (tenant, name) = (tenant_id("acme"), role_name("ops"));
        for change in [adding("allow both $SYS/#"), removing("both acme/#")] {
            assert!(preview(&mut fixture.store, &tenant, &name, &change, None).is_err());
        }
    }

    #[test]
    fn what_a_deny_takes_is_told_where_it_meets_what_is_allowed() {
        let mut fixture = fixture();
        fixture
            .change_role("ops", &adding("allow publish acme/${username}/#"))
            .unwrap();
        for (rule, expected) in [
            ("deny publish acme/+/cmd/#", "dev1 -publish acme/dev1/cmd/#"),
            ("deny publish +/+/x", "dev1 -publish acme/dev1/x"),
            (
                "deny publish acme/${attr.none}/x",
                "dev1 -publish acme/dev1/x",
            ),
            ("deny publish acme/dev2/#", ""),
            ("deny subscribe acme/#", ""),
        ] {
            assert_eq!(
                effects(&mut fixture, &adding(rule), None),
                expected,
                "{rule}"
            );
        }
    }
}
