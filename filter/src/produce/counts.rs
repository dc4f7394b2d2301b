//! How many partitions topics have, asked for the batches of one connection.
//!
//! Batches of a partition are submitted in the order in which they came, and none is before it is known how many partitions there are.
//! So whoever asks while an answer is awaited waits for the same one, also where another connection has learned it meanwhile: a request
//! that knew it at once would overtake those before it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::error::PulsarError;
use crate::session::io::Io;
use crate::session::wake::{WakeList, Waker};
use crate::topics::name::KafkaTopic;
use crate::topics::partitions::{CountPartitions, Partitions};

/// An answer, shared by all that wait for it.
#[derive(Clone, Debug, Default)]
pub struct Counted(Rc<OnceCell<Result<Partitions, PulsarError>>>);

impl Counted {
    /// The answer; `None` while it is awaited.
    pub fn get(&self) -> Option<Result<Partitions, PulsarError>> {
        self.0.get().cloned()
    }
}

#[derive(Debug)]
struct Question {
    topic: KafkaTopic,
    count: CountPartitions,
    counted: Counted,
    askers: Vec<Waker>,
}

/// The questions that are open. Each ends by its deadline.
#[derive(Debug, Default)]
pub struct Counts {
    questions: BTreeMap<usize, Question>,
    by_topic: BTreeMap<KafkaTopic, usize>,
    last: usize,
    woken: WakeList,
}

impl Counts {
    /// Asks, or waits with others; whoever asks is woken by the answer.
    pub fn ask(&mut self, topic: &KafkaTopic, io: &mut Io<'_>) -> Counted {
        if let Some(question) = self.by_topic.get(topic).and_then(|index| self.questions.get_mut(index)) {
            question.askers.extend(io.asker());
            return question.counted.clone();
        }
        self.last = self.last.wrapping_add(1);
        let (counted, askers) = (Counted::default(), io.asker().into_iter().collect());
        let mut count = io.asked_by(self.woken.waker(self.last), |io| CountPartitions::new(topic, io));
        match count.poll(io) {
            Some(known) => counted.tell(known),
            None => {
                self.by_topic.insert(topic.clone(), self.last);
                let question = Question { topic: topic.clone(), count, counted: counted.clone(), askers };
                self.questions.insert(self.last, question);
            }
        }
        counted
    }

    /// Passes on what was answered.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        for index in self.woken.take() {
            let Some(question) = self.questions.get_mut(&index) else { continue };
            let Some(known) = question.count.poll(io) else { continue };
            if let Some(question) = self.questions.remove(&index) {
                self.by_topic.remove(&question.topic);
                question.counted.tell(known);
                question.askers.iter().for_each(Waker::wake);
            }
        }
    }
}

impl Counted {
    fn tell(&self, known: Result<Partitions, PulsarError>) {
        // It is told once.
        self.0.set(known).ok();
    }
}
