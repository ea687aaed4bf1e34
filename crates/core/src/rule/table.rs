//! A table of filters that finds the few that can matter to a question.
//!
//! The filters are sorted by their heads, the literal text before the first
//! wildcard. All heads that are a prefix of some text form a chain that ends
//! at the last head not above that text, so one binary search and a walk along
//! the chain find every filter that can cover it; those that can intersect it
//! are the chain and one run of neighbours. Filters that share a head and go on
//! with `+` share a table of what follows the `+`. The form is the same for
//! one filter and for ten thousand, and a question allocates nothing.

use super::pattern::BoundPattern;
use crate::topic::{FilterRef, levels};

/// Filters, each with what it stands for.
#[derive(Clone, Debug)]
pub(super) struct Table<T>(Box<[Branch<T>]>);

impl<T> Table<T> {
    /// Sorts the filters into a table.
    pub(super) fn new(filters: impl IntoIterator<Item = (BoundPattern, T)>) -> Self {
        let entries = filters
            .into_iter()
            .map(|(bound, value)| Entry::new(bound, value))
            .collect();
        Self::build(entries, DEEPEST)
    }

    /// Finds the first place that `accept` accepts.
    ///
    /// `accept` is shown every place that can stand in `relation` to `filter`,
    /// among some that can't.
    pub(super) fn find<'t>(
        &'t self,
        relation: Relation,
        filter: FilterRef<'_>,
        mut accept: impl FnMut(&'t Entry<T>) -> bool,
    ) -> Option<&'t Entry<T>> {
        self.search(relation, filter.as_str(), &mut accept)
    }

    /// Shows all places to `visit`, in the table's own order.
    pub(super) fn for_each<'t>(&'t self, visit: &mut impl FnMut(&'t Entry<T>)) {
        for branch in &self.0 {
            match &branch.node {
                Node::Entry(entry) => visit(entry),
                Node::Plus { beyond, .. } => beyond.for_each(visit),
            }
        }
    }

    fn build(mut entries: Vec<Entry<T>>, levels_left: u8) -> Self {
        entries.sort_by(|one, other| one.sort_key().cmp(&other.sort_key()));
        let mut branches = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while let Some(entry) = entries.next() {
            let (true, Some(levels_left)) =
                (entry.continues_with_plus(), levels_left.checked_sub(1))
            else {
                branches.push(Branch::new(Node::Entry(entry)));
                continue;
            };
            let head: Box<str> = entry.head().into();
            let mut sharing = vec![entry];
            while let Some(entry) =
                entries.next_if(|next| next.continues_with_plus() && next.head() == &*head)
            {
                sharing.push(entry);
            }
            if sharing.len() < WORTH_A_TABLE {
                let sharing = sharing.into_iter().map(Node::Entry);
                branches.extend(sharing.map(Branch::new));
            } else {
                let sharing = sharing.into_iter().map(Entry::beyond_plus).collect();
                let beyond = Self::build(sharing, levels_left);
                branches.push(Branch::new(Node::Plus { head, beyond }));
            }
        }
        link_enclosing_heads(&mut branches);
        Self(branches.into())
    }

    /// Goes on with [`find`](Self::find) where the heads above have been taken
    /// off the text.
    fn search<'t>(
        &'t self,
        relation: Relation,
        text: &str,
        accept: &mut impl FnMut(&'t Entry<T>) -> bool,
    ) -> Option<&'t Entry<T>> {
        let (mut next, neighbours) = self.range(relation, text);
        while let Some(branch) = next {
            let found = match &branch.node {
                Node::Entry(entry) => Some(entry).filter(|entry| accept(entry)),
                Node::Plus { head, beyond } => text
                    .strip_prefix(&**head)
                    .and_then(|rest| beyond.search_below(relation, rest, accept)),
            };
            if found.is_some() {
                return found;
            }
            next = branch.enclosing.and_then(|index| self.0.get(index));
        }
        neighbours
            .iter()
            .find_map(|branch| branch.search_all(accept))
    }

    /// Takes the level that meets the `+` off, and goes on below it.
    fn search_below<'t>(
        &'t self,
        relation: Relation,
        text: &str,
        accept: &mut impl FnMut(&'t Entry<T>) -> bool,
    ) -> Option<&'t Entry<T>> {
        match (relation, levels::split_level(text)) {
            // A `#` goes on meeting whatever stands below.
            (Relation::Intersects, ("#", _)) => self.search_all(accept),
            (Relation::Covers | Relation::Intersects, (_, below)) => {
                self.search(relation, below, accept)
            }
        }
    }

    fn search_all<'t>(
        &'t self,
        accept: &mut impl FnMut(&'t Entry<T>) -> bool,
    ) -> Option<&'t Entry<T>> {
        self.0.iter().find_map(|branch| branch.search_all(accept))
    }

    /// Gives the end of the chain of heads that are a prefix of the text's
    /// head, and the run of longer heads that the text's head is a prefix of.
    fn range(&self, relation: Relation, text: &str) -> (Option<&Branch<T>>, &[Branch<T>]) {
        let (head, tail) = match relation {
            Relation::Covers => (text, ""),
            Relation::Intersects => levels::split_head(text),
        };
        let chain = self.0.partition_point(|branch| branch.head() <= head);
        let longer = self.0.get(chain..).unwrap_or_default();
        let run = if tail.is_empty() {
            // Without a wildcard the text meets nothing that is longer.
            0
        } else {
            longer.partition_point(|branch| branch.head().starts_with(head))
        };
        let last = chain.checked_sub(1).and_then(|index| self.0.get(index));
        (last, longer.get(..run).unwrap_or_default())
    }
}

