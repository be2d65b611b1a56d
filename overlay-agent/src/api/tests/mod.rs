//! Every verb from client to server and back, and what goes wrong between them.

mod cluster;

use std::{io::Write as _, path::PathBuf, time::Duration};

use futures_util::StreamExt;

use super::{
    ApiError, Client, ClientError, ErrorKind,
    fake::{FakeAgent, FakeBackend, endpoint, event},
    types::{AttachRequest, Breadth, CheckVerdict},
};
use crate::model::MacAddress;

fn wish(name: &str) -> AttachRequest {
    AttachRequest {
        netns: PathBuf::from("/proc/1/ns/net"),
        network: "blue".to_owned(),
        name: name.to_owned(),
        ..AttachRequest::default()
    }
}

fn refusal(error: ClientError) -> ApiError {
    let ClientError::Refused(refusal) = error else {
        panic!("no refusal: {error:?}");
    };
    refusal
}

#[tokio::test]
async fn endpoints_come_and_go() {
    let agent = FakeAgent::start(FakeBackend::default());
    let client = agent.client();
    let web = endpoint(1, "web", "/proc/1/ns/net".into());

    assert_eq!(client.endpoints().await.unwrap(), []);
    assert_eq!(client.attach(&wish("web")).await.unwrap(), web);
    assert_eq!(
        client.endpoints().await.unwrap(),
        std::slice::from_ref(&web)
    );
    assert_eq!(client.detach("web", Some("blue")).await.unwrap(), [web]);
    assert_eq!(client.endpoints().await.unwrap(), []);
}

#[tokio::test]
async fn wishes_arrive() {
    let agent = FakeAgent::start(FakeBackend::default());
    let mut wish = wish("web");
    wish.addresses = vec!["10.1.0.77".parse().unwrap()];
    wish.mac = Some(MacAddress([2, 0, 0, 0, 0, 7]));

    let made = agent.client().attach(&wish).await.unwrap();

    assert_eq!(made.ipv4.unwrap().to_string(), "10.1.0.77/24");
    assert_eq!(made.mac, MacAddress([2, 0, 0, 0, 0, 7]));
}

#[tokio::test]
async fn every_other_verb_answers() {
    let agent = FakeAgent::start(FakeBackend::default());
    let client = agent.client();

    assert_eq!(client.status().await.unwrap().pid, 4711);
    assert_eq!(client.networks().await.unwrap()[0].peers, []);
    assert_eq!(
        client.network("blue", Breadth::Node).await.unwrap().peers[0].name,
        "b"
    );
    assert_eq!(client.stats().await.unwrap().drops[1].packets, 7);
    assert_eq!(
        client.doctor().await.unwrap()[1].verdict,
        CheckVerdict::Warn
    );
    assert_eq!(client.audit().await.unwrap().checked, 42);
    let explanation = client
        .explain("web", "10.1.0.70", Some("blue"))
        .await
        .unwrap();
    assert_eq!(
        (
            explanation.source.as_str(),
            explanation.destination.as_str()
        ),
        ("web", "10.1.0.70")
    );
}

#[tokio::test]
async fn odd_names_survive_the_url() {
    let agent = FakeAgent::start(FakeBackend::default());
    let client = agent.client();
    let odd = "a/b?c=d&e%f ü#";

    let explanation = client.explain(odd, odd, Some(odd)).await.unwrap();
    let refused = refusal(client.detach(odd, Some(odd)).await.unwrap_err());

    assert_eq!(explanation.network, odd);
    assert_eq!(refused.error, format!("there is no endpoint `{odd}`"));
}

#[tokio::test]
async fn refusals_keep_their_kind_and_help() {
    let agent = FakeAgent::start(FakeBackend::default());
    let client = agent.client();
    client.attach(&wish("web")).await.unwrap();

    let conflict = refusal(client.attach(&wish("web")).await.unwrap_err());
    let missing = refusal(client.network("red", Breadth::Node).await.unwrap_err());
    let mut six = wish("six");
    six.addresses = vec!["fd00::1".parse().unwrap()];
    let bad = refusal(client.attach(&six).await.unwrap_err());

    assert_eq!(conflict.kind, ErrorKind::Conflict);
    assert_eq!(conflict.help.as_deref(), Some("choose another --name"));
    assert_eq!(missing.kind, ErrorKind::NotFound);
    assert_eq!(bad, ApiError::bad_request("`blue` has no IPv6 subnet"));
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_are_refused_in_json() {
    let agent = FakeAgent::start(FakeBackend::default());
    for (request, status, error) in [
        (
            "GET /nothing HTTP/1.1",
            "404",
            r#"{"error":"the agent has no /nothing""#,
        ),
        (
            "PUT /status HTTP/1.1",
            "400",
            r#"{"error":"the agent does not take PUT for /status""#,
        ),
        (
            "GET /explain HTTP/1.1",
            "400",
            r#"{"error":"Failed to deserialize query string"#,
        ),
        (
            "POST /endpoints HTTP/1.1",
            "400",
            r#"{"error":"the request to attach is not understood: EOF"#,
        ),
    ] {
        let path = super::socket_path(agent.run_dir());
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
            write!(stream, "{request}\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            std::io::read_to_string(stream).unwrap()
        });
        let answer = answer.await.unwrap();

        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(error), "{answer}");
    }
}

#[tokio::test]
async fn events_stream_until_the_agent_stops() {
    let agent = FakeAgent::start(FakeBackend::default());
    let events = agent.client().events().await.unwrap();
    let mut events = Box::pin(events);

    for n in 0..3 {
        assert_eq!(events.next().await.unwrap().unwrap(), event(n));
    }
    let stop = agent.stopped();
    let (took, end) = tokio::join!(stop, events.next());

    assert!(end.is_none());
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_missing_agent_is_named_with_the_way_to_start_it() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(directory.path());

    let error = client.status().await.unwrap_err();

    let run_dir = directory.path().display();
    assert_eq!(
        error.to_string(),
        format!("no agent answers on {run_dir}/agent.sock")
    );
    let help = format!(
        "start it with `overlay-agent --run-dir {run_dir}`, or name the run directory of a running \
         one with --run-dir"
    );
    assert_eq!(error.help(), Some(help));
    assert!(matches!(
        client.events().await.err(),
        Some(ClientError::NotRunning { .. })
    ));
}

#[tokio::test]
async fn a_dead_agents_socket_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    drop(std::os::unix::net::UnixListener::bind(super::socket_path(directory.path())).unwrap());

    let error = Client::new(directory.path()).status().await.unwrap_err();

    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
}

#[tokio::test]
async fn a_hanging_agent_is_given_up() {
    let agent = FakeAgent::start(FakeBackend::hanging());
    let client = agent.client().with_patience(Duration::from_millis(50));

    let error = client.status().await.unwrap_err();

    assert!(matches!(error, ClientError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_hanging_request_does_not_keep_the_agent_from_stopping() {
    let agent = FakeAgent::start(FakeBackend::hanging());
    let client = agent.client().with_patience(Duration::from_millis(100));
    client.status().await.unwrap_err();
    let client = agent.client();
    let mut asking = tokio::task::JoinSet::new();
    asking.spawn(async move { client.status().await });
    tokio::time::sleep(Duration::from_millis(100)).await;

    let took = agent.stopped().await;

    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn an_agent_that_breaks_off_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let listener = tokio::net::UnixListener::bind(super::socket_path(directory.path())).unwrap();
    let client = Client::new(directory.path());

    let break_off = async { drop(listener.accept().await.unwrap()) };
    let (asked, ()) = tokio::join!(client.status(), break_off);

    let error = asked.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
}
