//! What a client may do with a topic.

use std::sync::Arc;

use countersign_core::access::{AccessSubject, joined_tenant};
use countersign_core::client_id::ClientId;
use countersign_core::connect::Identity;
use countersign_core::control::{self, CommandClient};
use countersign_core::name::TenantId;
use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::{Explanation, RuleOutcome, TopicOwners, Verdict};
use countersign_core::secret::Secret;
use countersign_core::store::{AdminStore, GateStore, StoreError};
use countersign_core::topic::{Subscription, TopicName};

use super::broker;
use super::overrides::{Strictness, remembered};
use super::rights::{Considered, EffectiveRules};
use super::{CheckedClient, PolicyCheck};

/// Who wants to do what with a topic.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct TopicCheck<'a> {
    /// The login name, or the handle that commands take; none for a client
    /// that proves nothing.
    pub username: Option<&'a str>,
    /// The client id; if none is said, it does not count.
    pub client_id: Option<&'a str>,
    /// The password; if there is none, whatever is right, the code of a second
    /// factor included. Who presents a token is told by it alone.
    pub password: Option<&'a Secret>,
    /// The port it came in by, if that is to count.
    pub listener: Option<u16>,
    /// What it wants to do.
    pub usage: Usage<'a>,
}

/// What a client wants to do with a topic.
#[derive(Clone, Copy, Debug)]
pub enum Usage<'a> {
    /// Receive a message that was published on this topic.
    Deliver {
        /// The topic's name.
        topic: &'a str,
    },
    /// Publish a message.
    Publish {
        /// The topic's name.
        topic: &'a str,
        /// 0, 1 or 2.
        qos: u8,
        /// Whether it is to be retained.
        retain: bool,
    },
    /// Subscribe.
    Subscribe {
        /// The topic filter, `$share/…` included.
        filter: &'a str,
    },
}

impl<'a> Usage<'a> {
    /// The same as a gate is asked.
    #[must_use]
    pub const fn as_topic_use(self) -> TopicUse<'a> {
        match self {
            Self::Deliver { topic } => TopicUse::Deliver {
                topic: topic.as_bytes(),
            },
            Self::Publish { topic, qos, retain } => TopicUse::Publish {
                topic: topic.as_bytes(),
                qos,
                retain,
            },
            Self::Subscribe { filter } => TopicUse::Subscribe {
                filter: filter.as_bytes(),
            },
        }
    }
}

/// What a client may do, and why.
#[derive(Clone, Debug)]
pub struct TopicAnswer {
    /// May it?
    pub verdict: Verdict,
    /// Where the wall stands, if it was let in at all.
    pub wall: Option<Wall>,
    effective: Arc<EffectiveRules>,
    outcomes: Vec<RuleOutcome>,
    decided_by: Option<usize>,
}

impl TopicAnswer {
    /// All rules of the client, with what became of each.
    pub fn considered(&self) -> impl Iterator<Item = Considered<'_>> {
        self.effective.considered(&self.outcomes)
    }

    /// The rule that decided, if one did.
    #[must_use]
    pub fn decided_by(&self) -> Option<Considered<'_>> {
        self.considered().nth(self.decided_by?)
    }

    /// The variables that occur in the rules, and what they stand for.
    pub fn variables(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.effective.variables()
    }

    /// It would not even be let in.
    fn refused(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Deny(reason),
            wall: None,
            effective: Arc::new(EffectiveRules::none()),
            outcomes: Vec::new(),
            decided_by: None,
        }
    }
}

