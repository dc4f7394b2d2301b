//! Raises the floors of one topic, as DeleteRecords asks for it.

use kafka_protocol::error::ResponseError;

use super::property::{self, Floors, Written};
use crate::apis::exchange::poll_all;
use crate::error::AdminError;
use crate::ids::Offset;
use crate::offsets::OffsetError;
use crate::offsets::head::FindFirst;
use crate::offsets::tail::{End, FindEnd};
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::change::{Change, Refused};
use crate::topics::configs::defaults::ReadDefaults;
use crate::topics::configs::describe::DescribeTopic;
use crate::topics::configs::view::CleanupPolicy;
use crate::topics::name::{KafkaTopic, PulsarTopic};
use crate::topics::partitions::{CountPartitions, Partitions};

/// The high watermark, whatever it is (`DeleteRecordsRequest.HIGH_WATERMARK`).
const HIGH_WATERMARK: i64 = -1;

/// What was made of a topic.
#[derive(Debug)]
pub struct Raised {
    /// In the request's order: the partition and its log start, or why it was not moved.
    pub partitions: Vec<(i32, Result<Offset, ResponseError>)>,
    /// Whether others are to be told: a floor is another now, or stands where it was asked for, by a request that may not have been
    /// finished.
    pub to_tell: bool,
}

/// ```text
/// New ──▶ Counting ──▶ Looking ──may be compacted only──▶ Preparing ──▶ Judging
///                        └──▶ Writing ◀──────────────it deletes──────────┘ └──▶ refused
///                               └──▶ Tidying ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Counting(CountPartitions),
    Looking(AdminChange, Option<Written>),
    Preparing(ReadDefaults, Written),
    Judging(Box<DescribeTopic>, Written),
    Writing(AdminChange, Floors, Vec<String>),
    Tidying(Vec<AdminChange>),
}

/// The change of one topic. Floors of all its partitions are one call.
#[derive(Debug)]
pub struct RaiseFloors {
    topic: KafkaTopic,
    rows: Vec<Row>,
    changed: bool,
    /// A floor is as high as asked already.
    repeated: bool,
    state: State,
}

#[derive(Debug)]
struct Row {
    partition: i32,
    /// As the client writes it.
    offset: i64,
    state: RowState,
}

#[derive(Debug)]
enum RowState {
    New,
    /// The end is asked for when the floors are known: a floor above an end of before would be taken for one of another topic.
    Bounding {
        topic: PulsarTopic,
        first: Side<FindFirst, Offset>,
        end: Option<Side<FindEnd, End>>,
    },
    Settled(Result<Offset, ResponseError>),
}

#[derive(Debug)]
enum Side<F, T> {
    Finding(F),
    Found(T),
}

impl RaiseFloors {
    /// Not yet begun. `wanted` is pairs of partition and offset.
    pub fn new(topic: KafkaTopic, wanted: impl Iterator<Item = (i32, i64)>) -> Self {
        let rows = wanted.map(|(partition, offset)| Row { partition, offset, state: RowState::New });
        Self { topic, rows: rows.collect(), changed: false, repeated: false, state: State::New }
    }

    fn base(&self, io: &Io<'_>) -> PulsarTopic {
        self.topic.base(&io.shared.config)
    }

    fn look(&mut self, partitions: Partitions, io: &mut Io<'_>) -> State {
        for row in &mut self.rows {
            row.state = match partitions.topic(&io.shared.config, &self.topic, row.partition) {
                Some(topic) => {
                    RowState::Bounding { first: Side::Finding(FindFirst::new(&topic, io)), end: None, topic }
                }
                None => RowState::Settled(Err(ResponseError::UnknownTopicOrPartition)),
            };
        }
        State::Looking(AdminChange::read(self.base(io).admin_path("/properties"), io), None)
    }

