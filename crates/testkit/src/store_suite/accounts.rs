//! What belongs to the service: API tokens and web sessions.

use countersign_core::api_token::{ApiToken, ApiTokenId, TokenScope};
use countersign_core::credential::{CredentialId, Generation};
use countersign_core::secret::{Secret, SecretDigest};
use countersign_core::store::rows::{ApiTokensOf, WebSessionRows as _};
use countersign_core::store::{AdminStore, GateStore, Intent, Page, all_rows};
use countersign_core::web_session::{WebSession, WebSessionId};

use super::people::user;
use super::{add, at, commit, look, tenant, tenant_id};

/// Each token is found by number, by digest and in the lists that it belongs to, and
/// goes with its tenant and its owner.
pub fn an_api_token_is_found_by_its_digest_and_goes_with_its_tenant_and_owner(
    mut store: impl GateStore + AdminStore,
) {
    let (owner, _) = add(&mut store, &user(Vec::new(), None), 1);
    commit(&mut store, &[], |transaction| {
        transaction.put_tenant(&tenant("acme"))
    });
    let acme = || tenant_id("acme");
    let written = [
        token(TokenScope::Platform, None, None, 9),
        token(TokenScope::Tenant(acme()), None, None, 5),
        token(TokenScope::Viewer(acme()), Some(owner), None, 6),
        token(TokenScope::Platform, Some(owner), Some(ApiTokenId(1)), 7),
    ];
    let ids = commit(&mut store, &[], |transaction| {
        let mut ids = Vec::new();
        for (place, token) in written.iter().enumerate() {
            ids.push(transaction.add_api_token(token, &digest(place))?);
        }
        Ok(ids)
    });
    for (place, (id, token)) in ids.iter().zip(&written).enumerate() {
        let token = ApiToken {
            id: *id,
            ..token.clone()
        };
        let read = look(&mut store, |transaction| {
            let by_digest = transaction.api_token_by_digest(&digest(place))?;
            Ok([transaction.api_token(*id)?, by_digest])
        });
        assert_eq!(read, [Some(token.clone()), Some(token)]);
    }
    let mut listed = |which: &ApiTokensOf| {
        look(&mut store, |transaction| {
            let rows = all_rows(|page| transaction.api_tokens(which, page))?;
            let count = transaction.count_api_tokens(which, 100)?;
            assert_eq!(count, rows.len() as u64);
            assert_eq!(transaction.count_api_tokens(which, 1)?, count.min(1));
            let first = transaction.api_tokens(
                which,
                &Page {
                    after: None,
                    limit: 1,
                },
            )?;
            assert_eq!(first.next.is_some(), count > 1);
            Ok(rows.iter().map(|token| token.id).collect::<Vec<_>>())
        })
    };
    assert_eq!(listed(&ApiTokensOf::Everybody), ids);
    assert_eq!(listed(&ApiTokensOf::Platform), [ids[0], ids[3]]);
    assert_eq!(listed(&ApiTokensOf::Tenant(acme())), [ids[1], ids[2]]);
    assert_eq!(listed(&ApiTokensOf::User(owner)), [ids[2], ids[3]]);
    assert_eq!(listed(&ApiTokensOf::Parent(ApiTokenId(1))), [ids[3]]);

    commit(&mut store, &[], |transaction| {
        transaction.use_api_token(ids[0], at(3))?;
        assert_eq!(transaction.remove_ended_api_tokens(at(4), 10)?, 0);
        assert_eq!(transaction.remove_ended_api_tokens(at(6), 1)?, 1);
        transaction.delete_credential(owner)
    });
    let left = look(&mut store, |transaction| {
        all_rows(|page| transaction.api_tokens(&ApiTokensOf::Everybody, page))
    });
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].last_used_at, Some(at(3)));
    commit(&mut store, &[], |transaction| {
        let token = token(TokenScope::Tenant(acme()), None, None, 9);
        transaction.add_api_token(&token, &digest(7))?;
        transaction.delete_tenant(&acme())?;
        assert!(transaction.api_token_by_digest(&digest(7))?.is_none());
        assert!(transaction.remove_api_token(ids[0])?);
        assert!(!transaction.remove_api_token(ids[0])?);
        Ok(())
    });
}

/// A web session is found by number, by digest and with its user, with whom it goes.
pub fn a_web_session_is_found_by_its_digest_and_goes_with_its_user(
    mut store: impl GateStore + AdminStore,
) {
    let (jane, _) = add(&mut store, &user(Vec::new(), None), 1);
    let written: Vec<_> = [10, 20, 30].map(|used| session(jane, used)).into();
    let ids = commit(&mut store, &[], |transaction| {
        let mut ids = Vec::new();
        for (place, session) in written.iter().enumerate() {
            ids.push(transaction.add_web_session(session, &digest(place))?);
        }
        Ok(ids)
    });
    let whole = |place: usize| WebSession {
        id: ids[place],
        ..written[place].clone()
    };
    look(&mut store, |transaction| {
        let by_digest = transaction.web_session_by_digest(&digest(1))?;
        assert_eq!(by_digest, Some(whole(1)));
        assert_eq!(transaction.web_session(ids[2])?, Some(whole(2)));
        assert_eq!(
            transaction.web_sessions_of(jane)?,
            [whole(0), whole(1), whole(2)]
        );
        assert_eq!(transaction.web_session_by_digest(&digest(9))?, None);
        assert_eq!(transaction.count_web_sessions()?, 3);
        Ok(())
    });
    commit(&mut store, &[], |transaction| {
        transaction.use_web_session(ids[0], at(40))?;
        transaction.switch_web_session(ids[0], &tenant_id("acme"))?;
        assert_eq!(transaction.remove_idle_web_sessions(at(30), 10)?, 1);
        assert!(transaction.remove_web_session(ids[2])?);
        assert!(!transaction.remove_web_session(ids[2])?);
        let left = transaction.web_sessions_of(jane)?;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].last_used_at, at(40));
        assert_eq!(left[0].tenant, Some(tenant_id("acme")));
        assert_eq!(transaction.remove_web_sessions_of(jane)?, 1);
        transaction.add_web_session(&written[0], &digest(5))?;
        transaction.delete_credential(jane)?;
        assert_eq!(transaction.count_web_sessions()?, 0);
        Ok(())
    });
    let refused = store
        .begin(Intent::Write)
        .unwrap()
        .add_web_session(&written[0], &digest(6));
    assert!(refused.is_err());
}

fn token(
    scope: TokenScope,
    owner: Option<CredentialId>,
    parent: Option<ApiTokenId>,
    ends: i64,
) -> ApiToken {
    ApiToken {
        id: ApiTokenId(0),
        scope,
        owner,
        parent,
        created_by: "cli:root".into(),
        description: owner.map(|_| "ü".into()),
        created_at: at(1),
        expires_at: at(ends),
        last_used_at: None,
    }
}

fn session(user: CredentialId, used: i64) -> WebSession {
    WebSession {
        id: WebSessionId(0),
        user,
        generation: Generation(2),
        created_at: at(1),
        last_used_at: at(used),
        address: Some("::1".into()),
        tenant: None,
    }
}

fn digest(place: usize) -> SecretDigest {
    SecretDigest::of(&Secret::new(vec![u8::try_from(place).unwrap()]))
}
