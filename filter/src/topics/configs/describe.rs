//! Reads what is in force for one topic.

use super::defaults::Defaults;
use super::read::ReadTopic;
use super::table::{self, Mapping};
use super::view::{Shown, TopicState, view};
use crate::error::AdminError;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::change::{Change, Refused};
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::CountPartitions;
use kafka_protocol::error::ResponseError;

/// ```text
/// New ──▶ Looking ──it exists──▶ Reading ──▶ done
/// ```
#[derive(Debug)]
enum State {
    New,
    Looking(CountPartitions),
    Reading(Box<ReadTopic>),
}

/// The question for one topic.
#[derive(Debug)]
pub struct DescribeTopic {
    topic: KafkaTopic,
    defaults: Defaults,
    state: State,
}

impl DescribeTopic {
    /// Not yet begun.
    pub fn new(topic: KafkaTopic, defaults: Defaults) -> Self {
        Self { topic, defaults, state: State::New }
    }
}

impl Change for DescribeTopic {
    type Made = Vec<Shown>;

    fn poll(&mut self, io: &mut Io<'_>) -> Option<Result<Vec<Shown>, Refused>> {
        loop {
            self.state = match &mut self.state {
                State::New => State::Looking(CountPartitions::new(&self.topic, io)),
                State::Looking(count) => match count.poll(io)? {
                    Ok(_) => State::Reading(Box::new(ReadTopic::new(&self.topic, io))),
                    Err(error) => return Some(Err(Refused::by_broker(&error))),
                },
                State::Reading(read) => {
                    return Some(match read.poll(io)? {
                        Ok(topic) => Ok(view(&topic, &self.defaults)),
                        Err(AdminError::NotConfigured) => Ok(without_policies(&self.defaults)),
                        Err(error) => Err(Refused::by_admin(&error)),
                    });
                }
            };
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        match &self.state {
            State::New | State::Looking(_) => None,
            State::Reading(read) => read.next_wake(),
        }
    }

    fn overdue(&mut self, _: &mut Io<'_>) -> Refused {
        Refused::because(ResponseError::RequestTimedOut, "Pulsar did not answer in time")
    }
}

/// Without the admin REST, what holds for every topic, whatever its policies.
fn without_policies(defaults: &Defaults) -> Vec<Shown> {
    let is_given =
        |shown: &Shown| matches!(table::find(shown.name).map(|config| config.mapping), Some(Mapping::Given(_)));
    view(&TopicState::default(), defaults).into_iter().filter(is_given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_admin_rest_only_what_always_holds_is_told() {
        let told = without_policies(&Defaults::unknown(5 << 20));
        let names: Vec<_> = told.iter().map(|shown| shown.name).collect();
        assert!(names.contains(&"compression.type"));
        for name in ["cleanup.policy", "retention.ms", "max.message.bytes", "segment.ms"] {
            assert!(!names.contains(&name), "{name}");
        }
    }
}
