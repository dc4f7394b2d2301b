//! The rebalance that `docs/group-log.md` walks through.

use isthmus::group::log::entry::{Event, Expire, Kind, Nop, Timeout};
use isthmus::group::state::Phase;
use isthmus::ids::Position;

use crate::group_support::events::*;
use crate::group_support::{Group, ORIGIN};

const PAGE: &str = include_str!("../../../docs/group-log.md");

/// One entry with all its events, and the state behind it, as the page has them.
fn line(group: &mut Group, what: &str, events: Vec<Event>) -> String {
    let position = group.next();
    group.events(events);
    shown(group, position, what)
}

fn shown(group: &Group, position: Position, what: &str) -> String {
    let phase = match group.state.phase {
        Phase::Empty { .. } => "Empty",
        Phase::Preparing { .. } => "Preparing",
        Phase::Completing => "Completing",
        Phase::Stable => "Stable",
    };
    let members: Vec<String> = group
        .state
        .members
        .iter()
        .map(|member| format!("{} {}", member.id, String::from_utf8_lossy(&member.assignment)).trim().to_owned())
        .collect();
    let members = members.join(", ");
    format!("7:{:<4}{what:<36}{phase:<12}{:<4}{members}", position.entry, group.state.generation).trim_end().to_owned()
}

#[test]
fn the_page_tells_what_happens() {
    let mut group = Group::new();
    let mut lines = vec![shown(&group, ORIGIN, "open")];
    let mut write = |group: &mut Group, what: &str, events: Vec<Event>| lines.push(line(group, what, events));

    write(&mut group, "Join a", vec![join("a").event()]);
    write(&mut group, "Join b", vec![join("b").event()]);
    let phase = group.state.phase_began;
    write(&mut group, "Timeout 7:2", vec![Timeout { phase }.event()]);
    let assigned = assign("a", 1, &[("a", "0 1"), ("b", "2 3")]).event();
    write(&mut group, "Sync b, Sync a with 0 1 | 2 3", vec![sync("b", 1).event(), assigned]);
    write(
        &mut group,
        "Commit a 0=40, Commit b 2=7",
        vec![commit("a", 1, &[("t", 0, 40)]).event(), commit("b", 1, &[("t", 2, 7)]).event()],
    );
    write(&mut group, "Beat a b", vec![beat(&["a", "b"]).event()]);
    let seen = group.seen("b");
    write(&mut group, "Beat a", vec![beat(&["a"]).event()]);
    write(&mut group, "Nop", vec![Kind::Nop(Nop {}).into()]);
    write(&mut group, "Expire b 7:6", vec![Expire { member: "b".into(), seen }.event()]);
    write(&mut group, "Expire b 7:6", vec![Expire { member: "b".into(), seen }.event()]);
    write(&mut group, "Commit a 1=12", vec![commit("a", 1, &[("t", 1, 12)]).event()]);
    write(&mut group, "Join a", vec![join("a").event()]);
    write(&mut group, "Commit b 2=9", vec![commit("b", 1, &[("t", 2, 9)]).event()]);
    write(&mut group, "Sync a with 0 1 2 3", vec![assign("a", 2, &[("a", "0 1 2 3")]).event()]);

    let walked = lines.join("\n");
    assert!(PAGE.contains(&walked), "the page should have:\n{walked}");
    assert_eq!(group.offset("t", 2), Some(7), "what an expired member sent later does not count");
}
