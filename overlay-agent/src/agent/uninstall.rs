//! Taking away everything that an agent of these directories ever made. Works without one, refuses
//! while one runs, and finds nothing the second time.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Error,
    claim::{Claim, DATA_LOCK, RUN_LOCK},
    plumbing::{KernelPlumbing, TUNNEL_NAME, TunnelError},
    store::Store,
    swarm::{Disk, remove_xfrm},
    traffic::KernelTraffic,
};
use crate::{api::socket_path, control::Plumbing as _, datapath};

/// Takes it all away, in the calling thread's network namespace, and returns what there was. Programs
/// go first, so that no packet meets half of them.
pub fn uninstall(data_dir: &Path, run_dir: &Path) -> Result<Vec<String>, Error> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let claims = (claim(run_dir, RUN_LOCK)?, claim(data_dir, DATA_LOCK)?);
    // The port does not matter: nothing is made.
    let mut plumbing = KernelPlumbing::open(0, run_dir)?;
    let is_ours = match plumbing.has_tunnel() {
        Ok(_) => true,
        Err(TunnelError::OtherAgent { .. } | TunnelError::Foreign) => false,
        Err(error) => return Err(error.into()),
    };
    let mut gone = Vec::new();
    let filters = if is_ours {
        datapath::remove_filters(run_dir, &mut *KernelTraffic::open()?)?
    } else {
        0
    };
    if filters > 0 {
        gone.push(format!("{filters} filters"));
    }
    let pins = datapath::remove_pins(run_dir)?;
    if pins > 0 {
        gone.push(format!("{pins} pinned programs, maps and links"));
    }
    if is_ours {
        gone.extend(remove_devices(&mut plumbing)?);
    }
    // One agent has a namespace to itself, so with its device it is ours as well.
    let encrypting = if is_ours { remove_xfrm()? } else { 0 };
    if encrypting > 0 {
        gone.push(format!("{encrypting} xfrm states and policies"));
    }
    Disk::new(data_dir)
        .destroy()
        .map_err(super::MemberError::from)?;
    let endpoints = Store::destroy(data_dir)?;
    gone.extend(endpoints.into_iter().map(|name| format!("endpoint {name}")));

    drop(claims);
    remove_file(&socket_path(run_dir))?;
    remove_file(&run_dir.join(RUN_LOCK))?;
    remove_file(&data_dir.join(DATA_LOCK))?;
    remove_if_empty(run_dir)?;
    remove_if_empty(data_dir)?;
    Ok(gone)
}

/// Names of what was removed.
fn remove_devices(plumbing: &mut KernelPlumbing) -> Result<Vec<String>, Error> {
    let mut gone = Vec::new();
    for end in plumbing.host_ends()? {
        plumbing.remove(&end.name, end.ifindex)?;
        gone.push(format!("interface {}", end.name));
    }
    gone.extend(plumbing.remove_gateway()?);
    if plumbing.remove_tunnel()? {
        gone.push(format!("interface {TUNNEL_NAME}"));
    }
    Ok(gone)
}

/// Nobody can be using a directory that is not there.
fn claim(directory: &Path, lock: &str) -> Result<Option<Claim>, Error> {
    if !directory.exists() {
        return Ok(None);
    }
    Claim::take(directory, lock).map(Some)
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(failed("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// What somebody else keeps there is not ours to remove.
fn remove_if_empty(path: &Path) -> Result<(), Error> {
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty && !is_absent(&error) => {
            Err(failed("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_absent(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path: PathBuf = path.to_owned();
    move |source| Error::Directory {
        operation,
        path,
        source,
    }
}
