//! What a setting may be: the same words in the check, in the error and on the page.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::address::HostPort;
use super::{KIB, MIB};
use crate::topics::configs::table;

/// A bound on values of type `T`.
pub(super) trait Rule<T> {
    /// What a value may be, to stand after "must be".
    fn text(&self) -> String;

    /// What is wrong with `value`, beyond its type.
    fn check(&self, value: &T) -> Result<(), String>;

    /// A value as the page shows it.
    fn shown(&self, value: &T) -> String
    where
        T: Serialize,
    {
        serde_json::to_string(value).map_or_else(|error| error.to_string(), |json| format!("`{json}`"))
    }
}

/// Whatever its type allows, in these words.
pub(super) struct Anything(pub(super) &'static str);

impl<T> Rule<T> for Anything {
    fn text(&self) -> String {
        self.0.to_owned()
    }

    fn check(&self, _: &T) -> Result<(), String> {
        Ok(())
    }
}

/// One of the values of its type, as JSON.
pub(super) struct OneOf(pub(super) &'static [&'static str]);

impl<T> Rule<T> for OneOf {
    fn text(&self) -> String {
        let values: Vec<_> = self.0.iter().map(|value| format!("`{value}`")).collect();
        values.join(" or ")
    }

    fn check(&self, _: &T) -> Result<(), String> {
        Ok(())
    }
}

/// A number from the first to the second.
pub(super) struct Between(pub(super) u32, pub(super) u32);

impl Rule<u32> for Between {
    fn text(&self) -> String {
        format!("{} to {}", self.0, self.1)
    }

    fn check(&self, value: &u32) -> Result<(), String> {
        if (self.0..=self.1).contains(value) { Ok(()) } else { Err(format!("it is {value}")) }
    }
}

/// A number of bytes from the first to the second.
pub(super) struct BytesBetween(pub(super) usize, pub(super) usize);

impl Rule<usize> for BytesBetween {
    fn text(&self) -> String {
        format!("{} to {}", bytes_text(self.0), bytes_text(self.1))
    }

    fn check(&self, value: &usize) -> Result<(), String> {
        if (self.0..=self.1).contains(value) { Ok(()) } else { Err(format!("it is {value}")) }
    }

    fn shown(&self, value: &usize) -> String {
        bytes_text(*value)
    }
}

fn bytes_text(bytes: usize) -> String {
    match (bytes.checked_rem(MIB), bytes.checked_div(MIB), bytes.checked_div(KIB)) {
        (Some(0), Some(mib), _) => format!("`{bytes}` ({mib} MiB)"),
        (_, _, Some(kib)) => format!("`{bytes}` ({kib} KiB)"),
        _ => format!("`{bytes}`"),
    }
}

/// A name of a tenant or namespace (`NamedEntity.java` in pulsar-common).
pub(super) struct PulsarName;

impl Rule<String> for PulsarName {
    fn text(&self) -> String {
        "a name of letters, digits and any of `_-=:.`".to_owned()
    }

    fn check(&self, value: &String) -> Result<(), String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-=:.".contains(c);
        if !value.is_empty() && value.chars().all(allowed) { Ok(()) } else { Err(format!("it is {value:?}")) }
    }
}

/// A string that says something.
pub(super) struct NotEmpty;

impl Rule<String> for NotEmpty {
    fn text(&self) -> String {
        "a string that is not empty".to_owned()
    }

    fn check(&self, value: &String) -> Result<(), String> {
        if value.is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
    }
}

/// A name without spaces, or nothing.
pub(super) struct NameOrEmpty;

impl Rule<String> for NameOrEmpty {
    fn text(&self) -> String {
        "a name without spaces, or empty".to_owned()
    }

    fn check(&self, value: &String) -> Result<(), String> {
        let wrong = |c: char| c.is_whitespace() || c.is_control();
        if value.contains(wrong) { Err(format!("it is {value:?}")) } else { Ok(()) }
    }
}

/// Addresses by address.
pub(super) struct Addresses;

impl Rule<BTreeMap<HostPort, HostPort>> for Addresses {
    fn text(&self) -> String {
        "an object of `\"pulsar-host:port\": \"kafka-host:port\"`".to_owned()
    }

    fn check(&self, _: &BTreeMap<HostPort, HostPort>) -> Result<(), String> {
        Ok(())
    }
}

/// Node ids by address.
pub(super) struct NodeIds;

impl Rule<BTreeMap<HostPort, i32>> for NodeIds {
    fn text(&self) -> String {
        "an object of `\"kafka-host:port\": id`, each id different and not below 0".to_owned()
    }

    fn check(&self, ids: &BTreeMap<HostPort, i32>) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for (address, id) in ids {
            if *id < 0 {
                return Err(format!("the id of {address} is {id}"));
            }
            if !seen.insert(id) {
                return Err(format!("two addresses have the id {id}"));
            }
        }
        Ok(())
    }
}

/// Names of Kafka's topic configurations.
pub(super) struct TopicConfigs;

impl Rule<BTreeSet<String>> for TopicConfigs {
    fn text(&self) -> String {
        "an array of names of Kafka's topic configurations".to_owned()
    }

    fn check(&self, names: &BTreeSet<String>) -> Result<(), String> {
        let is_known =
            |name: &&String| table::find(name).is_some() || table::WITHOUT_COUNTERPART.contains(&name.as_str());
        match names.iter().find(|name| !is_known(name)) {
            Some(unknown) => Err(format!("Kafka has no topic configuration {unknown:?}")),
            None => Ok(()),
        }
    }
}
