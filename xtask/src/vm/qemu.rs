//! A running virtual machine.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};

use super::{Guest, directory, kernel::Kernel, script, tools::Tools};

/// The kernel's log goes to the first serial port; nothing may slow its start.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 mitigations=off nokaslr \
                                no_timer_check tsc=reliable cryptomgr.notests";

/// What the names of directories for guests begin with; the id of the process that made it follows.
const PREFIX: &str = "guest-";

/// How much of the kernel's log an error shows.
const LOG_LINES: usize = 30;

/// Boots `guest`, passes its command's output on to ours and to `on_line`, and returns the
/// command's exit code.
pub(super) fn run(
    guest: &Guest,
    kernel: &Kernel,
    tools: &Tools,
    on_line: &mut dyn FnMut(&str),
) -> Result<u8> {
    let exchange = Exchange::new(guest)?;
    let mut child = command(guest, kernel, tools, &exchange)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start QEMU")?;
    let output = child.stdout.take().context("QEMU's output has no pipe")?;
    let (sender, chunks) = mpsc::sync_channel(16);
    let reader = thread::spawn(move || read(output, &sender));

    let mut output = |chunk: &[u8]| {
        if guest.is_in_background {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(chunk).and_then(|()| stdout.flush())
    };
    let end = Instant::now() + guest.timeout;
    let passed_on = pass_on(&chunks, end, &mut output, on_line);
    if !matches!(passed_on, Ok(true)) {
        child.kill().context("stop QEMU")?;
    }
    let status = child.wait().context("wait for QEMU")?;
    drop(chunks);
    if reader.join().is_err() {
        bail!("BUG: reading QEMU's output panicked");
    }
    if !passed_on? {
        let seconds = guest.timeout.as_secs();
        bail!(
            "the command was not done in {seconds} s; {}",
            exchange.log()
        );
    }
    let Some(code) = exchange.code()? else {
        bail!(
            "the virtual machine ended before its command did (QEMU: {status}); {}",
            exchange.log()
        );
    };
    exchange.remove()?;
    Ok(code)
}

/// A directory in which we and the guest exchange files. It stays behind when something fails.
struct Exchange(PathBuf);

impl Exchange {
    fn new(guest: &Guest) -> Result<Self> {
        Self::sweep()?;
        let path = directory().join(format!("{PREFIX}{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        let script = path.join("script");
        fs::write(&script, script::script(guest))
            .with_context(|| format!("write {}", script.display()))?;
        Ok(Self(path))
    }

    /// Removes what machines have left that ended badly.
    fn sweep() -> Result<()> {
        let home = directory();
        let entries = fs::read_dir(&home).with_context(|| format!("list {}", home.display()))?;
        for entry in entries {
            let path = entry
                .with_context(|| format!("list {}", home.display()))?
                .path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let owner = name.strip_prefix(PREFIX);
            if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
                super::forget(&path)?;
            }
        }
        Ok(())
    }

    fn console(&self) -> PathBuf {
        self.0.join("console")
    }

    /// The exit code of the command, if it came to its end.
    fn code(&self) -> Result<Option<u8>> {
        let path = self.0.join("status");
        if !path.exists() {
            return Ok(None);
        }
        let status =
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let code = status.trim().parse();
        code.map(Some)
            .with_context(|| format!("read the exit code in {}", path.display()))
    }

    /// Where the kernel's log is, and its end.
    fn log(&self) -> String {
        // Without a log there is nothing to add.
        let log = fs::read(self.console()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
        let end = &lines[lines.len().saturating_sub(LOG_LINES)..];
        format!(
            "its kernel's log is in {} and ends with:\n{}",
            self.console().display(),
            end.join("\n")
        )
    }

    fn remove(self) -> Result<()> {
        super::forget(&self.0)
    }
}

fn command(guest: &Guest, kernel: &Kernel, tools: &Tools, exchange: &Exchange) -> Command {
    let niceness = if guest.is_in_background { "10" } else { "0" };
    let mut command = Command::new("nice");
    command.args(["-n", niceness, "--"]);
    // Whatever ends this program ends the machine too.
    command
        .arg("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(tools.path("qemu-system-x86_64"))
        .env("LD_LIBRARY_PATH", tools.libraries());
    for firmware in [tools.root(), Path::new("/")] {
        for folder in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(firmware.join(folder));
        }
    }
    command
        .args(["-nodefaults", "-no-reboot", "-display", "none"])
        .args(["-machine", "pc", "-accel", "tcg,thread=multi,tb-size=512"])
        .args(["-cpu", "max,-la57", "-smp", &guest.cpus.to_string()])
        .args(["-m", &guest.memory])
        .arg("-kernel")
        .arg(kernel.vmlinux())
        .arg("-initrd")
        .arg(kernel.initramfs())
        .args(["-append", KERNEL_ARGUMENTS])
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4"])
        .arg("-chardev")
        .arg(value("file,id=console,path=", &exchange.console(), ""))
        .args(["-serial", "chardev:console"])
        .args(["-chardev", "stdio,id=output,signal=on"])
        .args(["-serial", "chardev:output"]);
    add_share(&mut command, "host", Path::new("/"), Access::Read);
    add_share(&mut command, "kernel", &kernel.root(), Access::Read);
    add_share(&mut command, "tools", tools.root(), Access::Read);
    add_share(&mut command, "guest", &exchange.0, Access::Write);
    for (number, share) in guest.shares.iter().enumerate() {
        add_share(&mut command, &script::tag(number), share, Access::Write);
    }
    command
}

#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

fn add_share(command: &mut Command, tag: &str, directory: &Path, access: Access) {
    let readonly = match access {
        Access::Read => ",readonly=on",
        Access::Write => "",
    };
    let options = format!(",security_model=none,multidevs=remap{readonly}");
    command
        .arg("-fsdev")
        .arg(value(&format!("local,id={tag},path="), directory, &options))
        .arg("-device")
        .arg(format!("virtio-9p-pci,fsdev={tag},mount_tag={tag}"));
}

/// A value of QEMU's with a path in it. A comma in the path is doubled.
fn value(before: &str, path: &Path, after: &str) -> OsString {
    let mut value = OsString::from(before);
    let mut parts = path.as_os_str().to_string_lossy().into_owned();
    parts = parts.replace(',', ",,");
    value.push(parts);
    value.push(after);
    value
}

fn read(mut output: ChildStdout, chunks: &SyncSender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    // The end of the output and that of the machine are the same to the other side.
    while let Ok(length @ 1..) = output.read(&mut buffer) {
        if chunks.send(buffer[..length].to_vec()).is_err() {
            return;
        }
    }
}

/// Passes the output on and returns whether it ended in time.
fn pass_on(
    chunks: &Receiver<Vec<u8>>,
    deadline: Instant,
    output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    on_line: &mut dyn FnMut(&str),
) -> Result<bool> {
    let mut line = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let chunk = match chunks.recv_timeout(left) {
            Ok(chunk) => chunk,
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        output(&chunk).context("write the command's output")?;
        for byte in chunk {
            if byte == b'\n' {
                on_line(&String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
    }
    if !line.is_empty() {
        on_line(&String::from_utf8_lossy(&line));
    }
    Ok(true)
}
