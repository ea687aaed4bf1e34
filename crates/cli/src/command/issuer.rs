//! `countersign issuer`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use countersign_admin::issuer::{
    AddIssuer, AskForKeys, ForgetIssuedIdentity, KeyOrigin, ListIssuers, RemoveIssuer,
    RevokeIssuedToken, SetIssuerKeys, ShowIssuer,
};
use countersign_admin::view::IssuerView;
use countersign_core::issuer::{
    Algorithms, ClaimName, IdentityClaim, IssuerName, IssuerText, KeyPlace, KeysUrl, MaxKeyAge,
    RoleWord,
};
use countersign_core::name::TenantId;
use countersign_core::role::RoleName;
use countersign_core::store::GateStore as _;
use countersign_issuer::{KeyText, MOST_BYTES};
use serde_json::json;

use crate::command::certificate::unreadable;
use crate::command::registering::RegisteringArguments;
use crate::error::CliError;
use crate::invocation::{Invocation, run_on};
use crate::keys::{DELETED, FORGOTTEN, ISSUER, REVOKED, Shows};
use crate::listing::Column;

#[derive(Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// Have an issuer speak for a tenant: each token (JWT) that it signs names a
    /// credential of that tenant, and of no other. Clients present it as their password.
    #[command(
        after_help = "Examples:\n  countersign issuer add corp --tenant acme --iss https://corp.example.com \\\n      --jwks sso.jwks.json --alg EdDSA --audience mqtt\n  countersign issuer add plant --tenant acme --iss plant --pem plant.pub.pem \\\n      --alg ES256 --audience mqtt --identity client_id \\\n      --role-claim realm_access.roles --role-map operator=reader\n  countersign issuer add site --tenant acme --iss site --pem plant.pub.pem \\\n      --alg ES256 --audience mqtt --auto-register --role reader --max 500\n  countersign issuer add cloud --tenant acme --iss https://cloud.example.com \\\n      --jwks-url https://cloud.example.com/keys --alg RS256 --audience mqtt"
    )]
    Add(Add),
    /// List the issuers of a tenant, or of all.
    #[command(
        after_help = "Examples:\n  countersign issuer list\n  countersign issuer list --tenant acme"
    )]
    List {
        /// The tenant.
        #[arg(long, value_name = "T", value_parser = TenantId::parse)]
        tenant: Option<TenantId>,
    },
    /// Show an issuer.
    #[command(after_help = "Examples:\n  countersign issuer show sso")]
    Show {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
    },
    /// Give an issuer other public keys, or have them fetched. Tokens under the ones before
    /// prove nothing once there are others; sessions that they opened go on until their
    /// tokens end.
    #[command(after_help = "Examples:\n  countersign issuer set sso --jwks sso.jwks.json")]
    Set {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
        #[command(flatten)]
        keys: Keys,
    },
    /// Have `countersign serve` fetch an issuer's public keys now, and wait for it.
    #[command(after_help = "Examples:\n  countersign issuer refresh sso")]
    Refresh {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
    },
    /// Revoke a token of an issuer. Sessions that it opened end.
    #[command(after_help = "Examples:\n  countersign issuer revoke sso 5b1c6f0e")]
    Revoke {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
        /// The token's claim `jti`.
        #[arg(value_parser = IssuerText::parse)]
        jti: IssuerText,
    },
    /// Let an issuer register a device again that was registered and deleted.
    #[command(after_help = "Examples:\n  countersign issuer forget sso dev1")]
    Forget {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
        /// What its tokens say of whose they are; the device's whole name will do, too.
        identity: String,
    },
    /// Have an issuer speak for its tenant no longer. Sessions that its tokens opened end.
    #[command(after_help = "Examples:\n  countersign issuer remove sso")]
    Remove {
        /// The issuer's name.
        #[arg(value_parser = IssuerName::parse)]
        name: IssuerName,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Add {
    /// What to call it.
    #[arg(value_parser = IssuerName::parse)]
    name: IssuerName,
    /// The tenant.
    #[arg(long, value_name = "T", value_parser = TenantId::parse)]
    tenant: TenantId,
    /// What its tokens say of who issued them, the claim `iss`.
    #[arg(long, value_name = "URL", value_parser = IssuerText::parse)]
    iss: IssuerText,
    #[command(flatten)]
    keys: Keys,
    /// What it signs by: `RS256`, `PS256`, `ES256` or `EdDSA`, several with `,` between
    /// them.
    #[arg(long)]
    alg: Algorithms,
    /// Whom its tokens have to be for, the claim `aud`.
    #[arg(long, value_name = "A", value_parser = IssuerText::parse)]
    audience: IssuerText,
    /// The claim that names the credential: `sub`, `client_id` or `claim:NAME`.
    #[arg(long, value_name = "CLAIM", value_parser = IdentityClaim::parse, default_value = "sub")]
    identity: IdentityClaim,
    /// The claim that lists roles; dots lead into objects.
    #[arg(long, value_name = "CLAIM", value_parser = ClaimName::parse, requires = "role_map")]
    role_claim: Option<ClaimName>,
    /// A word of that claim, and the role of the tenant that it means.
    #[arg(long, value_name = "WORD=ROLE", value_parser = meaning, requires = "role_claim")]
    role_map: Vec<(RoleWord, RoleName)>,
    #[command(flatten)]
    registering: RegisteringArguments,
}

/// An issuer's public keys.
#[derive(Args, Debug)]
#[group(skip)]
pub(crate) struct Keys {
    #[command(flatten)]
    at: KeysAt,
    /// Fetch them from a private address, too.
    #[arg(long, requires = "jwks_url", conflicts_with_all = FILES)]
    allow_private: bool,
    /// How long fetched keys count while they can't be fetched again: `1h` to `365d`.
    #[arg(long, value_name = "DURATION", requires = "jwks_url", conflicts_with_all = FILES,
        value_parser = MaxKeyAge::parse, default_value = "7d")]
    max_key_age: MaxKeyAge,
}

