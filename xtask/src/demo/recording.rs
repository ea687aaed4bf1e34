//! `docs/demo.svg`: the demo as it ran, as an animation that needs no script.
//!
//! Its `<desc>` lists the commands, for people who don't see it and for the
//! check that the demo still runs these.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::environment::Environment;
use super::shell::Shown;
use crate::command::workspace;

/// A run of the demo, without what is of one run alone: folders and the port.
pub struct Recording(Vec<Shown>);

impl Recording {
    /// What was shown from the command that makes the store to the last before
    /// everything is removed.
    pub fn new(shown: &[Shown], environment: &Environment) -> Self {
        let is_first =
            |it: &Shown| matches!(it, Shown::Command(line) if line == "countersign init");
        // With the sentence before it.
        let start = shown.iter().position(is_first).unwrap_or(1) - 1;
        let is_last = |it: &Shown| matches!(it, Shown::Command(line) if *line == environment.end());
        let end = shown
            .iter()
            .rposition(is_last)
            .map_or(shown.len(), |it| it - 1);
        let plain = |text: &String| environment.plain(text);
        let events = shown[start..end].iter().map(|it| match it {
            Shown::Command(line) => Shown::Command(plain(line)),
            Shown::Explanation(line) => Shown::Explanation(plain(line)),
            Shown::Output(line) => Shown::Output(plain(line)),
        });
        Self(events.collect())
    }

    /// Writes it for the front page.
    pub fn write(&self) -> Result<()> {
        fs::write(path(), self.svg()).with_context(|| format!("cannot write {FILE}"))?;
        println!("{FILE} written");
        Ok(())
    }

    /// Fails where the file on the front page shows other commands.
    pub fn check(&self) -> Result<()> {
        let svg = fs::read_to_string(path()).with_context(|| format!("cannot read {FILE}"))?;
        let (_, rest) = svg.split_once("<desc>").context("it has no <desc>")?;
        let listed = rest.split("</desc>").next().unwrap_or_default();
        let fresh = escaped(&self.commands());
        ensure!(
            without_secrets(listed) == without_secrets(&fresh),
            "{FILE} shows other commands than the demo: `cargo xtask demo --record` writes it anew"
        );
        Ok(())
    }

