//! Leaders' addresses as this worker was told them last, for `lookup_cache_ttl_ms`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::name::{PulsarTopic, split_partition};
use crate::config::{Config, HostPort};
use crate::time::Instant;

/// A node's address, once in memory however many partitions it leads.
pub type Address = Rc<HostPort>;

/// How often a full cache is looked through for what is out of date.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// See the module. Partitions of one topic lie together: a client that asks for one asks for all.
#[derive(Debug, Default)]
pub struct LeaderCache {
    /// By the topic's name without the suffix of its partitions; `None` is the topic itself.
    topics: BTreeMap<Box<str>, BTreeMap<Option<u32>, Known>>,
    entries: usize,
    addresses: BTreeSet<Address>,
    swept: Instant,
    /// The brokers do not advertise the configured listener: not asked for again until the filter is loaded anew.
    pub(super) listener_missing: bool,
}

#[derive(Debug)]
struct Known {
    address: Address,
    at: Instant,
}

impl Known {
    fn is_fresh(&self, now: Instant, config: &Config) -> bool {
        now.since(self.at) < Duration::from_millis(config.lookup_cache_ttl_ms.into())
    }
}

fn split(topic: &PulsarTopic) -> (&str, Option<u32>) {
    let name = topic.as_str();
    split_partition(name).map_or((name, None), |(base, partition)| (base, Some(partition)))
}

impl LeaderCache {
    /// The leader, if it was told a moment ago.
    pub fn fresh(&self, topic: &PulsarTopic, now: Instant, config: &Config) -> Option<Address> {
        let (base, partition) = split(topic);
        let known = self.topics.get(base)?.get(&partition)?;
        known.is_fresh(now, config).then(|| Rc::clone(&known.address))
    }

    /// The same for each of a topic's first `count` partitions, without a name for each.
    pub fn fresh_of_partitions(
        &self,
        base: &PulsarTopic,
        count: u32,
        now: Instant,
        config: &Config,
    ) -> impl Iterator<Item = Option<Address>> {
        let known = self.topics.get(base.as_str());
        (0..count).map(move |partition| {
            let known = known?.get(&Some(partition)).filter(|known| known.is_fresh(now, config))?;
            Some(Rc::clone(&known.address))
        })
    }

    /// The address as it is remembered.
    pub fn intern(&mut self, address: HostPort) -> Address {
        if let Some(known) = self.addresses.get(&address) {
            return Rc::clone(known);
        }
        let address = Rc::new(address);
        self.addresses.retain(is_in_use);
        self.addresses.insert(Rc::clone(&address));
        address
    }

    /// `address` comes from [`LeaderCache::intern`].
    pub(super) fn insert(&mut self, topic: &PulsarTopic, address: Address, now: Instant, config: &Config) {
        let bound = config.lookup_cache_entries as usize;
        if self.entries >= bound && now.since(self.swept) >= SWEEP_EVERY {
            self.sweep(now, config);
        }
        let (base, partition) = split(topic);
        let known = Known { address, at: now };
        if let Some(old) = self.topics.get_mut(base).and_then(|topic| topic.get_mut(&partition)) {
            *old = known;
        } else if self.entries < bound {
            self.topics.entry(base.into()).or_default().insert(partition, known);
            self.entries = self.entries.saturating_add(1);
        }
    }

    fn sweep(&mut self, now: Instant, config: &Config) {
        self.swept = now;
        self.topics.retain(|_, topic| {
            topic.retain(|_, known| known.is_fresh(now, config));
            !topic.is_empty()
        });
        self.entries = self.topics.values().map(BTreeMap::len).sum();
    }

    /// The nodes that are known to lead something.
    pub fn addresses(&self) -> BTreeSet<HostPort> {
        self.addresses.iter().filter(|address| is_in_use(address)).map(|address| HostPort::clone(address)).collect()
    }

    /// The broker said that it does not own the topic: ask again.
    pub fn forget(&mut self, topic: &PulsarTopic) {
        let (base, partition) = split(topic);
        let Some(partitions) = self.topics.get_mut(base) else { return };
        if partitions.remove(&partition).is_some() {
            self.entries = self.entries.saturating_sub(1);
        }
        if partitions.is_empty() {
            self.topics.remove(base);
        }
    }
}

/// Somebody beside the set of addresses has it.
fn is_in_use(address: &Address) -> bool {
    Rc::strong_count(address) > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topics::name::KafkaTopic;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn partition(index: u32) -> PulsarTopic {
        KafkaTopic::new("foo").unwrap().partition(&Config::default(), index)
    }

    fn learn(cache: &mut LeaderCache, topic: &PulsarTopic, address: &str, now: Instant, config: &Config) {
        let address = cache.intern(address.parse().unwrap());
        cache.insert(topic, address, now, config);
    }

    #[test]
    fn leaders_of_a_topics_partitions_are_found_by_the_topics_name() {
        let (mut cache, config) = (LeaderCache::default(), Config::default());
        learn(&mut cache, &partition(0), "a:1", at(1), &config);
        learn(&mut cache, &partition(2), "b:1", at(1), &config);

        let base = KafkaTopic::new("foo").unwrap().base(&config);
        let found: Vec<_> = cache.fresh_of_partitions(&base, 4, at(2), &config).collect();
        let ports = found.iter().map(|found| found.as_ref().map(|address| address.host.as_str()));
        assert_eq!(ports.collect::<Vec<_>>(), [Some("a"), None, Some("b"), None]);
        assert_eq!(cache.fresh(&base, at(2), &config), None, "the topic itself is another");
    }

    #[test]
    fn what_is_out_of_date_makes_room_once_the_cache_is_full() {
        let config = Config { lookup_cache_entries: 2, ..Config::default() };
        let ttl = u64::from(config.lookup_cache_ttl_ms) / 1000;
        let mut cache = LeaderCache::default();
        learn(&mut cache, &partition(0), "a:1", at(1), &config);
        learn(&mut cache, &partition(1), "a:1", at(9), &config);
        learn(&mut cache, &partition(2), "a:1", at(10), &config);
        assert_eq!(cache.fresh(&partition(2), at(10), &config), None, "there was no room");

        learn(&mut cache, &partition(2), "b:1", at(ttl + 2), &config);
        assert!(cache.fresh(&partition(2), at(ttl + 2), &config).is_some());
        assert!(cache.fresh(&partition(1), at(ttl + 2), &config).is_some());
    }

    #[test]
    fn a_node_that_leads_nothing_any_more_is_not_told() {
        let (mut cache, config) = (LeaderCache::default(), Config::default());
        learn(&mut cache, &partition(0), "a:1", at(1), &config);
        learn(&mut cache, &partition(1), "b:1", at(1), &config);
        learn(&mut cache, &partition(0), "b:1", at(2), &config);
        let told = |cache: &LeaderCache| cache.addresses().into_iter().map(|node| node.host).collect::<Vec<_>>();
        assert_eq!(told(&cache), ["b"]);

        cache.forget(&partition(0));
        cache.forget(&partition(1));
        assert_eq!(told(&cache), [""; 0]);
    }
}
