//! Kafka's APIs, one file each, and the table of those that are served.
//!
//! The table is dispatch, the ApiVersions answer and the published compatibility matrix at once: what is not in it is not advertised.

pub mod alter_configs;
pub mod alter_resources;
pub mod api_versions;
pub mod config_resource;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_user_scram_credentials;
pub mod each_group;
pub mod elect_leaders;
pub mod exchange;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod matrix;
pub mod member;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod one_group;
pub mod produce;
pub mod sync_group;

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
/// Caps: OffsetCommit 9 and OffsetFetch 9 are for the members of another protocol (KIP-848), DescribeGroups 6 for an error where
/// a group does not exist. Produce 12 and up, Fetch 13 and up need topic ids or the second transaction protocol, of which there are none.
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
    api(ApiKey::OffsetCommit, 2, 8, offset_commit::start, "The topic need not exist; the retention time is ignored."),
    api(ApiKey::OffsetFetch, 1, 8, offset_fetch::start, ""),
    api(
        ApiKey::FindCoordinator,
        0,
        4,
        find_coordinator::start,
        "The broker that owns the topic of the group's log. Transactions have no coordinator.",
    ),
    api(ApiKey::JoinGroup, 0, 9, join_group::start, "A rebalance timeout is 30 minutes at most."),
    api(ApiKey::Heartbeat, 0, 4, heartbeat::start, ""),
    api(ApiKey::LeaveGroup, 0, 5, leave_group::start, ""),
    api(ApiKey::SyncGroup, 0, 5, sync_group::start, ""),
    api(ApiKey::DescribeGroups, 0, 5, describe_groups::start, "Without ACLs: every operation is authorized."),
    api(
        ApiKey::ListGroups,
        0,
        5,
        list_groups::start,
        "Each broker lists the groups whose topics it owns, 10,000 at most; all are of type `classic`.",
    ),
    api(ApiKey::ApiVersions, 0, 4, api_versions::start, ""),
    api(
        ApiKey::CreateTopics,
        2,
        7,
        create_topics::start,
        "Partitioned topics. Replication factor up to `max_replication_factor`; configurations as in the table below; no topic ids.",
    ),
    api(ApiKey::DeleteTopics, 1, 6, delete_topics::start, "By name; a topic id is unknown."),
    api(
        ApiKey::DeleteRecords,
        0,
        2,
        delete_records::start,
        "The log start moves at once; Pulsar frees the space as the topic's retention says.",
    ),
    api(
        ApiKey::InitProducerId,
        0,
        4,
        init_producer_id::start,
        "Idempotent producers only; a transactional id is refused.",
    ),
    api(
        ApiKey::DescribeAcls,
        1,
        3,
        describe_acls::start,
        "`SECURITY_DISABLED`, as without an authorizer: Pulsar authorizes.",
    ),
    api(
        ApiKey::DescribeConfigs,
        1,
        4,
        describe_configs::start,
        "Topics as in the table below; brokers: few configurations, none of which can be altered.",
    ),
    api(
        ApiKey::AlterConfigs,
        0,
        2,
        alter_configs::start,
        "Topics as in the table below. A broker's are refused, as Apache Kafka refuses what only a restart changes.",
    ),
    api(
        ApiKey::DescribeLogDirs,
        1,
        4,
        describe_log_dirs::start,
        "One directory, `pulsar`: bytes that Pulsar stores for the partitions that the broker leads, copies not counted; no disk.",
    ),
    api(
        ApiKey::CreatePartitions,
        0,
        3,
        create_partitions::start,
        "Pulsar places the partitions, whatever an assignment says. A topic without partitions gets none.",
    ),
    api(
        ApiKey::DeleteGroups,
        0,
        2,
        delete_groups::start,
        "Pulsar deletes the group's topic some time later: see `group-log.md`, \"A topic without a group\".",
    ),
    api(ApiKey::ElectLeaders, 0, 2, elect_leaders::start, "None is needed: the owner is the preferred leader."),
    api(ApiKey::IncrementalAlterConfigs, 0, 1, incremental_alter_configs::start, "As AlterConfigs."),
    api(ApiKey::ListPartitionReassignments, 0, 0, list_partition_reassignments::start, "None is ever under way."),
    api(ApiKey::OffsetDelete, 0, 0, offset_delete::start, ""),
    api(ApiKey::DescribeClientQuotas, 0, 1, describe_client_quotas::start, "There are none."),
    api(ApiKey::DescribeUserScramCredentials, 0, 0, describe_user_scram_credentials::start, "There are none."),
    api(
        ApiKey::DescribeCluster,
        0,
        1,
        describe_cluster::start,
        "Brokers that lead a partition of the namespace, as far as known.",
    ),
    api(
        ApiKey::ListConfigResources,
        0,
        1,
        list_config_resources::start,
        "Topics and brokers; no loggers, client metrics or groups.",
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
