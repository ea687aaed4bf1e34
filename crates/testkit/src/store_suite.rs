//! The tests that every store must pass.
//!
//! ```ignore
//! countersign_testkit::store_suite!(fresh_store());
//! ```
//!
//! The expression makes an empty store and whatever has to outlive it, a
//! directory say: `(store, keep)`.

use countersign_core::audit::AuditEntry;
use countersign_core::change::Change;
use countersign_core::client_id::ClientId;
use countersign_core::connect::{LoginRecord, Proof};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::kind::Kind;
use countersign_core::name::{LoginName, TenantId};
use countersign_core::rule::Namespaces;
use countersign_core::scheme::SchemeName;
use countersign_core::secret::{SecretDigest, SecretId, Verifier};
use countersign_core::store::{
    AdminStore, AdminTransaction, AuditQuery, GateStore, Intent, LoginEffects, StoreError,
    StoreErrorKind,
};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::topic::TopicFilter;

mod accounts;
mod acts;
mod arrivals;
mod asked;
mod authorities;
mod bans;
mod batches;
mod brokers;
mod certificates;
mod changes;
mod client_id_use;
mod client_ids;
mod control_notes;
mod followers;
mod hand_back;
mod hand_back_of_users;
mod hooks;
mod imports;
mod issuers;
mod listings;
mod lockouts;
mod logins;
mod ownership;
mod pages;
mod people;
mod principals;
mod races;
mod refusals;
mod registrations;
mod roles;
mod schemes;
mod selections;
mod things;
mod tokens;
mod told_refusals;
mod told_sessions;

pub use accounts::*;
pub use acts::*;
pub use arrivals::*;
pub use asked::*;
pub use authorities::*;
pub use bans::*;
pub use batches::*;
pub use brokers::*;
pub use certificates::*;
pub use changes::*;
pub use client_id_use::*;
pub use client_ids::*;
pub use control_notes::*;
pub use followers::*;
pub use hand_back::*;
pub use hand_back_of_users::*;
pub use hooks::*;
pub use imports::*;
pub use issuers::*;
pub use listings::*;
pub use lockouts::*;
pub use logins::*;
pub use ownership::*;
pub use pages::*;
pub use people::*;
pub(crate) use races::{at_once, race};
pub use refusals::*;
pub use registrations::*;
pub use roles::*;
pub use schemes::*;
pub use selections::*;
pub use things::*;
pub use tokens::*;
pub use told_refusals::*;
pub use told_sessions::*;

