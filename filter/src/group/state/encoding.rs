//! The state's canonical bytes, as snapshots hold them: equal states have equal bytes, and no other bytes are read.
//!
//! Numbers are big-endian and of fixed width, so that the length follows from counts and from the lengths of names. A string is
//! its length (u32) and its bytes; an option is 0, or 1 and the value; a list is its length (u32) and its items, a map likewise
//! in rising order of its keys. Fields stand in the order of [`State::encode`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use bytes::{Buf, BufMut, Bytes};

use super::limits::{MEMBERS_MAX, PENDING_PRODUCERS_MAX, SNAPSHOT_PARTS_MAX, STATE_BYTES_MAX, WRITERS_MAX};
use super::{Committed, Log, Member, Members, Offsets, Pending, Phase, State, Writer};
use crate::group::log::entry::{EventPosition, FORMAT, Protocol};
use crate::ids::Position;

/// Why bytes are not a state's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// They are of a format that this filter does not know.
    UnknownFormat(u32),
    /// No state has these bytes.
    Malformed,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat(format) => write!(f, "group state of format {format}, this filter knows {FORMAT}"),
            Self::Malformed => f.write_str("malformed group state"),
        }
    }
}

impl std::error::Error for StateError {}

impl State {
    /// The canonical bytes; [`State::size_bytes`] of them.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size_bytes());
        out.put_u32(self.format);
        put_log(&mut out, &self.log);
        out.put_u8(self.exists.into());
        put_phase(&mut out, self.phase);
        put_event_position(&mut out, self.phase_began);
        put_event_position(&mut out, self.round_began);
        out.put_i32(self.generation);
        put_option(&mut out, self.protocol_type.as_deref(), put_str);
        put_option(&mut out, self.protocol.as_deref(), put_str);
        put_option(&mut out, self.leader.as_deref(), put_str);
        put_len(&mut out, self.members.len());
        self.members.iter().for_each(|member| put_member(&mut out, member));
        put_offsets(&mut out, &self.offsets);
        put_len(&mut out, self.pending.len());
        for (producer_id, pending) in &self.pending {
            out.put_i64(*producer_id);
            out.put_i32(pending.producer_epoch);
            put_str(&mut out, &pending.transactional_id);
            put_offsets(&mut out, &pending.offsets);
        }
        out
    }

    /// The state of `bytes`.
    ///
    /// # Errors
    ///
    /// If they are not what [`State::encode`] gives for some state, or of another format.
    pub fn decode(bytes: &[u8]) -> Result<Self, StateError> {
        let mut input = Input(bytes);
        let format = input.u32().ok_or(StateError::Malformed)?;
        if !(1..=FORMAT).contains(&format) {
            return Err(StateError::UnknownFormat(format));
        }
        let state = (bytes.len() <= STATE_BYTES_MAX).then(|| input.state(format)).flatten();
        state.filter(|_| input.0.is_empty()).ok_or(StateError::Malformed)
    }

    /// Length of the canonical bytes, without making them.
    pub fn size_bytes(&self) -> usize {
        let log = &self.log;
        let options = [log.applied, log.origin, log.cut, log.base, log.previous_base].into_iter().flatten().count();
        let pending = self.pending.values().map(|pending| pending_len(&pending.transactional_id, &pending.offsets));
        let names = [&self.protocol_type, &self.protocol, &self.leader];
        [
            BARE_LEN,
            options.saturating_mul(POSITION_LEN),
            log.writers.len().saturating_mul(WRITER_LEN),
            log.cut_parts.len().saturating_mul(size_of::<u32>()),
            if matches!(self.phase, Phase::Empty { .. }) { size_of::<i64>() } else { 0 },
            names.into_iter().flatten().map(|name| str_len(name)).fold(0, usize::saturating_add),
            self.members.encoded_len(),
            self.offsets.encoded_len(),
            pending.fold(0, usize::saturating_add),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }

    /// A number that different states hardly share; the same wherever the same filter runs.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.encode());
        hasher.finish()
    }
}

const LEN: usize = size_of::<u32>();
const POSITION_LEN: usize = 16;
const EVENT_POSITION_LEN: usize = 20;
const WRITER_LEN: usize = 24;

/// A state with nothing in it: format; five options, two lists, four counters of the log; exists, phase's tag, two positions,
/// generation; three names; three lists.
const BARE_LEN: usize = 4 + (5 + 2 * LEN + 4 * 8) + (1 + 1 + 2 * EVENT_POSITION_LEN + 4) + 3 + 3 * LEN;

const fn str_len(text: &str) -> usize {
    LEN.saturating_add(text.len())
}

/// A topic's name and the number of its partitions.
pub(crate) const fn topic_len(topic: &str) -> usize {
    str_len(topic).saturating_add(LEN)
}

/// A partition and its offset.
pub(crate) const fn committed_len(metadata: &str) -> usize {
    const FIXED: usize = 4 + 8 + 4 + 8 + EVENT_POSITION_LEN;
    str_len(metadata).saturating_add(FIXED)
}

