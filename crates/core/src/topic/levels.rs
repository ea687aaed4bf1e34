//! The two algorithms under every filter question (MQTT 5.0 §4.7.1).
//!
//! They compare levels only. That a leading wildcard never meets a leading
//! `$` (§4.7.2) is the caller's to add, because a deny whose first level is
//! unknown must forget that rule.
//!
//! A filter is read as a *head*, literal text compared in one piece, and a
//! *tail*, which is one of: nothing; `#`, which only the filter `#` has; `/#`,
//! which keeps its slash because `a/#` matches `a`; or `+` and what follows.

/// Says whether every topic that `other` matches is matched by `filter`.
///
/// A topic name is the filter that matches nothing but itself, so this is
/// also the question whether a filter matches a topic.
pub(crate) fn covers(filter: &str, other: &str) -> bool {
    let (head, tail) = split_head(filter);
    other
        .strip_prefix(head)
        .is_some_and(|rest| tail_covers(tail, rest, other))
}

/// Goes on with [`covers`] where the head has been taken off `other`.
pub(crate) fn tail_covers(mut tail: &str, mut rest: &str, other: &str) -> bool {
    while let Some(after_plus) = tail.strip_prefix('+') {
        let (level, below) = split_level(rest);
        if level == "#" {
            // `a/#` matches `a`, which is one level too short for `a/+/#`. The
            // exceptions are `#` and `/#`: nothing stands above them, since the
            // empty text is not a valid topic (§4.7.3).
            return after_plus == "/#" && matches!(other, "#" | "/#");
        }
        let (literal, next) = split_head(after_plus);
        let Some(next_rest) = below.strip_prefix(literal) else {
            return false;
        };
        tail = next;
        rest = next_rest;
    }
    match tail {
        "" => rest.is_empty(),
        "#" => true,
        _ => rest.is_empty() || rest.starts_with('/'),
    }
}

/// Says whether some topic is matched by both filters.
pub(crate) fn intersects(one: &str, other: &str) -> bool {
    if matches!((one, other), ("/#", "+") | ("+", "/#")) {
        // Only the empty text would fit both, and it is no topic (§4.7.3).
        return false;
    }
    let mut ones = one.split('/');
    let mut others = other.split('/');
    loop {
        match (ones.next(), others.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(level), Some(other_level)) if level == other_level => {}
            (Some(_), Some(_)) | (Some(_), None) | (None, Some(_)) => return false,
        }
    }
}

/// The filter that matches what both of two match that [intersect](intersects).
pub(crate) fn common(one: &str, other: &str) -> String {
    let mut levels = Vec::new();
    let (mut ones, mut others) = (one.split('/'), other.split('/'));
    loop {
        let (level, rest) = match (ones.next(), others.next()) {
            (Some("#"), Some(level)) => (level, others),
            (Some(level), Some("#")) => (level, ones),
            (Some("+"), Some(level)) | (Some(level), Some(_)) => {
                levels.push(level);
                continue;
            }
            // `a/#` matches `a`.
            (_, None) | (None, Some(_)) => break,
        };
        levels.push(level);
        levels.extend(rest);
        break;
    }
    levels.join("/")
}

/// Says whether a filter holds `+` or `#`.
pub(crate) fn has_wildcards(filter: &str) -> bool {
    filter.bytes().any(|byte| matches!(byte, b'+' | b'#'))
}

/// Splits a filter into its head and its tail.
pub(crate) fn split_head(filter: &str) -> (&str, &str) {
    let wildcard = filter
        .bytes()
        .enumerate()
        .find(|(_, byte)| matches!(byte, b'+' | b'#'));
    let at = match wildcard {
        None => filter.len(),
        Some((at, b'#')) => at.saturating_sub(1),
        Some((at, _)) => at,
    };
    filter.split_at_checked(at).unwrap_or((filter, ""))
}

/// Splits off the first level; the slash stays with what is below.
pub(crate) fn split_level(text: &str) -> (&str, &str) {
    let at = text.find('/').unwrap_or(text.len());
    text.split_at_checked(at).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_before_the_first_wildcard_and_before_the_slash_of_a_hash() {
        assert_eq!(split_head("a/b"), ("a/b", ""));
        assert_eq!(split_head("a/b/#"), ("a/b", "/#"));
        assert_eq!(split_head("a/+/b/#"), ("a/", "+/b/#"));
        assert_eq!(split_head("#"), ("", "#"));
        assert_eq!(split_head("/#"), ("", "/#"));
        assert_eq!(split_head("+"), ("", "+"));
    }

    #[test]
    fn a_head_ends_at_a_level_and_not_inside_one() {
        assert!(!covers("a/#", "ab"));
        assert!(!covers("a/#", "ab/c"));
        assert!(!covers("+/a", "x/ab"));
        assert!(!covers("+/a/#", "x/ab"));
    }

    #[test]
    fn no_stack_grows_with_the_number_of_levels() {
        let filter = vec!["+"; 32_768].join("/");
        let topic = "/".repeat(32_767);
        assert!(covers(&filter, &topic));
        assert!(covers(&filter, &filter));
        assert!(intersects(&filter, &topic));
        assert!(!covers(&filter, &"/".repeat(32_766)));
    }
}
