//! Programs that make and run a virtual machine, unpacked into `target/vm/tools`: the machine's
//! own packages stay as they are.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{archive::Archive, directory};

/// QEMU, a shell for the first program of the guest, its modules' loader, and what unpacks kernels.
const PACKAGES: [&str; 5] = [
    "busybox-static",
    "kmod",
    "qemu-system-x86",
    "xz-utils",
    "zstd",
];

/// The unpacked tools.
#[derive(Debug)]
pub(super) struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Unpacks the tools if they are not there.
    pub(super) fn ready(archive: &Archive) -> Result<Self> {
        let tools = Self {
            root: directory().join("tools"),
        };
        if tools.root.exists() {
            return Ok(tools);
        }
        let fresh = directory().join("tools.new");
        super::forget(&fresh)?;
        archive.unpack_with_dependencies(&PACKAGES, &fresh)?;
        fs::rename(&fresh, &tools.root)
            .with_context(|| format!("make {}", tools.root.display()))?;
        Ok(tools)
    }

    /// Makes the next use fetch the tools anew.
    pub(super) fn forget() -> Result<()> {
        super::forget(&directory().join("tools"))
    }

    /// The directory that stands for `/`.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The program `name`: ours, or else the machine's.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        // A link to the program named so cannot be followed outside the guest.
        command.arg0(name).env("LD_LIBRARY_PATH", self.libraries());
        command
    }

    /// Where the program `name` is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        let file = match name {
            "depmod" => "kmod",
            other => other,
        };
        let places = ["bin", "sbin"].map(|folder| self.root.join("usr").join(folder).join(file));
        let found = places.into_iter().find(|place| place.exists());
        found.unwrap_or_else(|| file.into())
    }

    /// Where the tools' libraries are, as the loader's search path.
    pub(super) fn libraries(&self) -> OsString {
        self.root.join("usr/lib/x86_64-linux-gnu").into_os_string()
    }
}
