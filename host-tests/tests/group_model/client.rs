//! A consumer, as far as a group sees it.

use isthmus::group::error::GroupError;
use isthmus::group::outcome::{Changes, Outcome};
use isthmus::group::state::State;

/// Partitions of the one topic; as many as there are members at most.
pub(crate) type Owned = Vec<u8>;

/// Where a consumer stands in the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stand {
    /// It has no id.
    Out,
    /// It has an id and is to join again.
    Known,
    /// Its Join is not answered.
    Joining,
    /// It knows the generation; the leader also who is in it.
    Joined { generation: i32, members: Option<Vec<String>> },
    /// Its Sync is not answered.
    Syncing { generation: i32 },
    /// It consumes.
    Owner { generation: i32, owns: Owned, commit: CommitStand },
}

/// Whether an owner has committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CommitStand {
    NotYet,
    Asked,
    Answered,
}

/// One consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    pub(crate) number: u8,
    pub(crate) instance: Option<String>,
    /// Ids it has had.
    pub(crate) lives: u8,
    pub(crate) host: usize,
    pub(crate) stand: Stand,
}

impl Client {
    pub(crate) fn id(&self) -> String {
        format!("{}{}", char::from(b'a' + self.number), self.lives)
    }

    /// Its own event was applied.
    pub(crate) fn answer(&mut self, state: &State, outcome: &Outcome) {
        match (outcome, &mut self.stand) {
            (Outcome::Refused(error), stand) => *stand = refused(*error),
            (Outcome::Current { leader, skip_assignment }, Stand::Joining) => {
                let leads = !skip_assignment && *leader == self.id();
                self.joined(state, leads);
            }
            (Outcome::Assignment, Stand::Syncing { generation }) => {
                let generation = *generation;
                self.assigned(state, generation);
            }
            (Outcome::Done, Stand::Owner { commit, .. }) => *commit = CommitStand::Answered,
            (Outcome::Left(_), stand) => *stand = Stand::Out,
            (Outcome::Parked, _) => {}
            (outcome, stand) => panic!("{outcome:?} to {stand:?}"),
        }
    }

    /// An event was applied that may answer what it waits for.
    pub(crate) fn hear(&mut self, state: &State, changes: &Changes) {
        let id = self.id();
        let waits = matches!(self.stand, Stand::Joining | Stand::Syncing { .. });
        if waits && (changes.removed.contains(&id) || changes.replaced.contains(&id)) {
            self.stand = Stand::Out;
        }
        if let Stand::Syncing { .. } = self.stand
            && changes.broken
        {
            self.stand = Stand::Known;
        }
        if self.stand == Stand::Joining && changes.completed && state.member(&id).is_some() {
            self.joined(state, state.leader.as_ref() == Some(&id));
        }
        if let Stand::Syncing { generation } = self.stand
            && changes.assigned
            && state.generation == generation
        {
            self.assigned(state, generation);
        }
    }

    /// Heartbeat, judged by the host's replica; whether it tells anything.
    pub(crate) fn heartbeat(&self, state: &State) -> Option<Stand> {
        let (Stand::Joined { generation, .. } | Stand::Owner { generation, .. }) = self.stand else { return None };
        let preparing = matches!(state.phase, isthmus::group::state::Phase::Preparing { .. });
        match state.check_member(&self.id(), self.instance.as_deref()) {
            Err(error) => Some(refused(error)),
            Ok(_) if generation != state.generation || preparing => Some(Stand::Known),
            Ok(_) => None,
        }
    }

    fn joined(&mut self, state: &State, leads: bool) {
        let members = leads.then(|| state.members.iter().map(|member| member.id.clone()).collect());
        self.stand = Stand::Joined { generation: state.generation, members };
    }

    fn assigned(&mut self, state: &State, generation: i32) {
        let member = state.member(&self.id()).expect("who is answered is a member");
        self.stand = Stand::Owner { generation, owns: member.assignment.to_vec(), commit: CommitStand::NotYet };
    }
}

fn refused(error: GroupError) -> Stand {
    if [GroupError::IllegalGeneration, GroupError::RebalanceInProgress].contains(&error) {
        return Stand::Known;
    }
    assert!([GroupError::UnknownMember, GroupError::FencedInstance].contains(&error), "{error:?}");
    Stand::Out
}
