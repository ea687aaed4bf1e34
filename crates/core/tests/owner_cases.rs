//! Runs `tests/cases/owners.toml` against the core.
#![expect(
    clippy::unwrap_used,
    reason = "what tests share is outside of `#[test]`"
)]

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::rule::{Namespaces, TopicOwners};
use countersign_core::topic::{FilterRef, TopicFilter, TopicName};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    tenants: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    reached: BTreeMap<String, Vec<String>>,
    asked: String,
    owner: Option<String>,
    foreign: Vec<String>,
}

impl Case {
    fn owners(&self) -> TopicOwners {
        let namespaces = self.tenants.iter().map(|(tenant, owned)| {
            let owned = Namespaces::new(owned.iter().map(|text| filter(text)));
            (tenant.as_str(), owned.unwrap())
        });
        let namespaces: Vec<_> = namespaces.collect();
        let reached = self.reached.iter();
        TopicOwners::new(
            namespaces.iter().map(|(tenant, owned)| (*tenant, owned)),
            reached.flat_map(|(tenant, filters)| {
                filters
                    .iter()
                    .map(move |text| (tenant.as_str(), filter(text)))
            }),
        )
    }
}

#[test]
fn topics_have_the_owners_that_the_cases_say() {
    for case in cases() {
        let (owners, name) = (case.owners(), &case.name);
        let asked = FilterRef::parse(&case.asked).unwrap();
        assert_eq!(owners.owner_of(asked), case.owner.as_deref(), "{name}");
        let tenants = case.tenants.keys();
        let foreign: Vec<_> = tenants
            .filter(|tenant| owners.reaches_foreign(asked, Some(tenant)))
            .collect();
        assert_eq!(foreign, case.foreign.iter().collect::<Vec<_>>(), "{name}");
        let Ok(topic) = TopicName::parse(&case.asked) else {
            continue;
        };
        for tenant in case.tenants.keys() {
            let is_foreign = owners.is_foreign(topic, Some(tenant));
            assert_eq!(is_foreign, foreign.contains(&tenant), "{name}: {tenant}");
        }
    }
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::parse(text).unwrap()
}

fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/owners.toml");
    let text = std::fs::read_to_string(path).unwrap();
    toml::from_str::<Cases>(&text).unwrap().case
}
