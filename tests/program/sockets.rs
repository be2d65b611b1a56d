//! Programs at sockets: the verifier takes them, whatever the configuration leaves of them.

use std::path::Path;

use aya::{EbpfLoader, programs::CgroupSockAddr};
use overlay_common::{abi, address::Address, config::Config};

use crate::fixture;

fn config(set_retval: u16) -> Config {
    Config {
        local_ipv4: Address::UNSPECIFIED,
        local_ipv6: Address::UNSPECIFIED,
        tunnel_ifindex: 1,
        event_sample: 1,
        port: 4789,
        source_port_first: 32_768,
        source_port_last: 60_999,
        decap_l3: 0,
        set_retval,
        packet_lb: 1,
        mark: overlay_common::encryption::MARK,
    }
}

fn load(set_retval: u16) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bpf/overlay.o");
    let bytes = std::fs::read(&path).expect("the object; run `cargo xtask build-ebpf`");
    let pins = fixture::pin_directory();
    let mut object = EbpfLoader::new()
        .override_global(abi::CONFIG, &config(set_retval), true)
        .default_map_pin_directory(&pins)
        .load(&bytes)
        .expect("load the object");
    for name in abi::program::SOCKET {
        let program = object.program_mut(name).expect(name);
        let program: &mut CgroupSockAddr = program.try_into().expect(name);
        if let Err(error) = program.load() {
            panic!("{name}: {error:?}");
        }
    }
    std::fs::remove_dir_all(&pins).expect("remove the pins");
}

#[test]
fn the_verifier_takes_the_programs_where_they_can_say_why_they_refuse() {
    load(1);
}

#[test]
fn the_verifier_takes_the_programs_where_they_cannot() {
    load(0);
}
