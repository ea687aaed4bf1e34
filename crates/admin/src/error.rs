//! Why a command was not run: one error for every door.
//!
//! A door (command line, C library, HTTP, `$CONTROL`) needs a [`ErrorKind`] for its
//! code, a [`Subject`] for what it adds of its own (a hint in the words of its
//! users), and the message, which is one line and names the thing.

use core::error::Error;
use core::fmt;

use countersign_core::credential::{AttributeError, TooManyGroupsError};
use countersign_core::name::{LoginNameError, TenantId};
use countersign_core::scheme::{DraftError, SchemeTakenError};
use countersign_core::store::StoreError;

/// Why a command was not run. Nothing changed then.
#[derive(Debug)]
pub struct AdminError(Box<Refusal>);

#[derive(Debug)]
struct Refusal {
    kind: ErrorKind,
    subject: Subject,
    message: String,
    cause: Option<Cause>,
}

/// The error behind it.
#[derive(Debug)]
enum Cause {
    /// The store's, which the message repeats.
    Store(StoreError),
    /// Another, which the message does not tell.
    Other(Box<dyn Error + Send + Sync>),
}

/// What kind of refusal it is, by what its caller can do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The state of the subject does not allow it, or another thing stands
    /// against it.
    Conflict,
    /// There is such a thing already.
    Exists,
    /// The caller may not.
    Forbidden,
    /// Other things need the subject.
    InUse,
    /// What is asked for makes no sense, whatever is stored.
    Invalid,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The store, its key file, the memory or the randomness can't be used
    /// now.
    Unavailable,
    /// The name is that of another sort of thing, which has commands of its own:
    /// the sort that the subject tells.
    WrongKind,
}

/// What a refusal is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// What sort of thing.
    pub noun: Noun,
    /// What it is called; empty where it has no name.
    pub name: String,
    /// Its tenant, where its name says nothing without one.
    pub tenant: Option<TenantId>,
}

/// The sorts of things that commands are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Noun {
    /// An API token.
    ApiToken,
    /// An application.
    Application,
    /// An attribute of a credential.
    Attribute,
    /// A row of the audit.
    AuditRow,
    /// An authority (CA) of a tenant.
    Authority,
    /// A ban.
    Ban,
    /// A broker.
    Broker,
    /// The caller of the command.
    Caller,
    /// What a door was asked for, in the words of that door.
    Command,
    /// A certificate that stands for a credential.
    Certificate,
    /// A client id.
    ClientId,
    /// A credential of a device or a service.
    Credential,
    /// A machine that follows this store.
    Follower,
    /// What a user is granted in a tenant.
    Grant,
    /// A group of a tenant.
    Group,
    /// A hook of another broker.
    Hook,
    /// The maker of one of our own tokens.
    Issuer,
    /// The key file beside the store.
    KeyFile,
    /// The lock that failed logins bring upon a user.
    Lockout,
    /// A limit.
    Limit,
    /// A topic filter that a tenant owns.
    Namespace,
    /// An operator.
    Operator,
    /// A password.
    Password,
    /// Randomness.
    Random,
    /// What the tenant that owns `#` owns, and no other.
    Rest,
    /// A role.
    Role,
    /// A rule of a role or a credential.
    Rule,
    /// A scheme.
    Scheme,
    /// A user's second factor.
    SecondFactor,
    /// A key that signs tokens.
    SigningKey,
    /// The store.
    Store,
    /// A tenant.
    Tenant,
    /// A thing.
    Thing,
    /// A token (JWT).
    Token,
    /// An issuer of others.
    TokenIssuer,
    /// A user.
    User,
    /// A web session of a user.
    WebSession,
}

