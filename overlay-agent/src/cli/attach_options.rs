//! What an endpoint is to get: `--network`, `--ip` and `--mac` put together.

use std::net::IpAddr;

use super::{arguments::AddressArguments, publish};
use crate::model::{MacAddress, PortWish, PublishMode};

/// The wish for one interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Wish {
    pub(super) network: String,
    /// At most one of a family.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) mac: Option<MacAddress>,
    /// Ports of this node that lead to it.
    pub(super) ports: Vec<PortWish>,
}

impl Wish {
    /// One network with the addresses that stand beside it on the command line.
    pub(super) fn new(network: String, typed: AddressArguments) -> Result<Self, String> {
        let mut wish = Self {
            network,
            addresses: Vec::new(),
            mac: None,
            ports: Vec::new(),
        };
        for address in typed.ip {
            wish.add_address(address)?;
        }
        if let Some(mac) = typed.mac {
            wish.set_mac(mac)?;
        }
        Ok(wish)
    }

    /// Nothing chosen: the networks are those of a service.
    pub(super) fn of_service() -> Self {
        Self {
            network: String::new(),
            addresses: Vec::new(),
            mac: None,
            ports: Vec::new(),
        }
    }

    /// The networks of `run`: addresses on the side belong to the only one.
    pub(super) fn several(
        networks: &[String],
        typed: AddressArguments,
    ) -> Result<Vec<Self>, String> {
        let is_one = networks.len() == 1;
        if !is_one && (!typed.ip.is_empty() || typed.mac.is_some()) {
            return Err(
                "--ip and --mac go with one --network; for more write --network name=N,ip=A"
                    .to_owned(),
            );
        }
        let parsed: Result<Vec<Self>, String> =
            networks.iter().map(|text| Self::parse(text)).collect();
        let mut wishes = parsed?;
        for (index, wish) in wishes.iter().enumerate() {
            if wishes[..index]
                .iter()
                .any(|other| other.network == wish.network)
            {
                return Err(format!(
                    "network `{}` is given twice; give it once",
                    wish.network
                ));
            }
        }
        if let [wish] = wishes.as_mut_slice() {
            for address in typed.ip {
                wish.add_address(address)?;
            }
            if let Some(mac) = typed.mac {
                wish.set_mac(mac)?;
            }
        }
        Ok(wishes)
    }

    /// Publishes ports, as `--publish` has them; mode ingress takes a service.
    pub(super) fn publish(&mut self, texts: &[String]) -> Result<(), String> {
        let wishes = publish::several(texts, PublishMode::Host)?;
        if wishes.iter().any(|wish| wish.mode == PublishMode::Ingress) {
            return Err(
                "mode=ingress is for services; leave it out, or publish with `overlay service create`"
                    .to_owned(),
            );
        }
        self.ports = wishes;
        Ok(())
    }

