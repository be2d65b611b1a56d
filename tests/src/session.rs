//! One run of the testbed: the names it uses, its directory, and the removal of all of it.
//!
//! A session `demo` owns the namespaces `ovl-demo-…` and the directory [`ROOT`]`/demo`, and holds a lock as long
//! as its process lives. Whoever opens a session first removes those whose lock nobody holds, so a run ended by
//! SIGKILL leaves nothing for long. A kept session stays until it is opened again or removed by name.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::signal::Signal,
    unistd::geteuid,
};

use crate::{
    namespace::{self, Namespace},
    process::{complain, signal},
};

/// Holds one directory and one lock file for each session.
pub const ROOT: &str = "/run/ovl-testbed";

/// Begins the name of every namespace of every session.
const PREFIX: &str = "ovl-";

/// Marks a session's directory as meant to outlive its process.
const KEPT: &str = "kept";

/// How long processes get to vanish after SIGKILL before their namespaces are removed anyway.
const REAPING: Duration = Duration::from_secs(3);

static TESTS: AtomicU32 = AtomicU32::new(0);

/// What a run owns. Dropping it kills its processes and removes its namespaces, mounts and files.
#[derive(Debug)]
pub struct Session {
    name: String,
    directory: PathBuf,
    keep: bool,
    /// Released after [`Drop`] has removed everything, so that nobody takes the rest for a dead session's.
    _lock: Flock<File>,
}

impl Session {
    /// Opens the session `name` (letters and digits) after removing what dead sessions left, an earlier one of
    /// this name included. Fails when another process has it open, or without root.
    pub fn open(name: &str) -> Result<Self> {
        let plain = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric());
        ensure!(plain, "session name {name:?} must be letters and digits");
        ensure!(
            geteuid().is_root(),
            "the testbed makes network namespaces and loads BPF programs: run it as root"
        );
        fs::create_dir_all(ROOT).with_context(|| format!("creating {ROOT}"))?;
        remove_dead()?;
        let Some(lock) = take_lock(name)? else {
            bail!(
                "session {name} is in use by another process; wait for it or stop it, then try again"
            );
        };
        clear(name)?;
        let directory = Path::new(ROOT).join(name);
        fs::create_dir(&directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self {
            name: name.to_owned(),
            directory,
            keep: false,
            _lock: lock,
        })
    }

    /// Opens a session with a name that no other test has.
    pub fn for_test() -> Result<Self> {
        Self::open(&format!(
            "t{}x{}",
            process::id(),
            TESTS.fetch_add(1, Ordering::Relaxed)
        ))
    }

    /// Keeps its files in memory, where the pace of a disk is not the matter. To be called before there are any.
    pub fn in_memory(self) -> Result<Self> {
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(kind, &self.directory, kind, flags, Some("mode=0755"))
            .with_context(|| format!("mounting a tmpfs on {}", self.directory.display()))?;
        Ok(self)
    }

    /// Where its files go; removed with it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name under /run/netns of its namespace `label`.
    pub fn namespace_name(&self, label: &str) -> String {
        format!("{}{label}", namespace_prefix(&self.name))
    }

    /// Makes the namespace `label` with loopback up.
    pub fn namespace(&self, label: &str) -> Result<Namespace> {
        let namespace = self.bare_namespace(label)?;
        namespace.ip(&["link set lo up"])?;
        Ok(namespace)
    }

    /// Makes the namespace `label` with loopback down, in a fraction of the time: for thousands of them.
    pub fn bare_namespace(&self, label: &str) -> Result<Namespace> {
        crate::interrupt::check()?;
        Namespace::create(&self.namespace_name(label))
    }

    /// Gives the namespace that the file `other` holds the name `label` in this session too.
    pub fn adopt(&self, label: &str, other: &Path) -> Result<Namespace> {
        crate::interrupt::check()?;
        Namespace::adopt(&self.namespace_name(label), other)
    }

    /// Leaves everything up when this process ends. The guards of what shall stay must be forgotten by their
    /// owner.
    pub fn keep(&mut self) -> Result<()> {
        let mark = self.directory.join(KEPT);
        File::create(&mark).with_context(|| format!("creating {}", mark.display()))?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = clear(&self.name).and_then(|()| remove_lock_file(&self.name)) {
            complain(&format!("removing session {}", self.name), &error);
        }
    }
}

/// Whether the session `name` was left up by [`Session::keep`].
pub fn is_kept(name: &str) -> bool {
    Path::new(ROOT).join(name).join(KEPT).exists()
}

