//! What was found out about logins that were turned away for want of time, for
//! their next try.
//!
//! An answer is given once, whether it is a match or not, and for whoever
//! presents the same name and the same secret: so a right password that is
//! refused tells itself from a wrong one no more than at a first try.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use countersign_core::connect::Request;
use countersign_core::secret::{Secret, Tag, TagKey};
use countersign_core::time::Timestamp;

use crate::compare::{Learned, Question, Subject};
use crate::hashing::Found;

/// Answers that nobody has asked for again yet.
#[derive(Default)]
pub(crate) struct Foreseen {
    answers: HashMap<Tag, Foresight>,
    /// What was found, in the order in which it was.
    order: VecDeque<(Timestamp, Tag)>,
}

/// An answer, and what it is about.
struct Foresight {
    about: Option<Subject>,
    /// What was compared, which need not be all that was presented.
    compared: Tag,
    found: Found,
    at: Timestamp,
}

impl Foreseen {
    /// Keeps what was found out about a login.
    pub(crate) fn keep(
        &mut self,
        key: &TagKey,
        request: &Request,
        learned: &Learned,
        now: Timestamp,
    ) {
        let Some(presented) = presented_by(key, request) else {
            return;
        };
        while self.order.len() >= MOST {
            if let Some((at, oldest)) = self.order.pop_front() {
                self.drop_if_of(at, &oldest);
            }
        }
        self.order.push_back((now, presented));
        let foresight = Foresight {
            about: learned.about,
            compared: compared(key, &learned.presented),
            found: learned.found,
            at: now,
        };
        self.answers.insert(presented, foresight);
    }

    /// Hands over what was found out about the last try of this login, if it
    /// answers this question.
    pub(crate) fn take(
        &mut self,
        key: &TagKey,
        request: &Request,
        question: &Question,
    ) -> Option<Learned> {
        if self.answers.is_empty() {
            return None;
        }
        let foresight = self.answers.remove(&presented_by(key, request)?)?;
        let is_it = foresight.about == question.about
            && foresight.compared == compared(key, &question.presented);
        is_it.then(|| Learned {
            about: foresight.about,
            presented: question.presented.clone(),
            found: foresight.found,
        })
    }

    /// Says whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Forgets what nobody came back for.
    pub(crate) fn tidy(&mut self, now: Timestamp) {
        while let Some((at, presented)) = self.order.front().copied() {
            if at <= now && now.since(at) < LONGEST {
                return;
            }
            self.order.pop_front();
            self.drop_if_of(at, &presented);
        }
    }

    /// Drops an answer, unless it is a later one of the same login.
    fn drop_if_of(&mut self, at: Timestamp, presented: &Tag) {
        if self.answers.get(presented).is_some_and(|it| it.at == at) {
            self.answers.remove(presented);
        }
    }
}

fn presented_by(key: &TagKey, request: &Request) -> Option<Tag> {
    let name = request.name.as_ref()?.as_str().as_bytes();
    let secret = request.secret.as_ref()?;
    Some(key.tag(&[b"presented", name], secret))
}

fn compared(key: &TagKey, secret: &Secret) -> Tag {
    key.tag(&[b"compared"], secret)
}

/// Some 150 bytes each. A worker finds out about fifty a second.
const MOST: usize = 4_096;
/// Devices come back within a minute.
const LONGEST: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use countersign_core::connect::SessionUse;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn key() -> TagKey {
        TagKey::new([7; 32])
    }

    fn request(name: &str, password: &str) -> Request {
        let session = SessionUse::of(4, true);
        let (name, password) = (name.as_bytes(), password.as_bytes());
        Request::parse(b"c", Some(name), Some(password), session).unwrap()
    }

    fn question(password: &str) -> Question {
        Question {
            about: None,
            name: None,
            presented: Arc::new(Secret::new(password.into())),
            passwords: Vec::new(),
        }
    }

    fn learned(password: &str) -> Learned {
        Learned {
            about: None,
            presented: Arc::new(Secret::new(password.into())),
            found: Found::Nothing,
        }
    }

    #[test]
    fn nothing_is_foreseen_at_first() {
        let mut foreseen = Foreseen::default();
        let taken = foreseen.take(&key(), &request("a", "x"), &question("x"));
        assert!(taken.is_none() && foreseen.is_empty());
    }

    #[test]
    fn an_answer_is_given_once_and_to_the_same_name_and_secret() {
        let mut foreseen = Foreseen::default();
        let ask = |foreseen: &mut Foreseen, name, password| {
            let (request, question) = (request(name, password), question(password));
            foreseen.take(&key(), &request, &question).is_some()
        };
        foreseen.keep(&key(), &request("a", "x"), &learned("x"), NOW);
        assert!(!ask(&mut foreseen, "b", "x") && !ask(&mut foreseen, "a", "y"));
        assert!(ask(&mut foreseen, "a", "x"));
        assert!(!ask(&mut foreseen, "a", "x"));
    }

    #[test]
    fn an_answer_about_another_part_of_what_was_presented_is_none() {
        let mut foreseen = Foreseen::default();
        let request = request("a", "x123456");
        foreseen.keep(&key(), &request, &learned("x"), NOW);
        let taken = foreseen.take(&key(), &request, &question("x123456"));
        assert!(taken.is_none());
    }

    #[test]
    fn what_is_foreseen_is_bounded_in_number_and_time() {
        let mut foreseen = Foreseen::default();
        for number in 0..MOST + 10 {
            let request = request(&format!("n{number}"), "x");
            foreseen.keep(&key(), &request, &learned("x"), NOW);
        }
        assert_eq!((foreseen.answers.len(), foreseen.order.len()), (MOST, MOST));
        let mut taken = |name: &str| {
            foreseen
                .take(&key(), &request(name, "x"), &question("x"))
                .is_some()
        };
        assert!(!taken("n0") && taken(&format!("n{}", MOST + 9)));
        assert!(size_of::<(Tag, Foresight)>() <= 120);
        foreseen.tidy(NOW.plus(LONGEST));
        assert!(foreseen.is_empty() && foreseen.answers.is_empty());
    }
}