/// What names a file, in whose place keys may be fetched.
const FILES: [&str; 2] = ["jwks", "pem"];

/// Where they are.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct KeysAt {
    /// A file that holds its public keys as a JWK Set (RFC 7517).
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// A file that holds them as PEM: public keys, or certificates of them.
    #[arg(long, value_name = "FILE")]
    pem: Option<PathBuf>,
    /// Where `countersign serve` fetches them as a JWK Set, each hour: `https://HOST/PATH`.
    #[arg(long, value_name = "URL", value_parser = KeysUrl::parse)]
    jwks_url: Option<KeysUrl>,
}

impl Keys {
    /// Reads the file, of which `understand` makes what is wanted, if there is one.
    fn read<K>(
        self,
        understand: impl FnOnce(&Path, KeyText) -> Result<K, CliError>,
    ) -> Result<KeyOrigin<K>, CliError> {
        let (path, text): (_, fn(String) -> _) = match (self.at.jwks, self.at.pem, self.at.jwks_url)
        {
            (Some(jwks), ..) => (jwks, KeyText::Jwks),
            (None, Some(pem), _) => (pem, KeyText::Pem),
            (None, None, Some(url)) => {
                return Ok(KeyOrigin::Fetched(KeyPlace {
                    url,
                    allow_private: self.allow_private,
                    max_age: self.max_key_age,
                }));
            }
            (None, None, None) => {
                return Err(CliError::refused("say where the issuer's keys are"));
            }
        };
        let mut read = String::new();
        File::open(&path)
            .and_then(|file| file.take(MOST_OF_A_FILE).read_to_string(&mut read))
            .map_err(|error| unreadable(&path, &error))?;
        understand(&path, text(read)).map(KeyOrigin::Given)
    }
}

