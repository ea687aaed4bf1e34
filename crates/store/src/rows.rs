//! The rows of a store, port by port, as the ports of the core have them: a line for each
//! method. The compiler says which is missing, or is not as the port has it.

use countersign_core::api_token::{ApiToken, ApiTokenId};
use countersign_core::audit::{
    AuditChain, AuditCheck, AuditEntry, AuditHead, AuditHeads, AuditKey, AuditRow,
};
use countersign_core::ban::{Ban, BanId, BanTarget};
use countersign_core::broker::BrokerRecord;
use countersign_core::certificate::{
    AuthorityId, AuthorityRecord, CertificateRecord, Fingerprint, SignerHints,
};
use countersign_core::change::{Change, ChangeSeq, KickRequestId};
use countersign_core::client_id::ClientIdTie;
use countersign_core::control_note::{ControlNote, NoteKey, NoteKind};
use countersign_core::credential::{Credential, CredentialId};
use countersign_core::follower::{Follower, FollowerName, FollowerProgress, MachineKey};
use countersign_core::hand_back::{Asked, HandBackPlace, Maker};
use countersign_core::hook::{Hook, HookName};
use countersign_core::imported::ImportMark;
use countersign_core::issuer::{IssuerId, IssuerName, IssuerRecord, IssuerText, KeySource};
use countersign_core::jwt::{KeyId, TokenId};
use countersign_core::lockout::Lockout;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::ownership::{Holder, StoredSession};
use countersign_core::presence::{Presence, SessionNumber};
use countersign_core::registrar::Registrar;
use countersign_core::role::{Role, RoleName};
use countersign_core::scheme::{Scheme, SchemeName, Schemes};
use countersign_core::secret::{SecretDigest, SecretId, Verifier};
use countersign_core::store::rows::*;
use countersign_core::store::{Listed, Page, Settings, StoreError};
use countersign_core::tenant::Tenant;
use countersign_core::time::Timestamp;
use countersign_core::token::{SealedTokenKey, TokenKey, TokenRecord};
use countersign_core::totp::Step;
use countersign_core::user::RecoveryCodeId;
use countersign_core::web_session::{WebSession, WebSessionId};

use crate::AnyTransaction;
use crate::delegate::{delegate, methods};

