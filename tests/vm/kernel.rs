//! The kernel that the tests run on: which it is, and what it has.

use std::process::Command;

use nix::sys::utsname::uname;
use overlay_tests::{Binaries, Host, Session, Underlay, Wiring, cluster, link, process};

use crate::record::{self, Kernel};

/// The oldest kernel that the programs can work on: the first that can encapsulate whole Ethernet frames.
const OLDEST: (u32, u32) = (5, 13);

/// What tests here and encryption need of a stock kernel beyond what the agent asks for itself.
const MODULES: [&str; 9] = [
    "esp4",
    "esp6",
    "gcm",
    "ip_vs",
    "sch_netem",
    "sctp",
    "virtio_net",
    "xfrm_user",
    "vxlan",
];

/// TCX links came with Linux 6.6.
pub(crate) fn has_tcx() -> bool {
    release() >= (6, 6)
}

/// Decapsulation of a packet of one family out of one of the other came with Linux 6.3.
pub(crate) fn has_mixed_decapsulation() -> bool {
    release() >= (6, 3)
}

/// netkit devices came with Linux 6.7.
fn has_netkit() -> bool {
    release() >= (6, 7)
}

/// Major and minor number of the kernel.
pub(crate) fn release() -> (u32, u32) {
    let text = name();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        unknown => panic!("{text}: {unknown:?}"),
    }
}

/// What the kernel calls itself.
pub(crate) fn name() -> String {
    let name = uname().expect("a kernel");
    name.release().to_string_lossy().into_owned()
}

/// Loads a module; that it is part of the kernel already is fine.
pub(crate) fn load(module: &str) {
    let loaded = process::run(Command::new("modprobe").arg(module));
    loaded.unwrap_or_else(|error| panic!("{module}: {error:#}"));
}

#[test]
fn modules_can_be_loaded() {
    for module in MODULES {
        load(module);
    }
    let pair = ["link", "add", "one", "type", "netkit"];
    let made = process::run(Command::new("ip").args(pair));
    assert_eq!(made.is_ok(), has_netkit(), "{made:?}");
}

#[test]
fn a_kernel_that_is_too_old_is_refused_with_the_reason() {
    let session = Session::for_test().expect("a session");
    let underlay = Underlay::build(&session, "u", &["a", "b"], Wiring::direct());
    let underlay = underlay.expect("an underlay");
    let config = cluster::config(underlay.machines());
    let binaries = Binaries::find().expect("binaries");
    let machine = &underlay.machines()[0];

    let started = Host::start(&session, "host", machine, &config, &binaries);

    if release() >= OLDEST {
        started.expect("started");
        return;
    }
    let error = format!("{:#}", started.expect_err("refused"));
    let reason = "lacks encapsulation of whole Ethernet frames; run Linux 5.13 or newer";
    assert!(error.contains(reason), "{error}");
    let links = link::list(&machine.namespace).expect("links");
    assert_eq!(links.len(), 2, "nothing is left: {links:?}");
    record::keep(&Kernel {
        release: name(),
        refused: Some(reason.to_owned()),
        ..Kernel::default()
    });
}
