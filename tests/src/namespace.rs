//! Network namespaces by name, as `ip netns` keeps them under /run/netns.
//!
//! Commands enter through `nsenter --net`, never through `ip netns exec`: that one makes a mount namespace of its
//! own in which no bpffs is visible.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use crate::process::{self, complain};

/// Where named namespaces live.
pub const DIRECTORY: &str = "/run/netns";

/// A network namespace that is removed when the last clone of this guard goes.
#[derive(Clone, Debug)]
pub struct Namespace {
    guard: Arc<Guard>,
    /// The only processor that commands may use.
    processor: Option<usize>,
}

#[derive(Debug)]
struct Guard {
    name: String,
    path: PathBuf,
}

impl Namespace {
    fn new(guard: Guard) -> Self {
        Self {
            guard: Arc::new(guard),
            processor: None,
        }
    }

    /// The same namespace, whose commands run on one processor only.
    #[must_use]
    pub fn on_processor(&self, number: usize) -> Self {
        Self {
            guard: Arc::clone(&self.guard),
            processor: Some(number),
        }
    }

    /// Makes `/run/netns/<name>`, a new namespace whose loopback is still down.
    pub fn create(name: &str) -> Result<Self> {
        share_directory().with_context(|| format!("preparing {DIRECTORY}"))?;
        let guard = Guard::new(name)?;
        bind_new_namespace(&guard.path).with_context(|| format!("creating namespace {name}"))?;
        Ok(Self::new(guard))
    }

    /// Makes `/run/netns/<name>` a second name of the namespace that the file `other` holds; `other` may lie in
    /// another mount namespace, seen through `/proc/<pid>/root`.
    pub fn adopt(name: &str, other: &Path) -> Result<Self> {
        share_directory().with_context(|| format!("preparing {DIRECTORY}"))?;
        let guard = Guard::new(name)?;
        mount(
            Some(other),
            &guard.path,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .with_context(|| format!("binding {} to {}", other.display(), guard.path.display()))?;
        Ok(Self::new(guard))
    }

    /// Its name under /run/netns.
    pub fn name(&self) -> &str {
        &self.guard.name
    }

    /// The file that holds it open.
    pub fn path(&self) -> &Path {
        &self.guard.path
    }

    /// A command that will run `program` inside.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--");
        if let Some(number) = self.processor {
            command.args(["taskset", "--cpu-list", &number.to_string()]);
        }
        command.arg(program);
        command
    }

    /// Runs `program` with `arguments` inside and returns its standard output; failure is an error.
    pub fn exec(&self, program: &str, arguments: &[&str]) -> Result<String> {
        process::run(self.command(program).args(arguments))
    }

    /// Runs lines of `ip` commands (without the word `ip`) inside, as one batch that stops at the first failure.
    pub fn ip(&self, lines: &[impl AsRef<str>]) -> Result<String> {
        self.batch("ip", lines)
    }

    /// Runs lines of `bridge` commands (without the word `bridge`) inside, stopping at the first failure.
    pub fn bridge(&self, lines: &[impl AsRef<str>]) -> Result<String> {
        self.batch("bridge", lines)
    }

