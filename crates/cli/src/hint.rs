//! What the command line adds to a refusal: the command that helps.

use countersign_admin::error::{AdminError, ErrorKind, Noun};

/// The way out in the words of the command line, with what joins it to the
/// message.
pub(crate) fn hint(error: &AdminError) -> Option<String> {
    let subject = error.subject();
    let name = &subject.name;
    let tenant = subject.tenant.as_ref().map_or("", |tenant| tenant.as_str());
    Some(match (error.kind(), subject.noun) {
        (ErrorKind::NotFound, Noun::Authority) => "; `ca list` shows all".into(),
        (ErrorKind::NotFound, Noun::Ban) => "; `ban list` shows all".into(),
        (ErrorKind::InUse, Noun::Ban) => "; --force bans it all the same".into(),
        (ErrorKind::NotFound, Noun::Broker) => "; `broker list` shows all".into(),
        (ErrorKind::NotFound, Noun::Tenant) => "; `tenant list` shows all".into(),
        (ErrorKind::NotFound, Noun::Certificate) => {
            format!("; `certificate list {name}` shows all")
        }
        (ErrorKind::NotFound, Noun::Follower) => "; `follower list` shows all".into(),
        (ErrorKind::NotFound, Noun::Hook) => "; `hook list` shows all".into(),
        (ErrorKind::NotFound, Noun::ApiToken) => "; `token list` shows all".into(),
        (ErrorKind::NotFound, Noun::Namespace) => {
            format!("; `tenant show {tenant}` lists what it owns")
        }
        (ErrorKind::NotFound, Noun::Application) => {
            format!("; `application list --tenant {tenant}` shows all")
        }
        (ErrorKind::NotFound, Noun::User) => "; `user list` shows all".into(),
        (ErrorKind::NotFound, Noun::SecondFactor) => format!("; `user mfa enrol {name}` makes one"),
        (ErrorKind::Exists, Noun::SecondFactor) => {
            format!("; take it away first with `user mfa disable {name}`")
        }
        (ErrorKind::WrongKind, Noun::Application) => "; use the commands of `application`".into(),
        (ErrorKind::WrongKind, Noun::Credential) => "; use the commands of `credential`".into(),
        (ErrorKind::WrongKind, Noun::Operator) => {
            ": `operator set|allow|deny|remove|show|delete` and `credential \
             suspend|reactivate|revoke|reset-password|rotate` are for it"
                .into()
        }
        (ErrorKind::WrongKind, Noun::Thing) => "; use the commands of `thing`".into(),
        (ErrorKind::NotFound, Noun::TokenIssuer) => "; `issuer list` shows all".into(),
        (ErrorKind::WrongKind, Noun::Token) => "; use the commands of `jwt`".into(),
        (ErrorKind::WrongKind, Noun::User) => "; use the commands of `user`".into(),
        (ErrorKind::NotFound, Noun::Role) => format!("; `role list --tenant {tenant}` shows all"),
        (ErrorKind::NotFound, Noun::Thing) => {
            format!("; `thing list --tenant {tenant}` shows all")
        }
        (ErrorKind::NotFound, Noun::Token) => "; `jwt list` shows those that have not ended".into(),
        (ErrorKind::Exists, Noun::Token) => "; choose another --whoami".into(),
        (ErrorKind::NotFound, Noun::SigningKey) => {
            "; `jwt list` shows what signed each token".into()
        }
        (ErrorKind::Unavailable, Noun::SigningKey) => {
            format!(", or make another key with `jwt rotate-key --tenant {tenant}`")
        }
        (ErrorKind::InUse, Noun::Role) => {
            "; take it from its holders first, or from all at once with --cascade".into()
        }
        (ErrorKind::NotFound, Noun::Operator) => "; `operator list` shows all".into(),
        (ErrorKind::Invalid, Noun::Application) => "; make one with `thing create`".into(),
        (ErrorKind::Conflict, Noun::Password) => {
            "; --weak takes it over all the same, and hashes it like a password".into()
        }
        (ErrorKind::Unavailable, Noun::Password) => " of `settings show`".into(),
        (ErrorKind::InUse, Noun::Tenant) => {
            "; delete them first, or all at once with --cascade".into()
        }
        (ErrorKind::Conflict, Noun::Rest) => {
            "; --take takes it, and --dry-run says who loses what".into()
        }
        (ErrorKind::Conflict, Noun::ClientId) => {
            "; `credential untie` or `credential set --client-id` frees it".into()
        }
        _ => return None,
    })
}
