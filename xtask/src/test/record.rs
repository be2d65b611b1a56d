//! What each kernel makes of the programs: kept in tests/vm/kernels.json, shown in the README's table. The tests in
//! the virtual machine write it down, one kernel at a time.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{vm, workspace};

/// Between which lines of the README the table stands.
const BEGIN: &str = "<!-- made by `cargo xtask test vm --record` -->\n";
const END: &str = "<!-- end of what it makes -->\n";

/// What is recorded of one kernel.
#[derive(Debug, Deserialize, Serialize)]
struct Kernel {
    release: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    attach: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    instructions: BTreeMap<String, u32>,
}

/// All kernels, by the two numbers of their versions.
#[derive(Debug)]
pub(super) struct Records {
    kernels: BTreeMap<String, Kernel>,
    directory: PathBuf,
}

impl Records {
    /// Those of earlier runs.
    pub(super) fn read() -> Result<Self> {
        let directory = workspace::made("vm").join("record");
        fs::create_dir_all(&directory).with_context(|| format!("make {}", directory.display()))?;
        let file = file();
        let kernels = if file.exists() {
            parse(&read(&file)?)?
        } else {
            BTreeMap::new()
        };
        Ok(Self { kernels, directory })
    }

    /// Where a test leaves the record of its kernel.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// What tells it so.
    pub(super) fn variable(&self) -> OsString {
        let mut variable = OsString::from("OVERLAY_RECORD=");
        variable.push(&self.directory);
        variable
    }

    /// Takes the record that a test left.
    pub(super) fn take(&mut self) -> Result<()> {
        let path = self.directory.join("kernel.json");
        let kernel: Kernel = serde_json::from_str(&read(&path)?)
            .with_context(|| format!("read what a test wrote to {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        let mut numbers = kernel.release.splitn(3, '.');
        let numbers = numbers.next().zip(numbers.next());
        let (major, minor) =
            numbers.with_context(|| format!("`{}` is no kernel's release", kernel.release))?;
        self.kernels.insert(format!("{major}.{minor}"), kernel);
        Ok(())
    }

    /// Writes the file and the README's table.
    pub(super) fn write(&self) -> Result<()> {
        let mut text = serde_json::to_string_pretty(&self.kernels).context("write JSON")?;
        text.push('\n');
        write(&file(), &text)?;
        let readme = workspace::root().join("README.md");
        let with_table = replaced(&read(&readme)?, &table(&self.kernels))
            .with_context(|| format!("find the table in {}", readme.display()))?;
        write(&readme, &with_table)
    }
}

fn file() -> PathBuf {
    workspace::root().join("tests/vm/kernels.json")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn parse(text: &str) -> Result<BTreeMap<String, Kernel>> {
    serde_json::from_str(text).with_context(|| format!("read {}", file().display()))
}

/// The README with another table.
fn replaced(readme: &str, table: &str) -> Result<String> {
    let (before, rest) = readme.split_once(BEGIN).context("no line begins it")?;
    let (_, after) = rest.split_once(END).context("no line ends it")?;
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// The kernels, the newest first.
fn table(kernels: &BTreeMap<String, Kernel>) -> String {
    let mut table = "| kernel, in a VM | attaches by | lacks | programs | instructions verified | the most in one |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    let mut kernels: Vec<&Kernel> = kernels.values().collect();
    kernels.sort_by_key(|kernel| vm::version_pieces(&kernel.release));
    for kernel in kernels.into_iter().rev() {
        // A string takes whatever is written.
        let _infallible = writeln!(table, "| {} |", row(kernel));
    }
    table
}

fn row(kernel: &Kernel) -> String {
    let release = &kernel.release;
    if let Some(reason) = &kernel.refused {
        return format!("{release} | refused: “{reason}” | – | – | – | –");
    }
    let attach = match kernel.attach.as_str() {
        "tcx" => "TCX links",
        "clsact" => "clsact filters",
        other => other,
    };
    let lacks = if kernel.lacks.is_empty() {
        "–".to_owned()
    } else {
        kernel.lacks.join(", ")
    };
    let sum: u32 = kernel.instructions.values().sum();
    let most = kernel.instructions.iter().max_by_key(|(_, count)| **count);
    let most = most.map_or(String::new(), |(name, count)| format!("{count} (`{name}`)"));
    let programs = kernel.instructions.len();
    format!("{release} | {attach} | {lacks} | {programs} | {sum} | {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_what_is_recorded() {
        let readme = include_str!("../../../README.md");
        let kernels = parse(include_str!("../../../tests/vm/kernels.json")).expect("records");

        let made = replaced(readme, &table(&kernels)).expect("a table");

        assert_eq!(made, readme, "`cargo xtask test vm --record` makes it");
    }

    #[test]
    fn a_kernel_is_one_row() {
        let kernel = |instructions: &[(&str, u32)], refused: Option<&str>| Kernel {
            release: "6.1.0-56-amd64".to_owned(),
            refused: refused.map(str::to_owned),
            attach: "clsact".to_owned(),
            lacks: Vec::new(),
            instructions: instructions
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
        };

        let row = row(&kernel(&[("a", 5), ("b", 7)], None));
        let refused = super::row(&kernel(&[], Some("lacks it")));

        assert_eq!(
            row,
            "6.1.0-56-amd64 | clsact filters | – | 2 | 12 | 7 (`b`)"
        );
        assert_eq!(
            refused,
            "6.1.0-56-amd64 | refused: “lacks it” | – | – | – | –"
        );
    }
}
