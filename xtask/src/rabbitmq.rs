//! RabbitMQ, which asks hooks in the tests.
//!
//! It is unpacked from Debian 13 with the libraries and the loader it was built for, and
//! never installed: Debian's package starts a service that listens on all addresses.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::{Installed, PrivateApt};
use crate::brokers::{entry, libraries, place_whole};
use crate::command::read;

const SUITE: &str = "trixie";

/// RabbitMQ, and of what it depends on what its start needs.
const PACKAGES: &[&str] = &[
    "rabbitmq-server",
    "erlang-asn1",
    "erlang-base",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tools",
    "erlang-xmerl",
    "libc6",
    "libcap2",
    "libgcc-s1",
    "libssl3t64",
    "libstdc++6",
    "libsystemd0",
    "libtinfo6",
    "libzstd1",
    "zlib1g",
];

/// Puts it in place, unless it is there.
pub fn install(cache: &Path) -> Result<()> {
    let target = cache.join("brokers/rabbitmq");
    let package = match package(&target) {
        Ok(package) => package,
        Err(_) => place_whole(cache, &target, fill, |root| package(root).map(drop))
            .and_then(|()| package(&target))
            .context("cannot get RabbitMQ")?,
    };
    println!("broker rabbitmq: RabbitMQ (Debian {package})");
    Ok(())
}

/// The version of the package in a root whose Erlang runs.
fn package(root: &Path) -> Result<String> {
    let package = fs::read_to_string(root.join(MARK))?;
    read(Command::new(root.join("erl")).args(["-noinput", "-eval", "crypto:start(), halt()."]))?;
    Ok(package)
}

fn fill(scratch: &Path, root: &Path) -> Result<()> {
    let apt = PrivateApt::new(scratch.join("apt"), SUITE, Installed::AsOnHost)?;
    let package = apt.newest("rabbitmq-server", "4.")?;
    println!("getting RabbitMQ {package} and its Erlang from {SUITE}");
    let packages: Vec<String> = PACKAGES.iter().map(|name| (*name).to_owned()).collect();
    apt.unpack(&packages, root)?;
    let erlang = root.join("usr/lib/erlang");
    let runtime = entry(&erlang, "erts-", "")?;
    let monitor = entry(&erlang.join("lib"), "os_mon-", "")?;
    for folder in [runtime.join("bin"), monitor.join("priv/bin")] {
        // All of them first: each gets another beside it.
        let programs: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        for program in programs {
            let program = program.path();
            let mut magic = [0; 4];
            if fs::File::open(&program)?.read_exact(&mut magic).is_ok() && magic == *b"\x7fELF" {
                start_by_own_loader(root, &program)?;
            }
        }
    }
    let runtime = runtime.strip_prefix(&erlang)?.display();
    let erl = format!(
        "#!/bin/sh\n\
         ROOTDIR=${{0%/*}}/usr/lib/erlang\n\
         BINDIR=$ROOTDIR/{runtime}/bin EMU=beam PROGNAME=erl\n\
         export ROOTDIR BINDIR EMU PROGNAME\n\
         exec \"$BINDIR/erlexec\" \"$@\"\n"
    );
    write_program(&root.join("erl"), &erl)?;
    fs::write(root.join(MARK), package)?;
    Ok(())
}

/// Has a program start by the loader that is unpacked with it, wherever the root is moved.
fn start_by_own_loader(root: &Path, program: &Path) -> Result<()> {
    let libraries = libraries(root)?;
    let loader = entry(&libraries, "ld-linux-", ".so.")?;
    let [libraries, loader, within] =
        [&*libraries, &*loader, program].map(|path| path.strip_prefix(root).map(Path::to_path_buf));
    let [libraries, loader, within] = [libraries?, loader?, within?];
    let up = "../".repeat(within.components().count().saturating_sub(1));
    let mut moved = program.as_os_str().to_owned();
    moved.push(".elf");
    fs::rename(program, moved)?;
    let (libraries, loader) = (libraries.display(), loader.display());
    let script = format!(
        "#!/bin/sh\n\
         root=${{0%/*}}/{up}\n\
         exec \"${{root}}{loader}\" --library-path \"${{root}}{libraries}\" \"$0.elf\" \"$@\"\n"
    );
    write_program(program, &script)
}

fn write_program(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The version of the package; written last.
const MARK: &str = "package";
