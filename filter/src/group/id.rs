//! Names of groups and the topics that hold their logs.

use std::fmt::{self, Write};
use std::sync::Arc;

use crate::config::Config;
use crate::topics::name::{INTERNAL_PREFIX, PulsarTopic};

/// Closes a topic's name: a group may be called `x-partition-3`, which Pulsar would read as a partition of another topic.
const SUFFIX: &str = ".g";

/// Stands before two hexadecimal digits for a byte that a topic's name cannot have.
const ESCAPE: u8 = b'=';

/// A group's id, as clients give it: never empty, at most [`GroupId::MAX_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(Arc<str>);

impl GroupId {
    /// Bound of an id's length: its topic's name is up to three times as long.
    pub const MAX_BYTES: usize = 200;

    /// `None` for a name that no group can have.
    pub fn new(id: &str) -> Option<Self> {
        (!id.is_empty() && id.len() <= Self::MAX_BYTES).then(|| Self(id.into()))
    }

    /// As clients give it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The topic that holds the group's log. No Kafka client can name it: `KafkaTopic` refuses what begins so.
    pub fn topic(&self, config: &Config) -> PulsarTopic {
        PulsarTopic::in_namespace(&namespace(config), &format!("{INTERNAL_PREFIX}{}{SUFFIX}", escaped(&self.0)))
    }

    /// The group whose log a topic of that full name holds; `None` if it holds none.
    pub fn of_topic(name: &str, config: &Config) -> Option<Self> {
        let local = name.strip_prefix("persistent://")?.strip_prefix(&namespace(config))?.strip_prefix('/')?;
        let name = local.strip_prefix(INTERNAL_PREFIX)?.strip_suffix(SUFFIX)?;
        let id = unescaped(name)?;
        // One name a group: `=41` is no way to write `A`.
        (escaped(&id) == name).then(|| Self::new(&id)).flatten()
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `tenant/namespace` of the topics that hold groups.
pub fn namespace(config: &Config) -> String {
    let of_topics = || format!("{}/{}", config.tenant, config.namespace);
    config.groups_namespace.clone().unwrap_or_else(of_topics)
}

fn escaped(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            name.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(name, "={byte:02X}");
        }
    }
    name
}

fn unescaped(name: &str) -> Option<String> {
    let mut rest = name.as_bytes();
    let mut id = Vec::with_capacity(rest.len());
    while let Some((first, after)) = rest.split_first() {
        rest = if *first == ESCAPE {
            let (digits, after) = after.split_first_chunk::<2>()?;
            id.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            after
        } else {
            id.push(*first);
            after
        };
    }
    String::from_utf8(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::name::KafkaTopic;

    fn topic(id: &str) -> String {
        GroupId::new(id).unwrap().topic(&Config::default()).as_str().to_owned()
    }

    #[test]
    fn a_groups_topic_bears_its_id() {
        assert_eq!(topic("billing.v2_x-1"), "persistent://public/default/__kafka_group_billing.v2_x-1.g");
    }

    #[test]
    fn bytes_that_a_topic_cannot_have_are_written_as_hexadecimal_digits() {
        assert_eq!(topic("a b/ä=%"), "persistent://public/default/__kafka_group_a=20b=2F=C3=A4=3D=25.g");
    }

    #[test]
    fn a_group_is_found_again_by_its_topic() {
        for id in ["g", "a b/ä=%", "x-partition-3", "=41", ".g", "\n", "日本", &"ä".repeat(100)] {
            let group = GroupId::new(id).unwrap();
            let name = group.topic(&Config::default());
            assert_eq!(GroupId::of_topic(name.as_str(), &Config::default()), Some(group), "{name}");
        }
    }

    #[test]
    fn other_topics_hold_no_group() {
        for local in ["orders", "__kafka_group_g", "__kafka_group_.g", "__kafka_group_=41.g", "__kafka_group_=C3.g"] {
            let name = format!("persistent://public/default/{local}");
            assert_eq!(GroupId::of_topic(&name, &Config::default()), None, "{name}");
        }
        for name in ["persistent://public/other/__kafka_group_g.g", "__kafka_group_g.g", "persistent://public/default"]
        {
            assert_eq!(GroupId::of_topic(name, &Config::default()), None, "{name}");
        }
        let too_long = format!("persistent://public/default/__kafka_group_{}.g", "a".repeat(GroupId::MAX_BYTES + 1));
        assert_eq!(GroupId::of_topic(&too_long, &Config::default()), None);
    }

    #[test]
    fn half_an_escape_is_none() {
        for local in ["__kafka_group_a=.g", "__kafka_group_a=4.g", "__kafka_group_a=+4.g", "__kafka_group_a=zz.g"] {
            assert_eq!(GroupId::of_topic(&format!("persistent://public/default/{local}"), &Config::default()), None);
        }
    }

    #[test]
    fn groups_may_have_a_namespace_of_their_own() {
        let config = Config { groups_namespace: Some("kafka/groups".into()), ..Config::default() };
        let name = GroupId::new("g").unwrap().topic(&config);
        assert_eq!(name.as_str(), "persistent://kafka/groups/__kafka_group_g.g");
        assert_eq!(GroupId::of_topic(name.as_str(), &config), GroupId::new("g"));
    }

    #[test]
    fn an_id_is_neither_empty_nor_long() {
        assert_eq!(GroupId::new(""), None);
        assert_eq!(GroupId::new(&"a".repeat(GroupId::MAX_BYTES + 1)), None);
        assert!(GroupId::new(&"a".repeat(GroupId::MAX_BYTES)).is_some());
    }

    #[test]
    fn no_kafka_client_can_name_a_groups_topic() {
        let name = topic("g");
        assert!(KafkaTopic::new(name.rsplit('/').next().unwrap()).is_err());
    }
}
