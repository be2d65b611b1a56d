//! Names of addresses: `4.3.2.1.in-addr.arpa` and the like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const IPV4: &str = ".in-addr.arpa";
const IPV6: &str = ".ip6.arpa";

/// The address that a lower-case name stands for, if it is the name of one address.
pub(super) fn address(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(IPV4) {
        ipv4(digits).map(IpAddr::V4)
    } else {
        ipv6(name.strip_suffix(IPV6)?).map(IpAddr::V6)
    }
}

fn ipv4(digits: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = digits.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = parts.next()?.parse().ok()?;
    }
    let address = Ipv4Addr::from(octets);
    // Only its own spelling: no leading zeroes or signs.
    let is_all = parts.next().is_none();
    (is_all && spelt(address) == digits).then_some(address)
}

fn spelt(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}")
}

fn ipv6(digits: &str) -> Option<Ipv6Addr> {
    let mut bits = 0_u128;
    let mut count = 0;
    for digit in digits.split('.') {
        let value = match digit.as_bytes() {
            [digit] => char::from(*digit).to_digit(16)?,
            _ => return None,
        };
        if count == 32 {
            return None;
        }
        bits |= u128::from(value) << (4 * count);
        count += 1;
    }
    (count == 32).then(|| Ipv6Addr::from_bits(bits))
}

/// The name that stands for an address.
#[cfg(test)]
pub(super) fn name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("{}{IPV4}", spelt(address)),
        IpAddr::V6(address) => {
            let digits = (0..32).map(|at| format!("{:x}", (address.to_bits() >> (4 * at)) & 15));
            format!("{}{IPV6}", digits.collect::<Vec<_>>().join("."))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_whole_address_is_none() {
        for name in [
            "3.2.1.in-addr.arpa",
            "5.4.3.2.1.in-addr.arpa",
            "256.3.2.1.in-addr.arpa",
            "01.3.2.1.in-addr.arpa",
            "+1.3.2.1.in-addr.arpa",
            ".3.2.1.in-addr.arpa",
            "in-addr.arpa",
            "1.0.ip6.arpa",
            "ip6.arpa",
            "web",
            "4.3.2.1.in-addr.arpa.example",
        ] {
            assert_eq!(address(name), None, "{name}");
        }
        let long = format!("1.{}", super::name("2001:db8::1".parse().unwrap()));
        assert_eq!(address(&long), None);
        assert_eq!(address(&long.replacen('1', "g", 1)), None);
    }

    proptest! {
        #[test]
        fn a_name_leads_back_to_its_address(v4: u32, v6: u128) {
            for address in [IpAddr::from(Ipv4Addr::from_bits(v4)), Ipv6Addr::from_bits(v6).into()] {
                prop_assert_eq!(super::address(&super::name(address)), Some(address));
            }
        }

        #[test]
        fn any_text_is_an_address_or_none(text in "[0-9a-f.]{0,80}(\\.in-addr\\.arpa|\\.ip6\\.arpa)?") {
            if let Some(address) = address(&text) {
                prop_assert_eq!(super::name(address), text);
            }
        }
    }
}
