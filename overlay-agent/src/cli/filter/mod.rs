//! `--filter`: which rows of a list are shown.

mod network;
mod node;
mod service;

use std::{collections::BTreeMap, mem};

pub(super) use network::NetworkTerm;
pub(super) use node::NodeTerm;
pub(super) use service::ServiceTerm;

/// One `key=value` of a noun.
pub(super) trait Term {
    type Object;

    fn matches(&self, object: &Self::Object) -> bool;

    /// Whether one more of its key asks for less, not for more: true for labels.
    fn narrows(&self) -> bool;
}

/// Shows the objects that fit one term of every key, and every label.
#[derive(Clone, Debug)]
pub(super) struct Filter<T>(pub(super) Vec<T>);

impl<T: Term> Filter<T> {
    pub(super) fn keeps(&self, object: &T::Object) -> bool {
        let has_alternative = |term: &T| {
            let mut terms = self.0.iter();
            terms.any(|other| {
                mem::discriminant(other) == mem::discriminant(term) && other.matches(object)
            })
        };
        let fits = |term: &T| {
            if term.narrows() {
                term.matches(object)
            } else {
                has_alternative(term)
            }
        };
        self.0.iter().all(fits)
    }
}

/// `name`, or `name=value`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LabelTerm {
    name: String,
    value: Option<String>,
}

impl LabelTerm {
    fn parse(text: &str) -> Self {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        Self {
            name: name.to_owned(),
            value,
        }
    }

    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.name);
        found.is_some_and(|found| self.value.as_ref().is_none_or(|value| value == found))
    }
}

/// Splits `key=value`; `keys` tells what there is.
fn split<'a>(text: &'a str, keys: &str) -> Result<(&'a str, &'a str), String> {
    text.split_once('=')
        .ok_or_else(|| format!("this is no key=value; keys are {keys}"))
}

fn unknown(key: &str, keys: &str) -> String {
    format!("there is no key `{key}`; there are {keys}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::fake;

    fn names(terms: &[&str]) -> String {
        let terms = terms.iter().map(|text| text.parse().unwrap());
        let filter = Filter::<NodeTerm>(terms.collect());
        let nodes = fake::three_nodes();
        let kept = nodes.iter().filter(|node| filter.keeps(node));
        kept.map(|node| node.description.hostname.clone()).collect()
    }

    #[test]
    fn one_of_each_key_must_fit() {
        assert_eq!(names(&[]), "abc");
        assert_eq!(names(&["role=manager"]), "ab");
        assert_eq!(names(&["name=a", "name=c"]), "ac");
        assert_eq!(names(&["name=a", "name=c", "role=manager"]), "a");
        assert_eq!(names(&["id=b3d5"]), "b");
        assert_eq!(names(&["membership=accepted"]), "abc");
        assert_eq!(names(&["membership=pending"]), "");
    }

    #[test]
    fn every_label_must_fit() {
        assert_eq!(names(&["label=rack"]), "c");
        assert_eq!(names(&["node.label=rack=7"]), "c");
        assert_eq!(names(&["label=rack=8"]), "");
        assert_eq!(names(&["label=rack", "label=row"]), "");
    }
}
