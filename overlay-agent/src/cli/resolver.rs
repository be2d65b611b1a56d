//! What containers read about whom to ask for names: of a command, and of a named namespace that is attached.
//!
//! `ip netns exec NAME` shows /etc/netns/NAME/resolv.conf as /etc/resolv.conf. The file is written only where
//! there is none, or ours, and taken away with the namespace's last endpoint.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::{
    api::{Client, types::EndpointInfo},
    dns::ResolvConf,
};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const NETNS_FILES: &str = "/etc/netns";
const NETNS: [&str; 2] = ["/run/netns", "/var/run/netns"];
/// The first line of a file of ours.
const MARK: &str =
    "# Written by overlay; removed when the last endpoint of this namespace is detached.\n";

/// Whom containers with these addresses can ask: by IPv4 if they have it, because one resolver asked in two
/// ways only fails twice. None where nobody answers.
pub(super) async fn servers(client: &Client, addresses: &[IpAddr]) -> Vec<IpAddr> {
    let status = client.status().await.ok();
    let names = status.and_then(|status| status.names).unwrap_or_default();
    let answering: Vec<IpAddr> = names.answering().collect();
    choose(&answering, addresses)
}

fn choose(answering: &[IpAddr], addresses: &[IpAddr]) -> Vec<IpAddr> {
    let of_family = |is_ipv4: bool| {
        let is_there = addresses.iter().any(|address| address.is_ipv4() == is_ipv4);
        let of_it = answering.iter().copied();
        let of_it: Vec<IpAddr> = of_it
            .filter(|server| is_there && server.is_ipv4() == is_ipv4)
            .collect();
        Some(of_it).filter(|servers| !servers.is_empty())
    };
    of_family(true)
        .or_else(|| of_family(false))
        .unwrap_or_default()
}

/// What a container's /etc/resolv.conf says where the host's says this.
pub(super) fn content(host: &str, servers: &[IpAddr]) -> String {
    ResolvConf::parse(host).for_container(servers)
}

/// Writes the file of an attached namespace, if it has a name; returns what a user should know.
pub(super) async fn write(client: &Client, endpoint: &EndpointInfo) -> Option<String> {
    let path = file(Path::new(NETNS_FILES), &endpoint.netns)?;
    let addresses: Vec<IpAddr> = endpoint.addresses().collect();
    let servers = servers(client, &addresses).await;
    if servers.is_empty() {
        return None;
    }
    let host = fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    match put(&path, &content(&host, &servers)) {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{} stays as it is; for names of the cluster it has to say `nameserver {}`",
            path.display(),
            servers[0]
        )),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// Takes the files of namespaces away that have no endpoint any more; returns what could not be done.
pub(super) async fn remove(client: &Client, gone: &[EndpointInfo]) -> Vec<String> {
    let files = gone.iter().filter_map(|endpoint| {
        let path = file(Path::new(NETNS_FILES), &endpoint.netns)?;
        Some((endpoint.namespace, path))
    });
    let files: Vec<_> = files.filter(|(_, path)| path.exists()).collect();
    if files.is_empty() {
        return Vec::new();
    }
    let Ok(left) = client.endpoints().await else {
        return Vec::new();
    };
    let unused = files
        .into_iter()
        .filter(|(namespace, _)| left.iter().all(|other| other.namespace != *namespace));
    unused
        .filter_map(|(_, path)| take(&path).err().map(|error| format!("{error:#}")))
        .collect()
}

/// Where the file of a named namespace is.
fn file(directory: &Path, netns: &Path) -> Option<PathBuf> {
    let name = netns.file_name()?;
    let is_named = NETNS
        .iter()
        .any(|named| netns.parent() == Some(Path::new(named)));
    is_named.then(|| directory.join(name).join("resolv.conf"))
}

/// Writes a file of ours; not over somebody else's.
fn put(path: &Path, content: &str) -> anyhow::Result<bool> {
    if !is_ours(path)? {
        return Ok(false);
    }
    if let Some(directory) = path.parent() {
        let made = fs::create_dir_all(directory);
        made.with_context(|| format!("make {}", directory.display()))?;
    }
    let written = fs::write(path, [MARK, content].concat());
    written.with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// Removes a file of ours, and its directory if nothing else is in it.
fn take(path: &Path) -> anyhow::Result<()> {
    if !path.exists() || !is_ours(path)? {
        return Ok(());
    }
    fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
    let Some(directory) = path.parent() else {
        return Ok(());
    };
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
            Err(error).with_context(|| format!("remove {}", directory.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether a file is not there or was written here.
fn is_ours(path: &Path) -> anyhow::Result<bool> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes.starts_with(MARK.as_bytes())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_container_asks_by_ipv4_if_it_has_it() {
        let answering = ips(&["169.254.53.53", "fd6f::53"]);

        assert_eq!(
            choose(&answering, &ips(&["10.1.0.2", "fd00::2"])),
            ips(&["169.254.53.53"])
        );
        assert_eq!(choose(&answering, &ips(&["fd00::2"])), ips(&["fd6f::53"]));
        assert_eq!(
            choose(&answering[1..], &ips(&["10.1.0.2", "fd00::2"])),
            ips(&["fd6f::53"])
        );
        assert_eq!(choose(&answering[..1], &ips(&["fd00::2"])), ips(&[]));
        assert_eq!(choose(&[], &ips(&["10.1.0.2"])), ips(&[]));
    }

    #[test]
    fn only_a_named_namespace_has_a_file() {
        let file = |netns: &str| file(Path::new("/etc/netns"), Path::new(netns));

        let expected = Some(PathBuf::from("/etc/netns/box/resolv.conf"));
        assert_eq!(file("/run/netns/box"), expected);
        assert_eq!(file("/var/run/netns/box"), expected);
        assert_eq!(file("/proc/7/ns/net"), None);
        assert_eq!(file("/run/netns/deep/box"), None);
        assert_eq!(file("/run/netns/.."), None);
    }

    #[test]
    fn nothing_is_left_of_our_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("box/resolv.conf");

        assert!(put(&path, "nameserver 169.254.53.53\n").unwrap());
        assert!(put(&path, "nameserver fd6f::53\n").unwrap());
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .ends_with("nameserver fd6f::53\n")
        );
        take(&path).unwrap();

        assert!(!path.parent().unwrap().exists());
        take(&path).unwrap();
    }

    #[test]
    fn somebody_elses_file_and_directory_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("box/resolv.conf");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "nameserver 192.0.2.53\n").unwrap();

        assert!(!put(&path, "nameserver 169.254.53.53\n").unwrap());
        take(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "nameserver 192.0.2.53\n"
        );

        fs::rename(&path, path.with_file_name("hosts")).unwrap();
        assert!(put(&path, "nameserver 169.254.53.53\n").unwrap());
        take(&path).unwrap();
        assert!(path.with_file_name("hosts").exists());
    }
}
