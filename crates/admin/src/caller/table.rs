//! The one table of who may run what: every command, tried by every kind of
//! caller.
//!
//! What a caller may, it does as the platform would: a dry run answers alike.
//! What it may not is refused, as forbidden or as not there.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use countersign_core::audit::AuditHead;
use countersign_core::client_id::{ClientId, ClientIdRule};
use countersign_core::credential::{CredentialId, Generation};
use countersign_core::imported::ImportMark;
use countersign_core::jwt::{Ttl, Whoami};
use countersign_core::kind::Application;
use countersign_core::lifecycle::State;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::scheme::{FieldValue, Scheme};
use countersign_core::secret::Secret;
use countersign_core::store::{AuditQuery, CredentialQuery, ExportScope, Page, Settings};
use countersign_core::tenant::Authentication;
use countersign_core::user::{Grant, GrantedRight};
use countersign_core::web_session::WebSessionId;
use countersign_sqlite::SqliteStore;

use crate::account::{
    ChangeOwnPassword, ConfirmOwnSecondFactor, DisableOwnSecondFactor, EndOwnWebSession,
    EnrolOwnSecondFactor, ListOwnWebSessions, ShowMe, SwitchTenant,
};
use crate::api_token::{
    CreateApiToken, FindPresentedApiToken, ListApiTokens, ListOwnApiTokens, RevokeApiToken,
};
use crate::application::{
    CreateApplication, DeleteApplication, ListApplications, NewApplication, RotateApplication,
    ShowApplication,
};
use crate::audit::{
    FindAuditRow, FindLastAct, FollowAudit, ListAudit, ListAuditPage, RecordPruning,
    ShowAuditHeads, VerifyAudit,
};
use crate::authority::{AddAuthority, ListAuthorities, RemoveAuthority, ShowAuthority};
use crate::ban::{BanNamed, Banned, ListBans, RemoveBan};
use crate::broker::{
    ClearBroker, ForgetBroker, ListBrokers, ListListeners, ReadMetrics, ShowBroker,
};
use crate::caller::Authority;
use crate::certificate::{AddCertificate, ListCertificates, RemoveCertificate};
use crate::clients::{
    CountClients, IsKicked, ListClients, ReleaseClientId, RequestKick, WithdrawKick,
};
use crate::command::{Command, dry_run};
use crate::context::Context;
use crate::credential::{
    ChangeCredentialRules, CreateCredential, CredentialChanges, CredentialRuleWarnings,
    DeleteCredential, FindCredential, ListCredentials, ManyAct, NewCredential, PreviewChanges,
    ReactivateCredential, ResetPassword, RevokeCredential, RotateCredential, SetCredential,
    ShowCredential, SuspendCredential, UntieCredential,
};
use crate::error::{AdminError, ErrorKind};
use crate::events::{LookAround, SeeEvents};
use crate::fixture::{
    Fixture, JANE, adding, application_name, login_name, new_credential, new_tenant, role_name,
    scheme_name, tenant_id,
};
use crate::import::{
    ImportCredentials, ImportRole, ImportRow, ImportTable, ListImported, LookUpCredentials,
    LookUpTenant, TryClientIds, TryTable, UpdateImportedCredential, UpdateImportedRole,
};
use crate::jwt::{
    CreateToken, Issuer, ListKeys, ListTokens, NewToken, RevokeToken, RevokeTokensOfIssuer,
    RevokeTokensOfKey, RotateKey,
};
use crate::operator::{
    CreateOperator, DeleteOperator, ListOperators, NewOperator, SetOperator, ShowOperator,
};
use crate::password::ChosenPassword;
use crate::role::{
    AssignRole, Assignment, ChangeRoleRules, CreateRole, DeleteRole, ListGroups, ListRoles,
    NewRole, PreviewAssignment, PreviewRoleRules, RoleDeletion, RoleRuleWarnings, SetRole,
    ShowRole, UnassignRole,
};
use crate::scheme::{
    AddScheme, ListReplacedSchemes, ListRevealingSchemes, ListSchemes, RemoveScheme, ShowScheme,
};
use crate::sealed::CountSealed;
use crate::secret::{NewSecret, Overlap};
use crate::settings::{CreateStore, RecordRestore, SetSettings, SettingsChanges, ShowSettings};
use crate::sign_in::FreshProof;
use crate::taking::{PreviewTaking, TakeFromRest, Taking};
use crate::tenant::{
    ClearTenant, CreateTenant, DeleteTenant, FindTenant, ListTenants, ReadTenantRights, SetTenant,
    ShowTenant, TenantChanges, TenantDeletion,
};
use crate::text::FreeText;
use crate::thing::{CreateThing, DeleteThing, ListThings, NewThing, ShowThing, UntieThing};
use crate::transfer::{COUNTERSIGN, RecordExport, RecordImport};
use crate::user::{
    ConfirmSecondFactor, CreateUser, DeleteUser, DisableSecondFactor, EnrolSecondFactor, GrantUser,
    ListGrantedUsers, ListUsers, ResetUserPassword, SetUser, ShowUser, UngrantUser, UnlockUser,
};
use crate::why::{LookIntoName, PermitCheck};

