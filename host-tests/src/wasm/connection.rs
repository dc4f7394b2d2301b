//! One client connection as Envoy keeps it: the filter's two buffers, and `tcp_proxy` behind the filter.
//!
//! Read from Envoy's `context.cc`, `filter_manager_impl.cc`, `connection_impl.cc` and `tcp_proxy.cc`. No guest is called here: this
//! is what the guest's hostcalls and the callbacks' results do to the bytes.

use std::collections::{BTreeMap, VecDeque};

use super::Violation;
use super::buffer::copy_from;
use super::status::Status;

/// Envoy's default `per_connection_buffer_limit_bytes`, and the largest chunk one callback was seen to get.
pub const BUFFER_LIMIT: usize = 1 << 20;

/// What one `read` brings when the buffer already holds its limit.
const READ_OVER_LIMIT: usize = 16 << 10;

/// Which end finished first, as the filter is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ClosedBy {
    /// Envoy: the filter asked for it, or the broker's side went away.
    Local = 1,
    /// The client.
    Remote = 2,
}

/// What the guest does not see, but the driver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    Closed(ClosedBy),
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) life: Life,
    /// The guest's context; none once it was deleted, or its VM died.
    pub(super) context: Option<u32>,
    pub(super) properties: BTreeMap<String, Vec<u8>>,

    /// Client bytes that the kernel holds.
    socket: VecDeque<u8>,
    socket_ended: bool,
    /// Envoy's read buffer: `DownstreamData`. It outlives the callback.
    read_buffer: Vec<u8>,
    /// How many bytes at the end of the read buffer came from the client and were not taken.
    untaken: usize,
    /// Sticky: every later `continueReading` carries it.
    read_ended: bool,
    /// The buffer is over its limit: the socket is not read.
    over_watermark: bool,
    /// The watermark was left with bytes still in the buffer: they are offered again.
    offer_again: bool,
    downstream_visible: bool,

    /// The upstream connection's read buffer: `UpstreamData`.
    upstream_buffer: Vec<u8>,
    upstream_visible: bool,
    upstream_ended: bool,

    pub(super) to_upstream: Vec<u8>,
    upstream_fin: bool,
    pub(super) to_downstream: Vec<u8>,
    downstream_fin: bool,
}

impl Connection {
    pub(super) fn new(properties: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            life: Life::Open,
            context: None,
            properties,
            socket: VecDeque::new(),
            socket_ended: false,
            read_buffer: Vec::new(),
            untaken: 0,
            read_ended: false,
            over_watermark: false,
            offer_again: false,
            downstream_visible: false,
            upstream_buffer: Vec::new(),
            upstream_visible: false,
            upstream_ended: false,
            to_upstream: Vec::new(),
            upstream_fin: false,
            to_downstream: Vec::new(),
            downstream_fin: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.life == Life::Open
    }

    // Client to broker.

