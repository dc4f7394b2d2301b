//! Reading an entry, which another filter wrote, or anybody who may produce to the topic.

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

use super::entry::Entry;
use crate::group::state::limits::ENTRY_EVENTS_MAX;

/// Tag of [`Entry::events`].
const EVENTS_TAG: u32 = 9;

impl Entry {
    /// Reads a message's payload. `None` for what is no entry, or has more than [`ENTRY_EVENTS_MAX`] events: a few bytes of
    /// payload would become a hundred times as much in memory. Such an entry only counts (see [`crate::group::apply::apply`]).
    pub fn read(payload: &Bytes) -> Option<Self> {
        let mut events = 0_usize;
        let mut rest = payload.clone();
        while rest.has_remaining() {
            let (tag, wire_type) = decode_key(&mut rest).ok()?;
            if wire_type == WireType::EndGroup {
                return None;
            }
            skip_field(wire_type, tag, &mut rest, DecodeContext::default()).ok()?;
            events = events.saturating_add(usize::from(tag == EVENTS_TAG));
        }
        if events > ENTRY_EVENTS_MAX {
            return None;
        }
        Self::decode(payload.clone()).ok()
    }
}
