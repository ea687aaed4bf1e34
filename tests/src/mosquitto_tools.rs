//! Mosquitto's own programs and its plugin, of the package that a broker came from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_testkit::tools::Tool;
use countersign_testkit::{Version, artifacts};

/// A program.
pub fn tool(version: Version, program: &str) -> Tool {
    let broker = artifacts::broker(version).unwrap();
    let (path, first) = broker.command.split_last().unwrap();
    let path = path.replace("sbin/mosquitto", &format!("bin/{program}"));
    let command: Vec<&String> = first.iter().chain([&path]).collect();
    let mut tool = Tool::new(command[0]).args(&command[1..]);
    for (name, value) in &broker.env {
        tool = tool.env(name, value);
    }
    tool
}

/// Runs a program, which must succeed.
pub fn run_tool(version: Version, program: &str, args: &[&str]) {
    let output = tool(version, program)
        .args(args)
        .run(Duration::from_secs(60))
        .unwrap();
    assert_eq!(output.code, Some(0), "{args:?}: {}", output.stderr);
}

/// Adds a user to a file with `mosquitto_passwd` and these options.
pub fn passwd(version: Version, options: &[&str], file: &Path, name: &str, password: &str) {
    if !file.exists() {
        fs::write(file, "").unwrap();
    }
    let user = ["-b", file.to_str().unwrap(), name, password];
    run_tool(version, "mosquitto_passwd", &[options, &user].concat());
}

/// Hashes a file of users with plain passwords, where it lies.
pub fn hash_passwords(version: Version, file: &Path) {
    run_tool(version, "mosquitto_passwd", &["-U", file.to_str().unwrap()]);
}

/// The plugin dynamic-security.
pub fn dynamic_security(version: Version) -> PathBuf {
    let broker = artifacts::broker(version).unwrap();
    let program = broker.command.last().unwrap();
    let folders = fs::read_dir(program.replace("sbin/mosquitto", "lib"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files = folders.map(|folder| folder.join("mosquitto_dynamic_security.so"));
    files.find(|file| file.exists()).unwrap()
}
