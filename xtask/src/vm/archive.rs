//! Debian's packages, fetched and unpacked beside the system: apt with its own lists, which
//! changes nothing of the machine's.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::directory;
use crate::{
    packages::{self, Install},
    process,
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://deb.debian.org/debian-security";

/// Newer versions, made for Debian 12: its own QEMU starts a guest half as fast.
const BACKPORTS: &str = "bookworm-backports";

/// Where other kernels come from. Nothing else is taken from there: apt prefers what is made for Debian 12.
const NEWER: &str = "trixie-backports";
const OLDER: &str = "bullseye-security";

/// It belongs to the machine's loader, so another one cannot be used.
const C_LIBRARY: &str = "libc6_";

/// Folders that Debian 12 has only as links into /usr.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// The archive of Debian 12 with its updates and backports, and kernels of the releases around it. Its lists
/// are fetched when they are first needed.
#[derive(Debug)]
pub(super) struct Archive {
    home: PathBuf,
}

impl Default for Archive {
    fn default() -> Self {
        Self {
            home: directory().join("apt"),
        }
    }
}

impl Archive {
    /// Makes the next question fetch the lists anew.
    pub(super) fn forget(&self) -> Result<()> {
        super::forget(&self.home)
    }

    /// Names of packages that match a regular expression.
    pub(super) fn search(&self, pattern: &str) -> Result<Vec<String>> {
        self.update()?;
        let mut search = self.command("apt-cache");
        search.args(["search", "--names-only", pattern]);
        let found = process::output(search)?;
        let names = found.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    /// Unpacks the packages `names` alone into `root`.
    pub(super) fn unpack(&self, names: &[String], root: &Path) -> Result<()> {
        self.update()?;
        let mut download = self.command("apt-get");
        download.arg("download").args(names);
        self.fetch_and_unpack(&format!("downloading {}", names.join(" ")), download, root)
    }

    /// Unpacks the packages `names` into `root`, with all that they need but the C library.
    pub(super) fn unpack_with_dependencies(&self, names: &[&str], root: &Path) -> Result<()> {
        self.update()?;
        let mut download = self.command("apt-get");
        download
            .args(["install", "--download-only", "--yes"])
            .args(["--no-install-recommends", "--target-release", BACKPORTS])
            .args(names);
        self.fetch_and_unpack(&format!("downloading {}", names.join(" ")), download, root)
    }

    fn fetch_and_unpack(&self, title: &str, mut download: Command, root: &Path) -> Result<()> {
        let fetched = self.fetched();
        super::forget(&fetched)?;
        fs::create_dir_all(fetched.join("partial"))
            .with_context(|| format!("make {}", fetched.display()))?;
        download.current_dir(&fetched);
        process::step(title, download)?;

        make_root(root)?;
        for package in listed(&fetched)? {
            extract(&package, root)?;
        }
        super::forget(&fetched)
    }

    /// Fetches the lists if there are none of these sources.
    fn update(&self) -> Result<()> {
        let sources = sources_list();
        let complete = self.home.join("complete");
        if fs::read_to_string(&complete).is_ok_and(|fetched| fetched == sources) {
            return Ok(());
        }
        self.forget()?;
        if !Path::new(KEYRING).exists() {
            packages::ensure(&["debian-archive-keyring"], Install::Allowed)?;
        }
        for folder in ["lists/partial", "cache"] {
            let folder = self.home.join(folder);
            fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        }
        for (file, content) in [("sources.list", &sources), ("status", &String::new())] {
            let file = self.home.join(file);
            fs::write(&file, content).with_context(|| format!("write {}", file.display()))?;
        }
        let mut update = self.command("apt-get");
        update.arg("update");
        process::step("fetching Debian's lists of packages", update)?;
        fs::write(&complete, &sources).with_context(|| format!("write {}", complete.display()))
    }

    fn fetched(&self) -> PathBuf {
        self.home.join("packages")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (option, path) in [
            ("Dir::Etc::SourceList", self.home.join("sources.list")),
            ("Dir::Etc::SourceParts", "/dev/null".into()),
            ("Dir::State::Lists", self.home.join("lists")),
            // What is installed here must not decide what is unpacked there.
            ("Dir::State::Status", self.home.join("status")),
            ("Dir::Cache", self.home.join("cache")),
            ("Dir::Cache::Archives", self.fetched()),
        ] {
            command.arg(format!("--option={option}={}", path.display()));
        }
        command
            .args(["--option=Debug::NoLocking=true"])
            .args(["--option=APT::Sandbox::User=root"])
            .args(["--option=Acquire::Retries=3"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    }
}

fn sources_list() -> String {
    let lines = [
        (mirror("Debian", MIRROR), "bookworm"),
        (mirror("Debian", MIRROR), "bookworm-updates"),
        (mirror("Debian", MIRROR), BACKPORTS),
        (mirror("Debian", MIRROR), NEWER),
        (mirror("Debian-Security", SECURITY), "bookworm-security"),
        (mirror("Debian-Security", SECURITY), OLDER),
    ];
    let lines = lines
        .iter()
        .map(|(uri, suite)| format!("deb [signed-by={KEYRING}] {uri} {suite} main\n"));
    lines.collect()
}

/// The mirror that this machine's apt uses for `label`, or Debian's own.
fn mirror(label: &str, otherwise: &str) -> String {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(LABEL) $(REPO_URI)"]);
    // A machine without lists or without apt uses no mirror.
    let targets = process::output(targets).unwrap_or_default();
    let chosen = targets.lines().find_map(|line| match line.split_once(' ') {
        Some((found, uri)) if found == label => Some(uri.to_owned()),
        _ => None,
    });
    chosen.unwrap_or_else(|| otherwise.to_owned())
}

/// Makes an empty root with the links that Debian 12 has.
fn make_root(root: &Path) -> Result<()> {
    for folder in MERGED {
        let real = root.join("usr").join(folder);
        fs::create_dir_all(&real).with_context(|| format!("make {}", real.display()))?;
        let link = root.join(folder);
        if !link.is_symlink() {
            std::os::unix::fs::symlink(Path::new("usr").join(folder), &link)
                .with_context(|| format!("make {}", link.display()))?;
        }
    }
    Ok(())
}

fn listed(fetched: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(fetched).with_context(|| format!("list {}", fetched.display()))?;
    let mut packages = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("list {}", fetched.display()))?
            .path();
        let is_package = path.extension() == Some(OsStr::new("deb"));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_package && !name.starts_with(C_LIBRARY) {
            packages.push(path.clone());
        }
    }
    packages.sort();
    Ok(packages)
}

fn extract(package: &Path, root: &Path) -> Result<()> {
    let mut unpack = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("start dpkg-deb")?;
    let files = unpack.stdout.take().context("dpkg-deb has no pipe")?;
    let extracted = Command::new("tar")
        .args(["--extract", "--keep-directory-symlink", "--no-same-owner"])
        .arg("--directory")
        .arg(root)
        .stdin(files)
        .status()
        .context("start tar")?;
    let unpacked = unpack.wait().context("wait for dpkg-deb")?;
    ensure!(
        extracted.success() && unpacked.success(),
        "unpack {} into {}: dpkg-deb {unpacked}, tar {extracted}",
        package.display(),
        root.display()
    );
    Ok(())
}
