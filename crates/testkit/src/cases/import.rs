//! Files of other systems: `tests/cases/import/*.toml`.

use serde::Deserialize;

/// A file of another system, and what is read of it.
#[derive(Clone, Debug, Deserialize)]
pub struct ImportCase {
    /// Which program's form it has, where two share one.
    pub dialect: Option<String>,
    /// What is said instead of what was read.
    pub error: Option<String>,
    /// What is passed over.
    #[serde(default)]
    pub passed: Vec<String>,
    /// `loads` or `refuses`, where Mosquitto 2.1 does not do as we do.
    pub mosquitto_2_1: Option<String>,
    #[serde(alias = "users", alias = "lines", alias = "rows", alias = "objects")]
    #[serde(default)]
    items: Vec<String>,
    text: Option<String>,
    hex: Option<String>,
    repeat: Option<usize>,
}

impl ImportCase {
    /// What is read of it.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// What the file holds.
    ///
    /// With `repeat`, the last character of a text without an end of line stands
    /// so many times; where it is a `:`, the character before it.
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(hex) = &self.hex {
            let digits = hex.as_bytes().chunks(2);
            let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            return digits.map(|pair| byte(pair).expect("two digits")).collect();
        }
        let text = self.text.as_deref().expect("a case has `text` or `hex`");
        let Some(times) = self.repeat else {
            return text.into();
        };
        let (start, end) = match text.strip_suffix(':') {
            Some(start) => (start, ":"),
            None => (text, ""),
        };
        let last = start.len() - 1;
        format!("{}{}{end}", &start[..last], start[last..].repeat(times)).into()
    }
}
