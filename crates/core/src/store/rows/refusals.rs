//! Refused logins and denied uses of topics, summed up by the minute.

use crate::audit::{AuditEntry, AuditRow, RefusedAct};
use crate::reason::Reason;
use crate::store::StoreError;
use crate::time::Timestamp;

/// A row of refusals: what differs in any but the count and what is known about
/// it is another row.
#[derive(Clone, Copy, Debug)]
pub struct RefusalRow<'a> {
    /// The start of the minute.
    pub minute: Timestamp,
    /// At which broker, or [`RefusalRow::SERVICE`].
    pub broker: &'a str,
    /// What was refused.
    pub act: RefusedAct,
    /// The name that was presented, or that of the session's principal, or
    /// [`RefusalRow::ALL_OTHERS`].
    pub subject: &'a str,
    /// Where it came from; empty where that is not known.
    pub address: &'a str,
    /// Why.
    pub cause: Reason,
    /// The client id that was asked for, or [`RefusalRow::ALL_OTHERS`]; empty
    /// where that is not known.
    pub client_id: &'a str,
    /// The topic or filter that was to be used, or [`RefusalRow::ALL_OTHERS`]; empty
    /// of a login.
    pub topic: &'a str,
    /// What else there is to know about it, as JSON.
    pub about: Option<&'a str>,
    /// How often.
    pub count: i64,
}

impl<'a> RefusalRow<'a> {
    /// Stands for all names, addresses, client ids or topics that have no row of
    /// their own.
    pub const ALL_OTHERS: &'static str = "*";
    /// Stands for the service in the place of a broker. No broker is called so.
    pub const SERVICE: &'static str = "";

    pub(crate) fn of(broker: &'a str, refusal: &'a Refusal) -> Self {
        Self {
            minute: refusal.minute,
            broker,
            act: refusal.act,
            subject: &refusal.subject,
            address: refusal.address.as_deref().unwrap_or(""),
            cause: refusal.cause,
            client_id: refusal.client_id.as_deref().unwrap_or(""),
            topic: refusal.topic.as_deref().unwrap_or(""),
            about: refusal.about.as_deref(),
            count: refusal.count,
        }
    }

    /// A sum of all that have no row of their own.
    #[must_use]
    pub fn of_all_others(
        minute: Timestamp,
        broker: &'a str,
        act: RefusedAct,
        cause: Reason,
        count: i64,
    ) -> Self {
        Self {
            minute,
            broker,
            act,
            subject: Self::ALL_OTHERS,
            address: "",
            cause,
            client_id: "",
            topic: if act == RefusedAct::Login {
                ""
            } else {
                Self::ALL_OTHERS
            },
            about: None,
            count,
        }
    }

    /// What the audit says of it.
    #[must_use]
    pub fn entry(&self) -> AuditEntry {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let actor = if self.broker == Self::SERVICE {
            format!("http:{}", self.subject)
        } else {
            format!("broker:{}", self.broker)
        };
        AuditEntry {
            outcome: self.act.outcome(),
            cause: Some(self.cause),
            address: filled(self.address),
            client_id: filled(self.client_id),
            topic: filled(self.topic),
            count: self.count,
            after: self.about.map(str::to_owned),
            ..AuditEntry::done(self.minute, actor, self.act.as_str(), self.subject)
        }
    }
}

/// Refusals that are summed up.
///
/// Its methods fail when the store can't be read, and those that write when it
/// can't be written.
pub trait RefusalRows {
    /// Adds to a row, and replaces what is known about its cause; says whether
    /// there is such a row. The sum stays a whole number.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn add_to_refusal(&mut self, row: &RefusalRow<'_>) -> Result<bool, StoreError>;

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn add_refusal(&mut self, row: &RefusalRow<'_>) -> Result<(), StoreError>;

    /// How many rows differ from this one by the client id alone, up to `most`.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn count_refused_client_ids(
        &mut self,
        row: &RefusalRow<'_>,
        most: usize,
    ) -> Result<usize, StoreError>;

    /// How many rows of a minute name an address, or another name than
    /// [`RefusalRow::ALL_OTHERS`]: of logins or, with `are_uses`, of uses of topics.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn count_named_refusals(
        &mut self,
        minute: Timestamp,
        are_uses: bool,
    ) -> Result<usize, StoreError>;

    /// Counts refusals that are summed up from now on, for the head of their
    /// chain.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn count_staged_refusals(&mut self, more: i64) -> Result<(), StoreError>;

    /// The newest sums that are in no chain yet, up to `most`, in order of time.
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn staged_refusals(&mut self, most: usize) -> Result<Vec<AuditRow>, StoreError>;

    /// Removes up to `most` sums of refusals of minutes that start no later than
    /// `last`, the oldest first, and says what the audit says of each
    /// ([`RefusalRow::entry`]).
    ///
    /// # Errors
    ///
    /// See [`RefusalRows`].
    fn take_refusals(
        &mut self,
        last: Timestamp,
        most: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}

/// Refused logins of one minute, name, address, client id and reason, or denied
/// uses of one minute, principal, topic and reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The start of the minute.
    pub minute: Timestamp,
    /// What was refused.
    pub act: RefusedAct,
    /// The name that was presented, masked where names are secret, or that of the
    /// session's principal.
    pub subject: String,
    /// Where it came from.
    pub address: Option<String>,
    /// The client id that was asked for, as it may be shown.
    pub client_id: Option<String>,
    /// The topic or filter that was to be used, as it may be shown.
    pub topic: Option<String>,
    /// Why it was refused.
    pub cause: Reason,
    /// What else there is to know about it, as JSON.
    pub about: Option<String>,
    /// How often, to be added to what is written already.
    pub count: i64,
}
