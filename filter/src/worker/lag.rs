//! How far consumer groups are behind, as far as this Envoy knows both sides.
//!
//! Whoever fetches a partition knows its end, and whoever serves a group knows what was committed; these may be two workers. They
//! meet in the host's gauges, which all workers share.

use std::collections::BTreeMap;

use crate::group::groups::Groups;

/// The series, as the documentation names them.
pub const SERIES: [&str; 2] = ["isthmus.lag.GROUP.TOPIC.PARTITION", "isthmus.end_offset.TOPIC.PARTITION"];

/// The host's gauges, by name; series cannot be removed, so their number is bounded by who sets them.
pub trait Gauges {
    /// Sets one, for all workers.
    fn set(&mut self, name: &str, value: u64);
    /// What any worker set it to; 0 if none did.
    fn get(&mut self, name: &str) -> u64;
}

/// Ends of partitions that this worker's clients fetch.
#[derive(Debug)]
pub struct Ends {
    by_topic: BTreeMap<String, BTreeMap<u32, End>>,
    count: usize,
    max: usize,
}

#[derive(Clone, Copy, Debug)]
struct End {
    offset: i64,
    told: bool,
}

impl Ends {
    /// None yet, and never more than `max`; 0 switches lag off.
    pub fn new(max: u32) -> Self {
        Self { by_topic: BTreeMap::new(), count: 0, max: max as usize }
    }

    /// A fetch saw the end of a partition: the high watermark.
    pub fn saw(&mut self, topic: &str, partition: u32, offset: i64) {
        if let Some(end) = self.by_topic.get_mut(topic).and_then(|partitions| partitions.get_mut(&partition)) {
            end.told &= end.offset == offset;
            end.offset = offset;
        } else if self.count < self.max {
            self.count = self.count.saturating_add(1);
            let partitions = self.by_topic.entry(topic.to_owned()).or_default();
            partitions.insert(partition, End { offset, told: false });
        }
    }

    /// Sets the gauges of ends that changed, and of the lag of every group that is loaded, up to the bound.
    pub fn write(&mut self, groups: &Groups, gauges: &mut impl Gauges) {
        for (topic, partitions) in &mut self.by_topic {
            for (partition, end) in partitions.iter_mut().filter(|(_, end)| !end.told) {
                end.told = true;
                gauges.set(&end_name(topic, *partition), u64::try_from(end.offset).unwrap_or(0));
            }
        }
        for (group, topic, partition, committed) in groups.committed().take(self.max) {
            let (Ok(committed), Ok(partition)) = (u64::try_from(committed), u32::try_from(partition)) else { continue };
            let end = gauges.get(&end_name(topic, partition));
            // Nobody fetches it through this Envoy, or the end that was seen is older than the commit.
            if let Some(lag) = end.checked_sub(committed).filter(|_| end > 0) {
                gauges.set(&format!("isthmus.lag.{group}.{topic}.{partition}"), lag);
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
    use crate::config::Config;

    #[derive(Default)]
    struct Host(BTreeMap<String, u64>, usize);

    impl Gauges for Host {
        fn set(&mut self, name: &str, value: u64) {
            self.0.insert(name.to_owned(), value);
            self.1 += 1;
        }
        fn get(&mut self, name: &str) -> u64 {
            self.0.get(name).copied().unwrap_or(0)
        }
    }

    #[test]
    fn an_end_is_told_when_it_changed_and_only_up_to_the_bound() {
        let groups = Groups::new(&Config::default(), 1);
        let (mut ends, mut host) = (Ends::new(1), Host::default());
        for offset in [5, 5, 7] {
            ends.saw("t", 0, offset);
            ends.saw("t", 1, offset);
            ends.write(&groups, &mut host);
        }
        assert_eq!(host.0, BTreeMap::from([("isthmus.end_offset.t.0".to_owned(), 7)]));
        assert_eq!(host.1, 2);
    }

    #[test]
    fn without_gauges_nothing_is_remembered() {
        let mut ends = Ends::new(0);
        ends.saw("t", 0, 5);
        assert!(ends.by_topic.is_empty());
    }
}
