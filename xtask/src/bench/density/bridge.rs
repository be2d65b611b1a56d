//! The kernel's bridge, which numbers its ports with ten bits.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use overlay_tests::Session;
use serde_json::Value;

use crate::bench::report::Figures;

/// Name of the case.
pub(super) const CASE: &str = "density-bridge";

/// One more than a bridge takes.
const PORTS: u32 = 1024;

/// Gives a bridge one port after the other until it refuses one, and shows which.
pub(super) fn show(session: &Session, figures: &mut Figures) -> Result<()> {
    eprintln!("giving a Linux bridge {PORTS} ports …");
    let namespace = session.namespace("bridge")?;
    let mut pairs = vec!["link add br0 type bridge".to_owned()];
    pairs.extend((1..=PORTS).map(|port| format!("link add a{port} type veth peer name b{port}")));
    namespace.ip(&pairs)?;
    let joins: Vec<String> = (1..=PORTS)
        .map(|port| format!("link set a{port} master br0"))
        .collect();
    let refusal = namespace.ip(&joins).err();
    let members = namespace.exec("ip", &["-json", "link", "show", "master", "br0"])?;
    let members: Vec<Value> =
        serde_json::from_str(&members).context("reading the bridge's ports")?;
    let accepted = u32::try_from(members.len()).context("counting the bridge's ports")?;
    ensure!(
        (accepted < PORTS) == refusal.is_some(),
        "the bridge has {accepted} ports, which does not fit how joining it ended: {refusal:?}"
    );
    let mut said = String::new();
    if let Some(refusal) = refusal {
        let root = format!("{:#}", refusal.root_cause());
        let line = root
            .lines()
            .find_map(|line| line.split_once("answers: "))
            .map_or(root.as_str(), |(_, error)| error);
        write!(said, "; port {} was refused: {line}", accepted + 1)
            .context("quoting the kernel")?;
    }
    println!("The kernel's bridge took {accepted} ports{said}.");
    figures.kernel(CASE, "ports", f64::from(accepted));
    Ok(())
}
