use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

mod tasks;

use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
    time,
};

use super::{
    Follower, Handle, News,
    fake::{FakeAnnounce, FakeLeases},
    follower::Surroundings,
    idle,
};
use crate::{
    agent::{
        addresses::Need,
        directory::Directory,
        owner::Command,
        testing::{attachment, blue},
    },
    api::{ErrorKind, types::Event},
    control::planner::{Cluster, Plan, testing as services},
    model::{
        Attachment, Availability, Claim, ClusterNetwork, ClusterService, ClusterView, Exact, Lease,
        Member, Network, NetworkId, NodeId, Place, PublishMode, Role, ServiceChange, TaskState,
        Vni,
    },
};

fn id(number: u8) -> NodeId {
    NodeId::from_random(number.into())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn member(number: u8) -> Member {
    let address = IpAddr::from([192, 0, 2, number]);
    Member {
        id: id(number),
        hostname: format!("n{number}"),
        role: Role::Worker,
        availability: Availability::Active,
        labels: BTreeMap::new(),
        data_path: address,
        gossip: SocketAddr::new(address, 7946),
        control: SocketAddr::new(address, 2377),
        joined: 0,
    }
}

fn network(name: &str, vni: Vni, attachable: bool) -> ClusterNetwork {
    ClusterNetwork {
        ingress: false,
        id: NetworkId::from_random(u32::from(vni).into()),
        network: Network {
            name: name.to_owned(),
            vni,
            subnets: vec!["10.1.0.0/24".parse().unwrap()],
            gateways: vec![ip("10.1.0.1")],
            mtu: None,
        },
        ranges: Vec::new(),
        attachable,
        internal: false,
        encrypted: false,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        created: 0,
    }
}

/// Nodes 1 (this one) and 2; networks `blue`, and `tasks`, which is not attachable.
fn view(index: u64) -> ClusterView {
    let tasks = Vni::try_from(4097).unwrap();
    ClusterView {
        index,
        members: [1, 2].map(|number| (id(number), member(number))).into(),
        networks: BTreeMap::from([
            (blue(), network("blue", blue(), true)),
            (tasks, network("tasks", tasks, false)),
        ]),
        data_path_port: 4789,
        ..ClusterView::default()
    }
}

fn lease(block: &str, node: u8, index: u64) -> Lease {
    Lease {
        vni: blue(),
        block: block.parse().unwrap(),
        node: id(node),
        index,
    }
}

/// A cluster of no node yet, with one network, which is encrypted.
pub(in crate::agent::swarm) fn encrypted_view(vni: u32) -> ClusterView {
    let vni = Vni::try_from(vni).unwrap();
    let encrypted = ClusterNetwork {
        encrypted: true,
        ..network("secret", vni, true)
    };
    ClusterView {
        networks: BTreeMap::from([(vni, encrypted)]),
        ..ClusterView::default()
    }
}

/// A node of this number.
pub(in crate::agent::swarm) fn member_at(number: u8) -> Member {
    member(number)
}

fn place(address: &str) -> Place {
    Place {
        vni: blue(),
        address: ip(address),
    }
}

/// What the owner was told.
#[derive(Debug, Default)]
struct Told {
    plans: Vec<Plan>,
    moved: Vec<(Place, Option<Exact>)>,
    isolated: Vec<String>,
    balanced: Vec<ServiceChange>,
    believes_no_more: bool,
    directory: Directory,
}

impl Told {
    fn obey(&mut self, command: Command) {
        match command {
            Command::Follow(plan, answer) => {
                self.plans.push(plan);
                answer.send(()).unwrap();
            }
            Command::Reroute(moved) => self.moved.extend(moved),
            Command::Balance(changes) => self.balanced.extend(changes),
            Command::Disbelieve => self.believes_no_more = true,
            Command::Isolate(place, reason, answer) => {
                let found = self.directory.at(place).cloned();
                let cut_off = found.map(|found| {
                    Arc::new(Attachment {
                        conflict: Some(reason.clone()),
                        ..(*found).clone()
                    })
                });
                self.isolated.push(reason);
                answer.send(cut_off).unwrap();
            }
            Command::Attach(..)
            | Command::Detach(..)
            | Command::Expect(..)
            | Command::Repair(..)
            | Command::LinkGone(..)
            | Command::Sweep
            | Command::Refresh => panic!("{command:?}"),
        }
    }
}

struct World {
    news: mpsc::UnboundedSender<News>,
    handle: Handle,
    told: Arc<Mutex<Told>>,
    leases: Arc<FakeLeases>,
    announce: FakeAnnounce,
    events: broadcast::Receiver<Event>,
    _tasks: JoinSet<()>,
}

impl World {
    /// A follower of this view, with these endpoints.
    fn new(view: ClusterView, endpoints: &[Attachment]) -> Self {
        let mut directory = Directory::default();
        for endpoint in endpoints {
            directory.insert(endpoint.clone());
        }
        let endpoints = directory.all();
        let told = Arc::new(Mutex::new(Told {
            directory,
            ..Told::default()
        }));
        let leases = Arc::new(FakeLeases::default());
        leases.state().node = 1;
        leases.state().index = view.index;
        let announce = FakeAnnounce::default();
        let (commands, mut queue) = mpsc::channel(16);
        let (sender, events) = broadcast::channel(16);
        let (news, hear) = mpsc::unbounded_channel();
        let surroundings = Surroundings {
            endpoints,
            in_use: Arc::new({
                let told = Arc::clone(&told);
                move |lease: &Lease| lock(&told).directory.uses(lease)
            }),
            commands,
            events: sender,
            leases: Arc::clone(&leases),
            announce: Box::new(announce.clone()),
            checks: watch::channel(BTreeMap::new()).0,
        };
        let follower = Follower::new(Cluster::new(id(1), Arc::new(view)), surroundings);
        let mut tasks = JoinSet::new();
        tasks.spawn(follower.run(hear));
        let owner = Arc::clone(&told);
        tasks.spawn(async move {
            while let Some(command) = queue.recv().await {
                lock(&owner).obey(command);
            }
        });
        Self {
            handle: Handle::new(news.clone()),
            news,
            told,
            leases,
            announce,
            events,
            _tasks: tasks,
        }
    }

    fn hear(&self, news: News) {
        self.news.send(news).unwrap();
    }

    /// Lets everything that is ready run; takes no time.
    async fn settle(&self) {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }

    fn plan(&self) -> Plan {
        lock(&self.told).plans.last().unwrap().clone()
    }

    fn attach(&self, number: u8) {
        let attachment = Arc::new(attachment(number));
        lock(&self.told).directory.insert(Arc::clone(&attachment));
        self.hear(News::Attached(attachment));
    }

    fn detach(&self, number: u8) {
        let attachment = lock(&self.told).directory.remove(&attachment(number).id);
        self.hear(News::Detached(attachment.unwrap()));
    }
}

fn lock(told: &Mutex<Told>) -> std::sync::MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test(start_paused = true)]
async fn a_network_exists_from_its_first_endpoint_to_its_last() {
    let world = World::new(view(5), &[]);
    world.settle().await;
    assert!(world.plan().desired.networks.is_empty());

    world.leases.state().free = vec!["10.1.0.0/26".parse().unwrap()];
    let stay = world.handle.admit("blue", None).await.unwrap();
    assert_eq!(world.plan().desired.networks.len(), 1, "before it attaches");
    let need = Need::Any { is_ipv4: true };
    world.handle.lease(stay.vni(), need).await.unwrap();
    let block = "10.1.0.0/26".parse().unwrap();
    let plan = world.plan();
    assert_eq!(plan.desired.this_node().unwrap().blocks[&blue()], [block]);
    world.attach(1);
    drop(stay);
    world.settle().await;
    assert_eq!(
        world.announce.take(),
        ["attend 4096", "claim 4096 10.1.0.2 for c1 by 6"]
    );

    world.attach(2);
    world.detach(1);
    world.settle().await;
    assert_eq!(
        world.announce.take(),
        ["withdraw 4096 10.1.0.2", "claim 4096 10.1.0.3 for c2 by 6"]
    );
    assert_eq!(world.plan().desired.networks.len(), 1);

    world.detach(2);
    world.settle().await;
    assert_eq!(
        world.announce.take(),
        ["withdraw 4096 10.1.0.3", "leave 4096"]
    );
    let plan = world.plan();
    assert!(plan.desired.networks.is_empty());
    assert!(plan.desired.this_node().unwrap().blocks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_leaves_no_network_behind() {
    let world = World::new(view(5), &[]);

    drop(world.handle.admit("blue", None).await.unwrap());
    world.settle().await;

    assert!(world.plan().desired.networks.is_empty());
    assert_eq!(world.announce.take(), ["attend 4096", "leave 4096"]);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_come_is_told_why() {
    let world = World::new(view(5), &[]);

    let unknown = world.handle.admit("red", None).await.unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::NotFound);
    let tasks = world.handle.admit("tasks", None).await.unwrap_err();
    assert!(
        tasks
            .error
            .ends_with("network tasks not manually attachable"),
        "{tasks}"
    );

    for availability in [Availability::Pause, Availability::Drain] {
        let mut view = view(6);
        view.members.get_mut(&id(1)).unwrap().availability = availability;
        let world = World::new(view, &[]);
        let refused = world.handle.admit("blue", None).await.unwrap_err();
        assert!(
            refused.error.contains(&availability.to_string()),
            "{refused}"
        );
        assert!(refused.help.is_some());
    }
    world.hear(News::View(Arc::new(ClusterView {
        members: BTreeMap::new(),
        ..view(9)
    })));
    let removed = world.handle.admit("blue", None).await.unwrap_err();
    assert!(removed.error.contains("was removed"), "{removed}");
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_come_together_share_a_lease() {
    let world = World::new(view(5), &[]);
    world.leases.state().free = vec!["10.1.0.0/26".parse().unwrap()];
    let _stay = world.handle.admit("blue", None).await.unwrap();
    let need = Need::Any { is_ipv4: true };

    let (first, second) = tokio::join!(
        world.handle.lease(blue(), need),
        world.handle.lease(blue(), need)
    );

    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(world.leases.state().asked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_managers_reaches_the_user() {
    let world = World::new(view(5), &[]);
    let _stay = world.handle.admit("blue", None).await.unwrap();
    let any = Need::Any { is_ipv4: true };

    let full = world.handle.lease(blue(), any).await.unwrap_err();
    assert_eq!(full.error, "the network is full");

    world.leases.state().is_away = true;
    let exact = Need::Exact(ip("10.1.0.9"));
    let away = world.handle.lease(blue(), exact).await.unwrap_err();
    assert_eq!(away.error, "no manager answers");
}

#[tokio::test(start_paused = true)]
async fn a_taken_address_is_refused_with_its_holder() {
    let world = World::new(view(5), &[]);
    let _stay = world.handle.admit("blue", None).await.unwrap();
    let web = Claim {
        aliases: Vec::new(),
        task: None,
        vni: blue(),
        address: ip("10.1.0.9"),
        name: "web".to_owned(),
        endpoint: "ab".to_owned(),
        mac: None,
        index: 3,
    };
    world.hear(News::Claims(vec![(place("10.1.0.9"), Some((id(2), web)))]));

    let exact = Need::Exact(ip("10.1.0.9"));
    let refused = world.handle.lease(blue(), exact).await.unwrap_err();

    assert_eq!(
        refused.error,
        "10.1.0.9 is taken by endpoint web of node n2"
    );
    assert_eq!(world.leases.state().asked, 0);
}

#[tokio::test(start_paused = true)]
async fn one_claim_is_one_change() {
    let mut view = view(5);
    view.leases = BTreeSet::from([lease("10.1.0.0/26", 1, 1), lease("10.1.0.64/26", 2, 2)]);
    let world = World::new(view, &[attachment(1)]);
    world.settle().await;
    let plans = lock(&world.told).plans.len();
    let claim = |address: &str| Claim {
        aliases: Vec::new(),
        task: None,
        vni: blue(),
        address: ip(address),
        name: "web".to_owned(),
        endpoint: "ab".to_owned(),
        mac: None,
        index: 3,
    };

    let in_block = (place("10.1.0.70"), Some((id(2), claim("10.1.0.70"))));
    let outside = (place("10.1.0.200"), Some((id(2), claim("10.1.0.200"))));
    world.hear(News::Claims(vec![in_block, outside]));
    world.settle().await;

    let told = lock(&world.told);
    let exact = Exact {
        node: ip("192.0.2.2"),
        mac: None,
    };
    assert_eq!(told.moved, [(place("10.1.0.200"), Some(exact))]);
    assert_eq!(told.plans.len(), plans);
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_a_failed_node_go_and_come_back() {
    let mut view = view(5);
    view.leases = BTreeSet::from([lease("10.1.0.64/26", 2, 2)]);
    let world = World::new(view, &[attachment(1)]);
    let blocks = |plan: Plan| plan.desired.node_at(ip("192.0.2.2")).unwrap().blocks.len();

    world.hear(News::Failed([id(2)].into()));
    world.settle().await;
    assert_eq!(blocks(world.plan()), 0);

    world.hear(News::Failed(BTreeSet::new()));
    world.settle().await;
    assert_eq!(blocks(world.plan()), 1);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_lost_its_address_is_cut_off_and_told() {
    let mut view = view(5);
    view.leases = BTreeSet::from([lease("10.1.0.0/26", 1, 1)]);
    let mut world = World::new(view, &[attachment(1), attachment(2)]);
    world.settle().await;
    world.announce.take();

    world.hear(News::Lost(place("10.1.0.2"), id(2)));
    world.settle().await;

    let reason = "node n2 has won the address 10.1.0.2";
    assert_eq!(lock(&world.told).isolated, [reason]);
    assert_eq!(world.announce.take(), ["withdraw 4096 10.1.0.2"]);
    let event = world.events.try_recv().unwrap();
    assert_eq!(event.reason, "address-conflict");
    assert_eq!(event.endpoint.as_deref(), Some("c1"));
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_a_removed_network_are_cut_off() {
    let mut before = view(5);
    before.leases = BTreeSet::from([lease("10.1.0.0/26", 1, 1)]);
    let world = World::new(before, &[attachment(1)]);
    world.settle().await;
    world.announce.take();

    let mut after = view(6);
    after.networks.remove(&blue());
    world.hear(News::View(Arc::new(after)));
    world.settle().await;

    assert_eq!(lock(&world.told).isolated, ["network blue was removed"]);
    assert_eq!(
        world.announce.take(),
        ["withdraw 4096 10.1.0.2", "leave 4096"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_claims_what_it_finds() {
    let mut view = view(5);
    view.leases = BTreeSet::from([lease("10.1.0.0/26", 1, 1), lease("10.1.0.3/32", 1, 4)]);

    let world = World::new(view, &[attachment(1), attachment(2)]);
    world.settle().await;

    assert_eq!(
        world.announce.take(),
        [
            "attend 4096",
            "claim 4096 10.1.0.2 for c1 by 1",
            "claim 4096 10.1.0.3 for c2 by 4"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn leases_of_no_use_are_given_back_after_a_while_and_not_at_once() {
    let mut view = view(5);
    let block = lease("10.1.0.0/26", 1, 1);
    view.leases = BTreeSet::from([block]);
    let world = World::new(view, &[attachment(1)]);
    world.detach(1);
    world.settle().await;

    time::sleep(idle::KEEP / 2).await;
    assert!(world.leases.state().returned.is_empty());

    world.leases.state().is_away = true;
    time::sleep(idle::KEEP).await;
    assert!(world.leases.state().returned.is_empty());

    world.leases.state().is_away = false;
    time::sleep(idle::KEEP + Duration::from_mins(1)).await;
    assert_eq!(world.leases.state().returned, [block]);
}
