//! Lists, cut as the plugin cuts them.

use std::collections::BTreeMap;

use crate::json::Json;
use crate::order::sorted;
use crate::params::Params;

/// Which part of a list is asked for, and how.
pub(crate) struct Listing {
    pub(crate) is_verbose: bool,
    count: i64,
    offset: usize,
}

impl Listing {
    /// What is of another type counts as not given, as there.
    pub(crate) fn of(params: Params<'_>) -> Self {
        let number = |name| params.number(name, "").ok().flatten();
        let is_verbose = params.flag("verbose", "").ok().flatten();
        Self {
            is_verbose: is_verbose.unwrap_or_default(),
            count: number("count").unwrap_or(-1),
            offset: usize::try_from(number("offset").unwrap_or_default()).unwrap_or_default(),
        }
    }

    /// Leaves the part of the list; a count of 0 leaves one, as there.
    pub(crate) fn cut<T>(&self, list: &mut Vec<T>) -> Vec<T> {
        let mut part = list.split_off(self.offset.min(list.len()));
        if let Ok(count) = usize::try_from(self.count) {
            part.truncate(count.max(1));
        }
        part
    }

    /// The answer to it.
    pub(crate) fn answer(of: &str, total: usize, items: Vec<Json>) -> Json {
        Json::Object(vec![
            ("totalCount".into(), Json::number(total)),
            (of.into(), Json::Array(items)),
        ])
    }
}

/// Adds `textname` and `textdescription`, where there are such.
pub(crate) fn described(
    members: &mut Vec<(Box<str>, Json)>,
    name: Option<&str>,
    description: Option<&str>,
) {
    for (member, text) in [("textname", name), ("textdescription", description)] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            members.push((member.into(), Json::text(text)));
        }
    }
}

/// A list of things by their names, in the order of their priorities, of which the usual
/// one is left out.
pub(crate) fn prioritised<T: Clone>(
    of: &str,
    things: &[T],
    name: fn(&T) -> &str,
    priorities: &BTreeMap<String, i64>,
) -> Json {
    let items = sorted(things, name, priorities).into_iter().map(|thing| {
        let name = name(&thing);
        let mut members = vec![(of.into(), Json::text(name))];
        let priority = priorities.get(name).copied();
        let unusual = priority.filter(|it| *it != crate::acl::DEFAULT_PRIORITY);
        members.extend(unusual.map(|it| ("priority".into(), Json::number(it))));
        Json::Object(members)
    });
    Json::Array(items.collect())
}
