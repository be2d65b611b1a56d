//! The part of a claim that only its readers understand, small.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ClaimError, wire};
use crate::model::{Claim, MacAddress, ServiceId, TaskClaim, TaskState, Vni};

/// Name, identifier and Ethernet address of an endpoint.
#[derive(Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Value<'a> {
    name: &'a str,
    #[serde(borrow)]
    endpoint: Endpoint<'a>,
    mac: Option<[u8; 6]>,
    #[serde(borrow)]
    aliases: Vec<&'a str>,
    /// The service's identifier, and the task's state.
    task: Option<(u128, TaskState)>,
}

/// Identifiers are mostly 64 hexadecimal digits: half as long as bytes.
#[derive(Debug, Eq, PartialEq, Serialize, Deserialize)]
enum Endpoint<'a> {
    Digits(&'a [u8]),
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// Reads it; `None` where the bytes are no value.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Some(value),
            Ok(_) | Err(_) => None,
        }
    }

    /// The claim that it is part of.
    pub(super) fn into_claim(self, vni: Vni, address: IpAddr, index: u64) -> Claim {
        Claim {
            vni,
            address,
            aliases: self.aliases.into_iter().map(str::to_owned).collect(),
            task: self.task.map(|(service, state)| TaskClaim {
                service: ServiceId::from_random(service),
                state,
            }),
            name: self.name.to_owned(),
            endpoint: match self.endpoint {
                Endpoint::Digits(bytes) => bytes
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 0xf])
                    .filter_map(|digit| char::from_digit(digit.into(), 16))
                    .collect(),
                Endpoint::Text(text) => text.to_owned(),
            },
            mac: self.mac.map(MacAddress),
            index,
        }
    }
}

/// The value of a claim.
pub(super) fn written(claim: &Claim) -> Result<Box<[u8]>, ClaimError> {
    let digits = bytes_of(&claim.endpoint);
    let bytes = wire::encoded(&Value {
        name: &claim.name,
        endpoint: digits
            .as_deref()
            .map_or(Endpoint::Text(&claim.endpoint), Endpoint::Digits),
        mac: claim.mac.map(|mac| mac.0),
        aliases: claim.aliases.iter().map(String::as_str).collect(),
        task: claim.task.map(|task| (task.service.bits(), task.state)),
    });
    if bytes.len() > wire::VALUE {
        return Err(ClaimError::TooLong {
            vni: claim.vni,
            bytes: bytes.len(),
            limit: wire::VALUE,
        });
    }
    Ok(bytes.into_boxed_slice())
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, endpoint: &str) -> Claim {
        Claim {
            aliases: Vec::new(),
            task: None,
            vni: 4096.try_into().unwrap(),
            address: "10.0.0.5".parse().unwrap(),
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            mac: None,
            index: 7,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for endpoint in ["", "ab", "abc", "web.1", "AB", &"0f".repeat(32)] {
            let claim = claim("web", endpoint);

            let bytes = written(&claim).unwrap();
            let value = Value::read(&bytes).unwrap();

            assert_eq!(value.into_claim(claim.vni, claim.address, 7), claim);
        }
    }

    #[test]
    fn an_identifier_of_64_digits_takes_32_bytes() {
        let bytes = written(&claim("web", &"0f".repeat(32))).unwrap();

        assert_eq!(bytes.len(), 1 + 3 + 1 + 1 + 32 + 1 + 1 + 1);
    }

    #[test]
    fn what_would_not_fit_is_refused() {
        let error = written(&claim(&"x".repeat(600), "")).unwrap_err();

        assert!(error.to_string().contains("shorter name"), "{error}");
    }
}