/// A producer and its pending offsets.
pub(super) fn pending_len(transactional_id: &str, offsets: &Offsets) -> usize {
    const FIXED: usize = 8 + 4 + LEN;
    str_len(transactional_id).saturating_add(FIXED).saturating_add(offsets.encoded_len())
}

impl Member {
    pub(crate) fn encoded_len(&self) -> usize {
        const FIXED: usize = 1 + 4 + 4 + LEN + LEN + 1 + EVENT_POSITION_LEN;
        let instance = self.instance.as_deref().map_or(0, str_len);
        let protocols = self.protocols.iter().map(protocol_len).fold(0, usize::saturating_add);
        [str_len(&self.id), instance, str_len(&self.client_id), str_len(&self.client_host), protocols]
            .into_iter()
            .fold(FIXED.saturating_add(self.assignment.len()), usize::saturating_add)
    }
}

/// A protocol's name and metadata.
pub(super) fn protocol_len(protocol: &Protocol) -> usize {
    str_len(&protocol.name).saturating_add(LEN).saturating_add(protocol.metadata.len())
}

fn put_log(out: &mut Vec<u8>, log: &Log) {
    put_option(out, log.applied, put_position);
    put_option(out, log.origin, put_position);
    put_len(out, log.writers.len());
    for Writer { writer, epoch, seq } in &log.writers {
        out.put_u64(*writer);
        out.put_u64(*epoch);
        out.put_u64(*seq);
    }
    out.put_u64(log.since);
    out.put_u64(log.bytes_since);
    out.put_u64(log.snapshot_len);
    out.put_u64(log.cut_len);
    put_option(out, log.cut, put_position);
    put_len(out, log.cut_parts.len());
    log.cut_parts.iter().for_each(|part| out.put_u32(*part));
    put_option(out, log.base, put_position);
    put_option(out, log.previous_base, put_position);
}

fn put_phase(out: &mut Vec<u8>, phase: Phase) {
    match phase {
        Phase::Empty { since_ms } => {
            out.put_u8(0);
            out.put_i64(since_ms);
        }
        Phase::Preparing { initial: false } => out.put_u8(1),
        Phase::Preparing { initial: true } => out.put_u8(2),
        Phase::Completing => out.put_u8(3),
        Phase::Stable => out.put_u8(4),
    }
}

fn put_member(out: &mut Vec<u8>, member: &Member) {
    put_str(out, &member.id);
    put_option(out, member.instance.as_deref(), put_str);
    put_str(out, &member.client_id);
    put_str(out, &member.client_host);
    out.put_u32(member.session_ms);
    out.put_u32(member.rebalance_ms);
    put_len(out, member.protocols.len());
    for Protocol { name, metadata } in &member.protocols {
        put_str(out, name);
        put_bytes(out, metadata);
    }
    put_bytes(out, &member.assignment);
    out.put_u8(u8::from(member.joined) | u8::from(member.synced) << 1);
    put_event_position(out, member.seen);
}

fn put_offsets(out: &mut Vec<u8>, offsets: &Offsets) {
    put_len(out, offsets.len());
    for (topic, partitions) in offsets.iter() {
        put_str(out, topic);
        put_len(out, partitions.len());
        for (partition, committed) in partitions {
            out.put_i32(*partition);
            out.put_i64(committed.offset);
            out.put_i32(committed.leader_epoch);
            put_str(out, &committed.metadata);
            out.put_i64(committed.time_ms);
            put_event_position(out, committed.at);
        }
    }
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.put_u8(value.is_some().into());
    if let Some(value) = value {
        put(out, value);
    }
}

