//! What the machine is called, and a broker that was given no name.

/// The host's name, with `-` for whatever a broker's name should not hold.
pub(crate) fn broker_name() -> String {
    machine().unwrap_or_else(|| "mosquitto".to_owned())
}

/// The name of the machine, with `-` for what few names of machines hold.
pub(crate) fn machine() -> Option<String> {
    let mut name = [0_u8; 256];
    // SAFETY: the pointer and the length are those of one array.
    let failed = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len()) };
    let length = name.iter().position(|byte| *byte == 0);
    let name = name.get(..length.unwrap_or(name.len()))?;
    (failed == 0).then(|| sanitised(name))?
}

fn sanitised(name: &[u8]) -> Option<String> {
    let name: String = name
        .iter()
        .take(LONGEST)
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => char::from(*byte),
            _ => '-',
        })
        .collect();
    (!name.is_empty()).then_some(name)
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_always_has_a_name_of_plain_characters() {
        let named = |name: &[u8]| sanitised(name).unwrap();
        assert_eq!(named(b"edge-1.plant_2"), "edge-1.plant_2");
        assert_eq!(named(b"a b\n\xc3\xa4"), "a-b---");
        assert_eq!(named(&[b'x'; 300]).len(), 64);
        assert_eq!(sanitised(b""), None);
        assert!(!broker_name().is_empty());
    }
}