/// Makes a test of each sentence of the suite.
#[macro_export]
macro_rules! store_suite {
    ($fresh:expr) => {
        $crate::store_suite!(@ $fresh;
            a_ban_goes_with_its_tenant_and_once_it_has_ended,
            a_ban_reads_back_as_it_was_written,
            a_ban_that_nobody_asked_for_is_made_once_and_while_it_is_wanted,
            a_batch_that_found_the_lock_taken_can_be_written_again,
            a_bounded_number_of_brokers_is_remembered,
            a_broker_reads_back_as_it_described_itself,
            a_brokers_name_has_one_live_holder,
            a_certificate_goes_with_its_credential,
            a_certificate_has_one_credential,
            a_certificate_reads_back_as_it_was_written,
            a_change_log_that_was_pruned_or_replaced_yields_everything,
            a_client_id_is_bound_by_a_rule_or_by_first_use,
            a_client_id_that_somebody_else_got_meanwhile_makes_a_login_outdated,
            a_code_is_accepted_once,
            a_credential_reads_back_as_it_was_written,
            a_deleted_role_is_taken_from_its_holders,
            a_device_is_registered_once_and_in_nobodys_place,
            a_registered_name_stays_until_it_is_forgotten,
            what_a_registrar_makes_goes_with_it_and_with_its_role,
            a_registrar_makes_no_more_devices_than_it_may,
            a_deleted_tenant_takes_its_credentials_along_and_frees_their_names,
            a_first_use_has_one_winner,
            a_follower_is_found_by_its_secret_and_it_is_known_what_it_handed_back,
            a_follower_reads_back_as_it_was_written_and_loses_its_tenants,
            the_first_machine_of_a_secret_is_the_one,
            what_a_follower_may_say_counts_once,
            sessions_of_followers_are_listed_and_decide_nothing,
            a_broker_of_a_follower_is_never_taken_for_another,
            sessions_that_a_follower_can_not_have_are_refused,
            a_follower_answers_what_it_was_asked_to_end,
            nothing_else_of_a_follower_counts,
            refusals_of_followers_are_told_once_and_under_their_names,
            a_follower_names_nobody_whom_it_is_not_told_of,
            whom_a_follower_asks_for_is_made_as_at_one_broker,
            a_follower_has_nobody_made_who_would_not_be_made_at_one_broker,
            refusals_of_a_follower_are_written_down_in_a_bounded_number,
            a_code_that_a_follower_took_is_used_up,
            failures_of_followers_add_up_and_a_login_ends_them,
            a_grant_goes_with_its_role_and_its_tenant,
            a_grant_needs_its_role_and_its_tenant,
            a_group_holds_its_own_roles_and_no_others,
            groups_of_a_tenant_are_those_that_hold_a_role_or_have_a_member,
            a_hash_is_replaced_only_where_it_is_still_kept,
            a_hint_stays_with_its_secret,
            a_hook_reads_back_as_it_was_written_and_goes_with_its_tenant,
            a_note_reads_back_as_it_was_written_and_goes_with_its_tenant,
            an_issuer_reads_back_as_it_was_written,
            where_keys_are_fetched_reads_back_as_it_was_written,
            an_issuer_is_told_from_others_by_what_its_tokens_say,
            what_was_revoked_of_an_issuer_goes_with_it,
            a_kick_is_asked_for_once_and_answered_once,
            a_listing_is_the_same_by_pages_of_any_length,
            a_login_activates_once,
            a_login_by_authority_needs_the_authority,
            a_login_by_certificate_needs_the_certificate,
            a_login_by_token_needs_the_token,
            a_login_decided_before_an_act_is_outdated,
            a_login_waits_for_the_lock_no_longer_than_a_client_would_notice,
            a_new_secret_in_use_retires_the_old_one,
            a_number_is_never_given_out_again,
            a_page_begins_after_a_key_whether_that_is_there_or_not,
            a_page_of_the_audit_neither_loses_nor_repeats_a_row,
            a_prefix_finds_its_tenant_and_no_namesake,
            a_recovery_code_is_used_up,
            a_released_client_id_has_no_holder_until_it_is_taken,
            a_role_is_held_only_where_it_exists,
            a_role_reads_back_as_it_was_written,
            a_scheme_is_removed_with_all_its_fields,
            a_password_under_a_name_of_a_scheme_is_noted_until_that_is_removed,
            a_scheme_reads_back_as_it_was_written,
            a_secret_finds_its_credential,
            a_secret_has_one_owner,
            a_stored_session_is_whose_login_took_it,
            a_taken_name_is_a_conflict_whoever_has_it,
            a_taken_scheme_name_is_a_conflict,
            a_tenant_reads_back_as_it_was_written,
            a_thing_has_its_applications_token_and_roles,
            a_thing_is_registered_once_and_in_nobodys_place,
            a_token_registers_no_more_things_than_it_may,
            a_thing_needs_an_application_of_its_tenant,
            a_tie_is_written_once_and_told_to_the_others,
            a_token_and_its_key_read_back_as_they_were_written,
            a_token_goes_with_bearer_issuer_key_role_and_tenant,
            a_token_in_use_retires_the_older_one_for_all_things,
            a_token_that_ended_is_forgotten_after_a_week,
            a_transaction_that_is_dropped_never_happened,
            a_user_moves_where_something_is_granted,
            a_user_reads_back_as_it_was_written,
            a_users_login_forgives_and_remembers,
            a_users_stored_session_is_in_the_sessions_tenant,
            a_web_session_is_found_by_its_digest_and_goes_with_its_user,
            addresses_that_nobody_has_are_kept_in_a_bounded_number,
            an_act_its_audit_row_and_its_change_come_together,
            an_authority_goes_with_its_tenant,
            an_authority_reads_back_as_it_was_written,
            an_authoritys_key_is_its_own,
            authorities_are_found_by_what_they_are_called,
            an_api_token_is_found_by_its_digest_and_goes_with_its_tenant_and_owner,
            an_attribute_finds_its_holder,
            names_with_a_password_are_listed_by_name,
            names_that_imports_kept_are_found_by_what_they_end_with,
            an_empty_store_knows_nobody,
            an_import_is_remembered_as_long_as_its_object_is,
            an_undone_login_leaves_the_record_of_its_client_id_as_it_was,
            of_a_login_that_nobody_answered_for_an_earlier_session_is_inherited_by_nobody,
            an_update_leaves_name_tenant_secrets_and_times_alone,
            applications_and_things_are_listed_apart,
            bearers_alone_keep_no_tenant_from_being_empty,
            changes_reach_a_second_connection_in_order,
            credentials_are_listed_by_name_and_filtered,
            denied_uses_add_up_and_keep_their_topic_in_the_audit,
            denied_uses_and_refused_logins_have_a_thousand_rows_each,
            credentials_are_filtered_by_what_is_said_of_them,
            the_sessions_of_a_credential_are_found,
            failures_add_up_and_outlast_a_restart,
            failures_of_two_brokers_are_all_counted,
            last_use_only_moves_forward,
            no_more_than_a_thousand_rows_tell_of_a_minutes_refusals,
            nobody_is_heir_to_a_holder_that_is_gone_or_revoked,
            operators_are_listed_apart_by_name,
            presence_is_who_is_connected_and_cleared_broker_by_broker,
            recovery_codes_and_the_last_step_are_written_on_their_own,
            refusals_add_up_and_end_in_the_audit,
            refusals_name_client_ids_and_their_owners,
            secrets_are_listed_newest_first_and_end_when_told,
            settings_read_back_as_they_were_written,
            some_tenant_admits_anonymous_while_one_is_not_required,
            the_end_of_a_session_says_nothing_of_a_later_one,
            the_audit_lists_the_newest_rows_and_filters_them,
            the_audit_is_filtered_by_what_its_rows_say,
            keys_that_ended_are_removed_with_their_tokens,
            the_end_of_a_key_or_token_is_never_put_off,
            the_last_change_of_policy_is_about_no_single_credential,
            the_mark_moves_with_every_commit_and_not_otherwise,
            a_client_that_proved_nothing_leaves_a_record_and_takes_none,
            the_use_of_a_stored_session_only_moves_forward,
            the_use_of_a_client_id_is_remembered_without_a_session,
            of_one_credential_a_bounded_number_of_client_ids_is_remembered,
            old_client_ids_are_pruned_and_never_inherited,
            things_go_with_their_application,
            users_are_listed_where_something_is_granted,
            what_was_counted_is_forgotten_after_a_month,
            who_is_logged_in_from_addresses_is_known,
            who_uses_a_scheme_is_told_tenant_by_tenant,
            what_a_broker_counts_is_read_while_it_lives,
            what_a_broker_left_is_cleared_in_parts,
            whose_a_stored_session_is_is_counted_and_its_use_is_not,
        );
    };
    (@ $fresh:expr; $($sentence:ident,)*) => {
        $(
            #[test]
            fn $sentence() {
                let (store, _keep) = $fresh;
                $crate::store_suite::$sentence(store);
            }
        )*
    };
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn login_name(text: &str) -> LoginName {
    LoginName::parse(text).unwrap()
}

pub(crate) fn tenant_id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

/// A tenant that owns `<id>/#` and asks everybody for a login.
pub fn tenant(id: &str) -> Tenant {
    let namespace = TopicFilter::parse(&format!("{id}/#")).unwrap();
    let namespaces = Namespaces::new([namespace]).unwrap();
    Tenant::new(tenant_id(id), namespaces, at(1))
}

/// A new credential, of the tenant that its name tells; an operator, where it tells
/// none.
pub fn credential(name: &str) -> Credential {
    let tenant = name
        .rsplit_once('@')
        .and_then(|(_, tenant)| TenantId::parse(tenant).ok());
    let kind = match tenant {
        Some(_) => Kind::Device,
        None => Kind::Operator,
    };
    let (name, scheme) = (login_name(name), SchemeName::basic());
    Credential::new(name, kind, tenant, scheme, at(1))
}

pub(crate) fn digest(byte: u8) -> Verifier {
    Verifier::Digest(SecretDigest::from_bytes([byte; 32]))
}

/// A row of the audit at the instant `time`.
pub(crate) fn entry(time: i64, act: &str, subject: &str) -> AuditEntry {
    AuditEntry {
        after: Some("{}".into()),
        ..AuditEntry::done(at(time), "cli:suite", act, subject)
    }
}

/// Commits what `step` does, with one audit row and `changes`.
pub(crate) fn commit<S: AdminStore, T>(
    store: &mut S,
    changes: &[Change],
    step: impl FnOnce(&mut dyn AdminTransaction) -> Result<T, StoreError>,
) -> T {
    let mut transaction = store.begin(Intent::Write).unwrap();
    let done = step(&mut transaction).unwrap();
    transaction
        .commit(&[entry(1, "suite", "suite")], changes)
        .unwrap();
    done
}

/// What one look finds.
pub(crate) fn look<S: AdminStore, T>(
    store: &mut S,
    step: impl FnOnce(&mut dyn AdminTransaction) -> Result<T, StoreError>,
) -> T {
    step(&mut store.begin(Intent::Read).unwrap()).unwrap()
}

/// Commits `credential` with one secret, into a tenant that is made for it.
pub(crate) fn add<S: AdminStore>(
    store: &mut S,
    credential: &Credential,
    secret: u8,
) -> (CredentialId, SecretId) {
    commit(store, &[], |transaction| {
        if let Some(id) = &credential.tenant
            && transaction.tenant(id)?.is_none()
        {
            transaction.put_tenant(&tenant(id.as_str()))?;
        }
        let id = transaction.add_credential(credential)?;
        Ok((id, transaction.add_secret(id, &digest(secret))?))
    })
}

/// Looks a credential up that must be there.
pub(crate) fn found<S: GateStore>(store: &mut S, name: &str) -> Credential {
    let found = store.credential(&login_name(name)).unwrap().unwrap();
    Credential::clone(&found)
}

/// A login that proved a credential and changes nothing yet.
pub(crate) fn proved<'a>(
    credential: &'a Credential,
    secret: SecretId,
    client_id: &'a ClientId,
) -> LoginEffects<'a> {
    LoginEffects {
        broker: "b1",
        client_id,
        username: Some(credential.name.as_str()),
        tenant: credential.tenant.as_ref(),
        proved: Some((credential, Proof::Secret(secret))),
        record: LoginRecord::default(),
    }
}

pub(crate) fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

/// Asks again while the lock is not to be had, as a machine under test may be
/// slow.
pub(crate) fn patiently<T>(mut act: impl FnMut() -> Result<T, StoreError>) -> T {
    loop {
        match act() {
            Err(error) if error.kind() == StoreErrorKind::Busy => {}
            done => return done.unwrap(),
        }
    }
}

/// The whole audit, oldest row first.
pub(crate) fn audit<S: AdminStore>(store: &mut S) -> Vec<AuditEntry> {
    let rows = look(store, |transaction| {
        transaction.audit(&AuditQuery::default())
    });
    rows.into_iter().map(|row| row.entry).collect()
}

/// The acts in the audit, oldest first, the suite's own left out.
pub(crate) fn acts<S: AdminStore>(store: &mut S) -> Vec<String> {
    let acts = audit(store).into_iter().map(|entry| entry.act);
    acts.filter(|act| act != "suite").collect()
}
