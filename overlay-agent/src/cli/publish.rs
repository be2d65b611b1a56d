//! `--publish`: which port of the nodes leads to which port of the tasks, in Docker's two spellings.
//!
//! | typed | means |
//! |---|---|
//! | `8080:80` | port 8080 of the node leads to port 80 |
//! | `80` | a free port of the node does |
//! | `192.0.2.1:8080:80`, `[2001:db8::1]::80` | only at this address |
//! | `53:53/udp` | another protocol than TCP |
//! | `8000-8010:80-90` | eleven ports, one by one |
//! | `published=8080,target=80,protocol=tcp,mode=host` | the same in words |

use std::{net::IpAddr, ops::RangeInclusive};

use crate::model::{PortWish, Protocol, PublishMode};

/// Reads one value of `--publish`. `mode` is what it means where that is not said.
pub(super) fn parse(text: &str, mode: PublishMode) -> Result<Vec<PortWish>, String> {
    if text.contains('=') {
        long(text, mode)
    } else {
        short(text, mode)
    }
    .map_err(|problem| format!("`{text}`: {problem}"))
}

/// Reads all values of `--publish`, and refuses what would publish one port twice.
pub(super) fn several(texts: &[String], mode: PublishMode) -> Result<Vec<PortWish>, String> {
    let mut wishes: Vec<PortWish> = Vec::new();
    for text in texts {
        for wish in parse(text, mode)? {
            if let Some(published) = wish.published
                && wishes.iter().any(|other| collide(other, &wish))
            {
                let protocol = wish.protocol;
                return Err(format!("port {published}/{protocol} is published twice"));
            }
            wishes.push(wish);
        }
    }
    Ok(wishes)
}

fn collide(one: &PortWish, other: &PortWish) -> bool {
    let is_one_address = match (one.address, other.address) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    };
    (one.published, one.protocol) == (other.published, other.protocol) && is_one_address
}

/// `[[ADDRESS:][PUBLISHED]:]TARGET[/PROTOCOL]`.
fn short(text: &str, mode: PublishMode) -> Result<Vec<PortWish>, String> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, name)) => (ports, protocol(name)?),
        None => (text, Protocol::default()),
    };
    let (before, target) = match ports.rsplit_once(':') {
        Some((before, target)) => (Some(before), target),
        None => (None, ports),
    };
    let (address, published) = match before.map(split_address) {
        None => (None, ""),
        Some((address, published)) => (address.map(parse_address).transpose()?, published),
    };
    let published = if published.is_empty() {
        None
    } else {
        open_range(published)?
    };
    let wish = PortWish {
        protocol,
        published: None,
        target: 0,
        mode,
        address,
    };
    expand(wish, published, range(target)?)
}

/// What stands before a published port, if anything, and that port.
fn split_address(text: &str) -> (Option<&str>, &str) {
    if text.ends_with(']') {
        return (Some(text), "");
    }
    match text.rsplit_once(':') {
        Some((address, published)) => (Some(address), published),
        None if text.contains('.') => (Some(text), ""),
        None => (None, text),
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let parsed = match bare {
        Some(bare) => bare.parse().map(IpAddr::V6),
        None => text.parse().map(IpAddr::V4),
    };
    parsed.map_err(|_no_address| {
        format!("`{text}` is no address; write 192.0.2.1 or [2001:db8::1] before the ports")
    })
}

/// `target=T,published=P,protocol=NAME,mode=ingress|host`, in any order.
fn long(text: &str, default: PublishMode) -> Result<Vec<PortWish>, String> {
    let mut wish = PortWish {
        protocol: Protocol::default(),
        published: None,
        target: 0,
        mode: default,
        address: None,
    };
    let (mut published, mut target) = (None, None);
    for pair in text.split(',') {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("`{pair}` is no pair like target=80"))?;
        match key.trim() {
            "target" => target = Some(range(value)?),
            "published" => published = open_range(value)?,
            "protocol" => wish.protocol = protocol(value)?,
            "mode" => wish.mode = publish_mode(value)?,
            unknown => {
                return Err(format!(
                    "`{unknown}` is unknown; use target, published, protocol and mode"
                ));
            }
        }
    }
    let target = target.ok_or_else(|| "the tasks' port is missing; add target=80".to_owned())?;
    expand(wish, published, target)
}

fn expand(
    wish: PortWish,
    published: Option<RangeInclusive<u16>>,
    target: RangeInclusive<u16>,
) -> Result<Vec<PortWish>, String> {
    let Some(published) = published else {
        let open = target.map(|target| PortWish { target, ..wish });
        return Ok(open.collect());
    };
    let (from, to) = (published.len(), target.len());
    if from != to {
        return Err(format!(
            "{from} published ports cannot lead to {to}; make both ranges as long"
        ));
    }
    let pairs = published.zip(target);
    Ok(pairs
        .map(|(published, target)| PortWish {
            published: Some(published),
            target,
            ..wish
        })
        .collect())
}

/// A range of published ports; 0 stands for any free one.
fn open_range(text: &str) -> Result<Option<RangeInclusive<u16>>, String> {
    if text.trim() == "0" {
        return Ok(None);
    }
    range(text).map(Some)
}

/// `80` or `80-90`.
fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok(first..=last)
}

