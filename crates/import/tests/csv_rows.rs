//! What becomes of the rows of a table.

#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

#[cfg(test)]
#[expect(dead_code, reason = "each test file uses some of it")]
mod common;

use core::ops::ControlFlow;
use std::fs;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign_admin::credential::{RevokeCredential, ShowCredential};
use countersign_admin::role::{CreateRole, NewRole};
use countersign_admin::scheme::AddScheme;
use countersign_admin::taking::Taking;
use countersign_admin::tenant::{CreateTenant, NewTenant, ShowTenant};
use countersign_core::name::{LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::scheme::{FieldValue, Scheme, SchemeName};
use countersign_core::secret::Secret;
use countersign_core::tenant::DefaultRights;
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;
use countersign_import::{CsvOptions, CsvSource, ImportError, IssuedSecret, Report, TenantOptions};

use self::common::{Fixture, HASH};

/// A tenant with a role.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new("home/#");
    let tenant = TenantId::parse("home").unwrap();
    fixture.run(&CreateTenant(NewTenant::new(tenant.clone())));
    fixture.run(&CreateRole(NewRole {
        tenant,
        name: RoleName::parse("meter").unwrap(),
        description: None,
        no_wildcards: false,
    }));
    fixture
}

fn import(fixture: &mut Fixture, table: &str, update: bool) -> (Report, Vec<IssuedSecret>) {
    import_with(fixture, table, update, false)
}

fn import_with(
    fixture: &mut Fixture,
    table: &str,
    update: bool,
    accept_weak: bool,
) -> (Report, Vec<IssuedSecret>) {
    let asked = Asked {
        update,
        accept_weak,
        ..Asked::default()
    };
    try_import(fixture, table, asked).unwrap()
}

/// From when on `+` tells a time. Each look is a moment later.
static NOW: AtomicI64 = AtomicI64::new(1);

/// What is asked for besides the table.
#[derive(Clone, Copy, Default)]
struct Asked {
    namespace: Option<&'static str>,
    taking: Taking,
    update: bool,
    accept_weak: bool,
}

fn try_import(
    fixture: &mut Fixture,
    table: &str,
    asked: Asked,
) -> Result<(Report, Vec<IssuedSecret>), ImportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table");
    fs::write(&path, table.replace("HASH", HASH)).unwrap();
    let instant = |text: &str| {
        let millis: i64 = text
            .parse()
            .map_err(|_| format!("`{text}` is not an instant"))?;
        let now = match text.starts_with('+') {
            true => NOW.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        Ok(Some(Timestamp::from_millis(millis.saturating_add(now))))
    };
    let options = CsvOptions {
        tenant: Some(TenantOptions {
            id: TenantId::parse("home").unwrap(),
            namespaces: asked
                .namespace
                .map(|filter| TopicFilter::parse(filter).unwrap())
                .into_iter()
                .collect(),
        }),
        taking: asked.taking,
        scheme: SchemeName::basic(),
        accept_weak: asked.accept_weak,
        update: asked.update,
        dry_run: false,
        instant: &instant,
    };
    fixture.act(|store, context, _| {
        let source = CsvSource::read(&path).unwrap();
        let plan = source.plan(store, context, &options)?;
        let mut issued = Vec::new();
        let done = plan.apply(store, context, |secrets, _, _| {
            issued.extend(secrets);
            ControlFlow::Continue(())
        });
        Ok((done.unwrap(), issued))
    })
}

const TABLE: &str =
    "name,scheme,password,password_hash,client_id,groups,roles,description,state,expires,attr.floor
a,,,,exact:c1,DM.X;DM.Y,meter,hall 2,,5000,2
b,plain,,HASH,,,,,Suspended,,
c,plain,correct horse,,,,,,Active,,
VW-ABC123,vwire,,,,,,,Revoked,,
d,,,,,,,,Nonsense,,
e,,,,,,missing,,,,
f,,,$1$x$y,,,,,,,
a,,,,,,,,,,
";

