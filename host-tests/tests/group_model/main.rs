//! Every interleaving of a small group: members join, sync, commit and leave through two hosts, clocks expire whom they like,
//! one host crashes. Each host has applied some prefix of the one log; what it proposes it judges there, and it is appended later.
//!
//! Bounded by the number of events that have an effect. `cargo test --test group_model -- --nocapture` prints how many states
//! were reached.

mod client;
mod world;

#[path = "../../../filter/tests/group_support/invariants.rs"]
mod invariants;

use stateright::{Checker, Model, Property};
use world::{Action, World};

/// A group, and how far it is followed.
#[derive(Clone, Debug)]
struct Group {
    members: u8,
    /// The second member is static.
    with_static: bool,
    /// All members are there and have their assignment when it begins.
    from_stable: bool,
    /// Events that have an effect, after the beginning.
    events: u64,
    /// Host 0 may crash.
    crash: bool,
    /// Entries that a host may lag behind.
    lag: usize,
    /// Must be met on the way, or the model would be empty.
    happens: fn(&World) -> bool,
}

impl Model for Group {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut world = World::new(self.members, self.with_static, self.crash);
        if self.from_stable {
            world.settle();
        }
        world.limit(self.events, self.lag);
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.actions(actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(world.clone().after(&action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every step keeps the invariants", |_, world: &World| world.fault().is_none()),
            Property::always("no partition has two owners in a generation", |_, world: &World| world.owners_differ()),
            Property::always("no acknowledged commit is lost", |_, world: &World| world.commits_stand()),
            Property::always("replicas that applied as much are equal", |_, world: &World| world.replicas_agree()),
            Property::sometimes("what the model is for happens", |group: &Self, world| (group.happens)(world)),
        ]
    }
}

/// Explores all there is.
fn explore(name: &str, group: Group) {
    let checker = group.checker().threads(2).spawn_dfs().join();
    println!("{name}: {} states, {} ways between them", checker.unique_state_count(), checker.state_count());
    checker.assert_properties();
}

const COME_TOGETHER: Group = Group {
    members: 2,
    with_static: false,
    from_stable: false,
    events: 6,
    crash: false,
    lag: 1,
    happens: World::has_two_owners,
};

const CRASH: Group =
    Group { from_stable: true, events: 5, crash: true, happens: World::crashed_and_owned_again, ..COME_TOGETHER };

const STATIC: Group = Group { with_static: true, events: 3, happens: World::has_replaced, ..CRASH };

const THREE: Group = Group { members: 3, events: 2, crash: false, happens: World::has_next_generation, ..CRASH };

#[test]
fn two_members_come_together() {
    explore("two members come together", COME_TOGETHER);
}

#[test]
fn two_members_rebalance_while_a_host_crashes() {
    explore("two members, one crash", CRASH);
}

#[test]
fn a_zombie_of_an_older_generation_commits_nothing() {
    let group = Group { events: 4, happens: World::has_refused_commit, ..CRASH };
    explore("two members, refused commits", group);
}

#[test]
fn a_static_member_comes_back() {
    explore("a static member", STATIC);
}

#[test]
fn three_members_rebalance() {
    explore("three members", THREE);
}

#[test]
#[ignore = "takes minutes"]
fn further_on() {
    explore("two members come together, further on", Group { events: 8, ..COME_TOGETHER });
    explore("two members, one crash, further on", Group { events: 6, ..CRASH });
    explore("two members, one crash, hosts far behind", Group { events: 4, lag: 2, ..CRASH });
    explore("a static member, further on", Group { events: 5, ..STATIC });
    explore("three members, further on", Group { events: 3, ..THREE });
}
