//! Network sysctls of a namespace.
//!
//! A key is a path below `/proc/sys/net`, such as `ipv6/conf/eth0/disable_ipv6`: with slashes, because
//! names of interfaces may have dots. The kernel shows each thread the values of the namespace that
//! the thread is in when it opens the file, so both functions work on a thread inside.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{Error, Namespace, error::Failure};

const ROOT: &str = "/proc/sys/net";

/// Reads a value, without the line end.
pub fn read(namespace: &Namespace, key: &str) -> Result<String, Error> {
    let path = path(key)?;
    namespace
        .run(|| fs::read_to_string(path))?
        .map(|value| value.trim_end().to_owned())
        .map_err(|error| failed(error, "read", key, namespace))
}

/// Writes a value.
pub fn write(namespace: &Namespace, key: &str, value: &str) -> Result<(), Error> {
    let path = path(key)?;
    namespace
        .run(|| fs::write(path, value))?
        .map_err(|error| failed(error, "write", key, namespace))
}

fn failed(error: io::Error, operation: &'static str, key: &str, namespace: &Namespace) -> Error {
    let object = format!("sysctl net/{key} in {}", namespace.name());
    Failure::from(error).during(operation, object)
}

fn path(key: &str) -> Result<PathBuf, Error> {
    let relative = Path::new(key);
    let is_plain = |component| matches!(component, Component::Normal(_));
    if key.is_empty() || !relative.components().all(is_plain) {
        return Err(Error::InvalidSysctl {
            key: key.to_owned(),
        });
    }
    Ok(Path::new(ROOT).join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::testing::{namespace, pair};

    const PORT_RANGE: &str = "ipv4/ip_local_port_range";

    #[test]
    fn each_namespace_has_its_own_value() {
        let (one, _) = namespace();
        let (other, _) = namespace();

        write(&one, PORT_RANGE, "20000 30000").unwrap();
        write(&other, PORT_RANGE, "40000 50000").unwrap();

        assert_eq!(read(&one, PORT_RANGE).unwrap(), "20000\t30000");
        assert_eq!(read(&other, PORT_RANGE).unwrap(), "40000\t50000");
    }

    #[test]
    fn a_device_is_found_even_with_a_dot_in_its_name() {
        let [mut left, _right] = pair();
        left.socket.set_down(left.link.ifindex).unwrap();
        left.socket.rename(left.link.ifindex, "left.100").unwrap();
        let key = "ipv6/conf/left.100/disable_ipv6";

        write(&left.namespace, key, "1").unwrap();

        assert_eq!(read(&left.namespace, key).unwrap(), "1");
        assert_eq!(
            read(&left.namespace, "ipv6/conf/all/disable_ipv6").unwrap(),
            "0"
        );
    }

    #[test]
    fn an_error_names_the_key() {
        let (namespace, _) = namespace();

        let missing = read(&namespace, "ipv4/conf/nothing/forwarding").unwrap_err();
        let refused = write(&namespace, PORT_RANGE, "9 1").unwrap_err();

        assert!(missing.is_not_found(), "{missing:?}");
        let expected =
            "could not read sysctl net/ipv4/conf/nothing/forwarding in a new network namespace";
        assert_eq!(missing.to_string(), expected);
        assert!(refused.to_string().contains(PORT_RANGE), "{refused}");
        for key in ["", "../kernel/hostname", "/etc/passwd", "ipv4/../../x"] {
            assert!(
                matches!(read(&namespace, key), Err(Error::InvalidSysctl { .. })),
                "{key}"
            );
        }
    }
}
