//! Deletes one topic, whoever uses it.

use kafka_protocol::error::ResponseError;

use super::admin_change::AdminChange;
use super::change::{Change, Refused, forget};
use super::confirm::{Confirm, Wanted};
use super::create::overdue;
use super::name::KafkaTopic;
use super::partitions::{CountPartitions, Partitions};
use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;

/// ```text
/// New ──▶ Counting ──▶ Deleting ──▶ Confirming ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Counting(CountPartitions),
    Deleting(Partitions, AdminChange),
    Confirming(Confirm),
}

/// The change; when it is made, no request on this connection finds the topic any more.
#[derive(Debug)]
pub struct DeleteTopic {
    topic: KafkaTopic,
    state: State,
}

impl DeleteTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic) -> Self {
        Self { topic, state: State::New }
    }

    /// With `force`, producers and consumers are disconnected; without it Pulsar keeps a topic that is in use.
    fn delete(&self, partitions: Partitions, io: &mut Io<'_>) -> State {
        let rest = match partitions {
            Partitions::Partitioned(_) => "/partitions?force=true",
            Partitions::NonPartitioned => "?force=true",
        };
        let path = self.topic.base(&io.shared.config).admin_path(rest);
        State::Deleting(partitions, AdminChange::new(Method::Delete, path, None, io))
    }

    fn refused(&self, error: &AdminError, io: &mut Io<'_>) -> Refused {
        if let AdminError::Status(404, _) = error {
            return Refused::unknown_topic();
        }
        io.shared.log.warn(format!("topic {} was not deleted: {}", self.topic, error.message()));
        let refused = Refused::by_admin(error);
        match error {
            // In use, in spite of `force`.
            AdminError::Status(409 | 412, _) => Refused { code: ResponseError::RequestTimedOut, ..refused },
            AdminError::Status(..) | AdminError::NotConfigured | AdminError::Unreachable | AdminError::Malformed(_) => {
                refused
            }
        }
    }
}

impl Change for DeleteTopic {
    type Made = ();

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            let next = match &mut self.state {
                State::New => State::Counting(CountPartitions::ask(&self.topic, io)),
                State::Counting(count) => match count.poll(io)? {
                    Ok(partitions) => self.delete(partitions, io),
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Deleting(partitions, change) => {
                    let done = change.poll(io)?;
                    forget(&self.topic, partitions.count(), io);
                    match done {
                        Ok(_) => {}
                        Err(AdminError::Status(404, _)) if change.is_repeated() => {}
                        Err(error) => return Some(Err(self.refused(&error, io))),
                    }
                    State::Confirming(Confirm::new(&self.topic, Wanted::Gone, io))
                }
                State::Confirming(confirm) => {
                    return Some(confirm.poll(io)?.map_err(|error| Refused::by_broker(&error)));
                }
            };
            self.state = next;
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Counting(_) => None,
            State::Deleting(_, change) => change.next_wake(),
            State::Confirming(confirm) => confirm.next_wake(),
        }
    }

    fn overdue(&mut self, io: &mut Io<'_>) -> Refused {
        match &self.state {
            State::New | State::Counting(_) => Refused::because(ResponseError::RequestTimedOut, "nothing was deleted"),
            State::Deleting(partitions, change) => {
                forget(&self.topic, partitions.count(), io);
                overdue(change)
            }
            State::Confirming(_) => {
                Refused::because(ResponseError::RequestTimedOut, "deleted, but this broker sees it still")
            }
        }
    }
}
