//! What a client asks for in SUBSCRIBE (MQTT 5.0 §4.8.2).

use super::{FilterRef, TopicError, check_length};

/// A topic filter as SUBSCRIBE carries it, `$share/GROUP/` split off.
///
/// The group plays no part in what a client may read: `$share/g/a/#` reads
/// what `a/#` reads, so rules are asked about [`Subscription::filter`].
///
/// # Examples
///
/// ```
/// use countersign_core::topic::Subscription;
///
/// let subscription = Subscription::parse("$share/workers/jobs/#")?;
/// assert_eq!(subscription.group(), Some("workers"));
/// assert_eq!(subscription.filter().as_str(), "jobs/#");
/// # Ok::<(), countersign_core::topic::SubscriptionError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Subscription<'a> {
    group: Option<&'a str>,
    filter: FilterRef<'a>,
}

impl<'a> Subscription<'a> {
    /// Reads what a client sent in SUBSCRIBE, borrowing the text.
    ///
    /// # Errors
    ///
    /// Returns [`SubscriptionError`] for a filter that is none, and for a
    /// first level `$share` that is not followed by a group and a filter.
    pub fn parse(text: &'a str) -> Result<Self, SubscriptionError> {
        check_length(text)?;
        let shared = match text.strip_prefix("$share") {
            Some("") => return Err(SubscriptionError::NoGroup),
            Some(rest) => rest.strip_prefix('/'),
            None => None,
        };
        let Some(shared) = shared else {
            return Ok(Self {
                group: None,
                filter: FilterRef::parse(text)?,
            });
        };
        let (group, filter) = shared.split_once('/').unwrap_or((shared, ""));
        if group.is_empty() {
            return Err(SubscriptionError::NoGroup);
        }
        if group.contains(['+', '#']) {
            return Err(SubscriptionError::WildcardInGroup);
        }
        if group.contains('\0') {
            return Err(SubscriptionError::Filter(TopicError::Nul));
        }
        if filter.is_empty() {
            return Err(SubscriptionError::NoFilter);
        }
        Ok(Self {
            group: Some(group),
            filter: FilterRef::parse(filter)?,
        })
    }

    /// The group whose members take turns, if the subscription is shared.
    #[must_use]
    pub fn group(self) -> Option<&'a str> {
        self.group
    }

    /// The filter proper.
    #[must_use]
    pub fn filter(self) -> FilterRef<'a> {
        self.filter
    }

    /// Says whether each message goes to one member of a group only.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.group.is_some()
    }
}

impl<'a> From<FilterRef<'a>> for Subscription<'a> {
    /// Gives the subscription that is not shared.
    fn from(filter: FilterRef<'a>) -> Self {
        Self {
            group: None,
            filter,
        }
    }
}

/// Why a text can't be subscribed to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The filter itself is malformed.
    #[error(transparent)]
    Filter(#[from] TopicError),
    /// Nothing follows the group of a shared subscription.
    #[error("a shared subscription needs a filter after its group")]
    NoFilter,
    /// Nothing follows `$share`, or the group is empty.
    #[error("`$share` needs a group of at least one character")]
    NoGroup,
    /// The group holds `+` or `#`.
    #[error("the group of a shared subscription can't hold `+` or `#`")]
    WildcardInGroup,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_text_is_refused() {
        assert_eq!(
            Subscription::parse(""),
            Err(SubscriptionError::Filter(TopicError::Empty))
        );
    }

    #[test]
    fn a_plain_filter_has_no_group() {
        let subscription = Subscription::parse("a/#").unwrap();
        assert_eq!(subscription.group(), None);
        assert!(!subscription.is_shared());
        assert_eq!(subscription, FilterRef::parse("a/#").unwrap().into());
    }

    #[test]
    fn a_group_takes_exactly_one_level() {
        let subscription = Subscription::parse("$share/g//a").unwrap();
        assert_eq!(subscription.group(), Some("g"));
        assert_eq!(subscription.filter().as_str(), "/a");
    }

    #[test]
    fn only_the_whole_level_share_marks_a_shared_subscription() {
        for text in ["$shared/g/a", "$SHARE/g/a", "a/$share/g", "/$share/g/a"] {
            assert!(!Subscription::parse(text).unwrap().is_shared(), "{text}");
        }
    }

    #[test]
    fn a_malformed_share_is_an_error_and_not_a_plain_filter() {
        for (text, error) in [
            ("$share", SubscriptionError::NoGroup),
            ("$share/", SubscriptionError::NoGroup),
            ("$share//a", SubscriptionError::NoGroup),
            ("$share/g", SubscriptionError::NoFilter),
            ("$share/g/", SubscriptionError::NoFilter),
            ("$share/#", SubscriptionError::WildcardInGroup),
            ("$share/+/a", SubscriptionError::WildcardInGroup),
            ("$share/g+/a", SubscriptionError::WildcardInGroup),
            ("$share/g\0/a", SubscriptionError::Filter(TopicError::Nul)),
            (
                "$share/g/a/#/b",
                SubscriptionError::Filter(TopicError::HashNotLast { level: 1 }),
            ),
        ] {
            assert_eq!(Subscription::parse(text), Err(error), "{text}");
        }
    }
}
