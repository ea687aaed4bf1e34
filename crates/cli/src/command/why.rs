//! `countersign why`.

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;
use countersign_admin::check::PolicyCheck;
use countersign_admin::view::WhyView;
use countersign_admin::why::{LookIntoName, NameReport};
use countersign_core::audit::AuditRow;
use countersign_core::name::LoginName;
use countersign_core::reason::Reason;
use serde::Serialize;

use crate::doctor::PlacesOf;
use crate::error::CliError;
use crate::invocation::{Invocation, now, run_on};

#[derive(Args, Debug)]
pub(crate) struct Why {
    /// A name: of a device, an operator, a user, a thing, or one that nothing has.
    #[arg(value_parser = LoginName::parse)]
    name: LoginName,
    /// The client id it connects with. Without this, none is taken for wrong.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The address it comes from. Without this, none is taken for banned.
    #[arg(long)]
    address: Option<IpAddr>,
}

impl Why {
    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let mut store = invocation.open_to_read()?;
        let places = PlacesOf::default().find(invocation, &mut store)?;
        let report = run_on(&mut store, &LookIntoName(self.name.clone()))?;
        let mut policy_check = PolicyCheck::new(&mut store, now(), places)?;
        let client_id = self.client_id.as_deref();
        let refusal = policy_check.refusal(self.name.as_str(), client_id, self.address)?;
        let advice = advice(&report, refusal);
        let answer = WhyAnswer {
            view: WhyView::of(&report, refusal),
            advice: &advice,
        };
        let lines: Vec<_> = advice.iter().map(|line| ("advice", line)).collect();
        invocation.output.record_with(&answer, &lines)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is known, and what can be done.
#[derive(Serialize)]
struct WhyAnswer<'a> {
    #[serde(flatten)]
    view: WhyView,
    advice: &'a [String],
}

/// What can be done: about what keeps it out now, about what it was refused for last,
/// and about what it was denied.
fn advice(report: &NameReport, refusal: Option<Reason>) -> Vec<String> {
    let name = report.shown.as_str();
    let mut advice = Vec::new();
    match refusal {
        Some(reason) => advice.push(format!(
            "A CONNECT is refused now: {}",
            remedy(reason, name)
        )),
        None if report.sessions.is_empty() => {
            advice.push("Nothing keeps it from connecting with the right secret.".into());
        }
        None => advice.push("It is connected.".into()),
    }
    if let Some(AuditRow { entry, .. }) = report.refused.first()
        && let Some(cause) = entry.cause.filter(|cause| Some(*cause) != refusal)
    {
        let from = entry.address.as_deref();
        let from = from.map_or_else(String::new, |from| format!(" from {from}"));
        advice.push(format!(
            "A login{from} was refused as {cause}: {}",
            remedy(cause, name)
        ));
    }
    if let Some(AuditRow { entry, .. }) = report.denied.first() {
        let topic = entry.topic.as_deref().unwrap_or_default();
        let cause = entry.cause.map_or("", Reason::as_str);
        advice.push(format!(
            "It may not {act} `{topic}` ({cause}): `check {act} --username {name} TOPIC` says which \
             rules were considered.",
            act = entry.act,
        ));
    }
    advice
}

/// What a reason means for this name, and which command helps.
fn remedy(reason: Reason, name: &str) -> String {
    match reason {
        Reason::BadSecret => format!(
            "its secret was wrong; `credential reset-password {name}` gives it another one."
        ),
        Reason::CertificateExpired => format!(
            "its certificate counts no more; `certificate list {name}` says since when, \
             `certificate add` adds another one."
        ),
        Reason::CertificateUnknown => {
            "no credential has the certificate that it presented, or it gave another's name; \
             `certificate list` shows those of a credential, `certificate add` adds one, \
             and `ca list` shows whose authorities name devices."
                .into()
        }
        Reason::ClientIdLimit => {
            "it has stored sessions under as many client ids as it may; `clients release` gives one \
             up."
            .into()
        }
        Reason::ClientIdMismatch => format!(
            "it came with another client id than it may; `credential show {name}` says which, \
             `credential set {name} --client-id any` lets it come with any."
        ),
        Reason::ClientIdOwned => {
            "another one holds its client id; `check connect` says which one, `clients release` \
             gives the id up."
                .into()
        }
        Reason::Expired => format!(
            "its time is over; `credential set {name} --expires never` gives it more."
        ),
        Reason::KeysOutdated => {
            "the keys of its token's issuer were fetched too long ago, or never; `issuer list` \
             says when, and `issuer refresh` says what is wrong."
                .into()
        }
        Reason::NotYetValid => format!(
            "its time has not come; `credential show {name}` says when it comes."
        ),
        Reason::Locked => format!("too many logins failed; `user unlock {name}` lets it try again."),
        Reason::MfaRequired => format!(
            "the code of its second factor was missing or wrong; `user mfa disable {name}` does \
             without."
        ),
        Reason::Malformed => "its name or client id has a shape that nothing valid has.".into(),
        Reason::Revoked => "it was revoked, which is final; make another credential.".into(),
        Reason::Suspended => format!(
            "it is suspended; `credential reactivate {name}` lets it in again."
        ),
        Reason::UnknownName => {
            "nothing has this name; `credential list` shows those there are.".into()
        }
        Reason::UnknownTenant => {
            "what stands behind its `@` is not a tenant; `tenant list` shows those there are.".into()
        }
        Reason::WrongListener => {
            "the listener takes another tenant's clients; `plugin_opt_listener_PORT` says whose."
                .into()
        }
        Reason::TlsRequired => {
            "it may use listeners with TLS only; `plugin_opt_tls_listeners` names them.".into()
        }
        Reason::TooManyFailures => {
            "too many logins of this name, or from its address, failed just before; it may try \
             again in some seconds."
                .into()
        }
        Reason::OverBudget => {
            "there was no time to check its password, and nothing was found wrong; it may try again."
                .into()
        }
        Reason::Registering => {
            "the centre is asked to register it; it gets in when it comes again, if `follow` runs \
             at its broker."
                .into()
        }
        Reason::Stale => {
            "its broker's replica had not heard from the centre for too long; `doctor` says when \
             it did, and `follow` has to run there."
                .into()
        }
        Reason::StoreBusy | Reason::StoreUnavailable => {
            "the store could not be used in time; `doctor` says what is wrong with it.".into()
        }
        Reason::Unauthenticated => {
            "it presented no login, and its tenant asks for one (`tenant show`).".into()
        }
        Reason::Banned => {
            "its address or its client id is banned; `ban list` says why and until when, `ban \
             remove` lifts it."
                .into()
        }
        Reason::OverLimit => {
            "it has as many connections, or published as much, as it may (`limit show`); or there \
             are as many things as there may be."
                .into()
        }
        Reason::DeniedByRule | Reason::NoRule | Reason::OtherTenant => {
            "no rule lets it do that, or one forbids it.".into()
        }
    }
}
