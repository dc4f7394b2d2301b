//! The questions about floors that one connection has asked of the admin REST.

use std::collections::BTreeMap;

use super::asking::Subject;
use super::known::PATIENCE;
use super::property;
use super::signal;
use crate::error::AdminError;
use crate::session::io::Io;
use crate::time::Instant;
use crate::topics::admin_change::AdminChange;

/// At most one for each subject.
#[derive(Debug, Default)]
pub struct FloorQuestions {
    open: BTreeMap<Subject, Question>,
}

#[derive(Debug)]
struct Question {
    call: AdminChange,
    asked: Instant,
    /// When somebody last began to wait for it.
    awaited: Instant,
    /// Nobody waits for it any longer.
    is_late: bool,
}

impl FloorQuestions {
    /// Asks for what is wanted, and passes on what was answered.
    pub fn poll(&mut self, io: &mut Io<'_>) {
        for subject in io.shared.floors.asking.take_wanted(io.client.connection) {
            self.open
                .entry(subject)
                .and_modify(|question| question.is_awaited(io.now.instant))
                .or_insert_with_key(|subject| Question::new(subject, io));
        }
        self.open.retain(|subject, question| !question.poll(subject, io));
    }

    /// When to poll although nothing happened.
    pub fn next_wake(&self) -> Option<Instant> {
        let late = |question: &Question| (!question.is_late).then(|| question.awaited + PATIENCE);
        self.open.values().flat_map(|question| question.call.next_wake().into_iter().chain(late(question))).min()
    }
}

impl Question {
    fn new(subject: &Subject, io: &mut Io<'_>) -> Self {
        let path = match subject {
            Subject::Signal => signal::path(io),
            Subject::Topic(topic) => topic.admin_path("/properties"),
        };
        let now = io.now.instant;
        Self { call: AdminChange::read(path, io), asked: now, awaited: now, is_late: false }
    }

    /// Another answer has come since this one was given up, so it is hoped for again.
    fn is_awaited(&mut self, now: Instant) {
        if std::mem::take(&mut self.is_late) {
            self.awaited = now;
        }
    }

    /// Whether it is done.
    fn poll(&mut self, subject: &Subject, io: &mut Io<'_>) -> bool {
        let Some(answer) = self.call.poll(io) else {
            if !self.is_late && io.now.instant.since(self.awaited) >= PATIENCE {
                self.is_late = true;
                let bound = io.shared.config.lookup_cache_entries as usize;
                io.shared.floors.is_late(subject, io.now.instant, bound, &mut io.shared.log);
            }
            return false;
        };
        // A topic that is not there has no properties.
        let answer = match answer {
            Err(AdminError::Status(404, _)) => Ok(Default::default()),
            answer => answer,
        };
        let (asked, now, bound) = (self.asked, io.now.instant, io.shared.config.lookup_cache_entries as usize);
        let floors = &mut io.shared.floors;
        let learned = answer.and_then(|body| {
            match subject {
                Subject::Signal => floors.learn_signal(signal::token(&body)?, asked, now),
                Subject::Topic(topic) => floors.learn(topic.clone(), property::read(&body)?.floors, asked, bound),
            }
            Ok(())
        });
        if let Err(error) = learned {
            floors.failed(subject, now, &error, bound, &mut io.shared.log);
        }
        true
    }
}
