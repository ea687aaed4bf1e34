//! Commands on API tokens: what programs present to the service.

use core::time::Duration;

use countersign_core::api_token::{ApiToken, ApiTokenId, TokenScope};
use countersign_core::duration::parse_duration;
use countersign_core::given::Given;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::ApiTokensOf;
use countersign_core::store::{Intent, Keyed, Listed, Page, StoreError};

use crate::caller::{Authority, Permission};
use crate::command::{Command, Tx};
use crate::error::{AdminError, ErrorKind, Noun, Subject};
use crate::lookup::{self, Rows};
use crate::secret::random_secret;
use crate::text::FreeText;
use crate::view::AuditedApiToken;

/// An API token to be made.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// What it may do.
    pub scope: TokenScope,
    /// How long it lasts.
    pub lifetime: TokenLifetime,
    /// What it is for.
    pub description: Option<FreeText>,
}

/// How long an API token lasts: from a second to ten years.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenLifetime(Duration);

impl TokenLifetime {
    /// 90 days.
    pub const DEFAULT: Self = Self(Duration::from_secs(90 * DAY));

    /// Parses a duration like `90d`.
    ///
    /// # Errors
    ///
    /// Returns [`TokenLifetimeError`] when `text` is none, or a longer one.
    pub fn parse(text: &str) -> Result<Self, TokenLifetimeError> {
        let parsed = parse_duration(text).ok();
        let sane = parsed.filter(|it| !it.is_zero() && *it <= LONGEST);
        sane.map(Self)
            .ok_or_else(|| TokenLifetimeError(text.into()))
    }
}

