//! Puts the BPF object where the agent's binary embeds it.

use std::{env, error::Error, fs, path::PathBuf};

/// Names another object than the workspace's own.
const OBJECT_VARIABLE: &str = "OVERLAY_BPF_OBJECT";

/// Where `cargo xtask build-ebpf` leaves it, below the workspace.
const OBJECT: &str = "target/bpf/overlay.o";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={OBJECT_VARIABLE}");
    let object = match env::var_os(OBJECT_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env::var("CARGO_MANIFEST_DIR")?)
            .join("..")
            .join(OBJECT),
    };
    println!("cargo::rerun-if-changed={}", object.display());

    let target = PathBuf::from(env::var("OUT_DIR")?).join("overlay.o");
    if let Err(error) = fs::copy(&object, target) {
        println!(
            "cargo::error=cannot read the BPF object {} ({error}); make it with `cargo xtask build-ebpf`",
            object.display()
        );
    }
    Ok(())
}
