//! What clients ask.

use isthmus::group::ask::{Ask, JoinAsk, Membership, SyncAsk};
use isthmus::group::log::entry::{EventPosition, Leaver, PartitionOffset, TopicOffsets, TopicPartitions};

use super::{Kind, OTHER, Stage, TOPIC};
use crate::time::{MS, Micros};
use crate::truth::Partition;
use crate::world::World;

impl World {
    pub(super) fn member_asks(&mut self, client: usize) -> Option<(Ask, Kind)> {
        let now = self.now;
        let by = self.clients[client].membership();
        match self.clients[client].stage.clone() {
            Stage::Join => {
                let member = &self.clients[client];
                let ask = JoinAsk {
                    member: member.member.clone(),
                    instance: member.instance(),
                    client_id: format!("c{client}"),
                    client_host: "/127.0.0.1".to_owned(),
                    session_ms: (member.session / MS) as u32,
                    rebalance_ms: (member.rebalance / MS) as u32,
                    protocol_type: "consumer".to_owned(),
                    protocols: member.subscription(),
                    must_know_id: member.knows_79,
                };
                Some((Ask::Join(ask), Kind::Join))
            }
            Stage::Sync(assignments) => {
                let versioned = self.dice.permille(500);
                let ask = SyncAsk {
                    by,
                    protocol_type: versioned.then(|| "consumer".to_owned()),
                    protocol: None,
                    assignments,
                };
                Some((Ask::Sync(ask), Kind::Sync))
            }
            Stage::Stable { owned, heartbeat_at, commit_at, read_at } => {
                if heartbeat_at <= now {
                    let kind = Kind::Heartbeat { member: by.member.clone(), generation: by.generation };
                    return Some((Ask::Heartbeat(by), kind));
                }
                if read_at <= now {
                    return Some(self.reads_as(client));
                }
                if commit_at <= now && !owned.is_empty() {
                    return Some(self.commits(client, by, &owned));
                }
                if !self.quiet && self.dice.permille(20) {
                    let leaver = Leaver { member: by.member, instance: by.instance };
                    return Some((Ask::Leave(vec![leaver]), Kind::Leave));
                }
                let next = heartbeat_at.min(read_at).min(if owned.is_empty() { Micros::MAX } else { commit_at });
                self.later(client, next.saturating_sub(now).max(1));
                None
            }
        }
    }

    pub(super) fn commits(&mut self, client: usize, by: Membership, owned: &[u32]) -> (Ask, Kind) {
        let name = if self.clients[client].is_member() { TOPIC } else { OTHER };
        let mut values = Vec::new();
        let mut partitions = Vec::new();
        for partition in owned {
            let offset = self.new_id() as i64;
            let metadata = if self.wide { "m".repeat(3900) } else { String::new() };
            partitions.push(PartitionOffset { partition: *partition as i32, offset, leader_epoch: -1, metadata });
            values.push(((name.to_owned(), *partition as i32), offset));
        }
        let topics = vec![TopicOffsets { name: name.to_owned(), partitions }];
        (Ask::Commit { by, topics }, Kind::Commit { values })
    }

    fn acknowledged(&self) -> Vec<(Partition, EventPosition)> {
        self.topic.truth.book.acknowledged.iter().map(|(partition, at)| (partition.clone(), *at)).collect()
    }

    pub(super) fn reads(&self) -> (Ask, Kind) {
        (Ask::Confirm, Kind::Read { then: self.acknowledged() })
    }

    /// A member that has its assignment reads what was committed before it got it.
    fn reads_as(&self, client: usize) -> (Ask, Kind) {
        let client = &self.clients[client];
        match &client.assigned_then {
            Some((generation, then)) if *generation == client.generation => {
                (Ask::Confirm, Kind::Read { then: then.clone() })
            }
            Some(_) | None => self.reads(),
        }
    }

    pub(super) fn admin_asks(&mut self) -> Ask {
        match self.dice.between(0, 3) {
            0 | 1 => Ask::Delete,
            2 => Ask::OffsetDelete(vec![TopicPartitions { name: OTHER.to_owned(), partitions: vec![7] }]),
            _ => Ask::OffsetDelete(vec![TopicPartitions { name: TOPIC.to_owned(), partitions: vec![0, 1] }]),
        }
    }

    /// As a member that was cut off and does not know that the group went on.
    pub(super) fn stale_asks(&mut self, client: usize) -> (Ask, Kind) {
        let members: Vec<(String, Option<String>)> =
            self.topic.truth.state.members.iter().map(|member| (member.id.clone(), member.instance.clone())).collect();
        let Some((member, instance)) = self.dice.pick(&members).cloned() else { return self.reads() };
        let back = self.dice.between(1, 2) as i32;
        let generation = (self.topic.truth.state.generation - back).max(0);
        let by = Membership { member, instance, generation };
        if self.dice.permille(500) {
            let kind = Kind::Heartbeat { member: by.member.clone(), generation };
            return (Ask::Heartbeat(by), kind);
        }
        self.commits(client, by, &[0, 1, 2])
    }
}
