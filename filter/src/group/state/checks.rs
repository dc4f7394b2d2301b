//! What the state says to a request before anything is written.

use std::collections::BTreeSet;

use bytes::Buf;

use super::encoding::{pending_len, protocol_len};
use super::limits::{
    JOIN_BYTES_MAX, JOIN_PROTOCOLS_MAX, MEMBERS_MAX, OFFSETS_MAX, STATE_BYTES_MAX, STATE_BYTES_RESERVED,
};
use super::{Member, Offsets, Phase, State};
use crate::group::error::GroupError;
use crate::group::log::entry::Protocol;

/// The protocol type of Kafka's consumers, whose metadata is a `ConsumerProtocolSubscription`.
const CONSUMER: &str = "consumer";

impl State {
    /// Whether a new member with these protocols could join, as far as can be told before it has an id.
    ///
    /// # Errors
    ///
    /// `InconsistentProtocol`, `GroupMaxSize`.
    pub fn admits(&self, protocol_type: &str, protocols: &[Protocol], max_size: u32) -> Result<(), GroupError> {
        self.check_protocols(protocol_type, protocols)?;
        let bytes = protocols.iter().map(protocol_len).fold(0, usize::saturating_add);
        let fits = protocols.len() <= JOIN_PROTOCOLS_MAX && bytes <= JOIN_BYTES_MAX.min(self.room());
        if fits && self.has_seat(max_size) { Ok(()) } else { Err(GroupError::GroupMaxSize) }
    }

    /// The member that a request names. A static member is known by its instance, and whoever uses it under another id was
    /// replaced (KIP-345).
    ///
    /// # Errors
    ///
    /// `UnknownMember`, `FencedInstance`.
    pub fn check_member(&self, member: &str, instance: Option<&str>) -> Result<&Member, GroupError> {
        let Some(instance) = instance else {
            return self.members.by_id(member).ok_or(GroupError::UnknownMember);
        };
        let holder = self.members.by_instance(instance).ok_or(GroupError::UnknownMember)?;
        if holder.id == member { Ok(holder) } else { Err(GroupError::FencedInstance) }
    }

    /// Whether the group's members go with a member of this type and these protocols.
    pub(crate) fn check_protocols(&self, protocol_type: &str, protocols: &[Protocol]) -> Result<(), GroupError> {
        let goes = match self.phase {
            Phase::Empty { .. } => !protocol_type.is_empty() && !protocols.is_empty(),
            Phase::Preparing { .. } | Phase::Completing | Phase::Stable => {
                self.protocol_type.as_deref() == Some(protocol_type)
                    && protocols.iter().any(|protocol| self.members.all_support(&protocol.name))
            }
        };
        if goes { Ok(()) } else { Err(GroupError::InconsistentProtocol) }
    }

    /// Whether there is a place for another member.
    pub(crate) fn has_seat(&self, max_size: u32) -> bool {
        let max = usize::try_from(max_size).map_or(MEMBERS_MAX, |max| max.min(MEMBERS_MAX));
        self.members.len() < max
    }

    /// Bytes by which the state may still grow.
    pub(crate) fn room(&self) -> usize {
        STATE_BYTES_MAX.saturating_sub(STATE_BYTES_RESERVED).saturating_sub(self.size_bytes())
    }

    /// Offsets that may still be added.
    pub(crate) fn offsets_room(&self) -> usize {
        let pending = self.pending.values().map(|pending| pending.offsets.count());
        OFFSETS_MAX.saturating_sub(pending.fold(self.offsets.count(), usize::saturating_add))
    }

    /// What a producer's first pending offset adds to the state, beside the offset.
    pub(crate) fn pending_growth(transactional_id: &str) -> usize {
        pending_len(transactional_id, &Offsets::default())
    }

    /// Whether a member is subscribed to the topic, or may be for all that is known.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.subscriptions().is_none_or(|topics| topics.contains(topic))
    }

    /// The topics that the members of a consumer group are subscribed to; `None` where somebody's are not known.
    pub fn subscriptions(&self) -> Option<BTreeSet<&str>> {
        let mut topics = BTreeSet::new();
        if self.members.is_empty() {
            return Some(topics);
        }
        let protocol = self.protocol.as_deref()?;
        for member in &self.members {
            let metadata = &member.protocols.iter().find(|offered| offered.name == protocol)?.metadata;
            subscribed_topics(metadata, &mut topics)?;
        }
        Some(topics)
    }

    /// Whether the members are Kafka's consumers.
    pub(crate) fn is_consumer_group(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }
}

/// Version 0 of `ConsumerProtocolSubscription`, with which every later one begins: version (i16), then the topics.
fn subscribed_topics<'a>(mut metadata: &'a [u8], topics: &mut BTreeSet<&'a str>) -> Option<()> {
    let _version = metadata.try_get_i16().ok().filter(|version| *version >= 0)?;
    for _ in 0..metadata.try_get_i32().ok().filter(|count| *count >= 0)? {
        let len = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let (name, rest) = metadata.split_at_checked(len)?;
        topics.insert(std::str::from_utf8(name).ok()?);
        metadata = rest;
    }
    Some(())
}
