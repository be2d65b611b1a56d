//! `cargo xtask layers`: who imports whom, how long files are, and where `unsafe` is.

mod arrows;
mod imports;
mod length;
mod tokens;
mod unsafety;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use self::tokens::Token;
use crate::workspace;

/// What `cargo xtask layers` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {}

/// Folders that hold Rust of ours.
const CRATES: [&str; 6] = [
    "overlay-common",
    "overlay-ebpf",
    "overlay-agent",
    "xtask",
    "tests",
    "fuzz",
];

/// A file, with its path from the repository's top.
struct Source {
    path: PathBuf,
    lines: usize,
    tokens: Vec<Token>,
}

/// Something to report about a line (from 1) of a file.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    line: usize,
    what: String,
}

pub(crate) fn run(_options: &Options) -> Result<()> {
    check()
}

/// Reports all breaches of the rules, and fails if there is one.
pub(crate) fn check() -> Result<()> {
    let sources = sources()?;
    let mut broken = 0;
    for source in &sources {
        if let Some(warning) = length::warning(source.lines) {
            println!("{}: {warning}", source.path.display());
        }
        for Finding { line, what } in findings(source) {
            println!("{}:{line}: {what}", source.path.display());
            broken += 1;
        }
    }
    ensure!(broken == 0, "{broken} breaches of the layers' rules");
    println!("{} files keep to the layers", sources.len());
    Ok(())
}

/// All breaches in one file.
fn findings(source: &Source) -> Vec<Finding> {
    let mut findings = length::findings(source.lines);
    findings.extend(unsafety::findings(&source.path, &source.tokens));
    if let Ok(inside) = source.path.strip_prefix("overlay-agent/src") {
        findings.extend(arrows::findings(inside, &source.tokens));
    }
    findings
}

fn sources() -> Result<Vec<Source>> {
    let mut paths = Vec::new();
    for name in CRATES {
        let directory = workspace::root().join(name);
        if directory.exists() {
            gather(&directory, &mut paths)?;
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn gather(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", directory.display()))?
            .path();
        if path.is_dir() {
            if path.file_name() != Some(OsStr::new("target")) {
                gather(&path, paths)?;
            }
        } else if path.extension() == Some(OsStr::new("rs")) {
            paths.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Source> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Source {
        path: path.strip_prefix(workspace::root())?.to_owned(),
        lines: text.lines().count(),
        tokens: tokens::tokens(&text),
    })
}
