//! Random entries of several writers, straight into `apply`: no replicas and no time, but any order and any nonsense. Now and
//! then the state goes through a snapshot, and the log is loaded from it.

use bytes::Bytes;
use isthmus::group::log::entry::{
    Assignment, Base, Beat, Commit, Delete, Entry, Event, EventPosition, Expire, ExpireOffsets, ExpiredOffset, Join,
    Kind, Leave, Leaver, Nop, OffsetDelete, PartitionOffset, Protocol, Sync, Timeout, TopicOffsets, TopicPartitions,
    TxnCommit, TxnEnd,
};
use isthmus::group::log::snapshot::split;
use isthmus::group::state::State;
use isthmus::ids::Position;
use prost::Message;

use crate::counts::Counts;
use crate::dice::Dice;
use crate::invariants;
use crate::topic::Topic;

/// One that writes.
#[derive(Clone, Copy)]
struct Writer {
    id: u64,
    epoch: u64,
    seq: u64,
}

/// See the module.
pub(crate) struct Fold {
    dice: Dice,
    topic: Topic,
    writers: Vec<Writer>,
    next: u64,
    /// Entries that may be stored once more.
    sent: Vec<Bytes>,
    pub(crate) counts: Counts,
    now: u64,
    /// The state at the last cut, as snapshots hold it.
    cut: Option<(Position, Bytes)>,
}

