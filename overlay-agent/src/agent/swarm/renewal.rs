//! New certificates: before the old ones end, and when another authority signs them.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    cluster::{
        client::{Client, ClientError},
        manager::{Answer, Ask},
        pki::{
            BundleError, Clock, Credentials, CredentialsError, FileError, Files, KeyError,
            SecretKey, TrustBundle, renewal_due,
            tls::{Tls, TlsError},
        },
    },
    model::{ClusterView, RequestId, Roots},
};

/// How often the clock is looked at: it may be set.
const LOOK: Duration = Duration::from_secs(30);

/// Time between two attempts.
const AGAIN: Duration = Duration::from_secs(5);

/// Nodes do not all ask at once when the authority changes: this long for each that there is, at most.
const SPREAD: Duration = Duration::from_millis(5);

/// Why there is no new certificate yet.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The managers.
    #[error("no manager renewed this node's certificate")]
    Client(#[source] Box<ClientError>),
    /// The managers, afterwards.
    #[error("no manager heard that this node has a new certificate")]
    Unheard(#[source] Box<ClientError>),
    /// The key.
    #[error("could not ask for a certificate")]
    Key(#[from] KeyError),
    /// What came back.
    #[error("the new certificate cannot be used")]
    Credentials(#[from] CredentialsError),
    /// What the managers say about authorities.
    #[error("the managers' trusted roots cannot be used")]
    Bundle(#[from] BundleError),
    /// The disk.
    #[error("the new certificate could not be kept")]
    Files(#[from] FileError),
    /// TLS.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
}

impl From<ClientError> for RenewError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

/// What keeps a node's certificate valid.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) client: Client,
    pub(super) files: Files,
    pub(super) clock: Clock,
    pub(super) tls: watch::Sender<Arc<Tls>>,
    /// Says who signs.
    pub(super) view: watch::Receiver<Arc<ClusterView>>,
}

/// What a node has to do about its certificate when the managers' authorities are these.
#[derive(Debug, Eq, PartialEq)]
enum Due {
    /// To get one of the authority that signs now.
    Certificate,
    /// To trust these.
    Trust(Box<TrustBundle>),
    /// To tell the managers that its certificate is one of this authority.
    Report(String),
    Nothing,
}

impl Renewal {
    /// Renews until nobody uses the certificates any more.
    pub(super) async fn run(mut self) {
        let mut random = rand::random();
        let mut reported = None;
        let mut settled = Roots::default();
        while !self.tls.is_closed() {
            let validity = self.tls.borrow().credentials().identity().validity;
            let roots = self.view.borrow_and_update().roots.clone();
            let done = if self.clock.now() >= renewal_due(validity, random) {
                random = rand::random();
                self.renew().await
            } else if roots == settled {
                self.wait().await;
                continue;
            } else {
                let due = due(self.tls.borrow().credentials(), &roots, reported.as_deref());
                match due {
                    Ok(Due::Certificate) => self.renew_with_the_others().await,
                    Ok(Due::Trust(bundle)) => self.trust(*bundle),
                    Ok(Due::Report(authority)) => {
                        let told = self.report(&authority).await;
                        reported = Some(authority).filter(|_| told.is_ok());
                        told
                    }
                    Ok(Due::Nothing) => {
                        settled = roots;
                        continue;
                    }
                    Err(error) => Err(error.into()),
                }
            };
            if let Err(error) = done {
                report(&error);
                sleep(AGAIN).await;
            }
        }
        debug!("nobody uses the certificates any more");
    }

    /// Until the managers say something or it is time to look at the clock.
    async fn wait(&mut self) {
        if let Ok(Err(_ended)) = timeout(LOOK, self.view.changed()).await {
            sleep(LOOK).await;
        }
    }

    async fn renew_with_the_others(&self) -> Result<(), RenewError> {
        let nodes = u32::try_from(self.view.borrow().members.len()).unwrap_or(u32::MAX);
        let part = f64::from(rand::random::<u32>()) / f64::from(u32::MAX);
        sleep(SPREAD.saturating_mul(nodes).mul_f64(part)).await;
        self.renew().await
    }

    /// Gets a new certificate for the key that the node has, and uses it.
    async fn renew(&self) -> Result<(), RenewError> {
        let key = self.tls.borrow().credentials().key().clone();
        let credentials = renewed(&self.client, &self.files, key).await?;
        self.use_from_now_on(credentials)?;
        info!("has a new certificate");
        Ok(())
    }

    /// The certificate stays: the one on disk, which may be newer than the one in use.
    fn trust(&self, bundle: TrustBundle) -> Result<(), RenewError> {
        let used = || self.tls.borrow().credentials().clone();
        let present = self.files.load()?.unwrap_or_else(used);
        let credentials = present.with_bundle(bundle)?;
        self.files.save(&credentials)?;
        self.use_from_now_on(credentials)?;
        info!("trusts other root CAs than before");
        Ok(())
    }

    fn use_from_now_on(&self, credentials: Credentials) -> Result<(), RenewError> {
        let tls = Tls::new(credentials, self.clock.clone())?;
        self.tls.send_replace(Arc::new(tls));
        Ok(())
    }

    async fn report(&self, authority: &str) -> Result<(), RenewError> {
        let id = RequestId::from_random(rand::random());
        let report = Ask::ReportCertificate {
            authority: authority.to_owned(),
        };
        let told: Result<Answer, ClientError> = self.client.request(id, &report).await;
        told.map(drop)
            .map_err(|error| RenewError::Unheard(Box::new(error)))
    }
}

/// A new certificate for a key, kept on disk. It has the role that the managers have for the node.
pub(super) async fn renewed(
    client: &Client,
    files: &Files,
    key: SecretKey,
) -> Result<Credentials, RenewError> {
    let renewed = client.renew(key.request()?).await?;
    let credentials = Credentials::new(key, &renewed.certificate, renewed.bundle)?;
    files.save(&credentials)?;
    Ok(credentials)
}

fn report(error: &RenewError) {
    let error: &dyn std::error::Error = error;
    warn!(error, "tries again");
}

/// A node's certificate is always of the newest authority that the node trusts, for both come together.
/// So a node that trusts who signs now and has a certificate of another one knows more than the view.
fn due(own: &Credentials, roots: &Roots, reported: Option<&str>) -> Result<Due, BundleError> {
    if roots.bundle.is_empty() {
        return Ok(Due::Nothing);
    }
    let trusted = TrustBundle::from_pem(&roots.bundle)?;
    let signer = own.bundle().signer_of(&own.certificate());
    if signer.is_none_or(|signer| signer.to_string() != roots.signer) {
        let knows_more = own.bundle().roots().iter().any(|root| {
            let digest = crate::cluster::pki::RootDigest::of(root);
            digest.to_string() == roots.signer
        });
        return Ok(if knows_more {
            Due::Nothing
        } else {
            Due::Certificate
        });
    }
    if trusted != *own.bundle() {
        return Ok(Due::Trust(Box::new(trusted)));
    }
    let is_under_way = trusted.roots().len() > 1;
    if is_under_way && reported != Some(roots.signer.as_str()) {
        return Ok(Due::Report(roots.signer.clone()));
    }
    Ok(Due::Nothing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::pki::{Authority, LIFETIME},
        model::{ClusterId, NodeId, Role},
    };

    const NOW: u64 = 1_800_000_000;

    fn credentials(signer: &Authority, bundle: &TrustBundle) -> Credentials {
        let key = SecretKey::generate().unwrap();
        let node = NodeId::from_random(7);
        let request = key.request().unwrap();
        let certificate = signer.issue(&request, node, Role::Worker, NOW, LIFETIME);
        Credentials::new(key, &certificate.unwrap(), bundle.clone()).unwrap()
    }

    fn roots(signer: &Authority, bundle: &TrustBundle) -> Roots {
        Roots {
            signer: signer.digest().to_string(),
            bundle: bundle.to_pem(),
        }
    }

    #[test]
    fn a_node_follows_a_rotation_step_by_step() {
        let old = Authority::create(ClusterId::from_random(1), NOW).unwrap();
        let rotation = old.rotate(&old.bundle(), NOW).unwrap();
        let (new, both) = (rotation.authority, rotation.bundle);
        let before = credentials(&old, &old.bundle());
        let after = credentials(&new, &both);
        let calm = roots(&old, &old.bundle());
        let under_way = roots(&new, &both);
        let name = new.digest().to_string();
        let finished = roots(&new, &new.bundle());

        let due = |own: &Credentials, roots: &Roots, reported: Option<&str>| {
            due(own, roots, reported).unwrap()
        };
        assert_eq!(due(&before, &Roots::default(), None), Due::Nothing);
        assert_eq!(due(&before, &calm, None), Due::Nothing);
        assert_eq!(due(&before, &under_way, None), Due::Certificate);
        assert_eq!(due(&after, &under_way, None), Due::Report(name.clone()));
        assert_eq!(due(&after, &under_way, Some(&name)), Due::Nothing);
        let only = Due::Trust(Box::new(new.bundle()));
        assert_eq!(due(&after, &finished, Some(&name)), only);
        let done = after.with_bundle(new.bundle()).unwrap();
        assert_eq!(due(&done, &finished, None), Due::Nothing);
    }

    #[test]
    fn a_node_with_a_new_certificate_does_not_go_back_for_an_old_view() {
        let old = Authority::create(ClusterId::from_random(1), NOW).unwrap();
        let rotation = old.rotate(&old.bundle(), NOW).unwrap();
        let after = credentials(&rotation.authority, &rotation.bundle);

        let due = due(&after, &roots(&old, &old.bundle()), None).unwrap();
        assert_eq!(due, Due::Nothing);
    }

    #[test]
    fn a_rotation_that_overtakes_another_is_reported_too() {
        let first = Authority::create(ClusterId::from_random(1), NOW).unwrap();
        let second = first.rotate(&first.bundle(), NOW).unwrap();
        let third = second.authority.rotate(&second.bundle, NOW).unwrap();
        let own = credentials(&second.authority, &second.bundle);
        let reported = second.authority.digest().to_string();
        let roots = roots(&third.authority, &third.bundle);

        assert_eq!(
            due(&own, &roots, Some(&reported)).unwrap(),
            Due::Certificate
        );
        let own = credentials(&third.authority, &third.bundle);
        let name = third.authority.digest().to_string();
        assert_eq!(
            due(&own, &roots, Some(&reported)).unwrap(),
            Due::Report(name)
        );
    }
}
