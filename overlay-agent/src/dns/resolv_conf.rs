//! The resolver's configuration file: what the host's says, and what a container's says instead.

use std::net::{IpAddr, Ipv6Addr};

/// Resolvers that are used, as glibc does.
const MOST_SERVERS: usize = 3;

/// What a resolver's configuration says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ResolvConf {
    /// Whom to ask, in this order.
    pub servers: Vec<Server>,
    /// Suffixes to try.
    pub search: Vec<String>,
    /// Options as they are written.
    pub options: Vec<String>,
}

/// A resolver.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// Its address.
    pub address: IpAddr,
    /// The device by which a link-local one is reached, by name or number.
    pub scope: Option<String>,
}

impl ResolvConf {
    /// Reads a file's text. As resolvers do, it passes over what it does not know; the last `search` or
    /// `domain` counts.
    pub fn parse(text: &str) -> Self {
        let mut read = Self::default();
        for line in text.lines() {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let mut words = line.split_whitespace();
            let word = words.next();
            let values = words.map(str::to_owned);
            match word {
                Some("nameserver") => {
                    let server = values.into_iter().next();
                    read.servers
                        .extend(server.and_then(|text| parse_server(&text)));
                }
                Some("search") => read.search = values.collect(),
                Some("domain") => read.search = values.take(1).collect(),
                Some("options") => read.options.extend(values),
                Some(_) | None => {}
            }
        }
        read.servers.truncate(MOST_SERVERS);
        read
    }

    /// What a container's file says where the host's says this: our resolvers, the host's suffixes and
    /// options, and, unless the host has a wish of its own, names without dots are asked for as they are.
    #[must_use]
    pub fn for_container(&self, servers: &[IpAddr]) -> String {
        let servers = servers
            .iter()
            .map(|server| format!("nameserver {server}\n"));
        // A single dot means: no suffix.
        let has_search = !self.search.is_empty() && self.search != ["."];
        let search = has_search.then(|| format!("search {}\n", self.search.join(" ")));
        let mut options = self.options.clone();
        if !options.iter().any(|option| option.starts_with("ndots:")) {
            options.push("ndots:0".to_owned());
        }
        let options = format!("options {}\n", options.join(" "));
        servers.chain(search).chain([options]).collect()
    }
}

fn parse_server(text: &str) -> Option<Server> {
    if let Some((address, scope)) = text.split_once('%') {
        return Some(Server {
            address: address.parse::<Ipv6Addr>().ok()?.into(),
            scope: Some(scope.to_owned()).filter(|scope| !scope.is_empty()),
        });
    }
    Some(Server {
        address: text.parse().ok()?,
        scope: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text)
    }

    #[test]
    fn what_a_resolver_reads_is_read() {
        let read = parse(
            "# made by hand\n; so it was\nnameserver 192.0.2.53\nnameserver nonsense\n\
             nameserver fe80::1%eth0\n  nameserver\t2001:db8::53  # trailing\ndomain old.example\n\
             search a.example b.example\noptions timeout:1\noptions edns0\nsortlist 10.0.0.0\n",
        );

        let servers: Vec<String> = read
            .servers
            .iter()
            .map(|it| it.address.to_string())
            .collect();
        assert_eq!(servers, ["192.0.2.53", "fe80::1", "2001:db8::53"]);
        assert_eq!(read.servers[1].scope.as_deref(), Some("eth0"));
        assert_eq!(read.search, ["a.example", "b.example"]);
        assert_eq!(read.options, ["timeout:1", "edns0"]);
    }

    #[test]
    fn more_than_three_resolvers_are_not_asked() {
        let text = (1..=5).map(|last| format!("nameserver 192.0.2.{last}\n"));

        assert_eq!(parse(&text.collect::<String>()).servers.len(), 3);
    }

    #[test]
    fn a_container_asks_us_and_keeps_the_hosts_suffixes() {
        let ours: [IpAddr; 1] = ["169.254.53.53".parse().unwrap()];

        let host = parse("nameserver 192.0.2.53\nsearch a.example b.example\noptions timeout:1\n");
        assert_eq!(
            host.for_container(&ours),
            "nameserver 169.254.53.53\nsearch a.example b.example\noptions timeout:1 ndots:0\n"
        );
        assert_eq!(
            parse("search .\noptions ndots:2\n").for_container(&ours),
            "nameserver 169.254.53.53\noptions ndots:2\n"
        );
        assert_eq!(
            parse("").for_container(&ours),
            "nameserver 169.254.53.53\noptions ndots:0\n"
        );
    }
}
