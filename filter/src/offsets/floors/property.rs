//! Floors in the properties of a topic.
//!
//! Each change writes all floors of the topic under a key of its own, and then removes the keys it had read. Two changes at once
//! leave two keys; a partition's floor is the highest of all. Pulsar's properties have no compare-and-set: under one key, the later of
//! two writers would take back what the earlier was told is done.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;

use crate::error::AdminError;
use crate::ids::Offset;

/// What the keys begin with; a number follows that is never the same.
const PREFIX: &str = "kafka.log-start.";

/// The property that remembers `cleanup.policy`.
const CLEANUP_POLICY: &str = "kafka.cleanup.policy";

/// Bound of partitions in one property.
const MAX_PARTITIONS: usize = 100_000;

/// Floors by partition; what is missing has none.
pub type Floors = BTreeMap<u32, Offset>;

/// What a topic's properties say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The highest of each partition.
    pub floors: Floors,
    /// The keys they stood under.
    pub keys: Vec<String>,
    /// `cleanup.policy` as a client set it.
    pub cleanup_policy: Option<String>,
}

/// Properties as Pulsar's REST answers them; none are no body.
pub fn properties(body: &[u8]) -> Result<BTreeMap<String, String>, AdminError> {
    let body = if body.trim_ascii().is_empty() { b"null" } else { body };
    let properties: Option<BTreeMap<String, String>> =
        serde_json::from_slice(body).map_err(|_| AdminError::Malformed("a topic's properties are not as expected"))?;
    Ok(properties.unwrap_or_default())
}

/// Reads the properties of a topic. What is no floor there is passed over.
pub fn read(body: &[u8]) -> Result<Written, AdminError> {
    let mut written = Written::default();
    for (key, value) in properties(body)? {
        if key.starts_with(PREFIX) {
            for (partition, floor) in value.split(',').take(MAX_PARTITIONS).filter_map(one) {
                raise(&mut written.floors, partition, floor);
            }
            written.keys.push(key);
        } else if key == CLEANUP_POLICY {
            written.cleanup_policy = Some(value);
        }
    }
    Ok(written)
}

/// The property to set, as JSON, under the key that `unique` makes.
pub fn write(floors: &Floors, unique: u64) -> Bytes {
    let mut value = String::new();
    for (partition, floor) in floors {
        let comma = if value.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(value, "{comma}{partition}={}", floor.value());
    }
    serde_json::to_vec(&BTreeMap::from([(format!("{PREFIX}{unique:016x}"), value)])).unwrap_or_default().into()
}

/// Raises one floor; a lower one changes nothing.
pub fn raise(floors: &mut Floors, partition: u32, floor: Offset) {
    let known = floors.entry(partition).or_insert(floor);
    *known = floor.max(*known);
}

/// `3=17`.
fn one(text: &str) -> Option<(u32, Offset)> {
    let (partition, floor) = text.split_once('=')?;
    Some((partition.parse().ok()?, Offset::new(floor.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floors(floors: &[(u32, i64)]) -> Floors {
        floors.iter().map(|(partition, floor)| (*partition, Offset::new(*floor).unwrap())).collect()
    }

    #[test]
    fn what_is_written_reads_back() {
        let written = read(&write(&floors(&[(0, 7), (12, 1 << 40)]), 5)).unwrap();
        assert_eq!(written.floors, floors(&[(0, 7), (12, 1 << 40)]));
        assert_eq!(written.keys, ["kafka.log-start.0000000000000005"]);
    }

    #[test]
    fn of_two_changes_at_once_none_is_lost() {
        let body = br#"{"kafka.log-start.a": "0=10,1=3", "kafka.log-start.b": "0=5,1=4,2=1", "kafka.cleanup.policy": "compact"}"#;
        let written = read(body).unwrap();
        assert_eq!(written.floors, floors(&[(0, 10), (1, 4), (2, 1)]));
        assert_eq!(written.keys.len(), 2);
        assert_eq!(written.cleanup_policy.as_deref(), Some("compact"));
    }

    #[test]
    fn what_is_no_floor_is_passed_over_and_its_key_goes_with_the_next_change() {
        let written = read(br#"{"kafka.log-start.a": "0=x,y,1=-4,-1=2,3=4,", "index": "-1"}"#).unwrap();
        assert_eq!(written.floors, floors(&[(3, 4)]));
        assert_eq!(written.keys.len(), 1);
        assert_eq!(read(b""), Ok(Written::default()));
        assert_eq!(read(b"null"), Ok(Written::default()));
        assert!(read(b"<html>").is_err());
    }
}
