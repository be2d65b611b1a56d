//! A server of datagrams: answers each with its beginning and the server's own name.

use std::{
    io::ErrorKind,
    net::{Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::Namespace;

/// How often it looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(20);

/// Bytes of a question that its answer begins with.
const NUMBER: usize = 4;

/// Answers on both families until dropped.
#[derive(Debug)]
pub struct UdpServer {
    stop: Arc<AtomicBool>,
    clients: Arc<Mutex<Vec<SocketAddr>>>,
    answering: Option<JoinHandle<()>>,
}

impl UdpServer {
    /// Listens on `port` inside `namespace`.
    pub fn start(namespace: &Namespace, port: u16, name: &str) -> Result<Self> {
        let socket = namespace.run(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)))?;
        let socket = socket.with_context(|| format!("listening on UDP port {port}"))?;
        socket.set_read_timeout(Some(LOOK))?;
        let stop = Arc::new(AtomicBool::new(false));
        let clients = Arc::new(Mutex::new(Vec::new()));
        let answering = thread::spawn({
            let (stop, clients, name) = (Arc::clone(&stop), Arc::clone(&clients), name.to_owned());
            move || answer(&socket, &name, &stop, &clients)
        });
        Ok(Self {
            stop,
            clients,
            answering: Some(answering),
        })
    }

    /// Where datagrams came from so far, in their order.
    pub fn clients(&self) -> Vec<SocketAddr> {
        let clients = self.clients.lock();
        clients.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(self.answering.take().map(JoinHandle::join));
    }
}

fn answer(socket: &UdpSocket, name: &str, stop: &AtomicBool, clients: &Mutex<Vec<SocketAddr>>) {
    let mut datagram = [0; 2048];
    while !stop.load(Ordering::SeqCst) {
        match socket.recv_from(&mut datagram) {
            Ok((length, from)) => {
                let number = &datagram[..length.min(NUMBER)];
                let from_client = SocketAddr::new(from.ip().to_canonical(), from.port());
                let mut known = clients.lock().unwrap_or_else(PoisonError::into_inner);
                known.push(from_client);
                drop(known);
                // Whoever has gone meanwhile is not waited for.
                drop(socket.send_to(&[number, name.as_bytes()].concat(), from));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // An ICMP error about an earlier answer.
            Err(_) => {}
        }
    }
}
