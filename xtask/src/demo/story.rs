//! What the demo tells, step by step.

use std::time::Duration;

use anyhow::Result;
use countersign_testkit::artifacts;

use super::environment::Environment;
use super::recording::Recording;
use super::shell::{BackgroundCommand, Shell};

/// Tells the whole story and cleans up, or leaves everything as it is. Returns
/// what was shown, if it came to its end.
pub fn tell(shell: &Shell, mut environment: Environment, keep: bool) -> Result<Option<Recording>> {
    set_up(shell, &mut environment)?;
    let told = Story::begin(shell, &environment).and_then(|story| {
        story.first_use()?;
        story.suspension()?;
        story.reactivation()?;
        story.revocation()?;
        Ok(story)
    });
    let story =
        told.inspect_err(|_| eprintln!("--- the broker's log\n{}---", environment.broker.log()))?;
    if keep {
        story.say_how_to_go_on();
        environment.broker.leave();
        return Ok(None);
    }
    shell.explain("That was all; the broker is stopped and the store removed.");
    shell.command(&environment.end());
    let recording = Recording::new(&shell.shown(), &environment);
    environment.broker.stop()?;
    Ok(Some(recording))
}

/// Makes a store and starts a broker on it.
fn set_up(shell: &Shell, environment: &mut Environment) -> Result<()> {
    shell
        .explain("Commands can be copied into another shell while the demo runs, after these two.");
    for line in environment.exports() {
        shell.command(&line);
    }

    shell.explain("The store is one file, readable by its owner alone.");
    shell.run("countersign init")?.exits(0)?;

    let version = artifacts::broker(environment.broker.version())?.version;
    shell.explain(&format!(
        "The broker is an unmodified Mosquitto {version}: one line loads Countersign."
    ));
    let config = environment.broker.config();
    shell
        .run(&format!("grep plugin {}", config.display()))?
        .exits(0)?;
    shell.command(&format!(
        "{} 2>{} &",
        environment.broker.start_line(),
        environment.log().display()
    ));
    environment.broker.start()?;
    println!("[pid {}]", environment.broker.pid());
    Ok(())
}

/// The device and the platform that it talks to.
struct Story<'a> {
    shell: &'a Shell,
    environment: &'a Environment,
    device: Login,
    platform: Login,
}

impl<'a> Story<'a> {
    fn begin(shell: &'a Shell, environment: &'a Environment) -> Result<Self> {
        shell.explain("A tenant is a wall: its clients use its topics, and nobody else does.");
        shell
            .run("countersign tenant create kaa --namespace 'kp1/#'")?
            .exits(0)?
            .shows("kp1/#")?;

        shell.explain("A device gets a name and a secret, which is shown this once; it is Inactive until first used.");
        let created = shell
            .run("countersign credential create dev1 --tenant kaa")?
            .exits(0)?
            .shows("Inactive")?;
        let device = Login::new(environment, "dev1@kaa", &created.value("secret")?);

        shell.explain("The platform that answers it gets one, too.");
        let created = shell
            .run("countersign credential create platform --tenant kaa")?
            .exits(0)?;
        let platform = Login::new(environment, "platform@kaa", &created.value("secret")?);
        Ok(Self {
            shell,
            environment,
            device,
            platform,
        })
    }

