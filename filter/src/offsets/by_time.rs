//! The first record at or after a timestamp.

use super::search::{Key, Search};
use super::tail::FindEnd;
use super::{OffsetError, base_offset};
use crate::ids::Offset;
use crate::records::{Entry, ReadOptions, times};
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// The first record of a partition whose timestamp is at least the one asked for.
#[derive(Debug)]
pub enum FindByTime {
    /// The last entry bounds the search.
    FindingEnd(PulsarTopic, i64, FindEnd),
    /// Bisection.
    Searching(i64, Search),
}

impl FindByTime {
    /// Begins with the end of the partition.
    pub fn new(topic: &PulsarTopic, timestamp: i64, io: &mut Io<'_>) -> Self {
        Self::FindingEnd(topic.clone(), timestamp, FindEnd::new(topic, io))
    }

    /// Offset and timestamp, `None` inside if no record is that new.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Option<(Offset, i64)>, OffsetError>> {
        loop {
            match self {
                Self::FindingEnd(topic, timestamp, find) => match find.poll(io)? {
                    Err(error) => return Some(Err(error)),
                    Ok(end) => {
                        let Some(last) = end.last else { return Some(Ok(None)) };
                        let key = Key::Timestamp(*timestamp);
                        *self = Self::Searching(*timestamp, Search::new(topic, key, last, io));
                    }
                },
                Self::Searching(timestamp, search) => {
                    let timestamp = *timestamp;
                    return Some(search.poll(io)?.and_then(|found| {
                        let Some(message) = found else { return Ok(None) };
                        let entry = Entry::parse(&message.section)?;
                        let base = base_offset(io.shared.config.offsets, message.position, &entry)?;
                        let options = ReadOptions { decompressed_max: io.shared.config.max_decompressed_bytes };
                        let scratch = &mut io.shared.scratch;
                        let record = times::first_at_or_after(&entry, base.value(), timestamp, &options, scratch)?;
                        Ok(record.and_then(|record| Some((Offset::new(record.offset)?, record.timestamp))))
                    }));
                }
            }
        }
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match self {
            Self::FindingEnd(_, _, find) => find.abandon(io),
            Self::Searching(_, search) => search.abandon(io),
        }
    }
}
