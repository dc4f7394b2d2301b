//! A worker: its groups, its clock, and what is checked of its replica after everything that happens to it.

use isthmus::config::Config;
use isthmus::group::groups::Groups;
use isthmus::ids::{ConnectionId, Position};
use isthmus::time::Now;

use crate::invariants;
use crate::time::{MS, Micros, Skewed};
use crate::world::{Happening, World};

/// See the module.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) groups: Groups,
    pub(crate) clock: Skewed,
    /// Grows with every crash.
    pub(crate) run: u64,
    /// When it looks at its clock next.
    timer: Option<Micros>,
    applied: Option<Position>,
}

impl Host {
    pub(crate) fn new(config: &Config, seed: u64, clock: Skewed, run: u64) -> Self {
        Self { groups: Groups::new(config, seed), clock, run, timer: None, applied: None }
    }
}

impl World {
    /// Something happens on a host, in a callback of `connection` if it is of one.
    pub(crate) fn on_host<T>(
        &mut self,
        host: usize,
        connection: Option<u32>,
        act: impl FnOnce(&mut Groups, Now) -> T,
    ) -> T {
        let now = self.hosts[host].clock.at(self.now);
        let result = act(&mut self.hosts[host].groups, now);
        self.check_replica(host);
        if let Some(connection) = connection {
            self.attend(connection);
        }
        let run = self.hosts[host].run;
        while let Some(ConnectionId(woken)) = self.hosts[host].groups.take_woken() {
            if Some(woken) != connection {
                // Another connection's turn comes when the worker has one for it.
                let late = if self.dice.permille(10) { 300 * MS } else { 2 * MS };
                let late = self.dice.between(0, late);
                self.after(late, Happening::Wake { connection: woken });
            } else {
                self.attend(woken);
            }
        }
        self.check_replica(host);
        self.set_timer(host, run);
        result
    }

    fn set_timer(&mut self, host: usize, run: u64) {
        let Some(deadline) = self.hosts[host].groups.next_deadline() else { return };
        let due = self.hosts[host].clock.true_time(deadline).max(self.now);
        if self.hosts[host].timer.is_none_or(|timer| due < timer) {
            self.hosts[host].timer = Some(due);
            let late = self.dice.between(0, 20 * MS);
            self.at(due + late, Happening::HostTime { host, run });
        }
    }

    pub(crate) fn host_time(&mut self, host: usize, run: u64) {
        if self.hosts[host].run == run {
            self.hosts[host].timer = None;
            self.on_host(host, None, Groups::on_time);
        }
    }

    /// Compares the host's replica with the log, when it has applied more than before.
    fn check_replica(&mut self, host: usize) {
        let Some(state) = self.hosts[host].groups.state(&self.group) else {
            self.hosts[host].applied = None;
            return;
        };
        let applied = state.log.applied;
        let before = self.hosts[host].applied;
        if applied == before {
            return;
        }
        if before.is_none() {
            self.counts.loads += 1;
            self.trace(|| format!("host {host} has loaded up to {applied:?}"));
            if state.log.base.is_some() {
                self.counts.loads_from_snapshot += 1;
            }
        }
        if let Some(applied) = applied
            && invariants::one_equal_logs_make_equal_states(&self.topic.truth, state, applied, before.is_none())
        {
            self.counts.digests_compared += 1;
        }
        self.hosts[host].applied = applied;
    }
}