impl Fold {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let writers = (0..dice.between(1, 5)).map(|_| Writer { id: dice.next(), epoch: 0, seq: 0 }).collect();
        let mut topic = Topic::default();
        topic.create();
        topic.guard(None);
        Self { dice, topic, writers, next: 0, sent: Vec::new(), counts: Counts::default(), now: 0, cut: None }
    }

    /// Stores so many entries.
    pub(crate) fn run(&mut self, entries: u64) {
        for _ in 0..entries {
            self.now += self.dice.between(0, 1000);
            let payload = match self.dice.between(0, 99) {
                0..=3 if !self.sent.is_empty() => self.dice.pick(&self.sent).expect("some").clone(),
                4 => Bytes::from_static(b"\xff nonsense"),
                5 => {
                    self.topic.roll();
                    self.entry()
                }
                _ => self.entry(),
            };
            if self.sent.len() < 30 {
                self.sent.push(payload.clone());
            } else {
                let place = self.dice.between(0, 29) as usize;
                self.sent[place] = payload.clone();
            }
            let (position, _) = self.topic.append(payload, self.now, &mut self.dice, &mut self.counts);
            let state = &self.topic.truth.state;
            if state.log.cut == Some(position) {
                self.cut = Some((position, state.encode().into()));
            }
            if self.dice.permille(3) {
                self.check_bytes();
            }
            let unneeded = match state.log.previous_base {
                Some(base) => Some(Position { entry: base.entry.wrapping_sub(1), ..base }),
                // The last entry must name where the group ended, or a load by it needs what lies before.
                None => self.topic.marks_an_end().then_some(position),
            };
            if unneeded.is_some() && self.dice.permille(if state.exists { 5 } else { 500 }) {
                self.topic.guard(unneeded);
                self.counts.entries_trimmed += self.topic.trim(&mut self.dice) as u64;
            }
        }
        // A load begins where the last entry says: an unreadable one, or one stored again after ages, says nothing or too little.
        let payload = self.entry();
        self.topic.append(payload, self.now, &mut self.dice, &mut self.counts);
        self.load();
    }

    /// Canonical bytes give the state back, and their length is known beforehand.
    fn check_bytes(&self) {
        let state = &self.topic.truth.state;
        let bytes = state.encode();
        assert_eq!(bytes.len(), state.size_bytes(), "invariant 1: a state's length is not what it says: {state:?}");
        let read = State::decode(&bytes).expect("invariant 1: a state's own bytes");
        assert_eq!(&read, state, "invariant 1: a state that was read is another");
        assert_eq!(read.encode(), bytes, "invariant 1: a state has two forms");
    }

    fn load(&mut self) {
        let kept = self.topic.kept();
        let last = kept.end - 1;
        let state = self.topic.load_up_to(last).unwrap_or_else(|breach| panic!("invariant 2: {breach:?}"));
        assert_eq!(state, self.topic.truth.state, "invariant 2: what is loaded is another state");
        self.counts.loads_replayed += 1;
        for _ in 0..3 {
            let index = self.dice.between(kept.start as u64, last as u64) as usize;
            let position = self.topic.get(index).map(|(position, _)| *position).expect("kept");
            if !self.topic.is_guarded(position) {
                continue;
            }
            if let Ok(state) = self.topic.load_up_to(index) {
                invariants::one_equal_logs_make_equal_states(&self.topic.truth, &state, position, true);
                self.counts.loads_replayed += 1;
            } else {
                assert!(kept.start > 0, "invariant 2: a log that is whole cannot be loaded up to {position:?}");
            }
        }
    }

    fn entry(&mut self) -> Bytes {
        let which = self.dice.between(0, self.writers.len() as u64 - 1) as usize;
        let mut writer = self.writers[which];
        if self.dice.permille(3) {
            writer = Writer { id: self.dice.next(), epoch: 0, seq: 0 };
        }
        let open = writer.epoch == 0 || self.dice.permille(20);
        if open {
            writer.epoch += 1;
            writer.seq = 0;
        }
        writer.seq += 1;
        self.writers[which] = writer;
        let events = (0..self.dice.between(1, 4)).map(|_| self.event()).collect();
        let state = &self.topic.truth.state;
        // What the writer had seen is somewhat older than what there is, never newer.
        let entry = Entry {
            format: 1,
            writer: writer.id,
            epoch: if !open && self.dice.permille(10) { writer.epoch.saturating_sub(1) } else { writer.epoch },
            seq: writer.seq,
            open,
            seen: state.log.applied.map(Into::into),
            base: state.log.base().map(|base| base.position().into()),
            bare: matches!(state.log.base(), Some(Base::Origin(_))),
            time_ms: self.now as i64,
            events,
        };
        entry.encode_to_vec().into()
    }

    fn event(&mut self) -> Event {
        let kind = match self.dice.between(0, 99) {
            0..=21 => Kind::Join(self.join()),
            22..=41 => Kind::Sync(self.sync()),
            42..=47 => Kind::Beat(Beat { members: vec![self.member().0, "stranger".to_owned()] }),
            48..=53 => {
                let (member, instance, _) = self.member();
                let member = if instance.is_some() && self.dice.permille(500) { String::new() } else { member };
                Kind::Leave(Leave { members: vec![Leaver { member, instance }] })
            }
            54..=58 => {
                let (member, _, seen) = self.member();
                Kind::Expire(Expire { member, seen })
            }
            59..=64 => {
                let state = &self.topic.truth.state;
                let phase = if self.dice.permille(500) { state.phase_began } else { state.round_began };
                Kind::Timeout(Timeout { phase })
            }
            65..=84 => Kind::Commit(self.commit()),
            85 => Kind::OffsetDelete(OffsetDelete { topics: vec![self.some_partitions()] }),
            86 => Kind::Delete(Delete {}),
            87 => Kind::ExpireOffsets(self.expire_offsets()),
            88..=90 => Kind::TxnCommit(TxnCommit {
                commit: self.commit(),
                transactional_id: "tx".to_owned(),
                producer_id: self.dice.between(1, 3) as i64,
                producer_epoch: self.dice.between(0, 2) as i32,
            }),
            91..=92 => Kind::TxnEnd(TxnEnd {
                producer_id: self.dice.between(1, 3) as i64,
                producer_epoch: self.dice.between(0, 2) as i32,
                commit: self.dice.permille(700),
            }),
            93..=97 => match &self.cut {
                Some((cut, bytes)) => {
                    let parts: Vec<_> = split(*cut, bytes).collect();
                    Kind::Snapshot(self.dice.pick(&parts).expect("a part").clone())
                }
                None => Kind::Nop(Nop {}),
            },
            _ => Kind::Nop(Nop {}),
        };
        kind.into()
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn member(&mut self) -> (String, Option<String>, EventPosition) {
        let state = &self.topic.truth.state;
        match self.dice.pick(&state.members) {
            Some(member) if self.dice.permille(950) => (member.id.clone(), member.instance.clone(), member.seen),
            Some(_) | None => ("nobody".to_owned(), None, EventPosition::default()),
        }
    }

    fn join(&mut self) -> Join {
        let fresh = self.dice.permille(400);
        let (mut member, mut instance, _) = self.member();
        if fresh {
            member = format!("m{}", self.id());
            instance = self.dice.permille(300).then(|| format!("i{}", self.dice.between(0, 3)));
        }
        let metadata = Bytes::from(vec![0, 0, 0, 0, 0, 1, 0, 1, b't', self.dice.between(0, 1) as u8]);
        let names: &[&str] = self.dice.pick(&[&["a", "b"][..], &["b", "a"], &["a"], &["a", "b", "c"]]).expect("some");
        let protocols =
            names.iter().map(|name| Protocol { name: (*name).to_owned(), metadata: metadata.clone() }).collect();
        Join {
            member,
            instance,
            fresh,
            issued: self.dice.permille(500),
            client_id: "c".to_owned(),
            client_host: "/h".to_owned(),
            session_ms: 6000,
            rebalance_ms: 10_000,
            protocol_type: if self.dice.permille(5) { "connect" } else { "consumer" }.to_owned(),
            protocols,
            max_size: self.dice.between(3, 7) as u32,
        }
    }

    /// Mostly what brings the round on: the leader's Sync of the current generation.
    fn sync(&mut self) -> Sync {
        let (mut member, mut instance, _) = self.member();
        let state = &self.topic.truth.state;
        let mut generation = state.generation;
        if self.dice.permille(700)
            && let Some(leader) = state.leader.as_ref().and_then(|leader| state.member(leader))
        {
            (member, instance) = (leader.id.clone(), leader.instance.clone());
        }
        if self.dice.permille(50) {
            generation -= 1;
        }
        let ids: Vec<String> = state.members.iter().map(|member| member.id.clone()).collect();
        let nonce = self.id();
        let of = |place: usize| {
            let mine: Vec<u32> = (0..4).filter(|partition| *partition as usize % ids.len() == place).collect();
            invariants::assignment(nonce, &mine)
        };
        let assignments = ids
            .iter()
            .enumerate()
            .filter(|_| !ids.is_empty())
            .map(|(place, id)| Assignment { member: id.clone(), bytes: of(place) })
            .collect();
        Sync { member, instance, generation, protocol_type: None, protocol: None, assignments }
    }

    fn commit(&mut self) -> Commit {
        let (member, instance, _) = self.member();
        let mut generation = self.topic.truth.state.generation;
        if self.dice.permille(100) {
            generation -= 1;
        }
        let metadata = "m".repeat(self.dice.between(0, 600) as usize);
        let (topic, partition, offset) = (self.dice.between(0, 2), self.dice.between(0, 3) as i32, self.id() as i64);
        let partitions = vec![PartitionOffset { partition, offset, leader_epoch: -1, metadata }];
        let topics = vec![TopicOffsets { name: format!("t{topic}"), partitions }];
        if self.dice.permille(100) {
            return Commit { member: String::new(), instance: None, generation: -1, topics };
        }
        Commit { member, instance, generation, topics }
    }

    fn some_partitions(&mut self) -> TopicPartitions {
        TopicPartitions { name: format!("t{}", self.dice.between(0, 2)), partitions: vec![0, 1] }
    }

    fn expire_offsets(&mut self) -> ExpireOffsets {
        let state = &self.topic.truth.state;
        let items = state.offsets.flat().map(|(topic, partition, committed)| ExpiredOffset {
            topic: topic.to_owned(),
            partition,
            committed: committed.at,
        });
        ExpireOffsets { items: items.collect(), empty_phase: state.phase_began }
    }
}
