//! The command's own /etc/hosts and /etc/resolv.conf, in a mount namespace of its own; the host's
//! files stay as they are.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    unistd::gettid,
};

use crate::cli::resolver;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Gives this thread its own files; `lines` come first in /etc/hosts, and `servers`, if there are any, answer
/// instead of the host's resolvers. Returns what a user should know.
///
/// Both files are written below `run_dir` and have no name any more when this returns.
pub(super) fn shadow(
    run_dir: &Path,
    lines: &str,
    servers: &[IpAddr],
) -> anyhow::Result<Vec<String>> {
    unshare(CloneFlags::CLONE_NEWNS).context("make a mount namespace")?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .context("keep mounts from spreading to the host")?;
    let mut notes = Vec::new();
    for target in [HOSTS, RESOLV_CONF] {
        match fs::read(target) {
            Ok(original) => {
                let content = if target == HOSTS {
                    [lines.as_bytes(), &original].concat()
                } else if servers.is_empty() {
                    original
                } else {
                    resolver::content(&String::from_utf8_lossy(&original), servers).into_bytes()
                };
                replace(run_dir, target, &content)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                notes.push(format!(
                    "{target} is not there, so the command has none either"
                ));
            }
            Err(error) => return Err(error).with_context(|| format!("read {target}")),
        }
    }
    Ok(notes)
}

fn replace(run_dir: &Path, target: &str, content: &[u8]) -> anyhow::Result<()> {
    let file_name = target.rsplit('/').next().unwrap_or(target);
    let path = run_dir.join(format!("run-{}-{file_name}", gettid()));
    let mounted = write(&path, content)
        .with_context(|| format!("write {}", path.display()))
        .and_then(|()| {
            mount(
                Some(&path),
                target,
                None::<&str>,
                MsFlags::MS_BIND,
                None::<&str>,
            )
            .with_context(|| format!("mount {} on {target}", path.display()))
        });
    // The mount keeps the file alive.
    let removed = fs::remove_file(&path).with_context(|| format!("remove {}", path.display()));
    mounted.and(removed)
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)?;
    file.write_all(content)
}
