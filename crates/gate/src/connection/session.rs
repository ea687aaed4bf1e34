//! A session: its principal, its rights, and when it ends.

use std::sync::Arc;

use countersign_core::backoff::ip_of;
use countersign_core::ban::BanSubject;
use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::control::{self, CommandClient};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::presence::SessionNumber;
use countersign_core::reason::Reason;
use countersign_core::rights::{Rights, TopicUse};
use countersign_core::rule::Verdict;
use countersign_core::tenant::Authentication;
use countersign_core::time::Timestamp;
use countersign_core::token::TokenRecord;

use crate::cache::verdict_cache::VerdictCache;
use crate::connection::kick_reason::KickReason;
use crate::connection::meter::Meter;
use crate::connection::principal::Principal;
use crate::connection::session_extension::{Child, SessionExtension};
use crate::connection::session_tag::SessionTag;
use crate::host::ClientRef;

/// One connection that was let in, and for a while after it ended what is
/// still asked about it: its Will, its queue.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) number: SessionNumber,
    pub(crate) client_id: Arc<str>,
    /// The hash of the client id.
    pub(crate) tie: ClientIdTie,
    /// What the host has as the user name.
    pub(crate) username: Option<Arc<str>>,
    /// The name that was presented, if it is another.
    pub(crate) presented: Option<LoginName>,
    /// Recognises what was presented when the host asks again.
    pub(crate) tag: SessionTag,
    pub(crate) principal: Principal,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) began: Timestamp,
    pub(crate) rights: Arc<Rights>,
    /// What counts what it publishes, if that is limited.
    pub(crate) meter: Option<Box<Meter>>,
    /// Whether the host keeps its subscriptions and its queue when it ends.
    pub(crate) stored: bool,
    /// 3 for MQTT 3.1, 4 for 3.1.1, 5 for 5.0.
    pub(crate) protocol: u8,
    /// Where it comes from.
    pub(crate) address: Option<Arc<str>>,
    /// The port it came in by, where the host tells.
    pub(crate) listener: Option<u16>,
    /// The credentials, besides its own, that its login depended on.
    pub(crate) depends_on: Box<[CredentialId]>,
    pub(crate) phase: Phase,
    /// Whether its host has not said yet that it let the client in.
    pub(crate) is_arriving: bool,
    /// Whether its host may keep its client id for a client of its own, unless a tenant
    /// has a prefix that it begins with.
    pub(crate) may_be_hosts: bool,
    /// What few sessions have, so that the others stay small.
    pub(crate) extension: Option<Box<SessionExtension>>,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Its connection is open.
    Live,
    /// It is being ended, for this reason.
    Kicked(KickReason),
    /// Its connection is gone.
    Gone {
        /// Why what it left behind is worth nothing any more.
        stopped: Option<KickReason>,
        /// Whether its Will may still come. There is one at most, so nothing
        /// else passes for it.
        will_due: bool,
        /// Whether all that its end brings about is over, so that whoever
        /// subscribes under its handle is another.
        is_over: bool,
    },
}

impl Session {
    /// Says whether the host means this session by `client`.
    ///
    /// A handle may have gone to another client without a word.
    pub(crate) fn is(&self, client: &ClientRef<'_>) -> bool {
        client.client_id == Some(self.client_id.as_bytes())
            && client.username == self.username.as_deref().map(str::as_bytes)
    }

    /// Says whether a use of a topic comes too late to be this session's: it is
    /// gone, and its handle is another client's.
    pub(crate) fn is_past(&self, usage: TopicUse<'_>) -> bool {
        match (self.phase, usage) {
            (Phase::Gone { will_due, .. }, TopicUse::Publish { .. }) => !will_due,
            (Phase::Gone { is_over, .. }, TopicUse::Subscribe { .. }) => is_over,
            (Phase::Gone { .. }, TopicUse::Deliver { .. } | TopicUse::Unsubscribe)
            | (Phase::Live | Phase::Kicked(_), _) => false,
        }
    }

