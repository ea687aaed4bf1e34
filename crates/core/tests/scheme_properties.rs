//! Shapes against what they promise, over many of them.

use countersign_core::scheme::{RandomError, RandomSource, Shape};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// SplitMix64: the same bytes on every run, and even enough to count.
struct Pseudo(u64);

impl RandomSource for Pseudo {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), RandomError> {
        for chunk in buffer.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            for (byte, made) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
                *byte = made;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_a_shape_makes_it_matches(text in shape_text(), seed: u64) {
        let shape = Shape::parse(&text).unwrap();
        let made = shape.generate(&mut Pseudo(seed)).unwrap();
        prop_assert!(shape.matches(&made), "{made}");
        prop_assert_eq!(made.len(), shape.length());
        let longer = made.clone() + "0";
        prop_assert!(!shape.matches(&longer));
        let secret = shape.generate_secret(&mut Pseudo(seed)).unwrap();
        prop_assert_eq!(secret.expose(), made.as_bytes());
    }

    #[test]
    fn a_shape_reads_back_as_it_was_written(text in shape_text()) {
        let shape = Shape::parse(&text).unwrap();
        prop_assert_eq!(shape.to_string(), &*text);
        prop_assert_eq!(Shape::parse(shape.as_str()), Ok(shape));
    }

    /// Every shape is a regular expression, and means what one means.
    #[test]
    fn a_shape_makes_what_its_regular_expression_makes(
        (text, made) in shape_text().prop_flat_map(|text| {
            let strategy = prop::string::string_regex(&text).unwrap();
            (Just(text), strategy)
        }),
    ) {
        prop_assert!(Shape::parse(&text).unwrap().matches(&made), "{made}");
    }

    /// With a range at the end, too, however long the text is.
    #[test]
    fn an_accepted_shape_matches_what_its_regular_expression_does(
        (text, made) in accepted_text().prop_flat_map(|text| {
            let strategy = prop::string::string_regex(&text).unwrap();
            (Just(text), strategy)
        }),
        other in "[a-c0-9_]{0,12}",
    ) {
        let shape = Shape::parse_accepted(&text).unwrap();
        prop_assert_eq!(shape.to_string(), &*text);
        prop_assert!(shape.matches(&made), "{made}");
        prop_assert!(made.len() <= shape.length());
        // Bits are computed of the text's own length.
        let bits = shape.bits_of(&made).unwrap();
        prop_assert!(shape.bits() <= bits);
        prop_assert_eq!(shape.bits_of(&other).is_some(), shape.matches(&other));
    }

    #[test]
    fn accepted_shapes_overlap_where_some_text_has_both(
        one in "(a|b|\\[ab\\])\\{1,[1-3]\\}",
        other in "(a|c|\\[ac\\])\\{[12],3\\}",
    ) {
        let read = |text: &str| Shape::parse_accepted(text).unwrap();
        let (one, other) = (read(&one), read(&other));
        let letters = || ["", "a", "b", "c"].into_iter();
        let pairs = || letters().flat_map(|x| letters().map(move |y| format!("{x}{y}")));
        let mut texts = pairs().flat_map(|pair| letters().map(move |z| format!("{pair}{z}")));
        let has_both = |text: String| one.matches(&text) && other.matches(&text);
        prop_assert_eq!(one.overlaps(&other), texts.any(has_both));
        prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
    }

    #[test]
    fn shapes_that_a_text_has_both_overlap(one in shape_text(), other in shape_text(), seed: u64) {
        let (one, other) = (Shape::parse(&one).unwrap(), Shape::parse(&other).unwrap());
        let made = one.generate(&mut Pseudo(seed)).unwrap();
        if other.matches(&made) {
            prop_assert!(one.overlaps(&other));
        }
        prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
        prop_assert!(one.overlaps(&one));
    }

    #[test]
    fn overlapping_agrees_with_a_search(one in "[ab]|\\[ab\\]|\\[bc\\]", other in "[ac]|\\[ac\\]") {
        let (one, other) = (Shape::parse(&one).unwrap(), Shape::parse(&other).unwrap());
        let has_both = |text: &&str| one.matches(text) && other.matches(text);
        prop_assert_eq!(one.overlaps(&other), ["a", "b", "c"].iter().any(has_both));
    }

    #[test]
    fn no_text_at_all_makes_reading_panic(text in "\\PC{0,40}|[\\[\\]{}a-c0-9,-]{0,20}") {
        if let Ok(shape) = Shape::parse(&text) {
            prop_assert!((1..=128).contains(&shape.length()));
            prop_assert!(!shape.matches(""));
        }
    }
}

/// With a byte reduced by a remainder, the first four of 36 would come an
/// eighth too often, and the sum below would be about 700.
#[test]
fn no_character_is_likelier_than_another() {
    for class in ["[A-Z0-9]", "[0-9]", "[A-Za-z0-9+/]", "[!-Z_-z]"] {
        let shape = Shape::parse(&format!("{class}{{120}}")).unwrap();
        let mut source = Pseudo(42);
        let mut counts = [0_u32; 128];
        for _ in 0..3_000 {
            for byte in shape.generate(&mut source).unwrap().bytes() {
                counts[usize::from(byte)] += 1;
            }
        }
        let one = Shape::parse(class).unwrap();
        let members = (0..128_u8).filter(|byte| one.matches(&char::from(*byte).to_string()));
        let observed: Vec<_> = members
            .map(|byte| f64::from(counts[usize::from(byte)]))
            .collect();
        let expected = observed.iter().sum::<f64>() / observed.len() as f64;
        let sum: f64 = observed
            .iter()
            .map(|count| (count - expected).powi(2) / expected)
            .sum();
        // The mean is the number of members less one, and this is far beyond.
        let limit = observed.len() as f64 + 6.0 * (2.0 * observed.len() as f64).sqrt();
        assert!(sum < limit, "{class}: {sum} of {limit}");
    }
}

fn accepted_text() -> impl Strategy<Value = String> {
    let start = "(at_|[a-c]|\\[a-c\\]){0,3}";
    let last = "a|\\[0-9\\]|\\[a-c_\\]";
    let text = (start, last, 1..5_usize, 5..9_usize);
    text.prop_map(|(start, last, fewest, most)| format!("{start}{last}{{{fewest},{most}}}"))
}

fn shape_text() -> impl Strategy<Value = String> {
    let element = "[A-Za-z0-9_=:-]|\\[(A-Z|a-f|0-9|[xyz_+/=]){1,3}-?\\]|\\[-[abc]\\]";
    let count = "|\\{[1-8]\\}|\\{1[0-2]\\}";
    prop::collection::vec((element, count), 1..10)
        .prop_map(|parts| parts.into_iter().map(|(one, two)| one + &two).collect())
}

fn config() -> ProptestConfig {
    let regressions = "proptest-regressions/scheme_properties.txt";
    ProptestConfig {
        cases: 1_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        ..ProptestConfig::default()
    }
}
