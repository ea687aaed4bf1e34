//! What a host asks about uses of topics.

use countersign_core::reason::Reason;
use countersign_core::rights::TopicUse;
use countersign_core::rule::Verdict;
use countersign_core::store::GateStore;

use crate::connection::external::judge_departed;
use crate::gate::Gate;
use crate::host::ClientRef;

impl<S: GateStore> Gate<S> {
    /// Judges one use of a topic.
    ///
    /// It takes less than a microsecond, no lock, no allocation and no store
    /// where the gate knows the session. Of a connection that it never saw log
    /// in (a host may restore some from its own memory) it asks the store once.
    pub fn check(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        self.check_sized(client, usage, 0)
    }

    /// Judges one use of a topic as [`Gate::check`] does; of a PUBLISH, one with so many
    /// bytes of payload. A host that does not say how many keeps no limits of bytes.
    pub fn check_sized(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Verdict {
        if let Some(verdict) = self.check_known_sized(client, usage, payload) {
            return verdict;
        }
        if self.logins.is_unauthenticated(client) {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        let state = &mut self.state;
        self.unseen.check(state, client, usage, payload)
    }

    /// Judges one use of a topic by a connection that the gate let in, of which
    /// it needs to be told nothing but its handle, client id and user name.
    /// None for any other: of that, [`Gate::check`] is to be asked.
    pub fn check_known(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Option<Verdict> {
        self.check_known_sized(client, usage, 0)
    }

    /// Judges one use of a topic as [`Gate::check_known`] does; of a PUBLISH, one with so
    /// many bytes of payload.
    pub fn check_known_sized(
        &mut self,
        client: &ClientRef<'_>,
        usage: TopicUse<'_>,
        payload: usize,
    ) -> Option<Verdict> {
        self.state.check(client, usage, payload)
    }

    /// Judges what a host asks about a client whose connection is over and that has
    /// no session, such as its Will. [`Gate::check`] would begin a session.
    pub fn check_departed(&mut self, client: &ClientRef<'_>, usage: TopicUse<'_>) -> Verdict {
        if self.logins.is_unauthenticated(client) {
            return Verdict::Deny(Reason::Unauthenticated);
        }
        judge_departed(&mut self.state, client, usage)
    }
}
