//! What lies ahead of a reader: whether anything is still to come, and how far the partition goes.
//!
//! Two ends are told apart. The log's end is the high watermark: every record ever written lies below it. The last entry to be read may
//! lie before it, with nothing behind: compaction takes a key out with its tombstone. A reader that has delivered that entry has
//! nothing to wait for, and its client must still come to the end.

use std::time::Duration;

use crate::error::PulsarError;
use crate::ids::{ConsumerId, Offset, Position, RequestId};
use crate::offsets::OffsetError;
use crate::offsets::locate::Start;
use crate::offsets::tail::FindEnd;
use crate::pulsar::command;
use crate::session::io::Io;
use crate::session::requests::Reply;
use crate::time::Instant;
use crate::topics::name::PulsarTopic;

/// How old the known end of a partition with a backlog may be before it is asked for again.
pub const END_FRESH: Duration = Duration::from_secs(1);

/// What the broker could not send for so long may have been compacted away in between, and nothing tells the reader: it then makes
/// sure of the log's end.
const UNSURE_AFTER: Duration = Duration::from_secs(5);

/// A question to the broker.
#[derive(Debug)]
enum Question {
    /// Which entry is the last that this reader may see? With what was delivered when it was asked.
    LastReadable(RequestId, Position),
    /// How far does that entry reach? Asked of the log.
    Reach(FindEnd),
    /// Where does the log end?
    LogEnd(FindEnd),
}

/// What is known of the partition ahead of one reader.
#[derive(Debug)]
pub struct Ahead {
    /// What lies before is delivered, or was not wanted.
    from: Position,
    /// The last readable entry, as the broker said last.
    readable: Option<Position>,
    /// The log's end, as far as known.
    end: Offset,
    asked: Instant,
    caught_up: bool,
    /// When to make sure that nothing was compacted away unseen.
    check_at: Option<Instant>,
    question: Option<Question>,
}

/// Where a reader stands when it asks.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    /// The consumer that it reads through.
    pub consumer: ConsumerId,
    /// First offset that it has not read.
    pub next: Offset,
    /// Whether everything that it read is taken.
    pub drained: bool,
    /// Whether a fetch waits for it.
    pub needed: bool,
}

impl Ahead {
    /// Nothing is known before the reader is located.
    pub fn new(now: Instant) -> Self {
        Self {
            from: Position { ledger: 0, entry: 0 },
            readable: None,
            end: Offset::ZERO,
            asked: now,
            caught_up: false,
            check_at: None,
            question: None,
        }
    }

    /// A reader that begins with `next` was located.
    pub fn located(&mut self, start: &Start, next: Offset, now: Instant) {
        if start.position != Position::EARLIEST {
            self.from = start.position;
        }
        self.readable = start.readable;
        self.end = start.end.offset;
        self.asked = now;
        // Whatever is appended later is pushed, and clears this again.
        self.caught_up = next >= self.end;
    }

    /// An entry came; `new`: it may hold what was not read before.
    pub fn on_entry(&mut self, position: Position, new: bool) {
        self.from = Position { entry: position.entry.saturating_add(1), ..position };
        self.caught_up &= !new;
    }

    /// A fetch comes after the reader was left alone for `pause`: messages may have waited for it, in vain.
    pub fn on_fetch(&mut self, pause: Duration, now: Instant) {
        if pause >= UNSURE_AFTER {
            self.check_at = Some(now);
        }
    }

    /// Whether nothing is ahead, for certain.
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// The log's end, as far as known.
    pub fn end(&self) -> Offset {
        self.end
    }

    /// Settles whether anything is ahead, and keeps the end from growing old while there is a backlog.
    pub fn poll(&mut self, stand: Stand, topic: &PulsarTopic, io: &mut Io<'_>) -> Result<(), OffsetError> {
        let now = io.now.instant;
        while let Some(question) = &mut self.question {
            match question {
                Question::LastReadable(request, from) => {
                    let from = *from;
                    let Some(reply) = io.pulsar.take(*request) else { return Ok(()) };
                    self.question = self.after_readable(reply?, from, topic, io)?;
                }
                Question::Reach(find) => {
                    let Some(end) = find.poll(io) else { return Ok(()) };
                    self.question = None;
                    match end {
                        Ok(end) => {
                            self.end = self.end.max(end.offset);
                            self.caught_up |= stand.next >= self.end;
                        }
                        // Compaction keeps what the log has dropped: then the log does not tell.
                        Err(OffsetError::Pulsar(PulsarError::Closed)) => {}
                        Err(error) => return Err(error),
                    }
                }
                Question::LogEnd(find) => {
                    let Some(end) = find.poll(io) else { return Ok(()) };
                    self.question = None;
                    match end {
                        Ok(end) => {
                            self.end = self.end.max(end.offset);
                            self.caught_up &= stand.next >= self.end;
                        }
                        // What is read goes on; it is asked again.
                        Err(_) => self.check_at = Some(now + UNSURE_AFTER),
                    }
                }
            }
        }
        self.question = stand.needed.then(|| self.next_question(stand, topic, io)).flatten();
        if self.question.is_some() {
            self.asked = now;
        }
        Ok(())
    }

    fn next_question(&mut self, stand: Stand, topic: &PulsarTopic, io: &mut Io<'_>) -> Option<Question> {
        let now = io.now.instant;
        if self.caught_up {
            let due = self.check_at.take_if(|at| *at <= now);
            return due.map(|_| Question::LogEnd(FindEnd::new(topic, io)));
        }
        let delivered = self.readable.is_none_or(|last| last < self.from);
        let at_the_end = delivered && (stand.drained || self.end > stand.next);
        let stale = now.since(self.asked) >= END_FRESH;
        (at_the_end || stale).then(|| {
            let consumer = stand.consumer.0;
            Question::LastReadable(io.pulsar.ask(now, |id| command::get_last_message_id(consumer, id)), self.from)
        })
    }

    /// The log's end was known before the broker was asked for the last readable entry. So if that one was delivered, nothing is left
    /// to read below the end; unless more came meanwhile.
    fn after_readable(
        &mut self,
        reply: Reply,
        from: Position,
        topic: &PulsarTopic,
        io: &mut Io<'_>,
    ) -> Result<Option<Question>, OffsetError> {
        let Reply::LastMessage { last, .. } = reply else {
            return Err(PulsarError::Malformed("another answer to GET_LAST_MESSAGE_ID").into());
        };
        let before = std::mem::replace(&mut self.readable, last.map(|(position, _)| position));
        match last {
            // The end that is known was told with it, or after it.
            Some((position, _)) if position >= self.from && before == Some(position) => Ok(None),
            Some((position, messages)) if position >= self.from => {
                Ok(Some(Question::Reach(FindEnd::behind(topic, position, messages, io)?)))
            }
            Some(_) | None if from != self.from => Ok(None),
            Some(_) | None => {
                self.caught_up = true;
                self.check_at = Some(io.now.instant + UNSURE_AFTER);
                Ok(None)
            }
        }
    }

    /// Closes what is open.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match self.question.take() {
            Some(Question::Reach(mut find) | Question::LogEnd(mut find)) => find.abandon(io),
            Some(Question::LastReadable(..)) | None => {}
        }
    }
}
