//! What the plugin makes of each object of the file.

use std::collections::HashSet;

use countersign_control::acl::DEFAULT_PRIORITY;
use countersign_core::secret::SaltReading;

use super::object::Object;
use super::{
    Acl, AclKind, Client, DefaultAccess, DefaultUse, DynamicSecurity, Group, Membership, Role,
    Texts,
};
use crate::content::SourceContent;
use crate::error::SourceError;
use crate::json::Json;
use crate::source::{MOST_USERS, PassedOver, PassedOverReason, TOO_MANY_USERS};
use crate::stored_password::StoredPassword;

/// Reads the object that the file is.
pub(super) fn configuration(
    content: &SourceContent,
    root: &Json,
) -> Result<DynamicSecurity, SourceError> {
    let mut passed_over = Vec::new();
    let is_of_2_1 = is_of_2_1(root);
    let mut root = Object::root(&content.name, root)?;
    let mut read = DynamicSecurity {
        default_access: default_access(&mut root, &mut passed_over)?,
        roles: roles(&mut root, &mut passed_over)?,
        clients: clients(&mut root, &mut passed_over)?,
        groups: groups(&mut root, &mut passed_over)?,
        anonymous_group: root.text("anonymousGroup")?.map(|name| Membership {
            place: root.place_of("anonymousGroup"),
            name,
            priority: DEFAULT_PRIORITY,
        }),
        passed_over: Vec::new(),
        is_of_2_1,
    };
    root.ignore("changeIndex");
    root.finish(&mut passed_over);
    drop_dangling(&mut read, &mut passed_over);
    read.passed_over = passed_over;
    Ok(read)
}

/// Whether some object has a member that only 2.1 writes.
fn is_of_2_1(root: &Json) -> bool {
    [
        ("clients", "encoded_password"),
        ("roles", "allowwildcardsubs"),
    ]
    .into_iter()
    .any(|(list, member)| match find(root, list) {
        Some(Json::Array(items)) => items.iter().any(|item| find(item, member).is_some()),
        Some(_) | None => false,
    })
}

/// A member of an object, unless it is `null`.
fn find<'a>(json: &'a Json, name: &str) -> Option<&'a Json> {
    let Json::Object(members) = json else {
        return None;
    };
    let mut members = members.iter();
    let (_, value) = members.find(|(it, _)| it.eq_ignore_ascii_case(name))?;
    (*value != Json::Null).then_some(value)
}

/// Passes over what names a role, client or group that is not there.
fn drop_dangling(read: &mut DynamicSecurity, passed_over: &mut Vec<PassedOver>) {
    let roles: HashSet<&str> = read.roles.iter().map(|role| &*role.name).collect();
    let clients: HashSet<&str> = read.clients.iter().map(|it| &*it.username).collect();
    let groups: HashSet<Box<str>> = read.groups.iter().map(|it| it.name.clone()).collect();
    let mut keep = |names: &HashSet<&str>, members: &mut Vec<Membership>| {
        let mut seen = HashSet::new();
        members.retain(|member| {
            let why = if !names.contains(&*member.name) {
                PassedOverReason::NotThere
            } else if !seen.insert(member.name.clone()) {
                PassedOverReason::NameTaken
            } else {
                return true;
            };
            passed_over.push(PassedOver {
                place: member.place.clone(),
                what: member.name.clone(),
                why,
            });
            false
        });
    };
    for group in &mut read.groups {
        keep(&roles, &mut group.roles);
        keep(&clients, &mut group.clients);
    }
    drop(clients);
    for client in &mut read.clients {
        keep(&roles, &mut client.roles);
    }
    if let Some(group) = &read.anonymous_group
        && !groups.contains(&group.name)
    {
        passed_over.push(PassedOver {
            place: group.place.clone(),
            what: group.name.clone(),
            why: PassedOverReason::NotThere,
        });
        read.anonymous_group = None;
    }
}

fn default_access(
    root: &mut Object<'_>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Vec<DefaultAccess>, SourceError> {
    let Some(mut object) = root.object("defaultACLAccess")? else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for (name, of) in [
        ("publishClientReceive", DefaultUse::Deliver),
        ("publishClientSend", DefaultUse::Publish),
        ("subscribe", DefaultUse::Subscribe),
        ("unsubscribe", DefaultUse::Unsubscribe),
    ] {
        if let Some(is_allowed) = object.bool(name)? {
            all.push(DefaultAccess {
                place: object.place_of(name),
                of,
                is_allowed,
            });
        }
    }
    object.finish(passed_over);
    Ok(all)
}

