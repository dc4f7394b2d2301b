//! Kafka's APIs, one file each, and the table of those that are served.
//!
//! The table is dispatch, the ApiVersions answer and the published compatibility matrix at once: what is not in it is not advertised.

pub mod api_versions;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod exchange;
pub mod fetch;
pub mod init_producer_id;
pub mod list_offsets;
pub mod matrix;
pub mod metadata;
pub mod produce;

use kafka_protocol::messages::ApiKey;

use exchange::{Context, Refusal, Request, Started};

/// One served API.
#[derive(Debug)]
pub struct Api {
    /// Which.
    pub key: ApiKey,
    /// First version that is advertised; below [`Api::min`] only where clients need to see it.
    pub advertised_min: i16,
    /// First version that is served.
    pub min: i16,
    /// Last version that is served and advertised.
    pub max: i16,
    /// Begins to answer a request.
    pub start: fn(Request, &mut Context<'_>) -> Result<Started, Refusal>,
    /// What differs from Apache Kafka, for the compatibility table.
    pub notes: &'static str,
}

const fn api(
    key: ApiKey,
    min: i16,
    max: i16,
    start: fn(Request, &mut Context<'_>) -> Result<Started, Refusal>,
    notes: &'static str,
) -> Api {
    Api { key, advertised_min: min, min, max, start, notes }
}

/// Every served API, by key.
///
/// Caps: Produce 12 and up, Fetch 13 and up need topic ids or the second transaction protocol, of which there are none.
pub const APIS: &[Api] = &[
    // librdkafka before 2.11.1 stops compressing where Produce begins above 0 (KAFKA-18659); Apache Kafka 4 advertises 0 too.
    Api {
        key: ApiKey::Produce,
        advertised_min: 0,
        min: 3,
        max: 11,
        start: produce::start,
        notes: "0–2 are advertised and refused, as Apache Kafka 4 does. Transactional ids are refused.",
    },
    api(ApiKey::Fetch, 4, 12, fetch::start, "Fetch sessions are declined: every request is a full one."),
    api(
        ApiKey::ListOffsets,
        1,
        7,
        list_offsets::start,
        "By timestamp: exact where timestamps do not decrease. Max timestamp: over the last entries of the partition.",
    ),
    api(
        ApiKey::Metadata,
        0,
        12,
        metadata::start,
        "No topic ids, leader epoch always 0, one replica: the owning broker.",
    ),
    api(ApiKey::ApiVersions, 0, 4, api_versions::start, ""),
    api(
        ApiKey::CreateTopics,
        2,
        7,
        create_topics::start,
        "Partitioned topics. Replication factor 1 or the default; only configs that say what already holds; no topic ids.",
    ),
    api(ApiKey::DeleteTopics, 1, 6, delete_topics::start, "By name; a topic id is unknown."),
    api(
        ApiKey::InitProducerId,
        0,
        4,
        init_producer_id::start,
        "Idempotent producers only; a transactional id is refused.",
    ),
    api(
        ApiKey::DescribeConfigs,
        1,
        4,
        describe_configs::start,
        "No configurations are told yet: the list is empty. Served for `kafka-topics --describe`.",
    ),
    api(
        ApiKey::CreatePartitions,
        0,
        3,
        create_partitions::start,
        "Pulsar places the partitions, whatever an assignment says. A topic without partitions gets none.",
    ),
    api(
        ApiKey::DescribeCluster,
        0,
        1,
        describe_cluster::start,
        "Brokers that lead a partition of the namespace, as far as known.",
    ),
];

/// The entry of an API, if it is served.
pub fn find(key: ApiKey) -> Option<&'static Api> {
    APIS.iter().find(|api| api.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_names_each_api_once() {
        assert!(APIS.windows(2).all(|pair| (pair[0].key as i16) < (pair[1].key as i16)));
    }

    #[test]
    fn every_range_is_one_that_kafka_has() {
        for api in APIS {
            let kafka = api.key.valid_versions();
            assert!(api.advertised_min <= api.min && api.min <= api.max, "{:?}", api.key);
            assert!(kafka.min <= api.min && api.max <= kafka.max, "{:?}: {kafka:?}", api.key);
        }
    }
}
