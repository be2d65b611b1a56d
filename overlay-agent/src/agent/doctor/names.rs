//! Names for containers.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use super::{ok, some_of, warn};
use crate::{agent::shared::Shared, api::types::Check};

/// How long all resolvers together have to answer.
const PATIENCE: Duration = Duration::from_millis(800);

/// Who answers for the root, which every resolver knows: one question, recursion wanted.
const QUESTION: [u8; 17] = [
    0x6f, 0x76, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1,
];

/// Whether containers get answers.
pub(super) fn server(shared: &Shared) -> Check {
    const NAME: &str = "names";
    let settings = &shared.settings.dns;
    if !settings.enabled {
        return ok(NAME, "switched off (dns.enabled)");
    }
    let doors = shared.names.state().doors;
    let problems: Vec<String> = doors.values().flatten().cloned().collect();
    if !problems.is_empty() {
        return warn(
            NAME,
            some_of(&problems),
            "free the port, or set dns.addresses; the agent tries again every second",
        );
    }
    let places: Vec<String> = doors.keys().map(ToString::to_string).collect();
    if places.len() < settings.addresses.len() {
        return warn(NAME, "not answered yet", "look again in a second");
    }
    ok(NAME, format!("answered at {}", some_of(&places)))
}

/// Whether somebody answers for the rest of the world.
pub(super) fn resolvers(shared: &Shared) -> Check {
    const NAME: &str = "resolvers";
    if !shared.settings.dns.enabled {
        return ok(NAME, "none are asked: dns.enabled is off");
    }
    let servers = shared.names.state().servers;
    if servers.is_empty() {
        return warn(
            NAME,
            "there is none, so containers learn no names outside the cluster",
            "name one in /etc/resolv.conf, or in dns.upstream",
        );
    }
    let names = |servers: &[SocketAddr]| {
        let names: Vec<String> = servers.iter().map(ToString::to_string).collect();
        some_of(&names)
    };
    let silent = silent(&servers);
    if silent.is_empty() {
        return ok(NAME, format!("{} answer", names(&servers)));
    }
    warn(
        NAME,
        format!("no answer from {} within {PATIENCE:?}", names(&silent)),
        "containers wait longer for names outside the cluster; correct /etc/resolv.conf or dns.upstream",
    )
}

/// Those who do not answer. All are asked at once.
fn silent(servers: &[SocketAddr]) -> Vec<SocketAddr> {
    let deadline = Instant::now() + PATIENCE;
    let asked: Vec<(SocketAddr, io::Result<UdpSocket>)> = servers
        .iter()
        .map(|server| (*server, ask(*server)))
        .collect();
    let silent = asked.into_iter().filter(|(_, socket)| match socket {
        Ok(socket) => !answers(socket, deadline),
        Err(_) => true,
    });
    silent.map(|(server, _)| server).collect()
}

fn ask(server: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    socket.connect(server)?;
    socket.send(&QUESTION)?;
    Ok(socket)
}

fn answers(socket: &UdpSocket, deadline: Instant) -> bool {
    // Those asked first have used the time of the others up, but not their answers.
    let left = deadline.saturating_duration_since(Instant::now());
    let wait = left.max(Duration::from_millis(1));
    let mut reply = [0; 512];
    socket.set_read_timeout(Some(wait)).is_ok() && socket.recv(&mut reply).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_resolver_is_found() {
        let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let awake = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let servers = [deaf.local_addr().unwrap(), awake.local_addr().unwrap()];
        let answering = std::thread::spawn(move || {
            let mut question = [0; 512];
            let (length, from) = awake.recv_from(&mut question).unwrap();
            awake.send_to(&question[..length], from).unwrap();
        });

        assert_eq!(silent(&servers), [servers[0]]);
        answering.join().unwrap();
    }
}
