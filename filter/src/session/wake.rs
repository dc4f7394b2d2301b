//! Who asked, so that an answer finds whoever waits for it without all being looked at.
//!
//! An exchange about many things at once has a part for each ([`Parts`]). While a part is polled, what it asks of the broker, the
//! admin REST or a reader is asked in its name ([`Io::asked_by`]); when that is answered, the part is polled again, and no
//! other. So a request costs as much as it has answers, whatever the pieces that they come in.
//!
//! A part must wait for nothing else: neither for time nor for what another request brings about.
//!
//! Who keeps many things in a place of its own, as a connection does its readers, has a [`WakeList`] beside them.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use super::io::Io;

/// A part of an exchange, as its questions remember it.
#[derive(Clone, Debug)]
pub struct Waker {
    list: Rc<Woken>,
    index: usize,
}

/// Parts to be polled, by index; one may stand here more than once.
struct Woken {
    indexes: Cell<Vec<usize>>,
    /// The part that these parts are a part of.
    outer: Option<Waker>,
}

impl fmt::Debug for Woken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Woken").field("outer", &self.outer).finish_non_exhaustive()
    }
}

impl Woken {
    fn push(&self, index: usize) {
        let mut indexes = self.indexes.take();
        indexes.push(index);
        self.indexes.set(indexes);
    }
}

impl Waker {
    /// Something that this part asked for has come.
    pub fn wake(&self) {
        self.list.push(self.index);
        if let Some(outer) = &self.list.outer {
            outer.wake();
        }
    }
}

/// Which of many things were woken, by their indexes.
#[derive(Clone, Debug)]
pub struct WakeList(Rc<Woken>);

impl Default for WakeList {
    fn default() -> Self {
        Self(Rc::new(Woken { outer: None, indexes: Cell::default() }))
    }
}

impl WakeList {
    /// Wakes the thing with that index.
    pub fn waker(&self, index: usize) -> Waker {
        Waker { list: Rc::clone(&self.0), index }
    }

    /// Those that were woken since; one may stand here more than once.
    pub fn take(&self) -> Vec<usize> {
        self.0.indexes.take()
    }
}

/// What is to be settled each by itself.
#[derive(Debug)]
pub struct Parts<T> {
    parts: Vec<Part<T>>,
    open: usize,
    woken: WakeList,
}

#[derive(Debug)]
struct Part<T> {
    value: T,
    is_settled: bool,
}

impl<T> Parts<T> {
    /// None yet; those that come are parts of whatever asks now.
    pub fn new(io: &Io<'_>) -> Self {
        let woken = Woken { outer: io.asker(), indexes: Cell::default() };
        Self { parts: Vec::new(), open: 0, woken: WakeList(Rc::new(woken)) }
    }

