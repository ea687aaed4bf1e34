//! Where the demo happens: what is printed is what is run.

use std::cell::{Cell, RefCell};
use std::env;
use std::io::{BufRead, BufReader, IsTerminal, PipeReader, pipe};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use countersign_testkit::broker::end_with_us;

/// No command of the demo takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line that the demo showed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shown {
    /// A command, as it was run.
    Command(String),
    /// A sentence about what comes next.
    Explanation(String),
    /// What a command printed.
    Output(String),
}

/// Prints explanations and commands, and runs the commands in a shell.
pub struct Shell {
    shown: Rc<RefCell<Vec<Shown>>>,
    environment: Vec<(&'static str, String)>,
    colours: bool,
    step: Cell<usize>,
}

impl Shell {
    /// A stage whose commands have these variables.
    pub fn new(environment: &[(&'static str, String)]) -> Self {
        Self {
            shown: Rc::default(),
            environment: environment.to_vec(),
            colours: std::io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
            step: Cell::new(0),
        }
    }

    /// Explains what comes next, in one sentence.
    pub fn explain(&self, sentence: &str) {
        self.step.set(self.step.get() + 1);
        println!();
        self.print(BOLD, &format!("{}. {sentence}", self.step.get()));
        self.keep(Shown::Explanation(sentence.into()));
    }

    /// Shows a command.
    pub fn command(&self, line: &str) {
        self.print(CYAN, &format!("$ {line}"));
        self.keep(Shown::Command(line.into()));
    }

    /// Says whose output comes next.
    pub fn note(&self, text: &str) {
        println!("{text}");
        self.keep(Shown::Output(text.into()));
    }

    /// What was shown until now.
    pub fn shown(&self) -> Vec<Shown> {
        self.shown.borrow().clone()
    }

    fn keep(&self, shown: Shown) {
        self.shown.borrow_mut().push(shown);
    }

    /// Runs a command to its end and shows what it says.
    pub fn run(&self, line: &str) -> Result<CommandOutput> {
        self.command(line);
        self.start(line)?.finish()
    }

    /// Runs a command beside the others. What it says is shown when its end is
    /// waited for.
    pub fn background(&self, line: &str) -> Result<BackgroundCommand> {
        self.command(&format!("{line} &"));
        self.start(line)
    }

    /// Runs a command again and again, unseen, until what it says holds
    /// `needle`; then once more for all to see.
    pub fn run_once_it_shows(&self, line: &str, needle: &str) -> Result<CommandOutput> {
        let end = Instant::now() + PATIENCE;
        let mut quiet = self.shell(line)?;
        while !String::from_utf8_lossy(&quiet.output()?.stdout).contains(needle) {
            if Instant::now() > end {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.run(line)?.shows(needle)
    }

    fn start(&self, line: &str) -> Result<BackgroundCommand> {
        let (reader, writer) = pipe()?;
        let mut command = self.shell(line)?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = command
            .spawn()
            .with_context(|| format!("cannot run `{line}`"))?;
        Ok(BackgroundCommand {
            line: line.to_owned(),
            child,
            lines: lines_of(reader),
            shown: Rc::clone(&self.shown),
        })
    }

    fn shell(&self, line: &str) -> Result<Command> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        end_with_us(&mut command);
        Ok(command)
    }

    fn print(&self, colour: &str, text: &str) {
        if self.colours {
            println!("{colour}{text}{PLAIN}");
        } else {
            println!("{text}");
        }
    }
}

/// A command that still runs.
pub struct BackgroundCommand {
    line: String,
    child: Child,
    lines: Receiver<String>,
    shown: Rc<RefCell<Vec<Shown>>>,
}

impl BackgroundCommand {
    /// Waits for its end and shows what it says.
    pub fn finish(mut self) -> Result<CommandOutput> {
        let end = Instant::now() + PATIENCE;
        let mut text = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    println!("{line}");
                    self.shown.borrow_mut().push(Shown::Output(line.clone()));
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("`{}` still runs after {PATIENCE:?}", self.line)
                }
            }
        }
        // It closed its output, which none of our commands does before its end.
        let status = self.child.wait()?;
        let code = status
            .code()
            .with_context(|| format!("`{}` ended with {status}", self.line))?;
        if code != 0 {
            println!("[exit code {code}]");
        }
        Ok(CommandOutput {
            line: self.line.clone(),
            text,
            code,
        })
    }
}

impl Drop for BackgroundCommand {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a command said, all of it shown already.
pub struct CommandOutput {
    line: String,
    text: String,
    code: i32,
}

impl CommandOutput {
    /// It must have ended with this exit code.
    pub fn exits(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == code,
            "`{}` should end with exit code {code}",
            self.line
        );
        Ok(self)
    }

    /// It must have said this.
    pub fn shows(self, needle: &str) -> Result<Self> {
        ensure!(
            self.text.contains(needle),
            "`{}` should show `{needle}`",
            self.line
        );
        Ok(self)
    }

    /// The value beside this key in the two columns of `countersign`.
    pub fn value(&self, key: &str) -> Result<String> {
        let mut values = self.text.lines().filter_map(|line| line.strip_prefix(key));
        let value = values.find(|rest| rest.starts_with("  "));
        Ok(value
            .with_context(|| format!("`{}` should show a {key}", self.line))?
            .trim()
            .to_owned())
    }
}

fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n') {
            let Ok(line) = line else { return };
            // Nobody listens any more when the step has failed.
            let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
        }
    });
    receiver
}

const BOLD: &str = "\x1b[1m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";
