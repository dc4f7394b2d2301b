//! How far consumer groups are behind, as far as this Envoy knows both sides.
//!
//! Whoever fetches a partition knows its end, and whoever serves a group knows what was committed; these may be two workers. They
//! meet in the host's gauges, which all workers share. To read a gauge is to define it, and the host never removes one: each name is
//! admitted once, and what was admitted keeps its place while the worker lives.

use std::collections::BTreeMap;

use super::log::Log;
use crate::group::id::GroupId;

/// The series, as the documentation names them.
pub const SERIES: [&str; 2] = ["isthmus.lag.GROUP.TOPIC.PARTITION", "isthmus.end_offset.TOPIC.PARTITION"];

/// The host's gauges, by name; naming one defines it for good.
pub trait Gauges {
    /// Sets one, for all workers.
    fn set(&mut self, name: &str, value: u64);
    /// What any worker set it to; 0 if none did.
    fn get(&mut self, name: &str) -> u64;
}

/// What groups committed.
pub trait Commits {
    /// Every committed offset of the groups that are loaded.
    fn all(&self) -> impl Iterator<Item = (&GroupId, &str, i32, i64)>;
    /// One of them.
    fn of(&self, group: &GroupId, topic: &str, partition: i32) -> Option<i64>;
}

/// The gauges of one worker: at most `max` ends and as many lags, over its whole life.
#[derive(Debug)]
pub struct Lag {
    ends: Ends,
    /// Where a group committed, and whether that has a gauge.
    places: BTreeMap<(GroupId, String, u32), bool>,
    max: usize,
    left_out: LeftOut,
}

/// Whether the operator knows that there are more than have gauges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeftOut {
    None,
    Some,
    Told,
}

/// Ends of partitions: those that this worker's clients fetch, and those that its groups are compared with.
#[derive(Debug, Default)]
struct Ends {
    by_topic: BTreeMap<String, BTreeMap<u32, End>>,
    count: usize,
}

/// What is still to be written of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Nothing that this worker saw.
    Unseen,
    Seen(i64),
    Told(i64),
}

impl Lag {
    /// Nothing yet; 0 switches lag off.
    pub fn new(max: u32) -> Self {
        Self { ends: Ends::default(), places: BTreeMap::new(), max: max as usize, left_out: LeftOut::None }
    }

    /// A fetch saw the end of a partition: the high watermark.
    pub fn saw_end(&mut self, topic: &str, partition: u32, offset: i64) {
        if let Some(end) = self.ends.of(topic, partition) {
            if *end != End::Told(offset) {
                *end = End::Seen(offset);
            }
        } else if !self.ends.admit(topic, partition, End::Seen(offset), self.max) {
            self.left_out.note();
        }
    }

    /// Sets the gauges of ends that changed, and of the lag of every group that is loaded, up to the bounds.
    pub fn write(&mut self, commits: &impl Commits, gauges: &mut impl Gauges, log: &mut Log) {
        if self.max == 0 {
            return;
        }
        self.ends.write(gauges);
        self.admit_places(commits);
        let Self { ends, places, max, left_out } = self;
        places.retain(|(group, topic, partition), has_gauge| {
            let committed = i32::try_from(*partition).ok().and_then(|partition| commits.of(group, topic, partition));
            let Some(committed) = committed.and_then(|offset| u64::try_from(offset).ok()) else { return *has_gauge };
            if ends.of(topic, *partition).is_none() && !ends.admit(topic, *partition, End::Unseen, *max) {
                left_out.note();
                return true;
            }
            let end = gauges.get(&end_name(topic, *partition));
            // Nobody fetches it through this Envoy, or the end that was seen is older than the commit.
            if let Some(lag) = end.checked_sub(committed).filter(|_| end > 0) {
                gauges.set(&format!("isthmus.lag.{group}.{topic}.{partition}"), lag);
                *has_gauge = true;
            }
            true
        });
        if *left_out == LeftOut::Some {
            *left_out = LeftOut::Told;
            log.warn(format!(
                "groups or partitions beyond max_lag_gauges ({max}) have no gauge of lag while this worker lives"
            ));
        }
    }

    /// Looks no further than the first place that finds no room: work is bounded as places are.
    fn admit_places(&mut self, commits: &impl Commits) {
        for (group, topic, partition, _) in commits.all() {
            let Ok(partition) = u32::try_from(partition) else { continue };
            let place = (group.clone(), topic.to_owned(), partition);
            if self.places.contains_key(&place) {
                continue;
            }
            if self.places.len() >= self.max {
                return self.left_out.note();
            }
            self.places.insert(place, false);
        }
    }
}

impl LeftOut {
    fn note(&mut self) {
        if *self == Self::None {
            *self = Self::Some;
        }
    }
}

impl Ends {
    /// The partition's end, if it has a place.
    fn of(&mut self, topic: &str, partition: u32) -> Option<&mut End> {
        self.by_topic.get_mut(topic)?.get_mut(&partition)
    }

    /// Gives a new end a place, if there is one left.
    fn admit(&mut self, topic: &str, partition: u32, end: End, max: usize) -> bool {
        let room = self.count < max;
        if room {
            self.count = self.count.saturating_add(1);
            self.by_topic.entry(topic.to_owned()).or_default().insert(partition, end);
        }
        room
    }

