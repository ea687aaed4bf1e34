//! How wide texts are, and what is done with those that are wider than their room.
//!
//! The width is counted character by character: what a terminal draws as one sign of
//! several characters is never wider than that.

use core::fmt::{self, Write as _};

use unicode_width::UnicodeWidthChar as _;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

fn width_of(character: char) -> usize {
    // Nothing is printed that has no width of its own.
    character.width().unwrap_or(1)
}

/// A text as far as it has room. Of one that has not, the beginning and the end are
/// left, by which it is found again.
pub(crate) struct Cut<'t> {
    pub(crate) text: &'t str,
    pub(crate) room: usize,
}

impl fmt::Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, room } = *self;
        if width(text) <= room {
            return f.write_str(text);
        }
        let left = room.saturating_sub(1);
        let at_end = left.checked_div(TAIL).unwrap_or(0);
        let (head, _) = split(text, left.saturating_sub(at_end));
        f.write_str(head)?;
        f.write_char('…')?;
        f.write_str(tail(text, at_end))
    }
}

/// What a text begins with and has room, and the rest.
fn split(text: &str, room: usize) -> (&str, &str) {
    let mut taken = 0_usize;
    let end = text.char_indices().find_map(|(at, character)| {
        taken = taken.saturating_add(width_of(character));
        (taken > room).then_some(at)
    });
    end.and_then(|end| text.split_at_checked(end))
        .unwrap_or((text, ""))
}

/// What a text ends with and has room. It begins with no sign that is drawn onto what
/// stands before it.
fn tail(text: &str, room: usize) -> &str {
    let mut taken = 0_usize;
    let fitting = text.char_indices().rev().take_while(|(_, character)| {
        taken = taken.saturating_add(width_of(*character));
        taken <= room
    });
    let starts = fitting.filter(|(_, character)| width_of(*character) > 0);
    let start = starts.last().map(|(at, _)| at);
    start.and_then(|start| text.get(start..)).unwrap_or("")
}

/// The lines that a text has in so much room: cut between words, where it can be.
pub(crate) fn lines(text: &str, room: Option<usize>) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(room) = room else {
            return Some(text);
        };
        let (line, after) = first_line(text, room);
        rest = after;
        Some(line)
    })
}

/// The first line of a text, and what comes behind it, if anything.
fn first_line(text: &str, room: usize) -> (&str, Option<&str>) {
    let (mut head, mut behind) = split(text, room);
    if behind.is_empty() {
        return (text, None);
    }
    if head.is_empty() {
        // Not even one has room: it is written all the same.
        let first = text.chars().next().map_or(0, char::len_utf8);
        (head, behind) = text.split_at_checked(first).unwrap_or((text, ""));
    }
    if let Some(next) = behind.strip_prefix(' ') {
        return (head, Some(next).filter(|next| !next.is_empty()));
    }
    match head.rsplit_once(' ') {
        Some((line, begun)) if !line.trim().is_empty() => {
            let begins = text
                .len()
                .saturating_sub(behind.len())
                .saturating_sub(begun.len());
            (line, text.get(begins..))
        }
        Some(_) | None => (head, Some(behind).filter(|behind| !behind.is_empty())),
    }
}

/// Of what is left of a text that was cut, such a part is its end.
const TAIL: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, room: usize) -> String {
        Cut { text, room }.to_string()
    }

    #[test]
    fn a_text_that_has_room_is_whole_and_another_keeps_both_ends() {
        assert_eq!(cut("dev1@acme", 9), "dev1@acme");
        assert_eq!(cut("sensor-000017@acme", 10), "sensor…cme");
        assert_eq!(cut("sensor-000017@acme", 2), "s…");
        assert_eq!(cut("sensor", 1), "…");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn wide_signs_take_two_columns_and_marks_none() {
        assert_eq!(width("ü"), 1);
        assert_eq!(width("u\u{308}"), 1);
        assert_eq!(width("設備"), 4);
        assert_eq!(cut("設備設備設備", 6), "設備…");
        assert_eq!(cut("abcdefghijkl\u{308}m", 7), "abcd…l\u{308}m");
        assert_eq!(cut("abcdefghijklm\u{308}", 4), "ab…m\u{308}");
    }

    #[test]
    fn lines_are_cut_between_words_where_there_is_one() {
        let wrapped = |text, room| lines(text, Some(room)).collect::<Vec<_>>();
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("one two", 7), ["one two"]);
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("設備", 1), ["設", "備"]);
        assert_eq!(lines("one two", None).collect::<Vec<_>>(), ["one two"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "\\PC{0,60}", room in 2_usize..40) {
            prop_assert!(width(&cut(&text, room)) <= room);
            for line in lines(&text, Some(room)) {
                prop_assert!(width(line) <= room, "{line:?}");
            }
        }

        #[test]
        fn lines_lose_nothing_but_spaces(text in "[ab \u{8a2d}]{0,60}", room in 2_usize..20) {
            let joined: String = lines(&text, Some(room)).collect();
            prop_assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
