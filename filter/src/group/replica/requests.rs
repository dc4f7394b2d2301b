//! What becomes of each kind of request once the group's state is there.

use std::time::Duration;

use super::append::Item;
use super::asks::{Appending, Stage, Then};
use super::{Body, Replica};
use crate::group::ask::{Ask, JoinAsk, Membership, Reply, SyncAsk};
use crate::group::error::GroupError;
use crate::group::groups::AskId;
use crate::group::log::entry::{Commit, Delete, Join, Kind, Leave, OffsetDelete, Sync};
use crate::group::state::{Phase, State};
use crate::ids::ConnectionId;
use crate::time::Now;

impl Replica {
    /// Begins a request on a loaded state.
    pub(super) fn start(&mut self, id: AskId, connection: ConnectionId, ask: Ask, now: Now) {
        let (kind, what) = match ask {
            Ask::Join(join) => return self.start_join(id, connection, join, now),
            Ask::Heartbeat(by) => return self.heartbeat(id, connection, by, now),
            Ask::Confirm => return self.confirm(id, connection, now),
            Ask::Peek => return self.asks.answer(id, connection, Ok(Reply::Confirmed)),
            Ask::Sync(sync) => {
                self.hear(&sync.by);
                let what = Appending::Sync(sync.by.member.clone(), sync.by.generation);
                (Kind::Sync(sync_event(sync)), what)
            }
            Ask::Commit { by, topics } => {
                self.hear(&by);
                let Membership { member, instance, generation } = by;
                (Kind::Commit(Commit { member, instance, generation, topics }), Appending::Other)
            }
            Ask::Leave(members) => (Kind::Leave(Leave { members }), Appending::Other),
            Ask::Delete => (Kind::Delete(Delete {}), Appending::Delete),
            Ask::OffsetDelete(topics) => (Kind::OffsetDelete(OffsetDelete { topics }), Appending::Other),
        };
        self.append(id, connection, kind, what, now);
    }

    fn append(&mut self, id: AskId, connection: ConnectionId, kind: Kind, what: Appending, now: Now) {
        if self.appender.push(Item::asked(kind, id)) {
            self.asks.wait(id, connection, Stage::Appending(what), now.instant);
        } else {
            self.asks.answer(id, connection, Err(GroupError::NotAvailable));
        }
    }

    fn start_join(&mut self, id: AskId, connection: ConnectionId, join: JoinAsk, now: Now) {
        let fresh = join.member.is_empty();
        if fresh && join.must_know_id && join.instance.is_none() {
            let Body::Loaded(state) = &self.body else { return };
            let admitted = state.admits(&join.protocol_type, &join.protocols, self.settings.max_size);
            let answer = admitted.map(|()| self.issue(connection, &join.client_id));
            return self.asks.answer(id, connection, answer);
        }
        let issued = self.asks.is_issued(connection, &join.member);
        let member = match (&join.instance, fresh) {
            (_, false) => join.member,
            (Some(instance), true) => self.new_member(instance),
            (None, true) => self.new_member(&join.client_id),
        };
        self.liveness.hear(&member, self.clock.now());
        let event = Join {
            member: member.clone(),
            instance: join.instance,
            fresh,
            issued,
            client_id: join.client_id,
            client_host: join.client_host,
            session_ms: join.session_ms,
            rebalance_ms: join.rebalance_ms,
            protocol_type: join.protocol_type,
            protocols: join.protocols,
            max_size: self.settings.max_size,
        };
        self.append(id, connection, Kind::Join(event), Appending::Join(member), now);
    }

    fn issue(&mut self, connection: ConnectionId, client_id: &str) -> Reply {
        let member = self.new_member(client_id);
        self.asks.issue(connection, &member);
        Reply::Issued(member)
    }

