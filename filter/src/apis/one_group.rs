//! The exchange of an API that asks one group one thing.

use kafka_protocol::protocol::Encodable;

use super::exchange::{Answer, Context, Exchange, Started, answered, respond};
use crate::group::ask::{Ask, Reply};
use crate::group::error::GroupError;
use crate::group::groups::AskId;
use crate::group::id::GroupId;
use crate::kafka::failed::Failed;
use crate::kafka::header::RequestHeader;
use crate::time::Instant;

/// Asks `group` and makes the response of what it says, also of a name that no group can have. A group that says nothing by
/// `deadline` is one whose coordinator is to be looked for anew.
pub fn ask<T: Encodable + Failed>(
    header: RequestHeader,
    group: &str,
    ask: Ask,
    deadline: Instant,
    context: &mut Context<'_>,
    response: impl FnOnce(Result<Reply, GroupError>) -> T + 'static,
) -> Started {
    let Some(group) = GroupId::new(group) else {
        return answered(respond(&header, &response(Err(GroupError::InvalidGroupId))), context);
    };
    let io = &mut context.io;
    let id = io.shared.groups.ask(&group, ask, io.client.connection, io.now);
    let answer = move |result| respond(&header, &response(result));
    Started { exchange: Box::new(OneGroup { id, answer: Some(answer) }), deadline }
}

struct OneGroup<F> {
    id: AskId,
    /// Taken with the answer.
    answer: Option<F>,
}

impl<F: FnOnce(Result<Reply, GroupError>) -> Answer> Exchange for OneGroup<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let result = context.io.shared.groups.take(self.id)?;
        self.answer.take().map(|answer| answer(result))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        context.io.shared.groups.forget(self.id);
        match self.answer.take() {
            Some(answer) => answer(Err(GroupError::NotCoordinator)),
            None => Answer::Silent,
        }
    }
}
