//! `cargo xtask codegen`: what is generated and committed: the C header of
//! `countersign-capi`, the bindings of Mosquitto's plugin headers, and the
//! reference in the documents.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::command::{cargo, run, workspace};
use crate::setup;

/// What is generated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Product {
    /// The bindings of Mosquitto's plugin headers; needs libclang
    Bindings,
    /// include/countersign.h
    Header,
    /// docs/reference
    Reference,
    /// crates/store-sqlite/migrations/all.sql and its digest
    Schema,
}

/// Writes what is generated, or with `check` says whether it is current.
///
/// bindgen and cbindgen are compiled only for this: a build of xtask without
/// them calls one that has them.
pub fn codegen(products: &[Product], check: bool) -> Result<()> {
    let products = if products.is_empty() {
        Product::value_variants()
    } else {
        products
    };
    for test in products.iter().filter_map(|product| product.test()) {
        test.run(check)?;
    }
    let products: Vec<_> = products
        .iter()
        .copied()
        .filter(|product| product.test().is_none())
        .collect();
    if products.is_empty() {
        return Ok(());
    }
    if !cfg!(feature = "codegen") {
        if products.contains(&Product::Bindings) {
            setup::for_codegen()?;
        }
        let mut again = cargo();
        again.args(["run", "--quiet", "--package", "xtask"]);
        again.args(["--features", "codegen", "--", "codegen"]);
        for product in &products {
            let value = product.to_possible_value().context("no value")?;
            again.args(["--only", value.get_name()]);
        }
        if check {
            again.arg("--check");
        }
        return run(&mut again);
    }
    for product in products {
        match product {
            Product::Bindings => write("crates/mosquitto-sys/src/bindings.rs", &bindings()?, check),
            Product::Header => write("include/countersign.h", &header()?, check),
            Product::Reference | Product::Schema => Ok(()),
        }?;
    }
    Ok(())
}

/// A test that writes what is generated, and that holds it, with all others.
struct WritingTest {
    package: &'static str,
    /// Which of the package's tests, and which target they are in.
    words: &'static [&'static str],
    /// The variable of the environment with which it writes.
    writes: &'static str,
}

impl Product {
    /// The test that writes it: of what only another package knows.
    fn test(self) -> Option<WritingTest> {
        match self {
            Self::Reference => Some(WritingTest {
                package: "countersign-cli",
                words: &["--test", "program", "--", "the_reference_of_"],
                writes: "COUNTERSIGN_WRITE_REFERENCE",
            }),
            Self::Schema => Some(WritingTest {
                package: "countersign-sqlite",
                words: &["--lib", "--", "what_all_migrations_make_"],
                writes: "COUNTERSIGN_WRITE_SCHEMA",
            }),
            Self::Bindings | Self::Header => None,
        }
    }
}

impl WritingTest {
    fn run(&self, check: bool) -> Result<()> {
        let mut test = cargo();
        test.args(["test", "--quiet", "--package", self.package]);
        test.args(self.words);
        if !check {
            test.env(self.writes, "1");
        }
        run(&mut test)
    }
}

fn write(shown: &str, fresh: &str, check: bool) -> Result<()> {
    let path = workspace().join(shown);
    let current = fs::read_to_string(&path).unwrap_or_default();
    if current == fresh {
        println!("{shown} is current");
        return Ok(());
    }
    if check {
        show_difference(&path, fresh)?;
        bail!("{shown} is out of date: run `cargo xtask codegen`");
    }
    fs::create_dir_all(path.parent().unwrap_or(workspace()))?;
    fs::write(&path, fresh).with_context(|| format!("cannot write {shown}"))?;
    println!("{shown} written");
    Ok(())
}

/// The C header: the manual, and what cbindgen makes of `crates/capi`.
#[cfg(feature = "codegen")]
fn header() -> Result<String> {
    let source = workspace().join("crates/capi");
    let mut config = cbindgen::Config::from_file(source.join("cbindgen.toml"))
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let manual = fs::read_to_string(source.join("manual.txt"))?;
    let manual: String = manual
        .lines()
        .map(|line| format!(" * {line}").trim_end().to_owned() + "\n")
        .collect();
    config.header = Some(format!("/*\n{manual} */"));
    let (major, minor) = version()?;
    config.after_includes = Some(format!(
        "\n/** The version of this header; countersign_version() is the library's. */\n\
         #define COUNTERSIGN_VERSION \"{}\"\n\
         #define COUNTERSIGN_VERSION_MAJOR {major}\n\
         #define COUNTERSIGN_VERSION_MINOR {minor}",
        env!("CARGO_PKG_VERSION"),
    ));
    // In the order in which a program meets them.
    let mut builder = cbindgen::Builder::new().with_config(config);
    for room in [
        "boundary",
        "status",
        "version",
        "message",
        "options",
        "gate_host",
        "connect",
        "check",
        "events",
        "store",
        "new_credential",
        "credential",
        "issued",
    ] {
        builder = builder.with_src(source.join("src").join(room).with_extension("rs"));
    }
    let mut written = Vec::new();
    builder
        .generate()
        .context("cbindgen could not read crates/capi")?
        .write(&mut written);
    for_c(&String::from_utf8(written)?)
}

#[cfg(feature = "codegen")]
fn version() -> Result<(&'static str, &'static str)> {
    let mut parts = env!("CARGO_PKG_VERSION").split('.');
    Ok((
        parts.next().context("no version")?,
        parts.next().context("no version")?,
    ))
}

/// Takes out what is written for Rust: the headings that say what a caller owes
/// are kept, in C's words.
#[cfg(feature = "codegen")]
fn for_c(header: &str) -> Result<String> {
    let fresh = header.replace(" * # Safety\n *\n", " * The caller sees to it:\n");
    // Within the guard, for a header may be included twice.
    const END: &str = "#ifdef __cplusplus\n}  // extern";
    anyhow::ensure!(
        fresh.matches(END).count() == 1,
        "the end of the header is not where it was"
    );
    let fresh = fresh.replace(END, &format!("{TEXT}\n\n{END}"));
    let is_rust = |line: &&str| line.contains("[`") || line.contains("* # ");
    if let Some(line) = fresh.lines().find(is_rust) {
        bail!("this is written for Rust: {line}");
    }
    Ok(fresh)
}

#[cfg(not(feature = "codegen"))]
fn header() -> Result<String> {
    bail!("this build of xtask has no cbindgen")
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

/// What no function of the library can be: C programs have their texts with NUL.
#[cfg(feature = "codegen")]
const TEXT: &str = "\
/** The bytes of a text that ends with NUL; absent if it is NULL. It stays the caller's. */
static inline countersign_bytes countersign_text(const char *text) {
  countersign_bytes bytes;
  bytes.data = text;
  bytes.length = text ? strlen(text) : 0;
  return bytes;
}";