fn roles(
    root: &mut Object<'_>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Vec<Role>, SourceError> {
    let mut roles: Vec<Role> = Vec::new();
    let mut names = HashSet::new();
    for mut object in root.objects("roles")? {
        let Some(name) = object.name("rolename", &mut names, passed_over)? else {
            continue;
        };
        roles.push(Role {
            name,
            texts: texts(&mut object)?,
            allows_wildcard_subscriptions: object.bool("allowwildcardsubs")?.unwrap_or(true),
            acls: acls(&mut object, passed_over)?,
            place: object.finish(passed_over),
        });
    }
    Ok(roles)
}

fn acls(role: &mut Object<'_>, passed_over: &mut Vec<PassedOver>) -> Result<Vec<Acl>, SourceError> {
    let mut acls = Vec::new();
    let mut seen = HashSet::new();
    for mut object in role.objects("acls")? {
        let kind = object.text("acltype")?;
        let topic = object.text("topic")?.unwrap_or_default();
        let priority = object.priority(0)?;
        let is_allowed = object.bool("allow")?.unwrap_or(false);
        let place = object.finish(passed_over);
        let kind = kind.as_deref().and_then(AclKind::of);
        let why = match kind {
            None => PassedOverReason::UnknownType,
            Some(_) if topic.is_empty() => PassedOverReason::Nameless,
            Some(kind) if !seen.insert((kind, topic.clone())) => PassedOverReason::NameTaken,
            Some(kind) => {
                acls.push(Acl {
                    place,
                    kind,
                    topic,
                    priority,
                    is_allowed,
                });
                continue;
            }
        };
        let what = topic;
        passed_over.push(PassedOver { place, what, why });
    }
    Ok(acls)
}

fn clients(
    root: &mut Object<'_>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Vec<Client>, SourceError> {
    let mut clients: Vec<Client> = Vec::new();
    let mut names = HashSet::new();
    for mut object in root.objects("clients")? {
        let Some(username) = object.name("username", &mut names, passed_over)? else {
            continue;
        };
        if clients.len() >= MOST_USERS {
            return Err(SourceError::new(object.place(), TOO_MANY_USERS));
        }
        clients.push(Client {
            username,
            client_id: object.text("clientid")?,
            texts: texts(&mut object)?,
            is_disabled: object.bool("disabled")?.unwrap_or(false),
            password: password(&mut object)?,
            roles: memberships(&mut object, "roles", "rolename", passed_over)?,
            place: object.finish(passed_over),
        });
    }
    Ok(clients)
}

/// The password of a client: 2.1's text, else 2.0's three members, which are a
/// text of the form `$7$` in other clothes.
fn password(client: &mut Object<'_>) -> Result<StoredPassword, SourceError> {
    let encoded = client.text("encoded_password")?;
    let rounds = client.integer("iterations")?.filter(|rounds| *rounds > 0);
    let salt = client.text("salt")?;
    let key = client.text("password")?;
    let text = match (encoded, rounds, salt, key) {
        (Some(encoded), ..) => encoded.into(),
        (None, Some(rounds), Some(salt), Some(key)) => format!("$7${rounds}${salt}${key}"),
        (None, ..) => return Ok(StoredPassword::Missing),
    };
    Ok(StoredPassword::read_hash(&text, SaltReading::Decoded))
}

fn groups(
    root: &mut Object<'_>,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Vec<Group>, SourceError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut names = HashSet::new();
    for mut object in root.objects("groups")? {
        let Some(name) = object.name("groupname", &mut names, passed_over)? else {
            continue;
        };
        groups.push(Group {
            name,
            texts: texts(&mut object)?,
            roles: memberships(&mut object, "roles", "rolename", passed_over)?,
            clients: memberships(&mut object, "clients", "username", passed_over)?,
            place: object.finish(passed_over),
        });
    }
    Ok(groups)
}

fn memberships(
    of: &mut Object<'_>,
    list: &str,
    member: &str,
    passed_over: &mut Vec<PassedOver>,
) -> Result<Vec<Membership>, SourceError> {
    let mut memberships = Vec::new();
    for mut object in of.objects(list)? {
        let name = object.text(member)?.unwrap_or_default();
        let priority = object.priority(DEFAULT_PRIORITY)?;
        let place = object.finish(passed_over);
        memberships.push(Membership {
            place,
            name,
            priority,
        });
    }
    Ok(memberships)
}

fn texts(object: &mut Object<'_>) -> Result<Texts, SourceError> {
    Ok(Texts {
        name: object.text("textname")?,
        description: object.text("textdescription")?,
    })
}
