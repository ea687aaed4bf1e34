//! A host that reads its configuration again.

use countersign_core::change::Change;
use countersign_core::options::Options;
use countersign_core::store::GateStore;

use crate::gate::Gate;

impl<S: GateStore> Gate<S> {
    /// Reads the settings, the tenants and the key again, as a host's reload asks
    /// for. Until the next poll a host may ask again about live connections.
    ///
    /// What the store says reaches live sessions without this; it mends what a
    /// damaged store may have kept from them.
    pub fn reload(&mut self) {
        // An open store keeps what it read.
        if let Ok(store) = self.store.reopen() {
            self.users.seal_key = self.follower.read_key(&store);
        }
        self.users.command_queue.reload();
        self.users.is_reloading = true;
        self.named_tenants.say_again();
        self.backlog.push(Change::Everything);
    }

    /// Takes over other options, and [reloads](Self::reload).
    ///
    /// The tenants of listeners, the default tenant, the listeners with TLS and
    /// the chain hold for every login from now on; sessions that are live
    /// already stay.
    ///
    /// # Errors
    ///
    /// Returns [`OptionChangeError`] when an option differs that a gate is
    /// opened with: `store`, `broker`, `hash_threads`, `hash_budget` or
    /// `hash_round`. Nothing changed then.
    pub fn change_options(&mut self, options: Options) -> Result<(), OptionChangeError> {
        let now = &self.config.options;
        let differs = [
            ("store", now.store != options.store),
            ("broker", now.broker != options.broker),
            ("hash_threads", now.hash_threads != options.hash_threads),
            ("hash_budget", now.hash_budget != options.hash_budget),
            ("hash_round", now.hash_round != options.hash_round),
        ];
        if let Some((option, _)) = differs.into_iter().find(|(_, differs)| *differs) {
            return Err(OptionChangeError { option });
        }
        self.config.options = options;
        self.reload();
        Ok(())
    }
}

/// An option differs that holds for as long as a gate is open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("option `{option}` can't change while the gate is open; close it and open it again")]
pub struct OptionChangeError {
    option: &'static str,
}

impl OptionChangeError {
    /// Which option it is.
    #[must_use]
    pub const fn option(&self) -> &'static str {
        self.option
    }
}
