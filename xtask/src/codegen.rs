//! `cargo xtask codegen`: the committed bindings of Mosquitto's plugin headers.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, run, workspace};
use crate::setup;

/// Writes the bindings, or with `check` says whether they are current.
///
/// bindgen is compiled only for this: a build of xtask without it calls one
/// that has it.
pub fn codegen(check: bool) -> Result<()> {
    if !cfg!(feature = "codegen") {
        setup::for_codegen()?;
        let mut again = cargo();
        again.args([
            "run",
            "--quiet",
            "--package",
            "xtask",
            "--features",
            "codegen",
            "--",
        ]);
        again.arg("codegen");
        if check {
            again.arg("--check");
        }
        return run(&mut again);
    }

    let path = workspace().join("crates/mosquitto-sys/src/bindings.rs");
    let fresh = bindings()?;
    let shown = path.strip_prefix(workspace()).unwrap_or(&path).display();
    let current = fs::read_to_string(&path).unwrap_or_default();
    if current == fresh {
        println!("{shown} is current");
        return Ok(());
    }
    if check {
        show_difference(&path, &fresh)?;
        bail!("{shown} is out of date: run `cargo xtask codegen`");
    }
    fs::write(&path, fresh).with_context(|| format!("cannot write {shown}"))?;
    println!("{shown} written");
    Ok(())
}

#[cfg(feature = "codegen")]
fn bindings() -> Result<String> {
    use anyhow::ensure;
    use bindgen::{EnumVariation, Formatter, MacroTypeVariation, RustEdition, RustTarget};

    let built = bindgen::Builder::default()
        .header_contents("countersign.h", HEADERS)
        .raw_line("// Written by `cargo xtask codegen`. Do not edit.")
        .rust_target(RustTarget::stable(85, 0).map_err(|error| anyhow::anyhow!("{error}"))?)
        .rust_edition(RustEdition::Edition2024)
        .use_core()
        .ignore_functions()
        .allowlist_type("mosquitto(_opt|_plugin_id_t|_property|_evt_.*|_plugin_event|_protocol)?")
        .allowlist_type("MOSQ_FUNC_generic_callback|mosq_err_t|mqtt5_return_codes?")
        .allowlist_var("(MOSQ|LIBMOSQUITTO|MQTT_RC)_.*")
        .blocklist_item("MOSQ_LOG_(ALL|INTERNAL)|MQTT_RC_GRANTED.*")
        .default_enum_style(EnumVariation::Consts)
        .prepend_enum_name(false)
        .default_macro_constant_type(MacroTypeVariation::Signed)
        .derive_default(false)
        .derive_debug(false)
        .generate_comments(false)
        .layout_tests(true)
        .disable_header_comment()
        .formatter(Formatter::Rustfmt)
        .generate()
        .context("bindgen could not read the headers")?
        .to_string();
    ensure!(
        built.contains("pub const LIBMOSQUITTO_VERSION_NUMBER: i32 = 2000011;"),
        "the bindings are made from the headers of 2.0.11, and this machine has others"
    );
    Ok(built)
}

#[cfg(not(feature = "codegen"))]
fn bindings() -> Result<String> {
    bail!("this build of xtask has no bindgen")
}

fn show_difference(path: &Path, fresh: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    fs::write(file.path(), fresh)?;
    // `diff` exits 1 when the files differ, which is why it is called.
    Command::new("diff")
        .arg("-u")
        .arg(path)
        .arg(file.path())
        .status()?;
    Ok(())
}

#[cfg(feature = "codegen")]
const HEADERS: &str = "\
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <mqtt_protocol.h>
";
