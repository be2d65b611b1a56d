//! Services.

use super::{ask, assert_wrong, json, plan, refused, text};
use crate::{
    api::{
        Client,
        fake::{FakeAgent, FakeBackend},
    },
    cli::plan::{Action, Question, ServiceQuestion},
    model::{HealthCheck, HealthProbe, PublishMode},
};

/// A manager with the networks `blue` and `red`, and the service `web` on the first one.
async fn services() -> (FakeAgent, Client) {
    let agent = FakeAgent::start(FakeBackend::manager());
    let client = agent.client();
    for line in [
        "network create blue",
        "network create red",
        "service create --name web --network blue --publish 8080:80 --publish 5353:53/udp --label tier=front",
    ] {
        text(&client, line).await;
    }
    (agent, client)
}

#[tokio::test]
async fn service_ls_has_docker_s_columns_and_ours() {
    let (_agent, client) = services().await;
    text(
        &client,
        "service create --name db --network red --endpoint-mode dnsrr",
    )
    .await;

    assert_eq!(
        text(&client, "service ls").await,
        "\
ID            NAME  MODE   TASKS  NETWORKS  PORTS
e05k8m2p9q1r  web   vip    0/0    blue      *:8080->80/tcp, *:5353->53/udp
e15k8m2p9q1r  db    dnsrr  0/0    red
"
    );
    assert_eq!(
        text(&client, "service ls -q").await,
        "e05k8m2p9q1r\ne15k8m2p9q1r\n"
    );
    for (filter, names) in [
        ("name=we", "web\n"),
        ("id=e1", "db\n"),
        ("label=tier", "web\n"),
        ("label=tier=back", ""),
        ("mode=dnsrr", "db\n"),
    ] {
        let line = format!("service ls --filter {filter} --format {{{{.Name}}}}");
        assert_eq!(text(&client, &line).await, names, "{filter}");
    }
    let line = "service ls -f name=web --format {{.ID}}~{{.Mode}}~{{.Replicas}}~{{.Ports}}";
    assert_eq!(
        text(&client, line).await,
        "e05k8m2p9q1r vip 0/0 *:8080->80/tcp, *:5353->53/udp\n"
    );
}

#[tokio::test]
async fn service_inspect_is_nested_as_docker_s() {
    let (_agent, client) = services().await;

    let inspected = json(&client, "service inspect web").await;

    let web = &inspected[0];
    assert_eq!(web["spec"]["name"], "web");
    assert_eq!(web["spec"]["labels"]["tier"], "front");
    assert_eq!(web["spec"]["networks"][0]["name"], "blue");
    assert_eq!(web["endpoint"]["spec"]["mode"], "vip");
    assert_eq!(web["endpoint"]["ports"][0]["published_port"], 8080);
    assert_eq!(web["endpoint"]["ports"][0]["publish_mode"], "ingress");
    assert_eq!(web["endpoint"]["virtual_ips"][0]["addr"], "10.0.0.201/24");
    assert_eq!(web["version"]["index"], 1);
    let line = "service inspect web --format {{.Spec.Name}}:{{.Endpoint.Spec.Mode}}";
    assert_eq!(text(&client, line).await, "web:vip\n");
    let pretty = text(&client, "service inspect --pretty web").await;
    assert!(
        pretty.contains("Network:        blue 10.0.0.201/24\n"),
        "{pretty}"
    );
    assert!(pretty.contains("*:8080->80/tcp (ingress)"), "{pretty}");
    let problems = ask(&client, "service inspect web cache")
        .await
        .unwrap()
        .problems;
    assert!(
        problems[0].contains("service cache not found"),
        "{problems:?}"
    );
}

#[tokio::test]
async fn tasks_are_attached_to_all_networks_of_their_service_or_to_one() {
    let (_agent, client) = services().await;
    text(&client, "service update --network-add red web").await;

    let made = json(
        &client,
        "attach --netns /n/1 --service web --name web-1 --alias w",
    )
    .await;
    assert_eq!(made[0]["network"], "blue");
    assert_eq!(made[1]["network"], "red");
    assert_eq!(made[0]["aliases"][0], "w");
    assert_eq!(made[0]["service"], made[1]["service"]);
    let line = "attach --netns /n/2 --service web --network red --name web-2 -q";
    assert_eq!(text(&client, line).await.lines().count(), 1);

    assert_eq!(
        text(&client, "service ps web").await,
        "\
ID            NAME   NODE  NETWORK   ADDRESS            CURRENT STATE  PORTS
010101010101  web-1  a     blue,red  10.1.0.2,10.1.0.3  Running
030303030303  web-2  a     red       10.1.0.4           Running
"
    );
    let line = "service ls --format {{.Name}}~{{.Tasks}}";
    assert_eq!(text(&client, line).await, "web 2/2\n");
    assert_eq!(text(&client, "service rm web").await, "web\n");
    assert_eq!(text(&client, "endpoint ls -q").await, "");
}