fn port(text: &str) -> Result<u16, String> {
    match text.trim().parse() {
        Ok(0) | Err(_) => Err(format!("`{text}` is no port; one is from 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        "sctp" => Ok(Protocol::Sctp),
        _ => Err(format!(
            "`{text}` cannot be published; protocols are tcp, udp and sctp"
        )),
    }
}

fn publish_mode(text: &str) -> Result<PublishMode, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "ingress" => Ok(PublishMode::Ingress),
        "host" => Ok(PublishMode::Host),
        _ => Err(format!("`{text}` is no mode; modes are ingress and host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One wish as `address published target protocol`, with `-` for what is open.
    fn told(wish: &PortWish) -> String {
        let open = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let address = open(wish.address.map(|address| address.to_string()));
        let published = open(wish.published.map(|port| port.to_string()));
        format!("{address} {published} {} {}", wish.target, wish.protocol)
    }

    fn parsed(text: &str) -> Vec<String> {
        let wishes = parse(text, PublishMode::Ingress).unwrap();
        assert!(
            wishes.iter().all(|wish| wish.mode == PublishMode::Ingress),
            "{text}"
        );
        wishes.iter().map(told).collect()
    }

    #[test]
    fn both_spellings_are_read() {
        for (text, expected) in [
            ("80", "- - 80 tcp"),
            (":80", "- - 80 tcp"),
            ("0:80", "- - 80 tcp"),
            ("8080:80", "- 8080 80 tcp"),
            ("53:53/udp", "- 53 53 udp"),
            ("53/UDP", "- - 53 udp"),
            ("5000:5000/sctp", "- 5000 5000 sctp"),
            ("192.0.2.1:8080:80", "192.0.2.1 8080 80 tcp"),
            ("192.0.2.1::80", "192.0.2.1 - 80 tcp"),
            ("192.0.2.1:80", "192.0.2.1 - 80 tcp"),
            ("[2001:db8::1]:8080:80/udp", "2001:db8::1 8080 80 udp"),
            ("[::1]::80", "::1 - 80 tcp"),
            ("[::1]:80", "::1 - 80 tcp"),
            ("target=80", "- - 80 tcp"),
            ("published=8080,target=80", "- 8080 80 tcp"),
            ("published=0,target=80", "- - 80 tcp"),
            ("target=53,protocol=udp,published=5353", "- 5353 53 udp"),
        ] {
            assert_eq!(parsed(text), [expected], "{text}");
        }
    }

    #[test]
    fn ranges_lead_port_by_port() {
        let eleven = parsed("8000-8010:80-90");

        assert_eq!(eleven.len(), 11);
        assert_eq!(eleven[0], "- 8000 80 tcp");
        assert_eq!(eleven[10], "- 8010 90 tcp");
        assert_eq!(parsed("80-81/udp"), ["- - 80 udp", "- - 81 udp"]);
        assert_eq!(parsed("65534-65535:1-2").len(), 2);
        assert_eq!(
            parsed("published=8000-8001,target=80-81"),
            ["- 8000 80 tcp", "- 8001 81 tcp"]
        );
    }

    #[test]
    fn the_mode_is_what_was_typed_else_what_the_verb_means() {
        let mode = |text, default| parse(text, default).unwrap()[0].mode;

        assert_eq!(mode("80", PublishMode::Host), PublishMode::Host);
        assert_eq!(mode("target=80", PublishMode::Host), PublishMode::Host);
        let typed = "target=80,mode=ingress";
        assert_eq!(mode(typed, PublishMode::Host), PublishMode::Ingress);
        let typed = "mode=host,target=80";
        assert_eq!(mode(typed, PublishMode::Ingress), PublishMode::Host);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, problem) in [
            ("", "`` is no port; one is from 1 to 65535"),
            ("0", "`0` is no port; one is from 1 to 65535"),
            ("80:0", "`0` is no port; one is from 1 to 65535"),
            ("65536", "`65536` is no port; one is from 1 to 65535"),
            ("http:80", "`http` is no port; one is from 1 to 65535"),
            ("90-80", "`90-80` ends before it begins"),
            (
                "80-81:80",
                "2 published ports cannot lead to 1; make both ranges as long",
            ),
            (
                "80:80/icmp",
                "`icmp` cannot be published; protocols are tcp, udp and sctp",
            ),
            (
                "host:80:80",
                "`host` is no address; write 192.0.2.1 or [2001:db8::1] before the ports",
            ),
            (
                "2001:db8::1:80:80",
                "`2001:db8::1` is no address; write 192.0.2.1 or [2001:db8::1] before the ports",
            ),
            ("published=80", "the tasks' port is missing; add target=80"),
            ("target=80,80", "`80` is no pair like target=80"),
            (
                "target=80,mode=dsr",
                "`dsr` is no mode; modes are ingress and host",
            ),
            (
                "target=80,port=1",
                "`port` is unknown; use target, published, protocol and mode",
            ),
        ] {
            let expected = Err(format!("`{text}`: {problem}"));
            assert_eq!(parse(text, PublishMode::Host), expected, "{text}");
        }
    }

    #[test]
    fn a_port_is_published_once() {
        let several = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            several(&texts, PublishMode::Host).map(|wishes| wishes.len())
        };

        assert_eq!(several(&["80:80", "80:80/udp", "80", "80"]), Ok(4));
        assert_eq!(several(&["192.0.2.1:80:80", "192.0.2.2:80:80"]), Ok(2));
        for twice in [
            &["80:80", "80:81"][..],
            &["80:80", "192.0.2.1:80:80"],
            &["192.0.2.1:80:80", "192.0.2.1:80:81"],
            &["79-81:1-3", "80:80"],
        ] {
            assert_eq!(
                several(twice),
                Err("port 80/tcp is published twice".to_owned())
            );
        }
    }
}
