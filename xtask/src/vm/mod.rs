//! `cargo xtask vm`: a command under another kernel, in a virtual machine that sees this machine's
//! files. QEMU emulates the processor, so it works where there is no KVM.

mod archive;
mod cpio;
mod initramfs;
mod kernel;
mod qemu;
mod script;
mod tools;
mod version;
mod vmlinux;

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use self::{archive::Archive, kernel::Kernel, tools::Tools};
pub(crate) use self::{kernel::NEWEST, version::pieces as version_pieces};
use crate::workspace;

/// What `cargo xtask vm` is asked to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The kernel's version, of those Debian has: 5.10, 6.1, 6.12, 6.18, … or `newest`.
    #[arg(long, value_name = "VERSION")]
    kernel: String,

    /// Memory of the virtual machine, as QEMU writes sizes.
    #[arg(long, default_value = "2G")]
    memory: String,

    /// Processors of the virtual machine.
    #[arg(long, default_value_t = 2)]
    cpus: u32,

    /// Seconds after which the virtual machine is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,

    /// A directory in which the command's changes are kept. All other changes are lost.
    #[arg(long, value_name = "DIR")]
    share: Vec<PathBuf>,

    /// Look for a newer kernel and newer tools, even if there are some.
    #[arg(long)]
    update: bool,

    /// The command. It runs as root, in the current directory.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// A virtual machine and what runs in it.
#[derive(Debug)]
pub(crate) struct Guest {
    kernel: String,
    memory: String,
    cpus: u32,
    timeout: Duration,
    shares: Vec<PathBuf>,
    directory: PathBuf,
    command: Vec<OsString>,
    is_in_background: bool,
}

impl Guest {
    /// `command` under the kernel of this version, in the repository's top directory.
    pub(crate) fn new(kernel: &str, command: Vec<OsString>) -> Self {
        Self {
            kernel: kernel.to_owned(),
            memory: "2G".to_owned(),
            cpus: 2,
            timeout: Duration::from_mins(20),
            shares: Vec::new(),
            directory: workspace::root().to_owned(),
            command,
            is_in_background: false,
        }
    }

    /// The same, which takes what others leave of the processors, and whose output goes nowhere by itself.
    pub(crate) fn in_background(self) -> Self {
        Self {
            is_in_background: true,
            ..self
        }
    }

    /// The same, with a directory in which changes are kept.
    pub(crate) fn sharing(mut self, directory: PathBuf) -> Self {
        self.shares.push(directory);
        self
    }

    /// The same, run in another directory.
    pub(crate) fn in_directory(self, directory: PathBuf) -> Self {
        Self { directory, ..self }
    }
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let code = boot(&guest(options)?, &mut |_| {})?;
    Ok(ExitCode::from(code))
}

/// Boots `guest`, passes on what its command writes, gives each line of it to `on_line`, and
/// returns the command's exit code.
///
/// # Errors
///
/// When the machine cannot be put together or started, when it stops before the command ends, and
/// when its time is over.
pub(crate) fn boot(guest: &Guest, on_line: &mut dyn FnMut(&str)) -> Result<u8> {
    ensure!(
        env::consts::ARCH == "x86_64",
        "the virtual machines are x86_64 and run this machine's programs, which are {}",
        env::consts::ARCH
    );
    let (tools, kernel) = {
        let _lock = lock()?;
        let archive = Archive::default();
        let tools = Tools::ready(&archive)?;
        let kernel = Kernel::ready(&guest.kernel, &archive, &tools)?;
        (tools, kernel)
    };
    qemu::run(guest, &kernel, &tools, on_line)
}

fn guest(options: &Options) -> Result<Guest> {
    if options.update {
        let _lock = lock()?;
        Archive::default().forget()?;
        Tools::forget()?;
        Kernel::forget(&options.kernel)?;
    }
    let absolute = |path: &PathBuf| {
        path.canonicalize()
            .with_context(|| format!("find the directory {} to share", path.display()))
    };
    Ok(Guest {
        kernel: options.kernel.clone(),
        memory: options.memory.clone(),
        cpus: options.cpus,
        timeout: Duration::from_secs(options.timeout),
        shares: options.share.iter().map(absolute).collect::<Result<_>>()?,
        directory: env::current_dir().context("find the current directory")?,
        command: options.command.clone(),
        is_in_background: false,
    })
}

/// Where kernels and tools are kept.
fn directory() -> PathBuf {
    workspace::made("vm")
}

/// Keeps others from preparing the same files, until the result is dropped.
fn lock() -> Result<File> {
    let path = directory().join("lock");
    fs::create_dir_all(directory()).with_context(|| format!("make {}", directory().display()))?;
    let file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    file.lock()
        .with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// Removes a directory if it is there.
fn forget(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory).with_context(|| format!("remove {}", directory.display()))?;
    }
    Ok(())
}
