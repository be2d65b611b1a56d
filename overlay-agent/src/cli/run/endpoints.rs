//! The endpoints of one command: attached together, taken away together.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use nix::unistd;
use tokio::time::Instant;

use crate::{
    api::{
        Client, ClientError, ErrorKind,
        types::{AttachRequest, EndpointInfo, TaskAttach},
    },
    cli::{
        LONGEST_DRAIN,
        failure::{message, warn},
        plan::Run,
    },
};

/// Time between two looks for what is still there.
const LOOK: Duration = Duration::from_secs(1);

/// How long an agent may take to be there again, and how often it is asked.
const RESTART: Duration = Duration::from_secs(4);
const AGAIN: Duration = Duration::from_millis(250);

/// What was attached so far.
pub(super) struct Endpoints<'a> {
    client: &'a Client,
    name: String,
    attached: Vec<EndpointInfo>,
}

impl<'a> Endpoints<'a> {
    pub(super) fn new(client: &'a Client, name: String) -> Self {
        Self {
            client,
            name,
            attached: Vec::new(),
        }
    }

    /// Attaches the namespace of this thread to one network after the other, which become eth0, eth1
    /// and so on. After an error some may be attached; `detach` takes them away.
    pub(super) async fn attach(&mut self, run: &Run) -> anyhow::Result<()> {
        let netns = PathBuf::from(format!("/proc/{}/ns/net", unistd::gettid()));
        if let (Some(service), []) = (&run.service, run.wishes.as_slice()) {
            return self.attach_task(service, run, netns).await;
        }
        for wish in &run.wishes {
            let request = AttachRequest {
                netns: netns.clone(),
                network: wish.network.clone(),
                name: self.name.clone(),
                addresses: wish.addresses.clone(),
                mac: wish.mac,
                service: run.service.clone(),
                aliases: run.aliases.clone(),
                ports: wish.ports.clone(),
            };
            let made = self.client.attach(&request).await;
            let made = made.with_context(|| format!("attach to network `{}`", wish.network))?;
            for warning in &made.warnings {
                warn(&format!("warning: {warning}"));
            }
            self.attached.push(made);
        }
        Ok(())
    }

    /// Attaches it to every network of its service.
    async fn attach_task(
        &mut self,
        service: &str,
        run: &Run,
        netns: PathBuf,
    ) -> anyhow::Result<()> {
        let request = TaskAttach {
            netns,
            name: self.name.clone(),
            aliases: run.aliases.clone(),
            ports: run.ports.clone(),
        };
        let made = self.client.task_attach(service, &request).await;
        self.attached = made.with_context(|| format!("attach to service `{service}`"))?;
        for warning in self.attached.iter().flat_map(|made| &made.warnings) {
            warn(&format!("warning: {warning}"));
        }
        Ok(())
    }

    /// The agent that has them.
    pub(super) fn client(&self) -> &'a Client {
        self.client
    }

    /// All addresses.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.attached
            .iter()
            .flat_map(EndpointInfo::addresses)
            .collect()
    }

    /// Lines of /etc/hosts: each address with the name.
    pub(super) fn hosts(&self) -> String {
        let lines: Vec<String> = self
            .addresses()
            .into_iter()
            .map(|address| format!("{address}\t{}\n", self.name))
            .collect();
        lines.concat()
    }

    /// Waits until the agent has none of them any more, seen twice. Others in the same namespace count:
    /// a task goes with its service from network to network.
    pub(super) async fn taken_away(&self) {
        let Some(first) = self.attached.first() else {
            return std::future::pending().await;
        };
        let mut missed = 0;
        while missed < 2 {
            tokio::time::sleep(LOOK).await;
            // An agent that does not answer has taken nothing away.
            if let Ok(all) = self.client.endpoints().await {
                let is_there = all.iter().any(|one| one.namespace == first.namespace);
                missed = if is_there { 0 } else { missed + 1 };
            }
        }
    }

    /// If they are a task, waits until its connections have ended, or its service's drain time is over. An agent
    /// that is being started anew is waited for.
    pub(super) async fn drain(&self, is_task: bool) {
        if !is_task || self.attached.is_empty() {
            return;
        }
        let patient = self.client.clone().with_patience(LONGEST_DRAIN);
        let until = Instant::now() + RESTART;
        loop {
            // By name: the task has gone with its service from network to network.
            match patient.drain(&self.name, None).await {
                Ok(_) => return,
                Err(ClientError::Refused(refusal)) if refusal.kind != ErrorKind::Unavailable => {
                    return;
                }
                Err(error) if Instant::now() >= until => {
                    let error = anyhow::Error::from(error);
                    let error = error.context(format!("drain `{}`; it ends now", self.name));
                    warn(&message(&error));
                    return;
                }
                Err(_may_come_back) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Takes all of them away; what fails is told, and left to the agent's audit, which finds their
    /// namespace gone.
    pub(super) async fn detach(self) {
        for endpoint in self.attached {
            match self.client.detach(&endpoint.id, None).await {
                Ok(_) => {}
                Err(ClientError::Refused(refusal)) if refusal.kind == ErrorKind::NotFound => {}
                Err(error) => {
                    let error = anyhow::Error::from(error).context(format!(
                        "detach `{}` from network `{}`; the agent does so when it next audits",
                        self.name, endpoint.network
                    ));
                    warn(&message(&error));
                }
            }
        }
    }
}
