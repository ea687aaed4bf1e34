//! Topic filters and the three questions they answer (MQTT 5.0 §4.7).

use core::fmt;

use super::{TopicError, TopicName, check_length, holds_special, is_special, levels};

/// A topic filter whose wildcards stand where MQTT 5.0 §4.7.1 lets them stand.
///
/// This form borrows its text, so that a SUBSCRIBE is judged without an
/// allocation; [`TopicFilter`] is the same thing, owned.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FilterRef<'a>(&'a str);

impl<'a> FilterRef<'a> {
    /// Reads a topic filter, borrowing the text.
    ///
    /// `$share/…` has no special meaning here; what a client sends in
    /// SUBSCRIBE is read by [`Subscription`](super::Subscription).
    ///
    /// # Errors
    ///
    /// Returns [`TopicError`] for a text that is empty, over 65,535 bytes,
    /// holds NUL, or has a wildcard that does not stand alone in its level or
    /// a `#` that is not the last level.
    pub fn parse(text: &'a str) -> Result<Self, TopicError> {
        check_length(text)?;
        if !holds_special(text) {
            return Ok(Self(text));
        }
        let mut levels = text.split('/').enumerate().peekable();
        while let Some((level, name)) = levels.next() {
            match name {
                "+" => {}
                "#" if levels.peek().is_none() => {}
                "#" => return Err(TopicError::HashNotLast { level }),
                _ => match name.bytes().find(|byte| is_special(*byte)) {
                    None => {}
                    Some(0) => return Err(TopicError::Nul),
                    Some(_) => return Err(TopicError::WildcardNotAlone { level }),
                },
            }
        }
        Ok(Self(text))
    }

    /// Gives the text back.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Says whether the filter begins with `$`.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0.starts_with('$')
    }

    /// Says whether the first level is `+` or `#`.
    #[must_use]
    pub fn opens_with_wildcard(self) -> bool {
        self.0.starts_with(['+', '#'])
    }

    /// Says whether a message on `topic` falls under this filter.
    ///
    /// `a/#` matches `a` itself (§4.7.1.2), `+` matches an empty level
    /// (§4.7.1.3), and no leading wildcard matches a leading `$` (§4.7.2).
    #[must_use]
    pub fn matches(self, topic: TopicName<'_>) -> bool {
        self.may_meet(topic.is_reserved()) && levels::covers(self.0, topic.as_str())
    }

    /// Says whether every topic that `other` matches is matched by this one.
    ///
    /// This is the true subset relation: `a/+` does not cover `a/#`, `a/+/#`
    /// does not cover `a/#` (it misses `a`), `+/#` covers `#`, and `#` does
    /// not cover `$SYS/#`.
    #[must_use]
    pub fn covers<'b>(self, other: impl Into<FilterRef<'b>>) -> bool {
        let other = other.into();
        self.may_meet(other.is_reserved()) && levels::covers(self.0, other.0)
    }

    /// Says whether some topic is matched by both this filter and `other`.
    #[must_use]
    pub fn intersects<'b>(self, other: impl Into<FilterRef<'b>>) -> bool {
        let other = other.into();
        self.may_meet(other.is_reserved())
            && other.may_meet(self.is_reserved())
            && levels::intersects(self.0, other.0)
    }

    /// Says whether §4.7.2 leaves room for a common topic.
    fn may_meet(self, other_is_reserved: bool) -> bool {
        !(other_is_reserved && self.opens_with_wildcard())
    }
}

impl fmt::Display for FilterRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// A topic filter that owns its text; see [`FilterRef`].
///
/// # Examples
///
/// ```
/// use countersign_core::topic::TopicFilter;
///
/// let granted = TopicFilter::parse("plant/+/temperature")?;
/// assert!(granted.covers(&TopicFilter::parse("plant/line1/temperature")?));
/// assert!(!granted.covers(&TopicFilter::parse("plant/#")?));
/// assert!(granted.intersects(&TopicFilter::parse("plant/#")?));
/// # Ok::<(), countersign_core::topic::TopicError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TopicFilter(Box<str>);

