//! What a gate knows, and what becomes of its sessions.

use std::sync::Arc;

use countersign_core::broker::ListenerOptions;
use countersign_core::client_id::ClientIdTie;
use countersign_core::connect::{Identity, Request, Reservation};
use countersign_core::credential::CredentialId;
use countersign_core::name::LoginName;
use countersign_core::presence::{Presence, PresenceEvent, SessionNumber};
use countersign_core::store::{GateStore, LogPosition, StoreError, StoreMark};
use countersign_core::time::Timestamp;

use crate::cache::bans::Bans;
use crate::cache::cached_directory::CachedDirectory;
use crate::cache::store_view::StoreView;
use crate::config::GateConfig;
use crate::connection::kick_reason::KickReason;
use crate::connection::meter::Meters;
use crate::connection::principal::Principal;
use crate::connection::session::{Phase, Session};
use crate::connection::session_extension::SessionExtension;
use crate::connection::session_grant::SessionGrant;
use crate::connection::session_tag::SessionTag;
use crate::connection::sessions::Sessions;
use crate::contact::Contact;
use crate::host::{ConnectSource, Directive, Handle, LogLevel};
use crate::journal::Journal;
use crate::journal::entry::JournalEntry;
use crate::journal::recent_uses::EndedUse;
use crate::login::secret_verifier::{SecretVerifier, SignatureChecks};
use crate::masking::shown_client_id;

mod check;
mod limited;

/// What all parts of a gate share: its options, the store as it sees it, which
/// secrets it verified, the sessions, and what it writes down.
pub(crate) struct State<S> {
    pub(crate) config: GateConfig,
    pub(crate) view: StoreView<S>,
    pub(crate) bans: Bans,
    pub(crate) contact: Arc<Contact>,
    pub(crate) verifier: SecretVerifier,
    pub(crate) signature_checks: SignatureChecks,
    pub(crate) sessions: Sessions,
    pub(crate) meters: Meters,
    pub(crate) journal: Journal,
}

