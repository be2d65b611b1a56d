//! The sockets at which containers ask.
//!
//! | task | takes | gives | ends |
//! |---|---|---|---|
//! | one for each address | datagrams and connections there | replies; its state | never; where it cannot listen it tries again |
//!
//! Not here: what answers are.

mod datagrams;
mod streams;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{
    net::{TcpListener, UdpSocket},
    sync::watch,
    task::JoinSet,
};
use tracing::{info, warn};

use super::Desk;

/// Time between two attempts to listen.
const AGAIN: Duration = Duration::from_secs(1);

/// Room for questions that wait: a burst of some ten thousand.
const RECEIVE_BUFFER: usize = 8 << 20;

/// Room for answers that are on their way into containers.
const SEND_BUFFER: usize = 2 << 20;

/// Why nobody answers at an address, by address; those at which somebody does have no reason.
pub type Doors = BTreeMap<IpAddr, Option<String>>;

/// Answers at every address, as soon as that is there. Ends only when it is dropped.
pub async fn serve(
    desk: Arc<Desk>,
    addresses: Vec<IpAddr>,
    port: u16,
    doors: watch::Sender<Doors>,
) {
    let doors = Arc::new(doors);
    let mut tasks = JoinSet::new();
    for address in addresses {
        let (desk, doors) = (Arc::clone(&desk), Arc::clone(&doors));
        tasks.spawn(async move { serve_at(desk, address, port, &doors).await });
    }
    while tasks.join_next().await.is_some() {}
    // Without an address there is nothing to do, for ever.
    std::future::pending::<()>().await;
}

async fn serve_at(desk: Arc<Desk>, address: IpAddr, port: u16, doors: &watch::Sender<Doors>) {
    let place = SocketAddr::new(address, port);
    let mut known: Option<String> = None;
    loop {
        match listen(place).await {
            Ok((datagrams, streams)) => {
                known = None;
                tell(doors, address, None);
                info!(%place, "answers questions for names");
                let ended = tokio::select! {
                    ended = datagrams::serve(Arc::clone(&desk), datagrams) => ended,
                    ended = streams::serve(Arc::clone(&desk), streams) => ended,
                };
                warn!(error = %ended, %place, "stopped answering; trying again");
            }
            Err(error) => {
                let reason = reason(place, &error);
                if known.as_ref() != Some(&reason) {
                    warn!(reason, "containers get no names there; trying again");
                    tell(doors, address, Some(reason.clone()));
                    known = Some(reason);
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn tell(doors: &watch::Sender<Doors>, address: IpAddr, reason: Option<String>) {
    doors.send_modify(|doors| {
        doors.insert(address, reason);
    });
}

async fn listen(place: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let datagrams = UdpSocket::bind(place).await?;
    // More than net.core.rmem_max takes a privilege; with less, bursts are lost sooner.
    let forced = setsockopt(&datagrams, sockopt::RcvBufForce, &RECEIVE_BUFFER);
    forced.or_else(|_forbidden| setsockopt(&datagrams, sockopt::RcvBuf, &RECEIVE_BUFFER))?;
    let forced = setsockopt(&datagrams, sockopt::SndBufForce, &SEND_BUFFER);
    forced.or_else(|_forbidden| setsockopt(&datagrams, sockopt::SndBuf, &SEND_BUFFER))?;
    Ok((datagrams, TcpListener::bind(place).await?))
}

/// Why nobody can listen at a place, and what to do.
fn reason(place: SocketAddr, error: &io::Error) -> String {
    let (address, port) = (place.ip(), place.port());
    if error.kind() == io::ErrorKind::AddrNotAvailable {
        return format!("{address} is on no device; the gateway device brings the usual ones");
    }
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!(
            "port {port} of {address} is in use by another program, perhaps on all addresses; \
             `ss -lntup sport = :{port}` names it"
        );
    }
    format!("listen at {place}: {error}")
}
