//! Bans that nobody asked for, until they are written.

use countersign_core::ban::{Ban, BanTarget};
use countersign_core::store::{GateStore, StoreError};
use countersign_core::time::Timestamp;

use crate::counters::{BrokerAct, Counters};

/// Bans to be written. What finds no place is counted anew.
#[derive(Debug, Default)]
pub(crate) struct WaitingBans(Vec<Ban>);

impl WaitingBans {
    pub(crate) fn push(&mut self, ban: Ban) {
        self.0.retain(|other| other.target != ban.target);
        if self.0.len() < MOST_BANS_WAITING {
            self.0.push(ban);
        }
    }

    /// Writes them, once it is written who is connected by now. After one that fails
    /// the rest is for the next time.
    pub(crate) fn write(
        &mut self,
        store: &mut impl GateStore,
        counters: &Counters,
        now: Timestamp,
    ) {
        while let Some(ban) = self.0.last() {
            match write(ban, store, now) {
                Ok(true) => counters.act(BrokerAct::Ban, true),
                Ok(false) => {}
                Err(_) => return,
            }
            self.0.pop();
        }
    }
}

/// Writes a ban, unless somebody is logged in from there; says whether it did.
fn write(ban: &Ban, store: &mut impl GateStore, now: Timestamp) -> Result<bool, StoreError> {
    match ban.target {
        BanTarget::Network(network) if !store.has_login_from(network)? => {
            store.ban_automatically(ban, now)
        }
        BanTarget::ClientId(..) | BanTarget::Network(_) => Ok(false),
    }
}

const MOST_BANS_WAITING: usize = 1_024;

#[cfg(test)]
mod tests {
    use core::net::{IpAddr, Ipv4Addr};

    use countersign_core::ban::AutoBan;
    use countersign_core::network::Network;

    use super::*;

    #[test]
    fn so_many_bans_wait_once_each_and_not_more() {
        let rule = AutoBan::parse("1/1s:1h").unwrap().rule().unwrap();
        let ban = |number: u32, now| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(number));
            rule.ban(Network::of(address), "broker:b".into(), now)
        };
        let mut waiting = WaitingBans::default();
        for number in (0..2_000).chain([0]) {
            waiting.push(ban(number, Timestamp::from_millis(number.into())));
        }
        assert_eq!(waiting.0.len(), MOST_BANS_WAITING);
        assert_eq!(waiting.0.last(), Some(&ban(0, Timestamp::from_millis(0))));
    }
}
