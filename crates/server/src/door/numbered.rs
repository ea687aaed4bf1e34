//! Credentials by their numbers, as the paths of doors name them.

use countersign_admin::credential::{FindCredential, ShownCredential};
use countersign_admin::password::ChosenPassword;
use countersign_admin::{AdminError, Command, Permission, Tx};
use countersign_core::credential::CredentialId;
use countersign_core::name::LoginName;
use countersign_core::scheme::SchemeName;
use countersign_core::store::Intent;

use crate::call::Call;
use crate::problem::Problem;

/// The credential whose number a path has. No number is given a second time, so what
/// was found and deleted since is not taken for one that was made by its name.
pub(super) struct Numbered {
    find: FindCredential,
    pub(super) shown: ShownCredential,
}

impl Numbered {
    /// The one that a request names, of this scheme and of the door's tenant.
    pub(super) fn of(call: &mut Call<'_>, scheme: SchemeName) -> Result<Self, Problem> {
        let tenant = call.tenant_at_door(None)?;
        let text: String = call.part("id")?;
        let number = text.parse().ok();
        let number = number.filter(|number: &i64| number.to_string() == text);
        let id = CredentialId(number.ok_or_else(Problem::not_found)?);
        let find = FindCredential { tenant, scheme, id };
        let shown = call.run(&find)?;
        Ok(Self { find, shown })
    }

    /// Its name.
    pub(super) fn name(&self) -> LoginName {
        self.shown.credential.name.clone()
    }

    /// Runs a command that is about its name, if that is still its own.
    pub(super) fn run<C: Command>(
        &self,
        call: &mut Call<'_>,
        act: &C,
    ) -> Result<C::Output, Problem> {
        let find = &self.find;
        call.run(&IfThere { find, act })
    }
}

/// A command that is applied if a credential is there still.
struct IfThere<'a, C> {
    find: &'a FindCredential,
    act: &'a C,
}

impl<C: Command> Command for IfThere<'_, C> {
    type Output = C::Output;

    fn needs(&self) -> Permission {
        self.act.needs()
    }

    fn intent(&self) -> Intent {
        self.act.intent()
    }

    fn passwords(&self) -> Vec<&ChosenPassword> {
        self.act.passwords()
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<C::Output, AdminError> {
        tx.run(self.find)?;
        self.act.apply(tx)
    }
}

#[cfg(test)]
mod tests {
    use countersign_admin::credential::{ShowCredential, SuspendCredential};
    use countersign_admin::{Caller, Context, ErrorKind, OsRandom, run};
    use countersign_core::lifecycle::State;
    use countersign_core::name::TenantId;
    use serde_json::json;

    use super::*;
    use crate::call::now;
    use crate::fixture::Server;

    #[test]
    fn what_was_made_by_a_name_since_is_not_what_was_found() {
        let server = Server::start();
        let tenant = json!({ "id": "acme" });
        server.post("/api/v1/tenants", tenant).with(201);
        let new = json!({ "name": "dev1", "tenant": "acme" });
        let make = || server.post("/api/v1/credentials", new.clone()).with(201);
        let id = make().body["id"].as_i64().unwrap();
        server.delete("/api/v1/credentials/dev1@acme").with(204);
        make();
        let mut store = server.store();
        let context = &mut Context {
            now: now(),
            caller: Caller::owner("cli:test"),
            random: &mut OsRandom,
        };
        let name = LoginName::parse("dev1@acme").unwrap();
        let find = FindCredential {
            tenant: TenantId::parse("acme").unwrap(),
            scheme: SchemeName::basic(),
            id: CredentialId(id),
        };
        let suspend = IfThere {
            find: &find,
            act: &SuspendCredential(name.clone()),
        };
        let refused = run(&mut store, context, &suspend).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        let shown = run(&mut store, context, &ShowCredential(name)).unwrap();
        assert_eq!(shown.credential.state, State::Inactive);
    }
}