/// Where the wall between tenants stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wall {
    /// The client's tenant; none for an operator, who stands outside.
    pub tenant: Option<TenantId>,
    /// Who owns the topic, or a topic of the filter; another's before one's
    /// own.
    pub owner: Option<TenantId>,
    /// Whether the wall stands in the way.
    pub is_in_way: bool,
}

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// Decides whether a client may do something with a topic.
    ///
    /// A client that a broker would not let in now may do nothing: whatever
    /// keeps it out, its state and dates among it, is the reason.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] when the store can't be read.
    pub fn topic(&mut self, ask: &TopicCheck<'_>) -> Result<TopicAnswer, StoreError> {
        let client_id = match ask.client_id.map(ClientId::parse).transpose() {
            Ok(client_id) => client_id,
            Err(_) => return Ok(TopicAnswer::refused(Reason::Malformed)),
        };
        let who = CheckedClient {
            username: ask.username,
            password: ask.password.map(copy_of),
            certificate: None,
            listener: ask.listener,
            address: None,
            strictness: match client_id {
                Some(_) => Strictness::IgnoreHandle,
                None => Strictness::IgnoreClientIdAndHandle,
            },
            client_id: client_id.clone(),
        };
        let identity = match self.identify(who)? {
            Ok(identity) => identity,
            Err(reason) => return Ok(TopicAnswer::refused(reason)),
        };
        let command_client = CommandClient {
            is_authenticated: identity.credential().is_some(),
            is_user: matches!(identity, Identity::User { .. }),
            has_dynsec: self.listeners.has_dynsec(),
        };
        let client_id = client_id.as_ref();
        let usage = ask.usage.as_topic_use();
        let tenant = if let Identity::Unauthenticated { tenant: None } = identity {
            let client_id = client_id.map(ClientId::as_str);
            let find = |id: &TenantId| self.tenants.get(id);
            let joined = joined_tenant(usage, client_id, &self.owners, find);
            joined.map(|tenant| tenant.id.clone())
        } else {
            identity.tenant().cloned()
        };
        let effective = match self.effective_of(&identity, tenant.as_ref(), client_id)? {
            Ok(effective) => effective,
            Err(reason) => return Ok(TopicAnswer::refused(reason)),
        };
        let Explanation {
            mut verdict,
            mut decided_by,
            outcomes,
        } = effective.rights.explain(usage, &self.owners);
        if let Some(whatever_rules_say) = control::judge(usage, command_client) {
            verdict = whatever_rules_say;
            decided_by = None;
        }
        if let Some(reason) = broker::refuses(ask.usage) {
            verdict = Verdict::Deny(reason);
            decided_by = None;
        }
        let in_way = verdict == Verdict::Deny(Reason::OtherTenant);
        let wall = Wall {
            tenant: effective.tenant.clone(),
            owner: self.owner(ask.usage, effective.tenant.as_ref()),
            is_in_way: in_way,
        };
        Ok(TopicAnswer {
            verdict,
            wall: Some(wall),
            effective,
            outcomes,
            decided_by,
        })
    }

    /// The rights of a client that is let in, in the tenant that it works in.
    pub(super) fn effective_of(
        &mut self,
        identity: &Identity,
        tenant: Option<&TenantId>,
        client_id: Option<&ClientId>,
    ) -> Result<Result<Arc<EffectiveRules>, Reason>, StoreError> {
        let subject = match identity {
            Identity::Certificate { credential, .. } | Identity::Credential { credential, .. } => {
                // As it is stored, with all that counts.
                let name = &credential.name;
                let Some(stored) = remembered(&mut self.credentials, self.store, name)? else {
                    return Ok(Err(Reason::UnknownName));
                };
                let subject = AccessSubject::of_credential(&stored);
                return self.effective(subject, client_id).map(Ok);
            }
            Identity::User {
                credential, tenant, ..
            } => AccessSubject::User { credential, tenant },
            Identity::Issued { credential, token } => AccessSubject::Credential {
                credential,
                children: &[],
                more_roles: &token.roles,
            },
            Identity::Bearer { credential, token } => AccessSubject::Token { credential, token },
            Identity::Unauthenticated { .. } => match tenant {
                Some(tenant) => AccessSubject::Anonymous { tenant },
                None => return Ok(Ok(Arc::new(EffectiveRules::none()))),
            },
        };
        self.effective(subject, client_id).map(Ok)
    }

    fn owner(&self, usage: Usage<'_>, own: Option<&TenantId>) -> Option<TenantId> {
        match usage {
            Usage::Deliver { topic } | Usage::Publish { topic, .. } => {
                owner_of(&self.owners, topic)
            }
            Usage::Subscribe { filter } => {
                let filter = Subscription::parse(filter).ok()?.filter();
                let other = self.owners.other_reached(filter, own.map(TenantId::as_str));
                if let Some(other) = other {
                    return TenantId::parse(other).ok();
                }
                let own = self.tenants.get(own?)?;
                own.namespaces.could_reach(filter).then(|| own.id.clone())
            }
        }
    }
}