    /// Floors that are to be written, with what there is already; `None` where all is as it should be.
    fn write(&mut self, written: Written, io: &mut Io<'_>) -> Option<State> {
        let Written { mut floors, keys, .. } = written;
        for row in &mut self.rows {
            if let RowState::Bounding { first: Side::Found(first), end: Some(Side::Found(end)), .. } = &row.state {
                let Ok(index) = u32::try_from(row.partition) else { continue };
                let known = floors.get(&index).copied();
                if known.is_some_and(|floor| floor > end.offset) {
                    // It is of another topic that had the name before, and so is what this worker knows.
                    floors.remove(&index);
                    let bound = io.shared.config.lookup_cache_entries as usize;
                    io.shared.floors.forget(&self.topic.base(&io.shared.config), io.now.instant, bound);
                }
                let known = floors.get(&index).copied();
                let start = known.unwrap_or(Offset::ZERO).max(*first);
                let wanted = if row.offset == HIGH_WATERMARK { Some(end.offset) } else { Offset::new(row.offset) };
                row.state = RowState::Settled(match wanted {
                    Some(wanted) if wanted > end.offset => Err(ResponseError::OffsetOutOfRange),
                    None => Err(ResponseError::OffsetOutOfRange),
                    Some(wanted) if wanted <= start => {
                        self.repeated |= known.is_some_and(|floor| floor >= wanted);
                        Ok(start)
                    }
                    Some(wanted) => {
                        self.changed = true;
                        floors.insert(index, wanted);
                        Ok(wanted)
                    }
                });
            }
        }
        if !self.changed {
            return None;
        }
        let body = property::write(&floors, io.shared.random.next_u64());
        let path = self.base(io).admin_path("/properties");
        Some(State::Writing(AdminChange::repeatable(Method::Put, path, Some(body), io), floors, keys))
    }

    fn tidy(&self, keys: Vec<String>, io: &mut Io<'_>) -> State {
        let base = self.base(io);
        let path = |key: &String| base.admin_path(&format!("/properties?key={key}"));
        State::Tidying(keys.iter().map(|key| AdminChange::new(Method::Delete, path(key), None, io)).collect())
    }

    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
        io.shared.log.warn(format!("records of topic {} were not deleted: {}", self.topic, error.message()));
        Refused::by_admin(error)
    }

    fn made(&mut self) -> Raised {
        let rows = std::mem::take(&mut self.rows).into_iter();
        let partitions = rows.map(|row| match row.state {
            RowState::Settled(result) => (row.partition, result),
            RowState::New | RowState::Bounding { .. } => (row.partition, Err(ResponseError::RequestTimedOut)),
        });
        Raised { partitions: partitions.collect(), to_tell: self.changed || self.repeated }
    }
}

impl Row {
    /// Whether its bounds are known, or why they are not.
    fn poll(&mut self, io: &mut Io<'_>) -> bool {
        let RowState::Bounding { first, end, .. } = &mut self.state else { return true };
        let found_first = first.poll(|find| Some(find.poll(io)?.map(|head| head.log_start)));
        let found_end = end.as_mut().map_or(Ok(false), |end| end.poll(|find| find.poll(io)));
        match found_first.and_then(|first| Ok(found_end? && first)) {
            Ok(all) => all,
            Err(error) => {
                self.abandon(io);
                self.state = RowState::Settled(Err(error.kafka_code()));
                true
            }
        }
    }

    fn find_end(&mut self, io: &mut Io<'_>) {
        if let RowState::Bounding { topic, end, .. } = &mut self.state {
            *end = Some(Side::Finding(FindEnd::new(topic, io)));
        }
    }

    fn abandon(&mut self, io: &mut Io<'_>) {
        if let RowState::Bounding { first, end, .. } = &mut self.state {
            if let Side::Finding(find) = first {
                find.abandon(io);
            }
            if let Some(Side::Finding(find)) = end {
                find.abandon(io);
            }
        }
    }
}

impl<F, T> Side<F, T> {
    /// Whether it is found.
    fn poll(&mut self, poll: impl FnOnce(&mut F) -> Option<Result<T, OffsetError>>) -> Result<bool, OffsetError> {
        if let Self::Finding(find) = self
            && let Some(found) = poll(find)
        {
            *self = Self::Found(found?);
        }
        Ok(matches!(self, Self::Found(_)))
    }
}

