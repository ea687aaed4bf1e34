//! How a shape is written.

use core::iter;

use super::characters::Characters;

/// Which lengths the texts of a shape may have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lengths {
    /// All have one length.
    One,
    /// The last count may be a range, `{1,13}`.
    Range,
}

/// Reads the characters that can stand at each place of a text, and how many of
/// these places a text has at least.
pub(super) fn read(text: &str, lengths: Lengths) -> Result<(Vec<Characters>, usize), ShapeError> {
    if text.len() > LONGEST_TEXT {
        return Err(ShapeError::TooLong);
    }
    let mut positions = Vec::new();
    let mut optional = 0_usize;
    let mut rest = text.chars().zip(1_usize..).peekable();
    while let Some((character, at)) = rest.next() {
        let position = match character {
            '[' => read_class(&mut rest, at)?,
            _ => Characters::only(plain(character, at, NO_LITERAL)?),
        };
        let (fewest, most) = match rest.next_if(|(next, _)| *next == '{') {
            Some((_, at)) => {
                let count = read_count(&mut rest).ok_or(ShapeError::Count { at })?;
                if count.0 < count.1 && (lengths == Lengths::One || rest.peek().is_some()) {
                    return Err(match lengths {
                        Lengths::One => ShapeError::Count { at },
                        Lengths::Range => ShapeError::RangeNotLast { at },
                    });
                }
                count
            }
            None => (1, 1),
        };
        positions.extend(iter::repeat_n(position, most));
        optional = most.saturating_sub(fewest);
        if positions.len() > LONGEST {
            return Err(ShapeError::TooLong);
        }
    }
    if positions.is_empty() {
        return Err(ShapeError::Empty);
    }
    let shortest = positions.len().saturating_sub(optional);
    Ok((positions, shortest))
}

/// Why a text is not a valid shape. Characters are counted from 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A character can't stand where it does.
    #[error(
        "`{}` at character {at} has no meaning in a shape; write plain characters, \
         classes like `[A-Z0-9_]` and counts like `{{6}}`",
        .character.escape_debug()
    )]
    Character {
        /// The character.
        character: char,
        /// Where it stands.
        at: usize,
    },
    /// A count is not `{n}` with a fixed n.
    #[error("the count at character {at} is no `{{n}}` with n from 1 to 128")]
    Count {
        /// Where its brace stands.
        at: usize,
    },
    /// There is nothing between `[` and `]`.
    #[error("the class at character {at} is empty")]
    EmptyClass {
        /// Where its bracket stands.
        at: usize,
    },
    /// There is no character at all.
    #[error("a shape needs at least one character")]
    Empty,
    /// There is no `]` behind a `[`.
    #[error("the class at character {at} is not closed with `]`")]
    OpenClass {
        /// Where its bracket stands.
        at: usize,
    },
    /// The ends of a range are the wrong way round.
    #[error("the range that ends at character {at} runs backwards")]
    Range {
        /// Where its last character stands.
        at: usize,
    },
    /// A count that is a range stands before something else.
    #[error("the count at character {at} is a range; only the last count of a shape may be one")]
    RangeNotLast {
        /// Where its brace stands.
        at: usize,
    },
    /// Its texts or it itself are too long.
    #[error("a shape stands for at most 128 characters, in at most 1024 bytes")]
    TooLong,
}

/// Reads a class whose `[` stands at `at`, up to and including its `]`.
fn read_class(
    rest: &mut iter::Peekable<impl Iterator<Item = (char, usize)>>,
    at: usize,
) -> Result<Characters, ShapeError> {
    let mut class = Characters::default();
    loop {
        let (first, place) = rest.next().ok_or(ShapeError::OpenClass { at })?;
        if first == ']' {
            break;
        }
        let first = plain(first, place, NO_MEMBER)?;
        class = class.or(Characters::only(first));
        if rest.next_if(|(next, _)| *next == '-').is_none() {
            continue;
        }
        let (last, place) = rest.next().ok_or(ShapeError::OpenClass { at })?;
        if last == ']' {
            // A `-` at the end of a class stands for itself.
            class = class.or(Characters::only(b'-'));
            break;
        }
        let last = plain(last, place, NO_MEMBER)?;
        if last < first {
            return Err(ShapeError::Range { at: place });
        }
        class = class.or(Characters::range(first..=last));
    }
    if class.size() == 0 {
        return Err(ShapeError::EmptyClass { at });
    }
    Ok(class)
}

