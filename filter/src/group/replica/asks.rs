//! Requests on their way to their answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::group::ask::{Ask, Joined, JoinedMember, Membership, Reply};
use crate::group::error::GroupError;
use crate::group::groups::AskId;
use crate::group::outcome::{Changes, Outcome};
use crate::group::state::{Phase, State};
use crate::ids::ConnectionId;
use crate::time::Instant;

/// How long a request waits for the log to be read before the client is told to ask again.
const LOADING: Duration = Duration::from_secs(5);

/// How long an event may take to be stored and applied.
const APPENDING: Duration = Duration::from_secs(10);

/// How long a request that deleted the group waits for its topic to be let go of. Who asked may be gone with the answer, and with it
/// the connection that does it.
const LETTING_GO: Duration = Duration::from_secs(5);

/// What a parked request waits beyond the largest rebalance timeout.
const PARKED_EXTRA: Duration = Duration::from_secs(10);

/// Ids given out on one connection that were not used yet.
const MAX_ISSUED: usize = 16;

/// ```text
/// Loading ──▶ Appending ──▶ Parked ──▶ answered
///      │         └────▶ Deleted ──────────┤
///      └────▶ Confirming ─────────────────┘
/// ```
#[derive(Clone, Debug)]
pub enum Stage {
    /// The log is being read.
    Loading(Ask),
    /// Its event waits to be applied.
    Appending(Appending),
    /// It deleted the group, whose topic is being let go of.
    Deleted,
    /// The round is open.
    ParkedJoin {
        /// Who.
        member: String,
    },
    /// The leader has not assigned.
    ParkedSync {
        /// Who.
        member: String,
        /// The member's.
        generation: i32,
    },
    /// An own entry of at least this number must be applied first.
    Confirming {
        /// See [`super::append::Sent::number`].
        number: u64,
        /// What then.
        then: Then,
    },
}

/// What the answer is made of when the event is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appending {
    /// JoinGroup of this member.
    Join(String),
    /// SyncGroup of this member in its generation.
    Sync(String, i32),
    /// DeleteGroups.
    Delete,
    /// Whatever the event's outcome is.
    Other,
}

/// What is answered once the state is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// [`Reply::Confirmed`].
    Read,
    /// What the state says of the member.
    Heartbeat(Membership),
}

#[derive(Debug)]
struct Waiting {
    connection: ConnectionId,
    stage: Stage,
    deadline: Instant,
}

/// Ids given out on connections that are open.
type Issued = BTreeMap<ConnectionId, VecDeque<String>>;

fn is_issued(issued: &Issued, connection: ConnectionId, member: &str) -> bool {
    issued.get(&connection).is_some_and(|issued| issued.iter().any(|id| id == member))
}

/// Whether a request makes a group where there is none.
fn creates(issued: &Issued, connection: ConnectionId, ask: &Ask) -> bool {
    match ask {
        Ask::Join(join) if join.member.is_empty() => !(join.must_know_id && join.instance.is_none()),
        Ask::Join(join) => join.instance.is_none() && is_issued(issued, connection, &join.member),
        Ask::Commit { by, .. } => by.generation < 0 && by.member.is_empty() && by.instance.is_none(),
        Ask::Sync(_)
        | Ask::Heartbeat(_)
        | Ask::Leave(_)
        | Ask::Delete
        | Ask::OffsetDelete(_)
        | Ask::Confirm
        | Ask::Peek => false,
    }
}

/// An answer and whose it is.
pub type Answered = (AskId, ConnectionId, Result<Reply, GroupError>);

/// The requests of one group.
#[derive(Debug, Default)]
pub struct Asks {
    waiting: BTreeMap<AskId, Waiting>,
    answered: Vec<Answered>,
    issued: Issued,
}

impl Asks {
    /// A request comes.
    pub fn open(&mut self, id: AskId, connection: ConnectionId, ask: Ask, now: Instant) {
        let waiting = Waiting { connection, stage: Stage::Loading(ask), deadline: now + LOADING };
        self.waiting.insert(id, waiting);
    }

    /// Takes what waits for the log to be read.
    pub fn take_loading(&mut self) -> Vec<(AskId, ConnectionId, Ask)> {
        self.take_loading_if(|_, _| true)
    }

    /// Takes what waits for a log that is not there, but for what makes it: that goes on waiting, no longer than before.
    pub fn take_without_group(&mut self) -> Vec<(AskId, ConnectionId, Ask)> {
        let issued = std::mem::take(&mut self.issued);
        let taken = self.take_loading_if(|connection, ask| !creates(&issued, connection, ask));
        self.issued = issued;
        taken
    }

