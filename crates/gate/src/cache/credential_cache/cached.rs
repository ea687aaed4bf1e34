//! All that is kept of one credential, in one place: a login of a device that was
//! here before needs little else, and each login is another device's.

use std::sync::Arc;

use countersign_core::client_id::{ClientId, ClientIdTie};
use countersign_core::connect::{ParsedNames, Request};
use countersign_core::credential::Credential;
use countersign_core::ownership::{Holding, StoredSession};
use countersign_core::rights::Rights;
use countersign_core::store::LogPosition;

/// What is kept of one credential.
#[derive(Debug)]
pub(super) struct Cached {
    pub(super) record: Arc<Credential>,
    /// Whether it was of use since it was last spared.
    pub(super) was_used: bool,
    /// What its client presented last.
    presented: Option<PresentedLast>,
    /// Who holds the client id that it asked for last.
    holding: Option<CachedHolding>,
    /// What it may do.
    rights: Option<CachedRights>,
}

/// What was presented, as it was parsed.
#[derive(Debug)]
struct PresentedLast {
    names: ParsedNames,
    /// The client id as it may be shown.
    shown: Option<Arc<str>>,
}

/// Who holds a client id, as far as that stays for who asked
/// ([`Holding::stays_for`]).
#[derive(Debug)]
struct CachedHolding {
    client_id: ClientIdTie,
    holding: Holding,
    /// How often stored sessions had changed before this was read.
    session_changes: i64,
}

/// What a credential may do. Its roles, its scheme and its tenant can't change
/// without an entry in the log that gives up the record, nor the roles of its
/// groups without one that gives up these.
#[derive(Debug)]
struct CachedRights {
    /// Under which client id; under each if there is none.
    client_id: Option<Arc<str>>,
    rights: Arc<Rights>,
}

impl Cached {
    /// Keeps a record, and nothing about it yet.
    pub(super) fn new(record: &Arc<Credential>) -> Self {
        Self {
            record: Arc::clone(record),
            was_used: false,
            presented: None,
            holding: None,
            rights: None,
        }
    }

    /// What was presented last, if a CONNECT has just these fields.
    pub(super) fn presented(&self, client_id: &[u8], username: &[u8]) -> Option<&ParsedNames> {
        let names = &self.presented.as_ref()?.names;
        names.are(client_id, Some(username)).then_some(names)
    }

    /// Keeps what was presented. No client id that is a secret is kept, and none
    /// that came with another name, a secret say.
    pub(super) fn keep_presented(&mut self, request: &Request) {
        let (client_id, name) = (&request.client_id, &self.record.name);
        let client_id = client_id.as_str().as_bytes();
        if self
            .presented(client_id, name.as_str().as_bytes())
            .is_none()
            && !self.record.hides_client_ids()
        {
            let names = ParsedNames::of(request, name);
            self.presented = names.map(|names| PresentedLast { names, shown: None });
        }
    }

    /// How the client id that was presented last may be shown, if it is this one.
    pub(super) fn shown(&self, client_id: &str) -> Option<&Arc<str>> {
        let presented = self.presented.as_ref()?;
        let is_it = presented.names.client_id().as_str() == client_id;
        presented.shown.as_ref().filter(|_| is_it)
    }

    /// Keeps how the client id that was presented last may be shown.
    pub(super) fn keep_shown(&mut self, client_id: &str, shown: &Arc<str>) {
        if let Some(presented) = &mut self.presented
            && presented.names.client_id().as_str() == client_id
        {
            presented.shown.get_or_insert_with(|| Arc::clone(shown));
        }
    }

    /// Who holds a client id that it has asked for before, if no stored session has
    /// changed since.
    pub(super) fn holding(&self, client_id: &ClientIdTie, at: LogPosition) -> Option<&Holding> {
        let known = self.holding.as_ref()?;
        let is_it = known.client_id == *client_id && known.session_changes == at.session_changes;
        is_it.then_some(&known.holding)
    }

    /// Keeps who holds a client id, in the texts of its record. Returns the client id
    /// whose holder was kept before.
    pub(super) fn keep_holding(
        &mut self,
        client_id: &ClientIdTie,
        at: LogPosition,
        holding: &Holding,
    ) -> Option<ClientIdTie> {
        let record = &self.record;
        let in_its_texts = |stored: StoredSession| StoredSession {
            username: stored.username.map(|text| match record.name.shared() {
                own if own == text => own,
                _ => text,
            }),
            tenant: match &record.tenant {
                own if *own == stored.tenant => own.clone(),
                _ => stored.tenant,
            },
            ..stored
        };
        let Holding {
            bound_to,
            stored_session,
        } = holding.clone();
        let known = CachedHolding {
            client_id: *client_id,
            holding: Holding {
                bound_to,
                stored_session: stored_session.map(in_its_texts),
            },
            session_changes: at.session_changes,
        };
        self.holding.replace(known).map(|before| before.client_id)
    }

    /// The client id whose holder is kept.
    pub(super) fn held_client_id(&self) -> Option<ClientIdTie> {
        self.holding.as_ref().map(|known| known.client_id)
    }

    /// Gives up who holds a client id, if that is kept.
    pub(super) fn forget_holding(&mut self, client_id: &ClientIdTie) {
        self.holding.take_if(|known| known.client_id == *client_id);
    }

    /// What this very record may do under a client id, if that was asked before.
    pub(super) fn rights(
        &self,
        credential: &Arc<Credential>,
        client_id: &str,
    ) -> Option<Arc<Rights>> {
        let known = self.rights.as_ref()?;
        let is_it = Arc::ptr_eq(&self.record, credential)
            && known.client_id.as_deref().is_none_or(|it| it == client_id);
        is_it.then(|| Arc::clone(&known.rights))
    }

    /// Keeps what it may do under a client id. Returns how many rules were given up
    /// for that.
    pub(super) fn keep_rights(&mut self, client_id: &ClientId, rights: &Arc<Rights>) -> usize {
        let given_up = self.forget_rights();
        self.rights = Some(CachedRights {
            client_id: (!rights.are_of_any_client_id()).then(|| client_id.shared()),
            rights: Arc::clone(rights),
        });
        given_up
    }

    /// Gives up what it may do. Returns how many rules that were.
    pub(super) fn forget_rights(&mut self) -> usize {
        let known = self.rights.take();
        known.map_or(0, |known| known.rights.rule_count())
    }

    /// How many rules are kept of what it may do.
    #[cfg(test)]
    pub(super) fn rule_count(&self) -> usize {
        let known = self.rights.as_ref();
        known.map_or(0, |known| known.rights.rule_count())
    }
}
