//! Where things are in the repository, and cargo as this program calls it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The repository's top directory.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or_else(|| Path::new("."))
}

/// What this program makes that is not cargo's: `target/bpf`, `target/tools`, `target/vm`, ….
/// `CARGO_TARGET_DIR` does not move it, since build scripts look there.
pub(crate) fn made(name: &str) -> PathBuf {
    root().join("target").join(name)
}

/// Where cargo puts what it builds for this machine.
pub(crate) fn cargo_target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// The cargo this program was started by, run at the repository's top.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `path` as a reader at the repository's top would write it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
