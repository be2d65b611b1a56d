//! `name=value`, as labels and options are typed.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

/// A name with a value, which may be empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.trim().is_empty() {
            return Err("the name is missing; write name=value".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// An address with a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct NamedAddress {
    pub(super) name: String,
    pub(super) address: IpAddr,
}

impl FromStr for NamedAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Pair { name, value } = text.parse()?;
        let address = value.parse();
        let address = address
            .map_err(|_no_address| format!("`{value}` is no address; write name=10.0.0.5"))?;
        Ok(Self { name, address })
    }
}

/// By name; of several with one name the last counts.
pub(super) fn by_name(pairs: Vec<Pair>) -> BTreeMap<String, String> {
    let pairs = pairs.into_iter();
    pairs.map(|pair| (pair.name, pair.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_split_at_its_first_sign() {
        for (text, name, value) in [("a=b", "a", "b"), ("a", "a", ""), ("a=b=c", "a", "b=c")] {
            let pair: Pair = text.parse().unwrap();
            assert_eq!((pair.name.as_str(), pair.value.as_str()), (name, value));
        }
        assert!("=b".parse::<Pair>().is_err());
        assert!("router=10.0.0.5".parse::<NamedAddress>().is_ok());
        assert!("router=ten".parse::<NamedAddress>().is_err());
        assert!("10.0.0.5".parse::<NamedAddress>().is_err());
        assert!("".parse::<Pair>().is_err());
    }
}
