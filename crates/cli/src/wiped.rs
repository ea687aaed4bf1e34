//! Texts that may hold a secret, and are wiped from memory once they are printed.

use core::convert::Infallible;
use core::fmt;

use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// The text that `write` writes.
///
/// It is written twice, and counted first: a text that grows leaves copies.
///
/// # Errors
///
/// Returns what `write` does.
pub(crate) fn text<E>(
    write: impl Fn(&mut dyn fmt::Write) -> Result<(), E>,
) -> Result<Zeroizing<String>, E> {
    let mut counter = ByteCounter(0);
    write(&mut counter)?;
    let mut text = Zeroizing::new(String::with_capacity(counter.0));
    write(&mut *text)?;
    Ok(text)
}

/// A value as text.
pub(crate) fn display(value: &impl fmt::Display) -> Zeroizing<String> {
    let written = text(|out| {
        // A text takes all that is written to it.
        let _written = write!(out, "{value}");
        Ok::<_, Infallible>(())
    });
    match written {
        Ok(text) => text,
    }
}

/// Counts what is written to it.
struct ByteCounter(usize);

impl fmt::Write for ByteCounter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len());
        Ok(())
    }
}

/// JSON whose texts are wiped.
pub(crate) struct WipedValue(pub(crate) Value);

impl Drop for WipedValue {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_written_into_as_much_room_as_it_takes() {
        let written = display(&"a text that is longer than what a text begins with");
        assert_eq!(written.capacity(), written.len());
    }

    #[test]
    fn every_text_of_a_value_is_wiped() {
        let mut value = json!({ "a": "x", "b": ["y", { "c": "z" }], "d": 1 });
        wipe(&mut value);
        assert_eq!(value, json!({ "a": "", "b": ["", { "c": "" }], "d": 1 }));
    }
}
