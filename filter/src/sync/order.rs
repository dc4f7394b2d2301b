//! Responses leave in request order, whatever order they become ready in.
//!
//! Kafka clients match a response to the oldest request of the connection, so order is part of the protocol
//! (Apache Kafka gets it by muting the socket during a request; here requests overlap).

use std::collections::VecDeque;

use bytes::Bytes;

/// A request's place on its connection. Ours, because clients may reuse correlation ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(u64);

/// A whole response frame, in the pieces it was built from, so that record batches are not copied once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Length word, header and body, in order.
    pub segments: Vec<Bytes>,
    /// Whether it tells of an error.
    pub failed: bool,
}

impl Response {
    /// Bytes over all segments.
    pub fn len(&self) -> usize {
        self.segments.iter().map(Bytes::len).sum()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// ```text
/// open ──▶ Waiting ──fill(Some)──▶ Ready ──at the head──▶ poll
///             └──────fill(None)──▶ Silent ─at the head──▶ dropped
/// ```
#[derive(Debug)]
enum Slot {
    Waiting,
    Ready(Response),
    /// A request without a response: Produce with `acks=0`.
    Silent,
}

/// The queue of places. Its capacity bounds the requests in flight on a connection.
#[derive(Debug)]
pub struct Order {
    head: u64,
    slots: VecDeque<Slot>,
    capacity: usize,
    ready_bytes: usize,
}

impl Order {
    /// An empty queue of at most `capacity` requests.
    pub fn new(capacity: usize) -> Self {
        Self { head: 0, slots: VecDeque::new(), capacity, ready_bytes: 0 }
    }

    /// Takes the next place, or `None` at capacity: the caller holds the client back.
    pub fn open(&mut self) -> Option<Seq> {
        if self.is_full() {
            return None;
        }
        let seq = Seq(self.head.wrapping_add(self.slots.len() as u64));
        self.slots.push_back(Slot::Waiting);
        Some(seq)
    }

    /// Settles a place, `None` for a request that has no response. A place that is settled or gone stays as it is.
    pub fn fill(&mut self, seq: Seq, response: Option<Response>) {
        let index = usize::try_from(seq.0.wrapping_sub(self.head)).unwrap_or(usize::MAX);
        let Some(slot @ Slot::Waiting) = self.slots.get_mut(index) else { return };
        *slot = match response {
            Some(response) => {
                self.ready_bytes = self.ready_bytes.saturating_add(response.len());
                Slot::Ready(response)
            }
            None => Slot::Silent,
        };
        self.leave_silently();
    }

    /// What has no response gives its place up as soon as it is its turn: nothing else would.
    fn leave_silently(&mut self) {
        while let Some(Slot::Silent) = self.slots.front() {
            self.slots.pop_front();
            self.head = self.head.wrapping_add(1);
        }
    }

    /// Nothing leaves behind `seq`: the connection ends with it. What came before it is still answered.
    pub fn end_at(&mut self, seq: Seq) {
        let index = usize::try_from(seq.0.wrapping_sub(self.head)).unwrap_or(usize::MAX);
        for slot in self.slots.drain(index.min(self.slots.len())..) {
            if let Slot::Ready(response) = slot {
                self.ready_bytes = self.ready_bytes.saturating_sub(response.len());
            }
        }
    }

    /// The next response that may leave.
    pub fn poll(&mut self) -> Option<Response> {
        let Some(Slot::Ready(_)) = self.slots.front() else { return None };
        self.head = self.head.wrapping_add(1);
        let Some(Slot::Ready(response)) = self.slots.pop_front() else { return None };
        self.ready_bytes = self.ready_bytes.saturating_sub(response.len());
        self.leave_silently();
        Some(response)
    }

    /// Whether [`Order::poll`] would give a response.
    pub fn has_ready(&self) -> bool {
        matches!(self.slots.front(), Some(Slot::Ready(_)))
    }

    /// Whether `seq` is the oldest request that is not answered yet.
    pub fn is_head(&self, seq: Seq) -> bool {
        let waiting = self.slots.iter().position(|slot| matches!(slot, Slot::Waiting));
        waiting.is_some_and(|index| self.head.wrapping_add(index as u64) == seq.0)
    }

    /// Bytes of responses that wait for their turn or for a window.
    pub fn ready_bytes(&self) -> usize {
        self.ready_bytes
    }

    /// Whether no further request may be taken in.
    pub fn is_full(&self) -> bool {
        self.slots.len() >= self.capacity
    }

    /// Whether a request has not been settled yet.
    pub fn is_waiting(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Waiting))
    }

