//! What goes wrong, as data: rules that match a command the broker receives, and noise on its answers.

use std::collections::BTreeSet;
use std::time::Duration;

use isthmus::pulsar::proto::ServerError;
use isthmus::pulsar::proto::base_command::Type;

/// One rule. The first that matches a command is used; a rule used up is gone.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which command.
    pub command: Type,
    /// Only of this topic (full name), if any.
    pub topic: Option<String>,
    /// Only a SEND whose lowest sequence id this is, if any.
    pub sequence_id: Option<u64>,
    /// Matches that are let through first.
    pub skip: u32,
    /// Matches that it acts on.
    pub times: u32,
    /// What happens.
    pub effect: Effect,
}

/// What happens instead of, or with, the usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing is done; the answer is this error.
    Refuse(ServerError, String),
    /// Nothing is done, and nothing answered.
    Ignore,
    /// It is done, and not answered.
    LoseAnswer,
    /// It is done, and answered this much later.
    DelayAnswer(Duration),
    /// It is done, and answered twice.
    AnswerTwice,
    /// SEND: the ledger takes this long. Until then the entry cannot be read, and what follows on the topic waits behind it.
    DelayWrite(Duration),
    /// SEND: the ledger fails. PersistenceError, and every producer of the topic is closed (`PersistentTopic.addFailed`).
    FailWrite,
    /// The topic is unloaded before the command is looked at.
    Unload,
    /// The broker dies before the command is looked at, as in [`super::ScriptedBroker::crash`].
    Crash {
        /// Writes of each topic that were under way and turn out to be stored.
        stored: usize,
    },
    /// The connection is closed instead.
    Close,
    /// It is done, and the connection is closed instead of an answer.
    CloseAfter,
}

impl Fault {
    /// `effect` on the next `command`.
    pub fn on(command: Type, effect: Effect) -> Self {
        Self { command, topic: None, sequence_id: None, skip: 0, times: 1, effect }
    }

    /// Only on `topic`.
    pub fn of_topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_string());
        self
    }

    /// Only on the SEND of `sequence_id`.
    pub fn of_sequence(mut self, sequence_id: u64) -> Self {
        self.sequence_id = Some(sequence_id);
        self
    }

    /// Lets `count` matches through first.
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Acts on `count` matches.
    pub fn times(mut self, count: u32) -> Self {
        self.times = count;
        self
    }
}

/// Delays answers by random times, so that they overtake one another.
///
/// What belongs to one producer or one consumer keeps its order, as a broker keeps it, unless `break_order` is set.
#[derive(Clone, Debug)]
pub struct Noise {
    /// One seed, one run.
    pub seed: u64,
    /// The longest delay.
    pub max_delay: Duration,
    /// Which answers; empty is all.
    pub of: BTreeSet<Type>,
    /// Whether receipts of one producer, and messages of one consumer, may overtake one another too. No broker does that to
    /// messages; to receipts it does where duplicates and errors are among them.
    pub break_order: bool,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.rules.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(super) fn are_spent(&self) -> bool {
        self.rules.is_empty()
    }

    /// The effect on a command, if a rule has one.
    pub(super) fn strike(&mut self, command: Type, topic: Option<&str>, sequence_id: Option<u64>) -> Option<Effect> {
        let matches = |rule: &Fault| {
            rule.command == command
                && rule.topic.as_deref().is_none_or(|wanted| topic == Some(wanted))
                && rule.sequence_id.is_none_or(|wanted| sequence_id == Some(wanted))
        };
        let at = self.rules.iter().position(matches)?;
        let rule = &mut self.rules[at];
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        let effect = rule.effect.clone();
        rule.times -= 1;
        if rule.times == 0 {
            self.rules.remove(at);
        }
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_lets_through_what_it_skips_acts_as_often_as_it_says_and_is_gone() {
        let mut faults = Faults::default();
        faults.add(Fault::on(Type::Send, Effect::Ignore).of_sequence(7).after(1).times(2));
        let mut strike = |sequence| faults.strike(Type::Send, Some("t"), Some(sequence)).is_some();
        assert_eq!(
            [strike(6), strike(7), strike(7), strike(6), strike(7), strike(7)],
            [false, false, true, false, true, false]
        );
        assert!(faults.are_spent());
    }
}
