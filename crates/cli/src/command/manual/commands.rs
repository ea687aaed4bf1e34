//! The manual pages of commands, one each.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, roman};

use super::pages::{paragraph, see_also};

/// Writes the pages of a program and of all commands below it.
pub(super) fn write(program: Command, folder: &Path) -> io::Result<()> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    write_all(&program, folder)
}

fn write_all(command: &Command, folder: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        write_all(below, folder)?;
    }
    let page = Man::new(command.clone())
        .source(concat!("countersign ", env!("CARGO_PKG_VERSION")))
        .manual("Countersign");
    let mut file = File::create(folder.join(page.get_filename()))?;
    page.render_title(&mut file)?;
    // Lines end where their words do: long ones can't be spread.
    file.write_all(b".ad l\n")?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut file)?;
    }
    let after = command.get_after_help().map(ToString::to_string);
    file.write_all(rest(&after.unwrap_or_default()).render().as_bytes())
}

/// What stands below the options in a help: a block that has a heading is a section,
/// whose lines stay as they are.
fn rest(help: &str) -> Roff {
    let mut page = Roff::new();
    let blocks = help.split("\n\n").map(str::trim_end);
    let (headed, plain): (Vec<_>, Vec<_>) = blocks
        .filter(|block| !block.is_empty())
        .partition(|block| heading(block).is_some());
    if !plain.is_empty() {
        page.control("SH", ["NOTES"]);
    }
    for text in plain {
        paragraph(&mut page, text);
    }
    for (heading, lines) in headed.into_iter().filter_map(heading) {
        page.control("SH", [heading.to_uppercase().as_str()]);
        page.control("nf", []);
        for line in lines.lines() {
            page.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        page.control("fi", []);
    }
    see_also(&mut page, "countersign(7)");
    page
}

/// The heading of a block and the lines below it, if it has one.
fn heading(block: &str) -> Option<(&str, &str)> {
    let (first, lines) = block.split_once('\n')?;
    Some((first.strip_suffix(':')?, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_without_more_to_say_points_to_the_overview_alone() {
        assert!(!rest("").render().contains("NOTES"));
        assert!(rest("").render().contains("countersign(7)"));
    }

    #[test]
    fn examples_stay_as_they_are() {
        let page = rest("It is so.\n\nExamples:\n  countersign a \\\n      --b").render();
        let sections = [".SH NOTES", ".PP", "It is so.", ".SH EXAMPLES", ".nf"];
        assert!(page.contains(&sections.join("\n")), "{page}");
        assert!(
            page.contains("countersign a \\\\\n    \\-\\-b\n.fi"),
            "{page}"
        );
    }
}
