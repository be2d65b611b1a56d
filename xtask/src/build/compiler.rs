//! A Rust compiler that can build for eBPF: it comes with the source of `core`, and its LLVM is no
//! newer than the linker's.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail, ensure};

use super::linker::LLVM;
use crate::{
    packages::{self, Install},
    process, workspace,
};

/// Debian's newest rustc, and the source of `core` for it.
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];

/// Debian's clippy for it.
const CLIPPY: &str = "rust-web-clippy";

/// The oldest release that our crates allow.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// A compiler on this machine.
#[derive(Debug)]
pub(super) struct Compiler {
    rustc: PathBuf,
    sysroot: PathBuf,
    release: String,
    llvm: u32,
}

impl Compiler {
    /// Cargo with this compiler, and with nothing of the environment that chose another one.
    pub(super) fn cargo(&self) -> Command {
        let own = self.sysroot.join("bin/cargo");
        let mut command = if own.exists() {
            let mut command = Command::new(own);
            command.current_dir(workspace::root());
            command
        } else {
            workspace::cargo()
        };
        for variable in [
            "CARGO_BUILD_RUSTC",
            "CARGO_BUILD_RUSTFLAGS",
            "CARGO_BUILD_TARGET",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "LD_LIBRARY_PATH",
            "RUSTC_WORKSPACE_WRAPPER",
            "RUSTC_WRAPPER",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            command.env_remove(variable);
        }
        // Lets a release compiler use `-Z build-std`.
        command
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1");
        command
    }

    /// `cargo clippy` with this compiler.
    pub(super) fn clippy(&self, install: Install) -> Result<Command> {
        let program = self.sysroot.join("bin/cargo-clippy");
        if !program.exists() && self.sysroot == Path::new("/usr") {
            packages::ensure(&[CLIPPY], install)?;
        }
        ensure!(
            program.exists(),
            "{self} has no clippy: add it with `rustup component add clippy`"
        );
        let cargo = self.cargo();
        let mut command = Command::new(program);
        command.arg("clippy").env("CARGO", cargo.get_program());
        for (name, value) in cargo.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(workspace::root());
        Ok(command)
    }

    fn at(rustc: &Path) -> Result<Self> {
        let ask = |question: &str| {
            let mut command = Command::new(rustc);
            command
                .args(question.split(' '))
                .env_remove("LD_LIBRARY_PATH")
                .env_remove("RUSTUP_TOOLCHAIN");
            process::output(command)
        };
        let version = ask("--version --verbose")?;
        let field = |name: &str| {
            let line = version.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        Ok(Self {
            rustc: rustc.to_owned(),
            sysroot: ask("--print sysroot")?.trim().into(),
            release: field("release:"),
            llvm: numbers(&field("LLVM version:"))[0],
        })
    }

    /// Why this compiler cannot be used, if it cannot.
    fn objection(&self) -> Option<String> {
        let core = self.sysroot.join("lib/rustlib/src/rust/library/core");
        if !core.exists() {
            Some("has no source of `core` (component rust-src)".to_owned())
        } else if self.llvm > LLVM {
            Some(format!("its LLVM is newer than the linker's {LLVM}"))
        } else if numbers(&self.release) < numbers(OLDEST) {
            Some(format!("is older than {OLDEST}"))
        } else {
            None
        }
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rustc,
            sysroot: _,
            release,
            llvm,
        } = self;
        write!(f, "{} {release} (LLVM {llvm})", rustc.display())
    }
}

/// Finds a compiler, or installs one.
pub(super) fn compiler(install: Install) -> Result<Compiler> {
    let refused = match choose() {
        Ok(compiler) => return Ok(compiler),
        Err(refused) => refused,
    };
    eprintln!("missing: a Rust compiler for eBPF{}", listed(&refused));
    if install == Install::Forbidden {
        bail!(
            "no Rust compiler for eBPF: install {}, or a nightly with `rustup toolchain install \
             nightly --component rust-src`",
            PACKAGES.join(" ")
        );
    }
    packages::install(&PACKAGES)?;
    if let Ok(compiler) = choose() {
        return Ok(compiler);
    }
    // Old lists may know only an old compiler.
    packages::update()?;
    packages::install(&PACKAGES)?;
    choose().or_else(|refused| {
        bail!(
            "{} are installed, but there is no Rust compiler for eBPF{}",
            PACKAGES.join(" and "),
            listed(&refused)
        )
    })
}

/// The first compiler without an objection, or all the objections.
fn choose() -> Result<Compiler, Vec<String>> {
    let mut refused = Vec::new();
    for rustc in candidates() {
        match Compiler::at(&rustc) {
            Ok(compiler) => match compiler.objection() {
                None => return Ok(compiler),
                Some(objection) => refused.push(format!("{compiler} {objection}")),
            },
            Err(error) => refused.push(format!("{} does not run: {error:#}", rustc.display())),
        }
    }
    Err(refused)
}

/// rustup's nightlies, its other toolchains, and the system's compiler, as far as they are there.
fn candidates() -> Vec<PathBuf> {
    let mut list = Command::new("rustup");
    list.args(["toolchain", "list", "--verbose"]);
    // Without rustup there is nothing to list.
    let list = process::output(list).unwrap_or_default();
    let directories = list
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    let (mut rustup, others): (Vec<PathBuf>, Vec<PathBuf>) = directories
        .map(|directory| Path::new(directory).join("bin/rustc"))
        .partition(|rustc| rustc.to_string_lossy().contains("/nightly"));
    rustup.extend(others);
    rustup.push("/usr/bin/rustc".into());
    rustup.retain(|rustc| rustc.exists());
    rustup
}

fn listed(refused: &[String]) -> String {
    let lines = refused.iter().map(|refused| format!("\n  {refused}"));
    lines.collect()
}

/// The numbers of a version, of which there is at least one.
fn numbers(version: &str) -> Vec<u32> {
    let number = |part: &str| {
        let digits = part.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    version.split('.').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("1.96.0") > numbers("1.95"));
        assert!(numbers("1.100.0-nightly") > numbers("1.99.3"));
        assert_eq!(numbers("22.1.8")[0], 22);
        assert_eq!(numbers("")[0], 0);
    }
}