#[test]
fn each_row_is_made_as_its_scheme_says_or_told() {
    let mut fixture = fixture();
    let (report, issued) = import(&mut fixture, TABLE, false);
    assert_eq!(
        fixture.lines()[2..],
        [
            "VW-ABC123 vwire digest Revoked same-as-username",
            "a@home basic digest exact:c1 group=DM.X group=DM.Y role=meter",
            "b plain hashed Suspended",
            "c plain argon2id",
        ]
    );
    let lost: Vec<_> = report.lost.iter().map(|it| (&*it.what, &*it.why)).collect();
    assert_eq!(
        lost.iter().map(|(what, _)| *what).collect::<Vec<_>>(),
        ["d", "e", "f", "a"]
    );
    assert!(lost[3].1.contains("name-taken"), "{lost:?}");
    assert_eq!(
        (
            report.kept,
            report.changed.len(),
            report.created.credentials
        ),
        (3, 1, 4)
    );
    let names: Vec<_> = issued.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a@home", "VW-ABC123"]);
    let shown = fixture.run(&ShowCredential(LoginName::parse("a@home").unwrap()));
    let stored = &shown.credential.secrets[0];
    let expected = Secret::new(issued[0].secret.expose().to_vec());
    let digest = countersign_core::secret::SecretDigest::of(&expected);
    assert!(
        matches!(&stored.verifier, countersign_core::secret::Verifier::Digest(it) if *it == digest)
    );
    assert_eq!(
        shown.credential.expires_at,
        Some(Timestamp::from_millis(5_000))
    );
}

#[test]
fn run_again_nothing_is_made_and_an_update_changes_what_the_table_changed() {
    let mut fixture = fixture();
    let table = "name,groups,attr.floor\na,DM,2\nb,,\n";
    import(&mut fixture, table, false);
    let (again, issued) = import(&mut fixture, table, false);
    assert_eq!(
        (again.unchanged, again.created.credentials, issued.len()),
        (2, 0, 0)
    );
    let changed = "name,groups,attr.floor\na,DM.X,3\nb,,\n";
    let (refused, _) = import(&mut fixture, changed, false);
    assert_eq!((refused.lost.len(), refused.unchanged), (1, 1));
    let (updated, _) = import(&mut fixture, changed, true);
    assert_eq!(
        (updated.updated, updated.unchanged, updated.lost.len()),
        (1, 1, 0)
    );
    let shown = fixture.run(&ShowCredential(LoginName::parse("a@home").unwrap()));
    assert_eq!(shown.credential.attributes["floor"], "3");
    let groups = shown.credential.groups.iter();
    assert_eq!(
        groups.map(|group| group.as_str()).collect::<Vec<_>>(),
        ["DM.X"]
    );
}

/// A scheme whose devices have secrets of four digits elsewhere.
fn pins() -> AddScheme {
    let text = |text: &str| FieldValue::Text(text.into());
    let fields = [
        ("name", text("pins")),
        ("login_name", text("generated")),
        ("login_name_shape", text("p[0-9]{4}")),
        ("client_id", text("any")),
        ("secret_shape", text("[0-9a-f]{32}")),
        ("accepts_shape", text("[0-9]{4,8}")),
    ];
    AddScheme(Scheme::from_fields(fields).unwrap())
}

/// Rows that give a secret out elsewhere: what is kept of it, or why it is lost, by
/// default and with `--accept-weak`.
const TAKEN_OVER: [(&str, &str, &str); 10] = [
    ("VW-ABC123,vwire,at_7f3a1c9e2b844d6f", "digest", "digest"),
    (
        "greenhouse,vwire-token,dt_7f3a1c9e-2b84-1d6f-c913-c5e28f01b774",
        "digest",
        "digest",
    ),
    (
        "US5591USRS91,impact,iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGquY=",
        "digest",
        "digest",
    ),
    (
        "123456789012,generated,000102030405060708090a0b0c0d0e",
        "digest",
        "digest",
    ),
    ("p0001,pins,4711", "64 are needed", "argon2id"),
    ("p0002,pins,4711", "64 are needed", "argon2id"),
    ("p0003,pins,123", "have the shape", "have the shape"),
    (
        "VW-ABC124,vwire,at_7f3a",
        "have the shape",
        "have the shape",
    ),
    (
        "VW-ABC125,vwire,at_7f3a1c9e2b844d6f",
        "has the same secret",
        "has the same secret",
    ),
    ("a,plain,correct horse", "have the shape", "have the shape"),
];

