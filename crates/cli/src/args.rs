//! The arguments: what holds for all commands, and the commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::application::ApplicationCommand;
use crate::command::audit::AuditCommand;
use crate::command::backup::Backup;
use crate::command::ban::BanCommand;
use crate::command::broker::BrokerCommand;
use crate::command::ca::CaCommand;
use crate::command::certificate::CertificateCommand;
use crate::command::check::Check;
use crate::command::clients::ClientsCommand;
use crate::command::credential::CredentialCommand;
use crate::command::fleet::FleetCommand;
#[cfg(feature = "serve")]
use crate::command::follow::Follow;
use crate::command::follower::FollowerCommand;
use crate::command::hook::HookCommand;
use crate::command::init::Init;
use crate::command::issuer::IssuerCommand;
use crate::command::jwt::JwtCommand;
use crate::command::limit::LimitCommand;
use crate::command::manual::{Completions, Man};
use crate::command::operator::OperatorCommand;
use crate::command::restore::Restore;
use crate::command::role::RoleCommand;
use crate::command::scheme::SchemeCommand;
#[cfg(feature = "serve")]
use crate::command::serve::Serve;
use crate::command::settings::SettingsCommand;
use crate::command::tenant::TenantCommand;
use crate::command::thing::ThingCommand;
use crate::command::token::TokenCommand;
use crate::command::user::UserCommand;
use crate::command::why::Why;
use crate::doctor::Doctor;
use crate::error::CliError;
use crate::export::Export;
use crate::import::ImportCommand;
use crate::invocation::Invocation;
use crate::store_place::StorePlace;

use self::common::Common;

mod common;
mod shows;

/// Decides who may connect to an MQTT broker and what they may do there.
///
/// The broker's plugin follows what is changed here within a quarter of a
/// second: nothing has to be reloaded or restarted.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let shows = self.command.shows();
        let invocation = Invocation {
            output: self.common.output(shows)?,
            store: StorePlace::of(
                self.command.store().unwrap_or(self.common.store),
                self.common.key_file,
            )?,
        };
        match self.command {
            Command::Application { command } => command.run(&invocation),
            Command::Audit { command } => command.run(&invocation),
            Command::Backup(backup) => backup.run(&invocation),
            Command::Ban { command } => command.run(&invocation),
            Command::Broker { command } => command.run(&invocation),
            Command::Ca { command } => command.run(&invocation),
            Command::Certificate { command } => command.run(&invocation),
            Command::Check(check) => check.run(&invocation),
            Command::Clients { command } => command.run(&invocation),
            Command::Completions(completions) => completions.run(),
            Command::Credential { command } => command.run(&invocation),
            Command::Doctor(doctor) => doctor.run(&invocation),
            Command::Export(export) => export.run(&invocation),
            Command::Fleet { command } => command.run(&invocation),
            #[cfg(feature = "serve")]
            Command::Follow(follow) => follow.run(&invocation),
            Command::Follower(command) => command.run(&invocation),
            Command::Hook { command } => command.run(&invocation),
            Command::Import { command } => command.run(&invocation),
            Command::Init(init) => init.run(&invocation),
            Command::Issuer { command } => command.run(&invocation),
            Command::Jwt { command } => command.run(&invocation),
            Command::Limit { command } => command.run(&invocation),
            Command::Man(man) => man.run(&invocation),
            Command::Operator { command } => command.run(&invocation),
            Command::Restore(restore) => restore.run(&invocation),
            Command::Role { command } => command.run(&invocation),
            Command::Scheme { command } => command.run(&invocation),
            #[cfg(feature = "serve")]
            Command::Serve(serve) => serve.run(&invocation),
            Command::Settings { command } => command.run(&invocation),
            Command::Tenant { command } => command.run(&invocation),
            Command::Thing { command } => command.run(&invocation),
            Command::Token { command } => command.run(&invocation),
            Command::User { command } => command.run(&invocation),
            Command::Why(why) => why.run(&invocation),
        }
    }

    /// Says whether programs read what is printed, and so what goes wrong.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.common.is_for_programs()
    }
}

impl Command {
    /// Where the store is, where the command says so itself.
    fn store(&self) -> Option<PathBuf> {
        let Self::Fleet {
            command: FleetCommand::Init(init),
        } = self
        else {
            return None;
        };
        Some(init.url.clone())
    }
}

