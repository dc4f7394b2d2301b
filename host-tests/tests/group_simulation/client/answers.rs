//! What clients do when they are answered.

use isthmus::group::ask::{Joined, Reply};
use isthmus::group::error::GroupError;
use isthmus::group::log::entry::Assignment;

use super::{Kind, Role, Stage};
use crate::invariants;
use crate::time::{MS, Micros, SECOND};
use crate::truth::Partition;
use crate::world::World;

impl World {
    /// Takes the answer the client waits for, if it is there.
    pub(crate) fn take_answer(&mut self, client: usize, host: usize) -> bool {
        let Some(open) = self.clients[client].ask.clone() else { return false };
        let Some(result) = self.hosts[host].groups.take(open.id) else { return false };
        self.clients[client].ask = None;
        self.trace(|| format!("client {client} of host {host} is told {result:?}"));
        self.counts.answers += 1;
        if matches!(open.kind, Kind::Join | Kind::Sync) {
            self.clients[client].heard = self.now;
        }
        let pause = self.dice.between(MS, 20 * MS);
        let delay = match (open.kind, result) {
            (Kind::Join, result) => self.on_joined(client, result),
            (Kind::Sync, result) => self.on_synced(client, result),
            (Kind::Heartbeat { member, generation }, result) => {
                if result.is_ok() {
                    self.counts.heartbeats_good += 1;
                    let session = self.clients.iter().map(|client| client.session).max().unwrap_or(0);
                    let since = self.now.saturating_sub(session * 1000 / 960);
                    invariants::seven_a_good_heartbeat_is_a_recent_members(
                        &self.topic.truth,
                        &member,
                        generation,
                        since,
                    );
                } else {
                    self.counts.heartbeats_bad += 1;
                }
                let third = self.clients[client].session / 3;
                let next = self.now + third - self.dice.between(0, third / 8);
                if let Stage::Stable { heartbeat_at, .. } = &mut self.clients[client].stage {
                    *heartbeat_at = if result.is_ok() { next } else { self.now };
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Commit { values }, result) => {
                if result.is_ok() {
                    self.acknowledge(values);
                }
                let next = self.now + self.dice.between(20 * MS, self.commit_every);
                if let Stage::Stable { commit_at, .. } = &mut self.clients[client].stage {
                    *commit_at = next;
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Leave, result) => {
                if result.is_ok() {
                    self.clients[client].reset();
                    self.dice.between(MS, 20 * SECOND)
                } else {
                    pause
                }
            }
            (Kind::Read { then }, result) => {
                if result.is_ok() {
                    let state = self.hosts[host].groups.state(&self.group);
                    invariants::ten_what_is_read_is_as_new_as_the_request(&self.topic.truth.book, &then, state);
                    self.counts.reads_compared += 1;
                }
                let next = self.now + self.dice.between(SECOND, 20 * SECOND);
                if let Stage::Stable { read_at, .. } = &mut self.clients[client].stage {
                    *read_at = next;
                }
                self.on_member_error(client, result.err()).unwrap_or(pause)
            }
            (Kind::Other, _) => pause,
        };
        let delay = match self.clients[client].role {
            Role::Member(_) => delay,
            Role::Committer | Role::Reader | Role::Stale => self.dice.between(SECOND / 2, 15 * SECOND),
            Role::Admin => self.dice.between(SECOND, 15 * SECOND),
        };
        self.later(client, delay);
        true
    }

    fn acknowledge(&mut self, values: Vec<(Partition, i64)>) {
        let book = &mut self.topic.truth.book;
        for (partition, value) in values {
            let at = invariants::five_an_acknowledged_commit_is_in_the_log(book, value);
            let newest = book.acknowledged.entry(partition).or_insert(at);
            *newest = (*newest).max(at);
        }
        self.counts.acknowledged += 1;
    }

    fn on_joined(&mut self, client: usize, result: Result<Reply, GroupError>) -> Micros {
        match result {
            Ok(Reply::Issued(id)) => {
                self.clients[client].member = id;
                self.dice.between(0, MS)
            }
            Ok(Reply::Joined(joined)) => {
                let assignments = self.assign(&joined);
                let member = &mut self.clients[client];
                member.member = joined.member;
                member.generation = joined.generation;
                member.stage = Stage::Sync(assignments);
                if self.quiet { self.dice.between(0, 5 * MS) } else { self.dice.between(0, 3000 * MS) / 8 }
            }
            Ok(other) => panic!("Join was answered with {other:?}"),
            Err(error) => self.on_member_error(client, Some(error)).unwrap_or(MS),
        }
    }

    /// The leader's assignments: each partition to one member.
    fn assign(&mut self, joined: &Joined) -> Vec<Assignment> {
        if joined.members.is_empty() || joined.skip_assignment || joined.leader != joined.member {
            return Vec::new();
        }
        let nonce = self.new_id();
        let mut ids: Vec<&String> = joined.members.iter().map(|member| &member.id).collect();
        ids.sort();
        let of = |place: usize| {
            let mine = (0..self.partitions).filter(|partition| *partition as usize % ids.len() == place);
            invariants::assignment(nonce, &mine.collect::<Vec<_>>())
        };
        let assigned = ids.iter().enumerate().map(|(place, id)| Assignment { member: (*id).clone(), bytes: of(place) });
        assigned.collect()
    }

    fn on_synced(&mut self, client: usize, result: Result<Reply, GroupError>) -> Micros {
        match result {
            Ok(Reply::Assigned { assignment, .. }) => {
                let (member, generation) = (self.clients[client].member.clone(), self.clients[client].generation);
                invariants::three_assignments_of_a_member_are_equal(
                    &mut self.handed_out,
                    &self.topic.truth.book,
                    &member,
                    generation,
                    &assignment,
                );
                let owned = invariants::partitions(&assignment);
                let read_at = if self.dice.permille(500) { self.now } else { self.now + 5 * SECOND };
                let heartbeat_at = self.now + self.clients[client].session / 3;
                let commit_at = self.now + self.dice.between(20 * MS, self.commit_every);
                let assigned =
                    invariants::nonce(&assignment).and_then(|nonce| self.topic.truth.book.nonces.get(&nonce));
                let then = assigned.map(|assigned| assigned.acknowledged.clone()).unwrap_or_default();
                self.clients[client].assigned_then = Some((generation, then));
                self.clients[client].stage = Stage::Stable { owned, heartbeat_at, commit_at, read_at };
                1
            }
            Ok(other) => panic!("Sync was answered with {other:?}"),
            Err(error) => self.on_member_error(client, Some(error)).unwrap_or(MS),
        }
    }

    /// What a member does about an error: as Kafka's own consumer.
    fn on_member_error(&mut self, client: usize, error: Option<GroupError>) -> Option<Micros> {
        let error = error?;
        if !self.clients[client].is_member() {
            return None;
        }
        let member = &mut self.clients[client];
        match error {
            GroupError::UnknownMember | GroupError::NoGroup => {
                member.reset();
                Some(10 * MS)
            }
            GroupError::FencedInstance => {
                let back = self.dice.between(SECOND / 10, 25 * SECOND);
                self.crash_client(client, back);
                Some(SECOND)
            }
            GroupError::RebalanceInProgress | GroupError::IllegalGeneration => {
                member.stage = Stage::Join;
                Some(MS)
            }
            GroupError::Loading | GroupError::NotAvailable => Some(100 * MS),
            GroupError::NotCoordinator => {
                // Asks again who coordinates, and may be told another host.
                if self.dice.permille(300) {
                    self.disconnect(client);
                }
                Some(100 * MS)
            }
            GroupError::TooManyOffsets | GroupError::GroupMaxSize => Some(SECOND),
            GroupError::InconsistentProtocol
            | GroupError::MemberIdRequired
            | GroupError::InvalidSessionTimeout
            | GroupError::InvalidGroupId
            | GroupError::GroupIdNotFound
            | GroupError::NonEmptyGroup
            | GroupError::SubscribedToTopic
            | GroupError::OffsetMetadataTooLarge
            | GroupError::UnstableOffsets
            | GroupError::ProducerFenced
            | GroupError::NotAuthorized
            | GroupError::TooLarge
            | GroupError::UnknownFormat => panic!("a member was told {error:?}"),
        }
    }
}