impl TopicFilter {
    /// Reads a topic filter.
    ///
    /// # Errors
    ///
    /// Returns [`TopicError`] as [`FilterRef::parse`] does.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        FilterRef::parse(text).map(Self::from)
    }

    /// Takes a text that is known to be a filter.
    pub(crate) fn from_valid(text: Box<str>) -> Self {
        debug_assert!(
            FilterRef::parse(&text).is_ok(),
            "`{text}` is not a valid filter"
        );
        Self(text)
    }

    /// Lends the filter.
    #[must_use]
    pub fn borrowed(&self) -> FilterRef<'_> {
        FilterRef(&self.0)
    }

    /// Gives the text back.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says what [`FilterRef::matches`] says.
    #[must_use]
    pub fn matches(&self, topic: TopicName<'_>) -> bool {
        self.borrowed().matches(topic)
    }

    /// Says what [`FilterRef::covers`] says.
    #[must_use]
    pub fn covers<'b>(&self, other: impl Into<FilterRef<'b>>) -> bool {
        self.borrowed().covers(other)
    }

    /// Says what [`FilterRef::intersects`] says.
    #[must_use]
    pub fn intersects<'b>(&self, other: impl Into<FilterRef<'b>>) -> bool {
        self.borrowed().intersects(other)
    }

    /// The filter of the topics that both this one and `other` match; none where
    /// they have none in common.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Self> {
        self.intersects(other)
            .then(|| Self::from_valid(levels::common(&self.0, &other.0).into()))
    }
}

impl<'a> From<&'a TopicFilter> for FilterRef<'a> {
    fn from(filter: &'a TopicFilter) -> Self {
        filter.borrowed()
    }
}

impl<'a> From<TopicName<'a>> for FilterRef<'a> {
    /// Gives the filter that matches this topic and no other.
    fn from(topic: TopicName<'a>) -> Self {
        FilterRef(topic.as_str())
    }
}

impl From<FilterRef<'_>> for TopicFilter {
    fn from(filter: FilterRef<'_>) -> Self {
        Self(filter.as_str().into())
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> FilterRef<'_> {
        FilterRef::parse(text).unwrap()
    }

    #[test]
    fn the_empty_text_is_no_filter() {
        assert_eq!(FilterRef::parse(""), Err(TopicError::Empty));
    }

    #[test]
    fn an_error_names_the_offending_level() {
        assert_eq!(
            FilterRef::parse("a/#/b"),
            Err(TopicError::HashNotLast { level: 1 })
        );
        assert_eq!(
            FilterRef::parse("a/b/c+"),
            Err(TopicError::WildcardNotAlone { level: 2 })
        );
        assert_eq!(FilterRef::parse("a/\0/+"), Err(TopicError::Nul));
    }

    #[test]
    fn a_topic_is_a_filter_that_matches_itself() {
        let topic = TopicName::parse("$SYS/x").unwrap();
        assert!(FilterRef::from(topic).matches(topic));
    }

    #[test]
    fn a_leading_wildcard_never_meets_a_leading_dollar() {
        for wild in ["#", "+", "+/#", "+/x", "+/+"] {
            assert!(!filter(wild).matches(TopicName::parse("$SYS/x").unwrap()));
            for reserved in ["$SYS", "$SYS/#", "$SYS/x", "$SYS/+"] {
                assert!(!filter(wild).covers(filter(reserved)));
                assert!(!filter(wild).intersects(filter(reserved)));
                assert!(!filter(reserved).intersects(filter(wild)));
            }
        }
    }

    #[test]
    fn the_owned_form_says_what_the_borrowed_one_says() {
        let owned = TopicFilter::parse("a/+").unwrap();
        assert!(owned.covers(filter("a/+")));
        assert!(owned.intersects(filter("+/b")));
        assert!(owned.matches(TopicName::parse("a/b").unwrap()));
        assert_eq!(owned.to_string(), owned.as_str());
    }
}