/// What stands under one head.
#[derive(Clone, Debug)]
struct Branch<T> {
    node: Node<T>,
    /// The last branch before this one whose head is a prefix of its head.
    enclosing: Option<usize>,
}

impl<T> Branch<T> {
    fn new(node: Node<T>) -> Self {
        Self {
            node,
            enclosing: None,
        }
    }

    fn head(&self) -> &str {
        match &self.node {
            Node::Entry(entry) => entry.head(),
            Node::Plus { head, .. } => head,
        }
    }

    fn search_all<'t>(
        &'t self,
        accept: &mut impl FnMut(&'t Entry<T>) -> bool,
    ) -> Option<&'t Entry<T>> {
        match &self.node {
            Node::Entry(entry) => Some(entry).filter(|entry| accept(entry)),
            Node::Plus { beyond, .. } => beyond.search_all(accept),
        }
    }
}

#[derive(Clone, Debug)]
enum Node<T> {
    /// One filter.
    Entry(Entry<T>),
    /// Several filters that go on with `+`.
    Plus {
        head: Box<str>,
        /// What follows the `+`.
        beyond: Table<T>,
    },
}

/// One filter of a table.
#[derive(Clone, Debug)]
pub(super) struct Entry<T> {
    text: Box<str>,
    /// Where the head ends for the outermost table.
    first_head: usize,
    /// Where the head begins: behind the `+` that the tables above took off.
    head_from: usize,
    head_to: usize,
    /// The first level is a wildcard that no leading `$` meets (§4.7.2).
    excludes_reserved: bool,
    pub(super) value: T,
}

impl<T> Entry<T> {
    fn new(bound: BoundPattern, value: T) -> Self {
        let BoundPattern {
            text,
            opens_with_any,
        } = bound;
        let first_head = levels::split_head(&text).0.len();
        Self {
            first_head,
            head_from: 0,
            head_to: first_head,
            excludes_reserved: text.starts_with(['+', '#']) && !opens_with_any,
            text,
            value,
        }
    }

    /// Says whether this filter stands in `relation` to `filter`.
    pub(super) fn meets(&self, relation: Relation, filter: FilterRef<'_>) -> bool {
        if self.excludes_reserved && filter.is_reserved() {
            return false;
        }
        match relation {
            Relation::Covers => {
                let text = filter.as_str();
                let Some((head, tail)) = self.text.split_at_checked(self.first_head) else {
                    return levels::covers(&self.text, text);
                };
                text.strip_prefix(head)
                    .is_some_and(|rest| levels::tail_covers(tail, rest, text))
            }
            Relation::Intersects => {
                !(self.text.starts_with('$') && filter.opens_with_wildcard())
                    && levels::intersects(&self.text, filter.as_str())
            }
        }
    }

    /// Says whether it is this very filter; `+/#` counts as `#`.
    pub(super) fn is_filter(&self, filter: FilterRef<'_>) -> bool {
        let text = filter.as_str();
        *self.text == *(if text == "+/#" { "#" } else { text })
    }

    /// The filter, as it was put into the table.
    pub(super) fn bound(&self) -> BoundPattern {
        BoundPattern {
            text: self.text.clone(),
            opens_with_any: self.text.starts_with('+') && !self.excludes_reserved,
        }
    }

    /// Takes the head and the `+` behind it off.
    fn beyond_plus(mut self) -> Self {
        self.head_from = self.head_to.saturating_add(1);
        let rest = self.text.get(self.head_from..).unwrap_or_default();
        let head_bytes = levels::split_head(rest).0.len();
        self.head_to = self.head_from.saturating_add(head_bytes);
        self
    }

    fn head(&self) -> &str {
        self.text
            .get(self.head_from..self.head_to)
            .unwrap_or_default()
    }

    fn continues_with_plus(&self) -> bool {
        self.text
            .get(self.head_to..)
            .is_some_and(|tail| tail.starts_with('+'))
    }

    fn sort_key(&self) -> (&str, bool) {
        (self.head(), self.continues_with_plus())
    }
}

/// How a rule's filter must stand to the topic or filter that is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Relation {
    /// It matches every topic that the other one matches.
    Covers,
    /// It matches some topic that the other one matches.
    Intersects,
}

fn link_enclosing_heads<T>(branches: &mut [Branch<T>]) {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut links = Vec::with_capacity(branches.len());
    for (index, branch) in branches.iter().enumerate() {
        let head = branch.head();
        while open
            .pop_if(|(_, outer)| !head.starts_with(*outer))
            .is_some()
        {}
        links.push(open.last().map(|(index, _)| *index));
        open.push((index, head));
    }
    for (branch, link) in branches.iter_mut().zip(links) {
        branch.enclosing = link;
    }
}

