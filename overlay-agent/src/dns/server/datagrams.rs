//! Questions in datagrams.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::{net::UdpSocket, task::JoinSet};
use tracing::debug;

use crate::dns::{
    Desk,
    desk::{Carrier, Step},
    wire::LONGEST_MESSAGE,
};

/// Datagrams that are taken before other tasks get a turn.
const BATCH: usize = 64;

/// Answers until the socket fails; returns why.
pub(super) async fn serve(desk: Arc<Desk>, socket: UdpSocket) -> io::Error {
    let socket = Arc::new(socket);
    let mut errands = JoinSet::new();
    let mut buffer = vec![0; LONGEST_MESSAGE.into()];
    loop {
        if let Err(error) = socket.readable().await {
            return error;
        }
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, source)) => {
                    take(&desk, &socket, &buffer[..length], source, &mut errands);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Others' errors that ICMP brought, which are none of this socket.
                Err(error) => debug!(%error, "a datagram could not be received"),
            }
        }
        while errands.try_join_next().is_some() {}
        tokio::task::yield_now().await;
    }
}

fn take(
    desk: &Arc<Desk>,
    socket: &Arc<UdpSocket>,
    message: &[u8],
    source: SocketAddr,
    errands: &mut JoinSet<()>,
) {
    match desk.take(message, source.ip(), Carrier::Datagram) {
        Step::Nothing => {}
        Step::Reply(reply) => send(desk, socket, &reply, source),
        Step::Ask(errand) => {
            let (desk, socket) = (Arc::clone(desk), Arc::clone(socket));
            errands.spawn(async move {
                if let Some(reply) = desk.run(*errand).await {
                    send(&desk, &socket, &reply, source);
                }
            });
        }
    }
}

fn send(desk: &Desk, socket: &UdpSocket, reply: &[u8], to: SocketAddr) {
    // Whoever asked asks again.
    if let Err(error) = socket.try_send_to(reply, to) {
        desk.counters.dropped.add();
        debug!(%error, "a reply could not be sent");
    }
}
