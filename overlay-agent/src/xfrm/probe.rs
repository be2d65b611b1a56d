//! Whether the kernel can do what encryption takes.

use std::net::{IpAddr, Ipv4Addr};

use zeroize::Zeroizing;

use super::{Error, Kernel as _, Material, StateId, StateWish, XfrmSocket};

/// Adds a state that nothing uses and removes it. To be called in a namespace of its own.
pub fn probe() -> Result<(), Error> {
    let mut kernel = XfrmSocket::open()?;
    let spi = 0x100;
    let wish = StateWish {
        id: StateId {
            destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
            spi,
        },
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        mark: Some(1),
        material: Material {
            key: Zeroizing::new(rand::random()),
            spi,
        },
    };
    kernel.add(&wish)?;
    kernel.remove(wish.id)
}
