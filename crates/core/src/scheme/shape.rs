//! Shapes: which texts a scheme makes, and how to tell them when they come back.

use core::fmt;
use core::iter;
use core::ops::RangeInclusive;

use zeroize::Zeroizing;

use super::characters::{Characters, Deal};
use super::random::{RandomBytes, RandomError, RandomSource};
use super::shape_text::{self, Lengths, ShapeError};
use crate::secret::Secret;

/// What names, secrets and tokens look like: `V[WU]-[A-Z0-9]{6}`.
///
/// A small part of regular expressions: characters that stand for themselves,
/// classes in brackets, and behind either a count in braces. So all texts of
/// a shape have the same length, any text is matched in one pass, and every
/// question about two shapes has an exact answer. A shape covers the whole
/// text. Case matters.
///
/// A shape of what is taken over from elsewhere may have texts of several
/// lengths: see [`Shape::parse_accepted`].
///
/// # Examples
///
/// ```
/// use countersign_core::scheme::Shape;
///
/// let shape = Shape::parse("V[WU]-[A-Z0-9]{6}")?;
/// assert!(shape.matches("VW-ABC123"));
/// assert!(!shape.matches("VW-ABC1234"));
/// assert_eq!(shape.bits(), 32);
/// # Ok::<(), countersign_core::scheme::ShapeError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Shape {
    text: Box<str>,
    positions: Box<[Characters]>,
    /// How many of the positions every text has.
    shortest: usize,
    /// What all texts of this shape begin with.
    mark: Box<str>,
}