    /// Bytes arrive at the socket.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        if !self.socket_ended {
            self.socket.extend(bytes);
        }
    }

    pub(super) fn receive_end(&mut self) {
        self.socket_ended = true;
    }

    pub(super) fn socket_is_drained(&self) -> bool {
        self.socket.is_empty()
    }

    /// The next read: takes from the socket what one event brings. Answers the buffer's length and end of stream if the filter chain
    /// is to be called.
    pub(super) fn read(&mut self) -> Option<(usize, bool)> {
        if !self.is_open() || self.over_watermark {
            return None;
        }
        let offered_again = std::mem::take(&mut self.offer_again) && !self.read_buffer.is_empty();
        let room = BUFFER_LIMIT.saturating_sub(self.read_buffer.len()).max(READ_OVER_LIMIT);
        let taken = room.min(self.socket.len());
        self.read_buffer.extend(self.socket.drain(..taken));
        self.untaken += taken;
        self.watch();
        let ends = self.socket_ended && self.socket.is_empty() && !self.read_ended;
        self.read_ended |= ends;
        (taken > 0 || ends || offered_again).then(|| {
            self.downstream_visible = true;
            (self.read_buffer.len(), self.read_ended)
        })
    }

    /// The filter answered its read callback.
    pub(super) fn after_read(&mut self, paused: bool) -> Option<Violation> {
        if !paused {
            self.downstream_visible = false;
            return self.continue_reading();
        }
        self.read_ended.then_some(Violation::PausedAtEndOfStream)
    }

    /// `tcp_proxy` gets the read buffer, whatever is in it.
    pub(super) fn continue_reading(&mut self) -> Option<Violation> {
        if !self.is_open() || (self.read_buffer.is_empty() && !self.read_ended) {
            return None;
        }
        if self.upstream_fin {
            // `write` after end of stream ignores its bytes.
            return (!self.read_buffer.is_empty()).then_some(Violation::BytesAfterEnd(self.read_buffer.len()));
        }
        let untaken = std::mem::take(&mut self.untaken);
        self.to_upstream.append(&mut self.read_buffer);
        self.upstream_fin = self.read_ended;
        self.watch();
        (untaken > 0).then_some(Violation::ClientBytesForwarded(untaken))
    }

    pub(super) fn downstream_buffer(&self) -> Option<&[u8]> {
        self.downstream_visible.then_some(&self.read_buffer)
    }

    pub(super) fn write_downstream_buffer(&mut self, start: usize, length: usize, data: &[u8]) -> Result<(), Status> {
        if !self.downstream_visible {
            return Err(Status::BadArgument);
        }
        let kept = if start == 0 { self.read_buffer.len().saturating_sub(length) } else { self.read_buffer.len() };
        copy_from(&mut self.read_buffer, start, length, data)?;
        self.untaken = self.untaken.min(kept);
        self.watch();
        Ok(())
    }

    fn watch(&mut self) {
        if self.read_buffer.len() > BUFFER_LIMIT {
            self.over_watermark = true;
        } else if self.over_watermark && self.read_buffer.len() <= BUFFER_LIMIT / 2 {
            self.over_watermark = false;
            self.offer_again = !self.read_buffer.is_empty();
        }
    }

    // Broker to client.

    /// Broker bytes enter the upstream buffer; what a pause left there comes again with them.
    pub(super) fn receive_upstream(&mut self, bytes: &[u8], ended: bool) -> Option<(usize, bool)> {
        if !self.is_open() || self.upstream_ended {
            return None;
        }
        self.upstream_ended = ended;
        self.upstream_buffer.extend_from_slice(bytes);
        self.upstream_visible = true;
        Some((self.upstream_buffer.len(), ended))
    }

    /// The filter answered its write callback. A connection that it closed meanwhile takes no bytes.
    pub(super) fn after_upstream(&mut self, paused: bool) -> Option<Violation> {
        if !self.is_open() {
            let lost = std::mem::take(&mut self.upstream_buffer).len();
            return (lost > 0).then_some(Violation::BytesLostInClose(lost));
        }
        if paused {
            return Some(Violation::PausedUpstream);
        }
        self.upstream_visible = false;
        self.to_downstream.append(&mut self.upstream_buffer);
        self.downstream_fin |= self.upstream_ended;
        None
    }

    pub(super) fn upstream_buffer(&self) -> Option<&[u8]> {
        self.upstream_visible.then_some(&self.upstream_buffer)
    }

    pub(super) fn write_upstream_buffer(&mut self, start: usize, length: usize, data: &[u8]) -> Result<(), Status> {
        if !self.upstream_visible {
            return Err(Status::BadArgument);
        }
        copy_from(&mut self.upstream_buffer, start, length, data)
    }

    // Ends.

    /// Both sides have said that no more comes: the connection is over.
    pub(super) fn both_ended(&self) -> bool {
        self.upstream_fin && self.downstream_fin
    }

    /// What the sockets see.
    pub(super) fn ends(&self) -> (bool, bool) {
        let closed = !self.is_open();
        (self.upstream_fin || closed, self.downstream_fin || closed)
    }

    /// No further byte moves. What was already handed to a socket is still flushed; what the filter only put in a buffer is lost.
    pub(super) fn close(&mut self, by: ClosedBy) -> Option<Violation> {
        let lost = self.read_buffer.len() - self.untaken;
        self.life = Life::Closed(by);
        self.downstream_visible = false;
        self.upstream_visible = false;
        self.socket.clear();
        self.read_buffer.clear();
        self.untaken = 0;
        (lost > 0 && by == ClosedBy::Local).then_some(Violation::BytesLostInClose(lost))
    }
}
