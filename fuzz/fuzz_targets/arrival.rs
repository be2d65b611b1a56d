//! Whatever the underlay brings: nothing is read out of bounds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overlay_ebpf::{
    arrival::{self, INNER_V4, INNER_V6, Outer},
    frame::Frame,
};

fuzz_target!(|bytes: &[u8]| {
    let frame = Frame(bytes);
    if let Ok(Outer::Vxlan(carrier)) = arrival::outer_v4(&frame, [192, 0, 2, 1], 4789) {
        assert!(carrier.vni < 1 << 24);
        let _: Result<_, _> = arrival::inner::<_, INNER_V4>(&frame);
    }
    if let Ok(Outer::Vxlan(carrier)) = arrival::outer_v6(&frame, [0x20; 16], 4789) {
        assert!(carrier.vni < 1 << 24);
        let _: Result<_, _> = arrival::inner::<_, INNER_V6>(&frame);
    }
    let _: Result<_, _> = arrival::inner::<_, 0>(&frame);
});
