//! The files of `tests/cases/import/`, each read by its parser.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::path::Path;

use countersign_import::source::acl_file::{AclEntry, AclFile, FileAccess, Section};
use countersign_import::source::csv::{Row, RowLogin, Table};
use countersign_import::source::dynamic_security::{
    DefaultUse, DynamicSecurity, Membership, Texts,
};
use countersign_import::source::passwords::PasswordFile;
use countersign_import::source::{Dialect, PassedOver};
use countersign_import::{Place, SourceContent, SourceError, SourceName, StoredPassword};
use countersign_testkit::cases::{Case, ImportCase, load};

/// Runs all cases of a kind; `read` says what was read, what was passed over, and
/// how many items there are.
fn run(kind: &str, file: &str, read: impl Fn(&ImportCase, &SourceContent) -> Told) {
    for Case { name, fields, .. } in load::<ImportCase>(&format!("import/{kind}")).unwrap() {
        let content = SourceContent::new(SourceName::of(Path::new(file)), fields.bytes());
        match (read(&fields, &content), &fields.error) {
            (Ok(told), None) => {
                assert_eq!(told.items, fields.items(), "{name}");
                assert_eq!(told.passed, fields.passed, "{name}");
                let told_of = told.items.iter().chain(&told.passed).count();
                assert_eq!(told.count, told_of, "{name}");
            }
            (Err(error), Some(expected)) => assert_eq!(error.to_string(), *expected, "{name}"),
            (Ok(told), Some(_)) => panic!("{name}: {:?}", told.items),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}

type Told = Result<Summary, SourceError>;

struct Summary {
    items: Vec<String>,
    passed: Vec<String>,
    count: usize,
}

/// A place without the name of its file.
fn at(place: &Place, file: &str) -> String {
    let shown = place.to_string();
    let rest = shown.strip_prefix(file).unwrap();
    rest.strip_prefix(':').unwrap_or(rest).to_owned()
}

fn passed(all: &[PassedOver], file: &str) -> Vec<String> {
    let one = |it: &PassedOver| format!("{} {}: {}", at(&it.place, file), it.what, it.why);
    all.iter().map(one).collect()
}

fn password(password: &StoredPassword) -> String {
    match password {
        StoredPassword::Hash(_) => "hash".into(),
        StoredPassword::Missing => "missing".into(),
        StoredPassword::Plain(_) => "plain".into(),
        StoredPassword::Unusable(error) => error.to_string(),
    }
}

fn dialect(case: &ImportCase) -> Dialect {
    match case.dialect.as_deref() {
        Some("go-auth") => Dialect::GoAuth,
        Some("mosquitto") => Dialect::Mosquitto,
        other => panic!("{other:?}"),
    }
}

#[test]
fn passwords() {
    run("passwords", "passwords", |case, content| {
        let file = PasswordFile::parse(content, dialect(case))?;
        let users = file.users.iter().map(|user| {
            let place = at(&user.place, "passwords");
            format!("{place} {} {}", user.name, password(&user.password))
        });
        Ok(Summary {
            items: users.collect(),
            passed: passed(&file.passed_over, "passwords"),
            count: file.items(),
        })
    });
}

#[test]
fn acl_file() {
    run("acl_file", "acl", |case, content| {
        let file = AclFile::parse(content, dialect(case))?;
        let lines = file.lines.iter().map(|line| {
            let place = at(&line.place, "acl");
            match &line.content {
                AclEntry::User(name) => format!("{place} user {name}"),
                AclEntry::Rule {
                    section,
                    access,
                    topic,
                } => {
                    let section = match section {
                        Section::BeforeUsers => "before".into(),
                        Section::Pattern => "pattern".into(),
                        Section::User(name) => format!("of {name}"),
                    };
                    let access = match access {
                        FileAccess::Deny => "deny",
                        FileAccess::Read => "read",
                        FileAccess::ReadWrite => "readwrite",
                        FileAccess::Subscribe => "subscribe",
                        FileAccess::Write => "write",
                    };
                    format!("{place} {section} {access} {topic}")
                }
            }
        });
        Ok(Summary {
            items: lines.collect(),
            passed: Vec::new(),
            count: file.items(),
        })
    });
}

#[test]
fn csv() {
    run("csv", "table", |_, content| {
        let table = Table::parse(content)?;
        Ok(Summary {
            items: table.rows.iter().map(row).collect(),
            passed: Vec::new(),
            count: table.items(),
        })
    });
}

fn row(row: &Row) -> String {
    let login = match &row.login {
        RowLogin::Generated => "generated".into(),
        RowLogin::Hash(hash) => password(hash),
        RowLogin::Password(_) => "password".into(),
        RowLogin::Secret(_) => "secret".into(),
    };
    let list = |items: &[Box<str>]| (!items.is_empty()).then(|| items.join(",").into());
    let mut shown = format!("{} name={}", at(&row.place, "table"), row.name);
    for (name, value) in [
        ("scheme", row.scheme.clone()),
        ("tenant", row.tenant.clone()),
        ("login", Some(login.into())),
        ("client_id", row.client_id.clone()),
        ("groups", list(&row.groups)),
        ("roles", list(&row.roles)),
        ("description", row.description.clone()),
        ("state", row.state.clone()),
        ("expires", row.expires.clone()),
        ("not_before", row.not_before.clone()),
    ] {
        if let Some(value) = value {
            shown += &format!(" {name}={value}");
        }
    }
    for (name, value) in &row.attributes {
        shown += &format!(" attr.{name}={value}");
    }
    shown
}

#[test]
fn dynamic_security() {
    run("dynamic_security", "ds", |_, content| {
        let read = DynamicSecurity::parse(content)?;
        let verdict = |is_allowed: bool| if is_allowed { "allow" } else { "deny" };
        let mut items = Vec::new();
        for default in &read.default_access {
            let of = match default.of {
                DefaultUse::Deliver => "deliver",
                DefaultUse::Publish => "publish",
                DefaultUse::Subscribe => "subscribe",
                DefaultUse::Unsubscribe => "unsubscribe",
            };
            let place = at(&default.place, "ds");
            items.push(format!("{place} {of} {}", verdict(default.is_allowed)));
        }
        for client in &read.clients {
            let mut shown = format!("{} client {}", at(&client.place, "ds"), client.username);
            if let Some(id) = &client.client_id {
                shown += &format!(" id={id}");
            }
            shown += &texts(&client.texts);
            if client.is_disabled {
                shown += " disabled";
            }
            items.push(format!("{shown} {}", password(&client.password)));
            items.extend(client.roles.iter().map(member));
        }
        for group in &read.groups {
            let place = at(&group.place, "ds");
            items.push(format!(
                "{place} group {}{}",
                group.name,
                texts(&group.texts)
            ));
            items.extend(group.roles.iter().map(member));
            items.extend(group.clients.iter().map(member));
        }
        for role in &read.roles {
            let mut shown = format!("{} role {}", at(&role.place, "ds"), role.name);
            shown += &texts(&role.texts);
            if !role.allows_wildcard_subscriptions {
                shown += " no-wildcards";
            }
            items.push(shown);
            items.extend(role.acls.iter().map(|acl| {
                let place = at(&acl.place, "ds");
                let (kind, priority) = (acl.kind, acl.priority);
                format!(
                    "{place} {kind:?} {} {} {priority}",
                    verdict(acl.is_allowed),
                    acl.topic
                )
            }));
        }
        items.extend(read.anonymous_group.iter().map(member));
        Ok(Summary {
            items,
            passed: passed(&read.passed_over, "ds"),
            count: read.items(),
        })
    });
}

fn member(member: &Membership) -> String {
    let place = at(&member.place, "ds");
    format!("{place} {} {}", member.name, member.priority)
}

fn texts(texts: &Texts) -> String {
    let mut shown = String::new();
    if let Some(name) = &texts.name {
        shown += &format!(" name={name}");
    }
    if let Some(description) = &texts.description {
        shown += &format!(" text={description}");
    }
    shown
}