    fn take_loading_if(&mut self, wanted: impl Fn(ConnectionId, &Ask) -> bool) -> Vec<(AskId, ConnectionId, Ask)> {
        let loading = self.waiting.extract_if(
            ..,
            |_, waiting| matches!(&waiting.stage, Stage::Loading(ask) if wanted(waiting.connection, ask)),
        );
        loading
            .filter_map(|(id, waiting)| match waiting.stage {
                Stage::Loading(ask) => Some((id, waiting.connection, ask)),
                Stage::Appending(_)
                | Stage::Deleted
                | Stage::ParkedJoin { .. }
                | Stage::ParkedSync { .. }
                | Stage::Confirming { .. } => None,
            })
            .collect()
    }

    /// Whether any request waits for the log to be read.
    pub fn any_loading(&self) -> bool {
        self.waiting.values().any(|waiting| matches!(waiting.stage, Stage::Loading(_)))
    }

    /// A request goes on to another stage.
    pub fn wait(&mut self, id: AskId, connection: ConnectionId, stage: Stage, now: Instant) {
        self.waiting.insert(id, Waiting { connection, stage, deadline: now + APPENDING });
    }

    /// The answer.
    pub fn answer(&mut self, id: AskId, connection: ConnectionId, answer: Result<Reply, GroupError>) {
        self.waiting.remove(&id);
        self.answered.push((id, connection, answer));
    }

