//! The members in the order they joined, found by id and by instance without a search.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use super::Member;
use crate::group::log::entry::EventPosition;

/// A slice of [`Member`]s, in the order they joined. Equal if the slices are.
#[derive(Clone, Default)]
pub struct Members {
    list: Vec<Member>,
    /// Beside each member a number that never changes, in rising order.
    ranks: Vec<u64>,
    by_id: BTreeMap<String, u64>,
    by_instance: BTreeMap<String, u64>,
    /// How many members have a protocol.
    support: BTreeMap<String, usize>,
    next_rank: u64,
    encoded_len: usize,
}

/// What changes about a member without anybody asking for it.
pub(crate) struct Standing<'a> {
    pub(crate) joined: &'a mut bool,
    pub(crate) synced: &'a mut bool,
    pub(crate) seen: &'a mut EventPosition,
}

impl Members {
    /// By id.
    pub fn by_id(&self, id: &str) -> Option<&Member> {
        self.list.get(self.place(*self.by_id.get(id)?)?)
    }

    /// By `group.instance.id`.
    pub fn by_instance(&self, instance: &str) -> Option<&Member> {
        self.list.get(self.place(*self.by_instance.get(instance)?)?)
    }

    /// Whether every member has the protocol.
    pub fn all_support(&self, protocol: &str) -> bool {
        self.support.get(protocol).is_some_and(|count| *count == self.list.len())
    }

    /// Length of the members' canonical bytes.
    pub(super) fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    fn place(&self, rank: u64) -> Option<usize> {
        self.ranks.binary_search(&rank).ok()
    }

    fn find_mut(&mut self, id: &str) -> Option<&mut Member> {
        let place = self.place(*self.by_id.get(id)?)?;
        self.list.get_mut(place)
    }

    pub(crate) fn standing(&mut self, id: &str) -> Option<Standing<'_>> {
        self.find_mut(id).map(Standing::of)
    }

    pub(crate) fn standings(&mut self) -> impl Iterator<Item = Standing<'_>> {
        self.list.iter_mut().map(Standing::of)
    }

    /// Adds a member at the end. One whose id or instance is taken is not added.
    pub(crate) fn push(&mut self, member: Member) -> bool {
        let taken = self.by_id.contains_key(&member.id)
            || member.instance.as_ref().is_some_and(|instance| self.by_instance.contains_key(instance));
        if taken {
            return false;
        }
        let rank = self.next_rank;
        self.next_rank = rank.saturating_add(1);
        self.enter(&member, rank);
        self.ranks.push(rank);
        self.list.push(member);
        true
    }

    /// Puts `member` in the place of the one called `id`.
    pub(crate) fn replace(&mut self, id: &str, member: Member) {
        let Some(rank) = self.by_id.get(id).copied() else { return };
        let Some(slot) = self.place(rank).and_then(|place| self.list.get_mut(place)) else { return };
        let old = std::mem::replace(slot, member.clone());
        self.strike(&old);
        self.enter(&member, rank);
    }

    /// Removes the members that `goes` names; their ids, in the order they joined.
    pub(crate) fn remove_if(&mut self, goes: impl Fn(&Member) -> bool) -> Vec<String> {
        let all = std::mem::take(&mut self.list).into_iter().zip(std::mem::take(&mut self.ranks));
        let mut removed = Vec::new();
        for (member, rank) in all {
            if goes(&member) {
                self.strike(&member);
                removed.push(member.id);
            } else {
                self.list.push(member);
                self.ranks.push(rank);
            }
        }
        removed
    }

    /// Gives every member what `assignment` says.
    pub(crate) fn assign(&mut self, mut assignment: impl FnMut(&Member) -> Bytes) {
        for member in &mut self.list {
            let new = assignment(member);
            self.encoded_len = self.encoded_len.saturating_sub(member.assignment.len()).saturating_add(new.len());
            member.assignment = new;
        }
    }

    fn enter(&mut self, member: &Member, rank: u64) {
        self.encoded_len = self.encoded_len.saturating_add(member.encoded_len());
        self.by_id.insert(member.id.clone(), rank);
        if let Some(instance) = &member.instance {
            self.by_instance.insert(instance.clone(), rank);
        }
        for name in member.protocol_names() {
            let count = self.support.entry(name.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn strike(&mut self, member: &Member) {
        self.encoded_len = self.encoded_len.saturating_sub(member.encoded_len());
        self.by_id.remove(&member.id);
        if let Some(instance) = &member.instance {
            self.by_instance.remove(instance);
        }
        for name in member.protocol_names() {
            if let Some(count) = self.support.get_mut(name) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.support.remove(name);
                }
            }
        }
    }
}

impl<'a> Standing<'a> {
    fn of(member: &'a mut Member) -> Self {
        Self { joined: &mut member.joined, synced: &mut member.synced, seen: &mut member.seen }
    }
}

impl Deref for Members {
    type Target = [Member];

    fn deref(&self) -> &[Member] {
        &self.list
    }
}

impl<'a> IntoIterator for &'a Members {
    type Item = &'a Member;
    type IntoIter = std::slice::Iter<'a, Member>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// Members whose id or instance is taken are left out.
impl FromIterator<Member> for Members {
    fn from_iter<T: IntoIterator<Item = Member>>(list: T) -> Self {
        let mut members = Self::default();
        for member in list {
            members.push(member);
        }
        members
    }
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Eq for Members {}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.fmt(f)
    }
}
