//! Looking for the sessions that changes concern: at a part of all sessions in each
//! poll, and for all changes at once that wait.
//!
//! A look takes as long as there are sessions, whatever it is for. So the changes that
//! come while one is under way wait for the next, which looks for all of them.

use std::collections::{HashMap, HashSet};

use countersign_core::change::KickRequestId;
use countersign_core::client_id::ClientIdTie;
use countersign_core::name::{GroupPath, TenantId};
use countersign_core::presence::SessionNumber;

use crate::connection::session::Session;
use crate::connection::sessions::Sessions;
use crate::host::Handle;

/// A look at all sessions.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// What is looked for.
    sought: Sought,
    /// The last session that was looked at.
    last: Option<SessionNumber>,
    /// What the next look is for.
    next: Sought,
}

/// What is looked for.
#[derive(Debug, Default)]
pub(super) struct Sought {
    /// Whether all sessions are concerned.
    pub(super) is_everything: bool,
    /// Whether bans are other ones.
    pub(super) is_about_bans: bool,
    /// Tenants that changed.
    pub(super) tenants: HashSet<TenantId>,
    /// Groups whose roles changed.
    groups: HashMap<TenantId, HashSet<Box<str>>>,
    /// Client ids whose sessions are to be ended, and who asked for it.
    kicks: HashMap<ClientIdTie, Vec<KickRequestId>>,
}

impl Sweep {
    /// What the next look is to be for.
    pub(super) fn next(&mut self) -> &mut Sought {
        &mut self.next
    }

    /// Says whether nothing is looked for.
    pub(super) fn is_over(&self) -> bool {
        self.sought.is_empty() && self.next.is_empty()
    }

    /// The next sessions, at most so many, and what is looked for among them. None
    /// where nothing is.
    pub(super) fn step(
        &mut self,
        sessions: &Sessions,
        most: usize,
    ) -> Option<(Vec<Handle>, &mut Sought)> {
        if self.last.is_none() {
            self.sought = core::mem::take(&mut self.next);
        }
        if self.sought.is_empty() {
            return None;
        }
        let found: Vec<_> = sessions.after(self.last).take(most).collect();
        // A session that begins meanwhile was let in by what holds now; that it is
        // looked at does no harm.
        self.last = found.last().map(|(number, _)| *number);
        let handles = found.into_iter().map(|(_, handle)| handle).collect();
        if self.last.is_none() {
            self.sought = Sought::default();
        }
        Some((handles, &mut self.sought))
    }
}

impl Sought {
    fn is_empty(&self) -> bool {
        !self.is_everything
            && !self.is_about_bans
            && self.tenants.is_empty()
            && self.groups.is_empty()
            && self.kicks.is_empty()
    }

    /// Has the sessions in a group and in those below it looked for.
    pub(super) fn add_group(&mut self, tenant: TenantId, group: &GroupPath) {
        let groups = self.groups.entry(tenant).or_default();
        groups.insert(group.as_str().into());
    }

    /// Has the sessions of a client id looked for.
    pub(super) fn add_kick(&mut self, tie: ClientIdTie, request: KickRequestId) {
        self.kicks.entry(tie).or_default().push(request);
    }

    /// Says whether all of a session's tenant is looked for.
    pub(super) fn is_of_tenant(&self, session: &Session) -> bool {
        let tenant = session.tenant.as_ref();
        self.is_everything || tenant.is_some_and(|tenant| self.tenants.contains(tenant))
    }

    /// Says whether tenants are looked for, so that it may be another's by now how a
    /// client id begins, and no tenant may be open any more.
    pub(super) fn is_about_tenants(&self) -> bool {
        self.is_everything || !self.tenants.is_empty()
    }

    /// Says whether a session is in a group that is looked for, or below one.
    pub(super) fn has_group_of(&self, session: &Session) -> bool {
        let tenant = session.tenant.as_ref();
        let Some(sought) = tenant.and_then(|tenant| self.groups.get(tenant)) else {
            return false;
        };
        session.groups().iter().any(|group| {
            let path = group.as_str();
            let ends = path.match_indices('.').map(|(end, _)| end);
            let mut above = ends.chain([path.len()]).filter_map(|end| path.get(..end));
            above.any(|path| sought.contains(path))
        })
    }