    /// The answer to whoever asked it.
    pub fn refuse(&mut self, id: AskId, error: GroupError) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.answered.push((id, waiting.connection, Err(error)));
        }
    }

    /// Takes all answers.
    pub fn take_answered(&mut self) -> Vec<Answered> {
        std::mem::take(&mut self.answered)
    }

    /// An id that the client may join with on this connection.
    pub fn issue(&mut self, connection: ConnectionId, member: &str) {
        let issued = self.issued.entry(connection).or_default();
        if issued.len() >= MAX_ISSUED {
            issued.pop_front();
        }
        issued.push_back(member.to_owned());
    }

    /// Whether that id was given out on this connection.
    pub fn is_issued(&self, connection: ConnectionId, member: &str) -> bool {
        is_issued(&self.issued, connection, member)
    }

    /// Nobody waits for it any more.
    pub fn forget(&mut self, id: AskId) {
        self.waiting.remove(&id);
        self.answered.retain(|(answered, _, _)| *answered != id);
    }

    /// The connection is gone: its requests, as ids.
    pub fn forget_connection(&mut self, connection: ConnectionId) -> BTreeSet<AskId> {
        self.issued.remove(&connection);
        self.answered.retain(|(_, of, _)| *of != connection);
        self.waiting.extract_if(.., |_, waiting| waiting.connection == connection).map(|(id, _)| id).collect()
    }

    /// Everybody gets this answer.
    pub fn fail_all(&mut self, error: GroupError) {
        self.answer_deleted();
        for (id, waiting) in std::mem::take(&mut self.waiting) {
            self.answered.push((id, waiting.connection, Err(error)));
        }
    }

    /// The topic of a deleted group is let go of, or cannot be now.
    pub fn answer_deleted(&mut self) {
        let deleted = self.waiting.extract_if(.., |_, waiting| matches!(waiting.stage, Stage::Deleted));
        self.answered.extend(deleted.map(|(id, waiting)| (id, waiting.connection, Ok(Reply::Done))));
    }

    /// Who still waits for what the group is, and not only for its topic to be let go of.
    pub fn use_of_group(&self) -> Use {
        let mut waits = self.waiting.values().map(|waiting| matches!(waiting.stage, Stage::Deleted));
        match (waits.next(), waits.all(|deleted| deleted)) {
            (None, _) => Use::Nobody,
            (Some(true), true) => Use::Deleted,
            (Some(_), _) => Use::Somebody,
        }
    }

    /// Answers what is overdue. Gives the ids of those whose event must not be written any more.
    pub fn expire(&mut self, now: Instant) -> BTreeSet<AskId> {
        let overdue = self.waiting.extract_if(.., |_, waiting| waiting.deadline <= now);
        let overdue: Vec<(AskId, Waiting)> = overdue.collect();
        let mut ids = BTreeSet::new();
        for (id, waiting) in overdue {
            ids.insert(id);
            let answer = match waiting.stage {
                Stage::Loading(_) => Err(GroupError::Loading),
                Stage::Deleted => Ok(Reply::Done),
                Stage::Appending(_)
                | Stage::ParkedJoin { .. }
                | Stage::ParkedSync { .. }
                | Stage::Confirming { .. } => Err(GroupError::NotCoordinator),
            };
            self.answered.push((id, waiting.connection, answer));
        }
        ids
    }

    /// When [`Asks::expire`] has work next.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.deadline).min()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether somebody waits for an own entry of a higher number than `sent`.
    pub fn wants_entry(&self, sent: u64) -> bool {
        self.waiting
            .values()
            .any(|waiting| matches!(&waiting.stage, Stage::Confirming { number, .. } if *number > sent))
    }

    /// Members that wait here for a round or an assignment: alive as long as their connections are.
    pub fn parked_members(&self) -> BTreeSet<&str> {
        self.waiting
            .values()
            .filter_map(|waiting| match &waiting.stage {
                Stage::ParkedJoin { member } | Stage::ParkedSync { member, .. } => Some(member.as_str()),
                Stage::Loading(_) | Stage::Appending(_) | Stage::Deleted | Stage::Confirming { .. } => None,
            })
            .collect()
    }

    /// An own entry with this number was applied: who waited for it.
    pub fn take_confirmed(&mut self, number: u64) -> Vec<(AskId, ConnectionId, Then)> {
        let confirmed = self.waiting.extract_if(
            ..,
            |_, waiting| matches!(&waiting.stage, Stage::Confirming { number: awaited, .. } if *awaited <= number),
        );
        confirmed
            .filter_map(|(id, waiting)| match waiting.stage {
                Stage::Confirming { then, .. } => Some((id, waiting.connection, then)),
                Stage::Loading(_)
                | Stage::Appending(_)
                | Stage::Deleted
                | Stage::ParkedJoin { .. }
                | Stage::ParkedSync { .. } => None,
            })
            .collect()
    }

    /// What an event did, right after it: `own` waited for it, others are parked.
    pub fn on_event(&mut self, state: &State, own: Option<AskId>, outcome: Outcome, changes: &Changes, now: Instant) {
        if let Some(id) = own
            && let Some(waiting) = self.waiting.get(&id)
            && let Stage::Appending(what) = waiting.stage.clone()
        {
            self.on_own(id, waiting.connection, what, state, outcome, now);
        }
        if *changes != Changes::default() {
            self.on_changes(state, changes);
        }
    }

    fn on_own(
        &mut self,
        id: AskId,
        connection: ConnectionId,
        what: Appending,
        state: &State,
        outcome: Outcome,
        now: Instant,
    ) {
        let answer = match outcome {
            Outcome::Refused(error) => Err(error),
            Outcome::Left(results) => Ok(Reply::Left(results)),
            Outcome::OffsetsDeleted(results) => Ok(Reply::OffsetsDeleted(results)),
            Outcome::Parked | Outcome::Done | Outcome::Current { .. } | Outcome::Assignment => match (what, outcome) {
                (Appending::Join(member), Outcome::Parked) => {
                    return self.park(id, Stage::ParkedJoin { member }, state, now);
                }
                (Appending::Sync(member, generation), Outcome::Parked) => {
                    return self.park(id, Stage::ParkedSync { member, generation }, state, now);
                }
                (Appending::Join(member), Outcome::Current { leader, skip_assignment }) => {
                    // A leader whose first answer was lost still has to assign.
                    let assigns = skip_assignment || leader == member;
                    let members = if assigns { members_of(state) } else { Vec::new() };
                    Ok(Reply::Joined(Joined { leader, skip_assignment, members, ..joined(state, &member) }))
                }
                (Appending::Sync(member, _), Outcome::Assignment) => assigned(state, &member),
                (Appending::Delete, Outcome::Done) => {
                    let deadline = now + LETTING_GO;
                    self.waiting.insert(id, Waiting { connection, stage: Stage::Deleted, deadline });
                    return;
                }
                (Appending::Join(_) | Appending::Sync(..) | Appending::Delete | Appending::Other, _) => Ok(Reply::Done),
            },
        };
        self.answer(id, connection, answer);
    }

    fn park(&mut self, id: AskId, stage: Stage, state: &State, now: Instant) {
        if let Some(waiting) = self.waiting.get_mut(&id) {
            waiting.stage = stage;
            waiting.deadline = now + largest_rebalance(state) + PARKED_EXTRA;
        }
    }

    fn on_changes(&mut self, state: &State, changes: &Changes) {
        self.settle_parked(state, |member, parked| {
            if changes.replaced.iter().any(|id| id == member) {
                Parked::Answer(Err(GroupError::FencedInstance))
            } else if changes.removed.iter().any(|id| id == member) {
                Parked::Answer(Err(GroupError::UnknownMember))
            } else {
                match parked {
                    None if changes.completed => Parked::Joined,
                    Some(_) if changes.broken => Parked::Answer(Err(GroupError::RebalanceInProgress)),
                    Some(generation) if changes.assigned && generation == state.generation => Parked::Assigned,
                    Some(_) | None => Parked::Waits,
                }
            }
        });
    }

    /// The state was read anew: what was parked may have been settled meanwhile.
    pub fn on_reload(&mut self, state: &State) {
        self.settle_parked(state, |id, parked| {
            let Some(member) = state.member(id) else { return Parked::Answer(Err(GroupError::UnknownMember)) };
            match (parked, state.phase) {
                (None, Phase::Preparing { .. }) if member.joined => Parked::Waits,
                (None, Phase::Completing | Phase::Stable) => Parked::Joined,
                (Some(generation), Phase::Completing) if generation == state.generation && member.synced => {
                    Parked::Waits
                }
                (Some(generation), Phase::Stable) if generation == state.generation => Parked::Assigned,
                (Some(_), _) => Parked::Answer(Err(GroupError::RebalanceInProgress)),
                (None, Phase::Empty { .. } | Phase::Preparing { .. }) => Parked::Answer(Err(GroupError::UnknownMember)),
            }
        });
    }

    /// Decides of each parked request by its member and, for a Sync, its generation.
    fn settle_parked(&mut self, state: &State, decide: impl Fn(&str, Option<i32>) -> Parked) {
        let parked: Vec<(AskId, ConnectionId, String, Parked)> = self
            .waiting
            .iter()
            .filter_map(|(id, waiting)| {
                let (member, generation) = match &waiting.stage {
                    Stage::ParkedJoin { member } => (member, None),
                    Stage::ParkedSync { member, generation } => (member, Some(*generation)),
                    Stage::Loading(_) | Stage::Appending(_) | Stage::Deleted | Stage::Confirming { .. } => return None,
                };
                Some((*id, waiting.connection, member.clone(), decide(member, generation)))
            })
            .collect();
        for (id, connection, member, decision) in parked {
            let answer = match decision {
                Parked::Waits => continue,
                Parked::Answer(answer) => answer,
                Parked::Joined => {
                    let leads = state.leader.as_deref() == Some(member.as_str());
                    let members = if leads { members_of(state) } else { Vec::new() };
                    Ok(Reply::Joined(Joined { members, ..joined(state, &member) }))
                }
                Parked::Assigned => assigned(state, &member),
            };
            self.answer(id, connection, answer);
        }
    }

    /// What was written for these may never be found again: they ask anew.
    pub fn fail_appending(&mut self) {
        let appending = self
            .waiting
            .extract_if(.., |_, waiting| matches!(waiting.stage, Stage::Appending(_) | Stage::Confirming { .. }));
        let failed = appending.map(|(id, waiting)| (id, waiting.connection, Err(GroupError::NotCoordinator)));
        self.answered.extend(failed);
    }
}

