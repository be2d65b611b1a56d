//! An agent without a kernel: remembers endpoints, tells fixed numbers.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, stream};
use ipnet::Ipv4Net;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    ApiError, Backend, Client, Listener, server,
    types::{
        AttachKind, AttachRequest, AuditReport, AuditSummary, Check, CheckVerdict, DropCount,
        EndpointInfo, EndpointState, Event, Explanation, MapUse, MissingFeature, Mode, NetworkInfo,
        NetworkPeer, Repair, Stats, Status, Step, StepVerdict, WalkCount,
    },
};
use crate::model::{Encap, MacAddress, NamespaceId, Vni};

/// Knows one network, `blue`, 10.1.0.0/24, number 4096.
#[derive(Debug, Default)]
pub(crate) struct FakeBackend {
    endpoints: Mutex<Vec<EndpointInfo>>,
    hangs: bool,
    is_ill: bool,
}

/// The number of the only network.
pub(crate) fn blue() -> Vni {
    Vni::try_from(4096).unwrap()
}

/// The `n`-th endpoint, as the fake makes it.
pub(crate) fn endpoint(n: u8, name: &str, netns: PathBuf) -> EndpointInfo {
    let address = Ipv4Addr::new(10, 1, 0, n + 1);
    EndpointInfo {
        id: format!("{n:02x}").repeat(32),
        name: name.to_owned(),
        network: "blue".to_owned(),
        vni: blue(),
        ipv4: Some(Ipv4Net::new(address, 24).unwrap()),
        ipv6: None,
        mac: MacAddress::derived(address.into()),
        mtu: 1450,
        netns,
        namespace: NamespaceId {
            device: 4,
            inode: 4_026_532_000 + u64::from(n),
        },
        host_interface: format!("ov{n:02x}"),
        host_ifindex: u32::from(n),
        interface: "eth0".to_owned(),
        created: 1_763_823_600,
        state: EndpointState::Up,
        conflict: None,
    }
}

/// The `n`-th event.
pub(crate) fn event(n: u64) -> Event {
    Event {
        unix_ns: 1_763_823_600_000_000_000 + n,
        place: "from_container".to_owned(),
        reason: "no-route".to_owned(),
        interface: "ov01".to_owned(),
        endpoint: Some("web".to_owned()),
        network: Some("blue".to_owned()),
        source: Some(IpAddr::from([10, 1, 0, 2])),
        destination: Some(IpAddr::from([10, 1, 0, 99])),
        length: 98,
        sample: 1,
    }
}

impl FakeBackend {
    /// One that answers nothing.
    pub(crate) fn hanging() -> Self {
        Self {
            hangs: true,
            ..Self::default()
        }
    }