/// Apache Kafka deletes no records of a topic that is compacted and nothing else (`Partition.deleteRecordsOnLeader`).
fn is_compacted_only(cleanup_policy: &str) -> bool {
    matches!(CleanupPolicy::of(cleanup_policy), CleanupPolicy { compact: true, delete: false })
}

impl Change for RaiseFloors {
    type Made = Raised;

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Raised, Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => Some(State::Counting(CountPartitions::ask(&self.topic, io))),
                State::Counting(count) => match count.poll(io)? {
                    Ok(partitions) => Some(self.look(partitions, io)),
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Looking(read, written) => {
                    if written.is_none() {
                        match read.poll(io).map(|answer| answer.and_then(|body| property::read(&body))) {
                            Some(Ok(found)) => {
                                self.rows.iter_mut().for_each(|row| row.find_end(io));
                                *written = Some(found);
                            }
                            Some(Err(error)) => {
                                self.rows.iter_mut().for_each(|row| row.abandon(io));
                                return Some(Err(self.refused(&error, io)));
                            }
                            None => {}
                        }
                    }
                    let bounded = poll_all(&mut self.rows, |row| row.poll(io));
                    let found = written.take_if(|_| bounded)?;
                    if found.cleanup_policy.as_deref().is_some_and(is_compacted_only) {
                        Some(State::Preparing(ReadDefaults::new(io), found))
                    } else {
                        self.write(found, io)
                    }
                }
                State::Preparing(defaults, written) => {
                    let defaults = defaults.poll(io)?;
                    let judge = DescribeTopic::new(self.topic.clone(), defaults);
                    Some(State::Judging(Box::new(judge), std::mem::take(written)))
                }
                // What a client set counts as long as Pulsar's policies still are what it asks for.
                State::Judging(judge, written) => {
                    let shown = match judge.poll(io)? {
                        Ok(shown) => shown,
                        Err(refused) => return Some(Err(refused)),
                    };
                    let policy = shown.iter().find(|shown| shown.name == "cleanup.policy");
                    if policy.is_none_or(|policy| is_compacted_only(&policy.value)) {
                        return Some(Err(Refused::because(
                            ResponseError::PolicyViolation,
                            "the topic is compacted, and nothing of it is deleted",
                        )));
                    }
                    let written = std::mem::take(written);
                    self.write(written, io)
                }
                State::Writing(write, floors, keys) => {
                    let done = write.poll(io)?;
                    let (floors, keys) = (std::mem::take(floors), std::mem::take(keys));
                    if let Err(error) = done {
                        return Some(Err(self.refused(&error, io)));
                    }
                    let bound = io.shared.config.lookup_cache_entries as usize;
                    let base = self.base(io);
                    io.shared.floors.raised(base, &floors, io.now.instant, bound);
                    Some(self.tidy(keys, io))
                }
                // One that stays says nothing that the new one does not, and goes with the next change.
                State::Tidying(deletes) => {
                    deletes.retain_mut(|delete| delete.poll(io).is_none());
                    if !deletes.is_empty() {
                        return None;
                    }
                    return Some(Ok(self.made()));
                }
            };
            match next {
                Some(next) => self.state = next,
                None => return Some(Ok(self.made())),
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Counting(_) => None,
            State::Preparing(defaults, _) => defaults.next_wake(),
            State::Looking(call, _) | State::Writing(call, ..) => call.next_wake(),
            State::Judging(judge, _) => judge.next_wake(),
            State::Tidying(deletes) => deletes.iter().filter_map(AdminChange::next_wake).min(),
        }
    }

    fn overdue(&mut self, io: &mut Io<'_>) -> Refused {
        self.rows.iter_mut().for_each(|row| row.abandon(io));
        Refused::because(ResponseError::RequestTimedOut, "Pulsar did not answer in time")
    }
}