/// Who waits for a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nobody.
    Nobody,
    /// Only those that have deleted it.
    Deleted,
    /// Others.
    Somebody,
}

/// What becomes of a parked request.
enum Parked {
    Waits,
    Answer(Result<Reply, GroupError>),
    Joined,
    Assigned,
}

fn assigned(state: &State, member: &str) -> Result<Reply, GroupError> {
    let member = state.member(member).ok_or(GroupError::UnknownMember)?;
    Ok(Reply::Assigned {
        protocol_type: state.protocol_type.clone(),
        protocol: state.protocol.clone(),
        assignment: member.assignment.clone(),
    })
}

fn joined(state: &State, member: &str) -> Joined {
    Joined {
        generation: state.generation,
        protocol_type: state.protocol_type.clone(),
        protocol: state.protocol.clone(),
        leader: state.leader.clone().unwrap_or_default(),
        skip_assignment: false,
        member: member.to_owned(),
        members: Vec::new(),
    }
}

fn members_of(state: &State) -> Vec<JoinedMember> {
    let protocol = state.protocol.as_deref().unwrap_or_default();
    let metadata = |protocols: &[crate::group::log::entry::Protocol]| {
        protocols.iter().find(|own| own.name == protocol).map(|own| own.metadata.clone()).unwrap_or_default()
    };
    let members = state.members.iter().map(|member| JoinedMember {
        id: member.id.clone(),
        instance: member.instance.clone(),
        metadata: metadata(&member.protocols),
    });
    members.collect()
}

/// The largest rebalance timeout of the members.
pub fn largest_rebalance(state: &State) -> Duration {
    let millis = state.members.iter().map(|member| member.rebalance_ms).max().unwrap_or(0);
    Duration::from_millis(millis.into())
}
