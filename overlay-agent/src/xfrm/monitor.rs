//! News of what others change in the kernel's xfrm.

use std::io;

use netlink_packet_xfrm::constants::{XFRMNLGRP_POLICY, XFRMNLGRP_SA};
use netlink_sys::{
    AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket, protocols::NETLINK_XFRM,
};
use nix::libc;
use zeroize::Zeroizing;

use super::Error;

/// As long as a datagram can be; what does not fit is of no interest.
const DATAGRAM_LENGTH: usize = 32 << 10;

/// Wakes up whenever states or policies change, by whomever.
pub struct Monitor {
    socket: TokioSocket,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Monitor {
    /// Watches the calling thread's network namespace.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn open() -> Result<Self, Error> {
        let open = || {
            let mut socket = TokioSocket::new(NETLINK_XFRM)?;
            socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
            for group in [XFRMNLGRP_SA, XFRMNLGRP_POLICY] {
                socket.socket_mut().add_membership(group)?;
            }
            Ok(Self { socket })
        };
        open().map_err(failed)
    }

    /// Waits for the next change. Loses nothing if it is cancelled.
    pub async fn changed(&mut self) -> Result<(), Error> {
        // The kernel tells keys as well.
        let mut buffer = Zeroizing::new(vec![0; DATAGRAM_LENGTH]);
        match self.socket.recv(&mut &mut buffer[..]).await {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn failed(source: io::Error) -> Error {
    Error::Refused {
        operation: "watch the kernel's xfrm".to_owned(),
        remark: None,
        source,
    }
}