impl Shape {
    /// Reads a shape.
    ///
    /// # Errors
    ///
    /// Returns [`ShapeError`] saying what stands where nothing like it can.
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        Self::read(text, Lengths::One)
    }

    /// Reads a shape whose last count may be a range: `at_[0-9a-f]{16,60}`.
    ///
    /// # Errors
    ///
    /// Returns [`ShapeError`] as [`Shape::parse`] does.
    pub fn parse_accepted(text: &str) -> Result<Self, ShapeError> {
        Self::read(text, Lengths::Range)
    }

    fn read(text: &str, lengths: Lengths) -> Result<Self, ShapeError> {
        let (positions, shortest) = shape_text::read(text, lengths)?;
        let fixed = positions.iter().take(shortest);
        let fixed = fixed.map_while(|position| position.only_one());
        Ok(Self {
            text: text.into(),
            mark: fixed.map(char::from).collect(),
            positions: positions.into(),
            shortest,
        })
    }

    /// Gives the text back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many characters, and bytes, a text of this shape has at most; all have
    /// as many, unless the shape ends with a range.
    #[must_use]
    pub fn length(&self) -> usize {
        self.positions.len()
    }

    /// What all texts of this shape begin with.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// How many bytes the texts of this shape have.
    pub(super) fn lengths(&self) -> RangeInclusive<usize> {
        self.shortest..=self.positions.len()
    }

    /// Says whether `text` has this shape.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.lengths().contains(&text.len()) && iter::zip(&self.positions, text.bytes()).all(holds)
    }

    /// Where a text of this shape stands in `text`, if one does near its
    /// beginning.
    #[must_use]
    pub(super) fn stands_in(&self, text: &str) -> Option<usize> {
        let last = text.len().checked_sub(self.shortest)?;
        (0..=last.min(LOOKED_AT)).find(|start| self.length_at(text, *start) >= self.shortest)
    }

    /// Where a text of this shape begins in `text`, though it may be cut short,
    /// if one does near its beginning. Only of shapes that begin with a mark of
    /// their own, `at_` say, this can be told.
    #[must_use]
    pub(super) fn begins_in(&self, text: &str) -> Option<usize> {
        let mark = self.mark.as_bytes();
        let first = mark.first()?;
        if mark.len() < SHORTEST_MARK {
            return None;
        }
        let shortest = mark.len().saturating_add(TELLING).min(self.shortest);
        let last = text.len().checked_sub(shortest)?.min(LOOKED_AT - 1);
        let starts = text.as_bytes().get(..=last)?;
        let begins = |at| self.length_at(text, at) >= shortest;
        iter::zip(0.., starts)
            .find(|(at, byte)| *byte == first && begins(*at))
            .map(|(at, _)| at)
    }

    /// How many characters of `text` from `start` on are as in this shape.
    fn length_at(&self, text: &str, start: usize) -> usize {
        let rest = text.as_bytes().get(start..).unwrap_or_default();
        let pairs = iter::zip(&self.positions, rest.iter().copied());
        pairs.take_while(|pair| holds(*pair)).count()
    }

    /// Says whether some text has both shapes.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        // The shortest texts that both can have, if there are any.
        let length = self.shortest.max(other.shortest);
        let pairs = iter::zip(&self.positions, &other.positions).take(length);
        self.lengths().contains(&length)
            && other.lengths().contains(&length)
            && pairs.into_iter().all(|(one, other)| one.meets(*other))
    }

    /// Says whether a text of this shape can hold a character for which
    /// `is_wanted` holds.
    #[must_use]
    pub fn may_hold(&self, is_wanted: impl Fn(char) -> bool) -> bool {
        (0..128_u8)
            .filter(|byte| is_wanted(char::from(*byte)))
            .any(|byte| {
                self.positions
                    .iter()
                    .any(|position| position.contains(byte))
            })
    }

    /// How many random bits a text of this shape carries at least, rounded down.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits_of_length(self.shortest)
    }

    /// How many random bits a text carries, if it is one of this shape and was made
    /// at random.
    #[must_use]
    pub fn bits_of(&self, text: &str) -> Option<u32> {
        self.matches(text).then(|| self.bits_of_length(text.len()))
    }

    fn bits_of_length(&self, length: usize) -> u32 {
        // The number of texts as `mantissa · 2^exponent`; what does not fit
        // into 120 bits is dropped, so the product is never too large.
        let (mantissa, exponent) = self.positions.iter().take(length).fold(
            (1_u128, 0_u32),
            |(mantissa, exponent), position| {
                let product = mantissa.saturating_mul(position.size().into());
                let excess = product.checked_ilog2().unwrap_or(0).saturating_sub(120);
                let kept = product.checked_shr(excess).unwrap_or(0);
                (kept, exponent.saturating_add(excess))
            },
        );
        exponent.saturating_add(mantissa.checked_ilog2().unwrap_or(0))
    }

    /// Makes a text of this shape; every one is as likely as any other.
    ///
    /// # Errors
    ///
    /// Returns [`RandomError`] when there are no random bytes to be had, or
    /// none that change.
    pub fn generate(&self, random: &mut dyn RandomSource) -> Result<String, RandomError> {
        let drawn = self.draw(random)?;
        Ok(drawn.iter().copied().map(char::from).collect())
    }

    /// Makes a secret of this shape; every one is as likely as any other.
    ///
    /// # Errors
    ///
    /// Returns [`RandomError`] as [`Shape::generate`] does.
    pub fn generate_secret(&self, random: &mut dyn RandomSource) -> Result<Secret, RandomError> {
        let mut drawn = self.draw(random)?;
        Ok(Secret::new(core::mem::take(&mut *drawn)))
    }

    fn draw(&self, random: &mut dyn RandomSource) -> Result<Zeroizing<Vec<u8>>, RandomError> {
        let mut bytes = RandomBytes::new(random);
        // Room for all of it, so that no copy is left behind by growing.
        let mut drawn = Zeroizing::new(Vec::with_capacity(self.positions.len()));
        // Most positions are as the one before.
        let mut deal = Characters::default().deal();
        for position in &self.positions {
            if let Some(only) = position.only_one() {
                drawn.push(only);
                continue;
            }
            if deal.of() != *position {
                deal = position.deal();
            }
            drawn.push(pick(&deal, &mut bytes)?);
        }
        Ok(drawn)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn holds((position, byte): (&Characters, u8)) -> bool {
    position.contains(byte)
}

/// What a mark has at least, `at_` say.
const SHORTEST_MARK: usize = 3;
/// So many characters behind a mark are no word any more.
const TELLING: usize = 8;
/// Further on nothing of a text is shown.
const LOOKED_AT: usize = 256;

fn pick(deal: &Deal, bytes: &mut RandomBytes<'_>) -> Result<u8, RandomError> {
    // At most a third of all bytes picks nothing, so only a source that gives
    // the same byte again and again comes to the end of this.
    for _ in 0..MOST_TRIES {
        if let Some(byte) = deal.pick(bytes.next()?) {
            return Ok(byte);
        }
    }
    Err(RandomError)
}

const MOST_TRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::random::tests::{Dry, Pseudo, Stuck};
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::parse(text).unwrap()
    }

    #[test]
    fn the_empty_text_is_no_shape_and_has_none() {
        assert_eq!(Shape::parse(""), Err(ShapeError::Empty));
        assert!(!shape("a").matches(""));
    }

    #[test]
    fn a_shape_covers_the_whole_text_and_minds_the_case() {
        let uuid = shape("dt_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
        assert!(uuid.matches("dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774"));
        for wrong in [
            "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b77",
            "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b7744",
            "dt_7f3a1c9e-2b84-5d6f-a913-c5e28f01b774",
            "dt_7f3a1c9e-2b84-4d6f-c913-c5e28f01b774",
            "DT_7f3a1c9e-2b84-4d6f-a913-c5e28f01b774",
            "dt_7f3a1c9e-2b84-4d6f-a913-c5e28f01b77\u{e9}",
        ] {
            assert!(!uuid.matches(wrong), "{wrong}");
        }
        let base64 = shape("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=");
        assert!(base64.matches("iJ6ZIaJNUsILm3WGNr55LDDCV3iQ+RjmOcQbY2IGquY="));
    }

    #[test]
    fn the_bits_are_never_overstated() {
        for (text, bits) in [
            ("abc", 0),
            ("[0-9]", 3),
            ("[0-9a-f]{30}", 120),
            ("at_[0-9a-f]{32}", 128),
            ("[0-9a-f]{128}", 512),
            ("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", 256),
            ("[0-9]{15}", 49),
            ("[0-9a-z]{12}", 62),
            ("[!-Z_-~]{128}", 830),
        ] {
            assert_eq!(shape(text).bits(), bits, "{text}");
        }
    }

    #[test]
    fn shapes_overlap_when_some_text_has_both() {
        let vwire = shape("V[WU]-[A-Z0-9]{6}");
        assert!(vwire.overlaps(&vwire));
        assert!(vwire.overlaps(&shape("[A-Z-]{9}")));
        assert!(!vwire.overlaps(&shape("[A-Z-]{8}")));
        assert!(!vwire.overlaps(&shape("[a-z-]{9}")));
        assert!(vwire.may_hold(|character| character == 'U'));
        assert!(!vwire.may_hold(|character| character.is_ascii_lowercase()));
    }

    #[test]
    fn a_source_that_is_dry_or_stuck_makes_nothing() {
        assert_eq!(shape("[a-c]").generate(&mut Dry), Err(RandomError));
        // 256 = 3 · 85 + 1, so the byte 255 is left over.
        assert_eq!(shape("[a-c]").generate(&mut Stuck(255)), Err(RandomError));
        assert_eq!(shape("[a-c]").generate(&mut Stuck(0)).unwrap(), "a");
        assert_eq!(shape("abc").generate(&mut Dry).unwrap(), "abc");
    }

    #[test]
    fn a_secret_is_made_as_a_text_is() {
        let shape = shape("cs_[0-9a-f]{32}");
        let text = shape.generate(&mut Pseudo(7)).unwrap();
        let secret = shape.generate_secret(&mut Pseudo(7)).unwrap();
        assert_eq!(secret.expose(), text.as_bytes());
        assert_ne!(shape.generate(&mut Pseudo(8)).unwrap(), text);
    }
}
