//! The eBPF object `target/bpf/overlay.o`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    Need,
    compiler::{Compiler, compiler},
    linker::linker,
};
use crate::{packages::Install, process, workspace};

const TARGET: &str = "bpfel-unknown-none";

/// Builds the eBPF object and returns its path. The file changes only when its content does, so
/// that what embeds it is not built again for nothing.
///
/// # Errors
///
/// When a tool is missing and may not or cannot be installed, and when the build fails.
pub(crate) fn ebpf(need: &Need) -> Result<PathBuf> {
    let tools = Tools::ready(need.install())?;
    let mut cargo = tools.cargo("build")?;
    if need.offline {
        cargo.arg("--offline");
    }
    process::follow(
        &format!("building the eBPF object with {}", tools.compiler),
        cargo,
    )?;

    let built = target_directory().join(TARGET).join("release/overlay-ebpf");
    let object = workspace::made("bpf").join("overlay.o");
    let news = keep(&built, &object)?;
    eprintln!("{} {news}", workspace::shown(&object));
    Ok(object)
}

/// Checks the eBPF programs with clippy.
pub(crate) fn lint_ebpf(need: &Need) -> Result<()> {
    let tools = Tools::ready(need.install())?;
    let mut clippy = tools.clippy(need.install())?;
    clippy.args(["--", "--deny=warnings"]);
    process::follow("checking the eBPF programs", clippy)
}

/// What compiles and links for eBPF.
#[derive(Debug)]
struct Tools {
    compiler: Compiler,
    linker: PathBuf,
}

impl Tools {
    /// Finds the tools, installing what is missing; when that may not be, the error names all
    /// that is missing.
    fn ready(install: Install) -> Result<Self> {
        let compiler = match (compiler(install), install) {
            (Ok(compiler), _) => compiler,
            (Err(error), Install::Allowed) => return Err(error),
            (Err(first), Install::Forbidden) => match linker(install) {
                Ok(_) => return Err(first),
                Err(second) => bail!("{first:#}; and {second:#}"),
            },
        };
        let linker = linker(install)?;
        Ok(Self { compiler, linker })
    }

    /// `cargo VERB` for the eBPF programs.
    fn cargo(&self, verb: &str) -> Result<Command> {
        let mut cargo = self.compiler.cargo();
        cargo.arg(verb);
        self.add_target(&mut cargo)?;
        Ok(cargo)
    }

    /// The compiler's clippy for the eBPF programs.
    fn clippy(&self, install: Install) -> Result<Command> {
        let mut clippy = self.compiler.clippy(install)?;
        self.add_target(&mut clippy)?;
        Ok(clippy)
    }

    fn add_target(&self, cargo: &mut Command) -> Result<()> {
        let flags = [
            "--cfg".to_owned(),
            format!("bpf_target_arch=\"{}\"", architecture()?),
            "-Cdebuginfo=2".to_owned(),
            // Packet headers have no alignment; without this every load of one is made of single bytes.
            "-Ctarget-feature=+allows-misaligned-mem-access".to_owned(),
            format!("-Clinker={}", self.linker.display()),
        ];
        cargo
            .args(["--release", "-Zbuild-std=core", "--target", TARGET])
            .args(["--package", "overlay-ebpf", "--bin", "overlay-ebpf"])
            .arg("--target-dir")
            .arg(target_directory())
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        Ok(())
    }
}

/// Apart from the host's crates, which another compiler builds.
fn target_directory() -> PathBuf {
    workspace::made("bpf-build")
}

/// The machine whose registers the programs see, as aya-ebpf names it.
fn architecture() -> Result<&'static str> {
    match env::consts::ARCH {
        known @ ("x86_64" | "aarch64") => Ok(known),
        other => bail!("overlay runs on x86_64 and aarch64, not on {other}"),
    }
}

/// Makes `object` the same as `built` and returns what happened.
fn keep(built: &Path, object: &Path) -> Result<String> {
    let content = fs::read(built).with_context(|| format!("read {}", built.display()))?;
    if fs::read(object).is_ok_and(|present| present == content) {
        return Ok("is up to date".to_owned());
    }
    let directory = object.parent().context("the object has no directory")?;
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let fresh = object.with_extension("new");
    fs::write(&fresh, &content).with_context(|| format!("write {}", fresh.display()))?;
    fs::rename(&fresh, object).with_context(|| format!("write {}", object.display()))?;
    Ok(format!("is new ({} KiB)", content.len().div_ceil(1024)))
}
