//! The certificate authority of a cluster.

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams,
    DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::{KeyError, RootDigest, SecretKey, TrustBundle, identity::with_parsed, pem, subject};
use crate::model::{ClusterId, NodeId, Role, base36};

/// How long a node's certificate is good for, if nobody says otherwise.
pub const LIFETIME: Duration = Duration::from_hours(24 * 90);

/// How long a root is good for: 20 years.
const ROOT_LIFETIME: Duration = Duration::from_hours(24 * 365 * 20 + 24 * 5);

/// Certificates count from an hour ago, because clocks differ.
const BACKDATED: Duration = Duration::from_hours(1);

/// A request for a certificate of a P-256 key has some 300 bytes.
const LONGEST_REQUEST: usize = 8 << 10;

/// The year 9000: certificates cannot say what is after 9999.
const LATEST: u64 = 221_845_392_000;

/// A root with its key. Whoever has it can make any node.
#[derive(Clone)]
pub struct Authority {
    cluster: ClusterId,
    root: CertificateDer<'static>,
    key: SecretKey,
}

/// A new authority, and what nodes trust until all of them have its certificates.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// Signs from now on. Tokens carry its digest.
    pub authority: Authority,
    /// Every root so far and the new one. [`TrustBundle::only`] ends the rotation.
    pub bundle: TrustBundle,
}

