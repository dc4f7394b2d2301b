//! Takes Pulsar's subscription `__compaction` away from a topic that is compacted no longer.
//!
//! Each partition has had it since its first compaction, or since it was to be compacted. It is a durable cursor
//! (`Compactor.COMPACTION_SUBSCRIPTION`) that nothing but compaction moves: left behind, it would keep every later ledger from
//! retention for ever. With it Pulsar drops what compaction kept, and the log is read as it is.
//!
//! On a partitioned topic's name Pulsar lists the subscriptions of all partitions together, and deletes in every one, but tells of the
//! failures only one (`PersistentTopicsBase.internalDeleteSubscriptionAsync`): a partition without the subscription may hide one that is
//! being compacted. So it is over when the list says so. Without `force` Pulsar refuses while a compaction reads (412); with it a
//! broker before 4.2 would never compact the partition again.

use std::time::Duration;

use kafka_protocol::error::ResponseError;

use crate::error::AdminError;
use crate::session::admin::Method;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;
use crate::topics::change::Refused;
use crate::topics::name::PulsarTopic;

const SUBSCRIPTION: &str = "__compaction";

/// Before it is tried again; each try is already repeated for some seconds.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// How long a compaction under way is waited for. Clients have half a minute, of which the policies took a part.
const PATIENCE: Duration = Duration::from_secs(15);

/// What to do about it.
pub const HELD_BACK: &str = "the policies are set, but Pulsar's subscription __compaction is still there and holds back what \
                             retention would drop. Set cleanup.policy once more";

/// ```text
/// Looking ──it is gone──▶ done
///   ▲ ├──it is there──▶ Removing ──▶ Looking
///   │ └──still there──▶ Waiting ──▶ Removing
///   └──────────────────────┘
/// ```
#[derive(Debug)]
enum State {
    Looking(AdminChange),
    Removing(AdminChange),
    Waiting { until: Instant },
}

/// The removal, on its way.
#[derive(Debug)]
pub struct StopCompaction {
    topic: PulsarTopic,
    patient_until: Instant,
    is_tried: bool,
    state: State,
}

impl StopCompaction {
    /// Looks whether there is anything to be removed: one question, whatever the number of partitions.
    pub fn new(topic: PulsarTopic, io: &mut Io<'_>) -> Self {
        let state = look(&topic, io);
        Self { topic, patient_until: io.now.instant + PATIENCE, is_tried: false, state }
    }

    /// Whether it is gone; `None` while something is awaited.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<(), Refused>> {
        loop {
            self.state = match &mut self.state {
                State::Looking(call) => match call.poll(io)?.and_then(|body| is_listed(&body)) {
                    Ok(false) | Err(AdminError::Status(404, _)) => return Some(Ok(())),
                    Ok(true) if !self.is_tried => {
                        self.is_tried = true;
                        remove(&self.topic, io)
                    }
                    Ok(true) if io.now.instant < self.patient_until => {
                        State::Waiting { until: io.now.instant + TRY_AGAIN }
                    }
                    Ok(true) => {
                        let message = format!("Pulsar is still compacting the topic; {HELD_BACK}");
                        return Some(Err(Refused::because(ResponseError::RequestTimedOut, message)));
                    }
                    Err(error) => return Some(Err(refused(&error))),
                },
                State::Removing(call) => match call.poll(io)? {
                    Ok(_) | Err(AdminError::Status(404 | 409 | 412, _)) => look(&self.topic, io),
                    Err(error) => return Some(Err(refused(&error))),
                },
                State::Waiting { until } if *until <= io.now.instant => remove(&self.topic, io),
                State::Waiting { .. } => return None,
            };
        }
    }

    /// When to poll it although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::Looking(call) | State::Removing(call) => call.next_wake(),
            State::Waiting { until } => Some(*until),
        }
    }
}

fn look(topic: &PulsarTopic, io: &mut Io<'_>) -> State {
    State::Looking(AdminChange::read(topic.admin_path("/subscriptions"), io))
}

fn remove(topic: &PulsarTopic, io: &mut Io<'_>) -> State {
    let path = topic.admin_path(&format!("/subscription/{SUBSCRIPTION}"));
    State::Removing(AdminChange::new(Method::Delete, path, None, io))
}

fn is_listed(body: &[u8]) -> Result<bool, AdminError> {
    let names: Vec<String> = serde_json::from_slice(body)
        .map_err(|_| AdminError::Malformed("a topic's subscriptions are not as expected"))?;
    Ok(names.iter().any(|name| name == SUBSCRIPTION))
}

fn refused(error: &AdminError) -> Refused {
    let Refused { code, message } = Refused::by_admin(error);
    Refused::because(code, format!("{}; {HELD_BACK}", message.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pulsars_own_subscription_is_looked_for() {
        assert_eq!(is_listed(br#"["reader-1", "__compaction"]"#), Ok(true));
        assert_eq!(is_listed(br#"["__compaction2"]"#), Ok(false));
        assert_eq!(is_listed(b"[]"), Ok(false));
        assert!(is_listed(b"<html>").is_err());
    }
}
