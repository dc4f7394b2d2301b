//! What goes wrong.

use isthmus::group::replica::link::LinkError;

use crate::time::{MS, Micros, SECOND};
use crate::world::{Happening, World, new_host};

impl World {
    /// One thing goes wrong.
    pub(crate) fn fault(&mut self) {
        let open: Vec<u32> =
            self.links.iter().filter(|(_, link)| link.is_open()).map(|(connection, _)| *connection).collect();
        let some = self.dice.pick(&open).copied();
        let which = self.dice.between(0, 99);
        self.trace(|| format!("fault {which} on {some:?}"));
        match which {
            0..=14 => {
                if let Some(connection) = some {
                    self.counts.breaks += 1;
                    self.break_connection(connection);
                }
            }
            15..=24 => {
                if let Some(connection) = some {
                    self.go_silent(connection);
                }
            }
            25..=34 => {
                if let Some(connection) = some {
                    self.counts.slow += 1;
                    let (latency, long) = (self.dice.between(20 * MS, 1500 * MS), self.some_time());
                    self.links.get_mut(&connection).expect("open").latency = latency;
                    self.after(long, Happening::Healed { connection });
                }
            }
            35..=49 => self.unload(),
            50..=57 => {
                self.counts.refusals += 1;
                let until = self.now + self.some_time() / 3;
                let error =
                    if self.dice.permille(500) { LinkError::NotOwner } else { LinkError::Other("busy".to_owned()) };
                self.refusal = Some((until, error));
            }
            58..=67 => {
                self.counts.stalls += 1;
                self.stalled_until = self.now + self.some_time();
            }
            68..=75 => self.crash_host(),
            76..=82 => self.depose(),
            83 => {
                if self.dice.permille(200) {
                    self.delete_topic();
                }
            }
            84 if self.dice.permille(500) => self.abandon(),
            84 => {
                // Everybody goes, and comes back one by one.
                for client in 0..self.clients.len() {
                    if self.clients[client].alive && self.clients[client].is_member() {
                        let back = self.dice.between(25 * SECOND, 50 * SECOND);
                        self.crash_client(client, back);
                    }
                }
            }
            85..=89 => {
                let client = self.dice.between(0, self.clients.len() as u64 - 1) as usize;
                if self.clients[client].alive && self.clients[client].is_member() {
                    let back = self.dice.between(SECOND / 10, 25 * SECOND);
                    self.crash_client(client, back);
                }
            }
            _ => self.trim(),
        }
    }

    /// For a while nobody uses the group, and somebody deletes it.
    fn abandon(&mut self) {
        self.counts.abandoned += 1;
        self.abandoned_until = self.now + self.dice.between(20 * SECOND, 60 * SECOND);
        for client in 0..self.clients.len() {
            if self.clients[client].alive && self.clients[client].is_member() {
                let back = self.dice.between(25 * SECOND, 50 * SECOND);
                self.crash_client(client, back);
            }
        }
    }

    /// The broker looks whether the topic may go: nothing is held, and nobody has a producer at its owner. Readers are sent away.
    pub(crate) fn collect_topic(&mut self) {
        let written = self.links.values().any(|link| link.deposed.is_none() && link.may_write());
        let may = self.topic.exists && self.topic.let_go && self.topic.is_caught_up() && !written;
        if may && self.dice.permille(300) {
            assert!(!self.topic.truth.state.exists, "a group is deleted that nobody deleted");
            self.counts.topics_collected += 1;
            self.close_all();
            self.topic.delete(self.now);
        }
    }

    /// The broker looks for ledgers that nobody needs.
    pub(crate) fn trim(&mut self) {
        let trimmed = self.topic.trim(&mut self.dice);
        if trimmed > 0 {
            self.counts.trims += 1;
            self.counts.entries_trimmed += trimmed as u64;
        }
        self.collect_topic();
    }

    fn some_time(&mut self) -> Micros {
        if self.dice.permille(700) {
            self.dice.between(50 * MS, 3 * SECOND)
        } else {
            self.dice.between(3 * SECOND, 20 * SECOND)
        }
    }

    pub(crate) fn break_connection(&mut self, connection: u32) {
        let Some(link) = self.links.get(&connection).filter(|link| link.is_open()) else { return };
        let client = link.client;
        self.disconnect(client);
        let delay = self.dice.between(MS, 300 * MS);
        self.later(client, delay);
    }

    /// Nothing comes any more, or nothing arrives, or neither; at last somebody notices.
    fn go_silent(&mut self, connection: u32) {
        self.counts.deaf += 1;
        let link = self.links.get_mut(&connection).expect("open");
        match self.dice.between(0, 2) {
            0 => link.deaf = true,
            1 => link.mute = true,
            _ => {
                link.deaf = true;
                link.mute = true;
            }
        }
        let noticed = self.dice.between(2 * SECOND, 60 * SECOND);
        self.after(noticed, Happening::Break { connection });
    }

    fn unload(&mut self) {
        self.counts.unloads += 1;
        self.topic.roll();
        self.close_all();
        self.trim();
    }

    fn close_all(&mut self) {
        let all: Vec<u32> = self.links.keys().copied().collect();
        for connection in all {
            self.close_at_broker(connection);
        }
    }

    fn crash_host(&mut self) {
        self.counts.host_crashes += 1;
        let host = self.dice.between(0, self.hosts.len() as u64 - 1) as usize;
        let run = self.hosts[host].run + 1;
        self.hosts[host] = new_host(&self.config, &mut self.dice, run);
        for client in 0..self.clients.len() {
            let here = self.clients[client].connection.and_then(|connection| self.links.get(&connection));
            if here.is_some_and(|link| link.host == host) {
                self.disconnect(client);
                let delay = self.dice.between(MS, SECOND);
                self.later(client, delay);
            }
        }
    }

    /// Another broker owns the topic; some connections are still with the one that did.
    fn depose(&mut self) {
        self.counts.deposals += 1;
        self.topic.roll();
        let fence = self.topic.len();
        let all: Vec<u32> = self.links.keys().copied().collect();
        for connection in all {
            if self.dice.permille(500) {
                let link = self.links.get_mut(&connection).expect("known");
                if link.deposed.is_none() {
                    link.deposed = Some(fence);
                    let noticed = self.some_time();
                    self.after(noticed, Happening::Reinstated { connection });
                }
            } else {
                self.close_at_broker(connection);
            }
        }
    }

    fn delete_topic(&mut self) {
        if self.topic.exists {
            self.counts.topic_deletions += 1;
            self.close_all();
            self.topic.delete(self.now);
        }
    }
}
