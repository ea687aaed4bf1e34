//! The end of a login's wait.

use countersign::{Completion, CompletionStatus, Handle, LogLevel, Ticket};

use super::Plugin;
use super::connect::NO_USERNAME;
use crate::clients::AnsweredBy;
use crate::host::LoginCompletion;
use crate::instances;

impl Plugin {
    /// Ends the wait of a login.
    ///
    /// The broker knows it by its client id alone, and takes no notice if
    /// nobody waits. So it is looked at afterwards who has the id.
    pub(super) fn complete(
        &self,
        ticket: Ticket,
        handle: Handle,
        client_id: &str,
        completion: &Completion,
    ) {
        let Completion::Admit { username } = completion else {
            if let Completion::Refuse { line: Some(line) } = completion {
                self.log(LogLevel::Notice, line);
            }
            self.clients.borrow_mut().forget(handle);
            self.host
                .complete_login(client_id, LoginCompletion::Refused);
            return;
        };
        let username = username.as_deref();
        // The broker may hold another listener's client by this id.
        let is_shared = instances::others(self)
            .iter()
            .any(|it| it.clients.borrow().holds_waiting(client_id.as_bytes()));
        let login = if is_shared {
            LoginCompletion::Refused
        } else {
            LoginCompletion::Admitted
        };
        self.completing.set(Some(handle));
        self.host.complete_login(client_id, login);
        self.completing.set(None);
        let waited = self.clients.borrow().is_waiting(handle);
        let (mut is_here, mut has_username) = (false, false);
        self.host.with_client(client_id, &mut |client| {
            let is_its = waited && client.handle() == handle;
            is_here = is_its && self.host.address_text(client).is_some();
            has_username = is_here && self.host.ensure_username(client, username);
        });
        let mut clients = self.clients.borrow_mut();
        let arrival = match clients.waited(handle) {
            Some(password) if has_username => {
                let name = username.map(str::as_bytes);
                let print = clients.fingerprint(client_id.as_bytes(), name, password);
                clients.came(handle, AnsweredBy::Gate, print);
                CompletionStatus::Here
            }
            Some(_) | None => {
                clients.forget(handle);
                CompletionStatus::Gone
            }
        };
        drop(clients);
        if let Ok(mut gate) = self.gate.try_borrow_mut() {
            gate.completed(ticket, arrival);
        }
        if is_here && arrival == CompletionStatus::Gone {
            self.log(LogLevel::Error, NO_USERNAME);
            let _gone = self.host.kick(client_id);
        }
    }
}
