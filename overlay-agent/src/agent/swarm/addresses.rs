//! Where this host is to be found: from what was typed, what is configured, and what the host has.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use crate::{
    agent::plumbing::TUNNEL_NAME,
    api::{
        ApiError,
        types::{Addresses, HostAddress},
    },
    netlink::{LinkFlags, Socket},
    settings::SwarmSettings,
};

/// Where a node takes part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) listen: SocketAddr,
    pub(super) control: SocketAddr,
    pub(super) gossip: SocketAddr,
    pub(super) data_path: IpAddr,
}

/// An address of this host and the interface that has it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Own {
    address: IpAddr,
    interface: String,
}

/// Decides, with the host's own addresses. `towards` is a manager, and this host's address on the way to
/// it is as good as one that was typed.
pub(super) fn place(
    wish: &Addresses,
    settings: &SwarmSettings,
    gossip_port: Option<u16>,
    towards: Option<SocketAddr>,
) -> Result<Place, ApiError> {
    let own = own_addresses().map_err(|error| ApiError::internal(&error))?;
    let facing = towards.and_then(source_towards);
    decide(wish, settings, gossip_port, facing, &own)
}

fn decide(
    wish: &Addresses,
    settings: &SwarmSettings,
    gossip_port: Option<u16>,
    facing: Option<IpAddr>,
    own: &[Own],
) -> Result<Place, ApiError> {
    let listen = match &wish.listen {
        Some(listen) => {
            let address = resolve(&listen.host, own)?;
            SocketAddr::new(address, listen.port.unwrap_or(settings.listen.port()))
        }
        None => settings.listen,
    };
    let typed = wish.advertise.as_ref();
    let advertise = match (typed, settings.advertise) {
        (Some(typed), _) => resolve(&typed.host, own)?,
        (None, Some(configured)) => configured,
        (None, None) if !listen.ip().is_unspecified() => listen.ip(),
        (None, None) => facing.map_or_else(|| only(own), Ok)?,
    };
    if advertise.is_unspecified() {
        return Err(ApiError::bad_request(format!(
            "{advertise} is no address at which other nodes could reach this one"
        ))
        .with_help("give one of this host with --advertise-addr"));
    }
    let data_path = match (&wish.data_path, settings.data_path) {
        (Some(typed), _) => resolve(typed, own)?,
        (None, Some(configured)) => configured,
        (None, None) => advertise,
    };
    if !own.iter().any(|own| own.address == data_path) {
        return Err(ApiError::bad_request(format!(
            "this host does not have the data-path address {data_path}, so it could send nothing from it"
        ))
        .with_help("give one of this host's addresses or interfaces with --data-path-addr"));
    }
    let control = typed.and_then(|typed| typed.port);
    Ok(Place {
        listen,
        control: SocketAddr::new(advertise, control.unwrap_or(listen.port())),
        gossip: SocketAddr::new(advertise, gossip_port.unwrap_or(settings.gossip_port)),
        data_path,
    })
}

fn resolve(host: &HostAddress, own: &[Own]) -> Result<IpAddr, ApiError> {
    let name = match host {
        HostAddress::Address(address) => return Ok(*address),
        HostAddress::Interface(name) => name,
    };
    let mut of_interface = own.iter().filter(|own| own.interface == *name);
    // IPv4 first, as everywhere.
    let address = of_interface.clone().find(|own| own.address.is_ipv4());
    let address = address.or_else(|| of_interface.next());
    address.map(|own| own.address).ok_or_else(|| {
        ApiError::bad_request(format!(
            "interface {name} is not there, or has no address that other hosts can reach"
        ))
        .with_help("give an address of this host")
    })
}

fn only(own: &[Own]) -> Result<IpAddr, ApiError> {
    let is_ipv4 = own.iter().any(|own| own.address.is_ipv4());
    let usable: Vec<&Own> = own
        .iter()
        .filter(|own| own.address.is_ipv4() == is_ipv4)
        .collect();
    match usable.as_slice() {
        [one] => Ok(one.address),
        [] => Err(ApiError::bad_request(
            "could not choose an IP address to advertise: this host has none",
        )
        .with_help("give an interface an address first")),
        several => {
            let list: Vec<String> = several
                .iter()
                .map(|own| format!("{} on {}", own.address, own.interface))
                .collect();
            Err(ApiError::bad_request(format!(
                "could not choose an IP address to advertise since this system has multiple addresses \
                 ({})",
                list.join(", ")
            ))
            .with_help("specify one with --advertise-addr"))
        }
    }
}

