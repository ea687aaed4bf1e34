//! Gives the shared library the name that programs ask the loader for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It changes with every release that old programs can't use: before 1.0.0
    // that may be every minor one.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcountersign.so.0.1");
}