    /// Adds a part, which may ask at once; it is polled with the next [`Parts::poll`].
    pub fn push(&mut self, io: &mut Io<'_>, make: impl FnOnce(&mut Io<'_>) -> T) {
        let index = self.parts.len();
        let value = io.asked_by(self.woken.waker(index), make);
        self.parts.push(Part { value, is_settled: false });
        self.open = self.open.saturating_add(1);
        self.woken.0.push(index);
    }

    /// Polls the parts for which something has come; whether all are settled. `poll` tells whether a part is.
    pub fn poll(&mut self, io: &mut Io<'_>, mut poll: impl FnMut(&mut T, &mut Io<'_>) -> bool) -> bool {
        for index in self.woken.take() {
            let Some(part) = self.parts.get_mut(index).filter(|part| !part.is_settled) else { continue };
            if io.asked_by(self.woken.waker(index), |io| poll(&mut part.value, io)) {
                part.is_settled = true;
                self.open = self.open.saturating_sub(1);
            }
        }
        self.open == 0
    }

    /// All of them, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.parts.iter().map(|part| &part.value)
    }

    /// The same.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.parts.iter_mut().map(|part| &mut part.value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;
    use crate::error::{AdminError, PulsarError};
    use crate::ids::ConnectionId;
    use crate::pulsar::command;
    use crate::session::admin::{AdminCalls, CallId, HttpReply, Method};
    use crate::session::io::{Client, Endpoints};
    use crate::session::pulsar_conn::PulsarConn;
    use crate::time::{Instant, Now, UnixMillis};
    use crate::worker::shared::Shared;

    const NOW: Now = Now { instant: Instant::from_millis(1000), unix: UnixMillis(0) };

    /// What parts ask, and who of them is polled.
    struct World {
        pulsar: PulsarConn,
        admin: AdminCalls,
        shared: Shared,
        client: Client,
    }

    impl World {
        fn new() -> Self {
            let client = Client { connection: ConnectionId(1), id: String::new(), endpoints: Endpoints::default() };
            let pulsar = PulsarConn::new(None, Duration::from_secs(30));
            Self { pulsar, admin: AdminCalls::default(), shared: Shared::new(Config::default(), 1), client }
        }

        fn io(&mut self) -> Io<'_> {
            let Self { pulsar, admin, shared, client } = self;
            Io { pulsar, admin, shared, client, now: NOW }
        }

        fn answer(&mut self, call: CallId) {
            self.admin.answer(call, Ok(HttpReply { status: 200, body: "".into() }), NOW.instant);
        }
    }

    fn call(io: &mut Io<'_>) -> CallId {
        io.admin.call(Method::Get, "/".into(), None, io.now.instant)
    }

    /// Which parts were polled, and whether all are settled.
    fn polled(parts: &mut Parts<CallId>, io: &mut Io<'_>) -> (Vec<CallId>, bool) {
        let mut polled = Vec::new();
        let settled = parts.poll(io, |call, io| {
            polled.push(*call);
            io.admin.take(*call).is_some()
        });
        (polled, settled)
    }

    fn three(io: &mut Io<'_>) -> (Parts<CallId>, [CallId; 3]) {
        let mut parts = Parts::new(io);
        (0..3).for_each(|_| parts.push(io, call));
        let calls: Vec<CallId> = parts.iter().copied().collect();
        (parts, calls.try_into().unwrap())
    }

    #[test]
    fn a_part_is_polled_at_first_and_when_its_answer_has_come() {
        let mut world = World::new();
        let (mut parts, [first, second, third]) = three(&mut world.io());
        assert_eq!(polled(&mut parts, &mut world.io()), (vec![first, second, third], false));
        assert_eq!(polled(&mut parts, &mut world.io()), (vec![], false));

        world.answer(second);
        assert_eq!(polled(&mut parts, &mut world.io()), (vec![second], false));

        world.answer(third);
        world.answer(first);
        assert_eq!(polled(&mut parts, &mut world.io()), (vec![third, first], true));
    }

    #[test]
    fn what_a_part_asks_later_wakes_it_too() {
        let mut world = World::new();
        let mut parts = Parts::new(&world.io());
        parts.push(&mut world.io(), |_| None);
        parts.poll(&mut world.io(), |asked, io| {
            *asked = Some(call(io));
            false
        });
        let asked = parts.iter().copied().next().flatten().unwrap();
        assert!(!parts.poll(&mut world.io(), |_, _| panic!("nothing has come")));

        world.answer(asked);
        assert!(parts.poll(&mut world.io(), |_, _| true));
    }

    #[test]
    fn a_part_of_a_part_wakes_both() {
        let mut world = World::new();
        let mut outer = Parts::new(&world.io());
        (0..2).for_each(|_| outer.push(&mut world.io(), |io| three(io).0));
        let calls: Vec<CallId> = outer.iter().flat_map(Parts::iter).copied().collect();
        assert!(!outer.poll(&mut world.io(), |inner, io| polled(inner, io).1));

        world.answer(calls[4]);
        let mut seen = Vec::new();
        outer.poll(&mut world.io(), |inner, io| {
            let (polled, settled) = polled(inner, io);
            seen.push(polled);
            settled
        });
        assert_eq!(seen, [[calls[4]]]);
    }

    #[test]
    fn the_end_of_a_connection_wakes_whoever_asked_on_it() {
        let mut world = World::new();
        let mut parts = Parts::new(&world.io());
        let ask = |io: &mut Io<'_>| io.pulsar.ask(NOW.instant, |id| command::get_topics_of_namespace("t/n".into(), id));
        (0..3).for_each(|_| parts.push(&mut world.io(), ask));
        assert!(!parts.poll(&mut world.io(), |request, io| io.pulsar.take(*request).is_some()));

        world.pulsar.fail(PulsarError::Disconnected, NOW.instant);
        assert!(parts.poll(&mut world.io(), |request, io| io.pulsar.take(*request).is_some()));
    }

    #[test]
    fn a_question_that_is_not_answered_in_time_wakes_who_asked() {
        let mut world = World::new();
        let (mut parts, _) = three(&mut world.io());
        polled(&mut parts, &mut world.io());

        world.admin.expire(NOW.instant + Duration::from_secs(60));
        let mut answers = Vec::new();
        assert!(parts.poll(&mut world.io(), |call, io| {
            answers.extend(io.admin.take(*call));
            true
        }));
        assert_eq!(answers, vec![Err(AdminError::Unreachable); 3]);
    }
}
