//! IPv6 settings of one interface.

use std::{fs, path::Path};

use crate::netlink::Error;

const SYSCTLS: &str = "/proc/sys/net/ipv6/conf";

/// Writes a setting in the calling thread's namespace. A kernel without IPv6 has none to write.
pub(super) fn set_ipv6(interface: &str, key: &str, value: &str) -> Result<(), Error> {
    let directory = Path::new(SYSCTLS).join(interface);
    if !directory.exists() {
        return Ok(());
    }
    fs::write(directory.join(key), value).map_err(|source| Error::Refused {
        operation: "write",
        object: format!("sysctl net/ipv6/conf/{interface}/{key}"),
        remark: None,
        source,
    })
}

/// Whether this kernel has IPv6.
pub(super) fn has_ipv6() -> bool {
    Path::new(SYSCTLS).exists()
}
