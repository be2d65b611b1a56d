//! A kernel of Debian's with its modules, ready to boot.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use super::{archive::Archive, directory, initramfs, tools::Tools, version, vmlinux};
use crate::process;

/// Stands for the newest version there is.
pub(crate) const NEWEST: &str = "newest";

/// What the packages of one kernel are called, before its release. Since 7.0 there are several.
const PACKAGES: [&str; 4] = [
    "linux-image-",
    "linux-base-",
    "linux-binary-",
    "linux-modules-",
];

/// An unpacked kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    home: PathBuf,
}

impl Kernel {
    /// Gets the newest kernel of `version` (two numbers, as in `6.1`, or [`NEWEST`]) that Debian has, if
    /// there is none yet.
    pub(super) fn ready(version: &str, archive: &Archive, tools: &Tools) -> Result<Self> {
        let kernel = Self {
            home: home(version)?,
        };
        if kernel.home.exists() {
            return Ok(kernel);
        }
        let names = archive.search(&format!(
            r"^({})[0-9]+\.[0-9]+\.[^-]+(-[0-9]+)?-amd64$",
            PACKAGES.join("|")
        ))?;
        let release = newest(version, &names)?;
        let fresh = kernel.home.with_extension("new");
        super::forget(&fresh)?;
        let root = fresh.join("root");
        archive.unpack(&packages(&release, &names), &root)?;

        let mut depmod = tools.command("depmod");
        depmod.arg("--basedir").arg(&root).arg(&release);
        process::step(&format!("indexing the modules of {release}"), depmod)?;

        let modules = root.join("usr/lib/modules").join(&release);
        let places = [
            root.join("boot").join(format!("vmlinuz-{release}")),
            modules.join("vmlinuz"),
        ];
        let image = places.iter().find(|image| image.exists());
        let image = image.with_context(|| format!("Debian's kernel {release} has no image"))?;
        vmlinux::extract(image, &fresh.join("vmlinux"), tools)?;
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
        version == NEWEST || is_version(version),
        "`{version}` is not a kernel's version: two numbers are wanted, as in 6.12, or `{NEWEST}`"
    );
    // Its dot must not look like that of a file's extension.
    Ok(directory().join(format!("linux-{}", version.replace('.', "-"))))
}

fn is_version(version: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    matches!(version.split_once('.'), Some((major, minor)) if is_number(major) && is_number(minor))
}

/// The newest release of `version`, given the packages of all kernels.
fn newest(version: &str, names: &[String]) -> Result<String> {
    let mut releases: Vec<&str> = names.iter().filter_map(|name| release(name)).collect();
    releases.sort_by_key(|release| version::pieces(release));
    let start = format!("{version}.");
    let is_wanted = |release: &&&str| version == NEWEST || release.starts_with(&start);
    let chosen = releases.iter().rfind(is_wanted);
    chosen
        .map(|release| (*release).to_owned())
        .with_context(|| {
            format!(
                "Debian has no kernel {version}; it has: {}",
                versions(&releases).join(", ")
            )
        })
}

/// The packages of one release.
fn packages(release: &str, names: &[String]) -> Vec<String> {
    let is_of = |name: &&String| self::release(name) == Some(release);
    names.iter().filter(is_of).cloned().collect()
}

/// The release that a package is of.
fn release(package: &str) -> Option<&str> {
    PACKAGES
        .iter()
        .find_map(|start| package.strip_prefix(start))
}

/// The two first numbers of each release, once each.
fn versions(releases: &[&str]) -> Vec<String> {
    let mut versions: Vec<String> = releases
        .iter()
        .filter_map(|release| {
            let mut parts = release.split('.');
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

    fn names() -> Vec<String> {
        [
            "linux-image-6.1.0-55-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-binary-7.3.4+deb13-amd64",
            "linux-modules-7.3.4+deb13-amd64",
            "linux-image-6.12.9+deb12-amd64",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn the_newest_release_of_a_version_is_chosen() {
        let of = |version| newest(version, &names()).expect("a kernel");

        assert_eq!(of("6.1"), "6.1.0-56-amd64");
        assert_eq!(of(NEWEST), "7.3.4+deb13-amd64");
        assert_eq!(packages(&of(NEWEST), &names()), names()[2..4]);
    }

    #[test]
    fn versions_on_offer_are_named_once() {
        let error = newest("5.4", &names()).expect_err("there is none");

        let error = error.to_string();
        assert!(error.ends_with("it has: 6.1, 6.12, 7.3"), "{error}");
    }
}
