//! `countersign user`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::Command;
use countersign_admin::user::{
    CreateUser, DeleteUser, GrantUser, ListUsers, ResetUserPassword, SetUser, ShowUser, ShownUser,
    UngrantUser, UnlockUser,
};
use countersign_admin::view::UserView;
use countersign_core::name::{GroupPath, LoginName, TenantId};
use countersign_core::role::RoleName;
use countersign_core::user::{Grant, GrantedRight, parse_user_name};
use serde_json::{Value, json};

use self::mfa::MfaCommand;
use crate::error::CliError;
use crate::input::read_new_password;
use crate::invocation::{Invocation, now};
use crate::keys::{DELETED, Shows, USER};
use crate::listing::Column;
use crate::told::{Ending, told};

mod mfa;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a user, who may do nothing until something is granted.
    #[command(
        after_help = "Examples:\n  countersign user create jane@example.com\n  printf %s \"$PASSWORD\" | countersign user create jane@example.com \\\n      --password-stdin\n  countersign user create root@example.com --platform-admin"
    )]
    Create {
        #[command(flatten)]
        user: WithPassword,
        /// To administer the whole store at the service. It lets nobody use a topic.
        #[arg(long)]
        platform_admin: bool,
    },
    /// Change whether a user administers the whole store.
    #[command(
        after_help = "Examples:\n  countersign user set jane@example.com --platform-admin false"
    )]
    Set {
        #[command(flatten)]
        email: Email,
        /// To administer the whole store at the service, or not any more.
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set)]
        platform_admin: bool,
    },
    /// List the users.
    #[command(after_help = "Examples:\n  countersign user list")]
    List,
    /// Show a user.
    #[command(after_help = "Examples:\n  countersign user show jane@example.com")]
    Show(Email),
    /// Delete a user. Their sessions end, and so do the tokens they made.
    #[command(after_help = "Examples:\n  countersign user delete jane@example.com")]
    Delete(Email),
    /// Replace a user's password. Their sessions end.
    #[command(after_help = "Examples:\n  countersign user reset-password jane@example.com")]
    ResetPassword(WithPassword),
    /// Lift the lock that failed logins brought, and begin to count anew.
    #[command(after_help = "Examples:\n  countersign user unlock jane@example.com")]
    Unlock(Email),
    /// Let a user do something in a tenant, in the place of what was granted
    /// there before.
    #[command(
        after_help = "Examples:\n  countersign user grant jane@example.com --tenant acme --org-admin\n  countersign user grant joe@example.com --tenant acme --role reader \\\n      --group DM.X\n  countersign user grant ann@example.com --tenant acme --viewer"
    )]
    Grant(UserGrant),
    /// Take away what a user was granted in a tenant. Their sessions there end.
    #[command(after_help = "Examples:\n  countersign user ungrant joe@example.com --tenant acme")]
    Ungrant {
        #[command(flatten)]
        email: Email,
        /// The tenant.
        #[arg(long, value_parser = TenantId::parse)]
        tenant: TenantId,
    },
    /// Second factors: codes of an authenticator program.
    #[command(
        after_help = "Examples:\n  countersign user mfa enrol jane@example.com\n  countersign user mfa confirm jane@example.com"
    )]
    Mfa {
        #[command(subcommand)]
        command: MfaCommand,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Email {
    /// The e-mail address, upper or lower case; or a name without `@`.
    #[arg(value_parser = parse_user_name)]
    email: LoginName,
}

#[derive(Args, Debug)]
pub(crate) struct WithPassword {
    #[command(flatten)]
    email: Email,
    /// Read the password from standard input, all bytes up to the first
    /// newline. Without this, it is asked for on the terminal.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Args, Debug)]
#[group(id = "right", required = true, multiple = false, args = ["role", "org_admin", "viewer"])]
pub(crate) struct UserGrant {
    #[command(flatten)]
    email: Email,
    /// In this tenant.
    #[arg(long, value_parser = TenantId::parse)]
    tenant: TenantId,
    /// Limited to this group and those below.
    #[arg(long, value_parser = GroupPath::parse)]
    group: Option<GroupPath>,
    /// What this role of the tenant allows.
    #[arg(long, value_parser = RoleName::parse)]
    role: Option<RoleName>,
    /// To administer the tenant, and to use all its topics.
    #[arg(long)]
    org_admin: bool,
    /// To see what is in the tenant at the service, and to use no topic.
    #[arg(long)]
    viewer: bool,
}

impl UserCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        match self {
            Self::Create {
                user:
                    WithPassword {
                        email: Email { email },
                        password_stdin,
                    },
                platform_admin,
            } => {
                let (password, oddities) = read_new_password(password_stdin)?;
                let done = format!("user {email} created");
                let create = CreateUser::new(email, password);
                let create = create.with_platform_admin(platform_admin);
                print(invocation, &create, Some(&done))?;
                oddities.tell(invocation.output);
            }
            Self::Set {
                email: Email { email },
                platform_admin: is_platform_admin,
            } => {
                let is = if is_platform_admin {
                    "is"
                } else {
                    "is no longer"
                };
                let done = format!("user {email} {is} a platform administrator");
                let set = SetUser {
                    email,
                    is_platform_admin,
                };
                print(invocation, &set, Some(&done))?;
            }
            Self::List => list(invocation)?,
            Self::Show(Email { email }) => print(invocation, &ShowUser(email), None)?,
            Self::Delete(Email { email }) => {
                let deleted = json!({ "deleted": email.as_str() });
                let done = format!("user {email} deleted");
                let act = DeleteUser(email.clone());
                let ((), ended) = invocation.run(&Ending { name: email, act })?;
                invocation.output.act(&told(&done, ended), &deleted)?;
            }
            Self::ResetPassword(WithPassword {
                email: Email { email },
                password_stdin,
            }) => {
                let (password, oddities) = read_new_password(password_stdin)?;
                let name = email.clone();
                let act = ResetUserPassword::new(email, password);
                let (user, ended) = invocation.run(&Ending {
                    name: name.clone(),
                    act,
                })?;
                let done = format!("user {name} has a new password");
                print_user(invocation, &user, Some(&told(&done, ended)))?;
                oddities.tell(invocation.output);
            }
            Self::Unlock(Email { email }) => {
                let done = format!("user {email} may log in again");
                print(invocation, &UnlockUser(email), Some(&done))?;
            }
            Self::Grant(grant) => grant.run(invocation)?,
            Self::Ungrant {
                email: Email { email },
                tenant,
            } => {
                let done = format!("user {email} has no grant in {tenant} any more");
                print(invocation, &UngrantUser { email, tenant }, Some(&done))?;
            }
            Self::Mfa { command } => command.run(invocation)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl UserCommand {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Delete(_) => Shows::all_of(&[DELETED]),
            Self::Mfa { command } => command.shows(),
            Self::Create { .. }
            | Self::Grant(_)
            | Self::List
            | Self::ResetPassword(_)
            | Self::Set { .. }
            | Self::Show(_)
            | Self::Ungrant { .. }
            | Self::Unlock(_) => Shows::all_of(&[USER]),
        }
    }
}

impl UserGrant {
    fn run(self, invocation: &Invocation) -> Result<(), CliError> {
        let right = match self.role {
            Some(role) => GrantedRight::Role(role),
            None if self.viewer => GrantedRight::Viewer,
            None => GrantedRight::OrgAdmin,
        };
        let grant = Grant {
            tenant: self.tenant,
            group: self.group,
            right,
        };
        let Email { email } = self.email;
        let done = format!("user {email} has a grant more: {}", in_words(&grant));
        print(invocation, &GrantUser { email, grant }, Some(&done))
    }
}

fn list(invocation: &Invocation) -> Result<(), CliError> {
    let mut listing = invocation.output.listing(COLUMNS, "No users.");
    let now = now();
    invocation.each_row(ListUsers, |described| {
        let view = UserView::of(&described, now);
        if !invocation.output.is_for_people() {
            return listing.push(&view);
        }
        let mut record = serde_json::to_value(&view)?;
        if let Some(grants) = record.get_mut("grants") {
            *grants = Value::from(grants_in_words(&described));
        }
        listing.push(&record)
    })?;
    listing.finish()
}

/// Runs a command on a user and prints what they are then, or what was done to them.
fn print<C>(invocation: &Invocation, command: &C, done: Option<&str>) -> Result<(), CliError>
where
    C: Command<Output = ShownUser>,
{
    print_user(invocation, &invocation.run(command)?, done)
}

/// The same for a user, the grants line by line.
fn print_user(
    invocation: &Invocation,
    described: &ShownUser,
    done: Option<&str>,
) -> Result<(), CliError> {
    let grants: Vec<_> = grants_in_words(described)
        .into_iter()
        .map(|grant| ("grants", grant))
        .collect();
    invocation
        .output
        .tell(done, &UserView::of(described, now()), &grants)
}

fn in_words(grant: &Grant) -> String {
    let right = match &grant.right {
        GrantedRight::OrgAdmin => "org admin".into(),
        GrantedRight::Role(role) => format!("role {role}"),
        GrantedRight::Viewer => "viewer".into(),
    };
    let within = match &grant.group {
        Some(group) => format!(" of group {group}"),
        None => String::new(),
    };
    format!("{right}{within} in {}", grant.tenant)
}

fn grants_in_words(described: &ShownUser) -> Vec<String> {
    let grants = described
        .user
        .kind
        .user()
        .map_or(&[][..], |about| &about.grants);
    grants.iter().map(in_words).collect()
}

const COLUMNS: &[Column] = &[
    ("email", "EMAIL"),
    ("mfa", "MFA"),
    ("locked_until", "LOCKED UNTIL"),
    ("grants", "GRANTS"),
    ("last_used_at", "LAST USED"),
];