    /// One that says that something is wrong wherever it has the choice.
    pub(crate) fn ill() -> Self {
        Self {
            is_ill: true,
            ..Self::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EndpointInfo>> {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn think(&self) {
        if self.hangs {
            std::future::pending::<()>().await;
        }
    }

    fn blue(&self, is_whole: bool) -> NetworkInfo {
        let containers = self.lock().iter().map(Into::into).collect();
        let peer = NetworkPeer {
            name: "b".to_owned(),
            address: IpAddr::from([192, 0, 2, 2]),
            blocks: vec!["10.1.0.64/26".parse().unwrap()],
            endpoints: 1,
        };
        NetworkInfo {
            name: "blue".to_owned(),
            vni: blue(),
            subnets: vec!["10.1.0.0/24".parse().unwrap()],
            gateways: vec![IpAddr::from([10, 1, 0, 1])],
            mtu: 1450,
            containers: if is_whole { containers } else { Vec::new() },
            peers: if is_whole { vec![peer] } else { Vec::new() },
        }
    }
}

fn no_network(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no network `{name}`"))
        .with_help("`overlay network ls` shows them")
}

impl Backend for FakeBackend {
    async fn status(&self) -> Result<Status, ApiError> {
        self.think().await;
        Ok(Status {
            node: "a".to_owned(),
            mode: Mode::Static,
            version: "0.1.0".to_owned(),
            pid: 4711,
            uptime_s: 3725,
            abi: 1,
            kernel: "6.18.44".to_owned(),
            attach: AttachKind::Tcx,
            encap: Encap::Native,
            port: 4789,
            address: IpAddr::from([192, 0, 2, 1]),
            endpoints: self.lock().len() as u64,
            networks: 1,
            peers: 2,
            routes: 1,
            blocks: 3,
            programmed_ms: 4,
            maps: vec![MapUse {
                name: "ROUTE".to_owned(),
                entries: 1,
                max_entries: 65_536,
                bytes: 7_340_032,
            }],
            audit: AuditSummary {
                runs: 12,
                last_unix_s: Some(1_763_823_600),
                repaired_total: 3,
                last_repaired: 0,
            },
            missing_features: vec![MissingFeature {
                feature: "netkit (Linux 6.7)".to_owned(),
                costs: "round trips are a quarter longer".to_owned(),
            }],
        })
    }

    async fn endpoints(&self) -> Result<Vec<EndpointInfo>, ApiError> {
        Ok(self.lock().clone())
    }

    async fn attach(&self, request: AttachRequest) -> Result<EndpointInfo, ApiError> {
        if request.network != "blue" {
            return Err(no_network(&request.network));
        }
        let mut endpoints = self.lock();
        if endpoints
            .iter()
            .any(|endpoint| endpoint.name == request.name)
        {
            let error = format!("`{}` is already in network `blue`", request.name);
            return Err(ApiError::conflict(error).with_help("choose another --name"));
        }
        let n = endpoints.len() as u8 + 1;
        let mut made = endpoint(n, &request.name, request.netns);
        for address in request.addresses {
            match address {
                IpAddr::V4(v4) => made.ipv4 = Ipv4Net::new(v4, 24).ok(),
                IpAddr::V6(_) => return Err(ApiError::bad_request("`blue` has no IPv6 subnet")),
            }
        }
        made.mac = request.mac.unwrap_or(made.mac);
        endpoints.push(made.clone());
        Ok(made)
    }

    async fn detach(
        &self,
        name: String,
        network: Option<String>,
    ) -> Result<Vec<EndpointInfo>, ApiError> {
        let mut endpoints = self.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = endpoints.drain(..).partition(|endpoint| {
            let is_named = endpoint.name == name || endpoint.id.starts_with(&name);
            is_named
                && network
                    .as_ref()
                    .is_none_or(|network| *network == endpoint.network)
        });
        *endpoints = kept;
        if gone.is_empty() {
            return Err(
                ApiError::not_found(format!("there is no endpoint `{name}`"))
                    .with_help("`overlay endpoint ls` shows them"),
            );
        }
        Ok(gone)
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ApiError> {
        Ok(vec![self.blue(false)])
    }

    async fn network(&self, name: String) -> Result<NetworkInfo, ApiError> {
        if name == "blue" {
            Ok(self.blue(true))
        } else {
            Err(no_network(&name))
        }
    }

    async fn stats(&self) -> Result<Stats, ApiError> {
        let drop = |reason: &str, number, packets| DropCount {
            reason: reason.to_owned(),
            number,
            packets,
            bytes: packets * 98,
            hint: format!("what to do about {reason}"),
        };
        Ok(Stats {
            walks: vec![WalkCount {
                walk: "local".to_owned(),
                packets: 1000,
                bytes: 98_000,
            }],
            drops: vec![drop("malformed", 1, 0), drop("no-route", 5, 7)],
            events_lost: 2,
        })
    }

    fn events(&self) -> impl Stream<Item = Event> + Send + use<> {
        stream::unfold(0, async |n| {
            if n == 3 {
                std::future::pending::<()>().await;
            }
            Some((event(n), n + 1))
        })
    }

    async fn explain(
        &self,
        source: String,
        destination: String,
        network: Option<String>,
    ) -> Result<Explanation, ApiError> {
        let arrives = !self.is_ill;
        let step = |step: &str, verdict, detail: &str| Step {
            step: step.to_owned(),
            verdict,
            detail: detail.to_owned(),
        };
        let last = if arrives {
            step("route", StepVerdict::Ok, "block 10.1.0.64/26 of node b")
        } else {
            step(
                "route",
                StepVerdict::Stop,
                "nobody has it; see `overlay network inspect blue`",
            )
        };
        Ok(Explanation {
            source,
            destination,
            network: network.unwrap_or_else(|| "blue".to_owned()),
            arrives,
            steps: vec![
                step("source", StepVerdict::Ok, "web sends as 10.1.0.2"),
                step(
                    "MTU",
                    StepVerdict::Note,
                    "packets over 1450 bytes are refused",
                ),
                last,
            ],
        })
    }

    async fn doctor(&self) -> Result<Vec<Check>, ApiError> {
        let check = |name: &str, verdict, detail: &str, remedy: Option<&str>| Check {
            name: name.to_owned(),
            verdict,
            detail: detail.to_owned(),
            remedy: remedy.map(str::to_owned),
        };
        let mut checks = vec![
            check("kernel", CheckVerdict::Ok, "6.18.44", None),
            check(
                "netkit",
                CheckVerdict::Warn,
                "not in this kernel",
                Some("use Linux 6.7 or newer"),
            ),
        ];
        if self.is_ill {
            let remedy = Some("stop what uses it, or set datapath.port");
            checks.push(check("port", CheckVerdict::Fail, "4789 is taken", remedy));
        }
        Ok(checks)
    }

    async fn audit(&self) -> Result<AuditReport, ApiError> {
        Ok(AuditReport {
            checked: 42,
            repaired: vec![Repair {
                kind: "ROUTE".to_owned(),
                object: "10.1.0.200 of blue".to_owned(),
                action: "added".to_owned(),
            }],
            duration_ms: 3,
        })
    }
}

/// A fake agent that listens; it stops when this is dropped.
pub(crate) struct FakeAgent {
    directory: TempDir,
    pub(crate) cancel: CancellationToken,
    serving: JoinSet<()>,
}

impl FakeAgent {
    pub(crate) fn start(backend: FakeBackend) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let listener = Listener::bind(directory.path()).unwrap();
        let mut serving = JoinSet::new();
        let until = cancel.clone();
        serving.spawn(async move {
            let grace = Duration::from_millis(300);
            server::serve_with(listener, Arc::new(backend), until, grace)
                .await
                .unwrap();
        });
        Self {
            directory,
            cancel,
            serving,
        }
    }

    pub(crate) fn run_dir(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.run_dir())
    }

    pub(crate) async fn stopped(mut self) -> Duration {
        let start = tokio::time::Instant::now();
        self.cancel.cancel();
        self.serving.join_next().await.unwrap().unwrap();
        start.elapsed()
    }
}
