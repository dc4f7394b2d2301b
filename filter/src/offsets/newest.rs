//! The record with the greatest timestamp, among the last entries of a partition.

use super::floors::ask::AskFloor;
use super::peek::open_reader;
use super::tail::FindEnd;
use super::{OffsetError, base_offset};
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::records::{Entry, ReadOptions, times};
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// How many entries are looked at. Kafka looks at all (KIP-734); reading a whole partition back would cost too much here.
pub const TAIL_ENTRIES: u32 = 16;

/// ```text
/// AskingFloor ──▶ FindingEnd ──empty──▶ done
///                     └──▶ Subscribing ──▶ Reading ──last entry──▶ done
/// ```
#[derive(Debug)]
pub struct FindNewest {
    topic: PulsarTopic,
    floor: AskFloor,
    /// Records below it do not count.
    least: Offset,
    state: State,
    best: Option<(Offset, i64)>,
}

#[derive(Debug)]
enum State {
    AskingFloor,
    FindingEnd(FindEnd),
    Subscribing(ConsumerId, RequestId, Position),
    Reading(ConsumerId, Position),
}

impl FindNewest {
    /// Begins with the floor: an end of before would make one that was just raised count for nothing.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let floor = AskFloor::new(topic, io);
        Self { topic: topic.clone(), floor, least: Offset::ZERO, state: State::AskingFloor, best: None }
    }

    /// Offset and timestamp, `None` inside for an empty partition.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Option<(Offset, i64)>, OffsetError>> {
        loop {
            match &mut self.state {
                State::AskingFloor => {
                    self.least = self.floor.poll(Offset::ZERO, io)?;
                    self.state = State::FindingEnd(FindEnd::new(&self.topic, io));
                }
                State::FindingEnd(find) => {
                    let end = match find.poll(io)? {
                        Ok(end) => end,
                        Err(error) => return Some(Err(error)),
                    };
                    let Some(last) = end.last else { return Some(Ok(None)) };
                    self.least = self.floor.judge(self.least, end.offset, io).unwrap_or(Offset::ZERO);
                    let entry = last.entry.saturating_sub(u64::from(TAIL_ENTRIES).saturating_sub(1));
                    let (consumer, request) = open_reader(&self.topic, Position { entry, ..last }, io);
                    self.state = State::Subscribing(consumer, request, last);
                }
                State::Subscribing(consumer, request, last) => {
                    let (consumer, last) = (*consumer, *last);
                    if let Err(error) = io.pulsar.take(*request)? {
                        io.pulsar.close_consumer(consumer, io.now.instant);
                        return Some(Err(error.into()));
                    }
                    io.pulsar.flow(consumer, TAIL_ENTRIES);
                    self.state = State::Reading(consumer, last);
                }
                State::Reading(consumer, last) => {
                    let (consumer, last) = (*consumer, *last);
                    let message = match io.pulsar.take_message(consumer) {
                        Ok(None) => return None,
                        Ok(Some(message)) => message,
                        Err(error) => return Some(self.end(consumer, Err(error.into()), io)),
                    };
                    // Permits count messages: a batch overdraws them, so each entry pays for the next.
                    match self.look_at(message.position, &message.section, io) {
                        Err(error) => return Some(self.end(consumer, Err(error), io)),
                        Ok(_) if message.position >= last => {
                            let best = self.best;
                            return Some(self.end(consumer, Ok(best), io));
                        }
                        Ok(messages) => io.pulsar.flow(consumer, messages),
                    }
                }
            }
        }
    }

    fn look_at(&mut self, position: Position, section: &[u8], io: &mut Io<'_>) -> Result<u32, OffsetError> {
        let entry = Entry::parse(section)?;
        let base = base_offset(io.shared.config.offsets, position, &entry)?;
        let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
        if let Some(record) =
            times::greatest(&entry, base.value(), self.least.value(), &options, &mut io.shared.scratch)?
            && let Some(offset) = Offset::new(record.offset)
            && self.best.is_none_or(|(_, best)| record.timestamp > best)
        {
            self.best = Some((offset, record.timestamp));
        }
        Ok(entry.num_messages())
    }

    fn end(
        &mut self,
        consumer: ConsumerId,
        result: Result<Option<(Offset, i64)>, OffsetError>,
        io: &mut Io<'_>,
    ) -> Result<Option<(Offset, i64)>, OffsetError> {
        io.pulsar.close_consumer(consumer, io.now.instant);
        result
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::FindingEnd(find) => find.abandon(io),
            State::AskingFloor => {}
            State::Subscribing(consumer, ..) | State::Reading(consumer, _) => {
                io.pulsar.close_consumer(*consumer, io.now.instant);
            }
        }
    }
}
