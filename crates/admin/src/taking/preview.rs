//! The preview of a taking: who loses what, and which live sessions.
//!
//! It looks and writes nothing, and so it does not keep brokers from writing
//! while it goes through all who belong to the owner of `#`.

use countersign_core::access::{Access, AccessSubject};
use countersign_core::credential::Credential;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rights::TopicUses;
use countersign_core::store::{BrokerPresence, CredentialQuery, Intent, StoreError, each_row};

use super::{Plan, Taken};
use crate::caller::Permission;
use crate::command::{Command, Tx};
use crate::difference::{LiveSessions, PossibleClientIds, RightsContext};
use crate::error::AdminError;
use crate::lookup::Rows;

/// Says who would lose what by an act that takes topics from the tenant that
/// owns `#`, and which of their sessions live. Tokens are left out, which end
/// soon. Refuses what the act would refuse, but for the taking itself.
#[derive(Clone, Debug)]
pub struct PreviewTaking<C>(pub C);

/// Who loses topics by an act.
#[derive(Debug)]
pub struct Loser {
    /// The tenant that owns `#`.
    pub tenant: TenantId,
    /// The principal; none stands for all clients without a login.
    pub name: Option<LoginName>,
    /// What it may no longer do.
    pub loses: Vec<TopicUses>,
    /// Its live sessions.
    pub sessions: Vec<BrokerPresence>,
}

impl<C: Plan> Command for PreviewTaking<C> {
    type Output = Vec<Loser>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Platform
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Vec<Loser>, AdminError> {
        match self.0.plan(tx)? {
            Some(taken) => Ok(Losers::of(tx, &taken)?.found),
            None => Ok(Vec::new()),
        }
    }
}

/// Those who lose something, as far as they are found.
struct Losers<'a> {
    taken: &'a Taken,
    /// As if the owner of `#` owned nothing but what is taken.
    policy: RightsContext,
    sessions: LiveSessions,
    found: Vec<Loser>,
}

impl<'a> Losers<'a> {
    fn of(rows: &mut Rows<'_>, taken: &'a Taken) -> Result<Self, StoreError> {
        let tenant = &taken.owner.id;
        let policy = RightsContext::read(rows, Some(taken.owner.clone()))?;
        let mut losers = Self {
            taken,
            policy: policy.with_namespaces(&taken.topics),
            sessions: LiveSessions::read(rows, tenant)?,
            found: Vec::new(),
        };
        if taken.owner.authentication.admits_anonymous() {
            losers.look(None, AccessSubject::Anonymous { tenant })?;
        }
        let query = CredentialQuery {
            tenant: Some(tenant.clone()),
            ..CredentialQuery::default()
        };
        let mut of_credential = |it: Credential| {
            let subject = AccessSubject::of_credential(&it);
            losers.look(Some(&it), subject)
        };
        each_row(|page| rows.credentials(&query, page), &mut of_credential)?;
        each_row(
            |page| rows.things(Some(tenant), None, page),
            &mut of_credential,
        )?;
        each_row(
            |page| rows.users(page),
            |it| {
                let credential = &it;
                losers.look(Some(&it), AccessSubject::User { credential, tenant })
            },
        )?;
        Ok(losers)
    }

    /// Keeps a principal if it loses something.
    fn look(
        &mut self,
        credential: Option<&Credential>,
        subject: AccessSubject<'_>,
    ) -> Result<(), StoreError> {
        let principal = credential.map(|it| it.id);
        let connected = self.sessions.client_ids(principal);
        let (nothing, access) = (Access::default(), self.policy.access(subject)?);
        let ids = match credential {
            Some(credential) => PossibleClientIds::of(credential, &[&access]),
            None => PossibleClientIds::of_anyone(&access),
        };
        let difference = self.policy.compare(&nothing, &access, &connected, &ids);
        let mut loses = difference.gains;
        // A scheme's own rules reach further than what is taken.
        loses.retain(|uses| self.taken.topics.iter().any(|it| it.covers(&uses.filter)));
        if !loses.is_empty() {
            self.found.push(Loser {
                tenant: self.taken.owner.id.clone(),
                name: credential.map(|it| it.name.clone()),
                loses,
                sessions: self.sessions.of(principal).to_vec(),
            });
        }
        Ok(())
    }
}
