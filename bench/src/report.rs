//! Tables for people, and all figures for programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use countersign_testkit::artifacts;
use serde_json::{Value, json};

use crate::figure::{Figure, Quantity};
use crate::store::read;

/// The machine and the moment, printed: date, processors, model, kernel, system,
/// and how busy the machine was before anything was measured.
pub fn machine() -> Result<Value> {
    let line = |path: &str, key: &str| -> Result<String> {
        let text = fs::read_to_string(path)?;
        let value = text.lines().find_map(|line| line.strip_prefix(key));
        let value = value.unwrap_or_default();
        Ok(value.trim_matches([' ', '\t', ':', '"']).to_owned())
    };
    let date = read(Command::new("date").args(["--utc", "+%FT%TZ"]))?;
    let date = date.trim();
    let processors = std::thread::available_parallelism()?.get();
    let model = line("/proc/cpuinfo", "model name")?;
    let kernel = line("/proc/sys/kernel/osrelease", "")?;
    let system = line("/etc/os-release", "PRETTY_NAME=")?;
    let load = line("/proc/loadavg", "")?;
    let load: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    println!("{date}: {processors} × {model}, {system}, Linux {kernel}, load {load}");
    if load > 0.5 {
        println!("others use this machine, too: expect figures to vary");
    }
    Ok(json!({
        "date": date, "processors": processors, "model": model, "kernel": kernel,
        "system": system, "load": load,
    }))
}

/// Prints a table for each case of each measurement.
pub fn print(figures: &[Figure]) {
    let is_same = |one: &Figure, other: &Figure| {
        (one.measurement, &one.case) == (other.measurement, &other.case)
    };
    for of_case in figures.chunk_by(is_same) {
        print_case(of_case);
    }
    println!();
    for figure in figures {
        let Some(goal) = figure.goal else { continue };
        let is_met = figure.value <= goal;
        let met = if is_met { "met" } else { "MISSED" };
        let (Quantity { name, unit, .. }, value) = (figure.quantity, number(figure.value));
        let (broker, subject) = (figure.broker, &figure.subject);
        println!("goal {met}: {broker}, {subject}, {name}: {value} {unit} of at most {goal}");
    }
}

/// Writes all figures, with every round of each.
pub fn write(path: &Path, machine: &Value, figures: &[Figure]) -> Result<()> {
    let brokers = artifacts::brokers()?;
    let brokers: Vec<&str> = brokers.values().map(|one| one.version.as_str()).collect();
    let report = json!({"machine": machine, "brokers": brokers, "figures": figures});
    let text = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn print_case(figures: &[Figure]) {
    println!("\n{}: {}", figures[0].measurement, figures[0].case);
    // All of one broker side by side, each in the order in which it came.
    let brokers = distinct(figures.iter().map(|figure| figure.broker));
    let columns = brokers.iter().map(|broker| {
        let its = figures.iter().filter(|figure| figure.broker == *broker);
        distinct(its.map(|figure| (figure.broker, figure.quantity)))
    });
    let columns: Vec<Vec<Column>> = columns.collect();
    let all = columns.concat();
    if all.len() <= WIDEST {
        return print_columns(figures, &all);
    }
    for of_broker in columns {
        print_columns(figures, &of_broker);
    }
}

type Column = (&'static str, Quantity);

fn print_columns(figures: &[Figure], columns: &[Column]) {
    let line = |first: &str, cell: &dyn Fn(&Column) -> String| -> Vec<String> {
        let cells = columns.iter().map(cell);
        std::iter::once(first.to_owned()).chain(cells).collect()
    };
    let mut lines = vec![
        line("", &|(broker, _)| (*broker).to_owned()),
        line("", &|(_, quantity)| {
            format!("{}, {}", quantity.name, quantity.unit)
        }),
    ];
    for subject in distinct(figures.iter().map(|figure| figure.subject.as_str())) {
        lines.push(line(subject, &|(broker, quantity)| {
            let found = figures.iter().find(|figure| {
                (figure.broker, figure.quantity, figure.subject.as_str())
                    == (*broker, *quantity, subject)
            });
            found.map_or_else(String::new, cell)
        }));
    }
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..=columns.len()).map(width).collect();
    for line in &lines {
        let mut text = format!("{:width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        println!("{}", text.trim_end());
    }
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
