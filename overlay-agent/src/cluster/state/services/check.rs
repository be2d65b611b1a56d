//! Whether what is asked of a service makes sense by itself.

use std::collections::BTreeMap;

use super::{super::Refusal, ServiceRefusal};
use crate::model::{
    EndpointMode, HealthCheck, HealthProbe, MASQUERADE_PORTS, PublishMode, PublishedPort,
};

/// The longest name that DNS can carry as one label.
const LONGEST_NAME: usize = 63;

/// The longest path of a health check.
const LONGEST_PATH: usize = 1024;

/// Tries that follow each other faster would be more work than the tasks do themselves.
const SHORTEST_INTERVAL_MS: u32 = 100;

/// The option by which nodes of tasks answer clients themselves.
pub(super) const DSR: &str = "dsr";

/// A name that is one label in DNS, in Docker's words.
pub(super) fn name(name: &str) -> Result<(), ServiceRefusal> {
    let refuse = |problem: &str| ServiceRefusal::Name {
        name: name.chars().take(LONGEST_NAME + 1).collect(),
        problem: problem.to_owned(),
    };
    if name.is_empty() {
        return Err(refuse("name must be provided"));
    }
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_label = is_edge(name.bytes().next())
        && is_edge(name.bytes().next_back())
        && name.bytes().all(is_inside);
    if !is_label {
        return Err(refuse("name must be valid as a DNS name component"));
    }
    if name.len() > LONGEST_NAME {
        return Err(refuse("name must be 63 characters or fewer"));
    }
    Ok(())
}

pub(super) fn labels(labels: &BTreeMap<String, String>) -> Result<(), Refusal> {
    if labels.contains_key("") {
        let what = "label".to_owned();
        return Err(Refusal::NoKey { what });
    }
    Ok(())
}

/// Whether the options say that nodes of tasks answer clients themselves.
pub(super) fn direct_return(options: &BTreeMap<String, String>) -> Result<bool, ServiceRefusal> {
    let refuse = |option: &str, value: &str, problem: &str| ServiceRefusal::Option {
        option: option.to_owned(),
        value: value.to_owned(),
        problem: problem.to_owned(),
    };
    let mut is_direct = false;
    for (option, value) in options {
        if option != DSR {
            return Err(refuse(option, value, "services have no such option"));
        }
        is_direct = match value.as_str() {
            "" | "true" | "1" => true,
            "false" | "0" => false,
            _ => {
                let problem = "it is on without a value, or `true` or `false`";
                return Err(refuse(option, value, problem));
            }
        };
    }
    Ok(is_direct)
}

pub(super) fn health(check: &HealthCheck) -> Result<(), ServiceRefusal> {
    let refuse = |problem: String| ServiceRefusal::HealthCheck { problem };
    let port = match &check.probe {
        HealthProbe::Tcp { port } => *port,
        HealthProbe::Http { port, path } => {
            let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic());
            if !path.starts_with('/') || !is_plain || path.len() > LONGEST_PATH {
                let shown: String = path.chars().take(64).collect();
                return Err(refuse(format!("`{shown}` is no path like /healthz")));
            }
            *port
        }
    };
    if port == 0 {
        return Err(refuse("invalid port: 0".to_owned()));
    }
    if check.interval_ms < SHORTEST_INTERVAL_MS {
        let least = SHORTEST_INTERVAL_MS;
        return Err(refuse(format!("interval cannot be less than {least}ms")));
    }
    if check.timeout_ms == 0 {
        return Err(refuse("timeout cannot be less than 1ms".to_owned()));
    }
    if check.retries == 0 {
        return Err(refuse("retries cannot be 0".to_owned()));
    }
    Ok(())
}

/// Ports that go with each other and with the mode, in Docker's words.
pub(super) fn ports(ports: &[PublishedPort], mode: EndpointMode) -> Result<(), ServiceRefusal> {
    for (position, port) in ports.iter().enumerate() {
        if port.published == 0 || port.target == 0 {
            return Err(ServiceRefusal::PortZero);
        }
        if MASQUERADE_PORTS.contains(&port.published) {
            return Err(ServiceRefusal::PortMasqueraded {
                port: port.published,
            });
        }
        if mode == EndpointMode::Dnsrr && port.mode == PublishMode::Ingress {
            return Err(ServiceRefusal::PortWithDnsrr {
                port: port.published,
                protocol: port.protocol,
            });
        }
        let mut before = ports.iter().take(position);
        if before.any(|other| other.meets(port)) {
            return Err(ServiceRefusal::PortTwice {
                port: port.published,
                protocol: port.protocol,
            });
        }
    }
    Ok(())
}