    fn first_use(&self) -> Result<()> {
        self.shell
            .explain("The platform waits for one measurement and will answer it.");
        let platform = self.shell.background(&format!(
            "mosquitto_sub {at} {who} -t 'kp1/demo/dcx/+/json/1' -C 1 -W 25 \
             && mosquitto_pub {at} {who} -t {RESPONSE} -m 'measurement stored'",
            at = self.platform.at,
            who = self.platform.who,
        ))?;
        self.wait_for_subscription("kp1/demo/dcx/+/json/1")?;

        self.shell
            .explain("The device sends its temperature and prints the answer.");
        self.shell
            .run(&self.request())?
            .exits(0)?
            .shows("measurement stored")?;
        self.shell.note("(and the platform printed what it got:)");
        platform
            .finish()?
            .exits(0)?
            .shows(r#"{"temperature": 21}"#)?;

        self.shell.explain(
            "By its first login the credential became Active, before the device heard of it.",
        );
        self.shell.run(SHOW)?.exits(0)?.shows("Active")?;
        Ok(())
    }

    fn suspension(&self) -> Result<()> {
        self.shell
            .explain("The device stays connected, and the list of clients knows it.");
        let live = self.live_session()?;
        self.shell
            .run_once_it_shows("countersign clients list", "dev1@kaa")?
            .exits(0)?;

        self.shell
            .explain("Suspended: the live session falls at once, and when its client tries again it is refused.");
        self.shell
            .run("countersign credential suspend dev1@kaa")?
            .exits(0)?
            .shows("suspended")?;
        self.shell.note("(what the device's mosquitto_sub said:)");
        live.finish()?.exits(5)?.shows(NOT_AUTHORISED)?;

        self.shell.explain("So is every other try.");
        self.shell
            .run(&self.publish())?
            .exits(5)?
            .shows(NOT_AUTHORISED)?;
        Ok(())
    }

    fn reactivation(&self) -> Result<()> {
        self.shell
            .explain("Reactivated: the same secret works again.");
        self.shell
            .run("countersign credential reactivate dev1@kaa")?
            .exits(0)?
            .shows("reactivated")?;
        self.shell.run(&self.publish())?.exits(0)?;
        Ok(())
    }

    fn revocation(&self) -> Result<()> {
        self.shell
            .explain("Revoked is for good; the device is told no more than anybody else.");
        self.shell
            .run("countersign credential revoke dev1@kaa --reason stolen")?
            .exits(0)?
            .shows("revoked")?;
        self.shell
            .run(&self.request())?
            .exits(5)?
            .shows("Connection error: Unknown reason")?;
        self.shell
            .run("countersign credential reactivate dev1@kaa")?
            .exits(1)?
            .shows("it is Revoked")?;

        self.shell
            .explain("You are told: what would this client be answered, and why?");
        self.shell
            .run("countersign check connect --username dev1@kaa --client-id any")?
            .exits(1)?
            .shows("revoked")?;

        self.shell
            .explain("And the audit knows who did what, and who was refused for what reason.");
        self.shell
            .run_once_it_shows("countersign audit list --name dev1@kaa", "refused  revoked")?
            .exits(0)?
            .shows("credential.suspend")?
            .shows("refused  suspended")?;
        Ok(())
    }

    /// The device's request, word for word as Kaa's tutorial has it.
    fn request(&self) -> String {
        format!(
            "mosquitto_rr {at} -e {RESPONSE} -t {REQUEST} {who} -V 311 -m '{{\"temperature\": 21}}'",
            at = self.device.at,
            who = self.device.who,
        )
    }

    fn publish(&self) -> String {
        format!(
            "mosquitto_pub {} {} -V 311 -t {REQUEST} -m '{{\"temperature\": 22}}'",
            self.device.at, self.device.who
        )
    }

    fn live_session(&self) -> Result<BackgroundCommand> {
        let live = self.shell.background(&format!(
            "mosquitto_sub {} {} -V 311 -i dev1 -t kp1/demo/dcx/TOKEN/commands",
            self.device.at, self.device.who
        ))?;
        self.wait_for_subscription("kp1/demo/dcx/TOKEN/commands")?;
        Ok(live)
    }

    /// A client that has no answer yet would miss what comes next.
    fn wait_for_subscription(&self, filter: &str) -> Result<()> {
        let broker = &self.environment.broker;
        broker
            .wait_for_log(filter, Duration::from_secs(10))
            .map(drop)
    }

    /// Says how to go on, and how to end what was left running.
    fn say_how_to_go_on(&self) {
        println!("\nThe broker runs on. To go on:\n");
        for line in self.environment.exports() {
            println!("  {line}");
        }
        println!("  countersign credential create dev2 --tenant kaa");
        let Login { at, who } = &self.platform;
        println!("  mosquitto_sub {at} {who} -v -t 'kp1/#' &");
        println!("  mosquitto_pub {at} {who} -t kp1/hello -m hi");
        println!("  tail -f {}", self.environment.log().display());
        println!("\nTo end it and remove everything:\n");
        println!("  {}", self.environment.end());
    }
}

/// How one of Mosquitto's clients is told where to log in and as whom.
struct Login {
    at: String,
    who: String,
}

impl Login {
    fn new(environment: &Environment, username: &str, secret: &str) -> Self {
        Self {
            at: environment.address(),
            who: format!("-u {username} -P {secret}"),
        }
    }
}

const SHOW: &str = "countersign credential show dev1@kaa";
const REQUEST: &str = "kp1/demo/dcx/TOKEN/json/1";
const RESPONSE: &str = "kp1/demo/dcx/TOKEN/json/1/error";
const NOT_AUTHORISED: &str = "Connection Refused: not authorised";
