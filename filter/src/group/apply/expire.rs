//! What clocks propose. A proposal names what it was judged by, and does nothing if anything newer has come between.

use super::Step;
use crate::group::log::entry::{Beat, Expire, Timeout};
use crate::group::outcome::Outcome;
use crate::group::state::Phase;

impl Step<'_> {
    /// Members were heard from.
    pub(super) fn beat(&mut self, beat: &Beat) -> Outcome {
        for id in &beat.members {
            if let Some(member) = self.state.members.standing(id) {
                *member.seen = self.at;
            }
        }
        Outcome::Done
    }

    /// A member's session is over.
    pub(super) fn expire(&mut self, expire: &Expire) -> Outcome {
        self.remove(|member| member.id == expire.member && member.seen == expire.seen);
        Outcome::Done
    }

    /// The round has waited long enough: for those that did not join, or for those that did not fetch their assignment.
    pub(super) fn timeout(&mut self, timeout: &Timeout) -> Outcome {
        let still = timeout.phase == self.state.phase_began;
        match self.state.phase {
            Phase::Preparing { initial } if still || (initial && timeout.phase == self.state.round_began) => {
                self.complete();
            }
            Phase::Completing | Phase::Stable if still => self.remove(|member| !member.synced),
            Phase::Preparing { .. } | Phase::Completing | Phase::Stable | Phase::Empty { .. } => {}
        }
        Outcome::Done
    }
}