/// How many tables may stand in one another, so that no stack grows with the
/// number of `+`; filters beyond are compared one by one.
const DEEPEST: u8 = 8;

/// How many filters must share a head and a `+` to be worth a table.
const WORTH_A_TABLE: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn table(filters: impl IntoIterator<Item = impl Into<Box<str>>>) -> Table<Box<str>> {
        Table::new(filters.into_iter().map(|text| {
            let text: Box<str> = text.into();
            let bound = BoundPattern {
                text: text.clone(),
                opens_with_any: false,
            };
            (bound, text)
        }))
    }

    fn candidates(table: &Table<Box<str>>, relation: Relation, text: &str) -> Vec<Box<str>> {
        let mut found = Vec::new();
        let end = table.find(relation, FilterRef::parse(text).unwrap(), |entry| {
            found.push(entry.value.clone());
            false
        });
        assert!(end.is_none());
        found.sort_unstable();
        found
    }

    fn names(texts: &[&str]) -> Vec<Box<str>> {
        texts.iter().map(|text| (*text).into()).collect()
    }

    #[test]
    fn an_empty_table_has_no_candidates() {
        let none = table([""; 0]);
        assert!(candidates(&none, Relation::Covers, "a").is_empty());
        assert!(candidates(&none, Relation::Intersects, "#").is_empty());
    }

    #[test]
    fn what_can_cover_is_found_along_the_chain() {
        let table = table(["#", "a/#", "a/b/#", "a/b/c", "a/c/#", "b", "a/#"]);
        assert_eq!(
            candidates(&table, Relation::Covers, "a/b/b"),
            names(&["#", "a/#", "a/#", "a/b/#"])
        );
        assert_eq!(
            candidates(&table, Relation::Covers, "a/bc"),
            names(&["#", "a/#", "a/#", "a/b/#", "a/b/c"])
        );
    }

    #[test]
    fn what_can_intersect_is_found_above_and_below() {
        let table = table(["#", "a/#", "a/b/#", "a/b/c", "a/c/#", "b", "+/z"]);
        assert_eq!(
            candidates(&table, Relation::Intersects, "a/b/+"),
            names(&["#", "+/z", "a/#", "a/b/#", "a/b/c"])
        );
        assert_eq!(candidates(&table, Relation::Intersects, "#").len(), 7);
    }

    #[test]
    fn among_ten_thousand_filters_few_are_candidates() {
        for shape in [
            "acme/device{}/#",
            "acme/+/device{}/#",
            "+/+/+/device{}",
            "{}/+/x",
        ] {
            let filters = (0..10_000).map(|index| shape.replace("{}", &index.to_string()));
            let table = table(filters);
            let topic = shape
                .replace("{}", "4321")
                .replace('+', "z")
                .replace('#', "y");
            for (relation, text) in [
                (Relation::Covers, &topic),
                (Relation::Intersects, &topic),
                (Relation::Covers, &shape.replace("{}", "4321")),
                (Relation::Intersects, &shape.replace("{}", "4321")),
            ] {
                let found = candidates(&table, relation, text);
                assert!((1..=5).contains(&found.len()), "{text}: {}", found.len());
            }
        }
    }

    #[test]
    fn filters_of_many_pluses_do_not_deepen_the_stack() {
        let filters = (0..10).map(|index| format!("{}{index}", "+/".repeat(30_000)));
        let table = table(filters);
        let topic = format!("{}7", "/".repeat(30_000));
        let filter = FilterRef::parse(&topic).unwrap();
        let found = table.find(Relation::Covers, filter, |entry| {
            entry.meets(Relation::Covers, filter)
        });
        assert!(found.is_some_and(|entry| entry.value.ends_with('7')));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_filter_that_meets_is_missing_among_the_candidates(
            filters in vec("(#|(a|b|\\+)(/(a|ab|\\+|)){0,3}(/#)?)", 0..60),
            asked in "(#|(a|b|\\+)(/(a|ab|\\+|)){0,3}(/#)?)",
        ) {
            let table = table(filters.iter().map(String::as_str));
            let filter = FilterRef::parse(&asked).unwrap();
            for relation in [Relation::Covers, Relation::Intersects] {
                let found = candidates(&table, relation, &asked);
                table.for_each(&mut |entry| {
                    if entry.meets(relation, filter) {
                        assert!(found.contains(&entry.value), "{}", entry.value);
                    }
                });
            }
        }
    }

    #[test]
    fn every_place_is_listed_once() {
        let filters = ["#", "+/a", "+/b", "+/c", "+/d", "+/d", "a/+/+/x", "a/b"];
        let table = table(filters);
        let mut listed = Vec::new();
        table.for_each(&mut |entry| listed.push(entry.value.clone()));
        listed.sort_unstable();
        assert_eq!(listed, names(&filters));
    }
}