    fn commands(&self) -> String {
        let lines = self.0.iter().filter_map(|it| match it {
            Shown::Command(line) => Some(line.as_str()),
            Shown::Explanation(_) | Shown::Output(_) => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn svg(&self) -> String {
        let scenes = self.scenes();
        let length = scenes.iter().map(Scene::length).sum::<f64>() + PAUSE_AT_THE_END;
        let mut styles = String::new();
        let mut scroll = String::new();
        let mut texts = String::new();
        let (mut now, mut row) = (0.0, 0);
        for (number, scene) in scenes.iter().enumerate() {
            let at = 100.0 * now / length;
            let _ = writeln!(
                styles,
                "@keyframes s{number}{{0%{{visibility:hidden}}{at:.2}%{{visibility:visible}}}}\n\
                 .s{number}{{animation:s{number} {length:.1}s step-end infinite}}"
            );
            let _ = writeln!(texts, "<g class=\"s{number}\">");
            for (class, line) in &scene.rows {
                let y = (row + 1) * ROW;
                let line = escaped(line);
                let _ = writeln!(texts, "<text class=\"{class}\" y=\"{y}\">{line}</text>");
                row += 1;
            }
            texts.push_str("</g>\n");
            let above = row.saturating_sub(ROWS) * ROW;
            let _ = write!(scroll, "{at:.2}%{{transform:translateY(-{above}px)}}");
            now += scene.length();
        }
        let (width, height) = (COLUMNS * 9 + 2 * MARGIN, (ROWS + 1) * ROW + 2 * MARGIN);
        let inner = height - 2 * MARGIN;
        let commands = escaped(&self.commands());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n\
             <!-- Written by `cargo xtask demo`, which records it. Do not edit. -->\n\
             <title>Countersign's demo, on a real broker</title>\n<desc>{commands}</desc>\n\
             <style>\n\
             text{{font:14px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
             white-space:pre;fill:#c9d1d9}}\n\
             .c{{fill:#79c0ff;font-weight:bold}}\n.e{{fill:#8b949e;font-style:italic}}\n\
             @keyframes scroll{{{scroll}}}\n\
             .scroll{{animation:scroll {length:.1}s step-end infinite}}\n{styles}\
             @media(prefers-reduced-motion:reduce){{*{{animation:none!important}}}}\n\
             </style>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#0d1117\"/>\n\
             <svg x=\"{MARGIN}\" y=\"{MARGIN}\" width=\"{}\" height=\"{inner}\">\n\
             <g class=\"scroll\">\n{texts}</g>\n</svg>\n</svg>\n",
            width - 2 * MARGIN,
        )
    }

    /// What appears at once: a sentence and its command; then what that printed.
    fn scenes(&self) -> Vec<Scene> {
        let mut scenes: Vec<Scene> = Vec::new();
        let mut last = None;
        for shown in &self.0 {
            let (class, text) = match shown {
                Shown::Command(line) => ("c", format!("$ {line}")),
                Shown::Explanation(line) => ("e", format!("# {line}")),
                Shown::Output(line) => ("o", line.clone()),
            };
            let goes_on = last == Some(class) || (last, class) == (Some("e"), "c");
            if !goes_on || scenes.is_empty() {
                scenes.push(Scene::default());
            }
            if let Some(scene) = scenes.last_mut() {
                if class == "e" {
                    scene.rows.push((class, String::new()));
                }
                let rows = if class == "o" {
                    vec![cut(&text)]
                } else {
                    wrapped(&text)
                };
                scene.rows.extend(rows.into_iter().map(|row| (class, row)));
            }
            last = Some(class);
        }
        scenes
    }
}

/// Rows that appear at once, each with its class.
#[derive(Default)]
struct Scene {
    rows: Vec<(&'static str, String)>,
}

impl Scene {
    /// For how many seconds nothing else appears.
    fn length(&self) -> f64 {
        let rows = u32::try_from(self.rows.len()).map_or(9.0, f64::from);
        (0.8 + 0.2 * rows).min(2.6)
    }
}

/// A line as a terminal shows it.
fn wrapped(line: &str) -> Vec<String> {
    let letters: Vec<_> = line.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    let rows = letters.chunks(COLUMNS);
    rows.map(|row| row.iter().collect()).collect()
}

/// A line of output, no wider than the terminal.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.into();
    }
    let kept = line.chars().take(COLUMNS - 1);
    kept.chain(['…']).collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// A text in which generated secrets are alike.
fn without_secrets(text: &str) -> String {
    let mut parts = text.split("cs_");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str("cs_");
        plain.push_str(part.trim_start_matches(|it: char| it.is_ascii_hexdigit()));
    }
    plain
}

fn path() -> PathBuf {
    workspace().join(FILE)
}

const FILE: &str = "docs/demo.svg";
const COLUMNS: usize = 80;
const ROWS: usize = 22;
const ROW: usize = 20;
const MARGIN: usize = 16;
const PAUSE_AT_THE_END: f64 = 6.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(secret: &str) -> Recording {
        Recording(vec![
            Shown::Explanation("One & two".into()),
            Shown::Command(format!("mosquitto_pub -P cs_{secret} -m '<1>'")),
            Shown::Output("x".repeat(170)),
            Shown::Output(String::new()),
        ])
    }

    #[test]
    fn an_animation_holds_each_line_once_and_cuts_long_ones() {
        let svg = recording("00ff").svg();
        for (row, times) in [
            (">$ mosquitto_pub -P cs_00ff -m '&lt;1&gt;'</text>", 1),
            ("># One &amp; two</text>", 1),
            (&format!(">{}…</text>", "x".repeat(79)), 1),
        ] {
            assert_eq!(svg.matches(row).count(), times, "{row}\n{svg}");
        }
        // One for each thing that appears at once, and one for the scrolling.
        assert_eq!(svg.matches("@keyframes s").count(), 3, "{svg}");
        let (_, comment) = svg.split_once("<!--").unwrap();
        assert!(!comment.split("-->").next().unwrap().contains("--"));
    }

    #[test]
    fn two_runs_differ_in_their_secrets_alone() {
        let [one, other] = ["00ff", "12ab34"].map(|secret| recording(secret).commands());
        assert_ne!(one, other);
        assert_eq!(without_secrets(&one), without_secrets(&other));
        assert_ne!(
            without_secrets(&one),
            without_secrets(&one.replace("-m", "-n"))
        );
    }
}
