//! Questions as programs ask them, each a JSON object.

use std::net::IpAddr;

use countersign_core::store::{AdminStore, GateStore, StoreError};
use serde::{Deserialize, Deserializer};

use super::{ConnectAnswer, ConnectCheck, PolicyCheck, TopicAnswer, TopicCheck, Usage};

/// A question about a client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    check: CheckKind,
    /// The username of the client; none of one that presents no login. It must be
    /// said, as nobody in particular is somebody else.
    #[serde(deserialize_with = "said_or_null")]
    pub username: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    listener: Option<u16>,
    #[serde(default)]
    address: Option<IpAddr>,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CheckKind {
    Connect,
    Deliver,
    Publish,
    Subscribe,
}

fn said_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What a CONNECT would come to.
    Connect(ConnectAnswer),
    /// What a client may do with a topic.
    Topic(TopicAnswer),
}

impl Answer {
    /// The same for those who may know of one tenant alone: it does not say who owns
    /// what another tenant has.
    #[must_use]
    pub fn without_others(self) -> Self {
        match self {
            Self::Connect(answer) => Self::Connect(ConnectAnswer {
                owner: None,
                signed_by: None,
                ..answer
            }),
            Self::Topic(mut answer) => {
                if let Some(wall) = &mut answer.wall
                    && wall.owner != wall.tenant
                {
                    wall.owner = None;
                }
                Self::Topic(answer)
            }
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckRequestError {
    /// It lacks something.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: AdminStore + GateStore> PolicyCheck<'_, S> {
    /// Answers a question.
    ///
    /// # Errors
    ///
    /// Returns [`CheckRequestError`] when the question lacks something, and when the store
    /// can't be read.
    pub fn answer(&mut self, question: &CheckRequest) -> Result<Answer, CheckRequestError> {
        let username = question.username.as_deref();
        let client_id = question.client_id.as_deref();
        let listener = question.listener;
        let topic = question.topic.as_deref();
        let topic = topic.ok_or(CheckRequestError::Missing("topic"));
        let usage = match question.check {
            CheckKind::Connect => {
                let client_id = client_id.ok_or(CheckRequestError::Missing("client_id"))?;
                let answer = self.connect(ConnectCheck {
                    certificate: None,
                    client_id,
                    username,
                    password: None,
                    listener,
                    address: question.address,
                })?;
                return Ok(Answer::Connect(answer));
            }
            CheckKind::Deliver => Usage::Deliver { topic: topic? },
            CheckKind::Publish => Usage::Publish {
                topic: topic?,
                qos: question.qos,
                retain: question.retain,
            },
            CheckKind::Subscribe => Usage::Subscribe { filter: topic? },
        };
        let answer = self.topic(&TopicCheck {
            username,
            client_id,
            password: None,
            listener,
            usage,
        })?;
        Ok(Answer::Topic(answer))
    }
}
