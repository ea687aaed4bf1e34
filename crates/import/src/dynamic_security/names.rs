//! Names of roles and groups that are taken over: what a name here can't hold is written
//! `_`, and what is too long is cut. Where another one has the name, a number follows.

use std::collections::{HashMap, HashSet};

use countersign_core::name::GroupPath;
use countersign_core::role::RoleName;

/// The names of one kind, by what the source calls them. Each has one of its own: of a
/// role that is left out, its holders would lose the denies.
pub(super) struct Names<T>(HashMap<Box<str>, T>);

impl Names<RoleName> {
    /// The names of roles, which may hold dots; `reserved` is none of them.
    pub(super) fn of_roles<'a>(
        names: impl Iterator<Item = &'a str>,
        reserved: Option<&RoleName>,
    ) -> Self {
        let form = Form {
            also: &['.'],
            longest: 64,
            parse: |text| RoleName::parse(text).ok(),
        };
        Self::of(names, &form, reserved.cloned())
    }
}

impl Names<GroupPath> {
    /// The names of groups. A dot would make a group below another.
    pub(super) fn of_groups<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let form = Form {
            also: &[],
            longest: 255,
            parse: |text| GroupPath::parse(text).ok(),
        };
        Self::of(names, &form, None)
    }
}

/// What a name of one kind looks like.
struct Form<T> {
    /// Which characters it may hold, besides letters, digits, `_` and `-`.
    also: &'static [char],
    /// How many bytes it has at most.
    longest: usize,
    parse: fn(&str) -> Option<T>,
}

impl<T> Form<T> {
    fn admits(&self, letter: char) -> bool {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-') || self.also.contains(&letter)
    }

    /// A text of this form, of so many characters at most.
    fn cleaned(&self, text: &str, longest: usize) -> String {
        let letters = text.chars().take(longest);
        letters
            .map(|letter| if self.admits(letter) { letter } else { '_' })
            .collect()
    }
}

impl<T: Clone + Eq + core::hash::Hash> Names<T> {
    fn of<'a>(names: impl Iterator<Item = &'a str>, form: &Form<T>, reserved: Option<T>) -> Self {
        let mut found = HashMap::new();
        let mut taken: HashSet<T> = reserved.into_iter().collect();
        let mut changed = Vec::new();
        // Those that stay as they are come first.
        for text in names {
            match (form.parse)(text).filter(|_| text.chars().all(|letter| form.admits(letter))) {
                Some(name) if taken.insert(name.clone()) => {
                    found.insert(text.into(), name);
                }
                Some(_) | None => changed.push(text),
            }
        }
        let mut numbers: HashMap<String, u32> = HashMap::new();
        for text in changed {
            let base = form.cleaned(text, form.longest.saturating_sub(LONGEST_NUMBER));
            let next = numbers.entry(base.clone()).or_insert(2);
            let whole = core::iter::once(form.cleaned(text, form.longest));
            let numbered = core::iter::from_fn(|| {
                let text = format!("{base}_{next}");
                *next = next.saturating_add(1);
                Some(text)
            });
            let mut free = whole.chain(numbered.take(MOST_TRIES));
            let name =
                free.find_map(|text| (form.parse)(&text).filter(|name| taken.insert(name.clone())));
            found.extend(name.map(|name| (text.into(), name)));
        }
        Self(found)
    }

    /// What the source's name is here; none for what the source does not have.
    pub(super) fn find(&self, text: &str) -> Option<&T> {
        self.0.get(text)
    }
}

/// A number, and what stands before it.
const LONGEST_NUMBER: usize = "_4000000".len();
/// A source has no more names that could be taken.
const MOST_TRIES: usize = 4_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_a_name_of_its_own_and_one_that_can_stay_does() {
        let (long, longer) = ("x".repeat(65), "x".repeat(66));
        let names = [
            "a b",
            "a/b",
            "a_b",
            "a_b_3",
            "default-access",
            "é.",
            long.as_str(),
            longer.as_str(),
        ];
        let reserved = RoleName::parse("default-access").unwrap();
        let found = Names::of_roles(names.into_iter(), Some(&reserved));
        let found = names.map(|name| found.find(name).unwrap().to_string());
        assert_eq!(
            found,
            [
                "a_b_2",
                "a_b_4",
                "a_b",
                "a_b_3",
                "default-access_2",
                "_.",
                &"x".repeat(64),
                &format!("{}_2", "x".repeat(56)),
            ]
        );
        let groups = Names::of_groups(["a.b", "a_b"].into_iter());
        assert_eq!(groups.find("a.b").unwrap().as_str(), "a_b_2");
        assert!(groups.find("c").is_none());
    }
}