#[test]
fn a_secret_that_was_given_out_elsewhere_is_taken_over_as_its_scheme_says_or_lost() {
    let rows = TAKEN_OVER.map(|(row, ..)| row).join("\n");
    let table = format!("name,scheme,secret\n{rows}\n");
    for accept_weak in [false, true] {
        let mut fixture = fixture();
        fixture.run(&pins());
        let (report, issued) = import_with(&mut fixture, &table, false, accept_weak);
        assert!(issued.is_empty(), "what is known is not told");
        let lines = fixture.lines();
        for (row, strictly, weakly) in TAKEN_OVER {
            let becomes = if accept_weak { weakly } else { strictly };
            let what = row.split(',').next().unwrap();
            let made = lines.iter().find(|line| {
                let name = line.split([' ', '@']).next();
                name == Some(what)
            });
            let lost = report.lost.iter().find(|lost| &*lost.what == what);
            let secret = row.rsplit(',').next().unwrap();
            match (made, lost) {
                (Some(line), None) => assert_eq!(line.split(' ').nth(2), Some(becomes), "{line}"),
                (None, Some(lost)) => {
                    assert!(lost.why.contains(becomes), "{what}: {}", lost.why);
                    assert!(!lost.why.contains(secret), "{what}: {}", lost.why);
                }
                (made, lost) => panic!("{what}: {made:?} {lost:?}"),
            }
        }
        let weak = if accept_weak { 2 } else { 0 };
        assert_eq!(report.created.credentials, 4 + weak);
        assert_eq!(report.changed.len() as u64, weak);
        let (again, _) = import_with(&mut fixture, &table, false, accept_weak);
        assert_eq!(
            (again.created.credentials, again.unchanged),
            (0, report.created.credentials)
        );
    }
}

#[test]
fn a_secret_of_the_store_is_not_taken_over_for_another_name() {
    let mut fixture = fixture();
    let of = |name: &str| format!("name,scheme,secret\n{name},vwire,at_7f3a1c9e2b844d6f\n");
    import(&mut fixture, &of("VW-ABC123"), false);
    let (report, _) = import(&mut fixture, &of("VW-ABC124"), false);
    assert_eq!(report.created.credentials, 0);
    assert!(report.lost[0].why.contains("in use already"), "{report:?}");
}

#[test]
fn a_credential_of_another_tenant_is_neither_changed_nor_told_to_be_there() {
    let mut fixture = fixture();
    let away = TenantId::parse("away").unwrap();
    fixture.run(&CreateTenant(NewTenant::new(away)));
    let of = |tenant: &str, hash: &str| {
        format!(
            "name,scheme,tenant,password_hash,description\nb,plain,{tenant},{hash},of {tenant}\n"
        )
    };
    import(&mut fixture, &of("away", "HASH"), false);
    for table in [
        of("home", "HASH"),
        "name,scheme,password_hash,description\nb,plain,HASH,of away\n".into(),
    ] {
        let (report, _) = import(&mut fixture, &table, true);
        assert_eq!((report.updated, report.unchanged), (0, 0), "{report:?}");
        let why = &report.lost[0].why;
        assert_eq!(&**why, "name-taken: `b` is a credential of another tenant");
    }
    let shown = fixture.run(&ShowCredential(LoginName::parse("b").unwrap()));
    let described = shown.credential.description.as_deref();
    assert_eq!(described, Some("of away"));
}