/// Removes the session `name`, kept or dead. Returns whether there was anything; fails when it is in use.
pub fn remove(name: &str) -> Result<bool> {
    let there = Path::new(ROOT).join(name).exists()
        || !namespace::list(&namespace_prefix(name))?.is_empty();
    if !there {
        return Ok(false);
    }
    let Some(lock) = take_lock(name)? else {
        bail!(
            "session {name} is in use by a process that still runs; stop that one, it cleans up by itself"
        );
    };
    clear(name)?;
    remove_lock_file(name)?;
    drop(lock);
    Ok(true)
}

fn namespace_prefix(session: &str) -> String {
    format!("{PREFIX}{session}-")
}

fn lock_path(name: &str) -> PathBuf {
    Path::new(ROOT).join(format!("{name}.lock"))
}

/// Removes every session that is neither kept nor held by a live process.
fn remove_dead() -> Result<()> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(ROOT).with_context(|| format!("listing {ROOT}"))? {
        let file = entry
            .with_context(|| format!("listing {ROOT}"))?
            .file_name()
            .to_string_lossy()
            .into_owned();
        names.insert(file.strip_suffix(".lock").unwrap_or(&file).to_owned());
    }
    for namespace in namespace::list(PREFIX)? {
        if let Some((session, _label)) = namespace[PREFIX.len()..].split_once('-') {
            names.insert(session.to_owned());
        }
    }
    for name in names.into_iter().filter(|name| !is_kept(name)) {
        if let Some(lock) = take_lock(&name)? {
            clear(&name)?;
            remove_lock_file(&name)?;
            drop(lock);
        }
    }
    Ok(())
}

/// The session's lock, or nothing when a live process holds it.
fn take_lock(name: &str) -> Result<Option<Flock<File>>> {
    let path = lock_path(name);
    loop {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_file, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_file, errno)) => {
                return Err(errno).with_context(|| format!("locking {}", path.display()));
            }
        };
        // Its last owner may have removed the file between our open and our lock; then ours locks nothing.
        let ours = lock.metadata().context("reading the lock")?.ino();
        if fs::metadata(&path).is_ok_and(|file| file.ino() == ours) {
            return Ok(Some(lock));
        }
    }
}

fn remove_lock_file(name: &str) -> Result<()> {
    absent_is_fine(fs::remove_file(lock_path(name))).context("removing the lock file")
}

/// Removes all that belongs to `name`; goes on after a failure and reports all of them.
fn clear(name: &str) -> Result<()> {
    let directory = Path::new(ROOT).join(name);
    let namespaces = namespace::list(&namespace_prefix(name))?;
    let mut failures = Vec::new();
    failures.extend(kill_inside(&namespaces).err());
    failures.extend(unmount_below(&directory).err());
    for namespace in &namespaces {
        failures.extend(namespace::remove(namespace).err());
    }
    failures.extend(
        absent_is_fine(fs::remove_dir_all(&directory))
            .with_context(|| format!("removing {}", directory.display()))
            .err(),
    );
    if failures.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = failures
        .iter()
        .map(|failure| format!("{failure:#}"))
        .collect();
    bail!("{}", list.join("; "))
}

fn kill_inside(namespaces: &[String]) -> Result<()> {
    if namespaces.is_empty() {
        return Ok(());
    }
    let mut waited = Duration::ZERO;
    loop {
        let pids = namespace::processes_inside(namespaces)?;
        if pids.is_empty() {
            return Ok(());
        }
        ensure!(
            waited < REAPING,
            "processes {pids:?} are still there {} s after SIGKILL",
            REAPING.as_secs()
        );
        for pid in pids {
            // One that has just ended is as good as killed.
            if Path::new("/proc").join(pid.to_string()).exists() {
                drop(signal(pid, Signal::SIGKILL));
            }
        }
        thread::sleep(Duration::from_millis(20));
        waited += Duration::from_millis(20);
    }
}

fn unmount_below(directory: &Path) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo").context("reading the mount table")?;
    let points = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(Path::new);
    let ours: Vec<&Path> = points
        .filter(|point| point.starts_with(directory))
        .collect();
    // Later mounts may lie inside earlier ones.
    for point in ours.iter().rev() {
        umount2(*point, MntFlags::MNT_DETACH)
            .with_context(|| format!("unmounting {}", point.display()))?;
    }
    Ok(())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
