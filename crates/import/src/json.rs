//! Sources that are JSON.

pub(crate) use countersign_control::json::Json;

use crate::content::SourceContent;
use crate::error::SourceError;

/// Reads the one value of a file; a byte order mark before it is allowed.
pub(crate) fn parse(content: &SourceContent) -> Result<Json, SourceError> {
    let bytes = content.bytes.strip_prefix(b"\xef\xbb\xbf");
    let bytes = bytes.unwrap_or(&content.bytes);
    let read = Json::read(bytes, MOST_VALUES);
    read.map_err(|error| SourceError::new(content.name.line(error.line), error.reason))
}

/// So many values are read: those of 4,000,000 rules and 1,000,000 users.
const MOST_VALUES: usize = 24_000_000;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::place::SourceName;

    fn read(text: &str) -> Result<Json, String> {
        let name = SourceName::of(Path::new("f"));
        parse(&SourceContent::new(name, text.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_not_a_value() {
        assert_eq!(read(""), Err("f:1: it is not valid JSON".into()));
    }

    #[test]
    fn a_value_is_read_whole_and_nothing_may_follow_it() {
        let value = read("\u{feff}{\"a\": [1, -2, 1.5, true, null, \"é\"], \"b\": {}}\n").unwrap();
        let items = vec![
            Json::Number(Some(1)),
            Json::Number(Some(-2)),
            Json::Number(None),
            Json::Bool(true),
            Json::Null,
            Json::Text("é".into()),
        ];
        let members = vec![
            ("a".into(), Json::Array(items)),
            ("b".into(), Json::Object(Vec::new())),
        ];
        assert_eq!(value, Json::Object(members));
        assert_eq!(read("{}\n\n}"), Err("f:3: it is not valid JSON".into()));
    }

    #[test]
    fn the_depth_is_bounded_and_so_is_what_an_object_holds() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&nested(32)).is_ok());
        let too_deep = Err("f:1: it is deeper than 32 levels".into());
        assert_eq!(read(&nested(33)), too_deep);
        assert_eq!(read(&"[".repeat(1_000_000)), too_deep);
        assert_eq!(read(&"{\"a\":".repeat(1_000)), too_deep);
        let members: Vec<String> = (0..65).map(|number| format!("\"{number}\":0")).collect();
        let wide = format!("{{{}}}", members.join(","));
        assert_eq!(
            read(&wide),
            Err("f:1: an object has too many members".into())
        );
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_whatever_its_case() {
        let twice = "{\n\"allow\": false,\n\"Allow\": true}";
        let error = read(twice).unwrap_err();
        assert!(error.ends_with(": an object has a member twice"), "{error}");
    }
}