#[test]
fn what_no_import_changes_later_is_lost_where_the_table_changed_it() {
    let mut fixture = fixture();
    let of = |row: &str| format!("name,scheme,password_hash,state,not_before\n{row}\n");
    import(&mut fixture, &of("b,plain,HASH,Active,7000"), false);
    for (row, said) in [
        ("b,plain,HASH,Revoked,7000", "revokes nothing"),
        ("b,plain,HASH,Active,9000", "from another date"),
        ("b,plain,HASH,Active,", "from another date"),
    ] {
        for update in [false, true] {
            let (report, _) = import(&mut fixture, &of(row), update);
            assert_eq!((report.updated, report.unchanged), (0, 0), "{report:?}");
            assert!(report.lost[0].why.contains(said), "{report:?}");
        }
    }
    fixture.run(&RevokeCredential {
        name: LoginName::parse("b").unwrap(),
        reason: None,
    });
    let (report, _) = import(&mut fixture, &of("b,plain,HASH,Revoked,7000"), true);
    assert_eq!((report.unchanged, report.lost.len()), (1, 0), "{report:?}");
}

#[test]
fn a_row_that_is_refused_takes_no_other_with_it() {
    let mut fixture = fixture();
    import(&mut fixture, "name\nd20\n", false);
    let rows = (0..40).map(|number| match number {
        3 | 17 => "d0,\n".to_owned(),
        5 | 6 | 16 => format!("d{number},missing\n"),
        _ => format!("d{number},meter\n"),
    });
    let table: String = core::iter::once("name,roles\n".to_owned())
        .chain(rows)
        .collect();
    let (report, issued) = import(&mut fixture, &table, false);
    let lost: Vec<_> = report.lost.iter().map(|lost| &*lost.what).collect();
    assert_eq!(lost, ["d0", "d5", "d6", "d16", "d0", "d20"]);
    assert!(report.lost[0].why.contains("a row before"), "{report:?}");
    assert!(report.lost[5].why.contains("has changed it"), "{report:?}");
    assert_eq!((report.created.credentials, issued.len()), (34, 34));
    let (again, _) = import(&mut fixture, &table, false);
    assert_eq!((again.created.credentials, again.unchanged), (0, 34));
}

#[test]
fn a_tenant_that_is_not_there_is_made_with_its_rows_and_gives_nothing_by_itself() {
    let mut fixture = Fixture::new("home/#");
    let table = "name,roles\na,gone\nb,\nc,\n";
    let (report, issued) = import(&mut fixture, table, false);
    assert_eq!((report.created.tenants, issued.len()), (1, 2));
    let lost: Vec<_> = report.lost.iter().map(|lost| &*lost.what).collect();
    assert_eq!((report.kept, lost), (2, vec!["a"]));
    assert_eq!(report.changed[0].what, "home");
    let lines = fixture.lines();
    let tenant = "tenant home required strict default= anonymous= sys_read=false";
    assert_eq!(
        lines,
        [tenant, "b@home basic digest", "c@home basic digest"]
    );
    let made = fixture.run(&ShowTenant(TenantId::parse("home").unwrap()));
    assert_eq!(made.default_rights, DefaultRights::Nothing);
    let owned: Vec<_> = made.namespaces.iter().map(TopicFilter::as_str).collect();
    assert_eq!(owned, ["#"]);
    let (again, _) = import(&mut fixture, "name\nb\nc\n", false);
    let told = (again.created.tenants, again.unchanged, again.changed.len());
    assert_eq!(told, (0, 2, 0));
}

#[test]
fn beside_other_tenants_the_one_that_is_made_names_its_topics_and_takes_them_if_it_may() {
    let mut fixture = Fixture::new("home/#");
    let all = TopicFilter::parse("#").unwrap();
    fixture.run(&CreateTenant(NewTenant {
        namespaces: vec![all],
        ..NewTenant::new(TenantId::parse("rest").unwrap())
    }));
    let namespace = Some("home/#");
    let taking = Taking::Filtering;
    let asked = Asked::default();
    let table = "name,scheme\na,\nVW-ABC123,vwire\n";
    let mut refused = |asked| {
        let refused = try_import(&mut fixture, table, asked).map(|_| ());
        refused.unwrap_err().to_string()
    };
    let named = refused(asked);
    assert!(named.contains("with --namespace"), "{named}");
    let kept = refused(Asked { namespace, ..asked });
    assert!(kept.contains("would take `home/#`"), "{kept}");
    let asked = Asked {
        namespace,
        taking,
        ..asked
    };
    let (report, _) = try_import(&mut fixture, table, asked).unwrap();
    let made = (report.created.tenants, report.created.credentials);
    assert_eq!((made, report.lost.len()), ((1, 2), 0), "{report:?}");
    let rest = fixture.run(&ShowTenant(TenantId::parse("rest").unwrap()));
    assert_eq!(rest.subscribe.as_str(), "filtered");
}