delegate! {
    for AnyTransaction<'_>;

    ApiTokenRows {
        api_token(id: ApiTokenId) -> Option<ApiToken>;
        api_token_by_digest(digest: &SecretDigest) -> Option<ApiToken>;
        api_tokens(which: &ApiTokensOf, page: &Page<ApiTokenId>) -> Listed<ApiToken>;
        count_api_tokens(which: &ApiTokensOf, most: u64) -> u64;
        add_api_token(token: &ApiToken, digest: &SecretDigest) -> ApiTokenId;
        use_api_token(id: ApiTokenId, at: Timestamp) -> ();
        remove_api_token(id: ApiTokenId) -> bool;
        remove_ended_api_tokens(now: Timestamp, most: usize) -> usize;
    }
    ApplicationRows {
        applications(tenant: Option<&TenantId>, page: &Page<LoginName>) -> Listed<Credential>;
        has_application(tenant: &TenantId, id: CredentialId) -> bool;
        things(
            tenant: Option<&TenantId>,
            application: Option<CredentialId>,
            page: &Page<LoginName>,
        ) -> Listed<Credential>;
        remove_things_of(tenant: &TenantId, most: usize) -> Vec<CredentialId>;
        registration_count(application: CredentialId) -> RegistrationCount;
        count_registration(application: CredentialId, count: RegistrationCount) -> ();
    }
    AuditRows {
        audit(query: &AuditQuery) -> Vec<AuditRow>;
        audit_page(query: &AuditQuery, page: &Page<AuditKey>) -> Listed<AuditRow>;
        audit_after(after: i64, most: usize) -> Vec<AuditRow>;
        audit_row(id: i64) -> Option<AuditRow>;
        audit_heads() -> AuditHeads;
        verify_audit(expected: &[AuditHead]) -> AuditCheck;
        last_act_before(before: Timestamp) -> AuditHead;
        append_audit(chain: AuditChain, entries: &[AuditEntry]) -> ();
        count_audited_refusals() -> u64;
        cut_audit(
            chain: AuditChain,
            most: usize,
            is_old: &mut dyn FnMut(i64, Timestamp) -> bool,
        ) -> usize;
    }
    AuthorityRows {
        authority(id: AuthorityId) -> Option<AuthorityRecord>;
        authority_by_fingerprint(fingerprint: &Fingerprint) -> Option<AuthorityRecord>;
        authority_by_key(key: &[u8; 32]) -> Option<AuthorityRecord>;
        authorities_like(hints: &SignerHints) -> Vec<AuthorityRecord>;
        authorities(tenant: Option<&TenantId>) -> Vec<AuthorityRecord>;
        add_authority(authority: &AuthorityRecord) -> AuthorityId;
        remove_authority(id: AuthorityId) -> bool;
    }
    BanRows {
        ban(id: BanId) -> Option<Ban>;
        ban_on(target: &BanTarget) -> Option<Ban>;
        bans(tenant: Option<&TenantId>, page: &Page<BanId>) -> Listed<Ban>;
        count_bans(tenant: Option<&TenantId>, most: u64) -> u64;
        add_ban(ban: &Ban) -> BanId;
        remove_ban(id: BanId) -> bool;
        remove_ended_bans(now: Timestamp, most: usize) -> usize;
    }
    BrokerRows {
        brokers(page: &Page<String>) -> Listed<KnownBroker>;
        count_brokers() -> u64;
        broker(name: &str) -> Option<KnownBroker>;
        put_broker(broker: &BrokerRecord) -> ();
        note_broker(name: &str, at: Timestamp) -> bool;
        remove_broker(name: &str) -> bool;
    }
    CertificateRows {
        certificate(fingerprint: &Fingerprint) -> Option<CertificateRecord>;
        certificates_of(credential: CredentialId) -> Vec<CertificateRecord>;
        add_certificate(certificate: &CertificateRecord) -> ();
        remove_certificate(fingerprint: &Fingerprint) -> bool;
    }
    ChangeRows {
        last_change() -> ChangeSeq;
        last_change_at() -> Timestamp;
        append_change(at: Timestamp, change: &Change) -> ();
        cut_changes(most: usize, is_old: &mut dyn FnMut(ChangeSeq, Timestamp) -> bool) -> usize;
    }
    ClientIdRows {
        client_id_record(id: &ClientIdTie) -> Option<ClientIdRecord>;
        put_client_id_record(id: &ClientIdTie, record: &ClientIdRecord) -> ();
        remove_client_id_record(id: &ClientIdTie) -> ();
        touch_client_id(
            id: &ClientIdTie,
            credential: Option<CredentialId>,
            broker: &str,
            at: Timestamp,
        ) -> bool;
        put_arrival(id: &ClientIdTie, arrival: &ArrivalRow) -> ();
        remove_arrival(id: &ClientIdTie) -> ();
        arrivals_at(broker: &str, most: usize) -> Vec<(ClientIdTie, bool)>;
        pruned_client_id(id: &ClientIdTie) -> Option<Holder>;
        put_pruned_client_id(id: &ClientIdTie, holder: Holder) -> ();
        remove_pruned_client_id(id: &ClientIdTie) -> ();
        bound_to(id: &ClientIdTie) -> Option<CredentialId>;
        is_bound_to_another(id: &ClientIdTie, claimant: Option<CredentialId>) -> bool;
        count_client_ids_of(whose: ClientIdsOf<'_>, since: Timestamp, most: u32) -> u32;
        count_client_ids() -> ClientIdCounts;
        client_ids_unused_since(at: Timestamp, most: usize) -> Vec<ClientIdTie>;
        client_ids_used_after(at: Timestamp, most: usize) -> Vec<ClientIdTie>;
        set_last_use(id: &ClientIdTie, at: Timestamp) -> ();
        release_unauthenticated(tenant: &TenantId) -> ();
        stored_session(id: &ClientIdTie) -> Option<StoredSession>;
    }
    ControlNoteRows {
        control_note(key: &NoteKey) -> Option<ControlNote>;
        control_notes(
            tenant: &TenantId,
            kind: NoteKind,
            page: &Page<Box<str>>,
        ) -> Listed<ControlNote>;
        put_control_note(note: &ControlNote) -> ();
        remove_control_note(key: &NoteKey) -> bool;
    }
    CredentialRows {
        credential(name: &LoginName) -> Option<Credential>;
        credential_by_id(id: CredentialId) -> Option<Credential>;
        has_credential(id: CredentialId) -> bool;
        name_of(id: CredentialId) -> Option<LoginName>;
        credentials(query: &CredentialQuery, page: &Page<LoginName>) -> Listed<Credential>;
        operators(page: &Page<LoginName>) -> Listed<Credential>;
        users(page: &Page<LoginName>) -> Listed<Credential>;
        granted_users(tenant: &TenantId, page: &Page<CredentialId>) -> Listed<GrantedUser>;
        has_user(email: &LoginName) -> bool;
        count_credentials(tenant: &TenantId) -> u64;
        names_kept_under(suffix: &str, most: usize) -> Vec<LoginName>;
        name_kept_like(name: &LoginName) -> Option<LoginName>;
        holder_of_attribute(key: &str, value: &str) -> Option<LoginName>;
        holders_in_scheme(scheme: &SchemeName, key: &str, value: &str) -> Vec<LoginName>;
        insert_credential(credential: &Credential) -> CredentialId;
        update_credential(credential: &Credential) -> ();
        remove_credential(id: CredentialId) -> ();
        remove_credentials_of(tenant: &TenantId, most: usize) -> Vec<CredentialId>;
        use_credential(seen: &Credential, change: &CredentialUse) -> bool;
        note_use(id: CredentialId, at: Timestamp) -> ();
    }
    FollowerRows {
        follower(name: &FollowerName) -> Option<Follower>;
        follower_by_digest(digest: &SecretDigest) -> Option<Follower>;
        handed_back(name: &FollowerName) -> Option<HandBackPlace>;
        put_handed_back(name: &FollowerName, place: HandBackPlace) -> ();
        last_told() -> i64;
        first_told() -> i64;
        cut_told(before: Timestamp, most: usize) -> usize;
        followers(page: &Page<FollowerName>) -> Listed<Follower>;
        put_follower(follower: &Follower) -> ();
        note_follower(name: &FollowerName, progress: FollowerProgress) -> ();
        pin_machine(name: &FollowerName, key: &MachineKey, is_begun: bool) -> bool;
        note_refused(name: &FollowerName, count: u64) -> ();
        ask_to_register(by: Maker, name: &LoginName, at: Timestamp) -> Option<Asked>;
        remove_follower(name: &FollowerName) -> bool;
    }
    HookRows {
        hook(name: &HookName) -> Option<Hook>;
        hooks(page: &Page<HookName>) -> Listed<Hook>;
        put_hook(hook: &Hook) -> ();
        remove_hook(name: &HookName) -> bool;
    }
    ImportRows {
        credential_import(id: CredentialId) -> Option<ImportMark>;
        put_credential_import(id: CredentialId, mark: &ImportMark) -> ();
        role_import(tenant: &TenantId, name: &RoleName) -> Option<ImportMark>;
        put_role_import(tenant: &TenantId, name: &RoleName, mark: &ImportMark) -> ();
        has_own_credentials(tenant: &TenantId) -> bool;
    }
    IssuerRows {
        issuer(id: IssuerId) -> Option<IssuerRecord>;
        issuer_by_name(name: &IssuerName) -> Option<IssuerRecord>;
        issuers_like(issuer: &IssuerText) -> Vec<IssuerRecord>;
        issuers(tenant: Option<&TenantId>) -> Vec<IssuerRecord>;
        add_issuer(issuer: &IssuerRecord) -> IssuerId;
        set_issuer_keys(id: IssuerId, keys: &str, at: Timestamp) -> bool;
        set_key_source(id: IssuerId, source: Option<&KeySource>) -> ();
        key_sources() -> Vec<(IssuerId, KeySource)>;
        remove_issuer(id: IssuerId) -> bool;
        revoke_issued_token(id: IssuerId, token: &IssuerText, at: Timestamp) -> bool;
        is_issued_token_revoked(id: IssuerId, token: &IssuerText) -> bool;
        count_revoked_of_issuer(id: IssuerId) -> u64;
    }
    KickRows {
        request_kick(target: &KickTarget, entry: &AuditEntry) -> KickRequestId;
        kick_target(id: KickRequestId) -> Option<KickTarget>;
        answer_kick(id: KickRequestId) -> Option<AnsweredKick>;
        withdraw_kick(id: KickRequestId) -> bool;
        is_kick_answered(id: KickRequestId) -> bool;
        kick_actor(id: KickRequestId) -> Option<String>;
        remove_kick_requests(at: Timestamp, most: usize) -> usize;
    }
    LockoutRows {
        lockout(email: &LoginName) -> Lockout;
        put_lockout(email: &LoginName, lockout: &Lockout, is_users: bool, at: Timestamp) -> ();
        mark_lockout(email: &LoginName, is_users: bool) -> ();
        clear_lockout(email: &LoginName) -> ();
        keep_unknown_lockouts(most: usize, newest: &LoginName) -> ();
        remove_lockouts(at: Timestamp, most: usize) -> usize;
    }
    PresenceRows {
        presence(
            tenant: Option<&TenantId>,
            page: &Page<(String, SessionNumber)>,
        ) -> Listed<BrokerPresence>;
        presence_with(client_id: &ClientIdTie) -> Vec<BrokerPresence>;
        presence_of(broker: &str, session: SessionNumber) -> Option<BrokerPresence>;
        presence_of_credential(credential: CredentialId) -> Vec<BrokerPresence>;
        count_presence(tenant: Option<&TenantId>) -> u64;
        put_presence(broker: &str, presence: &Presence) -> ();
        remove_presence(broker: &str, session: SessionNumber) -> ();
        join_presence(
            broker: &str,
            session: SessionNumber,
            tenant: &TenantId,
        ) -> Option<JoinedPresence>;
        take_presence(broker: &str, most: usize) -> Vec<(ClientIdTie, Option<CredentialId>)>;
        put_presence_behind(follower: &FollowerName, broker: &str, presence: &Presence) -> ();
        take_presence_behind(follower: &FollowerName, most: usize) -> usize;
        count_presence_behind(follower: &FollowerName) -> u64;
        count_presence_of_followers(tenant: Option<&TenantId>, since: Timestamp) -> u64;
        is_connected(id: &ClientIdTie) -> bool;
    }
    RefusalRows {
        add_to_refusal(row: &RefusalRow<'_>) -> bool;
        add_refusal(row: &RefusalRow<'_>) -> ();
        count_refused_client_ids(row: &RefusalRow<'_>, most: usize) -> usize;
        count_named_refusals(minute: Timestamp, are_uses: bool) -> usize;
        count_staged_refusals(more: i64) -> ();
        staged_refusals(most: usize) -> Vec<AuditRow>;
        take_refusals(last: Timestamp, most: usize) -> Vec<AuditEntry>;
    }
    DeviceRegistrationRows {
        device_count(registrar: Registrar) -> RegistrationCount;
        count_device(registrar: Registrar, count: RegistrationCount) -> ();
        was_registered(tenant: &TenantId, name: &LoginName) -> bool;
        note_registered(tenant: &TenantId, name: &LoginName) -> ();
        forget_registered(tenant: &TenantId, name: &LoginName) -> bool;
    }
    RoleRows {
        role(tenant: &TenantId, name: &RoleName) -> Option<Role>;
        roles(tenant: Option<&TenantId>, page: &Page<(TenantId, RoleName)>) -> Listed<Role>;
        put_role(role: &Role) -> ();
        delete_role(tenant: &TenantId, name: &RoleName) -> ();
        assign_role(tenant: &TenantId, name: &RoleName, group: &GroupPath) -> bool;
        unassign_role(tenant: &TenantId, name: &RoleName, group: &GroupPath) -> bool;
        groups_of_role(tenant: &TenantId, name: &RoleName) -> Vec<GroupPath>;
        roles_of_group(tenant: &TenantId, group: &GroupPath) -> Vec<RoleName>;
        groups(tenant: &TenantId, begin: &str, most: usize) -> Vec<GroupPath>;
        holders_of_role(tenant: &TenantId, name: &RoleName) -> Vec<CredentialId>;
    }
    SchemeRows {
        schemes() -> Schemes;
        add_scheme(scheme: &Scheme) -> ();
        expect_passwords(scheme: &SchemeName) -> ();
        remove_scheme(name: &SchemeName) -> ();
        tenants_using_scheme(name: &SchemeName) -> Vec<TenantId>;
        schemes_used_by(tenant: &TenantId) -> Vec<SchemeName>;
    }
    SecretRows {
        has_secret(owner: CredentialId, secret: SecretId) -> bool;
        is_secret_taken(digest: &SecretDigest) -> bool;
        names_with_password(page: &Page<LoginName>) -> Listed<LoginName>;
        add_secret(credential: CredentialId, verifier: &Verifier) -> SecretId;
        limit_secret(secret: SecretId, ends_at: Option<Timestamp>, until_used: bool) -> ();
        put_hint(secret: SecretId, hint: &str) -> ();
        remove_secret(secret: SecretId) -> ();
        retire_older_secrets(owner: CredentialId, newest: SecretId) -> ();
    }
    SettingRows {
        settings() -> Settings;
        set_settings(settings: &Settings) -> ();
    }
    TenantRows {
        tenant(id: &TenantId) -> Option<Tenant>;
        tenants(page: &Page<TenantId>) -> Listed<Tenant>;
        put_tenant(tenant: &Tenant) -> ();
        remove_tenant(id: &TenantId) -> ();
    }
    TokenRows {
        token_key(id: &KeyId) -> Option<TokenKey>;
        token_keys(tenant: &TenantId) -> Vec<SealedTokenKey>;
        add_token_key(key: &SealedTokenKey) -> ();
        end_token_key(key: &KeyId, at: Timestamp) -> ();
        remove_ended_token_keys(tenant: &TenantId, now: Timestamp) -> ();
        token(id: &TokenId) -> Option<TokenRecord>;
        tokens(
            tenant: Option<&TenantId>,
            page: &Page<(TenantId, Timestamp, TokenId)>,
        ) -> Listed<TokenRecord>;
        count_tokens_of(issuer: CredentialId) -> u64;
        bearers(tenant: &TenantId) -> u64;
        add_token(token: &TokenRecord) -> ();
        revoke_token(id: &TokenId, at: Timestamp) -> ();
        remove_ended_tokens_of(issuer: CredentialId, now: Timestamp) -> ();
        remove_tokens(at: Timestamp, most: usize) -> usize;
    }
    UserRows {
        put_recovery_codes(user: CredentialId, codes: &[SecretDigest]) -> ();
        platform_admins() -> Vec<CredentialId>;
        remove_recovery_code(user: CredentialId, code: RecoveryCodeId) -> bool;
        put_last_step(user: CredentialId, step: Step) -> ();
        use_step(user: CredentialId, step: Step) -> bool;
        put_last_tenant(user: CredentialId, tenant: &TenantId) -> ();
    }
    WebSessionRows {
        web_session(id: WebSessionId) -> Option<WebSession>;
        web_session_by_digest(digest: &SecretDigest) -> Option<WebSession>;
        web_sessions_of(user: CredentialId) -> Vec<WebSession>;
        count_web_sessions() -> u64;
        add_web_session(session: &WebSession, digest: &SecretDigest) -> WebSessionId;
        use_web_session(id: WebSessionId, at: Timestamp) -> ();
        switch_web_session(id: WebSessionId, tenant: &TenantId) -> ();
        remove_web_session(id: WebSessionId) -> bool;
        remove_web_sessions_of(user: CredentialId) -> usize;
        remove_idle_web_sessions(at: Timestamp, most: usize) -> usize;
    }
}
