//! Our matcher against Mosquitto's own, in its client library.
//!
//! Every filter and topic of up to three levels from a small alphabet is put
//! to both. They agree on all of them, about what is a filter and a topic as
//! well as about what matches. The one difference that is known:
//!
//! - Mosquitto refuses a topic or filter of more than 200 levels before it
//!   asks anybody; MQTT 5.0 §4.7.3 sets no such limit, and neither do we.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::transmute;

use countersign_core::topic::{FilterRef, TopicName};

type MatchesSub = unsafe extern "C" fn(*const c_char, *const c_char, *mut bool) -> c_int;
type TopicCheck = unsafe extern "C" fn(*const c_char) -> c_int;

/// Mosquitto's client library, which holds the broker's matcher too.
struct Mosquitto {
    matches_sub: MatchesSub,
    sub_topic_check: TopicCheck,
    pub_topic_check: TopicCheck,
}

impl Mosquitto {
    fn load() -> Self {
        let open = |name: &CStr| {
            // SAFETY: the name is terminated; the library's constructors are
            // those of Debian's libmosquitto.
            unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) }
        };
        let library: *mut c_void = open(c"libmosquitto.so.1");
        assert!(
            !library.is_null(),
            "libmosquitto is missing; run `cargo xtask setup`"
        );
        let symbol = |name: &CStr| {
            // SAFETY: the library was opened above and stays open.
            let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
            assert!(!symbol.is_null(), "{name:?}");
            symbol
        };
        // SAFETY: mosquitto.h declares the function so.
        let check = |name| unsafe { transmute::<*mut c_void, TopicCheck>(symbol(name)) };
        let matches_sub = symbol(c"mosquitto_topic_matches_sub");
        Self {
            // SAFETY: mosquitto.h declares the function so.
            matches_sub: unsafe { transmute::<*mut c_void, MatchesSub>(matches_sub) },
            sub_topic_check: check(c"mosquitto_sub_topic_check"),
            pub_topic_check: check(c"mosquitto_pub_topic_check"),
        }
    }

    fn is_filter(&self, text: &str) -> bool {
        let text = CString::new(text).unwrap();
        // SAFETY: the text is terminated.
        unsafe { (self.sub_topic_check)(text.as_ptr()) == 0 }
    }

    fn is_topic(&self, text: &str) -> bool {
        let text = CString::new(text).unwrap();
        // SAFETY: the text is terminated.
        unsafe { (self.pub_topic_check)(text.as_ptr()) == 0 }
    }

    /// What it says; `None` if it takes the filter or the topic for none.
    fn matches(&self, filter: &str, topic: &str) -> Option<bool> {
        let filter = CString::new(filter).unwrap();
        let topic = CString::new(topic).unwrap();
        let mut result = false;
        // SAFETY: both texts are terminated and `result` is writable.
        let code = unsafe { (self.matches_sub)(filter.as_ptr(), topic.as_ptr(), &raw mut result) };
        (code == 0).then_some(result)
    }
}

/// All texts of one to `depth` levels from an alphabet.
fn texts(levels: &[&str], depth: usize) -> Vec<String> {
    let mut all: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
    let mut longest = all.clone();
    for _ in 1..depth {
        longest = longest
            .iter()
            .flat_map(|start| levels.iter().map(move |level| format!("{start}/{level}")))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

#[test]
fn we_match_as_mosquitto_does() {
    let mosquitto = Mosquitto::load();
    let mut compared = 0_usize;
    for filter in texts(&["", "a", "b", "$x", "+", "#"], 3) {
        let Ok(ours) = FilterRef::parse(&filter) else {
            continue;
        };
        for topic in texts(&["", "a", "b", "$x"], 3) {
            let Ok(name) = TopicName::parse(&topic) else {
                continue;
            };
            compared += 1;
            let theirs = mosquitto.matches(&filter, &topic);
            assert_eq!(Some(ours.matches(name)), theirs, "`{filter}` and `{topic}`");
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn we_take_the_same_texts_for_filters_and_topics() {
    let mosquitto = Mosquitto::load();
    for text in texts(&["", "a", "+", "#", "a+", "+a", "a#", "#a", "++"], 3) {
        // The empty text is none (MQTT 5.0 §4.7.3); Mosquitto's functions
        // leave that to their callers.
        if text.is_empty() {
            continue;
        }
        assert_eq!(
            FilterRef::parse(&text).is_ok(),
            mosquitto.is_filter(&text),
            "filter `{text}`"
        );
        assert_eq!(
            TopicName::parse(&text).is_ok(),
            mosquitto.is_topic(&text),
            "topic `{text}`"
        );
    }
}