    fn write(&mut self, gauges: &mut impl Gauges) {
        for (topic, partitions) in &mut self.by_topic {
            for (partition, end) in partitions {
                if let End::Seen(offset) = *end {
                    *end = End::Told(offset);
                    gauges.set(&end_name(topic, *partition), u64::try_from(offset).unwrap_or(0));
                }
            }
        }
    }
}

fn end_name(topic: &str, partition: u32) -> String {
    format!("isthmus.end_offset.{topic}.{partition}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every gauge that was ever named, as the host keeps them.
    #[derive(Default)]
    struct Host {
        defined: BTreeMap<String, u64>,
        sets: usize,
    }

    impl Gauges for Host {
        fn set(&mut self, name: &str, value: u64) {
            self.defined.insert(name.to_owned(), value);
            self.sets += 1;
        }
        fn get(&mut self, name: &str) -> u64 {
            *self.defined.entry(name.to_owned()).or_default()
        }
    }

    impl Host {
        fn count(&self, prefix: &str) -> usize {
            self.defined.keys().filter(|name| name.starts_with(prefix)).count()
        }
    }

    #[derive(Default)]
    struct Committed(BTreeMap<(GroupId, String, i32), i64>);

    impl Commits for Committed {
        fn all(&self) -> impl Iterator<Item = (&GroupId, &str, i32, i64)> {
            self.0.iter().map(|((group, topic, partition), offset)| (group, topic.as_str(), *partition, *offset))
        }
        fn of(&self, group: &GroupId, topic: &str, partition: i32) -> Option<i64> {
            self.0.get(&(group.clone(), topic.to_owned(), partition)).copied()
        }
    }

    fn committed(group: &str, topic: &str, partition: i32, offset: i64) -> Committed {
        Committed(BTreeMap::from([((GroupId::new(group).unwrap(), topic.to_owned(), partition), offset)]))
    }

    #[test]
    fn an_end_is_told_when_it_changed_and_only_up_to_the_bound() {
        let (mut lag, mut host, mut log) = (Lag::new(1), Host::default(), Log::default());
        for offset in [5, 5, 7] {
            lag.saw_end("t", 0, offset);
            lag.saw_end("t", 1, offset);
            lag.write(&Committed::default(), &mut host, &mut log);
        }
        assert_eq!(host.defined, BTreeMap::from([("isthmus.end_offset.t.0".to_owned(), 7)]));
        assert_eq!(host.sets, 2);
    }

    #[test]
    fn lag_is_what_lies_between_a_commit_and_an_end_that_another_worker_saw() {
        let (mut lag, mut host, mut log) = (Lag::new(10), Host::default(), Log::default());
        host.set("isthmus.end_offset.t.3", 9);

        lag.write(&committed("g", "t", 3, 2), &mut host, &mut log);
        assert_eq!(host.defined.get("isthmus.lag.g.t.3"), Some(&7));
        lag.write(&committed("g", "t", 3, 9), &mut host, &mut log);
        assert_eq!(host.defined.get("isthmus.lag.g.t.3"), Some(&0));
        assert!(log.drain().is_empty());
    }

    #[test]
    fn groups_that_come_and_go_never_define_more_than_the_bound_and_the_operator_is_told_once() {
        const MAX: u32 = 3;
        let (mut lag, mut host, mut log) = (Lag::new(MAX), Host::default(), Log::default());
        let mut lines = 0;
        for n in 0..50 {
            let (group, topic) = (format!("g{n}"), format!("t{n}"));
            lag.saw_end(&topic, 0, 10);
            lag.write(&committed(&group, &topic, 0, 4), &mut host, &mut log);
            lines += log.drain().len();
        }
        assert_eq!(host.count("isthmus.lag."), MAX as usize);
        assert_eq!(host.count("isthmus.end_offset."), MAX as usize);
        assert_eq!(lines, 1);
    }

    #[test]
    fn ends_that_are_only_read_count_too() {
        let (mut lag, mut host, mut log) = (Lag::new(2), Host::default(), Log::default());
        for partition in 0..5 {
            lag.write(&committed("g", "t", partition, 4), &mut host, &mut log);
        }
        lag.saw_end("fetched", 0, 7);
        lag.write(&Committed::default(), &mut host, &mut log);

        assert_eq!(host.defined.keys().collect::<Vec<_>>(), ["isthmus.end_offset.t.0", "isthmus.end_offset.t.1"]);
        assert_eq!(log.drain().len(), 1);
    }

    #[test]
    fn a_place_that_never_had_a_gauge_is_given_to_another_group_when_its_group_went() {
        let (mut lag, mut host, mut log) = (Lag::new(1), Host::default(), Log::default());
        lag.write(&committed("gone", "t", 0, 4), &mut host, &mut log);
        lag.write(&Committed::default(), &mut host, &mut log);
        lag.saw_end("t", 0, 10);

        lag.write(&committed("next", "t", 0, 4), &mut host, &mut log);
        assert_eq!(host.defined.get("isthmus.lag.next.t.0"), Some(&6));
        assert!(log.drain().is_empty());
    }

    #[test]
    fn without_gauges_nothing_is_remembered_named_or_said() {
        let (mut lag, mut host, mut log) = (Lag::new(0), Host::default(), Log::default());
        lag.saw_end("t", 0, 5);
        lag.write(&committed("g", "t", 0, 4), &mut host, &mut log);

        assert!(lag.ends.by_topic.is_empty() && lag.places.is_empty() && host.defined.is_empty());
        assert!(log.drain().is_empty());
    }
}