impl Default for TokenLifetime {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A text does not say how long an API token lasts.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` is not how long an API token may last; write `12h` or `90d`, at most `3650d`")]
pub struct TokenLifetimeError(Given);

/// An API token that was made just now.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct CreatedApiToken {
    /// The token, to be shown this once.
    pub secret: Secret,
    /// What is kept of it.
    pub shown: ShownApiToken,
}

/// An API token as it is listed.
#[derive(Clone, Debug)]
pub struct ShownApiToken {
    /// What is kept of it.
    pub token: ApiToken,
    /// The user whose it is; none where it is the platform's.
    pub owner: Option<LoginName>,
}

impl Keyed for ShownApiToken {
    type Key = ApiTokenId;

    fn key(&self) -> ApiTokenId {
        self.token.id
    }
}

impl ShownApiToken {
    fn of(rows: &mut Rows<'_>, token: ApiToken) -> Result<Self, StoreError> {
        let owner = match token.owner {
            Some(owner) => rows.credential_by_id(owner)?.map(|owner| owner.name),
            None => None,
        };
        Ok(Self { token, owner })
    }
}

/// Makes an API token. A user's is never worth more than the user is; one that is made
/// with another token belongs to the same user, and ends with that token.
#[derive(Clone, Debug)]
pub struct CreateApiToken(pub NewApiToken);

impl Command for CreateApiToken {
    type Output = CreatedApiToken;

    fn needs(&self) -> Permission {
        Permission::MakeApiToken(self.0.scope.clone())
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<CreatedApiToken, AdminError> {
        let (new, now) = (&self.0, tx.now);
        lookup::check_tenant(tx, new.scope.tenant())?;
        let mut expires_at = now.plus(new.lifetime.0);
        let (owner, parent) = match tx.caller.authority {
            Authority::Operator(_) | Authority::Platform => (None, None),
            Authority::User(user) => (Some(user.id), None),
            Authority::Session(id) => (Some(id), None),
            Authority::Token(id) => {
                let parent = tx.api_token(id)?;
                let parent = parent.ok_or_else(|| lookup::no_api_token(id))?;
                expires_at = expires_at.min(parent.expires_at);
                (parent.owner, Some(id))
            }
        };
        let of_scope = match new.scope.tenant() {
            Some(tenant) => ApiTokensOf::Tenant(tenant.clone()),
            None => ApiTokensOf::Platform,
        };
        let of_owner = owner.map(|id| (ApiTokensOf::User(id), MOST_OF_USER));
        for (which, most) in [(of_scope, MOST_OF_SCOPE)].into_iter().chain(of_owner) {
            if tx.count_api_tokens(&which, most)? >= most {
                tx.remove_ended_api_tokens(now, AT_ONCE)?;
            }
            if tx.count_api_tokens(&which, most)? >= most {
                return Err(too_many(&which, most));
            }
        }
        let secret = random_secret(tx.random)?;
        let mut token = ApiToken {
            id: ApiTokenId(0),
            scope: new.scope.clone(),
            owner,
            parent,
            created_by: tx.caller.actor.to_owned(),
            description: new.description.as_ref().and_then(FreeText::filled),
            created_at: now,
            expires_at,
            last_used_at: None,
        };
        token.id = tx.add_api_token(&token, &SecretDigest::of(&secret))?;
        let shown = ShownApiToken::of(tx, token)?;
        let after = AuditedApiToken::of(&shown);
        tx.record(
            "token.create",
            &subject_of(&shown.token),
            None,
            Some(&after),
        );
        Ok(CreatedApiToken { secret, shown })
    }
}

/// Lists API tokens by number: those of a tenant, or all.
#[derive(Clone, Debug, Default)]
pub struct ListApiTokens {
    /// Whose scope is this tenant alone.
    pub tenant: Option<TenantId>,
    /// Which of them.
    pub page: Page<ApiTokenId>,
}

impl Command for ListApiTokens {
    type Output = Listed<ShownApiToken>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        let of_tenant = |tenant: &TenantId| Permission::Administer(tenant.clone());
        self.tenant.as_ref().map_or(Permission::Platform, of_tenant)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<ShownApiToken>, AdminError> {
        lookup::check_tenant(tx, self.tenant.as_ref())?;
        let which = match &self.tenant {
            Some(tenant) => ApiTokensOf::Tenant(tenant.clone()),
            None => ApiTokensOf::Everybody,
        };
        list(tx, &which, &self.page)
    }
}

/// Finds the API token by which the caller speaks; none where it speaks by no token.
#[derive(Clone, Copy, Debug)]
pub struct FindPresentedApiToken;

impl Command for FindPresentedApiToken {
    type Output = Option<ShownApiToken>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Any
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Option<ShownApiToken>, AdminError> {
        let Authority::Token(id) = tx.caller.authority else {
            return Ok(None);
        };
        let token = tx.api_token(id)?.ok_or_else(|| lookup::no_api_token(id))?;
        Ok(Some(ShownApiToken::of(tx, token)?))
    }
}

/// Lists the caller's own API tokens by number.
#[derive(Clone, Debug, Default)]
pub struct ListOwnApiTokens(pub Page<ApiTokenId>);

impl Command for ListOwnApiTokens {
    type Output = Listed<ShownApiToken>;

    const INTENT: Intent = Intent::Read;

    fn needs(&self) -> Permission {
        Permission::Own
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<Listed<ShownApiToken>, AdminError> {
        let user = tx.caller.authority.own()?;
        list(tx, &ApiTokensOf::User(user.id), &self.0)
    }
}

fn list(
    tx: &mut Tx<'_>,
    which: &ApiTokensOf,
    page: &Page<ApiTokenId>,
) -> Result<Listed<ShownApiToken>, AdminError> {
    let Listed { rows, next } = tx.api_tokens(which, page)?;
    let shown = rows.into_iter().map(|token| ShownApiToken::of(tx, token));
    let rows = shown.collect::<Result<_, _>>()?;
    Ok(Listed { rows, next })
}

/// Revokes an API token, and those that were made with it. They are gone then; the
/// output is what the token was.
#[derive(Clone, Copy, Debug)]
pub struct RevokeApiToken(pub ApiTokenId);

impl Command for RevokeApiToken {
    type Output = ShownApiToken;

    fn needs(&self) -> Permission {
        Permission::EndApiToken(self.0)
    }

    fn apply(&self, tx: &mut Tx<'_>) -> Result<ShownApiToken, AdminError> {
        let unknown = || lookup::no_api_token(self.0);
        let token = tx.api_token(self.0)?.ok_or_else(unknown)?;
        let shown = ShownApiToken::of(tx, token.clone())?;
        let mut left = vec![token];
        while let Some(token) = left.pop() {
            let children = ApiTokensOf::Parent(token.id);
            let page = Page {
                limit: MOST_OF_SCOPE,
                ..Page::default()
            };
            left.append(&mut tx.api_tokens(&children, &page)?.rows);
            tx.remove_api_token(token.id)?;
            let subject = subject_of(&token);
            let before = AuditedApiToken::of(&ShownApiToken::of(tx, token)?);
            tx.record("token.revoke", &subject, Some(&before), None);
        }
        Ok(shown)
    }
}

/// What the audit calls an API token.
fn subject_of(token: &ApiToken) -> String {
    format!("token:{}", token.id)
}

fn too_many(which: &ApiTokensOf, most: u64) -> AdminError {
    let whose = match which {
        ApiTokensOf::Tenant(tenant) => format!("of tenant `{tenant}`"),
        ApiTokensOf::User(_) => "of one user".to_owned(),
        ApiTokensOf::Everybody | ApiTokensOf::Parent(_) | ApiTokensOf::Platform => {
            "of the platform".to_owned()
        }
    };
    let message =
        format!("there are {most} API tokens {whose}, and may be no more; revoke some of them");
    AdminError::new(
        ErrorKind::Conflict,
        Subject::nameless(Noun::ApiToken),
        message,
    )
}

const DAY: u64 = 86_400;
const LONGEST: Duration = Duration::from_secs(3_650 * DAY);

/// As many API tokens as there may be of one tenant, and of the platform.
const MOST_OF_SCOPE: u64 = 1_000;
/// As many as a user may have.
const MOST_OF_USER: u64 = 50;
/// So many that ended are removed at once.
const AT_ONCE: usize = 256;

#[cfg(test)]
mod tests;
