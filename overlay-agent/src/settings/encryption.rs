//! Encryption on the underlay: by which marks packets of encrypted networks are told.

use serde::Deserialize;

use super::{
    problem::{Problem, Refusal},
    typed,
};
use crate::model::EncryptionMark;

const MARK: &str = "encryption.mark";
const KEYS: &str = "encryption.keys";

/// How networks are encrypted on the underlay.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct EncryptionSettings {
    /// Our part of packets' marks.
    pub mark: EncryptionMark,
    /// Who makes the kernel's states and policies.
    pub keys: Keys,
}

/// Who makes the states and policies of the kernel's xfrm.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// The agent, with keys that the managers give.
    #[default]
    Managed,
    /// Another program of this host. Packets for which it made none go nowhere.
    External,
}

pub(super) fn check(typed: &typed::Encryption) -> Result<EncryptionSettings, Refusal> {
    let mark = match typed.mark {
        None => EncryptionMark::default(),
        Some(number) => mark(number).ok_or_else(|| Problem::NotAMark { number }.at_key(MARK))?,
    };
    let keys = typed.keys;
    Ok(EncryptionSettings { mark, keys })
}

/// Managers have keys, a file has none: there another program has to make the states.
pub(super) fn check_keys(cluster: &typed::Cluster, keys: Keys) -> Result<(), Refusal> {
    match (cluster.mode, keys) {
        (typed::Mode::Swarm, Keys::Managed) | (typed::Mode::Static, Keys::External) => Ok(()),
        (typed::Mode::Swarm, Keys::External) => {
            Err(Problem::OtherMode { mode: "static" }.at_key(KEYS))
        }
        (typed::Mode::Static, Keys::Managed) => {
            let mut networks = cluster.networks.iter().flatten().enumerate();
            match networks.find(|(_, network)| network.encrypted) {
                Some((index, _)) => {
                    Err(Problem::NoKeys.at_key(format!("cluster.networks[{index}].encrypted")))
                }
                None => Ok(()),
            }
        }
    }
}

fn mark(number: u64) -> Option<EncryptionMark> {
    EncryptionMark::new(u32::try_from(number).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(mark: Option<u64>) -> Result<u32, String> {
        let keys = Keys::Managed;
        let settings = check(&typed::Encryption { mark, keys });
        let settings = settings.map_err(|refusal| refusal.problem.to_string())?;
        Ok(settings.mark.outbound())
    }

    fn keys_of(mode: typed::Mode, encrypted: bool, keys: Keys) -> Result<(), String> {
        let network = typed::Network {
            name: "blue".to_owned(),
            vni: 4096,
            subnets: Vec::new(),
            gateway: Vec::new(),
            mtu: None,
            internal: false,
            encrypted,
        };
        let cluster = typed::Cluster {
            mode,
            networks: Some(vec![network]),
            ..typed::Cluster::default()
        };
        check_keys(&cluster, keys).map_err(|refusal| refusal.problem.to_string())
    }

    #[test]
    fn keys_come_from_managers_or_from_another_program() {
        use typed::Mode::{Static, Swarm};

        assert_eq!(keys_of(Swarm, false, Keys::Managed), Ok(()));
        assert_eq!(keys_of(Static, false, Keys::Managed), Ok(()));
        assert_eq!(keys_of(Static, true, Keys::External), Ok(()));
        let refused = keys_of(Static, true, Keys::Managed).unwrap_err();
        assert!(refused.contains("encryption.keys: external"), "{refused}");
        let refused = keys_of(Swarm, false, Keys::External).unwrap_err();
        assert!(refused.contains("static"), "{refused}");
    }

    #[test]
    fn a_mark_is_one_byte_at_the_top() {
        assert_eq!(checked(None), Ok(0xe500_0000));
        assert_eq!(checked(Some(0x0700_0000)), Ok(0x0700_0000));
        for number in [0, 1, 0xe500_0001, 0x01_0000_0000] {
            let refused = checked(Some(number)).unwrap_err();

            assert!(refused.contains("0xe5000000"), "{refused}");
        }
    }
}