#[test]
fn what_must_be_unique_goes_to_the_first_row_that_asks_for_it() {
    let mut fixture = fixture();
    for (table, why) in [
        (
            "name,client_id\na,exact:c1\nb,exact:c2\nc,exact:c1\n",
            "a row before is bound to the same client id",
        ),
        (
            "name,scheme,attr.token\nD1,impact,tok1\nD2,impact,tok2\nD3,impact,tok1\n",
            "a row before has the same attribute `token`, which must be unique",
        ),
    ] {
        let (report, _) = import(&mut fixture, table, false);
        assert_eq!(report.created.credentials, 2, "{report:?}");
        let lost: Vec<_> = report.lost.iter().map(|lost| &*lost.why).collect();
        assert_eq!(lost, [why]);
    }
}

#[test]
fn an_update_that_would_be_refused_loses_its_row_and_no_other() {
    let mut fixture = fixture();
    import(
        &mut fixture,
        "name,client_id\na,exact:A\nb,exact:B\nc,exact:C\n",
        false,
    );
    // Two that swap what one alone may have.
    let table = "name,client_id\na,exact:B\nb,exact:A\nc,exact:D\nd,exact:E\n";
    let (report, issued) = import(&mut fixture, table, true);
    let lost = report.lost.iter().map(|lost| (&*lost.what, &*lost.why));
    assert_eq!(
        lost.collect::<Vec<_>>(),
        [
            ("a", "another credential is bound to client id `B`"),
            ("b", "another credential is bound to client id `A`"),
        ]
    );
    assert_eq!((report.updated, issued.len()), (1, 1));
    let shown = fixture.run(&ShowCredential(LoginName::parse("c@home").unwrap()));
    assert_eq!(shown.credential.client_id_rule.to_string(), "exact:D");
}

#[test]
fn a_time_that_is_told_from_the_import_on_is_the_same_the_next_time() {
    let mut fixture = fixture();
    let table = "name,expires,not_before\na,+5000000000000,+1000\n";
    import(&mut fixture, table, false);
    let end = |fixture: &mut Fixture| {
        let shown = fixture.run(&ShowCredential(LoginName::parse("a@home").unwrap()));
        shown.credential.expires_at
    };
    let first = end(&mut fixture);
    for update in [false, true] {
        let (report, _) = import(&mut fixture, table, update);
        assert_eq!((report.unchanged, report.lost.len()), (1, 0), "{report:?}");
    }
    assert_eq!(end(&mut fixture), first);
    let later = "name,expires,not_before\na,+6000000000000,+1000\n";
    let (report, _) = import(&mut fixture, later, true);
    assert_eq!((report.updated, end(&mut fixture) > first), (1, true));
}

#[test]
fn a_name_stays_as_it_is_with_its_at_sign_unless_another_tenant_stands_behind_it() {
    let mut fixture = fixture();
    let away = TenantId::parse("away").unwrap();
    fixture.run(&CreateTenant(NewTenant::new(away)));
    let table = "name,scheme\nx@y.test,plain\nx@away,plain\n";
    let (report, _) = import(&mut fixture, table, false);
    let lost: Vec<_> = report.lost.iter().map(|lost| &*lost.what).collect();
    assert_eq!((report.created.credentials, lost), (1, vec!["x@away"]));
    fixture.run(&ShowCredential(LoginName::parse("x@y.test").unwrap()));
}