    /// Writes `value` to the sysctl `key` (dots or slashes) inside.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        self.run(|| fs::write(&path, value))?
            .with_context(|| format!("setting {key} to {value} in {}", self.name()))
    }

    /// Calls `action` on a thread of its own that is inside this namespace. Sockets opened there stay inside.
    pub fn run<T: Send>(&self, action: impl FnOnce() -> T + Send) -> Result<T> {
        let file = File::open(self.path())
            .with_context(|| format!("opening namespace {}", self.name()))?;
        thread::scope(|scope| {
            let inside = scope.spawn(|| setns(&file, CloneFlags::CLONE_NEWNET).map(|()| action()));
            match inside.join() {
                Ok(result) => result.with_context(|| format!("entering namespace {}", self.name())),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Keeps the namespace when the guards go; [`remove`] or the session's teardown then has to take it away.
    pub fn leave(self) {
        std::mem::forget(self);
    }

    fn batch(&self, program: &str, lines: &[impl AsRef<str>]) -> Result<String> {
        let script = lines
            .iter()
            .fold(String::new(), |script, line| script + line.as_ref() + "\n");
        process::feed(self.command(program).args(["-batch", "-"]), &script)
            .with_context(|| format!("configuring {} with:\n{script}", self.name()))
    }
}

impl Guard {
    /// Makes the file that a namespace will be mounted on.
    fn new(name: &str) -> Result<Self> {
        let path = Path::new(DIRECTORY).join(name);
        let anchor = File::create_new(&path).with_context(|| {
            format!(
                "creating namespace {name}: {} must not exist yet",
                path.display()
            )
        })?;
        drop(anchor);
        Ok(Self {
            name: name.to_owned(),
            path,
        })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.name) {
            complain(&format!("removing namespace {}", self.name), &error);
        }
    }
}

/// Removes `/run/netns/<name>`; it is no error if that is gone already.
pub fn remove(name: &str) -> Result<()> {
    remove_files(name)?;
    let path = Path::new(DIRECTORY).join(name);
    match umount2(&path, MntFlags::MNT_DETACH) {
        // EINVAL: the file is there but nothing is mounted, as after a kill between the two steps of creation.
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
        Err(errno) => return Err(errno).with_context(|| format!("unmounting {}", path.display())),
    }
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("removing {}", path.display())),
    }
}

/// Removes what `overlay attach` left for programs that `ip netns exec` would run.
fn remove_files(name: &str) -> Result<()> {
    let directory = Path::new("/etc/netns").join(name);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Names under /run/netns that begin with `prefix`, sorted.
pub fn list(prefix: &str) -> Result<Vec<String>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("listing {DIRECTORY}")),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .with_context(|| format!("listing {DIRECTORY}"))?
            .file_name()
            .to_string_lossy()
            .into_owned();
        if name.starts_with(prefix) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Ids of the processes whose network namespace is one of `names`.
pub fn processes_inside(names: &[String]) -> Result<Vec<u32>> {
    use std::os::unix::fs::MetadataExt;

    let wanted: std::collections::BTreeSet<(u64, u64)> = names
        .iter()
        .filter_map(|name| fs::metadata(Path::new(DIRECTORY).join(name)).ok())
        .map(|file| (file.dev(), file.ino()))
        .collect();
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").context("listing processes")? {
        let entry = entry.context("listing processes")?;
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        // A process may end between the listing and this look.
        let Ok(namespace) = fs::metadata(entry.path().join("ns/net")) else {
            continue;
        };
        if wanted.contains(&(namespace.dev(), namespace.ino())) {
            pids.push(pid);
        }
    }
    Ok(pids)
}

fn bind_new_namespace(path: &Path) -> Result<()> {
    let made = thread::scope(|scope| {
        let maker = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            mount(
                Some("/proc/thread-self/ns/net"),
                path,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
        });
        maker.join()
    });
    match made {
        Ok(result) => {
            result.with_context(|| format!("mounting it on {} (root is needed)", path.display()))
        }
        Err(_panic) => bail!("BUG: the thread that makes a namespace panicked"),
    }
}

/// Makes /run/netns a shared mount as `ip netns add` does, so that a namespace removed here also goes from the
/// mount namespaces that others made meanwhile.
fn share_directory() -> Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    let directory = Some(DIRECTORY);
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    match mount(None::<&str>, DIRECTORY, None::<&str>, shared, None::<&str>) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL) => {
            mount(
                directory,
                DIRECTORY,
                None::<&str>,
                MsFlags::MS_BIND | MsFlags::MS_REC,
                None::<&str>,
            )?;
            Ok(mount(
                None::<&str>,
                DIRECTORY,
                None::<&str>,
                shared,
                None::<&str>,
            )?)
        }
        Err(errno) => Err(errno.into()),
    }
}