/// In the order in which one comes to need them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make a store and its key file.
    #[command(after_help = "Examples:\n  countersign init --owner mosquitto")]
    Init(Init),
    /// Show or change what holds for the whole store.
    #[command(after_help = "Examples:\n  countersign settings show")]
    Settings {
        #[command(subcommand)]
        command: SettingsCommand,
    },
    /// Look for whatever keeps a broker from using the store.
    #[command(
        after_help = "Examples:\n  countersign doctor\n  countersign doctor --config /etc/mosquitto/mosquitto.conf"
    )]
    Doctor(Doctor),
    /// Copy the store while it is used.
    ///
    /// Of a store in a database this says which command of PostgreSQL does.
    #[command(after_help = "Examples:\n  countersign backup /var/backups/countersign.db")]
    Backup(Backup),
    /// Make a store of a backup.
    ///
    /// There must be no store yet. The backup is checked from end to end. The key
    /// file is not in it: put a copy of that beside the store. Of a store in a
    /// database this says which command of PostgreSQL does it.
    #[command(
        after_help = "Examples:\n  countersign restore /var/backups/countersign.db --owner mosquitto"
    )]
    Restore(Restore),
    /// Write all that a store holds into a file, for another store.
    ///
    /// The form is JSON Lines; `docs/store.md` describes it. The file holds no
    /// secret that can be read, and hashes that passwords can be tried on.
    #[command(
        after_help = "Examples:\n  countersign export store.jsonl\n  countersign export --tenant acme acme.jsonl\n  countersign export - | gzip > store.jsonl.gz\n  countersign export dynamic-security --tenant acme acme.json"
    )]
    Export(Export),
    /// Tenants: the walls between customers.
    #[command(
        after_help = "Examples:\n  countersign tenant create acme\n  countersign tenant list"
    )]
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
    },
    /// Credentials: what devices and services log in with.
    #[command(
        after_help = "Examples:\n  countersign credential create dev1 --tenant acme\n  countersign credential show dev1@acme"
    )]
    Credential {
        #[command(subcommand)]
        command: CredentialCommand,
    },
    /// Authorities (CAs) whose certificates name credentials of a tenant.
    #[command(
        after_help = "Examples:\n  countersign ca add --tenant acme --pem acme-ca.crt --identity cn\n  countersign ca list"
    )]
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Certificates (X.509) that stand for credentials.
    #[command(
        after_help = "Examples:\n  countersign certificate add dev1@acme --pem dev1.crt\n  countersign certificate list dev1@acme"
    )]
    Certificate {
        #[command(subcommand)]
        command: CertificateCommand,
    },
    /// Bans: addresses and client ids whose clients are refused.
    #[command(
        after_help = "Examples:\n  countersign ban add --address 192.0.2.0/24 --until 24h\n  countersign ban list"
    )]
    Ban {
        #[command(subcommand)]
        command: BanCommand,
    },
    /// Limits: how many connections there may be, and how much may be published.
    #[command(
        after_help = "Examples:\n  countersign limit set dev1@acme --messages-per-second 10\n  countersign limit show --tenant acme"
    )]
    Limit {
        #[command(subcommand)]
        command: LimitCommand,
    },
    /// Roles: named sets of rules in a tenant.
    #[command(
        after_help = "Examples:\n  countersign role create ops --tenant acme\n  countersign role allow ops --tenant acme subscribe acme/+/state"
    )]
    Role {
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Operators: bridges, monitoring and back ends, outside of all tenants.
    ///
    /// `credential suspend|reactivate|revoke|reset-password|rotate` take
    /// operators, too.
    #[command(
        after_help = "Examples:\n  countersign operator create monitor --subscribe '$SYS/#'\n  countersign credential suspend monitor"
    )]
    Operator {
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Schemes: how kinds of credentials are made, bound and authorised.
    #[command(
        after_help = "Examples:\n  countersign scheme list\n  countersign scheme show vwire | sed 's/^name = .*/name = \"my-scheme\"/' \\\n      > my-scheme.toml\n  countersign scheme add my-scheme.toml"
    )]
    Scheme {
        #[command(subcommand)]
        command: SchemeCommand,
    },
    /// Users: people, with an e-mail address, a second factor and roles in
    /// tenants.
    #[command(
        after_help = "Examples:\n  countersign user create jane@example.com\n  countersign user grant jane@example.com --tenant acme --org-admin\n  countersign user mfa enrol jane@example.com"
    )]
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Applications: each owns a token that many things present.
    #[command(
        after_help = "Examples:\n  countersign application create fleet --tenant acme\n  countersign thing create pump-1 --tenant acme --application fleet"
    )]
    Application {
        #[command(subcommand)]
        command: ApplicationCommand,
    },
    /// Things: the clients of applications.
    #[command(
        after_help = "Examples:\n  countersign thing create pump-1 --tenant acme --application fleet\n  countersign thing untie pump-1 --tenant acme"
    )]
    Thing {
        #[command(subcommand)]
        command: ThingCommand,
    },
    /// Issuers of others, whose tokens (JWT) name credentials of a tenant.
    ///
    /// They have nothing to do with the tokens of `jwt`, which Countersign signs itself.
    #[command(
        after_help = "Examples:\n  countersign issuer add corp --tenant acme --iss https://corp.example.com \\\n      --jwks sso.jwks.json --alg EdDSA --audience mqtt\n  countersign issuer list"
    )]
    Issuer {
        #[command(subcommand)]
        command: IssuerCommand,
    },
    /// Tokens (JWT) that let somebody in for a while.
    #[command(
        after_help = "Examples:\n  countersign jwt create --tenant acme --role reader --whoami report \\\n      --as jane@example.com\n  countersign jwt list --tenant acme"
    )]
    Jwt {
        #[command(subcommand)]
        command: JwtCommand,
    },
    /// The fleet: brokers elsewhere that follow this store.
    #[command(after_help = "Examples:\n  countersign fleet status")]
    Fleet {
        #[command(subcommand)]
        command: FleetCommand,
    },
    /// Keep the store a replica of a centre, until told to end.
    ///
    /// The broker beside it reads the replica, and never waits for the network.
    #[cfg(feature = "serve")]
    #[command(
        after_help = "Examples:\n  countersign follow --source https://centre.example.com:8443 \\\n      --token-file secret"
    )]
    Follow(Follow),
    /// Followers: machines of brokers that keep a replica of this store.
    #[command(subcommand, after_help = "Examples:\n  countersign follower list")]
    Follower(FollowerCommand),
    /// Hooks: what brokers of other makers ask of the service.
    #[command(
        after_help = "Examples:\n  countersign hook create edge --kind rabbitmq\n  countersign hook list"
    )]
    Hook {
        #[command(subcommand)]
        command: HookCommand,
    },
    /// API tokens: what programs present to the service.
    ///
    /// They have nothing to do with the tokens of `jwt`, which clients of brokers
    /// present.
    #[command(
        after_help = "Examples:\n  countersign token create --scope tenant:acme\n  countersign token revoke 1"
    )]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Ask what a client would be told. Nothing is written.
    #[command(
        after_help = "Examples:\n  countersign check connect --username dev1@acme --client-id c1\n  countersign check publish --username dev1@acme acme/line1\n  countersign check --batch questions.jsonl"
    )]
    Check(Check),
    /// Say why a name's client can't connect, or may not do something.
    ///
    /// Puts together its state, its sessions, its last logins, and what its sessions
    /// were denied in the last day, and says what can be done. A name that nothing has
    /// gets what was refused to it all the same. Nothing is written.
    #[command(
        after_help = "Examples:\n  countersign why dev1@acme\n  countersign why dev1@acme --client-id sensor-17 --json"
    )]
    Why(Why),
    /// Clients that are connected now.
    #[command(after_help = "Examples:\n  countersign clients list --tenant acme")]
    Clients {
        #[command(subcommand)]
        command: ClientsCommand,
    },
    /// Brokers that use the store.
    #[command(after_help = "Examples:\n  countersign broker list")]
    Broker {
        #[command(subcommand)]
        command: BrokerCommand,
    },
    /// What was done by whom, and what was refused and denied.
    #[command(after_help = "Examples:\n  countersign audit list --since -1h")]
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Take over users and rules of other systems.
    #[command(
        after_help = "Examples:\n  countersign import mosquitto --config /etc/mosquitto/mosquitto.conf \\\n      --tenant home --dry-run"
    )]
    Import {
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Serve all of this over HTTP, until told to end.
    ///
    /// It is reached from this machine alone unless --listen says otherwise, and from
    /// elsewhere only with a certificate. GET /openapi.json describes what it serves.
    #[cfg(feature = "serve")]
    #[command(
        after_help = "Examples:\n  countersign serve\n  countersign serve --listen 0.0.0.0:8443 --host iot.example.com \\\n      --tls-cert cert.pem --tls-key key.pem\n  countersign serve --door impact=acme"
    )]
    Serve(Serve),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Examples:\n  countersign completions bash > /etc/bash_completion.d/countersign"
    )]
    Completions(Completions),
    /// Write the manual pages into a directory.
    #[command(after_help = "Examples:\n  countersign man /usr/local/share/man/man1")]
    Man(Man),
}

const EXAMPLES: &str = "Examples:
  countersign init --owner mosquitto
  countersign tenant create acme
  countersign credential create dev1 --tenant acme
  countersign credential revoke dev1@acme --reason stolen

Exit codes:
  0  done
  1  refused or not found; nothing was changed
  2  the arguments make no sense
  3  the store can't be used; nothing was changed
  4  partly done, or a report that stopped at a loss";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn each(command: &clap::Command, seen: &mut dyn FnMut(&clap::Command)) {
        seen(command);
        for below in command.get_subcommands() {
            each(below, seen);
        }
    }

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nothing_that_is_a_secret_can_be_an_argument() {
        each(&Arguments::command(), &mut |command| {
            for argument in command.get_arguments() {
                let takes_value = argument.get_action().takes_values();
                let name = argument.get_id().as_str();
                let is_file = |names: &[clap::builder::Str]| names.iter().all(|it| it == "FILE");
                if takes_value && argument.get_value_names().is_some_and(is_file) {
                    continue;
                }
                assert!(
                    !(takes_value && (name.contains("password") || name.contains("secret"))),
                    "{name}"
                );
            }
        });
    }
}