/// A certificate that is not given, or an authority that is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A key is missing or unusable.
    #[error("a key cannot be used")]
    Key(#[from] KeyError),
    /// What came as a request is none.
    #[error(
        "the certificate request cannot be read: it must be PKCS #10 in PEM, {LONGEST_REQUEST} bytes at most"
    )]
    NotARequest,
    /// Whoever sends it does not have the key.
    #[error("the certificate request is refused")]
    Request(#[source] rcgen::Error),
    /// Only one kind of key is used.
    #[error("the certificate request is for another kind of key than EC P-256")]
    OtherKey,
    /// The library refused.
    #[error("could not sign a certificate")]
    Sign(#[source] rcgen::Error),
    /// A stored authority cannot be read.
    #[error("this is no authority: a root certificate of a cluster and its key, in PEM")]
    NotAnAuthority,
}

impl Authority {
    /// The first authority of a cluster: a root for 20 years. `now` is in seconds since 1970.
    pub fn create(cluster: ClusterId, now: u64) -> Result<Self, IssueError> {
        let key = SecretKey::generate()?;
        let pair = key.pair()?;
        let params = root_params(cluster, &pair, now);
        let root = params.self_signed(&*pair).map_err(IssueError::Sign)?;
        Ok(Self {
            cluster,
            root: root.into(),
            key,
        })
    }

    /// Whose authority it is.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// What tokens carry.
    pub fn digest(&self) -> RootDigest {
        RootDigest::of(&self.root)
    }

    /// What nodes trust, if the authority never changed.
    pub fn bundle(&self) -> TrustBundle {
        TrustBundle::of(self.root.clone())
    }

    /// The certificate (PEM) of a node for the key of `request` (PEM). Nothing else of the request
    /// counts. It is good from an hour before `now`, in seconds since 1970, until `lifetime` after it.
    ///
    /// # Errors
    /// The request is damaged, or is not signed with the key that it is for.
    pub fn issue(
        &self,
        request: &str,
        node: NodeId,
        role: Role,
        now: u64,
        lifetime: Duration,
    ) -> Result<String, IssueError> {
        let short = Some(request).filter(|request| request.len() <= LONGEST_REQUEST);
        let der = short.and_then(pem::read_request);
        let der = der.ok_or(IssueError::NotARequest)?;
        let request =
            CertificateSigningRequestParams::from_der(&der).map_err(IssueError::Request)?;
        if request.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(IssueError::OtherKey);
        }
        let mut params = params(now, lifetime);
        params.distinguished_name = subject::node(node, role, self.cluster);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match role {
            Role::Worker => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Role::Manager => vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ],
        };
        params.serial_number = Some(serial(&[
            &der,
            &node.bits().to_be_bytes(),
            subject::unit(role).as_bytes(),
            &now.to_be_bytes(),
        ]));
        let pair = self.key.pair()?;
        let issued = params.signed_by(&request.public_key, &self.issuer(&pair)?);
        Ok(issued.map_err(IssueError::Sign)?.pem())
    }

    /// A new authority. The old and the new root sign each other, so that whoever knows one of them
    /// can follow from there to the certificates of the other. The old key is not needed any more.
    /// `trusted` is what nodes trust so far: a rotation may begin before the last one has ended.
    pub fn rotate(&self, trusted: &TrustBundle, now: u64) -> Result<Rotation, IssueError> {
        let next = Self::create(self.cluster, now)?;
        let crosses = [self.vouch_for(&next, now)?, next.vouch_for(self, now)?];
        Ok(Rotation {
            bundle: trusted.with(next.root.clone(), crosses.map(Into::into)),
            authority: next,
        })
    }

    /// Root and key in PEM, for the managers' store.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let (root, key) = (pem::certificate(&self.root), self.key.to_pem());
        let mut text = Zeroizing::new(String::with_capacity(root.len() + key.len()));
        text.push_str(&root);
        text.push_str(&key);
        text
    }

    /// What [`Authority::to_pem`] wrote.
    pub fn from_pem(text: &str) -> Result<Self, IssueError> {
        let key = SecretKey::from_pem(text)?;
        let root = pem::read_certificate(text).ok_or(IssueError::NotAnAuthority)?;
        let public = key.public()?;
        let cluster = with_parsed(&root, |root| {
            let is_ours = root.is_ca() && *root.public_key().subject_public_key.data == *public;
            let organization = subject::parts(root.subject()).organization;
            organization.filter(|_cluster| is_ours)?.parse().ok()
        });
        Ok(Self {
            cluster: cluster.flatten().ok_or(IssueError::NotAnAuthority)?,
            root,
            key,
        })
    }

    fn vouch_for(&self, other: &Self, now: u64) -> Result<Certificate, IssueError> {
        let subject = other.key.pair()?;
        let mut params = root_params(other.cluster, &subject, now);
        params.serial_number = Some(serial(&[&self.root, &other.root]));
        let pair = self.key.pair()?;
        params
            .signed_by(&*subject, &self.issuer(&pair)?)
            .map_err(IssueError::Sign)
    }

    fn issuer<'a>(&self, pair: &'a KeyPair) -> Result<Issuer<'static, &'a KeyPair>, IssueError> {
        Issuer::from_ca_cert_der(&self.root, pair).map_err(IssueError::Sign)
    }
}

impl fmt::Debug for Authority {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("cluster", &self.cluster)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

fn root_params(cluster: ClusterId, pair: &KeyPair, now: u64) -> CertificateParams {
    let mut params = params(now, ROOT_LIFETIME);
    let key = digest(&SHA256, pair.public_key_raw());
    let key = base36::encode(Zeroizing::new(key.as_ref().to_vec()), 10);
    params.distinguished_name = subject::root(cluster, &key);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(serial(&[pair.public_key_raw()]));
    params
}

fn params(now: u64, lifetime: Duration) -> CertificateParams {
    let now = Duration::from_secs(now.min(LATEST));
    let (begin, end) = (
        now.saturating_sub(BACKDATED),
        now.saturating_add(lifetime)
            .min(Duration::from_secs(LATEST)),
    );
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date_time_ymd(1970, 1, 1) + begin;
    params.not_after = date_time_ymd(1970, 1, 1) + end;
    params.use_authority_key_identifier_extension = true;
    params
}

/// RFC 5280, section 4.1.2.2: positive, 20 bytes at most, another one for every certificate.
fn serial(of: &[&[u8]]) -> SerialNumber {
    let hash = digest(&SHA256, &of.concat());
    let mut bytes = hash.as_ref()[..16].to_vec();
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from(bytes)
}
