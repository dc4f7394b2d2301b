//! Replica assignments that clients write themselves. Pulsar places partitions as it will; what can be kept of an assignment is
//! how many partitions it names and that each lies on one of the nodes.

use std::collections::BTreeSet;

use kafka_protocol::error::ResponseError;

use super::change::Refused;
use super::leader::FindLeader;
use super::name::PulsarTopic;
use super::node::node_id;
use crate::config::HostPort;
use crate::session::io::Io;

/// The nodes that an assignment may name: those that clients are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes(BTreeSet<i32>);

/// The question for the nodes, on its way to its answer.
#[derive(Debug)]
pub struct FindNodes(FindLeader);

impl FindNodes {
    /// Looks up this broker's own address by `anchor`, a topic that need not exist.
    pub fn new(anchor: &str, io: &mut Io<'_>) -> Self {
        let anchor = PulsarTopic::internal(&io.shared.config, anchor);
        Self(FindLeader::new(&anchor, io))
    }

    /// This broker, those that lead something as far as this worker knows, and those with a configured id.
    pub fn poll(&mut self, io: &mut Io<'_>) -> Option<Nodes> {
        let own = self.0.poll(io)?.ok().map(|address| HostPort::clone(&address));
        let own = own.or_else(|| io.client.endpoints.reached.clone());
        let config = &io.shared.config;
        let seen = io.shared.leaders.addresses().into_iter().chain(own).map(|address| node_id(&address, config));
        Some(Nodes(seen.chain(config.node_ids.values().copied()).collect()))
    }
}

impl Nodes {
    /// Every id.
    pub fn ids(&self) -> impl Iterator<Item = i32> {
        self.0.iter().copied()
    }

    /// Whether a broker has this id.
    pub fn contains(&self, id: i32) -> bool {
        self.0.contains(&id)
    }

    /// One partition's replicas, by Kafka's rules and words (`ReplicationControlManager.validateManualPartitionAssignment`): with
    /// one replica for each partition, which is what every topic here has.
    pub fn check(&self, replicas: &[i32]) -> Result<(), Refused> {
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        if let Some(unknown) = sorted.iter().find(|id| !self.0.contains(id)) {
            return Err(invalid(format!(
                "The manual partition assignment includes broker {unknown}, but no such broker is registered."
            )));
        }
        if let Some([twice, _]) = sorted.array_windows().find(|[first, second]| first == second) {
            return Err(invalid(format!(
                "The manual partition assignment includes the broker {twice} more than once."
            )));
        }
        match sorted.len() {
            0 => Err(invalid("The manual partition assignment includes an empty replica list.")),
            1 => Ok(()),
            more => Err(invalid(format!(
                "The manual partition assignment includes a partition with {more} replica(s), but every partition has 1 here: \
                 Pulsar keeps its copies by itself."
            ))),
        }
    }
}

/// How many partitions a whole assignment makes: each must be there once, from 0 on.
pub fn check_all<'a>(
    nodes: &Nodes,
    assignments: impl ExactSizeIterator<Item = (i32, &'a [i32])>,
) -> Result<u32, Refused> {
    let count = assignments.len();
    let mut seen = BTreeSet::new();
    for (partition, replicas) in assignments {
        if !seen.insert(partition) {
            return Err(invalid(format!("Found multiple manual partition assignments for partition {partition}")));
        }
        nodes.check(replicas)?;
    }
    if !seen.into_iter().eq((0_i32..).take(count)) {
        return Err(invalid("partitions should be a consecutive 0-based integer sequence"));
    }
    u32::try_from(count).map_err(|_| invalid("too many partitions"))
}

fn invalid(message: impl Into<String>) -> Refused {
    Refused::because(ResponseError::InvalidReplicaAssignment, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a broker with id 1 answers (Apache Kafka 4.3.1).
    fn words(assignments: &[(i32, &[i32])]) -> String {
        let nodes = Nodes([1].into());
        check_all(&nodes, assignments.iter().copied()).unwrap_err().message.unwrap()
    }

    #[test]
    fn an_assignment_of_one_known_broker_each_makes_as_many_partitions() {
        assert_eq!(check_all(&Nodes([1].into()), [(1, [1].as_slice()), (0, &[1])].into_iter()), Ok(2));
    }

    #[test]
    fn what_kafka_refuses_is_refused_in_its_words() {
        assert_eq!(
            words(&[(0, &[1, 987])]),
            "The manual partition assignment includes broker 987, but no such broker is registered."
        );
        assert_eq!(words(&[(0, &[1, 1])]), "The manual partition assignment includes the broker 1 more than once.");
        assert_eq!(words(&[(0, &[])]), "The manual partition assignment includes an empty replica list.");
        assert_eq!(words(&[(0, &[1]), (0, &[1])]), "Found multiple manual partition assignments for partition 0");
        for gap in [[(0, [1].as_slice()), (2, &[1])], [(-1, &[1]), (0, &[1])]] {
            assert_eq!(words(&gap), "partitions should be a consecutive 0-based integer sequence");
        }
    }

    #[test]
    fn several_replicas_are_refused_even_on_known_brokers() {
        let refused = check_all(&Nodes([1, 2].into()), [(0, [1, 2].as_slice())].into_iter()).unwrap_err();
        assert_eq!(refused.code, ResponseError::InvalidReplicaAssignment);
    }
}