    /// As Kafka's coordinator names members: what is known of the client and a random UUID.
    fn new_member(&mut self, prefix: &str) -> String {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        format!(
            "{prefix}-{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    fn hear(&mut self, by: &Membership) {
        let Body::Loaded(state) = &self.body else { return };
        if state.check_member(&by.member, by.instance.as_deref()).is_ok() {
            self.liveness.hear(&by.member, self.clock.now());
        }
    }

    /// Answered from the state if an own entry shows that this replica is not behind; else once one does.
    fn heartbeat(&mut self, id: AskId, connection: ConnectionId, by: Membership, now: Now) {
        self.hear(&by);
        let Body::Loaded(state) = &self.body else { return };
        let answer = judge(state, &by);
        let known = match &answer {
            Ok(session) => self.liveness.is_leased(&by.member, *session, now.instant),
            Err(_) => self.liveness.is_confirmed(now.instant),
        };
        if known {
            return self.asks.answer(id, connection, answer.map(|_| Reply::Done));
        }
        if answer.is_ok() {
            let beat = crate::group::log::entry::Beat { members: vec![by.member.clone()] };
            self.appender.push(Item::own(Kind::Beat(beat)));
        }
        let number = self.appender.next_number();
        let stage = Stage::Confirming { number, then: Then::Heartbeat(by) };
        self.asks.wait(id, connection, stage, now.instant);
    }

    fn confirm(&mut self, id: AskId, connection: ConnectionId, now: Now) {
        let number = self.appender.next_number();
        self.asks.wait(id, connection, Stage::Confirming { number, then: Then::Read }, now.instant);
    }

    /// An own entry with this number was applied.
    pub(super) fn answer_confirmed(&mut self, number: u64, now: Now) {
        for (id, connection, then) in self.asks.take_confirmed(number) {
            match then {
                Then::Read => self.asks.answer(id, connection, Ok(Reply::Confirmed)),
                Then::Heartbeat(by) => {
                    let Body::Loaded(state) = &self.body else { return };
                    match judge(state, &by) {
                        // It joined behind the entry that was waited for.
                        Ok(session) if !self.liveness.is_leased(&by.member, session, now.instant) => {
                            self.heartbeat(id, connection, by, now);
                        }
                        answer => self.asks.answer(id, connection, answer.map(|_| Reply::Done)),
                    }
                }
            }
        }
    }

    /// The group's topic does not exist.
    pub(super) fn refuse_without_group(&mut self, id: AskId, connection: ConnectionId, ask: Ask) {
        let answer = match ask {
            Ask::Join(join) if join.member.is_empty() => {
                let admitted = State::default().admits(&join.protocol_type, &join.protocols, self.settings.max_size);
                admitted.map(|()| self.issue(connection, &join.client_id))
            }
            Ask::Join(_) | Ask::Sync(_) | Ask::Heartbeat(_) => Err(GroupError::UnknownMember),
            Ask::Leave(members) => Ok(Reply::Left(members.iter().map(|_| Err(GroupError::UnknownMember)).collect())),
            Ask::Commit { .. } => Err(GroupError::NoGroup),
            Ask::Delete | Ask::OffsetDelete(_) => Err(GroupError::GroupIdNotFound),
            Ask::Confirm | Ask::Peek => Ok(Reply::NoGroup),
        };
        self.asks.answer(id, connection, answer);
    }

    /// An event that cannot be written.
    pub(super) fn refuse(&mut self, item: &Item, error: GroupError) {
        if let Some(id) = item.ask {
            self.asks.refuse(id, error);
        }
    }
}

/// What Heartbeat is told, or the session of a member that is well.
fn judge(state: &State, by: &Membership) -> Result<Duration, GroupError> {
    if !state.exists {
        return Err(GroupError::UnknownMember);
    }
    let member = state.check_member(&by.member, by.instance.as_deref())?;
    if by.generation != state.generation {
        return Err(GroupError::IllegalGeneration);
    }
    match state.phase {
        Phase::Preparing { .. } => Err(GroupError::RebalanceInProgress),
        Phase::Empty { .. } => Err(GroupError::UnknownMember),
        Phase::Completing | Phase::Stable => Ok(Duration::from_millis(member.session_ms.into())),
    }
}

fn sync_event(sync: SyncAsk) -> Sync {
    let SyncAsk { by, protocol_type, protocol, assignments } = sync;
    let Membership { member, instance, generation } = by;
    Sync { member, instance, generation, protocol_type, protocol, assignments }
}