impl AdminError {
    /// A refusal of `kind` about `subject`. `message` is one line for people.
    pub(crate) fn new(kind: ErrorKind, subject: Subject, message: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            kind,
            subject,
            message: message.into(),
            cause: None,
        }))
    }

    /// A refusal for what a command says itself.
    pub(crate) fn invalid(noun: Noun, name: impl fmt::Display, message: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Invalid,
            Subject::new(noun, name),
            message.to_string(),
        )
    }

    /// A refusal in the words of a door, of what its own rules don't allow.
    #[must_use]
    pub fn of_door(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, Subject::nameless(Noun::Command), message)
    }

    /// New secrets could not be kept for those whom they are given to.
    #[must_use]
    pub fn secrets_not_kept(cause: std::io::Error) -> Self {
        let subject = Subject::nameless(Noun::Credential);
        let message = "could not write to the file of secrets";
        Self::new(ErrorKind::Unavailable, subject, message).with_cause(cause)
    }

    /// Adds the error behind it, which the message does not tell.
    pub(crate) fn with_cause(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.0.cause = Some(Cause::Other(Box::new(cause)));
        self
    }

    /// What kind of refusal it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.0.subject
    }

    /// The error of the store, if that is why.
    #[must_use]
    pub fn store(&self) -> Option<&StoreError> {
        match &self.0.cause {
            Some(Cause::Store(error)) => Some(error),
            Some(Cause::Other(_)) | None => None,
        }
    }

    /// Says whether it is of this kind and about such a thing.
    #[must_use]
    pub fn is(&self, kind: ErrorKind, noun: Noun) -> bool {
        self.0.kind == kind && self.0.subject.noun == noun
    }
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for AdminError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Some(Cause::Store(error)) => error.source(),
            Some(Cause::Other(error)) => Some(&**error),
            None => None,
        }
    }
}

impl From<DraftError> for AdminError {
    /// A draft that lacks a name is about the credential, which has none; all
    /// else is about what the scheme makes or takes.
    fn from(error: DraftError) -> Self {
        if let DraftError::Random(error) = error {
            return error.into();
        }
        if let DraftError::SecretWeak { .. } = error {
            let subject = Subject::nameless(Noun::Password);
            return Self::new(ErrorKind::Conflict, subject, error.to_string());
        }
        let noun = if matches!(error, DraftError::NameMissing { .. }) {
            Noun::Credential
        } else {
            Noun::Scheme
        };
        Self::invalid(noun, "", error)
    }
}

impl From<AttributeError> for AdminError {
    fn from(error: AttributeError) -> Self {
        Self::invalid(Noun::Attribute, "", error)
    }
}

impl From<TooManyGroupsError> for AdminError {
    fn from(error: TooManyGroupsError) -> Self {
        Self::new(
            ErrorKind::Invalid,
            Subject::nameless(Noun::Group),
            error.to_string(),
        )
    }
}

impl From<LoginNameError> for AdminError {
    fn from(error: LoginNameError) -> Self {
        Self::invalid(Noun::Credential, "", error)
    }
}

impl From<SchemeTakenError> for AdminError {
    fn from(error: SchemeTakenError) -> Self {
        let subject = Subject::nameless(Noun::Scheme);
        Self::new(ErrorKind::Exists, subject, error.to_string())
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self(Box::new(Refusal {
            kind: ErrorKind::Unavailable,
            subject: Subject::nameless(Noun::Store),
            message: error.to_string(),
            cause: Some(Cause::Store(error)),
        }))
    }
}

impl ErrorKind {
    /// The word that programs read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflict | Self::WrongKind => "conflict",
            Self::Exists => "exists",
            Self::Forbidden => "forbidden",
            Self::InUse => "in-use",
            Self::Invalid => "invalid",
            Self::NotFound => "not-found",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Subject {
    /// The thing of this name, in the whole store.
    pub(crate) fn new(noun: Noun, name: impl fmt::Display) -> Self {
        Self {
            noun,
            name: name.to_string(),
            tenant: None,
        }
    }

    /// The thing of this name in a tenant.
    pub(crate) fn in_tenant(noun: Noun, name: impl fmt::Display, tenant: &TenantId) -> Self {
        Self {
            tenant: Some(tenant.clone()),
            ..Self::new(noun, name)
        }
    }

    /// A thing that has no name.
    pub(crate) fn nameless(noun: Noun) -> Self {
        Self::new(noun, "")
    }
}
