//! Bans, kept in memory: laid out for the host's thread, and read beside it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use countersign_core::ban::{Ban, BanId, BanSet, BanSubject, BanTarget};
use countersign_core::change::{Change, ChangeSeq};
use countersign_core::store::{GateStore, LogPosition, Page, StoreError};
use countersign_core::time::Timestamp;

/// All bans, as far as a change.
#[derive(Clone, Debug)]
pub(crate) struct Bans {
    set: Arc<BanSet>,
    seq: ChangeSeq,
}

impl Bans {
    /// Says whether a client is refused, as far as is known here.
    pub(crate) fn refuse(&self, subject: &BanSubject<'_>, now: Timestamp) -> bool {
        self.set.refuses(subject, now)
    }

    /// Says whether an address is banned, as far as is known here.
    pub(crate) fn has_address(&self, address: IpAddr, now: Timestamp) -> bool {
        self.set.has_address(address, now)
    }

    /// Says whether a client is refused by what the store holds now, of which the logs
    /// go so far. Asks the store only if somebody has just changed a ban.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn refuse_now<S: GateStore>(
        &self,
        subject: &BanSubject<'_>,
        store: &mut S,
        log_position: LogPosition,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if log_position.last_ban_change <= self.seq {
            return Ok(self.refuse(subject, now));
        }
        store.is_banned(subject, now)
    }

    /// Says whether nobody is banned, by a store of which the logs go so far.
    pub(crate) fn are_none(&self, log_position: LogPosition) -> bool {
        self.set.is_empty() && log_position.last_ban_change <= self.seq
    }

    /// Has the store asked until bans were read again: other files stand in its place.
    pub(crate) fn distrust(&mut self) {
        self.seq = ChangeSeq(i64::MIN);
    }
}

/// What is read of the bans of a store, to be laid out again when one changes.
#[derive(Debug, Default)]
pub(crate) struct BanTable {
    bans: BTreeMap<BanId, (BanTarget, Option<Timestamp>)>,
    /// What changed, and was not read since.
    due: Due,
}

/// What is to be read again.
#[derive(Debug, Default)]
enum Due {
    All,
    #[default]
    Nothing,
    Some(Vec<BanId>),
}

impl BanTable {
    /// Reads all bans of a store whose log went as far as `seq`, and lays them out.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read.
    pub(crate) fn read<S: GateStore>(
        store: &mut S,
        seq: ChangeSeq,
        now: Timestamp,
    ) -> Result<(Self, Bans), StoreError> {
        let mut table = Self {
            due: Due::All,
            ..Self::default()
        };
        table.catch_up(store)?;
        let bans = table.lay_out(seq, now);
        Ok((table, bans))
    }

    /// Takes note of changes.
    pub(crate) fn note(&mut self, changes: &[Change]) {
        for change in changes {
            match (change, &mut self.due) {
                (Change::Everything, due) => *due = Due::All,
                (Change::Ban(id), Due::Some(due)) => due.push(*id),
                (Change::Ban(id), due @ Due::Nothing) => *due = Due::Some(vec![*id]),
                (_, Due::All | Due::Nothing | Due::Some(_)) => {}
            }
        }
    }

    /// Reads what changed; says whether anything did.
    ///
    /// # Errors
    ///
    /// Returns the store's error when it can't be read; it is read the next time then.
    pub(crate) fn catch_up<S: GateStore>(&mut self, store: &mut S) -> Result<bool, StoreError> {
        match &self.due {
            Due::Nothing => return Ok(false),
            Due::All => {
                let mut all = BTreeMap::new();
                let mut page = Page::default();
                loop {
                    let listed = store.bans(&page)?;
                    all.extend(listed.rows.into_iter().map(kept));
                    match listed.next {
                        Some(last) => page = Page::after(last),
                        None => break,
                    }
                }
                self.bans = all;
            }
            Due::Some(ids) => {
                for id in ids {
                    match store.ban(*id)? {
                        Some(ban) => drop(self.bans.insert(*id, kept(ban).1)),
                        None => drop(self.bans.remove(id)),
                    }
                }
            }
        }
        self.due = Due::Nothing;
        Ok(true)
    }

    /// Lays them out, as they are after this change. Those that have ended go.
    pub(crate) fn lay_out(&mut self, seq: ChangeSeq, now: Timestamp) -> Bans {
        self.bans
            .retain(|_, (_, until)| until.is_none_or(|until| now < until));
        let bans = self.bans.values().map(|(target, until)| (target, *until));
        Bans {
            set: Arc::new(BanSet::new(bans)),
            seq,
        }
    }
}

fn kept(ban: Ban) -> (BanId, (BanTarget, Option<Timestamp>)) {
    (ban.id, (ban.target, ban.until))
}