    /// What bans ask about it.
    pub(crate) fn ban_subject(&self) -> BanSubject<'_> {
        BanSubject {
            address: self.address.as_deref().and_then(ip_of),
            client_id: &self.tie,
            tenant: self.tenant.as_ref().map(TenantId::as_str),
        }
    }

    /// Judges one use of a topic. Allocates nothing.
    pub(crate) fn judge(&self, usage: TopicUse<'_>, verdict_cache: &mut VerdictCache) -> Verdict {
        let stopped = match self.phase {
            Phase::Live => None,
            Phase::Kicked(reason) => Some(reason),
            Phase::Gone { stopped, .. } => stopped,
        };
        match (usage, stopped) {
            // Whatever ends a session, its Will is judged as it was.
            (TopicUse::Publish { .. } | TopicUse::Unsubscribe, _)
            | (TopicUse::Deliver { .. } | TopicUse::Subscribe { .. }, None) => {
                verdict_cache.judge(&self.rights, usage)
            }
            (TopicUse::Deliver { .. }, Some(reason)) => Verdict::Deny(reason.reason()),
            // The host asks this of a kicked session to learn which of its
            // subscriptions to keep.
            (TopicUse::Subscribe { .. }, Some(reason)) if reason.is_final() => {
                Verdict::Deny(reason.reason())
            }
            (TopicUse::Subscribe { .. }, Some(_)) => verdict_cache.judge(&self.rights, usage),
        }
    }

    /// The verdict on a use of the topics of commands; none for all others. No rule
    /// is asked, neither of those that allow nor of those that deny.
    #[inline]
    pub(crate) fn judge_command(&self, usage: TopicUse<'_>, has_dynsec: bool) -> Option<Verdict> {
        let client = CommandClient {
            is_authenticated: self.credential().is_some(),
            is_user: matches!(self.principal, Principal::User { .. }),
            has_dynsec,
        };
        let verdict = control::judge(usage, client)?;
        // The Will of a session that is gone is no command.
        Some(match self.phase {
            Phase::Live => verdict,
            Phase::Gone { .. } | Phase::Kicked(_) => Verdict::Deny(Reason::NoRule),
        })
    }

    /// Says why this session may not go on, now that its credential is
    /// `record`.
    pub(crate) fn judge_again(
        &self,
        record: Option<&Credential>,
        now: Timestamp,
    ) -> Result<(), KickReason> {
        let Some(id) = self.credential() else {
            return Ok(());
        };
        // In another store than before, another may have the number.
        let is_it = |record: &&Credential| {
            record.id == id && Some(record.name.as_str()) == self.username.as_deref()
        };
        let Some(record) = record.filter(is_it) else {
            return Err(KickReason::Deleted);
        };
        let Ok(client_id) = ClientId::parse(&self.client_id) else {
            return Err(KickReason::Refused(Reason::Malformed));
        };
        if let Phase::Gone { .. } = self.phase {
            // Nobody is connected; only who it is counts for what is stored.
            return record.is_in_force(now).map_err(KickReason::Refused);
        }
        let (generation, judged) = match &self.principal {
            // The token itself is judged with what it depends on.
            Principal::Bearer { generation, .. } => (*generation, record.is_in_force(now)),
            // The certificate itself is judged with what the store says of it.
            Principal::Certificate { generation, .. } | Principal::Issued { generation, .. } => {
                (*generation, record.admits_proved(&client_id, now))
            }
            Principal::Credential {
                generation, secret, ..
            }
            | Principal::User {
                generation, secret, ..
            } => (*generation, record.admits(*secret, &client_id, now)),
            Principal::External { generation, .. } => {
                (*generation, record.admits_external(&client_id, now))
            }
            Principal::Unauthenticated => return Ok(()),
        };
        match judged {
            // Suspended and reactivated at once still ends what ran before.
            Ok(()) | Err(Reason::BadSecret) if generation != record.generation => {
                Err(KickReason::Replaced)
            }
            Ok(()) => Ok(()),
            Err(reason) => Err(KickReason::Refused(reason)),
        }
    }

    /// Says why this session may not go on, if it proved nothing and its
    /// tenant now asks for this.
    pub(crate) fn judge_login_mode(&self, mode: Authentication) -> Result<(), KickReason> {
        match self.principal {
            Principal::Bearer { .. }
            | Principal::Certificate { .. }
            | Principal::Credential { .. }
            | Principal::External { .. }
            | Principal::Issued { .. }
            | Principal::User { .. } => Ok(()),
            Principal::Unauthenticated => {
                let admitted = if self.presented.is_some() {
                    mode.admits_wrong_login()
                } else {
                    mode.admits_anonymous()
                };
                if admitted {
                    Ok(())
                } else {
                    Err(KickReason::LoginRequired)
                }
            }
        }
    }

    /// Writes down why it is being ended or, if it is gone, why what it left
    /// behind is worth nothing.
    pub(crate) fn stop(&mut self, reason: KickReason) {
        self.phase = match self.phase {
            Phase::Live | Phase::Kicked(_) => Phase::Kicked(reason),
            Phase::Gone {
                will_due, is_over, ..
            } => Phase::Gone {
                stopped: Some(reason),
                will_due,
                is_over,
            },
        };
    }

    /// Writes down that no Will of a session that is gone comes any more.
    pub(crate) fn will_was_sent(&mut self) {
        if let Phase::Gone { will_due, .. } = &mut self.phase {
            *will_due = false;
        }
    }

    /// Writes down that all that its end brings about is over, but for a Will
    /// that may be delayed.
    pub(crate) fn end_was_handled(&mut self) {
        // MQTT 5.0 §3.1.3.2.2: its Will may come long after its end.
        let delays_will = self.protocol >= 5;
        if let Phase::Gone {
            will_due, is_over, ..
        } = &mut self.phase
        {
            *is_over = true;
            *will_due &= delays_will;
        }
    }

    /// Writes down that what a session left behind is good again.
    pub(crate) fn resume(&mut self) {
        if let Phase::Gone { stopped, .. } = &mut self.phase {
            *stopped = None;
        }
    }

    /// The name that was presented.
    pub(crate) fn presented_name(&self) -> Option<&str> {
        let presented = self.presented.as_ref().map(LoginName::as_str);
        presented.or(self.username.as_deref())
    }

    /// The credential behind it.
    pub(crate) fn credential(&self) -> Option<CredentialId> {
        match self.principal {
            Principal::Bearer { id, .. }
            | Principal::Certificate { id, .. }
            | Principal::Credential { id, .. }
            | Principal::External { id, .. }
            | Principal::Issued { id, .. }
            | Principal::User { id, .. } => Some(id),
            Principal::Unauthenticated => None,
        }
    }

    /// The credentials, besides its own, that it depends on: a thing's
    /// application and children, a token's issuer.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = CredentialId> {
        let children = self.children().iter().map(|child| child.id);
        self.depends_on.iter().copied().chain(children)
    }

    /// How its principal is called in a log.
    pub(crate) fn label(&self) -> String {
        match &self.username {
            Some(name) => format!("`{name}`"),
            None => "an unauthenticated client".into(),
        }
    }

    /// Says whether it began by enhanced authentication.
    pub(crate) fn is_enhanced(&self) -> bool {
        self.extension
            .as_ref()
            .is_some_and(|extension| extension.is_enhanced)
    }

    /// Says whether a token proved it that was presented by enhanced authentication.
    pub(crate) fn is_by_method_of_tokens(&self) -> bool {
        let is_by_token = matches!(
            self.principal,
            Principal::Bearer { .. } | Principal::Issued { .. }
        );
        is_by_token && self.is_enhanced()
    }

    /// Says whether a token proved it.
    pub(crate) fn is_token(&self) -> bool {
        self.token().is_some()
    }

    /// Says whether it is the session of a thing, which depends on its
    /// application.
    pub(crate) fn is_of_thing(&self) -> bool {
        matches!(self.principal, Principal::Credential { .. }) && !self.depends_on.is_empty()
    }

    /// The token that proved it.
    pub(crate) fn token(&self) -> Option<&Arc<TokenRecord>> {
        match &self.principal {
            Principal::Bearer { token, .. } => Some(token),
            Principal::Certificate { .. }
            | Principal::Credential { .. }
            | Principal::External { .. }
            | Principal::Issued { .. }
            | Principal::Unauthenticated
            | Principal::User { .. } => None,
        }
    }

    /// The things that are bound to it.
    pub(crate) fn children(&self) -> &[Child] {
        self.extension
            .as_ref()
            .map_or(&[], |extension| &extension.children)
    }

    /// The groups whose roles it has besides its own.
    pub(crate) fn groups(&self) -> &[GroupPath] {
        self.extension
            .as_ref()
            .map_or(&[], |extension| &extension.groups)
    }

    /// The keys of the things that are bound to it.
    pub(crate) fn keys_of_children(&self) -> Vec<LoginName> {
        let keys = self.children().iter().map(|child| child.key.clone());
        keys.collect()
    }

    /// What only some sessions have, now this one too.
    pub(crate) fn extension_mut(&mut self) -> &mut SessionExtension {
        self.extension.get_or_insert_default()
    }
}
