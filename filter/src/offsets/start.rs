//! Where a partition begins for Kafka's clients: with its first readable record, or where DeleteRecords put its start.

use super::OffsetError;
use super::floors::ask::AskFloor;
use super::floors::known::Seen;
use super::head::{FindFirst, Head};
use super::tail::FindEnd;
use crate::ids::Offset;
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// The two beginnings of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStart {
    /// Of what Pulsar has.
    pub head: Head,
    /// Of what clients may see: at or above the other.
    pub visible: Offset,
    /// The floors that this is by.
    pub floors: Seen,
}

/// ```text
/// Finding ──▶ Found ──no floor above──▶ done
///               └──a floor above──▶ Checking ──▶ done
/// ```
/// A floor that lies above the end does not count.
#[derive(Debug)]
pub struct FindStart {
    topic: PulsarTopic,
    floor: AskFloor,
    state: State,
}

#[derive(Debug)]
enum State {
    Finding(FindFirst),
    Found(Head),
    Checking { head: Head, floor: Offset, seen: Seen, end: FindEnd },
}

impl FindStart {
    /// Asks for both at once.
    pub fn new(topic: &PulsarTopic, io: &mut Io<'_>) -> Self {
        let floor = AskFloor::new(topic, io);
        Self { topic: topic.clone(), floor, state: State::Finding(FindFirst::new(topic, io)) }
    }

    /// The beginnings; `None` while they are awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<LogStart, OffsetError>> {
        loop {
            self.state = match &mut self.state {
                State::Finding(find) => match find.poll(io)? {
                    Ok(head) => State::Found(head),
                    Err(error) => return Some(Err(error)),
                },
                State::Found(head) => {
                    let (head, floor) = (*head, self.floor.poll(head.log_start, io)?);
                    let seen = self.floor.seen(io);
                    if floor <= head.log_start {
                        return Some(Ok(LogStart { head, visible: head.log_start, floors: seen }));
                    }
                    State::Checking { head, floor, seen, end: FindEnd::new(&self.topic, io) }
                }
                State::Checking { head, floor, seen, end } => {
                    let (head, floor, seen) = (*head, *floor, *seen);
                    return Some(end.poll(io)?.map(|end| {
                        let visible = self.floor.judge(floor, end.offset, io).unwrap_or(head.log_start);
                        LogStart { head, visible, floors: seen }
                    }));
                }
            };
        }
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Finding(find) => find.abandon(io),
            State::Found(_) => {}
            State::Checking { end, .. } => end.abandon(io),
        }
    }
}