impl<S: GateStore> State<S> {
    /// The host's time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.config.clock)()
    }

    /// Marks the moment. Forgets all that was found out in another store, if other
    /// files stand in its place by now.
    pub(crate) fn look(&mut self) -> Result<StoreMark, StoreError> {
        let (mark, is_another) = self.view.look()?;
        if is_another {
            self.verifier.forget_all();
            self.bans.distrust();
            self.write_presence_anew();
        }
        Ok(mark)
    }

    /// Has it written down what the broker's options are by now.
    pub(crate) fn describe(&self) {
        let options = ListenerOptions::of(&self.config.options);
        let described = JournalEntry::Described(Box::new(options));
        self.journal.writer.append(described);
    }

    /// Gives up what is kept in memory and changed in the store by now.
    pub(crate) fn sync(&mut self) -> Result<LogPosition, StoreError> {
        // Before the look at the logs: what is committed after it has another mark.
        let mark = self.look()?;
        let (log_position, outdated) = self.view.sync(mark)?;
        if let Some(outdated) = outdated {
            let discarded = JournalEntry::Discarded(Box::new(outdated));
            self.journal.writer.append(discarded);
        }
        Ok(log_position)
    }

    /// Sees to it that nothing waits to be undone of what is recorded about a client
    /// id; says whether anything did.
    pub(crate) fn settle(&mut self, client_id: &ClientIdTie) -> Result<bool, StoreError> {
        self.journal.undos.settle(&mut self.view.store, client_id)
    }

    /// Who is connected with a client id: the principals, and what an unauthenticated
    /// client will leave behind.
    pub(crate) fn live_uses_of(
        &self,
        client_id: &ClientIdTie,
    ) -> (Vec<CredentialId>, Option<EndedUse>) {
        let (mut live_holders, mut unproved) = (Vec::new(), None);
        if !self.config.hears_of_ends {
            // Who came in long ago may be gone.
            return (live_holders, unproved);
        }
        for session in self.sessions.live(client_id) {
            match session.credential() {
                Some(holder) => live_holders.push(holder),
                None if session.stored => unproved = Some(EndedUse::unproved(session)),
                None => {}
            }
        }
        (live_holders, unproved)
    }

    /// What is known by now: in the store, and of what the store has not been told
    /// yet. `unproved` is what [`Self::live_uses_of`] says of the client id that is
    /// looked up.
    pub(crate) fn directory(
        &mut self,
        unproved: Option<EndedUse>,
        now: Timestamp,
    ) -> Result<CachedDirectory<'_, S>, StoreError> {
        let log_position = self.sync()?;
        let recent_uses = &self.journal.recent_uses;
        Ok(self
            .view
            .directory(log_position, recent_uses, unproved, now))
    }

    /// The session of a client that is let in, which ends by itself when its grant
    /// does.
    pub(crate) fn session_of(
        &mut self,
        handle: Handle,
        request: &Request,
        identity: &Identity,
        grant: SessionGrant,
        source: &ConnectSource<'_>,
        now: Timestamp,
    ) -> Session {
        if let Some(credential) = identity.credential() {
            let kept = &mut self.view.credential_cache;
            kept.keep_presented(credential.id, request);
        }
        let username = identity.credential().map(|it| it.name.shared());
        let presented = request.name.as_ref();
        let is_another = |name: &&LoginName| Some(name.as_str()) != username.as_deref();
        let number = self.sessions.next_number();
        if let Some(at) = grant.ends_at {
            self.sessions.set_deadline(at, handle, number);
        }
        Session {
            number,
            client_id: request.client_id.shared(),
            tie: request.tie,
            presented: presented.filter(is_another).cloned(),
            username,
            tag: SessionTag::of(self.verifier.key(), identity, request),
            principal: Principal::of(identity),
            tenant: identity.tenant().cloned(),
            began: now,
            rights: grant.rights,
            meter: None,
            stored: request.session.is_stored,
            protocol: source.protocol,
            address: source.address.map(Into::into),
            listener: source.listener,
            depends_on: grant.depends_on,
            phase: Phase::Live,
            is_arriving: false,
            may_be_hosts: source.reservation == Reservation::Possible,
            extension: SessionExtension::of(&request.method, grant.groups),
        }
    }

    /// Begins a session, and has it written down that it began and that its
    /// credential was used.
    pub(crate) fn begin(&mut self, handle: Handle, mut session: Session) {
        self.meter(&mut session);
        let begun = match session.credential() {
            Some(id) if !self.config.hears_of_ends => PresenceEvent::Used(id, session.began),
            known => {
                let presence = self.presence_of(&session);
                if let Some(id) = known {
                    let kept = &mut self.view.credential_cache;
                    kept.keep_shown(id, &session.client_id, &presence.client_id);
                }
                PresenceEvent::Connected(presence)
            }
        };
        self.journal.writer.observe(begun);
        self.sessions.insert(handle, session);
    }

    /// Drops what an earlier connection with this handle left.
    pub(crate) fn forget(&mut self, handle: Handle) {
        let session = self.sessions.get(handle);
        if session.is_some_and(|session| !matches!(session.phase, Phase::Gone { .. })) {
            self.write_end(handle, None, self.now());
        }
        self.sessions.remove(handle);
    }

    /// Takes note that a connection is gone and, where the host says, whether its
    /// session is kept.
    pub(crate) fn gone(&mut self, handle: Handle, is_kept: Option<bool>, now: Timestamp) {
        match self.sessions.get(handle).map(|session| session.phase) {
            None => {}
            // The second word about it: now the host has let go of it.
            Some(Phase::Gone { .. }) => drop(self.sessions.remove(handle)),
            Some(Phase::Live | Phase::Kicked(_)) => {
                self.write_end(handle, is_kept, now);
                self.sessions.mark_gone(handle);
            }
        }
    }

    fn write_end(&mut self, handle: Handle, is_kept: Option<bool>, now: Timestamp) {
        let session = self.sessions.get(handle);
        if let Some(session) = session.filter(|_| self.config.hears_of_ends) {
            let mut live = self.sessions.live(&session.tie);
            let is_again = live.any(|other| other.number != session.number);
            self.journal.end(session, is_kept, is_again, now);
        }
    }

    /// What is written down of a session that began.
    fn presence_of(&self, session: &Session) -> Presence {
        let kept = &self.view.credential_cache;
        let known = session
            .credential()
            .and_then(|id| kept.shown(id, &session.client_id));
        Presence {
            session: session.number,
            client_id: known.map_or_else(
                || shown_client_id(&self.view.snapshot.schemes, session),
                Arc::clone,
            ),
            tie: session.tie,
            username: session.username.clone(),
            credential: session.credential(),
            tenant: session.tenant.clone(),
            address: session.address.clone(),
            protocol: session.protocol,
            connected_at: session.began,
            authenticated: session.credential().is_some(),
            listener: session.listener,
            stored: session.stored,
        }
    }

    /// Has it written down anew who is connected: another store says what another
    /// one knew, or what this one knew before it lost its log.
    fn write_presence_anew(&self) {
        self.journal.writer.append(JournalEntry::Reopened);
        for session in self.sessions.connected() {
            if !session.is_arriving && self.config.hears_of_ends {
                self.journal.writer.observe_again(self.presence_of(session));
            }
        }
    }

    /// Says whether time changes nothing here.
    pub(crate) fn is_idle(&self) -> bool {
        self.sessions.are_idle() && !self.journal.host_log.has_more()
    }

    /// Says whether there is something for a poll to do at once.
    pub(crate) fn wants_poll(&self) -> bool {
        self.view.snapshot.complaints.are_due() || self.journal.host_log.has_notices()
    }

    /// What the host's log is to say of refusals that it said nothing of, and of
    /// what can't be read.
    pub(crate) fn complaints(&mut self, now: Timestamp) -> impl Iterator<Item = Directive> {
        let summary = self.journal.host_log.summary(now).into_iter();
        let summary = summary.map(|line| (LogLevel::Notice, line));
        let complaints = self.view.snapshot.complaints.take().into_iter();
        summary
            .chain(complaints.map(|line| (LogLevel::Error, line)))
            .map(|(level, line)| Directive::Log { level, line })
    }

    /// Ends a session if it still is the one with this number.
    pub(crate) fn kick_if(
        &mut self,
        handle: Handle,
        number: SessionNumber,
        reason: KickReason,
    ) -> Option<Directive> {
        let session = self.sessions.get(handle)?;
        (session.number == number)
            .then(|| self.kick(handle, reason))
            .flatten()
    }

    /// Ends a session or, if it is gone, what it left behind.
    pub(crate) fn kick(&mut self, handle: Handle, reason: KickReason) -> Option<Directive> {
        let session = self.sessions.get_mut(handle)?;
        let phase = session.phase;
        session.stop(reason);
        let (client_id, tie) = (Arc::clone(&session.client_id), session.tie);
        let label = session.label();
        let shown = shown_client_id(&self.view.snapshot.schemes, session);
        let is_due = match phase {
            Phase::Live => true,
            Phase::Kicked(_)
            | Phase::Gone {
                stopped: Some(_), ..
            } => false,
            // The host still holds its subscriptions; ending it once more
            // makes the host ask which of them to keep.
            Phase::Gone { stopped: None, .. } => {
                reason.is_final() && self.sessions.live(&tie).next().is_none()
            }
        };
        is_due.then(|| Directive::Kick {
            handle,
            client_id,
            line: format!("ended the session of {label} ({shown}): {reason}"),
        })
    }
}