/// Asks the service for an issuer's keys, and waits until it has tried to fetch them.
fn refresh(invocation: &Invocation, name: IssuerName) -> Result<(), CliError> {
    let mut store = invocation.open()?;
    let show = ShowIssuer(name);
    let issuer = run_on(&mut store, &show)?;
    if issuer.source.is_some() && !store.is_service_alive() {
        return Err(CliError::refused(
            "no `countersign serve` runs on this store, and nothing else fetches keys",
        ));
    }
    let asked = run_on(&mut store, &AskForKeys(show.0.clone()))?;
    let begun = Instant::now();
    loop {
        let issuer = run_on(&mut store, &show)?;
        let name = &issuer.name;
        let Some(source) = &issuer.source else {
            return Err(CliError::refused(format!(
                "issuer `{name}` was given keys meanwhile"
            )));
        };
        match &source.problem {
            _ if source.answered < asked => {}
            Some(problem) => {
                return Err(CliError::refused(format!(
                    "the keys of issuer `{name}` could not be fetched: {problem}"
                )));
            }
            None => {
                let done = format!("the keys of issuer {name} were fetched");
                return invocation.output.act(&done, &IssuerView::of(&issuer));
            }
        }
        if begun.elapsed() >= LONGEST_WAIT {
            return Err(CliError::refused(format!(
                "no `countersign serve` has fetched the keys within {} seconds; its log says why",
                LONGEST_WAIT.as_secs()
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

impl IssuerCommand {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let output = &invocation.output;
        match self {
            Self::Add(add) => {
                let keys = add.keys.read(|path, keys| {
                    let keys = keys.read(&add.alg);
                    keys.map_err(|error| unreadable(path, &error))
                })?;
                let added = invocation.run(&AddIssuer {
                    name: add.name,
                    tenant: add.tenant,
                    issuer: add.iss,
                    audience: add.audience,
                    algorithms: add.alg,
                    identity: add.identity,
                    role_claim: add.role_claim,
                    roles: add.role_map.into_iter().collect(),
                    registers: add.registering.registers(),
                    keys,
                })?;
                let done = format!("issuer {} of tenant {} added", added.name, added.tenant);
                output.act(&done, &IssuerView::of(&added))?;
            }
            Self::List { tenant } => {
                let mut listing = output.listing(COLUMNS, "No issuers.");
                for issuer in invocation.run(&ListIssuers { tenant })? {
                    listing.push(&IssuerView::of(&issuer))?;
                }
                listing.finish()?;
            }
            Self::Show { name } => {
                let issuer = invocation.run(&ShowIssuer(name))?;
                output.record(&IssuerView::of(&issuer))?;
            }
            Self::Set { name, keys } => {
                let keys = keys.read(|_, keys| Ok(keys))?;
                let set = invocation.run(&SetIssuerKeys { name, keys })?;
                let done = match set.source {
                    Some(_) => format!("the keys of issuer {} are fetched from now on", set.name),
                    None => format!("issuer {} has other keys", set.name),
                };
                output.act(&done, &IssuerView::of(&set))?;
            }
            Self::Refresh { name } => refresh(invocation, name)?,
            Self::Revoke { name, jti } => {
                let revoked = json!({ "revoked": jti.as_str() });
                invocation.run(&RevokeIssuedToken {
                    issuer: name,
                    token: jti,
                })?;
                output.act("token revoked", &revoked)?;
            }
            Self::Forget { name, identity } => {
                let name = invocation.run(&ForgetIssuedIdentity {
                    issuer: name,
                    identity,
                })?;
                let forgotten = json!({ "forgotten": name.as_str() });
                output.act(&format!("{name} may be registered again"), &forgotten)?;
            }
            Self::Remove { name } => {
                let deleted = json!({ "deleted": name.as_str() });
                invocation.run(&RemoveIssuer(name))?;
                output.act("issuer removed", &deleted)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match self {
            Self::Add(_)
            | Self::List { .. }
            | Self::Refresh { .. }
            | Self::Show { .. }
            | Self::Set { .. } => Shows::all_of(&[ISSUER]),
            Self::Revoke { .. } => Shows::all_of(&[REVOKED]),
            Self::Forget { .. } => Shows::all_of(&[FORGOTTEN]),
            Self::Remove { .. } => Shows::all_of(&[DELETED]),
        }
    }
}

fn meaning(text: &str) -> Result<(RoleWord, RoleName), String> {
    let (word, role) = text
        .rsplit_once('=')
        .ok_or_else(|| "write `WORD=ROLE`".to_owned())?;
    let word = RoleWord::parse(word).map_err(|error| error.to_string())?;
    let role = RoleName::parse(role).map_err(|error| error.to_string())?;
    Ok((word, role))
}

/// One byte more than keys have: a longer file is refused as too long.
const MOST_OF_A_FILE: u64 = MOST_BYTES as u64 + 1;

/// A little longer than a service takes that has others to fetch first.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

const COLUMNS: &[Column] = &[
    ("name", "NAME"),
    ("tenant", "TENANT"),
    ("iss", "ISS"),
    ("audience", "AUDIENCE"),
    ("identity", "IDENTITY"),
    ("keys_at", "KEYS AT"),
];
