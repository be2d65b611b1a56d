//! Whom to ask: the resolvers of the host, whenever its configuration changes.
//!
//! Input: the file, looked at every second. Output: the resolvers. Ends never by itself.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::net::if_::if_nametoindex;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::dns::resolv_conf::{ResolvConf, Server};

const PORT: u16 = 53;
const LOOK: Duration = Duration::from_secs(1);
/// As with Docker.
const MOST: usize = 3;

/// The resolvers at this moment.
#[derive(Clone, Debug)]
pub struct Servers(watch::Receiver<Arc<[SocketAddr]>>);

impl Servers {
    /// Always these.
    pub fn fixed(servers: &[SocketAddr]) -> Self {
        let servers = servers.iter().copied().take(MOST).collect();
        Self(watch::channel(servers).1)
    }

    /// Those of a file, as long as the other part of the pair runs.
    pub fn of_file(path: &Path, own: &[IpAddr]) -> (Self, Follower) {
        let mut follower = Follower {
            path: path.to_owned(),
            own: own.to_vec(),
            text: None,
            servers: watch::channel(Arc::default()).0,
        };
        follower.look();
        (Self(follower.servers.subscribe()), follower)
    }

    /// Those to ask now, the first one first.
    pub fn now(&self) -> Arc<[SocketAddr]> {
        Arc::clone(&self.0.borrow())
    }
}

/// Follows a file.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    /// Where we answer ourselves: asking there would go round in circles.
    own: Vec<IpAddr>,
    text: Option<String>,
    servers: watch::Sender<Arc<[SocketAddr]>>,
}

impl Follower {
    /// Looks at it again and again.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    pub(super) fn look(&mut self) {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            // Half-written or out of reach: what was there goes on.
            Err(_) => return,
        };
        if self.text.as_ref() == Some(&text) {
            return;
        }
        let servers: Vec<SocketAddr> = ResolvConf::parse(&text)
            .servers
            .iter()
            .filter_map(place)
            .filter(|server| !self.own.contains(&server.ip()))
            .collect();
        if servers.is_empty() {
            warn!(file = %self.path.display(), "names no resolver; names outside the cluster are not answered");
        } else {
            info!(resolvers = servers.len(), file = %self.path.display(), "resolvers for names outside the cluster");
        }
        self.text = Some(text);
        self.servers.send_replace(servers.into());
    }
}

fn place(server: &Server) -> Option<SocketAddr> {
    let Some(scope) = &server.scope else {
        return Some(SocketAddr::new(server.address, PORT));
    };
    let IpAddr::V6(address) = server.address else {
        return None;
    };
    let scope = scope
        .parse()
        .ok()
        .or_else(|| if_nametoindex(scope.as_str()).ok())?;
    Some(SocketAddrV6::new(address, PORT, 0, scope).into())
}
