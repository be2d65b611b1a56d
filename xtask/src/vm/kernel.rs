//! A kernel of Debian's with its modules, ready to boot.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{archive::Archive, directory, initramfs, tools::Tools, version, vmlinux};
use crate::process;

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    home: PathBuf,
}

impl Kernel {
    /// Gets the newest kernel of `version` (two numbers, as in `6.1`) that Debian 12 has, if there
    /// is none yet.
    pub(super) fn ready(version: &str, archive: &Archive, tools: &Tools) -> Result<Self> {
        let kernel = Self {
            home: home(version)?,
        };
        if kernel.home.exists() {
            return Ok(kernel);
        }
        let package = newest(version, archive)?;
        let fresh = kernel.home.with_extension("new");
        super::forget(&fresh)?;
        let root = fresh.join("root");
        archive.unpack(&package, &root)?;

        let release = package.trim_start_matches("linux-image-");
        let mut depmod = tools.command("depmod");
        depmod.arg("--basedir").arg(&root).arg(release);
        process::step(&format!("indexing the modules of {release}"), depmod)?;

        let image = root.join("boot").join(format!("vmlinuz-{release}"));
        vmlinux::extract(&image, &fresh.join("vmlinux"), tools)?;
        let modules = root.join("usr/lib/modules").join(release);
        initramfs::make(&modules, &fresh.join("initramfs"), tools)?;
        fs::rename(&fresh, &kernel.home)
            .with_context(|| format!("make {}", kernel.home.display()))?;
        Ok(kernel)
    }

    /// Makes the next use fetch the kernel anew.
    pub(super) fn forget(version: &str) -> Result<()> {
        super::forget(&home(version)?)
    }

    /// The directory that stands for `/`, with the modules.
    pub(super) fn root(&self) -> PathBuf {
        self.home.join("root")
    }

    /// The kernel as an ELF file, which boots without unpacking itself first.
    pub(super) fn vmlinux(&self) -> PathBuf {
        self.home.join("vmlinux")
    }

    /// The files that the kernel starts with.
    pub(super) fn initramfs(&self) -> PathBuf {
        self.home.join("initramfs")
    }
}

fn home(version: &str) -> Result<PathBuf> {
    ensure!(
        is_version(version),
        "`{version}` is not a kernel's version: two numbers are wanted, as in 6.12"
    );
    // Its dot must not look like that of a file's extension.
    Ok(directory().join(format!("linux-{}", version.replace('.', "-"))))
}

fn is_version(version: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(version.split_once('.'), Some((major, minor)) if is_number(major) && is_number(minor))
}

/// The package of the newest kernel of `version`.
fn newest(version: &str, archive: &Archive) -> Result<String> {
    let mut names = archive.search(r"^linux-image-[0-9]+\.[0-9]+\.[^-]+(-[0-9]+)?-amd64$")?;
    names.sort_by_key(|name| version::pieces(name));
    let start = format!("linux-image-{version}.");
    let chosen = names.iter().rfind(|name| name.starts_with(&start));
    chosen.cloned().with_context(|| {
        format!(
            "Debian 12 has no kernel {version}; it has: {}",
            versions(&names).join(", ")
        )
    })
}

/// The two first numbers of each package's version, once each.
fn versions(names: &[String]) -> Vec<String> {
    let mut versions: Vec<String> = names
        .iter()
        .filter_map(|name| {
            let mut parts = name.trim_start_matches("linux-image-").split('.');
            Some(format!("{}.{}", parts.next()?, parts.next()?))
        })
        .collect();
    versions.dedup();
    versions
}

/// Where the modules of a kernel list what each needs.
pub(super) fn dependencies(modules: &Path) -> PathBuf {
    modules.join("modules.dep")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        assert!(is_version("6.1") && is_version("6.12"));
        assert!(
            !is_version("6") && !is_version("6.1.0") && !is_version("../x") && !is_version("6.")
        );
    }

    #[test]
    fn versions_on_offer_are_named_once() {
        let names =
            ["6.1.0-55", "6.1.0-56", "6.12.9+deb12"].map(|v| format!("linux-image-{v}-amd64"));

        assert_eq!(versions(&names), ["6.1", "6.12"]);
    }
}
