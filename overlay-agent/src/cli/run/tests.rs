//! Commands in namespaces of their own, against an agent without a kernel. Needs root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::LazyLock,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd,
};
use tempfile::TempDir;
use tokio::{runtime, sync::Mutex};

use super::run;
use crate::{
    api::{
        Client,
        fake::{FakeAgent, FakeBackend},
        types::{NetworkCreate, ServiceCreate},
    },
    cli::{attach_options::Wish, failure::message, plan::Run},
};

/// Signals go to the whole process, so that only one command may wait for them.
static ALONE: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);

fn wish(network: &str) -> Wish {
    Wish {
        network: network.to_owned(),
        addresses: Vec::new(),
        mac: None,
        ports: Vec::new(),
    }
}

fn shell(networks: &[&str], script: &str) -> Run {
    Run {
        wishes: networks.iter().map(|network| wish(network)).collect(),
        service: None,
        aliases: Vec::new(),
        ports: Vec::new(),
        name: Some("web".to_owned()),
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
    }
}

/// Runs it on a thread that ends with it, because the thread's namespaces are changed for good.
async fn on_a_thread(run_dir: &Path, wish: Run) -> Result<ExitCode, String> {
    assert!(
        unistd::geteuid().is_root(),
        "these tests make namespaces: run them as root"
    );
    let run_dir = run_dir.to_owned();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = Client::new(&run_dir);
        let ended = runtime.block_on(run(&client, &run_dir, wish));
        sender.send(ended.map_err(|error| message(&error))).unwrap();
    });
    receiver.await.unwrap()
}

struct Scene {
    agent: FakeAgent,
    directory: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            agent: FakeAgent::start(FakeBackend::default()),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A path for a command's output.
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    async fn run(&self, wish: Run) -> Result<ExitCode, String> {
        on_a_thread(self.agent.run_dir(), wish).await
    }

    async fn assert_nothing_is_left(&self) {
        assert_eq!(self.agent.client().endpoints().await.unwrap(), []);
        let left: Vec<_> = fs::read_dir(self.agent.run_dir()).unwrap().collect();
        let left: Vec<_> = left
            .into_iter()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), 2, "besides lock and socket: {left:?}");
    }
}

#[tokio::test]
async fn a_command_has_its_own_namespaces_and_files() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();
    let host = ["/etc/hosts", "/etc/resolv.conf"].map(|path| fs::read_to_string(path).unwrap());
    let out = scene.directory.path().display();
    let script = format!(
        "cat /etc/hosts >{out}/hosts; cat /etc/resolv.conf >{out}/resolv; echo local >>/etc/hosts; \
         readlink /proc/self/ns/net /proc/self/ns/mnt >{out}/namespaces; cat /proc/net/dev >{out}/dev; \
         exit 7"
    );

    let code = scene.run(shell(&["blue"], &script)).await.unwrap();

    assert_eq!(code, ExitCode::from(7));
    assert_eq!(scene.read("hosts"), format!("10.1.0.2\tweb\n{}", host[0]));
    assert_eq!(scene.read("resolv"), host[1]);
    let after = ["/etc/hosts", "/etc/resolv.conf"].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(after, host);
    let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
    for kind in ["net", "mnt"] {
        assert!(
            !scene
                .read("namespaces")
                .contains(own(kind).to_str().unwrap())
        );
    }
    let devices = scene.read("dev");
    let names: Vec<&str> = devices
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(n, _)| n.trim())
        .collect();
    assert_eq!(names, ["lo"]);
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn the_agent_is_given_the_commands_namespace() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();
    let client = scene.agent.client();
    let (said, heard) = (scene.path("said"), scene.path("heard"));
    let script = format!(
        "readlink /proc/self/ns/net >{}; while ! test -e {}; do sleep 0.02; done",
        said.display(),
        heard.display()
    );

    let running = scene.run(shell(&["blue"], &script));
    let looking = async {
        while fs::read_to_string(&said).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let netns = client.endpoints().await.unwrap().remove(0).netns;
        let namespace = fs::read_link(netns).unwrap();
        fs::write(&heard, "").unwrap();
        namespace
    };
    let (code, namespace) = tokio::join!(running, looking);

    assert_eq!(code, Ok(ExitCode::SUCCESS));
    assert_eq!(scene.read("said").trim(), namespace.to_str().unwrap());
}

#[tokio::test]
async fn signals_reach_the_command() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();
    let ready = scene.path("ready");
    let script = format!(
        "trap 'exit 42' USR1; touch {}; while :; do sleep 0.02; done",
        ready.display()
    );

    let running = scene.run(shell(&["blue"], &script));
    let signalling = async {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        kill(unistd::getpid(), Signal::SIGUSR1).unwrap();
    };
    let (code, ()) = tokio::join!(running, signalling);

    assert_eq!(code, Ok(ExitCode::from(42)));
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_command_ends_with_its_service() {
    let _alone = ALONE.lock().await;
    let scene = Scene {
        agent: FakeAgent::start(FakeBackend::manager()),
        directory: tempfile::tempdir().unwrap(),
    };
    let client = scene.agent.client();
    let blue = NetworkCreate::new("blue".to_owned());
    client.network_create(&blue).await.unwrap();
    let web = ServiceCreate {
        networks: vec!["blue".to_owned()],
        ..ServiceCreate::new("web".to_owned())
    };
    client.service_create(&web).await.unwrap();
    let ready = scene.path("ready");
    let script = format!(
        "trap 'exit 43' TERM; touch {}; while :; do sleep 0.02; done",
        ready.display()
    );
    let task = Run {
        service: Some("web".to_owned()),
        ..shell(&[], &script)
    };

    let running = scene.run(task);
    let removing = async {
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(client.service_tasks("web").await.unwrap().len(), 1);
        client.service_remove("web").await.unwrap();
    };
    let (code, ()) = tokio::join!(running, removing);

    assert_eq!(code, Ok(ExitCode::from(43)));
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_killed_command_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();

    let code = scene.run(shell(&["blue"], "kill -KILL $$")).await;

    assert_eq!(code, Ok(ExitCode::from(137)));
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn a_command_that_cannot_be_run_leaves_nothing() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();
    for (program, code) in [("/no/such/command", 127), ("/etc/passwd", 126)] {
        let mut wish = shell(&["blue"], "");
        wish.program = program.into();

        assert_eq!(scene.run(wish).await, Ok(ExitCode::from(code)), "{program}");
        scene.assert_nothing_is_left().await;
    }
}

#[tokio::test]
async fn a_network_that_fails_takes_the_others_along() {
    let _alone = ALONE.lock().await;
    let scene = Scene::new();
    let script = format!("touch {}", scene.path("ran").display());

    let error = scene
        .run(shell(&["blue", "red"], &script))
        .await
        .unwrap_err();

    assert_eq!(
        error,
        "attach to network `red`: there is no network `red`\n  → `overlay network ls` shows them"
    );
    assert!(!scene.path("ran").exists());
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn without_an_agent_nothing_is_done() {
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");

    let script = format!("touch {}", ran.display());
    let error = on_a_thread(directory.path(), shell(&["blue"], &script))
        .await
        .unwrap_err();

    assert!(error.starts_with("no agent answers on "), "{error}");
    assert!(!ran.exists());
}

#[test]
fn made_up_names_are_short_and_differ() {
    let names = [(); 2].map(|()| super::made_up_name().unwrap());

    assert_ne!(names[0], names[1]);
    for name in names {
        let digits = name.strip_prefix("run-").unwrap();
        assert!(
            digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit()),
            "{name}"
        );
    }
}
