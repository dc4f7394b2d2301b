//! How many bytes Pulsar stores for the partitions of a topic that one broker leads.

use std::collections::BTreeMap;

use kafka_protocol::error::ResponseError;
use serde::Deserialize;

use super::admin_change::AdminChange;
use super::change::{Change, Refused};
use super::leader::FindLeader;
use super::leader_cache::Address;
use super::name::{KafkaTopic, split_partition};
use super::partitions::{CountPartitions, Partitions};
use crate::config::HostPort;
use crate::error::AdminError;
use crate::session::io::Io;
use crate::session::wake::Parts;
use crate::time::Instant;

/// What need not be in the answer: it grows with a topic's clients.
const WITHOUT_CLIENTS: &str = "excludePublishers=true&excludeConsumers=true&subscriptionBacklogSize=false";

/// ```text
/// New ──▶ Counting ──▶ Leading ──this broker leads some──▶ Measuring ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Counting(CountPartitions),
    Leading(Partitions, Parts<Leader>),
    Measuring(Partitions, Vec<i32>, AdminChange),
}

/// The leader of one partition.
#[derive(Debug)]
enum Leader {
    Asked(FindLeader),
    Told(Option<Address>),
}

/// The question for one topic. A topic that is not there has no partitions.
#[derive(Debug)]
pub struct MeasureTopic {
    topic: KafkaTopic,
    broker: HostPort,
    state: State,
}

impl MeasureTopic {
    /// Of the partitions that `broker` leads.
    pub fn new(topic: KafkaTopic, broker: HostPort) -> Self {
        Self { topic, broker, state: State::New }
    }

    fn ask_leaders(&self, partitions: Partitions, io: &mut Io<'_>) -> State {
        let mut leaders = Parts::new(io);
        for index in (0_i32..).take(partitions.count() as usize) {
            if let Some(topic) = partitions.topic(&io.shared.config, &self.topic, index) {
                leaders.push(io, |io| Leader::Asked(FindLeader::new(&topic, io)));
            }
        }
        State::Leading(partitions, leaders)
    }

    fn measure(&self, partitions: Partitions, led: Vec<i32>, io: &mut Io<'_>) -> State {
        let base = self.topic.base(&io.shared.config);
        let path = match partitions {
            Partitions::Partitioned(_) => {
                base.admin_path(&format!("/partitioned-stats?perPartition=true&{WITHOUT_CLIENTS}"))
            }
            Partitions::NonPartitioned => base.admin_path(&format!("/stats?{WITHOUT_CLIENTS}")),
        };
        State::Measuring(partitions, led, AdminChange::read(path, io))
    }
}

impl Leader {
    /// Whether it is told.
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        if let Leader::Asked(find) = self {
            match find.poll(io) {
                None => return false,
                Some(told) => *self = Leader::Told(told.ok()),
            }
        }
        true
    }
}

impl Change for MeasureTopic {
    type Made = Vec<(i32, i64)>;

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Vec<(i32, i64)>, Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => State::Counting(CountPartitions::new(&self.topic, io)),
                State::Counting(count) => match count.poll(io)? {
                    Ok(partitions) => self.ask_leaders(partitions, io),
                    Err(error) if error.is_not_found() => return Some(Ok(Vec::new())),
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Leading(partitions, leaders) => {
                    if !leaders.poll(io, Leader::poll) {
                        return None;
                    }
                    let is_led = |leader: &Leader| matches!(leader, Leader::Told(Some(told)) if **told == self.broker);
                    let led: Vec<i32> = (0_i32..)
                        .zip(leaders.iter())
                        .filter(|(_, leader)| is_led(leader))
                        .map(|(index, _)| index)
                        .collect();
                    if led.is_empty() {
                        return Some(Ok(Vec::new()));
                    }
                    let partitions = *partitions;
                    self.measure(partitions, led, io)
                }
                State::Measuring(partitions, led, call) => {
                    let sizes = match call.poll(io)? {
                        Ok(body) => sizes(*partitions, &body),
                        Err(AdminError::Status(404, _)) => Ok(BTreeMap::new()),
                        Err(error) => Err(error),
                    };
                    let of_led = |sizes: BTreeMap<i32, i64>| {
                        sizes.into_iter().filter(|(partition, _)| led.contains(partition)).collect()
                    };
                    return Some(sizes.map(of_led).map_err(|error| Refused::by_admin(&error)));
                }
            };
            self.state = next;
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Counting(_) | State::Leading(..) => None,
            State::Measuring(_, _, call) => call.next_wake(),
        }
    }

    fn overdue(&mut self, _: &mut Io<'_>) -> Refused {
        Refused::because(ResponseError::RequestTimedOut, "Pulsar did not answer in time")
    }
}

/// `TopicStats.storageSize`: bytes of the entries in all ledgers of a topic.
#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "storageSize")]
    storage_size: i64,
}

#[derive(Deserialize)]
struct PartitionedStats {
    partitions: BTreeMap<String, Stats>,
}

/// Sizes by partition, of those that the broker tells.
fn sizes(partitions: Partitions, body: &[u8]) -> Result<BTreeMap<i32, i64>, AdminError> {
    let malformed = |_| AdminError::Malformed("a topic's stats are not as expected");
    match partitions {
        Partitions::NonPartitioned => {
            let stats: Stats = serde_json::from_slice(body).map_err(malformed)?;
            Ok([(0, stats.storage_size)].into())
        }
        Partitions::Partitioned(_) => {
            let stats: PartitionedStats = serde_json::from_slice(body).map_err(malformed)?;
            let sizes = stats.partitions.iter().filter_map(|(name, stats)| {
                let (_, partition) = split_partition(name)?;
                Some((i32::try_from(partition).ok()?, stats.storage_size))
            });
            Ok(sizes.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_by_partition() {
        let body = br#"{"storageSize": 12, "partitions": {
            "persistent://public/default/t-partition-0": {"storageSize": 5},
            "persistent://public/default/t-partition-11": {"storageSize": 7}}}"#;
        assert_eq!(sizes(Partitions::Partitioned(12), body), Ok([(0, 5), (11, 7)].into()));
        assert_eq!(sizes(Partitions::NonPartitioned, body), Ok([(0, 12)].into()));
        assert!(sizes(Partitions::NonPartitioned, b"<html>").is_err());
    }
}