    /// `NAME`, or pairs like `name=N,ip=A,mac-address=M`.
    fn parse(text: &str) -> Result<Self, String> {
        let mut wish = Self {
            network: String::new(),
            addresses: Vec::new(),
            mac: None,
            ports: Vec::new(),
        };
        if !text.contains('=') {
            text.clone_into(&mut wish.network);
            return wish.named(text);
        }
        for pair in text.split(',') {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(format!("`{pair}` in `{text}` is no pair like ip=10.1.0.5"));
            };
            match key {
                "name" => value.clone_into(&mut wish.network),
                "ip" | "ip6" => {
                    let address = value.parse();
                    wish.add_address(address.map_err(|error| format!("`{value}`: {error}"))?)?;
                }
                "mac" | "mac-address" => {
                    let mac: Result<MacAddress, _> = value.parse();
                    wish.set_mac(mac.map_err(|error| error.to_string())?)?;
                }
                _ => {
                    return Err(format!(
                        "`{key}` in `{text}` is unknown; use name, ip, ip6 and mac-address"
                    ));
                }
            }
        }
        wish.named(text)
    }

    fn named(self, text: &str) -> Result<Self, String> {
        if self.network.is_empty() {
            Err(format!(
                "`{text}` names no network; write --network N or name=N"
            ))
        } else {
            Ok(self)
        }
    }

    fn add_address(&mut self, address: IpAddr) -> Result<(), String> {
        let same = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        if let Some(other) = self.addresses.iter().find(same) {
            return Err(format!(
                "{other} and {address} are of one family; an endpoint has one address of each"
            ));
        }
        self.addresses.push(address);
        Ok(())
    }

    fn set_mac(&mut self, mac: MacAddress) -> Result<(), String> {
        if !mac.is_unicast() {
            return Err(format!(
                "{mac} is a multicast or zero address; make the second digit even, as in 02:42:…"
            ));
        }
        self.mac = Some(mac);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beside(ip: &[&str], mac: Option<&str>) -> AddressArguments {
        AddressArguments {
            ip: ip.iter().map(|text| text.parse().unwrap()).collect(),
            mac: mac.map(|text| text.parse().unwrap()),
        }
    }

    fn several(networks: &[&str], typed: AddressArguments) -> Result<Vec<Wish>, String> {
        let networks: Vec<String> = networks.iter().map(|&text| text.to_owned()).collect();
        Wish::several(&networks, typed)
    }

    #[test]
    fn addresses_beside_belong_to_the_only_network() {
        let typed = beside(&["10.1.0.5", "fd00::5"], Some("02:00:00:00:00:05"));

        let wishes = several(&["blue"], typed).unwrap();

        assert_eq!(wishes[0].network, "blue");
        assert_eq!(wishes[0].addresses.len(), 2);
        assert_eq!(wishes[0].mac, Some(MacAddress([2, 0, 0, 0, 0, 5])));
    }

    #[test]
    fn pairs_choose_addresses_for_each_network() {
        let typed = beside(&[], None);
        let blue = "name=blue,ip=10.1.0.5,ip6=fd00::5,mac-address=02:00:00:00:00:05";

        let wishes = several(&[blue, "red"], typed).unwrap();

        assert_eq!(wishes[0].network, "blue");
        assert_eq!(wishes[0].addresses.len(), 2);
        assert_eq!(wishes[1].network, "red");
        assert_eq!(wishes[1].mac, None);
    }

    #[test]
    fn ports_are_published_by_the_node_itself() {
        let mut wish = Wish::new("blue".to_owned(), beside(&[], None)).unwrap();

        wish.publish(&["8080:80".to_owned()]).unwrap();

        assert_eq!(wish.ports[0].published, Some(8080));
        assert_eq!(wish.ports[0].mode, PublishMode::Host);
        let error = wish.publish(&["target=80,mode=ingress".to_owned()]);
        assert!(
            error
                .unwrap_err()
                .starts_with("mode=ingress is for services")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (networks, ip, message) in [
            (
                &["blue", "red"][..],
                &["10.1.0.5"][..],
                "--ip and --mac go with one --network; for more write --network name=N,ip=A",
            ),
            (
                &["blue", "blue"],
                &[],
                "network `blue` is given twice; give it once",
            ),
            (
                &[""],
                &[],
                "`` names no network; write --network N or name=N",
            ),
            (
                &["ip=10.1.0.5"],
                &[],
                "`ip=10.1.0.5` names no network; write --network N or name=N",
            ),
            (
                &["name=blue,10.1.0.5"],
                &[],
                "`10.1.0.5` in `name=blue,10.1.0.5` is no pair like ip=10.1.0.5",
            ),
            (
                &["name=blue,alias=x"],
                &[],
                "`alias` in `name=blue,alias=x` is unknown; use name, ip, ip6 and mac-address",
            ),
            (
                &["name=blue,ip=ten"],
                &[],
                "`ten`: invalid IP address syntax",
            ),
            (
                &["name=blue,mac=03:00:00:00:00:05"],
                &[],
                "03:00:00:00:00:05 is a multicast or zero address; make the second digit even, as in \
                 02:42:…",
            ),
            (
                &["name=blue,ip=10.1.0.6"],
                &["10.1.0.5"],
                "10.1.0.6 and 10.1.0.5 are of one family; an endpoint has one address of each",
            ),
        ] {
            assert_eq!(several(networks, beside(ip, None)), Err(message.to_owned()));
        }
    }
}
