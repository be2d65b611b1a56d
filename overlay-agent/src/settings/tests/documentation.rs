//! The page of keys is complete, and its examples are configurations.

use std::{collections::BTreeSet, fs, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor, value::Error},
};

use crate::settings::{Settings, typed};

const PAGE: &str = include_str!("../../../../docs/configuration.md");

/// The contents of the page's code blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let rests = PAGE.split(fence.as_str()).skip(1);
    rests
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect()
}

#[test]
fn every_example_is_a_configuration() {
    let examples = blocks("yaml");
    assert!(examples.len() >= 2);
    for example in examples {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("k.endpoints"), blocks("text")[0]).unwrap();
        let path = directory.path().join("agent.yaml");
        fs::write(&path, example).unwrap();

        let settings = Settings::load(Some(&path), "/var/lib/overlay", "/run/overlay");

        assert_eq!(
            settings.map_err(|error| super::told(&error)).unwrap().node,
            "a"
        );
    }
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let mut keys = BTreeSet::new();
    for (prefix, names) in [
        ("", fields::<typed::File>()),
        ("datapath.", fields::<typed::Datapath>()),
        ("datapath.limits.", fields::<typed::Limits>()),
        ("dns.", fields::<typed::Dns>()),
        ("encryption.", fields::<typed::Encryption>()),
        ("events.", fields::<typed::Events>()),
        ("outside.", fields::<typed::Outside>()),
        ("services.", fields::<typed::Services>()),
        ("services.timeouts.", fields::<typed::Timeouts>()),
        ("cluster.", fields::<typed::Cluster>()),
        ("cluster.nodes[].", fields::<typed::Node>()),
        ("cluster.nodes[].endpoints[].", fields::<typed::Endpoint>()),
        ("cluster.networks[].", fields::<typed::Network>()),
    ] {
        keys.extend(names.iter().map(|name| format!("{prefix}{name}")));
    }
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<String> = rows
        .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
        .collect();

    assert_eq!(documented, keys);
}

/// The keys of a struct, as serde asks a format for them.
fn fields<T: for<'de> Deserialize<'de>>() -> Vec<String> {
    let refused = T::deserialize(Asked(PhantomData)).err();
    let listed = refused.map_or_else(String::new, |error| error.to_string());
    listed.split(' ').map(str::to_owned).collect()
}

/// A format that has nothing, and says what it was asked for.
struct Asked<'de>(PhantomData<&'de ()>);

impl<'de> Deserializer<'de> for Asked<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        Err(Error::custom(fields.join(" ")))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