/// Lengths are far below 4 GiB: see [`super::limits`].
fn put_len(out: &mut Vec<u8>, len: usize) {
    out.put_u32(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.put_slice(bytes);
}

fn put_str(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn put_position(out: &mut Vec<u8>, position: Position) {
    out.put_u64(position.ledger);
    out.put_u64(position.entry);
}

fn put_event_position(out: &mut Vec<u8>, at: EventPosition) {
    out.put_u64(at.ledger);
    out.put_u64(at.entry);
    out.put_u32(at.index);
}

/// What is left to read. Nothing is reserved for an announced length: items are read until the bytes end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    fn i32(&mut self) -> Option<i32> {
        self.0.try_get_i32().ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    fn i64(&mut self) -> Option<i64> {
        self.0.try_get_i64().ok()
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn len(&mut self) -> Option<usize> {
        self.u32()?.try_into().ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn string(&mut self) -> Option<String> {
        std::str::from_utf8(self.bytes()?).ok().map(str::to_owned)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.bool()? { read(self).map(Some) } else { Some(None) }
    }

    fn position(&mut self) -> Option<Position> {
        Some(Position { ledger: self.u64()?, entry: self.u64()? })
    }

    fn event_position(&mut self) -> Option<EventPosition> {
        Some(EventPosition { ledger: self.u64()?, entry: self.u64()?, index: self.u32()? })
    }

    fn state(&mut self, format: u32) -> Option<State> {
        Some(State {
            format,
            log: self.log()?,
            exists: self.bool()?,
            phase: self.phase()?,
            phase_began: self.event_position()?,
            round_began: self.event_position()?,
            generation: self.i32()?,
            protocol_type: self.option(Self::string)?,
            protocol: self.option(Self::string)?,
            leader: self.option(Self::string)?,
            members: self.members()?,
            offsets: self.offsets()?,
            pending: self.pending()?,
        })
    }

    fn log(&mut self) -> Option<Log> {
        let (applied, origin) = (self.option(Self::position)?, self.option(Self::position)?);
        let mut writers = Vec::new();
        for _ in 0..self.len().filter(|len| *len <= WRITERS_MAX)? {
            writers.push(Writer { writer: self.u64()?, epoch: self.u64()?, seq: self.u64()? });
        }
        let (since, bytes_since, snapshot_len, cut_len) = (self.u64()?, self.u64()?, self.u64()?, self.u64()?);
        let cut = self.option(Self::position)?;
        let mut cut_parts = BTreeSet::new();
        for _ in 0..self.u32().filter(|len| *len <= SNAPSHOT_PARTS_MAX)? {
            let part = self.u32()?;
            rising(cut_parts.last(), &part)?;
            cut_parts.insert(part);
        }
        let (base, previous_base) = (self.option(Self::position)?, self.option(Self::position)?);
        Some(Log {
            applied,
            origin,
            writers,
            since,
            bytes_since,
            snapshot_len,
            cut_len,
            cut,
            cut_parts,
            base,
            previous_base,
        })
    }

    fn phase(&mut self) -> Option<Phase> {
        match self.u8()? {
            0 => Some(Phase::Empty { since_ms: self.i64()? }),
            1 => Some(Phase::Preparing { initial: false }),
            2 => Some(Phase::Preparing { initial: true }),
            3 => Some(Phase::Completing),
            4 => Some(Phase::Stable),
            _ => None,
        }
    }

    fn members(&mut self) -> Option<Members> {
        let mut members = Members::default();
        for _ in 0..self.len().filter(|len| *len <= MEMBERS_MAX)? {
            let member = self.member()?;
            members.push(member).then_some(())?;
        }
        Some(members)
    }

    fn member(&mut self) -> Option<Member> {
        let (id, instance) = (self.string()?, self.option(Self::string)?);
        let (client_id, client_host) = (self.string()?, self.string()?);
        let (session_ms, rebalance_ms) = (self.u32()?, self.u32()?);
        let mut protocols = Vec::new();
        for _ in 0..self.len()? {
            protocols.push(Protocol { name: self.string()?, metadata: Bytes::copy_from_slice(self.bytes()?) });
        }
        let assignment = Bytes::copy_from_slice(self.bytes()?);
        let flags = self.u8().filter(|flags| *flags <= 3)?;
        let (joined, synced) = (flags & 1 != 0, flags & 2 != 0);
        let seen = self.event_position()?;
        Some(Member {
            id,
            instance,
            client_id,
            client_host,
            session_ms,
            rebalance_ms,
            protocols,
            assignment,
            joined,
            synced,
            seen,
        })
    }

    fn offsets(&mut self) -> Option<Offsets> {
        let mut offsets = Offsets::default();
        for _ in 0..self.len()? {
            let topic = self.string()?;
            rising(offsets.last_key_value().map(|(last, _)| last), &topic)?;
            let mut last = None;
            for _ in 0..self.len().filter(|len| *len > 0)? {
                let partition = self.i32()?;
                rising(last.as_ref(), &partition)?;
                last = Some(partition);
                offsets.insert(&topic, partition, self.committed()?);
            }
        }
        Some(offsets)
    }

    fn committed(&mut self) -> Option<Committed> {
        Some(Committed {
            offset: self.i64()?,
            leader_epoch: self.i32()?,
            metadata: self.string()?,
            time_ms: self.i64()?,
            at: self.event_position()?,
        })
    }

    fn pending(&mut self) -> Option<BTreeMap<i64, Pending>> {
        let mut all = BTreeMap::new();
        for _ in 0..self.len().filter(|len| *len <= PENDING_PRODUCERS_MAX)? {
            let producer_id = self.i64()?;
            rising(all.last_key_value().map(|(last, _)| last), &producer_id)?;
            let (producer_epoch, transactional_id) = (self.i32()?, self.string()?);
            all.insert(producer_id, Pending { producer_epoch, transactional_id, offsets: self.offsets()? });
        }
        Some(all)
    }
}

fn rising<T: Ord>(last: Option<&T>, next: &T) -> Option<()> {
    last.is_none_or(|last| last < next).then_some(())
}
