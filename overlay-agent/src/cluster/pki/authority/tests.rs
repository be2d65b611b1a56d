use proptest::prelude::*;
use rcgen::{DnType, SanType};

use super::*;
use crate::cluster::pki::{
    Credentials, Identity, IdentityError, Validity, identity_in_pem, peer_identity,
    testing::{DAY, NOW, World},
};

#[test]
fn a_certificate_says_what_the_authority_says_and_nothing_of_the_request() {
    let world = World::new();
    let key = SecretKey::generate().unwrap();
    let mut wanted = CertificateParams::default();
    wanted.distinguished_name.push(DnType::CommonName, "root");
    wanted
        .distinguished_name
        .push(DnType::OrganizationalUnitName, "overlay-manager");
    wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wanted.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    wanted.subject_alt_names = vec![SanType::DnsName("swarm".try_into().unwrap())];
    let request = wanted.serialize_request(&*key.pair().unwrap()).unwrap();
    let node = NodeId::from_random(7);

    let issued = world
        .authority
        .issue(&request.pem().unwrap(), node, Role::Worker, NOW, LIFETIME)
        .unwrap();

    let expected = Identity {
        node,
        role: Role::Worker,
        cluster: world.authority.cluster(),
        validity: Validity {
            not_before: NOW - 3_600,
            not_after: NOW + 90 * DAY,
        },
    };
    assert_eq!(identity_in_pem(&issued), Ok(expected));
    let leaf = pem::read_certificate(&issued).unwrap();
    with_parsed(&leaf, |leaf| {
        assert!(!leaf.is_ca());
        assert!(leaf.subject_alternative_name().unwrap().is_none());
        let usage = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
    })
    .unwrap();
    Credentials::new(key, &issued, world.bundle).unwrap();
}

#[test]
fn a_request_must_be_signed_with_its_own_key() {
    let world = World::new();
    let request = SecretKey::generate().unwrap().request().unwrap();
    let mut der = pem::read_request(&request).unwrap().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let issue = |request: &str| {
        let node = NodeId::from_random(7);
        world
            .authority
            .issue(request, node, Role::Worker, NOW, LIFETIME)
    };

    let forged = pem::request(&der.into());
    assert!(matches!(issue(&forged), Err(IssueError::Request(_))));
    for wrong in ["", "garbage", &request[..100], &world.bundle.to_pem()] {
        assert!(
            matches!(issue(wrong), Err(IssueError::NotARequest)),
            "{wrong}"
        );
    }
    let long = request.clone() + &"\n".repeat(LONGEST_REQUEST);
    assert!(matches!(issue(&long), Err(IssueError::NotARequest)));
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let other = CertificateParams::default()
        .serialize_request(&ed25519)
        .unwrap();
    let other = issue(&other.pem().unwrap());
    assert!(matches!(other, Err(IssueError::OtherKey)));
}

#[test]
fn a_stored_authority_signs_as_before() {
    let mut world = World::new();
    let stored = world.authority.to_pem();

    world.authority = Authority::from_pem(&stored).unwrap();

    let node = world.node(Role::Manager);
    assert_eq!(node.identity().cluster, world.authority.cluster());
    assert!(!format!("{:?}", world.authority).contains("key"));
    let other_key = SecretKey::generate().unwrap().to_pem();
    let mixed = world.bundle.to_pem() + &other_key;
    for wrong in ["", &mixed, &*other_key, &node.to_pem()] {
        assert!(Authority::from_pem(wrong).is_err());
    }
}

#[test]
fn absurd_clocks_are_survived() {
    let request = SecretKey::generate().unwrap().request().unwrap();
    for now in [0, 1, LATEST, u64::MAX] {
        let authority = Authority::create(ClusterId::from_random(1), now).unwrap();
        let node = NodeId::from_random(7);
        let issued = authority.issue(&request, node, Role::Worker, now, Duration::MAX);
        assert!(identity_in_pem(&issued.unwrap()).is_ok(), "{now}");
    }
}

#[test]
fn a_root_is_nobody() {
    let root = World::new().bundle.to_pem();

    assert_eq!(
        identity_in_pem(&root),
        Err(IdentityError::NotANode { part: "CN" })
    );
    assert_eq!(identity_in_pem("x"), Err(IdentityError::Damaged));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn damaged_requests_and_certificates_do_no_harm(at: prop::sample::Index, with: u8, cut: bool) {
        let World { authority, .. } = World::new();
        let key = SecretKey::generate().unwrap();
        let request = pem::read_request(&key.request().unwrap()).unwrap();
        let damage = |der: &[u8]| {
            let mut der = der.to_vec();
            let place = at.index(der.len());
            der[place] ^= with;
            if cut {
                der.truncate(place);
            }
            der
        };

        let damaged = pem::request(&damage(&request).into());
        let node = NodeId::from_random(7);
        let _issued = authority.issue(&damaged, node, Role::Worker, NOW, LIFETIME);
        let certificate = CertificateDer::from(damage(&authority.root));
        let _identity = peer_identity(std::slice::from_ref(&certificate));
        let _bundle = TrustBundle::from_pem(&pem::certificate(&certificate));
    }
}
