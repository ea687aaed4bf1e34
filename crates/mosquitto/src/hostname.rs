//! What a broker is called that was given no name.

/// The host's name, with `-` for whatever a broker's name should not hold.
pub(crate) fn broker_name() -> String {
    let mut name = [0_u8; 256];
    // SAFETY: the pointer and the length are those of one array.
    let failed = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let length = name
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(name.len());
    match name.get(..length) {
        Some(name) if failed == 0 => sanitised(name),
        Some(_) | None => sanitised(b""),
    }
}

fn sanitised(name: &[u8]) -> String {
    let name: String = name
        .iter()
        .take(LONGEST)
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(*byte),
            _ => '-',
        })
        .collect();
    if name.is_empty() {
        "mosquitto".to_owned()
    } else {
        name
    }
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_always_has_a_name_of_plain_characters() {
        assert_eq!(sanitised(b"edge-1.plant_2"), "edge-1.plant_2");
        assert_eq!(sanitised(b"a b\n\xc3\xa4"), "a-b---");
        assert_eq!(sanitised(b""), "mosquitto");
        assert_eq!(sanitised(&[b'x'; 300]).len(), 64);
        assert!(!broker_name().is_empty());
    }
}