fn copy_of(secret: &Secret) -> Secret {
    Secret::new(secret.expose().to_vec())
}

fn owner_of(owners: &TopicOwners, topic: &str) -> Option<TenantId> {
    let owner = owners.owner_of(TopicName::parse(topic).ok()?)?;
    TenantId::parse(owner).ok()
}

#[cfg(test)]
mod tests {
    use countersign_core::broker::ListenerOptions;
    use countersign_core::tenant::{Authentication, DefaultRights, SubscribeMode};
    use countersign_core::user::GrantedRight;

    use super::*;
    use crate::check::Listeners;
    use crate::credential::{
        ChangeCredentialRules, CredentialChanges, SetCredential, SuspendCredential,
    };
    use crate::fixture::{Fixture, JANE, adding, login_name, new_tenant, role_name, tenant_id};
    use crate::tenant::{CreateTenant, NewTenant, SetTenant, TenantChanges};

    fn publish(topic: &str) -> Usage<'_> {
        Usage::Publish {
            topic,
            qos: 0,
            retain: false,
        }
    }

    fn ask(fixture: &mut Fixture, username: Option<&str>, usage: Usage<'_>) -> TopicAnswer {
        let ask = TopicCheck {
            username,
            client_id: None,
            password: None,
            listener: None,
            usage,
        };
        fixture.policy_check().topic(&ask).unwrap()
    }

    fn reason(answer: &TopicAnswer) -> &'static str {
        match answer.verdict {
            Verdict::Allow => "ok",
            Verdict::Deny(reason) => reason.as_str(),
        }
    }

    /// The outcomes, in the order of the rules.
    fn lines(answer: &TopicAnswer) -> Vec<String> {
        let considered = answer.considered();
        considered
            .map(|it| format!("{} ({}): {:?}", it.rule, it.source, it.outcome))
            .collect()
    }

    #[test]
    fn nobody_may_do_anything_in_an_empty_store() {
        let mut fixture = Fixture::new();
        for (username, said) in [
            (None, "unauthenticated"),
            (Some("dev1@acme"), "unknown-tenant"),
            (Some("dev1"), "unknown-name"),
            (Some("a#"), "malformed"),
        ] {
            let answer = ask(&mut fixture, username, publish("a"));
            assert_eq!(reason(&answer), said, "{username:?}");
            assert!(answer.wall.is_none() && lines(&answer).is_empty());
        }
    }

    #[test]
    fn every_rule_is_considered_and_the_deciding_one_named() {
        let mut fixture = Fixture::with_credential();
        fixture.role("ops").unwrap();
        fixture
            .change_role(
                "ops",
                &adding("allow publish acme/${attr.line} max_qos 1 no_retain"),
            )
            .unwrap();
        let name = login_name("dev1@acme");
        let changes = CredentialChanges {
            add_roles: vec![role_name("ops")],
            ..CredentialChanges::default()
        };
        fixture
            .run(&SetCredential {
                name: name.clone(),
                changes,
            })
            .unwrap();
        fixture
            .run(&ChangeCredentialRules {
                name,
                change: adding("deny both acme/secret/#"),
            })
            .unwrap();
        let denied = ask(&mut fixture, Some("dev1@acme"), publish("acme/secret"));
        assert_eq!(reason(&denied), "denied-by-rule");
        assert_eq!(denied.decided_by().unwrap().source, "credential");
        assert_eq!(
            lines(&denied),
            [
                "allow both acme/# (scheme:basic): Matched",
                "allow publish acme/${attr.line} max_qos 1 no_retain (role:ops): Unbound",
                "deny both acme/secret/# (credential): Matched",
            ]
        );
        let variables: Vec<_> = denied.variables().collect();
        assert_eq!(variables, [("${attr.line}", None)]);
        let allowed = ask(&mut fixture, Some("dev1@acme"), publish("acme/x"));
        assert_eq!(reason(&allowed), "ok");
        assert_eq!(allowed.decided_by().unwrap().source, "scheme:basic");
    }

    #[test]
    fn the_wall_is_told_whoever_stands_in_front_of_it() {
        let mut fixture = Fixture::with_credential();
        fixture.tenant("other", &[]).unwrap();
        let dev = Some("dev1@acme");
        for (usage, said, owner, is_in_way) in [
            (publish("acme/x"), "ok", Some("acme"), false),
            (publish("other/x"), "other-tenant", Some("other"), true),
            (publish("nobody/x"), "no-rule", None, false),
            (
                Usage::Deliver { topic: "other/x" },
                "other-tenant",
                Some("other"),
                true,
            ),
            (
                Usage::Subscribe { filter: "acme/#" },
                "ok",
                Some("acme"),
                false,
            ),
            (
                Usage::Subscribe { filter: "#" },
                "other-tenant",
                Some("other"),
                true,
            ),
            (
                Usage::Subscribe {
                    filter: "$share/g/+/x",
                },
                "other-tenant",
                Some("other"),
                true,
            ),
            (publish("a/+"), "malformed", None, false),
        ] {
            let answer = ask(&mut fixture, dev, usage);
            assert_eq!(reason(&answer), said, "{usage:?}");
            let wall = Wall {
                tenant: Some(tenant_id("acme")),
                owner: owner.map(tenant_id),
                is_in_way,
            };
            assert_eq!(answer.wall, Some(wall), "{usage:?}");
        }
    }

    #[test]
    fn who_would_not_be_let_in_may_do_nothing() {
        let mut fixture = Fixture::with_credential();
        let name = login_name("dev1@acme");
        fixture.run(&SuspendCredential(name)).unwrap();
        let answer = ask(&mut fixture, Some("dev1@acme"), publish("acme/x"));
        assert_eq!(reason(&answer), "suspended");
    }

    #[test]
    fn a_client_id_counts_if_it_is_said() {
        let mut fixture = Fixture::with_credential();
        let made = fixture.of_scheme("vwire", Some("VW-ABC123")).unwrap();
        assert_eq!(made.described.credential.name.as_str(), "VW-ABC123");
        let new = NewTenant {
            client_id_prefix: ClientId::parse("x-").ok(),
            ..new_tenant("prefixed", &[])
        };
        fixture.run(&CreateTenant(new)).unwrap();
        let topic = "vwire/VW-ABC123/pin/V0";
        for (client_id, said) in [
            (None, "ok"),
            (Some("VW-ABC123"), "ok"),
            (Some("other"), "client-id-mismatch"),
            (Some("x-1"), "client-id-mismatch"),
            (Some("a#"), "malformed"),
        ] {
            let ask = TopicCheck {
                username: Some("VW-ABC123"),
                client_id,
                password: None,
                listener: None,
                usage: publish(topic),
            };
            let answer = fixture.policy_check().topic(&ask).unwrap();
            assert_eq!(reason(&answer), said, "{client_id:?}");
        }
    }

    #[test]
    fn a_token_and_the_handle_of_its_device_mean_the_same() {
        let mut fixture = Fixture::with_credential();
        let made = fixture.of_scheme("vwire-token", Some("x")).unwrap();
        let token = String::from_utf8(made.secret.unwrap().expose().to_vec()).unwrap();
        for username in ["x@acme", &token] {
            for (topic, said) in [("vwire/acme/x/a", "ok"), ("vwire/acme/y/a", "no-rule")] {
                let answer = ask(&mut fixture, Some(username), publish(topic));
                assert_eq!(reason(&answer), said, "{topic}");
            }
        }
    }

    #[test]
    fn a_client_without_a_login_joins_the_open_tenant_that_it_touches() {
        let mut fixture = Fixture::with_credential();
        for (id, authentication) in [
            ("open", Authentication::Optional),
            ("off", Authentication::Off),
        ] {
            let new = NewTenant {
                authentication,
                ..new_tenant(id, &[])
            };
            fixture.run(&CreateTenant(new)).unwrap();
        }
        for (username, usage, said) in [
            (None, publish("open/x"), "ok"),
            (None, publish("off/x"), "ok"),
            (None, publish("acme/x"), "no-rule"),
            (None, publish("nobody/x"), "no-rule"),
            (None, Usage::Deliver { topic: "open/x" }, "ok"),
            (None, Usage::Subscribe { filter: "off/#" }, "ok"),
            (None, Usage::Subscribe { filter: "#" }, "no-rule"),
            // Wrong logins are let in unauthenticated where the tenant is off.
            (Some("wrong@off"), publish("off/x"), "ok"),
            (Some("wrong@off"), publish("open/x"), "other-tenant"),
            (Some("wrong@open"), publish("open/x"), "unknown-name"),
        ] {
            let answer = ask(&mut fixture, username, usage);
            assert_eq!(reason(&answer), said, "{username:?} {usage:?}");
        }
    }

    #[test]
    fn a_tenant_without_default_rights_gives_only_what_rules_allow() {
        let mut fixture = Fixture::with_credential();
        let acme = tenant_id("acme");
        let changes = TenantChanges {
            authentication: Some(Authentication::Optional),
            default_rights: Some(DefaultRights::Nothing),
            anonymous_rights: Some(DefaultRights::Nothing),
            ..TenantChanges::default()
        };
        fixture
            .run(&SetTenant {
                id: acme.clone(),
                changes,
            })
            .unwrap();
        let name = login_name("dev1@acme");
        let own = adding("allow publish acme/${username}/# max_qos 1 no_retain");
        fixture
            .run(&ChangeCredentialRules { name, change: own })
            .unwrap();
        let message = |topic, qos, retain| Usage::Publish { topic, qos, retain };
        for (username, usage, said) in [
            (
                Some("dev1@acme"),
                message("acme/dev1@acme/x", 1, false),
                "ok",
            ),
            (
                Some("dev1@acme"),
                message("acme/dev1@acme/x", 2, false),
                "no-rule",
            ),
            (
                Some("dev1@acme"),
                message("acme/dev1@acme/x", 1, true),
                "no-rule",
            ),
            (
                Some("dev1@acme"),
                message("acme/other/command", 0, false),
                "no-rule",
            ),
            (
                Some("dev1@acme"),
                Usage::Subscribe { filter: "acme/#" },
                "no-rule",
            ),
            (None, message("acme/x", 0, false), "no-rule"),
        ] {
            let answer = ask(&mut fixture, username, usage);
            assert_eq!(reason(&answer), said, "{username:?} {usage:?}");
        }
        fixture.user(JANE);
        fixture.grant(JANE, "acme", GrantedRight::OrgAdmin).unwrap();
        let answer = ask(&mut fixture, Some(JANE), message("acme/x", 0, false));
        assert_eq!(reason(&answer), "ok");
    }

    #[test]
    fn the_default_tenant_answers_for_the_nameless() {
        let mut fixture = Fixture::with_credential();
        let changes = TenantChanges {
            authentication: Some(Authentication::Off),
            subscribe: Some(SubscribeMode::Filtered),
            ..TenantChanges::default()
        };
        let acme = tenant_id("acme");
        fixture
            .run(&SetTenant {
                id: acme.clone(),
                changes,
            })
            .unwrap();
        let options = [("store", "/x"), ("default_tenant", "acme")];
        let options = countersign_core::options::Options::parse(options).unwrap();
        let now = fixture.now;
        let mut policy_check = PolicyCheck::new(
            &mut fixture.store,
            now,
            Listeners::of(&ListenerOptions::of(&options)),
        )
        .unwrap();
        for (username, filter) in [(None, "acme/#"), (Some("dev1"), "#")] {
            let ask = TopicCheck {
                username,
                client_id: None,
                password: None,
                listener: None,
                usage: Usage::Subscribe { filter },
            };
            assert_eq!(reason(&policy_check.topic(&ask).unwrap()), "ok", "{filter}");
        }
    }

    #[test]
    fn what_is_asked_again_is_answered_the_same_and_nothing_is_written() {
        let mut fixture = Fixture::with_credential();
        let acts = fixture.acts();
        let mut policy_check = fixture.policy_check();
        let ask = TopicCheck {
            username: Some("dev1@acme"),
            client_id: Some("c"),
            password: None,
            listener: None,
            usage: publish("acme/x"),
        };
        for _ in 0..3 {
            assert_eq!(reason(&policy_check.topic(&ask).unwrap()), "ok");
        }
        drop(policy_check);
        assert_eq!(fixture.acts(), acts);
        assert!(!fixture.show("dev1@acme").ever_used);
    }
}
