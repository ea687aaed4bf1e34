//! Hash results of logins that were refused for lack of time, kept for their
//! next try.
//!
//! A result is used once, whether it is a match or not, and only for a login
//! with the same name, the same secret and the same code. So a right password
//! that is refused can't be told from a wrong one any better than at a first try.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::connect::{Method, Request};
use countersign_core::reason::Reason;
use countersign_core::secret::{Secret, Tag, TagKey};
use countersign_core::time::Timestamp;

use crate::login::hash_pool::HashOutcome;
use crate::login::slow_check::{CredentialVersion, HashRequest, HashResult};

/// Results that no login has used yet.
#[derive(Default)]
pub(crate) struct RetryResults {
    answers: HashMap<Tag, RetryResult>,
    /// What was found, in the order in which it was.
    order: VecDeque<(Timestamp, Tag)>,
}

/// An answer, and what it is about.
struct RetryResult {
    about: Option<CredentialVersion>,
    /// What was compared, which need not be all that was presented.
    compared: Tag,
    found: HashOutcome,
    /// See [`HashRequest::failed`].
    failed: Option<Reason>,
    at: Timestamp,
}

impl RetryResults {
    /// Keeps what was found out about a login.
    pub(crate) fn keep(
        &mut self,
        key: &TagKey,
        request: &Request,
        hash_result: &HashResult,
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
        let foresight = RetryResult {
            about: hash_result.about,
            compared: compared(key, &hash_result.presented),
            found: hash_result.found.settled(),
            failed: hash_result.failed,
            at: now,
        };
        self.answers.insert(presented, foresight);
    }

    /// Hands over why the last try of this login failed, if that is counted already:
    /// its code is not judged and counted again.
    pub(crate) fn take_failure(&mut self, key: &TagKey, request: &Request) -> Option<HashResult> {
        if self.answers.is_empty() {
            return None;
        }
        let presented = presented_by(key, request)?;
        let secret = request.secret.as_ref()?;
        let reason = self.answers.get(&presented)?.failed?;
        self.answers.remove(&presented);
        Some(HashResult {
            about: None,
            presented: Arc::new(Secret::presented(secret.expose())),
            found: HashOutcome::Failed,
            failed: Some(reason),
        })
    }

    /// Hands over what was found out about the last try of this login, if it
    /// answers this question.
    pub(crate) fn take(
        &mut self,
        key: &TagKey,
        request: &Request,
        hash_request: &HashRequest,
    ) -> Option<HashResult> {
        if self.answers.is_empty() {
            return None;
        }
        let foresight = self.answers.remove(&presented_by(key, request)?)?;
        let is_it = foresight.about == hash_request.about
            && foresight.compared == compared(key, &hash_request.presented);
        is_it.then(|| HashResult {
            about: foresight.about,
            presented: hash_request.presented.clone(),
            found: foresight.found,
            failed: hash_request.failed,
        })
    }

    /// Says whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Forgets results that no login came back for.
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
    let code = match &request.method {
        Method::Enhanced { code: Some(code) } => code.expose(),
        Method::Enhanced { code: None } | Method::Plain | Method::Token => &[],
    };
    Some(key.tag(&[b"presented", name, code], secret))
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

    fn hash_request(password: &str) -> HashRequest {
        HashRequest {
            about: None,
            name: None,
            presented: Arc::new(Secret::new(password.into())),
            passwords: Vec::new(),
            proved: None,
            failed: None,
        }
    }

    fn hash_result(password: &str) -> HashResult {
        HashResult {
            about: None,
            presented: Arc::new(Secret::new(password.into())),
            found: HashOutcome::Nothing,
            failed: None,
        }
    }

    #[test]
    fn nothing_is_foreseen_at_first() {
        let mut retry_results = RetryResults::default();
        let taken = retry_results.take(&key(), &request("a", "x"), &hash_request("x"));
        assert!(taken.is_none() && retry_results.is_empty());
    }

    #[test]
    fn an_answer_is_given_once_and_to_the_same_name_and_secret() {
        let mut retry_results = RetryResults::default();
        let ask = |retry_results: &mut RetryResults, name, password| {
            let (request, hash_request) = (request(name, password), hash_request(password));
            retry_results
                .take(&key(), &request, &hash_request)
                .is_some()
        };
        retry_results.keep(&key(), &request("a", "x"), &hash_result("x"), NOW);
        assert!(!ask(&mut retry_results, "b", "x") && !ask(&mut retry_results, "a", "y"));
        assert!(ask(&mut retry_results, "a", "x"));
        assert!(!ask(&mut retry_results, "a", "x"));
    }

    #[test]
    fn an_answer_about_another_part_of_what_was_presented_is_none() {
        let mut retry_results = RetryResults::default();
        let request = request("a", "x123456");
        retry_results.keep(&key(), &request, &hash_result("x"), NOW);
        let taken = retry_results.take(&key(), &request, &hash_request("x123456"));
        assert!(taken.is_none());
    }

    #[test]
    fn what_is_foreseen_is_bounded_in_number_and_time() {
        let mut retry_results = RetryResults::default();
        for number in 0..MOST + 10 {
            let request = request(&format!("n{number}"), "x");
            retry_results.keep(&key(), &request, &hash_result("x"), NOW);
        }
        assert_eq!(
            (retry_results.answers.len(), retry_results.order.len()),
            (MOST, MOST)
        );
        let mut taken = |name: &str| {
            retry_results
                .take(&key(), &request(name, "x"), &hash_request("x"))
                .is_some()
        };
        assert!(!taken("n0") && taken(&format!("n{}", MOST + 9)));
        assert!(size_of::<(Tag, RetryResult)>() <= 120);
        retry_results.tidy(NOW.plus(LONGEST));
        assert!(retry_results.is_empty() && retry_results.answers.is_empty());
    }
}