use self::furnished::{
    BANNED, ITS_AUTHORITY, ITS_CERTIFICATE, VALIDITY, authority, ban, certificate, furnished,
    group, id_of, its_ban, mark, new_api_token, on_pump, scheme,
};
use self::may::May;

/// A command that is tried, and what came of it in words.
type Try = Box<dyn Fn(&mut SqliteStore, &mut Context<'_>) -> Result<(), AdminError>>;

fn trying<C: Command + 'static>(command: C) -> Try {
    Box::new(move |store, context| dry_run(store, context, &command).map(drop))
}

/// A row of the table: the command's name, who may, and the command.
macro_rules! rows {
    ($($may:ident $name:ident $command:expr;)*) => {
        vec![$((stringify!($name), May::$may, trying($command))),*]
    };
}

mod callers;
mod complete;
mod control;
mod everybody;
mod followers;
mod furnished;
mod hooks;
mod issuers;
mod limits;
mod may;

/// All rows.
fn table(fixture: &mut Fixture) -> Vec<(&'static str, May, Try)> {
    let parts = [
        rows_of_all(fixture),
        followers::rows(),
        control::rows(),
        hooks::rows(),
        issuers::rows(),
        limits::rows(),
    ];
    parts.into_iter().flatten().collect()
}

static ACME: OnceLock<TenantId> = OnceLock::new();

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn rows_of_all(fixture: &mut Fixture) -> Vec<(&'static str, May, Try)> {
    let acme = || tenant_id("acme");
    let pump = || login_name("pump@acme");
    let kate = || login_name("kate@mail.test");
    let key = || login_name("valve");
    let fleet = || application_name("fleet");
    let ops = || role_name("ops");
    let chosen = || ChosenPassword::parse(b"hunter2".to_vec()).unwrap();
    let now = fixture.now;
    let id_of_pump = id_of(fixture, &pump());
    let token = fixture.only_token();
    let request = fixture.run(&RequestKick { target: "c".into() }).unwrap();
    let mut api_token = |scope| {
        let made = fixture.run(&CreateApiToken(new_api_token(scope)));
        made.unwrap().shown.token.id
    };
    let (of_tenant, of_platform) = (api_token("tenant:acme"), api_token("platform"));
    let proof = FreshProof {
        user: CredentialId(9_999),
        generation: Generation(1),
    };
    let rules = || ChangeCredentialRules {
        name: pump(),
        change: adding("allow publish acme/y"),
    };
    let of_acme = || AuditQuery {
        tenant: Some(acme()),
        ..AuditQuery::default()
    };
    let of_role = || ChangeRoleRules {
        tenant: acme(),
        name: ops(),
        change: adding("allow publish acme/y"),
        group: None,
    };
    let held_by = |path| Assignment {
        tenant: acme(),
        role: role_name("pumps"),
        group: group(path).unwrap(),
    };
    rows! {
        Admin ActOnTarget on_pump(ManyAct::Delete);
        GroupAdmin ActOnTarget on_pump(ManyAct::Rotate(Overlap::None));
        Admin ActOnTarget on_pump(ManyAct::Set(Box::default()));
        GroupAdmin ActOnTarget on_pump(ManyAct::Suspend);
        Platform AddAuthority authority(2);
        Platform AddBan ban(Banned::Address("192.0.2.1".parse().unwrap()));
        Admin AddBan ban(Banned::ClientId(ClientId::parse("c").unwrap(), Some(acme())));
        Admin AddCertificate certificate(Some(VALIDITY));
        Platform AddCertificate certificate(None);
        Platform AddScheme AddScheme(scheme("more"));
        Admin AssignRole AssignRole(held_by("DM"));
        Admin ChangeCredentialRules rules();
        Admin ChangeRoleRules of_role();
        Platform ClearBroker ClearBroker("gone".into());
        Platform ClearTenant ClearTenant(acme());
        Admin ConfirmSecondFactor ConfirmSecondFactor { email: kate(), code: Secret::new(b"0".to_vec()) };
        Viewer CountClients CountClients { tenant: Some(acme()) };
        Platform CountClients CountClients { tenant: None };
        Platform CountSealed CountSealed;
        Admin CreateApplication CreateApplication(NewApplication {
            name: application_name("more"), tenant: acme(), roles: Vec::new(), about: Application::default(),
        });
        Admin CreateCredential CreateCredential(new_credential("more"));
        Platform CreateCredential CreateCredential(NewCredential { external_identity: true, ..new_credential("more") });
        GroupAdmin CreateCredential CreateCredential(NewCredential {
            scheme: scheme_name("plain"), groups: vec![group("DM.X").unwrap()], ..new_credential("more")
        });
        Admin CreateCredential CreateCredential(NewCredential {
            scheme: scheme_name("plain"), groups: vec![group("DM.X").unwrap()], roles: vec![ops()], ..new_credential("more")
        });
        GroupAdmin CreateCredential CreateCredential(NewCredential {
            scheme: scheme_name("plain"), groups: vec![group("DM.X").unwrap()], roles: vec![role_name("pumps")],
            ..new_credential("more")
        });
        Admin CreateCredential CreateCredential(NewCredential {
            scheme: scheme_name("plain"), groups: vec![group("DM").unwrap(), group("X").unwrap()], ..new_credential("more")
        });
        Platform CreateOperator CreateOperator(NewOperator { name: login_name("more"), secret: NewSecret::Generated, rules: Vec::new() });
        Admin CreateRole CreateRole(NewRole { tenant: acme(), name: role_name("more"), description: None, no_wildcards: false });
        Platform CreateStore CreateStore(Settings::default());
        Platform CreateTenant CreateTenant(new_tenant("more", &[]));
        Admin CreateThing CreateThing(NewThing { key: login_name("more"), tenant: acme(), application: fleet() });
        Platform CreateToken CreateToken(NewToken {
            tenant: acme(), role: ops(), whoami: Whoami::parse("more").unwrap(), things: Vec::new(), ttl: Ttl::DEFAULT,
            issuer: Issuer::Named(JANE.into()),
        });
        Platform CreateUser CreateUser::new(login_name("more@mail.test"), chosen());
        Admin PreviewChanges PreviewChanges { names: vec![pump()], changes: CredentialChanges::default() };
        Admin CredentialRuleWarnings CredentialRuleWarnings(rules());
        Admin DeleteApplication DeleteApplication { tenant: acme(), name: fleet() };
        Admin DeleteCredential DeleteCredential(pump());
        Platform DeleteOperator DeleteOperator(login_name("root"));
        Admin DeleteRole DeleteRole { tenant: acme(), name: ops(), deletion: RoleDeletion::WithGrants };
        Platform DeleteTenant DeleteTenant { id: acme(), deletion: TenantDeletion::WithEverything };
        Admin DeleteThing DeleteThing { key: key(), tenant: acme() };
        Admin DeleteUser DeleteUser(kate());
        Admin DisableSecondFactor DisableSecondFactor(kate());
        Admin EnrolSecondFactor EnrolSecondFactor(kate());
        Viewer FindAuditRow FindAuditRow(1);
        Any FindPresentedApiToken FindPresentedApiToken;
        GroupViewer FindCredential FindCredential { tenant: acme(), scheme: scheme_name("basic"), id: id_of_pump };
        GroupViewer SeeEvents SeeEvents { tenant: Some(ACME.get_or_init(acme)), events: &[] };
        Platform LookAround LookAround { after: None, most: (1, 1) };
        Platform FindLastAct FindLastAct { before: now };
        GroupViewer FindTenant FindTenant { named: Some(acme()) };
        Platform ForgetBroker ForgetBroker("gone".into());
        Admin GrantUser GrantUser {
            email: kate(), grant: Grant { tenant: acme(), group: None, right: GrantedRight::OrgAdmin },
        };
        Any IsKicked IsKicked(request);
        Platform ImportCredentials ImportCredentials { tenant: acme(), credentials: Vec::new() };
        Platform ImportRole ImportRole {
            tenant: acme(), name: role_name("more"), description: None, no_wildcards: false, rules: Vec::new(),
            is_default: false, is_anonymous: false, groups: Vec::new(), mark: mark(),
        };
        Platform ImportTable ImportTable(vec![ImportRow {
            create: CreateCredential(new_credential("more")), hash: None, state: State::Inactive, mark: mark(),
        }]);
        Viewer ListApplications ListApplications { tenant: Some(acme()), ..ListApplications::default() };
        Platform ListApplications ListApplications::default();
        Platform FollowAudit FollowAudit::default();
        Viewer FollowAudit FollowAudit { query: of_acme(), ..FollowAudit::default() };
        Viewer ListAudit ListAudit(of_acme());
        Viewer ListAuditPage ListAuditPage { query: of_acme(), ..ListAuditPage::default() };
        Platform ListAuthorities ListAuthorities::default();
        GroupViewer ListCertificates ListCertificates(pump());
        GroupViewer ListClients ListClients { name: Some(pump()), ..ListClients::default() };
        Viewer PermitCheck PermitCheck(Some(pump()));
        Platform PermitCheck PermitCheck(None);
        Platform ListAudit ListAudit(AuditQuery::default());
        Platform ListAuditPage ListAuditPage::default();
        Viewer ListBans ListBans { tenant: Some(acme()), ..ListBans::default() };
        Platform ListBans ListBans::default();
        Platform ListBrokers ListBrokers::default();
        Viewer ListClients ListClients { tenant: Some(acme()), all: true, ..ListClients::default() };
        GroupViewer ListCredentials ListCredentials { query: CredentialQuery { tenant: Some(acme()), ..CredentialQuery::default() }, ..ListCredentials::default() };
        Platform ListCredentials ListCredentials::default();
        Viewer ListGroups ListGroups { tenant: acme(), begin: String::new(), most: 9 };
        Viewer ListKeys ListKeys { tenant: acme() };
        Viewer ListListeners ListListeners(acme());
        Platform ListOperators ListOperators::default();
        Platform ListRevealingSchemes ListRevealingSchemes;
        Viewer ListRoles ListRoles { tenant: Some(acme()), ..ListRoles::default() };
        Platform ListRoles ListRoles::default();
        Platform ListReplacedSchemes ListReplacedSchemes;
        Platform ListSchemes ListSchemes;
        Any ListTenants ListTenants::default();
        Viewer ListThings ListThings { tenant: Some(acme()), ..ListThings::default() };
        Viewer ListTokens ListTokens { tenant: Some(acme()), ..ListTokens::default() };
        Platform ListTokens ListTokens::default();
        Admin ListGrantedUsers ListGrantedUsers { tenant: acme(), page: Page::default() };
        Platform ListUsers ListUsers::default();
        Viewer LookIntoName LookIntoName(login_name("dev1@acme"));
        Platform LookUpCredentials LookUpCredentials(vec![pump()]);
        Platform LookUpTenant LookUpTenant(acme());
        Platform ListImported ListImported { tenant: acme(), source: "mosquitto" };
        Admin PreviewAssignment PreviewAssignment { of: held_by("DM"), is_to_be_held: true };
        Admin PreviewRoleRules PreviewRoleRules(of_role());
        GroupAdmin ReactivateCredential ReactivateCredential(pump());
        Platform PreviewTaking PreviewTaking(CreateTenant(new_tenant("more", &[])));
        Platform ReadTenantRights ReadTenantRights(acme());
        Platform ReadMetrics ReadMetrics;
        Platform RecordExport RecordExport { scope: ExportScope::default(), form: COUNTERSIGN };
        Platform RecordImport RecordImport { tenant: None, rows: 1 };
        Platform RecordPruning RecordPruning { before: now, last: AuditHead::START };
        Platform RecordRestore RecordRestore;
        Platform ReleaseClientId ReleaseClientId(ClientId::parse("c").unwrap());
        Platform RemoveAuthority RemoveAuthority(ITS_AUTHORITY);
        Platform RemoveBan RemoveBan(BanNamed::On(Banned::Address(BANNED.parse().unwrap())));
        Admin RemoveBan RemoveBan(BanNamed::On(its_ban()));
        Admin RemoveCertificate RemoveCertificate { name: pump(), fingerprint: ITS_CERTIFICATE };
        Platform RemoveScheme RemoveScheme(scheme_name("mine"));
        GroupAdmin RequestKick RequestKick { target: "c".into() };
        GroupAdmin ResetPassword ResetPassword { name: pump(), secret: NewSecret::Chosen(chosen()) };
        Admin ResetUserPassword ResetUserPassword::new(kate(), chosen());
        GroupAdmin RevokeCredential RevokeCredential { name: pump(), reason: None };
        Admin RevokeToken RevokeToken(token.record.id.clone());
        Admin RevokeTokensOfIssuer RevokeTokensOfIssuer { issuer: JANE.into(), tenant: Some(acme()) };
        Platform RevokeTokensOfIssuer RevokeTokensOfIssuer { issuer: JANE.into(), tenant: None };
        Admin RevokeTokensOfKey RevokeTokensOfKey(token.record.key.clone());
        Admin RoleRuleWarnings RoleRuleWarnings(of_role());
        Admin RotateApplication RotateApplication { tenant: acme(), name: fleet(), overlap: None };
        GroupAdmin RotateCredential RotateCredential { name: pump(), overlap: Overlap::None };
        Admin RotateKey RotateKey { tenant: acme(), overlap: Duration::ZERO };
        Admin SetCredential SetCredential { name: pump(), changes: CredentialChanges::default() };
        Platform SetOperator SetOperator { name: login_name("root"), description: FreeText::parse("x").unwrap() };
        Admin SetRole SetRole { tenant: acme(), name: ops(), no_wildcards: true };
        Platform SetSettings SetSettings(SettingsChanges::default());
        Admin SetTenant SetTenant {
            id: acme(),
            changes: TenantChanges { authentication: Some(Authentication::Optional), ..TenantChanges::default() },
        };
        Platform SetTenant SetTenant {
            id: acme(), changes: TenantChanges { sys_read: Some(true), ..TenantChanges::default() },
        };
        Viewer ShowApplication ShowApplication { tenant: acme(), name: fleet() };
        Platform ShowAuthority ShowAuthority(ITS_AUTHORITY);
        Platform ShowBroker ShowBroker("gone".into());
        GroupViewer ShowCredential ShowCredential(pump());
        Platform ShowOperator ShowOperator(login_name("root"));
        Viewer ShowRole ShowRole { tenant: acme(), name: ops() };
        Platform ShowAuditHeads ShowAuditHeads;
        Platform ShowScheme ShowScheme(scheme_name("mine"));
        Platform ShowSettings ShowSettings;
        Viewer ShowTenant ShowTenant(acme());
        Viewer ShowThing ShowThing { key: key(), tenant: acme() };
        Admin ShowUser ShowUser(kate());
        GroupAdmin SuspendCredential SuspendCredential(pump());
        Platform TakeFromRest TakeFromRest {
            command: CreateTenant(new_tenant("more", &[])), taking: Taking::Filtering,
        };
        Admin TakeFromRest TakeFromRest { command: CreateCredential(new_credential("more")), taking: Taking::Filtering };
        Admin UnassignRole UnassignRole(held_by("DM.PUMPS"));
        Admin UngrantUser UngrantUser { email: kate(), tenant: acme() };
        Admin UnlockUser UnlockUser(kate());
        GroupAdmin UntieCredential UntieCredential(pump());
        Admin UntieThing UntieThing { key: key(), tenant: acme() };
        Platform UpdateImportedCredential UpdateImportedCredential {
            name: pump(), password: None, rules: None, changes: None, suspended: None, mark: mark(),
        };
        Platform TryClientIds TryClientIds { tenant: ACME.get_or_init(acme), wanted: Vec::new() };
        Platform TryTable TryTable(Vec::new());
        Platform UpdateImportedRole UpdateImportedRole {
            tenant: acme(), name: ops(), rules: Vec::new(), no_wildcards: false, assign: Vec::new(),
            unassign: Vec::new(), mark: mark(),
        };
        Own ChangeOwnPassword ChangeOwnPassword::new(proof, chosen());
        Own ConfirmOwnSecondFactor ConfirmOwnSecondFactor(Secret::new(b"0".to_vec()));
        Platform CreateApiToken CreateApiToken(new_api_token("platform"));
        GroupAdmin CreateApiToken CreateApiToken(new_api_token("tenant:acme"));
        GroupViewer CreateApiToken CreateApiToken(new_api_token("viewer:acme"));
        Own DisableOwnSecondFactor DisableOwnSecondFactor(proof);
        Own EndOwnWebSession EndOwnWebSession(WebSessionId(9_999));
        Own EnrolOwnSecondFactor EnrolOwnSecondFactor(proof);
        Admin ListApiTokens ListApiTokens { tenant: Some(acme()), ..ListApiTokens::default() };
        Platform ListApiTokens ListApiTokens::default();
        Own ListOwnApiTokens ListOwnApiTokens::default();
        Own ListOwnWebSessions ListOwnWebSessions;
        Admin RevokeApiToken RevokeApiToken(of_tenant);
        Platform RevokeApiToken RevokeApiToken(of_platform);
        Platform SetUser SetUser { email: kate(), is_platform_admin: true };
        Own ShowMe ShowMe;
        Own SwitchTenant SwitchTenant(acme());
        Platform VerifyAudit VerifyAudit::default();
        Any WithdrawKick WithdrawKick { target: "c".into(), request };
    }
}
