//! `countersign check`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use countersign_admin::check::{ConnectCheck, PolicyCheck, TopicCheck, Usage};
use countersign_admin::view::{ConnectAnswerView, ConsideredView, TopicAnswerView};
use countersign_certificate::presented;
use countersign_core::rule::QoS;

use crate::command::certificate::read_pem;
use crate::doctor::PlacesOf;
use crate::error::{CliError, REFUSED};
use crate::input::{parse_qos, read_presented};
use crate::invocation::{Invocation, now};
use crate::keys::{CONNECT_ANSWER, Shows, TOPIC_ANSWER};

mod batch;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Check {
    #[command(subcommand)]
    question: Option<CheckCommand>,
    /// Answer a file of questions, each a JSON object on a line of its own:
    /// `{"check":"publish","username":"dev1@acme","client_id":"c1","qos":1,"retain":false,"topic":"acme/x"}`.
    /// `check` is `connect`, `publish`, `subscribe` or `deliver`; a `username`
    /// of `null` asks as a client without a login, and a `listener` may be
    /// given. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// The broker, as `broker list` names it. What its listeners are for and who
    /// answers for clients that name no tenant, it wrote down when it started.
    /// Without this, the only broker of the store is meant, or all of them where
    /// they have the same options. Where no broker tells, no listener has a tenant,
    /// all are taken to be protected by TLS, and client ids that begin with
    /// `local.` are kept for bridges.
    #[arg(long, value_name = "B", global = true)]
    broker: Option<String>,
    /// The broker's configuration, which says the same and what its bridges are
    /// called. It comes before what brokers wrote down. Without this, Debian's is
    /// looked at, if it names this store, for what no broker tells.
    #[arg(long, value_name = "MOSQUITTO_CONF", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Ask whether a client would be let in. Exits with 1 if not.
    #[command(
        after_help = "Examples:\n  countersign check connect --username dev1@acme --client-id c1\n  countersign check connect --username dev1@acme --client-id c1 \\\n      --listener 8883 --broker edge-7\n  printf %s \"$PASSWORD\" | countersign check connect --username dev1@acme \\\n      --client-id c1 --password-stdin\n  countersign check connect --username jwt --client-id c1 --password-stdin\n  countersign check connect --certificate dev1.crt --client-id c1"
    )]
    Connect(CheckConnect),
    /// Ask whether a client may publish. Exits with 1 if not.
    ///
    /// Whoever would not be let in now, because it is suspended, say, may do
    /// nothing, and this is the reason that is given.
    #[command(
        after_help = "Examples:\n  countersign check publish --username dev1@acme --qos 1 --retain acme/line1\n  countersign check publish --username jwt --password-stdin acme/line1"
    )]
    Publish {
        #[command(flatten)]
        who: ClientArguments,
        /// The QoS of the message: 0, 1 or 2.
        #[arg(long, value_name = "N", default_value = "0", value_parser = parse_qos)]
        qos: QoS,
        /// The message is to be retained, or clears what is.
        #[arg(long)]
        retain: bool,
        /// The topic.
        topic: String,
    },
    /// Ask whether a client may subscribe. Exits with 1 if not.
    #[command(
        after_help = "Examples:\n  countersign check subscribe --username dev1@acme acme/+/state"
    )]
    Subscribe {
        #[command(flatten)]
        who: ClientArguments,
        /// The QoS that it asks for, which makes no difference.
        #[arg(long, value_name = "N", default_value = "0", value_parser = parse_qos)]
        qos: QoS,
        /// The topic filter, `$share/GROUP/` included.
        filter: String,
    },
    /// Ask whether a message is delivered to a client that subscribed to it.
    /// Exits with 1 if not.
    #[command(
        after_help = "Examples:\n  countersign check deliver --username dev1@acme acme/line1/state"
    )]
    Deliver {
        #[command(flatten)]
        who: ClientArguments,
        /// The QoS of the message, which makes no difference.
        #[arg(long, value_name = "N", default_value = "0", value_parser = parse_qos)]
        qos: QoS,
        /// The message is a retained one, which makes no difference.
        #[arg(long)]
        retain: bool,
        /// The topic.
        topic: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct CheckConnect {
    /// The username it would present.
    #[arg(long, value_name = "NAME", required_unless_present = "certificate")]
    username: Option<String>,
    /// A file that holds the certificate it would present (PEM), on a listener that
    /// asks for one. Without --password-stdin, it alone decides. Who signed it, the
    /// broker judges.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The client id it would present, with a clean start.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Read the password from standard input, all bytes up to the first
    /// newline. Without this, the password is taken as right.
    #[arg(long)]
    password_stdin: bool,
    /// The port it would arrive at; --config tells what that means.
    #[arg(long, value_name = "PORT")]
    listener: Option<u16>,
    /// The address it would come from, which may be banned. For a check, failed
    /// logins don't count.
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
}

#[derive(Args, Debug)]
pub(crate) struct ClientArguments {
    /// The username it presented, or the name that other commands take.
    #[arg(long, value_name = "NAME")]
    username: String,
    /// The client id it presented. Without this, it does not count.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Read the password from standard input, all bytes up to the first
    /// newline. Without this, the password is taken as right, and the code of a
    /// second factor too. Whoever presents a token, as `jwt`, is told by it.
    #[arg(long)]
    password_stdin: bool,
}

impl Check {
    /// What is printed.
    pub(crate) fn shows(&self) -> Shows {
        match &self.question {
            Some(CheckCommand::Connect(_)) => Shows::all_of(&[CONNECT_ANSWER]),
            Some(
                CheckCommand::Deliver { .. }
                | CheckCommand::Publish { .. }
                | CheckCommand::Subscribe { .. },
            ) => Shows::all_of(&[TOPIC_ANSWER]),
            None => Shows::NOTHING,
        }
    }

    pub(crate) fn run(self, invocation: &Invocation) -> Result<ExitCode, CliError> {
        let certificate = match &self.question {
            Some(CheckCommand::Connect(connect)) => {
                // Before the store is opened, as whoever runs this.
                let file = connect.certificate.as_deref();
                file.map(read_pem).transpose()?.map(|der| presented(&der))
            }
            Some(_) | None => None,
        };
        let mut store = invocation.open_to_read()?;
        let asked = PlacesOf {
            config: self.config.as_deref(),
            broker: self.broker.as_deref(),
        };
        let places = asked.find(invocation, &mut store)?;
        let mut policy_check = PolicyCheck::new(&mut store, now(), places)?;
        match (self.question, self.batch) {
            (Some(CheckCommand::Connect(connect)), _) => {
                let password = if connect.password_stdin {
                    Some(read_presented()?)
                } else {
                    None
                };
                let answer = policy_check.connect(ConnectCheck {
                    client_id: &connect.client_id,
                    username: connect.username.as_deref(),
                    password,
                    certificate,
                    listener: connect.listener,
                    address: connect.address,
                })?;
                invocation.output.record(&ConnectAnswerView::of(&answer))?;
                Ok(exit_code(answer.verdict.is_allowed()))
            }
            (
                Some(CheckCommand::Publish {
                    who,
                    qos,
                    retain,
                    topic,
                }),
                _,
            ) => {
                let qos = qos.as_u8();
                let usage = Usage::Publish {
                    topic: &topic,
                    qos,
                    retain,
                };
                who.ask(&mut policy_check, usage, invocation)
            }
            (Some(CheckCommand::Subscribe { who, filter, .. }), _) => who.ask(
                &mut policy_check,
                Usage::Subscribe { filter: &filter },
                invocation,
            ),
            (Some(CheckCommand::Deliver { who, topic, .. }), _) => who.ask(
                &mut policy_check,
                Usage::Deliver { topic: &topic },
                invocation,
            ),
            (None, Some(file)) => batch::run(&mut policy_check, &file),
            (None, None) => Err(CliError::Bare),
        }
    }
}

impl ClientArguments {
    fn ask(
        &self,
        policy_check: &mut batch::StoreCheck<'_>,
        usage: Usage<'_>,
        invocation: &Invocation,
    ) -> Result<ExitCode, CliError> {
        let password = if self.password_stdin {
            Some(read_presented()?)
        } else {
            None
        };
        let answer = policy_check.topic(&TopicCheck {
            username: Some(&self.username),
            client_id: self.client_id.as_deref(),
            password: password.as_ref(),
            listener: None,
            usage,
        })?;
        let considered: Vec<_> = answer
            .considered()
            .map(|rule| ("considered", ConsideredView::of(rule).to_string()))
            .collect();
        let view = TopicAnswerView::of(&answer);
        invocation.output.record_with(&view, &considered)?;
        Ok(exit_code(answer.verdict.is_allowed()))
    }
}

fn exit_code(is_allowed: bool) -> ExitCode {
    if is_allowed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(REFUSED)
    }
}
