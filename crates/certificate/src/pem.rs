//! Certificates as text (PEM, RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A text is not one certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is more than one.
    #[error("there is more than one certificate in it; take the one that is meant")]
    Many,
    /// There is none.
    #[error("there is no certificate in it: no `{BEGIN}`")]
    None,
    /// What stands there is not Base64, or has no end.
    #[error("the certificate in it is damaged")]
    Damaged,
}

/// The one certificate that stands in a text, as bytes (DER). What stands around it is
/// passed over: tools write in words what a certificate says.
///
/// # Errors
///
/// Returns [`PemError`] when there is none, more than one, or a damaged one.
pub fn certificate_of_pem(text: &str) -> Result<Vec<u8>, PemError> {
    let (_, rest) = text.split_once(BEGIN).ok_or(PemError::None)?;
    let (body, rest) = rest.split_once(END).ok_or(PemError::Damaged)?;
    if rest.contains(BEGIN) {
        return Err(PemError::Many);
    }
    let digits: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(digits).map_err(|_| PemError::Damaged)?;
    if der.is_empty() {
        return Err(PemError::Damaged);
    }
    Ok(der)
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_certificate_of_a_text_is_read_whatever_stands_around_it() {
        let pem = "-----BEGIN CERTIFICATE-----\r\nAAEC\r\nAw==\r\n-----END CERTIFICATE-----\n";
        for text in [pem, &format!("Certificate:\n  Data\n{pem}more")] {
            assert_eq!(certificate_of_pem(text), Ok(vec![0, 1, 2, 3]), "{text}");
        }
        for (text, error) in [
            (String::new(), PemError::None),
            (pem.replace("CERTIFICATE", "PRIVATE KEY"), PemError::None),
            (format!("{pem}{pem}"), PemError::Many),
            (pem.replace("-----END", "----"), PemError::Damaged),
            (pem.replace("AAEC", "A?EC"), PemError::Damaged),
            (pem.replace("AAEC\r\nAw==", ""), PemError::Damaged),
        ] {
            assert_eq!(certificate_of_pem(&text), Err(error), "{text}");
        }
    }
}
