//! What must always hold, and what must be reached at all.

use super::{TOPIC, World};
use crate::client::{Client, Stand};

impl World {
    pub(crate) fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    pub(crate) fn owners_differ(&self) -> bool {
        let owners = self.clients.iter().filter_map(|client| match &client.stand {
            Stand::Owner { generation, owns, .. } => Some((generation, owns)),
            Stand::Out | Stand::Known | Stand::Joining | Stand::Joined { .. } | Stand::Syncing { .. } => None,
        });
        let mut all: Vec<_> =
            owners.flat_map(|(generation, owns)| owns.iter().map(move |p| (*generation, *p))).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        all.len() == count
    }

    pub(crate) fn commits_stand(&self) -> bool {
        self.acknowledged.iter().all(|(partition, acknowledged)| {
            let stored = self.head.state.offsets.of(TOPIC, (*partition).into());
            stored.is_some_and(|stored| stored.at.entry >= *acknowledged)
        })
    }

    pub(crate) fn replicas_agree(&self) -> bool {
        self.hosts
            .iter()
            .filter(|host| host.up && host.applied == self.tail.len())
            .all(|host| host.replica == self.head)
    }

    pub(crate) fn has_two_owners(&self) -> bool {
        self.clients.iter().filter(|client| matches!(client.stand, Stand::Owner { .. })).count() == 2
    }

    pub(crate) fn crashed_and_owned_again(&self) -> bool {
        let again = |client: &Client| matches!(client.stand, Stand::Owner { generation, .. } if generation > 1);
        !self.hosts[0].up && self.clients.iter().any(again)
    }

    pub(crate) fn has_refused_commit(&self) -> bool {
        self.refused_commit
    }

    pub(crate) fn has_replaced(&self) -> bool {
        self.replaced
    }

    pub(crate) fn has_next_generation(&self) -> bool {
        self.head.state.generation > 1
    }
}