/// Addresses that other hosts may reach.
fn own_addresses() -> Result<Vec<Own>, crate::netlink::Error> {
    let mut socket = Socket::open()?;
    let links = socket.links()?;
    let addresses = socket.all_addresses()?;
    let own = addresses.into_iter().filter_map(|found| {
        let link = links.iter().find(|link| link.ifindex == found.ifindex)?;
        let is_usable = !link.flags.contains(LinkFlags::Loopback) && link.name != TUNNEL_NAME;
        let is_local = match found.address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_loopback(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_loopback(),
        };
        (is_usable && !is_local).then(|| Own {
            address: found.address,
            interface: link.name.clone(),
        })
    });
    Ok(own.collect())
}

/// The address that the host would send from. Nothing is sent.
fn source_towards(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(remote).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SwarmSettings {
        SwarmSettings {
            listen: "0.0.0.0:2377".parse().unwrap(),
            advertise: None,
            data_path: None,
            gossip_port: 7946,
            control_port: 2377,
        }
    }

    fn own(list: &[(&str, &str)]) -> Vec<Own> {
        let own = list.iter().map(|(address, interface)| Own {
            address: address.parse().unwrap(),
            interface: (*interface).to_owned(),
        });
        own.collect()
    }

    fn wish(advertise: Option<&str>, listen: Option<&str>, data_path: Option<&str>) -> Addresses {
        Addresses {
            advertise: advertise.map(|text| text.parse().unwrap()),
            listen: listen.map(|text| text.parse().unwrap()),
            data_path: data_path.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn the_only_address_is_advertised() {
        let own = own(&[("192.0.2.1", "eth0"), ("2001:db8::1", "eth0")]);

        let place = decide(&wish(None, None, None), &settings(), None, None, &own).unwrap();

        assert_eq!(place.control, "192.0.2.1:2377".parse().unwrap());
        assert_eq!(place.gossip, "192.0.2.1:7946".parse().unwrap());
        assert_eq!(place.listen, "0.0.0.0:2377".parse().unwrap());
        assert_eq!(place.data_path.to_string(), "192.0.2.1");
    }

    #[test]
    fn among_several_the_way_to_the_manager_decides_or_the_user() {
        let own = own(&[("192.0.2.1", "eth0"), ("198.51.100.1", "eth1")]);
        let nothing = wish(None, None, None);

        let error = decide(&nothing, &settings(), None, None, &own).unwrap_err();
        assert!(error.error.contains("198.51.100.1 on eth1"), "{error}");
        assert!(error.help.unwrap().contains("--advertise-addr"));

        let facing = Some("198.51.100.1".parse().unwrap());
        let place = decide(&nothing, &settings(), Some(17946), facing, &own).unwrap();
        assert_eq!(place.gossip, "198.51.100.1:17946".parse().unwrap());

        let typed = wish(Some("eth0:99"), Some("192.0.2.1:98"), Some("eth1"));
        let place = decide(&typed, &settings(), None, facing, &own).unwrap();
        assert_eq!(place.control, "192.0.2.1:99".parse().unwrap());
        assert_eq!(place.listen, "192.0.2.1:98".parse().unwrap());
        assert_eq!(place.data_path.to_string(), "198.51.100.1");
    }

    #[test]
    fn an_address_that_the_host_does_not_have_is_refused() {
        let own = own(&[("192.0.2.1", "eth0")]);

        let missing = wish(Some("eth7"), None, None);
        assert!(decide(&missing, &settings(), None, None, &own).is_err());
        let foreign = wish(None, None, Some("203.0.113.9"));
        let error = decide(&foreign, &settings(), None, None, &own).unwrap_err();
        assert!(error.error.contains("203.0.113.9"), "{error}");
    }
}
