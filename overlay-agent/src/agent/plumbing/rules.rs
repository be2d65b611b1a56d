//! The rules by which the host lets containers out: two tables of our own, `ip overlay` and `ip6 overlay`, written
//! and read by `nft`. Nobody else's rule is touched, and none decides about these packets in the forward hook,
//! because they do not pass it (docs/decisions/0006-the-way-out-passes-no-forward-chain.md).

use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    io::{self, Write as _},
    process::{Command, Output, Stdio},
};

use ipnet::IpNet;
use serde_json::Value;

use super::gateway::NEAR;
use crate::{control::Action, model::TransitPools};

const NFT: &str = "nft";

/// Name of both tables.
const TABLE: &str = "overlay";

/// What every comment of a rule of ours begins with; a number follows that says which rules these are.
const COMMENT: &str = "overlay:";

/// What the mark of a copy says until it is routed: the packet may be fragmented.
const FRAGMENTABLE: &str = "0x6f76";

/// Ports that masquerading gives away; nothing is published there.
const MASQUERADE_PORTS: &str = "61000-65535";

/// Why the rules are not in place.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// There is no `nft`.
    #[error("nft is not installed; install the package nftables")]
    NoNft,
    /// It could not be run.
    #[error("could not run nft")]
    Run {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It refused.
    #[error("nft could not {operation}: {said}")]
    Refused {
        /// What was attempted, as a verb phrase.
        operation: &'static str,
        /// What it said.
        said: String,
    },
    /// It said something that cannot be read.
    #[error("could not read what nft lists")]
    Unreadable {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else has a table of our name.
    #[error(
        "the nftables table `{family} {TABLE}` is there and was not made by overlay; rename or delete it"
    )]
    Foreign {
        /// Its family.
        family: &'static str,
    },
}

/// What makes one family's rules differ from the other's.
struct Family {
    name: &'static str,
    /// The keyword of its header.
    header: &'static str,
    dns: &'static str,
    unreachable: &'static str,
}

const IPV4: Family = Family {
    name: "ip",
    header: "ip",
    dns: "169.254.53.53",
    unreachable: "icmp net-unreachable",
};

const IPV6: Family = Family {
    name: "ip6",
    header: "ip6",
    dns: "fd6f:7665:726c:53::53",
    unreachable: "icmpv6 no-route",
};

/// The rules that were seen last, to notice that somebody changed one.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    seen: BTreeMap<&'static str, u64>,
}

impl Rules {
    /// Writes both families' rules where they are not as they should be; returns what had to be done. `port` is that of
    /// VXLAN.
    pub(super) fn ensure(
        &mut self,
        pools: TransitPools,
        port: u16,
    ) -> Result<Option<Action>, RulesError> {
        let mut done = None;
        for (family, pool) in [(&IPV4, pools.ipv4), (&IPV6, pools.ipv6)] {
            let action = match pool {
                Some(pool) => self.ensure_family(family, pool, port)?,
                None => None,
            };
            done = done.or(action);
        }
        Ok(done)
    }

    fn ensure_family(
        &mut self,
        family: &Family,
        pool: IpNet,
        port: u16,
    ) -> Result<Option<Action>, RulesError> {
        let wanted = chains(family, pool, port);
        let comment = comment(&wanted);
        let listed = list(family)?;
        let is_right = listed.as_ref().is_some_and(|listed| {
            let is_as_seen = self
                .seen
                .get(family.name)
                .is_none_or(|seen| *seen == listed.hash);
            is_as_seen && listed.comments == comments(&wanted, &comment)
        });
        if let (true, Some(listed)) = (is_right, &listed) {
            self.seen.insert(family.name, listed.hash);
            return Ok(None);
        }
        if let Some(listed) = &listed {
            listed.check_owner(family)?;
        }
        run(&["-f", "-"], Some(&script(family, &wanted, &comment)))?
            .into_text("write its rules")?;
        if let Some(written) = list(family)? {
            self.seen.insert(family.name, written.hash);
        }
        Ok(Some(match listed {
            Some(_) => Action::Changed,
            None => Action::Added,
        }))
    }
}

