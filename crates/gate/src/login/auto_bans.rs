//! Automatic bans: guesses are counted here, and the journal's writer makes the bans.

use countersign_core::backoff::Origin;
use countersign_core::options::ChainMode;
use countersign_core::reason::Reason;
use countersign_core::time::Timestamp;

use crate::journal::entry::JournalEntry;
use crate::state::State;

impl<S> State<S> {
    /// Takes note of why a login is refused. Where it was a guess, and one too many, its
    /// addresses are to be banned.
    pub(crate) fn count_guess(&mut self, address: Option<&str>, reason: Reason, now: Timestamp) {
        let rule = self.view.snapshot.settings.auto_ban.rule();
        // Of a broker that does not say who is gone, the address is the word of whoever
        // calls, and nobody knows who is logged in from there.
        let Some(rule) = rule.filter(|_| self.config.hears_of_ends) else {
            self.journal.failure_times.clear();
            return;
        };
        if !is_guess(reason, self.config.options.chain) {
            return;
        }
        if let Some(network) = self
            .journal
            .failure_times
            .add(Origin::of(address), rule, now)
        {
            let by = format!("broker:{}", self.config.broker());
            let ban = Box::new(rule.ban(network, by, now));
            self.journal.writer.append(JournalEntry::Banned(ban));
        }
    }
}

/// Says whether only guessing brings a refusal about, again and again. Clients whose
/// password is right never are banned for it, whatever keeps them out.
fn is_guess(reason: Reason, chain: ChainMode) -> bool {
    let is_unknown = matches!(reason, Reason::UnknownName | Reason::UnknownTenant);
    // Or else perhaps a name of somebody who is asked after us.
    matches!(reason, Reason::BadSecret | Reason::TooManyFailures)
        || is_unknown && chain != ChainMode::Defer
}
