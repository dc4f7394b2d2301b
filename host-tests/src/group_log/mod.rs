//! `isthmus-host group-log`: why a consumer group did what it did, from its log.

mod args;
mod print;
mod read;

use isthmus::group::apply::apply;
use isthmus::group::log::entry::{Base, Entry, Kind};
use isthmus::group::log::snapshot::Assembly;
use isthmus::group::replica::load::{check, decode};
use isthmus::group::state::State;
use isthmus::ids::Position;

pub use args::{Args, parse};
use read::Stored;

/// Prints the log and the state it comes to. The error is one sentence for the user.
pub fn group_log(args: &Args) -> Result<(), String> {
    let stored = read::read(args)?;
    let entries: Vec<(Position, usize, Option<Entry>)> = stored
        .into_iter()
        .map(|Stored { position, payload }| {
            let bytes = payload.as_ref().map_or(0, bytes::Bytes::len);
            (position, bytes, decode(payload.as_ref()))
        })
        .collect();
    let (mut state, start) = beginning(&entries);
    for (position, bytes, entry) in &entries {
        println!("{}", print::entry(*position, entry.as_ref()));
        let Some(state) = state.as_mut().filter(|_| start.is_none_or(|start| *position > start)) else { continue };
        let accepted = apply(state, *position, entry.as_ref(), *bytes, |state, index, outcome, changes| {
            let event = entry.as_ref().and_then(|entry| entry.events.get(index));
            println!("{}", print::event(event, &outcome, changes, state));
        });
        print::unaccepted(accepted, entry.as_ref()).into_iter().for_each(|line| println!("{line}"));
    }
    match state {
        Some(state) => println!("\n{}", print::state(&state)),
        None => println!("\nThe beginning of the log was trimmed, and what is left holds no whole snapshot."),
    }
    Ok(())
}

/// The state to begin with, and the entry it is the state after. Where the log's beginning was trimmed: that of the first snapshot
/// which is whole, or none behind the group's last end.
fn beginning(entries: &[(Position, usize, Option<Entry>)]) -> (Option<State>, Option<Position>) {
    if is_whole(entries) {
        return (Some(State::default()), None);
    }
    let first = entries.first().map(|(position, _, _)| *position);
    let mut cuts: Vec<(Position, Assembly)> = Vec::new();
    let mut end = None;
    for entry in entries.iter().filter_map(|(_, _, entry)| entry.as_ref()) {
        if let Some(Base::Origin(origin)) = entry.base().filter(|base| Some(base.position()) >= first) {
            end = end.max(Some(origin));
        }
        for event in &entry.events {
            let Some(Kind::Snapshot(part)) = &event.kind else { continue };
            let cut = Position::from(part.cut);
            if first.is_none_or(|first| cut < first) {
                continue;
            }
            if !cuts.iter().any(|(known, _)| *known == cut) {
                cuts.push((cut, Assembly::new(cut)));
            }
            for (cut, assembly) in &mut cuts {
                if let Ok(Some(state)) = assembly.take(part) {
                    return (Some(state), Some(*cut));
                }
            }
        }
    }
    (end.map(State::bare), end)
}

/// Whether the entries are a log from its beginning on.
fn is_whole(entries: &[(Position, usize, Option<Entry>)]) -> bool {
    let mut state = State::default();
    entries.iter().all(|(position, bytes, entry)| {
        let fits = check(&state, *position, entry.as_ref()).is_ok();
        apply(&mut state, *position, entry.as_ref(), *bytes, |_, _, _, _| {});
        fits
    })
}
