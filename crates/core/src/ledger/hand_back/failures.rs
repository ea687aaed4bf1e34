//! Failed logins that followers hand back, and logins that end what was counted.

use super::{CLOCKS_DIFFER, Judge, Refusal, Verdict, refuse_name};
use crate::credential::Credential;
use crate::kind::Kind;
use crate::ledger::LedgerTransaction;
use crate::ledger::lockouts::UNKNOWN_KEPT;
use crate::lockout::{Lockout, LockoutPolicy};
use crate::name::LoginName;
use crate::reason::Reason;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::user::{User, parse_user_name};

impl Judge<'_> {
    /// Failed logins of a user whom the follower is told of, or of nobody.
    pub(super) fn failed(
        &self,
        writing: &mut impl LedgerTransaction,
        name: &str,
        count: u32,
        at: Timestamp,
    ) -> Verdict {
        let (name, user) = match self.user_named(writing, name)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if at > self.now.plus(CLOCKS_DIFFER) {
            return refuse_name(&name, Reason::NotYetValid);
        }
        let at = at.min(self.now);
        let before = writing.lockout(&name)?;
        let policy = match user.as_ref().and_then(|user| user.kind.user()) {
            Some(user) => policy_of(writing, user)?,
            None => writing.settings()?.lockout,
        };
        let counted = 0..count.min(MOST_FAILURES);
        let after = counted.fold(before, |sum, _| sum.after_failure(&policy, at));
        if after == before {
            return Ok(Ok(()));
        }
        writing.put_lockout(&name, &after, user.is_some(), self.now)?;
        if user.is_none() && before == Lockout::default() {
            writing.keep_unknown_lockouts(UNKNOWN_KEPT, &name)?;
        }
        Ok(Ok(()))
    }

    /// A login of a user ends what was counted. It does not where a second factor is
    /// asked for: no broker of a follower lets such a user in, and who has the machine
    /// could have codes guessed elsewhere for ever.
    pub(super) fn cleared(&self, writing: &mut impl LedgerTransaction, name: &str) -> Verdict {
        let (name, user) = match self.user_named(writing, name)? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(user) = user else {
            return refuse_name(&name, Reason::UnknownName);
        };
        let person = user.kind.user();
        if person.is_none_or(|it| it.required_factor().is_some()) {
            return refuse_name(&name, Reason::MfaRequired);
        }
        if writing.lockout(&name)?.is_locked(self.now) {
            return refuse_name(&name, Reason::Locked);
        }
        writing.clear_lockout(&name)?;
        Ok(Ok(()))
    }

    /// The user with a name, or nobody; not one whom the follower is not told of.
    fn user_named(
        &self,
        writing: &mut impl LedgerTransaction,
        name: &str,
    ) -> Result<Result<(LoginName, Option<Credential>), Refusal>, StoreError> {
        let Ok(name) = parse_user_name(name) else {
            let subject = "#".to_owned();
            let cause = Reason::Malformed;
            return Ok(Err(Refusal { subject, cause }));
        };
        let found = writing.credential(&name)?;
        match found {
            None => Ok(Ok((name, None))),
            Some(found) if matches!(found.kind, Kind::User(_)) && self.knows(&found) => {
                Ok(Ok((name, Some(found))))
            }
            Some(_) => Ok(Err(Refusal {
                subject: name.to_string(),
                cause: Reason::OtherTenant,
            })),
        }
    }
}

/// When a user is locked out.
fn policy_of(
    writing: &mut impl LedgerTransaction,
    user: &User,
) -> Result<LockoutPolicy, StoreError> {
    let default = writing.settings()?.lockout;
    let mut policies = Vec::new();
    for grant in &user.grants {
        let tenant = writing.tenant(&grant.tenant)?;
        policies.push(tenant.and_then(|tenant| tenant.lockout));
    }
    Ok(LockoutPolicy::of_tenants(policies, default))
}

/// So many failures of a name count at once.
const MOST_FAILURES: u32 = 100;