    /// Whether no request is in flight.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Requests in flight.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response(byte: u8) -> Response {
        Response { segments: vec![Bytes::from(vec![byte])], failed: false }
    }

    #[test]
    fn a_response_waits_for_the_requests_before_it() {
        let mut order = Order::new(8);
        let (first, second) = (order.open().unwrap(), order.open().unwrap());

        order.fill(second, Some(response(2)));
        assert_eq!(order.poll(), None);

        order.fill(first, Some(response(1)));
        assert_eq!(order.poll(), Some(response(1)));
        assert_eq!(order.poll(), Some(response(2)));
        assert!(order.is_empty());
    }

    #[test]
    fn a_request_without_response_holds_up_nobody() {
        let mut order = Order::new(8);
        let (silent, loud) = (order.open().unwrap(), order.open().unwrap());

        order.fill(silent, None);
        order.fill(loud, Some(response(7)));

        assert!(order.has_ready());
        assert_eq!(order.poll(), Some(response(7)));
        assert!(order.is_empty());
    }

    #[test]
    fn requests_without_response_make_room_by_themselves() {
        let mut order = Order::new(3);
        let [first, second, third] = std::array::from_fn(|_| order.open().unwrap());
        order.fill(second, None);
        order.fill(first, None);
        assert_eq!(order.len(), 1);

        order.fill(third, Some(response(3)));
        let last = order.open().unwrap();
        order.fill(last, None);
        assert_eq!(order.poll(), Some(response(3)));
        assert!(order.is_empty());
    }

    #[test]
    fn at_capacity_no_place_is_given() {
        let mut order = Order::new(1);
        let seq = order.open().unwrap();
        assert_eq!(order.open(), None);

        order.fill(seq, Some(response(0)));
        assert_eq!(order.open(), None, "a response that has not left still holds its place");
        order.poll();
        assert!(order.open().is_some());
    }

    #[test]
    fn what_came_before_the_last_request_is_answered_and_what_came_after_is_not() {
        let mut order = Order::new(8);
        let [first, last, after, ready] = std::array::from_fn(|_| order.open().unwrap());
        order.fill(ready, Some(response(4)));

        order.end_at(last);
        order.fill(after, Some(response(3)));

        assert!(order.is_waiting());
        order.fill(first, Some(response(1)));
        assert!(!order.is_waiting());
        assert_eq!(order.poll(), Some(response(1)));
        assert_eq!((order.poll(), order.ready_bytes()), (None, 0));
    }

    #[test]
    fn a_place_is_settled_once() {
        let mut order = Order::new(2);
        let seq = order.open().unwrap();
        order.fill(seq, Some(response(1)));
        order.fill(seq, Some(response(2)));
        assert_eq!(order.poll(), Some(response(1)));
        order.fill(seq, Some(response(3)));
        assert_eq!(order.poll(), None);
    }

    proptest! {
        #[test]
        fn any_order_of_replies_leaves_in_request_order(settled in Just((0..20u8).collect::<Vec<_>>()).prop_shuffle()) {
            let mut order = Order::new(20);
            let seqs: Vec<_> = (0..20).map(|_| order.open().unwrap()).collect();
            let mut left = Vec::new();
            for index in settled {
                order.fill(seqs[usize::from(index)], Some(response(index)));
                while let Some(response) = order.poll() {
                    left.push(response.segments[0][0]);
                }
            }
            prop_assert_eq!(left, (0..20).collect::<Vec<_>>());
            prop_assert!(order.is_empty());
            prop_assert_eq!(order.ready_bytes(), 0);
        }
    }
}
