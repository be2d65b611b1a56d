//! Programs at the root of the cgroups, where they see the sockets of every process of the kernel. Each
//! acts only on the namespaces of its own agent, so those of several agents hang side by side.

use std::{
    fs::{self, File},
    io, panic,
    path::{Path, PathBuf},
    thread,
};

use aya::programs::{
    CgroupAttachMode, CgroupSockAddr, ProgramError,
    cgroup_sock_addr::{CgroupSockAddrLink, CgroupSockAddrLinkId},
    links::{FdLink, LinkError, PinnedLink},
};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs},
};

use crate::datapath::{Error, pins::file};

const TYPE: &str = "cgroup2";
const MOUNTS: &str = "/proc/self/mountinfo";
const DESCRIPTORS: &str = "/proc/thread-self/fdinfo";

/// Where the hierarchy is mounted for a moment, in a mount namespace that ends with it: a directory that
/// every host has.
const MOMENTARY: &str = "/proc";

/// The root of the cgroup2 hierarchy. Where nobody mounted it, it is mounted for a moment out of everybody's
/// sight: programs stay attached without a mount, so nothing has to be taken away in the end.
pub(in crate::datapath) fn root() -> Result<File, Error> {
    let mounts = fs::read_to_string(MOUNTS).map_err(file("read", Path::new(MOUNTS)))?;
    let hierarchies: Vec<Hierarchy> = mounts.lines().filter_map(Hierarchy::parse).collect();
    // Something else may be mounted over it.
    let seen = hierarchies.iter().find_map(|hierarchy| {
        let root = File::open(&hierarchy.at).ok()?;
        is_cgroup2(&root).then_some(root)
    });
    if let Some(root) = seen {
        return Ok(root);
    }
    // A mount without options would switch off those that the hierarchy has, for all of its mounts.
    let options = hierarchies.first().map(|hierarchy| &*hierarchy.options);
    let mounted = thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("cgroup".to_owned())
            .spawn_scoped(scope, || mount_for_a_moment(options))?;
        thread
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    });
    mounted.map_err(file("mount the cgroup2 hierarchy on", Path::new(MOMENTARY)))
}

/// Attaches a program and keeps it attached by a pin. One that is pinned already is let go after the new one
/// is in place: a socket that both see is led once, since a task's address is no service's.
pub(in crate::datapath) fn attach(
    program: &mut CgroupSockAddr,
    name: &'static str,
    pin: &Path,
) -> Result<(), Error> {
    let program_id = program.info().map_err(failed("look at", name))?.id();
    if is_attached(pin, program_id)? {
        return Ok(());
    }
    // Links are never alone at their cgroup, so this mode forbids nobody anything.
    let attached = program.attach(root()?, CgroupAttachMode::Single);
    let link = attached
        .and_then(|id| take(program, id))
        .map_err(failed("attach", name))?;
    // A bpffs takes no name with a dot, and links are found by names that end with a number.
    let mut name = pin.file_name().unwrap_or_default().to_owned();
    name.push("-new");
    let beside = pin.with_file_name(name);
    detach(&beside)?;
    link.pin(&beside).map(drop).map_err(|source| Error::Pin {
        path: beside.clone(),
        source,
    })?;
    fs::rename(&beside, pin).map_err(file("put in place", pin))
}

/// Detaches by removing the pin; that there is none is no error.
pub(in crate::datapath) fn detach(pin: &Path) -> Result<(), Error> {
    super::tcx::detach(pin)
}

/// Whether the pinned link is attached and has the program with this number.
pub(in crate::datapath) fn is_attached(pin: &Path, program_id: u32) -> Result<bool, Error> {
    if !pin.exists() {
        return Ok(false);
    }
    let failed = |source| Error::Link {
        operation: "open",
        path: pin.to_owned(),
        source,
    };
    let link = FdLink::from(PinnedLink::from_pin(pin).map_err(failed)?);
    let info = link.info().map_err(failed)?;
    Ok(info.program_id() == program_id && has_cgroup(info.id()))
}

/// Whether an open link has its cgroup: what somebody detached keeps its pin and its program, and loses that.
/// The kernel tells it where it describes the process's descriptors, and in no other way that aya knows.
fn has_cgroup(link_id: u32) -> bool {
    let Ok(descriptors) = fs::read_dir(DESCRIPTORS) else {
        return true;
    };
    let mut texts = descriptors
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let described = texts.find(|text| field(text, "link_id:") == Some(u64::from(link_id)));
    described.is_none_or(|text| field(&text, "cgroup_id:") != Some(0))
}

fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().parse().ok()
}

/// Takes the link out of aya's hands, which would detach it in the end.
fn take(program: &mut CgroupSockAddr, id: CgroupSockAddrLinkId) -> Result<FdLink, ProgramError> {
    let link: CgroupSockAddrLink = program.take_link(id)?;
    FdLink::try_from(link).map_err(|_not_a_link: LinkError| ProgramError::NotAttached)
}

fn failed(operation: &'static str, program: &'static str) -> impl FnOnce(ProgramError) -> Error {
    move |source| Error::Program {
        operation,
        program,
        source,
    }
}

fn mount_for_a_moment(options: Option<&str>) -> io::Result<File> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let nothing: Option<&str> = None;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    // Before the mount: it would be seen by all otherwise.
    mount(nothing, "/", nothing, flags, nothing)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(TYPE), MOMENTARY, Some(TYPE), flags, options)?;
    File::open(MOMENTARY)
}

fn is_cgroup2(root: &File) -> bool {
    fstatfs(root).is_ok_and(|filesystem| filesystem.filesystem_type() == CGROUP2_SUPER_MAGIC)
}

/// A mount of the whole hierarchy.
#[derive(Debug, Eq, PartialEq)]
struct Hierarchy {
    at: PathBuf,
    options: String,
}

impl Hierarchy {
    /// A line reads `id parent device root mount-point options [optional…] - type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut filesystem = filesystem.split(' ');
        let mut mount = mount.split(' ').skip(3);
        let (root, at) = (mount.next()?, mount.next()?);
        if filesystem.next()? != TYPE || root != "/" {
            return None;
        }
        let options = filesystem.nth(1)?.split(',');
        let own = options.filter(|option| !matches!(*option, "rw" | "ro"));
        Some(Self {
            at: at.into(),
            options: own.collect::<Vec<_>>().join(","),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_the_whole_hierarchy_are_found() {
        let systemd = "34 25 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
        let plain = "70 25 0:29 / /run/cgroup rw - cgroup2 none rw";

        assert_eq!(
            Hierarchy::parse(systemd),
            Some(Hierarchy {
                at: "/sys/fs/cgroup".into(),
                options: "nsdelegate,memory_recursiveprot".to_owned(),
            })
        );
        assert_eq!(
            Hierarchy::parse(plain).map(|found| found.options),
            Some(String::new())
        );
    }

    #[test]
    fn other_mounts_and_parts_of_the_hierarchy_are_not() {
        let part = "34 25 0:29 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup2 rw";
        let first_version = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";

        for line in [part, first_version, "", "34 25"] {
            assert_eq!(Hierarchy::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_root_is_the_hierarchys_and_no_mount_is_left() {
        let before = fs::read_to_string(MOUNTS).unwrap();

        let root = root().unwrap();

        assert!(is_cgroup2(&root));
        assert_eq!(fs::read_to_string(MOUNTS).unwrap(), before);
    }
}
