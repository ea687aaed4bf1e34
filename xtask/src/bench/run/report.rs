//! Tables for people, and all figures for programs.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;

use super::Bench;
use super::figure::{Figure, Quantity};
use crate::command::read;

/// The machine and the moment.
#[derive(Serialize)]
pub struct Machine {
    date: String,
    processors: usize,
    model: String,
    kernel: String,
    system: String,
    /// How busy the machine was before anything was measured.
    load: f64,
}

impl Machine {
    pub fn look() -> Result<Self> {
        let line = |path: &str, key: &str| -> Result<String> {
            let text = fs::read_to_string(path)?;
            let value = text.lines().find_map(|line| line.strip_prefix(key));
            Ok(value
                .unwrap_or_default()
                .trim_matches([' ', '\t', ':', '"'])
                .to_owned())
        };
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            date: read(Command::new("date").args(["--utc", "+%FT%TZ"]))?
                .trim()
                .to_owned(),
            processors: std::thread::available_parallelism()?.get(),
            model: line("/proc/cpuinfo", "model name")?,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            system: line("/etc/os-release", "PRETTY_NAME=")?,
            load: load
                .split(' ')
                .next()
                .context("there is no load")?
                .parse()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date,
            processors,
            model,
            kernel,
            system,
            load,
        } = self;
        write!(
            formatter,
            "{date}: {processors} × {model}, {system}, Linux {kernel}, load {load}"
        )?;
        if *load > 0.5 {
            write!(
                formatter,
                "\nothers use this machine, too: expect figures to vary"
            )?;
        }
        Ok(())
    }
}

/// Prints a table for each case of each measurement.
pub fn print(figures: &[Figure]) {
    let mut rest = figures;
    while let Some(first) = rest.first() {
        let same = |figure: &&Figure| {
            (figure.measurement, &figure.case) == (first.measurement, &first.case)
        };
        let count = rest.iter().take_while(same).count();
        let (of_case, others) = rest.split_at(count);
        print_case(of_case, first);
        rest = others;
    }
    println!();
    for figure in figures {
        let Some(goal) = figure.goal else { continue };
        println!(
            "goal {}: Mosquitto {}, {}, {}: {} {} of at most {goal}",
            if figure.value <= goal {
                "met"
            } else {
                "MISSED"
            },
            figure.broker,
            figure.subject,
            figure.quantity.name,
            number(figure.value),
            figure.quantity.unit,
        );
    }
}

/// Writes all figures, with every round of each.
pub fn write(path: &Path, machine: &Machine, bench: &Bench, figures: &[Figure]) -> Result<()> {
    let brokers: Vec<&str> = bench
        .brokers
        .values()
        .map(|broker| broker.version.as_str())
        .collect();
    let report = json!({"machine": machine, "brokers": brokers, "figures": figures});
    let text = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn print_case(figures: &[Figure], first: &Figure) {
    println!("\n{}: {}", first.measurement, first.case);
    let brokers = distinct(figures.iter().map(|figure| figure.broker));
    let columns = |brokers: &[&'static str]| -> Vec<Column> {
        // All of one broker side by side, each in the order in which it came.
        let of = |broker: &&'static str| {
            let broker = *broker;
            let figures = figures.iter().filter(move |figure| figure.broker == broker);
            distinct(figures.map(|figure| (figure.broker, figure.quantity)))
        };
        brokers.iter().flat_map(of).collect()
    };
    let all = columns(&brokers);
    if all.len() <= WIDEST {
        return print_columns(figures, &all);
    }
    for broker in brokers {
        print_columns(figures, &columns(&[broker]));
    }
}

type Column = (&'static str, Quantity);

fn print_columns(figures: &[Figure], columns: &[Column]) {
    let subjects = distinct(figures.iter().map(|figure| figure.subject.as_str()));
    let mut lines = vec![heading(columns, |(broker, _)| (*broker).to_owned())];
    lines.push(heading(columns, |(_, quantity)| {
        format!("{}, {}", quantity.name, quantity.unit)
    }));
    for subject in subjects {
        let cells = columns.iter().map(|(broker, quantity)| {
            let found = figures.iter().find(|figure| {
                (figure.broker, figure.quantity, figure.subject.as_str())
                    == (*broker, *quantity, subject)
            });
            found.map_or_else(String::new, cell)
        });
        lines.push([subject.to_owned()].into_iter().chain(cells).collect());
    }
    print_aligned(&lines);
}

fn heading(columns: &[Column], text: impl Fn(&Column) -> String) -> Vec<String> {
    [String::new()]
        .into_iter()
        .chain(columns.iter().map(text))
        .collect()
}

fn cell(figure: &Figure) -> String {
    match figure.ratio {
        Some(ratio) => format!("{} (×{})", number(figure.value), number(ratio)),
        None => number(figure.value),
    }
}

/// With about three digits that mean something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn print_aligned(lines: &[Vec<String>]) {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for line in lines {
        let mut text = String::new();
        for (index, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if index == 0 {
                text.push_str(&format!("{cell:width$}"));
            } else {
                text.push_str(&format!("  {cell:>width$}"));
            }
        }
        println!("{}", text.trim_end());
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut known = Vec::new();
    for item in items {
        if !known.contains(&item) {
            known.push(item);
        }
    }
    known
}

/// More columns than this are told broker by broker.
const WIDEST: usize = 9;
