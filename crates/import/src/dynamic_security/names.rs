//! Names of roles and groups that are taken over: what a name here can't hold is
//! written `_`.

use std::collections::{HashMap, HashSet};

use countersign_core::name::GroupPath;
use countersign_core::role::RoleName;

/// The names of one kind, by what the source calls them. Two that become the same
/// are one too many: the second has none.
pub(super) struct Names<T>(HashMap<Box<str>, Name<T>>);

/// What something is called here.
pub(super) enum Name<T> {
    /// As there.
    Kept(T),
    /// With `_` in the place of other characters.
    Changed(T),
    /// An earlier one became the same, or it is too long.
    None,
}

impl<T> Name<T> {
    pub(super) fn name(&self) -> Option<&T> {
        match self {
            Self::Kept(name) | Self::Changed(name) => Some(name),
            Self::None => None,
        }
    }
}

impl Names<RoleName> {
    /// The names of roles, which may hold dots; `reserved` is none of them.
    pub(super) fn of_roles<'a>(
        names: impl Iterator<Item = &'a str>,
        reserved: Option<&RoleName>,
    ) -> Self {
        let parse = |text: &str| {
            RoleName::parse(text)
                .ok()
                .filter(|name| Some(name) != reserved)
        };
        Self::of(names, &['.'], parse)
    }
}

impl Names<GroupPath> {
    /// The names of groups. A dot would make a group below another.
    pub(super) fn of_groups<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self::of(names, &[], |text| GroupPath::parse(text).ok())
    }
}

impl<T: Clone + Eq + core::hash::Hash> Names<T> {
    fn of<'a>(
        names: impl Iterator<Item = &'a str>,
        also: &[char],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Self {
        let names: Vec<&str> = names.collect();
        let is_good = |letter: char| {
            letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-') || also.contains(&letter)
        };
        let cleaned = |text: &str| -> String {
            text.chars()
                .map(|letter| if is_good(letter) { letter } else { '_' })
                .collect()
        };
        let mut found = HashMap::new();
        let mut taken = HashSet::new();
        // Those that stay as they are come first.
        let (stay, change): (Vec<&str>, Vec<&str>) = names
            .into_iter()
            .partition(|text| text.chars().all(is_good));
        for text in stay {
            let name = parse(text).filter(|name| taken.insert(name.clone()));
            found.insert(text.into(), name.map_or(Name::None, Name::Kept));
        }
        for text in change {
            let name = parse(&cleaned(text)).filter(|name| taken.insert(name.clone()));
            found.insert(text.into(), name.map_or(Name::None, Name::Changed));
        }
        Self(found)
    }

    /// What the source's name is here.
    pub(super) fn find(&self, text: &str) -> &Name<T> {
        self.0.get(text).unwrap_or(&Name::None)
    }
}