    /// Says whether a session is to be ended, and takes out who asked for it: it is
    /// answered once.
    pub(super) fn take_kicks(&mut self, session: &Session) -> Option<Vec<KickRequestId>> {
        let requests = self.kicks.get_mut(&session.tie)?;
        Some(core::mem::take(requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::sessions::sample;

    fn sessions(count: i64) -> Sessions {
        let mut sessions = Sessions::default();
        for number in 1..=count {
            let handle = Handle(usize::try_from(number).unwrap());
            sessions.insert(handle, sample(number, 1, None, false));
        }
        sessions
    }

    #[test]
    fn nothing_is_looked_for_at_first() {
        let mut sweep = Sweep::default();
        assert!(sweep.is_over());
        assert!(sweep.step(&sessions(3), 10).is_none());
    }

    #[test]
    fn a_change_of_a_group_concerns_the_sessions_in_it_and_below_alone() {
        let tenant = |id| TenantId::parse(id).unwrap();
        let group = |path: &str| GroupPath::parse(path).unwrap();
        let in_groups = |of, groups: &[&str]| {
            let mut session = sample(1, 1, Some(1), false);
            session.tenant = Some(tenant(of));
            session.extension_mut().groups = groups.iter().map(|path| group(path)).collect();
            session
        };
        let mut sought = Sought::default();
        sought.add_group(tenant("acme"), &group("DM"));
        sought.add_group(tenant("acme"), &group("B.X"));
        for (of, groups, is_in_it) in [
            ("acme", ["DM"].as_slice(), true),
            ("acme", &["A", "DM.X.Y"], true),
            ("acme", &["B.X"], true),
            ("acme", &["B", "B.Y"], false),
            ("acme", &["DMX", "DM-X"], false),
            ("acme", &[], false),
            ("other", &["DM"], false),
        ] {
            let session = in_groups(of, groups);
            assert_eq!(sought.has_group_of(&session), is_in_it, "{of} {groups:?}");
        }
    }

    #[test]
    fn a_request_to_kick_is_answered_once() {
        let mut sought = Sought::default();
        let session = sample(1, 1, None, false);
        assert_eq!(sought.take_kicks(&session), None);
        sought.add_kick(session.tie, KickRequestId(1));
        sought.add_kick(session.tie, KickRequestId(2));
        let requests = vec![KickRequestId(1), KickRequestId(2)];
        assert_eq!(sought.take_kicks(&session), Some(requests));
        assert_eq!(sought.take_kicks(&session), Some(Vec::new()));
    }

    #[test]
    fn a_look_comes_to_every_session_once_and_what_changes_meanwhile_waits_for_the_next() {
        let mut sessions = sessions(10);
        let mut sweep = Sweep::default();
        let acme = || TenantId::parse("acme").unwrap();
        sweep.next().tenants.insert(acme());
        let mut seen = Vec::new();
        for round in 0..2 {
            let mut steps = 0;
            while let Some((handles, sought)) = sweep.step(&sessions, 3) {
                if handles.is_empty() {
                    break;
                }
                assert!(handles.len() <= 3 && sought.tenants.len() == 1);
                assert_eq!(sought.is_everything, round == 1);
                seen.extend(handles);
                steps += 1;
                if (round, steps) == (0, 2) {
                    let next = sweep.next();
                    next.tenants.insert(acme());
                    next.is_everything = true;
                    // What is gone is not looked at, also where it was the last.
                    sessions.remove(Handle(6));
                    sessions.remove(Handle(9));
                }
            }
        }
        let first = [1, 2, 3, 4, 5, 6, 7, 8, 10];
        let second = [1, 2, 3, 4, 5, 7, 8, 10];
        let expected: Vec<_> = first.into_iter().chain(second).map(Handle).collect();
        assert_eq!(seen, expected);
        assert!(sweep.step(&sessions, 3).is_none() && sweep.is_over());
    }
}
