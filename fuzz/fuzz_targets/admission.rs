//! Whatever a container sends: nothing is read out of bounds, nothing admitted under a false name.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overlay_common::{address::Address, interface::Interface};
use overlay_ebpf::{
    admission::{self, Admitted},
    frame::Frame,
    path_mtu,
};

const MAC: [u8; 6] = [2, 0x42, 10, 0, 0, 1];

fuzz_target!(|bytes: &[u8]| {
    let interface = Interface {
        ipv4: Address::from_v4([10, 0, 0, 1]),
        ipv6: Address::from_v6([0xfd; 16]),
        vni: 7,
        mac: MAC,
        flags: 0,
        _reserved: [0; 4],
    };
    // The first check would turn away almost all of them.
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 14 {
        bytes[6..12].copy_from_slice(&MAC);
        let kind = usize::from(bytes[12]) % 3;
        bytes[12..14].copy_from_slice(&[[8, 0], [8, 6], [0x86, 0xdd]][kind]);
    }
    let frame = Frame(&bytes[..]);
    if let Ok(admitted) = admission::admit(&frame, &interface) {
        if let Admitted::Packet(packet) = admitted {
            assert!(!packet.is_v4 || bytes[26..30] == [10, 0, 0, 1]);
            let length = bytes.len() as u32;
            let _: Result<u32, _> = path_mtu::segment_length(&frame, &packet, length, 1398);
        }
    }
});