/// Reads what stands behind a `{`, up to and including its `}`: the fewest and the
/// most, which are the same if one number stands there.
fn read_count(rest: &mut impl Iterator<Item = (char, usize)>) -> Option<(usize, usize)> {
    let mut fewest = None;
    let mut count = 0_usize;
    loop {
        match rest.next()?.0 {
            '}' => {
                let fewest = fewest.unwrap_or(count);
                let is_count = (1..=LONGEST).contains(&count) && (1..=count).contains(&fewest);
                return is_count.then_some((fewest, count));
            }
            ',' if fewest.is_none() => fewest = Some(core::mem::take(&mut count)),
            digit => {
                let digit = usize::try_from(digit.to_digit(10)?).ok()?;
                count = count.saturating_mul(10).saturating_add(digit);
            }
        }
    }
}

/// Takes a character that stands for itself.
fn plain(character: char, at: usize, special: &[char]) -> Result<u8, ShapeError> {
    let error = ShapeError::Character { character, at };
    if !character.is_ascii_graphic() || special.contains(&character) {
        return Err(error);
    }
    u8::try_from(character).map_err(|_| error)
}

/// What means more than itself in a regular expression, outside of a class.
const NO_LITERAL: &[char] = &[
    '\\', '[', ']', '{', '}', '(', ')', '|', '.', '*', '+', '?', '^', '$',
];
/// The same, within a class.
const NO_MEMBER: &[char] = &['\\', '[', '^'];
const LONGEST: usize = 128;
const LONGEST_TEXT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Characters>, ShapeError> {
        super::read(text, Lengths::One).map(|(positions, _)| positions)
    }

    #[test]
    fn only_the_last_count_of_a_shape_of_several_lengths_is_a_range() {
        let lengths = |text| super::read(text, Lengths::Range).map(|(all, few)| (few, all.len()));
        for (text, expected) in [
            ("[0-9a-z]{1,13}", Ok((1, 13))),
            ("at_[0-9a-f]{16,60}", Ok((19, 63))),
            ("a{2}[0-9]{3,3}", Ok((5, 5))),
            ("a{3}", Ok((3, 3))),
            ("a{1,2}b", Err(ShapeError::RangeNotLast { at: 2 })),
            ("a{0,2}", Err(ShapeError::Count { at: 2 })),
            ("a{3,2}", Err(ShapeError::Count { at: 2 })),
            ("a{1,}", Err(ShapeError::Count { at: 2 })),
            ("a{,2}", Err(ShapeError::Count { at: 2 })),
            ("a{1,2,3}", Err(ShapeError::Count { at: 2 })),
            ("a{1,129}", Err(ShapeError::Count { at: 2 })),
            ("aa{1,128}", Err(ShapeError::TooLong)),
        ] {
            assert_eq!(lengths(text), expected, "{text}");
        }
    }

    #[test]
    fn a_dash_at_an_end_of_a_class_stands_for_itself() {
        let both = Characters::only(b'-').or(Characters::only(b'a'));
        assert_eq!(read("[-a]"), Ok(vec![both]));
        assert_eq!(read("[a-]"), Ok(vec![both]));
        assert_eq!(read("[a-c]"), Ok(vec![Characters::range(b'a'..=b'c')]));
        assert_eq!(read("-{2}"), Ok(vec![Characters::only(b'-'); 2]));
    }

    #[test]
    fn an_error_says_what_stands_where() {
        let character = |character, at| ShapeError::Character { character, at };
        for (text, error) in [
            ("", ShapeError::Empty),
            ("a.b", character('.', 2)),
            ("a+", character('+', 2)),
            ("(a)", character('(', 1)),
            ("^a", character('^', 1)),
            ("a]", character(']', 2)),
            ("{3}", character('{', 1)),
            ("a{2}{2}", character('{', 5)),
            ("ä", character('ä', 1)),
            ("a b", character(' ', 2)),
            ("[^a]", character('^', 2)),
            ("[a\\]]", character('\\', 3)),
            ("a{", ShapeError::Count { at: 2 }),
            ("a{}", ShapeError::Count { at: 2 }),
            ("a{0}", ShapeError::Count { at: 2 }),
            ("a{1,2}", ShapeError::Count { at: 2 }),
            ("a{99999999999999999999999}", ShapeError::Count { at: 2 }),
            ("x[]", ShapeError::EmptyClass { at: 2 }),
            ("x[a-", ShapeError::OpenClass { at: 2 }),
            ("x[a", ShapeError::OpenClass { at: 2 }),
            ("[z-a]", ShapeError::Range { at: 4 }),
            ("a{128}b", ShapeError::TooLong),
            (&"[aaaaaaaaaa]".repeat(100), ShapeError::TooLong),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
