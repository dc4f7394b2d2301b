//! The first record at or after a timestamp.

use super::floors::ask::AskFloor;
use super::search::{Key, Search};
use super::tail::FindEnd;
use super::{OffsetError, base_offset};
use crate::ids::Offset;
use crate::records::{Entry, ReadOptions, times};
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// The first record of a partition, from its floor on, whose timestamp is at least the one asked for.
#[derive(Debug)]
pub struct FindByTime {
    topic: PulsarTopic,
    timestamp: i64,
    floor: AskFloor,
    state: State,
}

/// ```text
/// AskingFloor ──▶ FindingEnd ──empty──▶ done
///                     └──▶ Searching ──▶ done
/// ```
#[derive(Debug)]
enum State {
    AskingFloor,
    /// The last entry bounds the search.
    FindingEnd(Offset, FindEnd),
    /// Bisection among records from an offset on.
    Searching(Offset, Search),
}

impl FindByTime {
    /// Begins with the floor, which is mostly known.
    pub fn new(topic: &PulsarTopic, timestamp: i64, io: &mut Io<'_>) -> Self {
        Self { topic: topic.clone(), timestamp, floor: AskFloor::new(topic, io), state: State::AskingFloor }
    }

    /// Offset and timestamp, `None` inside if no record is that new.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Option<(Offset, i64)>, OffsetError>> {
        loop {
            self.state = match &mut self.state {
                State::AskingFloor => {
                    let floor = self.floor.poll(Offset::ZERO, io)?;
                    State::FindingEnd(floor, FindEnd::new(&self.topic, io))
                }
                State::FindingEnd(floor, find) => match find.poll(io)? {
                    Err(error) => return Some(Err(error)),
                    Ok(end) => {
                        let Some(last) = end.last else { return Some(Ok(None)) };
                        let least = self.floor.judge(*floor, end.offset, io).unwrap_or(Offset::ZERO);
                        let key = Key::Timestamp { least, at: self.timestamp };
                        State::Searching(least, Search::new(&self.topic, key, last, io))
                    }
                },
                State::Searching(least, search) => {
                    let (least, timestamp) = (least.value(), self.timestamp);
                    return Some(search.poll(io)?.and_then(|found| {
                        let Some(message) = found else { return Ok(None) };
                        let entry = Entry::parse(&message.section)?;
                        let base = base_offset(io.shared.config.offsets, message.position, &entry)?.value();
                        let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
                        let scratch = &mut io.shared.scratch;
                        let record = times::first_at_or_after(&entry, base, least, timestamp, &options, scratch)?;
                        Ok(record.and_then(|record| Some((Offset::new(record.offset)?, record.timestamp))))
                    }));
                }
            };
        }
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::AskingFloor => {}
            State::FindingEnd(_, find) => find.abandon(io),
            State::Searching(_, search) => search.abandon(io),
        }
    }
}
