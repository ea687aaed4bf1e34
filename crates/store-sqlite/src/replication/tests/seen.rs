//! What a follower of some tenants may know, and whoever has its secret.

use super::*;

/// All that is told, as text.
fn told(pair: &Pair) -> String {
    let mut text = String::new();
    let mut after = None;
    loop {
        let page = pair
            .centre
            .snapshot_page(&pair.secret, after.as_ref())
            .unwrap();
        let (_, page) = page.unwrap();
        text.push_str(&serde_json::to_string(&page).unwrap());
        after = page.next;
        if after.is_none() {
            return text;
        }
    }
}

#[test]
fn a_follower_of_one_tenant_is_told_nothing_of_another() {
    let mut pair = Pair::of(Some(&["acme"]));
    pair.follow();
    pair.assert_equal();
    let told = told(&pair);
    for hidden in ["other", "monitor", "dev1@other"] {
        assert!(!told.contains(hidden), "{hidden}: {told}");
    }
    for there in ["dev1@acme", "jane@example.com", "acme/${username}/#"] {
        assert!(told.contains(there), "{there}");
    }
    // Who is also something to another tenant is that there alone.
    pair.act(
        "INSERT INTO person_grant (credential, tenant, role, org_admin) VALUES (6, 'other', 'ops', 0);
         UPDATE role SET description = 'hidden' WHERE tenant = 'other';
         DELETE FROM role WHERE tenant = 'other';
         INSERT INTO credential_rule (credential, position, effect, action, pattern, no_retain)
             VALUES (4, 0, 'deny', 'publish', 'hidden/x', 0);
         DELETE FROM credential WHERE id = 4",
    );
    let SinceThen::Changes(changes) = pair.since(pair.place.unwrap()) else {
        panic!("behind");
    };
    let text = serde_json::to_string(&changes).unwrap();
    assert!(
        !text.contains("other") && !text.contains("hidden"),
        "{text}"
    );
    pair.follow();
    pair.assert_equal();
}

#[test]
fn a_user_comes_with_a_grant_and_goes_with_the_last_one() {
    let mut pair = Pair::of(Some(&["other"]));
    pair.follow();
    let users = |pair: &Pair| {
        column(
            &pair.replica,
            "SELECT name FROM credential WHERE kind = 'user'",
        )
    };
    assert!(users(&pair).is_empty());
    pair.act("INSERT INTO person_grant (credential, tenant, role, org_admin) VALUES (6, 'other', 'ops', 0)");
    pair.follow();
    pair.assert_equal();
    assert_eq!(users(&pair), ["jane@example.com"]);
    pair.act("DELETE FROM person_grant WHERE tenant = 'other'");
    pair.follow();
    pair.assert_equal();
    assert!(users(&pair).is_empty());
}

#[test]
fn what_must_stay_secret_never_leaves_the_centre() {
    let mut pair = Pair::of(None);
    pair.act(
        "UPDATE token_key SET private = x'5ec4e7'; UPDATE person SET seed = x'5ec4e7';
         UPDATE hook SET kick_login = x'5ec4e7', digest = x'5ec4e7';
         UPDATE api_token SET digest = x'5ec4e7'; UPDATE recovery_code SET digest = x'5ec4e7'",
    );
    let told = told(&pair);
    assert!(!told.contains("5ec4e7"), "{told}");
    assert!(
        told.contains("token_key") && told.contains("\"person\""),
        "{told}"
    );
    pair.follow();
    pair.assert_equal();
    let seeds = column(&pair.replica, "SELECT hex(seed) FROM person");
    assert_eq!(seeds, [""]);
}

#[test]
fn a_secret_that_is_nobodys_tells_nothing_and_nor_does_one_that_was_replaced() {
    let mut pair = Pair::of(None);
    let old = pair.secret.clone();
    pair.follow();
    let place = pair.place.unwrap();
    pair.secret = SecretDigest::of(&Secret::new(b"another".to_vec()));
    assert!(
        pair.centre
            .snapshot_page(&pair.secret, None)
            .unwrap()
            .is_none()
    );
    pair.put_follower(None, 1);
    assert!(pair.centre.snapshot_page(&old, None).unwrap().is_none());
    assert!(
        pair.centre
            .changes_for_follower(&old, place)
            .unwrap()
            .is_none()
    );
    assert!(matches!(pair.since(place), SinceThen::Changes(_)));
}
