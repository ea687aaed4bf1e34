//! Runs the program on a terminal: a pseudo-terminal of the system's own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use nix::pty::{Winsize, openpty};
use unicode_width::UnicodeWidthStr as _;

/// What a terminal showed.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) code: Option<i32>,
    /// As it came, with escape codes.
    pub(crate) raw: String,
}

/// Runs a command that prints to a terminal of so many columns. It reads `input` from a
/// pipe.
pub(crate) fn on_terminal(command: &mut Command, columns: u16, input: &str) -> Shown {
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let pty = openpty(&size, None).unwrap();
    let (mut master, slave) = (File::from(pty.master), File::from(pty.slave));
    for (name, usual) in [
        ("NO_COLOR", None),
        ("CLICOLOR", None),
        ("CLICOLOR_FORCE", None),
        ("TERM", Some("xterm")),
    ] {
        if command.get_envs().any(|(set, _)| set == name) {
            continue;
        }
        match usual {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::from(slave.try_clone().unwrap()))
        .stderr(Stdio::from(slave))
        .spawn()
        .unwrap();
    // The command holds the terminal's other end, which must be closed for it to end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    // The program may not read it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let mut raw = Vec::new();
    let mut buffer = [0; 4_096];
    // Linux answers with an error once nobody holds the other end.
    while let Ok(read @ 1..) = master.read(&mut buffer) {
        raw.extend(&buffer[..read]);
    }
    Shown {
        code: child.wait().unwrap().code(),
        raw: String::from_utf8(raw).unwrap(),
    }
}

impl Shown {
    /// The lines as they stand there in the end, without colours.
    pub(crate) fn lines(&self) -> Vec<String> {
        let plain = without_colours(&self.raw.replace("\r\n", "\n"));
        let stands = |line: &str| line.rsplit('\r').next().unwrap_or_default().to_owned();
        plain.split('\n').map(stands).collect()
    }

    /// Whether there are escape codes.
    pub(crate) fn is_coloured(&self) -> bool {
        self.raw.contains('\u{1b}')
    }

    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// How many columns a line takes.
pub(crate) fn columns(line: &str) -> usize {
    line.width()
}

/// A text without what sets colours; other escape codes stay.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('m') {
            Some((codes, rest)) if codes.chars().all(|c| c.is_ascii_digit() || c == ';') => {
                plain.push_str(rest);
            }
            _ => {
                plain.push_str("\u{1b}[");
                plain.push_str(part);
            }
        }
    }
    plain
}
