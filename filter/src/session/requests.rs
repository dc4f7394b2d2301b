//! Questions to the broker that wait for an answer, by `request_id`.

use std::time::Duration;

use super::table::{Look, Table};
use super::wake::Waker;
use crate::error::PulsarError;
use crate::ids::{Position, RequestId};
use crate::time::Instant;

/// Bound of questions in flight on one connection. A client that asks for more gets a retriable error.
pub const MAX_REQUESTS: usize = 20_000;

/// How long an answer nobody fetched is kept: its asker was answered or closed meanwhile.
const UNCLAIMED: Duration = Duration::from_secs(30);

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// SUCCESS: the subscription exists, the close is done.
    Success,
    /// PARTITIONED_METADATA_RESPONSE: 0 for a topic without partitions.
    Partitions(u32),
    /// LOOKUP_RESPONSE.
    Lookup(LookupReply),
    /// GET_TOPICS_OF_NAMESPACE_RESPONSE: full names, each partition by itself.
    Topics(Vec<String>),
    /// PRODUCER_SUCCESS.
    Producer {
        /// The name to write into `MessageMetadata.producer_name`.
        name: String,
        /// Highest sequence id pushed under this name; `None` if the broker knows none.
        last_sequence_id: Option<u64>,
    },
    /// GET_LAST_MESSAGE_ID_RESPONSE.
    LastMessage {
        /// The last entry that readers may see; `None` in a topic without one.
        last: Option<(Position, u32)>,
        /// Where the consumer's mark-delete stands; its entry may be -1 (`None`) in a fresh ledger.
        mark_delete: Option<(u64, Option<u64>)>,
    },
}

/// What LOOKUP tells (`TopicLookupBase.lookupTopicAsync`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupReply {
    /// Whether the broker at the URL owns the topic; else it is the one to ask.
    pub connect: bool,
    /// For a redirect: ask with `authoritative` set.
    pub authoritative: bool,
    /// `pulsar://host:port`, else `pulsar+ssl://host:port`.
    pub url: String,
}

/// Every question ends with an answer, in time.
#[derive(Debug, Default)]
pub struct Requests {
    last: u64,
    table: Table<RequestId, Result<Reply, PulsarError>>,
}

impl Requests {
    /// Opens a question that must be answered by `deadline`.
    pub fn open(&mut self, deadline: Instant) -> RequestId {
        self.last = self.last.wrapping_add(1);
        let id = RequestId(self.last);
        let is_full = self.table.count() >= MAX_REQUESTS;
        self.table.open(id, deadline);
        if is_full {
            self.table.answer(id, Err(PulsarError::TooManyRequests), deadline);
        }
        id
    }

    /// Whether the question still waits; else its command need not be sent.
    pub fn is_waiting(&self, id: RequestId) -> bool {
        self.table.is_waiting(id)
    }

    /// Records an answer. One that nobody waits for any more is dropped.
    pub fn answer(&mut self, id: RequestId, reply: Result<Reply, PulsarError>, now: Instant) {
        self.table.answer(id, reply, now + UNCLAIMED);
    }

    /// Takes the answer; `None` while it is awaited.
    pub fn take(&mut self, id: RequestId) -> Option<Result<Reply, PulsarError>> {
        match self.table.take(id) {
            Look::Waiting => None,
            Look::Answered(reply) => Some(reply),
            Look::Gone => Some(Err(PulsarError::Malformed("the answer was taken before"))),
        }
    }

    /// Nobody waits for this answer any more.
    pub fn forget(&mut self, id: RequestId) {
        self.table.forget(id);
    }

    /// Answers what is overdue and drops what nobody fetched.
    pub fn expire(&mut self, now: Instant) {
        self.table.expire(now, || Err(PulsarError::TimedOut), now + UNCLAIMED);
    }

    /// The connection is of no use any more: everything waiting gets `error`.
    pub fn fail_all(&mut self, error: &PulsarError, now: Instant) {
        self.table.answer_all(|| Err(error.clone()), now + UNCLAIMED);
    }

    /// When [`Requests::expire`] may have work next, and no later than it has.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Who asks at the moment.
    pub fn asker(&self) -> Option<Waker> {
        self.table.asker()
    }

    /// Who asks from now on, instead of whom.
    pub fn set_asker(&mut self, asker: Option<Waker>) -> Option<Waker> {
        self.table.set_asker(asker)
    }

    /// Questions that were asked, and how often somebody looked whether one is answered: the work that they made.
    pub fn asked_and_looked(&self) -> (u64, u64) {
        (self.last, self.table.looks())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn an_answer_is_taken_once() {
        let mut requests = Requests::default();
        let id = requests.open(at(30));
        assert_eq!(requests.take(id), None);

        requests.answer(id, Ok(Reply::Partitions(3)), at(1));

        assert_eq!(requests.take(id), Some(Ok(Reply::Partitions(3))));
        assert!(matches!(requests.take(id), Some(Err(PulsarError::Malformed(_)))));
    }

    #[test]
    fn a_question_without_answer_times_out() {
        let mut requests = Requests::default();
        let id = requests.open(at(30));
        requests.expire(at(29));
        assert_eq!(requests.take(id), None);
        requests.expire(at(30));
        assert_eq!(requests.take(id), Some(Err(PulsarError::TimedOut)));
    }

    #[test]
    fn an_answer_nobody_fetches_does_not_stay() {
        let mut requests = Requests::default();
        let id = requests.open(at(30));
        requests.answer(id, Ok(Reply::Success), at(1));
        requests.expire(at(32));
        assert_eq!(requests.next_deadline(), None);
    }

    #[test]
    fn past_the_bound_a_question_is_refused_at_once() {
        let mut requests = Requests::default();
        for _ in 0..MAX_REQUESTS {
            requests.open(at(30));
        }
        let id = requests.open(at(30));
        assert!(!requests.is_waiting(id));
        assert_eq!(requests.take(id), Some(Err(PulsarError::TooManyRequests)));
    }
}
