//! Bytes as hexadecimal digits, in lower case.

/// The digits of `bytes`, two each.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    text.extend(digits);
    text
}

/// The bytes of which these are the digits; none for any other text.
#[must_use]
pub fn decode(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    rest.is_empty().then(|| bytes.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_again_and_nothing_but_their_digits_is() {
        let bytes: Vec<u8> = (0..=255).collect();
        let digits = encode(&bytes);
        assert!(digits.starts_with("000102") && digits.ends_with("feff"));
        assert_eq!(decode(&digits), Some(bytes));
        assert_eq!(decode(""), Some(Vec::new()));
        for other in ["0", "0A", "+f", "0x", "é", " 0"] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
