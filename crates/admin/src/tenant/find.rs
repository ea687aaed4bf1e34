//! Which tenant a caller means.

use countersign_core::name::TenantId;
use countersign_core::store::Intent;

use crate::caller::{Permission, forbidden};
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun};
use crate::lookup;

/// Finds the tenant that a caller means: the one that is named, else the only one of
/// which the caller may see something.
///
/// It is for front ends that speak as systems do which tell their callers that there is a
/// tenant of others: such a one is forbidden, and not unknown.
#[derive(Clone, Debug)]
pub struct FindTenant {
    /// The one that is named.
    pub named: Option<TenantId>,
}

impl Command for FindTenant {
    type Output = TenantId;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Any
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<TenantId, AdminError> {
        let (authority, now) = (tx.caller.authority, tx.now);
        let Some(named) = &self.named else {
            let only = authority.only_tenant(tx, now)?;
            let none = || AdminError::invalid(Noun::Tenant, "", "say which tenant is meant");
            return only.ok_or_else(none);
        };
        lookup::check_tenant(tx, Some(named))?;
        match authority.limit_in(named, tx, now) {
            Ok(_) => Ok(named.clone()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!("the caller has no right in tenant `{named}`");
                Err(forbidden(text))
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Authority;
    use crate::fixture::{Fixture, JANE, tenant_id};

    #[test]
    fn the_tenant_is_the_named_one_or_the_only_one_and_that_of_others_is_forbidden() {
        let mut fixture = Fixture::with_admin();
        fixture.tenant("other", &[]).unwrap();
        fixture.user("paul@mail.test");
        let jane = fixture.session_of(JANE);
        let paul = fixture.session_of("paul@mail.test");
        let mut find = |by: Authority, named: Option<&str>| {
            let named = named.map(tenant_id);
            let found = fixture.run_by(by, &FindTenant { named });
            found
                .map(|tenant| tenant.to_string())
                .map_err(|error| error.kind())
        };
        for (by, named, found) in [
            (jane, None, Ok("acme")),
            (jane, Some("acme"), Ok("acme")),
            (jane, Some("other"), Err(ErrorKind::Forbidden)),
            (jane, Some("nope"), Err(ErrorKind::NotFound)),
            (paul, None, Err(ErrorKind::Invalid)),
            (paul, Some("acme"), Err(ErrorKind::Forbidden)),
            (Authority::Platform, None, Err(ErrorKind::Invalid)),
            (Authority::Platform, Some("other"), Ok("other")),
            (Authority::Platform, Some("nope"), Err(ErrorKind::NotFound)),
        ] {
            let found = found.map(str::to_owned);
            assert_eq!(find(by, named), found, "{by:?} {named:?}");
        }
    }
}