#[tokio::test]
async fn what_cannot_be_is_told() {
    let (_agent, client) = services().await;
    for (line, words) in [
        ("service create --name web", "service web already exists"),
        ("service create --name x --network green", "green"),
        ("service update --network-add green web", "green"),
        (
            "attach --netns /n/1 --service web --network red --name c",
            "service web is not attached to network red",
        ),
        (
            "attach --netns /n/1 --service db --name c",
            "service db not found",
        ),
        (
            "attach --netns /n/1 --network blue --name c",
            "not manually attachable",
        ),
    ] {
        let told = refused(&client, line).await;
        assert!(told.contains(words), "{line}: {told}");
    }
    let problems = ask(&client, "service rm db").await.unwrap().problems;
    assert!(problems[0].contains("service db not found"), "{problems:?}");
    let worker = FakeAgent::start(FakeBackend::alone());
    let outside = refused(&worker.client(), "service ls").await;
    assert!(outside.contains("not part of a swarm"), "{outside}");
}

#[test]
fn options_become_a_wish() {
    let line = "overlay service create --name web --network a --network b --endpoint-mode vip \
                --publish 8000-8001:80-81 --publish published=9000,target=90,mode=host --opt dsr \
                --drain 1m --health-http 8080/healthz --health-interval 500ms --health-retries 2";
    let Action::Ask(Question::Service(ServiceQuestion::Create(wish))) = plan(line).unwrap().action
    else {
        panic!("no wish");
    };

    assert_eq!(wish.networks, ["a", "b"]);
    assert_eq!(wish.ports.len(), 3);
    assert_eq!(wish.ports[0].mode, PublishMode::Ingress);
    assert_eq!(wish.ports[2].mode, PublishMode::Host);
    assert_eq!(wish.drain_s, 60);
    assert_eq!(wish.options["dsr"], "");
    let probe = HealthProbe::Http {
        port: 8080,
        path: "/healthz".to_owned(),
    };
    assert_eq!(
        wish.health,
        Some(HealthCheck {
            probe,
            interval_ms: 500,
            timeout_ms: 3000,
            retries: 2
        })
    );
}

#[test]
fn wrong_usage_is_told() {
    for (line, part) in [
        ("overlay service create", "--name <NAME>"),
        (
            "overlay service create --name w --publish 65536:80",
            "--publish: `65536:80`: `65536` is no port",
        ),
        (
            "overlay service create --name w --publish 80:0",
            "--publish: `80:0`: `0` is no port",
        ),
        (
            "overlay service create --name w --publish 80:80 --publish 80:81",
            "port 80/tcp is published twice",
        ),
        (
            "overlay service create --name w --health-interval 1s",
            "a health check needs --health-tcp or --health-http",
        ),
        (
            "overlay service create --name w --health-http x/",
            "`x/` is not like 80/healthz",
        ),
        (
            "overlay service create --name w --health-tcp 0",
            "invalid value '0'",
        ),
        (
            "overlay service create --name w --drain 1500ms",
            "--drain: use whole seconds",
        ),
        (
            "overlay service create --name w --endpoint-mode ring",
            "possible values: vip, dnsrr",
        ),
        ("overlay service update web", "nothing is to be changed"),
        ("overlay service ps", "<SERVICE>..."),
        ("overlay service rm", "<SERVICE>..."),
        ("overlay service ls -f role=x", "there is no key `role`"),
        (
            "overlay attach --netns x --service w --ip 10.0.0.1 --name c",
            "--ip and --mac go with one --network",
        ),
        (
            "overlay attach --netns x --service w --alias a~b --name c",
            "--alias: `a b` is no name",
        ),
        ("overlay attach --netns x --name c", "--network <NETWORK>"),
    ] {
        assert_wrong(line, part);
    }
}

#[test]
fn the_ingress_network_is_not_removed_without_a_question() {
    let asks = |line: &str| {
        let Action::Ask(question) = plan(line).unwrap().action else {
            panic!("no question: {line}");
        };
        question.warning().is_some()
    };

    assert!(asks("overlay network rm ingress"));
    assert!(!asks("overlay network rm --force ingress"));
    assert!(!asks("overlay network rm blue"));
}