/// Removes both tables if they are ours; returns the names of those that there were. Without `nft` there are none.
pub(super) fn remove() -> Result<Vec<String>, RulesError> {
    let mut gone = Vec::new();
    for family in [&IPV4, &IPV6] {
        let listed = match list(family) {
            Err(RulesError::NoNft) => return Ok(gone),
            listed => listed?,
        };
        let Some(listed) = listed else { continue };
        if listed.check_owner(family).is_err() {
            continue;
        }
        let table = format!("{} {TABLE}", family.name);
        run(&["delete", "table", family.name, TABLE], None)?.into_text("delete its table")?;
        gone.push(format!("nftables table {table}"));
    }
    Ok(gone)
}

/// A chain: its name, its place if it is called by the kernel, and its rules.
type Chain = (&'static str, Option<String>, Vec<String>);

/// All of one family's. Packets from containers and answers to them are copied past the forward hook: the kernel
/// sends a copy as if it were its own, and the original ends here.
fn chains(family: &Family, pool: IpNet, port: u16) -> Vec<Chain> {
    let Family {
        name,
        header,
        dns,
        unreachable,
    } = family;
    let away = format!("oifname != {{ \"{NEAR}\", \"lo\" }}");
    // A copy may never be fragmented, unless it is written that it may. IPv6 has no such bit.
    let is_v4 = *name == IPV4.name;
    let note = is_v4.then(|| format!("ip frag-off & 0x4000 == 0x0 meta mark set {FRAGMENTABLE}"));
    let restore = |address: &str| {
        is_v4.then(|| {
            format!(
                "meta mark {FRAGMENTABLE} ip {address} {pool} ip frag-off set 0 meta mark set 0x0"
            )
        })
    };
    let hook = |kind: &str, hook: &str, priority: i32| {
        Some(format!(
            "type {kind} hook {hook} priority {priority}; policy accept;"
        ))
    };

    // Behind reassembly, before connections are tracked.
    let mut from_containers = vec![format!("iifname \"{NEAR}\" goto leave")];
    from_containers.push(format!("iifname != \"lo\" {header} daddr {dns} drop"));
    let mut leave = vec![
        format!("{header} saddr != {pool} drop"),
        format!("udp dport {port} drop"),
        "fib daddr type local accept".to_owned(),
        format!("{header} daddr {pool} drop"),
        "fib daddr type != unicast drop".to_owned(),
        format!("fib daddr oif missing reject with {unreachable}"),
        format!("fib daddr oifname \"{NEAR}\" drop"),
    ];
    leave.extend(note.clone());
    leave.extend([format!("dup to {header} daddr"), "drop".to_owned()]);

    let to_containers = vec![format!(
        "iifname != \"{NEAR}\" {header} daddr {pool} goto arrive"
    )];
    let arrive = vec![
        "ct state established,related ct status & (snat | dnat) == snat goto deliver".to_owned(),
        // What others translated as well is theirs to translate back, which a copy would miss.
        "ct state established,related accept".to_owned(),
        "drop".to_owned(),
    ];
    let mut deliver: Vec<String> = note.into_iter().collect();
    deliver.extend([format!("dup to {header} daddr"), "drop".to_owned()]);

    // The kernel does not track its copies; a zone, even the usual one, makes it.
    let mut copies = vec![format!(
        "{header} saddr {pool} oifname != \"{NEAR}\" ct zone set 0"
    )];
    copies.extend(restore("saddr"));
    copies.extend(restore("daddr"));
    // Without its route nothing for a container may go anywhere else.
    copies.push(format!("{header} daddr {pool} {away} drop"));

    let hide = vec![
        format!("meta l4proto {{ tcp, udp, sctp }} masquerade to :{MASQUERADE_PORTS}"),
        "masquerade".to_owned(),
    ];
    vec![
        ("leave", None, leave),
        ("deliver", None, deliver),
        ("arrive", None, arrive),
        ("hide", None, hide),
        (
            "from_containers",
            hook("filter", "prerouting", -310),
            from_containers,
        ),
        (
            "to_containers",
            hook("filter", "prerouting", -90),
            to_containers,
        ),
        ("copies", hook("filter", "output", -310), copies),
        (
            "outside",
            hook("nat", "postrouting", 99),
            vec![format!("{header} saddr {pool} {away} goto hide")],
        ),
        // What could not be masqueraded stays here.
        (
            "guard",
            hook("filter", "postrouting", 110),
            vec![format!("{header} saddr {pool} {away} drop")],
        ),
    ]
}

/// The table as one transaction that replaces whatever there was.
fn script(family: &Family, chains: &[Chain], comment: &str) -> String {
    let table = format!("{} {TABLE}", family.name);
    let mut script = format!("table {table}\ndelete table {table}\ntable {table} {{\n");
    for (name, hook, rules) in chains {
        script.push_str(&format!("chain {name} {{\n"));
        if let Some(hook) = hook {
            script.push_str(&format!("{hook}\n"));
        }
        for rule in rules {
            script.push_str(&format!("{rule} comment \"{comment}\"\n"));
        }
        script.push_str("}\n");
    }
    script.push_str("}\n");
    script
}

/// Says which rules these are, whichever agent wrote them.
fn comment(chains: &[Chain]) -> String {
    let mut hasher = DefaultHasher::new();
    chains.hash(&mut hasher);
    format!("{COMMENT}{:016x}", hasher.finish())
}

/// What a listing shows of rules that nobody changed.
fn comments(chains: &[Chain], comment: &str) -> BTreeMap<String, Vec<String>> {
    let of_chain =
        |(name, _, rules): &Chain| ((*name).to_owned(), vec![comment.to_owned(); rules.len()]);
    chains.iter().map(of_chain).collect()
}

/// A table as it is.
struct Listed {
    /// Comments of its rules by chain.
    comments: BTreeMap<String, Vec<String>>,
    /// Over everything that says what it does.
    hash: u64,
}

impl Listed {
    /// Fails if the table has rules, and none of them is ours.
    fn check_owner(&self, family: &Family) -> Result<(), RulesError> {
        let mut all = self.comments.values().flatten().peekable();
        let is_empty = all.peek().is_none();
        if is_empty || all.any(|comment| comment.starts_with(COMMENT)) {
            return Ok(());
        }
        Err(RulesError::Foreign {
            family: family.name,
        })
    }
}

/// Reads a table; nothing if there is none.
fn list(family: &Family) -> Result<Option<Listed>, RulesError> {
    let output = run(&["-j", "list", "table", family.name, TABLE], None)?;
    if !output.status.success() && output.says("No such file") {
        return Ok(None);
    }
    let text = output.into_text("list its table")?;
    let listing: Value =
        serde_json::from_str(&text).map_err(|source| RulesError::Unreadable { source })?;
    Ok(Some(read(&listing)))
}

fn read(listing: &Value) -> Listed {
    let mut comments: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut hasher = DefaultHasher::new();
    let objects = listing["nftables"].as_array();
    for object in objects.into_iter().flatten() {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(chain) = object.get("chain") {
            comments.entry(text(&chain["name"])).or_default();
            for key in ["name", "type", "hook", "prio", "policy"] {
                chain[key].to_string().hash(&mut hasher);
            }
        }
        if let Some(rule) = object.get("rule") {
            let of_chain = comments.entry(text(&rule["chain"])).or_default();
            of_chain.push(text(&rule["comment"]));
            rule["chain"].to_string().hash(&mut hasher);
            rule["expr"].to_string().hash(&mut hasher);
        }
    }
    Listed {
        comments,
        hash: hasher.finish(),
    }
}

/// A chain of somebody else's whose policy drops what the host sends, if there is one.
pub(in crate::agent) fn drops_output() -> Option<String> {
    let listed = run(&["-j", "list", "chains"], None).ok()?;
    let listing: Value = serde_json::from_slice(&listed.stdout).ok()?;
    let objects = listing["nftables"].as_array()?;
    let mut chains = objects.iter().filter_map(|object| object.get("chain"));
    let dropping = chains.find(|chain| {
        chain["hook"] == "output" && chain["policy"] == "drop" && chain["table"] != TABLE
    })?;
    let text = |key: &str| dropping[key].as_str().unwrap_or_default();
    Some(format!(
        "{} {} {}",
        text("family"),
        text("table"),
        text("name")
    ))
}

struct Said(Output);

impl std::ops::Deref for Said {
    type Target = Output;

    fn deref(&self) -> &Output {
        &self.0
    }
}

impl Said {
    fn says(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.stderr).contains(words)
    }

    fn into_text(self, operation: &'static str) -> Result<String, RulesError> {
        if self.status.success() {
            return Ok(String::from_utf8_lossy(&self.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&self.stderr).trim().to_owned();
        Err(RulesError::Refused { operation, said })
    }
}

/// Runs `nft` in the calling thread's network namespace.
fn run(arguments: &[&str], input: Option<&str>) -> Result<Said, RulesError> {
    let mut command = Command::new(NFT);
    command.args(arguments).env("LC_ALL", "C");
    command.stdin(if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => RulesError::NoNft,
        _ => RulesError::Run { source },
    })?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        // What it does not read it complains about itself.
        if let Err(error) = pipe.write_all(input.as_bytes()) {
            tracing::debug!(%error, "nft did not read its rules");
        }
    }
    let output = child.wait_with_output();
    output
        .map(Said)
        .map_err(|source| RulesError::Run { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn other_pools_and_ports_are_other_rules() {
        let of = |net, port| comment(&chains(&IPV4, pool(net), port));

        assert_eq!(of("100.127.0.0/16", 4789), of("100.127.0.0/16", 4789));
        assert_ne!(of("100.127.0.0/16", 4789), of("100.127.0.0/16", 4790));
        assert_ne!(of("100.127.0.0/16", 4789), of("100.126.0.0/16", 4789));
    }

    #[test]
    fn a_listing_is_read_by_chain() {
        let listing: Value = serde_json::from_str(
            r#"{"nftables": [
                {"metainfo": {"version": "1.0.6"}},
                {"table": {"family": "ip", "name": "overlay", "handle": 3}},
                {"chain": {"family": "ip", "name": "hide", "handle": 1}},
                {"chain": {"family": "ip", "name": "guard", "hook": "postrouting", "prio": 110}},
                {"rule": {"chain": "guard", "comment": "overlay:1", "expr": [{"drop": null}]}}
            ]}"#,
        )
        .unwrap();

        let listed = read(&listing);

        assert_eq!(listed.comments["guard"], ["overlay:1"]);
        assert_eq!(listed.comments["hide"], [""; 0]);
        assert!(listed.check_owner(&IPV4).is_ok());
    }

    #[test]
    fn a_table_with_only_rules_of_others_is_theirs() {
        let theirs = Listed {
            comments: BTreeMap::from([("a".to_owned(), vec![String::new()])]),
            hash: 0,
        };

        let refused = theirs.check_owner(&IPV6).unwrap_err();

        assert!(refused.to_string().contains("`ip6 overlay`"), "{refused}");
    }

    #[test]
    fn only_ipv4_has_a_bit_against_fragments() {
        let text = |family: &Family, net| script(family, &chains(family, pool(net), 4789), "c");

        let v4 = text(&IPV4, "100.127.0.0/16");
        let v6 = text(&IPV6, "fd6f:7665:726c::/64");

        assert!(v4.starts_with("table ip overlay\ndelete table ip overlay\n"));
        assert!(v4.contains("frag-off") && !v6.contains("frag-off"));
        assert!(v6.contains("dup to ip6 daddr comment"));
    }
}
