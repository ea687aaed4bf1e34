//! What a client comes to, but for its roles and groups.

use countersign_admin::text::FreeText;
use countersign_control::acl::TEXT_NAME;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::check_attribute;

use crate::given_password::given;
use crate::plan::desired::{DesiredCredential, Item};
use crate::source::dynamic_security::{Client, Texts};

/// Fills in what a client's own object says.
pub(super) fn fill(credential: &mut DesiredCredential, client: &Client, accept_weak: bool) {
    let mut item = Item::kept(client.place.clone(), client.username.clone());
    credential.is_suspended = client.is_disabled;
    match client.client_id.as_deref() {
        None => {}
        Some("") => {
            credential.is_suspended = true;
            item.change(
                "its client id is empty, with which nobody logs in as it there; here it is \
                 Suspended",
            );
        }
        Some(id) => match ClientId::parse(id) {
            Ok(id) => credential.client_id_rule = ClientIdRule::Exact(id),
            // Without it, it could be used with any.
            Err(why) => credential.login = Err(format!("its client id can't be kept: {why}")),
        },
    }
    credential.description = description(&client.texts, &mut item);
    if let Some(name) = client.texts.name.as_deref().filter(|name| !name.is_empty()) {
        match check_attribute(TEXT_NAME, name) {
            Ok(()) => {
                credential.attributes.insert(TEXT_NAME.into(), name.into());
            }
            Err(why) => item.change(format!("its textname is not kept: {why}")),
        }
    }
    credential.password = given(&client.password, item, accept_weak);
}

/// What people wrote about something, if it can be kept.
pub(super) fn description(texts: &Texts, item: &mut Item) -> Option<FreeText> {
    match FreeText::parse(texts.description.as_deref()?) {
        Ok(text) => Some(text),
        Err(why) => {
            item.change(format!("its textdescription is not kept: {why}"));
            None
        }
    }
}
