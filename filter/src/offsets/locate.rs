//! Where to start reading for a Kafka offset.

use serde::Deserialize;

use super::floors::known::Seen;
use super::search::{Key, Search};
use super::start::{FindStart, LogStart};
use super::tail::{End, FindEnd};
use super::{OffsetError, message_id};
use crate::config::OffsetMode;
use crate::error::AdminError;
use crate::ids::{Offset, Position};
use crate::session::admin::{CallId, HttpReply, Method};
use crate::session::io::Io;
use crate::topics::name::PulsarTopic;

/// A place to subscribe at, and what was learned on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The entry that holds the offset, or the last before it: what lies below the offset is skipped.
    pub position: Position,
    /// Log start offset.
    pub log_start: Offset,
    /// The floors that the log start is by.
    pub floors: Seen,
    /// The end as it was a moment ago.
    pub end: End,
    /// The last entry that compaction leaves readers to see, as it was a moment ago.
    pub readable: Option<Position>,
}

/// ```text
/// Bounding ──outside──▶ OutOfRange
///    ├──at an end, remembered, message-id──▶ done
///    └──▶ AskingIndex ──200──▶ done
///              └──404 (brokers before 4.0.9)──▶ Searching ──▶ done
/// ```
#[derive(Debug)]
pub struct Locate {
    topic: PulsarTopic,
    offset: Offset,
    state: State,
}

#[derive(Debug)]
enum State {
    Bounding { start: Bound<FindStart, LogStart>, end: Bound<FindEnd, End> },
    AskingIndex(CallId, LogStart, End),
    Searching(Search, LogStart, End),
}

#[derive(Debug)]
enum Bound<F, T> {
    Finding(F),
    Found(T),
}

impl Locate {
    /// Looks for `offset`.
    pub fn new(topic: &PulsarTopic, offset: Offset, io: &mut Io<'_>) -> Self {
        let start = Bound::Finding(FindStart::new(topic, io));
        let end = Bound::Finding(FindEnd::new(topic, io));
        Self { topic: topic.clone(), offset, state: State::Bounding { start, end } }
    }

    /// The place; `None` while it is looked for.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Start, OffsetError>> {
        loop {
            match &mut self.state {
                State::Bounding { start, .. } => {
                    if let Bound::Finding(find) = start
                        && let Some(found) = find.poll(io)
                    {
                        match found {
                            Ok(found) => *start = Bound::Found(found),
                            Err(error) => return Some(self.give_up(error, io)),
                        }
                    }
                    let State::Bounding { end, .. } = &mut self.state else { continue };
                    if let Bound::Finding(find) = end
                        && let Some(found) = find.poll(io)
                    {
                        match found {
                            Ok(found) => *end = Bound::Found(found),
                            Err(error) => return Some(self.give_up(error, io)),
                        }
                    }
                    let State::Bounding { start: Bound::Found(start), end: Bound::Found(end) } = &self.state else {
                        return None;
                    };
                    match self.within(*start, *end, io) {
                        Ok(Next::Done(start)) => return Some(Ok(start)),
                        Ok(Next::State(state)) => self.state = state,
                        Err(error) => return Some(Err(error)),
                    }
                }
                State::AskingIndex(call, start, end) => {
                    let (start, end) = (*start, *end);
                    match io.admin.take(*call)?.and_then(parse_message_id) {
                        Ok(position) => return Some(Ok(start_at(position, start, end))),
                        Err(AdminError::Status(404 | 412, _) | AdminError::NotConfigured) if end.last.is_some() => {
                            let last = end.last.unwrap_or(Position::LATEST);
                            let search = Search::new(&self.topic, Key::Offset(self.offset), last, io);
                            self.state = State::Searching(search, start, end);
                        }
                        Err(error) => return Some(Err(OffsetError::Admin(error))),
                    }
                }
                State::Searching(search, start, end) => {
                    let (start, end) = (*start, *end);
                    return Some(search.poll(io)?.map(|found| {
                        let position = found.map_or(Position::EARLIEST, |message| message.position);
                        start_at(position, start, end)
                    }));
                }
            }
        }
    }

    fn within(&self, start: LogStart, end: End, io: &mut Io<'_>) -> Result<Next, OffsetError> {
        let log_start = start.visible;
        if self.offset < log_start || self.offset > end.offset {
            return Err(OffsetError::OutOfRange { log_start, high_watermark: end.offset });
        }
        let done = |position| Ok(Next::Done(start_at(position, start, end)));
        let Some(last) = end.last else { return done(Position::EARLIEST) };
        // No position leads into the compacted part of ledgers that were dropped, but for the earliest.
        if self.offset <= start.head.ledgers {
            return done(Position::EARLIEST);
        }
        // A subscription behind the end would silently begin at whatever is latest then: begin at the last entry instead.
        if self.offset == end.offset {
            return done(last);
        }
        match io.shared.config.offsets {
            OffsetMode::MessageId => done(message_id::position(self.offset)),
            OffsetMode::Index => match io.shared.entries.locate(&self.topic, self.offset) {
                Some(position) => done(position),
                None => {
                    let path = self.topic.admin_path(&format!("/getMessageIdByIndex?index={}", self.offset.value()));
                    let call = io.admin.call(Method::Get, path, None, io.now.instant);
                    Ok(Next::State(State::AskingIndex(call, start, end)))
                }
            },
        }
    }

    fn give_up(&mut self, error: OffsetError, io: &mut Io<'_>) -> Result<Start, OffsetError> {
        self.abandon(io);
        Err(error)
    }

    /// Closes what is open, for an asker that is answered already.
    pub fn abandon(&mut self, io: &mut Io<'_>) {
        match &mut self.state {
            State::Bounding { start, end } => {
                if let Bound::Finding(find) = start {
                    find.abandon(io);
                }
                if let Bound::Finding(find) = end {
                    find.abandon(io);
                }
            }
            State::AskingIndex(..) => {}
            State::Searching(search, ..) => search.abandon(io),
        }
    }
}

fn start_at(position: Position, start: LogStart, end: End) -> Start {
    let LogStart { head, visible, floors } = start;
    Start { position, log_start: visible, floors, end, readable: head.readable }
}

enum Next {
    Done(Start),
    State(State),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageIdJson {
    ledger_id: i64,
    entry_id: i64,
}

/// (-1, -1) stands for an index inside the topic's first entry (seen on 4.2.4).
fn parse_message_id(reply: HttpReply) -> Result<Position, AdminError> {
    let body = reply.success()?;
    let id: MessageIdJson =
        serde_json::from_slice(&body).map_err(|_| AdminError::Malformed("getMessageIdByIndex is not a message id"))?;
    match (u64::try_from(id.ledger_id), u64::try_from(id.entry_id)) {
        (Ok(ledger), Ok(entry)) => Ok(Position { ledger, entry }),
        (Err(_), _) | (_, Err(_)) => Ok(Position::EARLIEST),
    }
}
