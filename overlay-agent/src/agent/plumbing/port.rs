//! Who has a port.

use std::{fmt, fs, path::PathBuf};

use crate::{
    model::Protocol,
    netlink::{Error, Socket},
};

/// The state of what is left of an ended TCP connection, which is no socket any more.
const TIME_WAIT: &str = "06";

/// Somebody with a port of this namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PortHolder {
    /// A vxlan device.
    Device {
        /// Its name.
        name: String,
    },
    /// A socket.
    Process {
        /// The process, where it can be seen.
        process: Option<(u32, String)>,
    },
}

impl fmt::Display for PortHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { name } => write!(f, "the vxlan device {name}"),
            Self::Process {
                process: Some((pid, name)),
            } => write!(f, "process {pid} ({name})"),
            Self::Process { process: None } => {
                f.write_str("a socket of the kernel or of a process that cannot be seen from here")
            }
        }
    }
}

/// Finds the vxlan device, except one, or else the process with the port.
pub(super) fn holder(
    socket: &mut Socket,
    port: u16,
    except: &str,
) -> Result<Option<PortHolder>, Error> {
    let links = socket.links()?;
    let has_port = |settings: &crate::netlink::VxlanSettings| settings.port == port;
    let device = links
        .into_iter()
        .filter(|link| link.name != except && link.is_up())
        .find(|link| link.vxlan.as_ref().is_some_and(has_port));
    if let Some(device) = device {
        return Ok(Some(PortHolder::Device { name: device.name }));
    }
    // A socket of the kernel, such as our own device's, has no inode.
    let inodes: Vec<u64> = ["udp", "udp6"]
        .iter()
        .flat_map(|file| sockets(file, port))
        .collect();
    let users: Vec<u64> = inodes.iter().copied().filter(|inode| *inode != 0).collect();
    if users.is_empty() {
        return Ok(None);
    }
    Ok(Some(PortHolder::Process {
        process: process_with(&users),
    }))
}

/// Finds who has a port of a protocol at any address; nobody where only ended connections are left.
pub(super) fn socket_holder(protocol: Protocol, port: u16) -> Option<PortHolder> {
    let files: &[&str] = match protocol {
        Protocol::Tcp => &["tcp", "tcp6"],
        Protocol::Udp => &["udp", "udp6"],
        // Its table is of another form.
        Protocol::Sctp => return Some(PortHolder::Process { process: None }),
    };
    let mut users: Vec<u64> = files.iter().flat_map(|file| sockets(file, port)).collect();
    if users.is_empty() {
        return None;
    }
    users.retain(|inode| *inode != 0);
    Some(PortHolder::Process {
        process: process_with(&users),
    })
}

/// Inodes of the sockets bound to a port in the calling thread's namespace.
fn sockets(file: &str, port: u16) -> Vec<u64> {
    let table = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    table
        .lines()
        .skip(1)
        .filter_map(|line| socket_on(line, port))
        .collect()
}

/// A line reads `sl local_address rem_address st queues timer retransmits uid timeout inode …`.
fn socket_on(line: &str, port: u16) -> Option<u64> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    if u16::from_str_radix(local_port, 16).ok()? != port {
        return None;
    }
    if *fields.get(3)? == TIME_WAIT {
        return None;
    }
    fields.get(9)?.parse().ok()
}

fn process_with(inodes: &[u64]) -> Option<(u32, String)> {
    let targets: Vec<PathBuf> = inodes
        .iter()
        .map(|inode| PathBuf::from(format!("socket:[{inode}]")))
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let mut links = descriptors
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok());
        if links.any(|link| targets.contains(&link)) {
            let command = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, command.trim_end().to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_socket_table_is_read() {
        let line = "  312: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000     \
                    0        0 23456 2 0000000000000000 0";

        assert_eq!(socket_on(line, 4789), Some(23_456));
        assert_eq!(socket_on(line, 4790), None);
        assert_eq!(socket_on("", 4789), None);
    }

    #[test]
    fn an_own_socket_is_found_with_its_process() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();

        let inodes = sockets("udp", port);

        let (pid, _) = process_with(&inodes).unwrap();
        assert_eq!(pid, std::process::id());
    }
}
