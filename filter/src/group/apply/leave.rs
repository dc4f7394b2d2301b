//! Leave: members go because they say so, or because an administrator does.

use std::collections::BTreeSet;

use super::Step;
use crate::group::error::GroupError;
use crate::group::log::entry::{Leave, Leaver};
use crate::group::outcome::Outcome;

impl Step<'_> {
    pub(super) fn leave(&mut self, leave: &Leave) -> Outcome {
        let mut left = BTreeSet::new();
        let results = leave.members.iter().map(|leaver| {
            let id = self.leaving(leaver)?;
            if left.insert(id) { Ok(()) } else { Err(GroupError::UnknownMember) }
        });
        let results = results.collect();
        let left: BTreeSet<String> = left.into_iter().map(str::to_owned).collect();
        self.remove(|member| left.contains(&member.id));
        Outcome::Left(results)
    }

    /// A static member may be named by its instance alone.
    fn leaving(&self, leaver: &Leaver) -> Result<&str, GroupError> {
        let member = match leaver.instance.as_deref() {
            Some(instance) if leaver.member.is_empty() => self.state.members.by_instance(instance),
            instance => Some(self.state.check_member(&leaver.member, instance)?),
        };
        member.map(|member| member.id.as_str()).ok_or(GroupError::UnknownMember)
    }
}
