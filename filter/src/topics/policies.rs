//! What namespaces must have for Kafka's clients to find what they expect, and for groups to lose nothing: looked for once, and
//! logged where it is missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::AdminError;
use crate::group::id::namespace as groups_namespace;
use crate::session::admin::{CallId, Method};
use crate::session::io::Io;

/// The part of Pulsar's `Policies` in use; `None` where the broker's own configuration decides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Policies {
    retention_policies: Option<Retention>,
    #[serde(rename = "deduplicationEnabled")]
    deduplication_enabled: Option<bool>,
    inactive_topic_policies: Option<Inactive>,
    message_ttl_in_seconds: Option<i64>,
    backlog_quota_map: BTreeMap<String, serde_json::Value>,
    encryption_required: bool,
    #[serde(rename = "autoSubscriptionCreationOverride")]
    auto_subscription_creation: Option<AutoSubscription>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutoSubscription {
    allow_auto_subscription_creation: bool,
}

/// What a namespace is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Kafka's topics.
    Topics,
    /// The logs of consumer groups.
    Groups,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Retention {
    retention_time_in_minutes: i64,
    #[serde(rename = "retentionSizeInMB")]
    retention_size_in_mb: i64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Inactive {
    delete_while_inactive: bool,
    max_inactive_duration_seconds: i64,
}

/// A topic that is deleted after so long is as good as kept.
const YEAR_SECONDS: i64 = 365 * 24 * 3600;

impl Inactive {
    fn is_soon(self) -> bool {
        self.max_inactive_duration_seconds < YEAR_SECONDS
    }
}

/// The broker's settings, by name.
type BrokerConfig = BTreeMap<String, String>;

/// ```text
/// AskingNamespace ──something is left to the broker──▶ AskingBroker ──▶ done
///        └──▶ done
/// ```
#[derive(Debug)]
pub enum CheckPolicies {
    /// The namespace's policies are awaited.
    AskingNamespace(Purpose, CallId),
    /// The broker's configuration is awaited; only a superuser may see it.
    AskingBroker(Purpose, CallId, Box<NamespacePolicies>),
}

/// What the namespace says itself.
#[derive(Debug)]
pub struct NamespacePolicies(Policies);

impl CheckPolicies {
    /// Asks for the namespace's policies.
    pub fn new(purpose: Purpose, io: &mut Io<'_>) -> Self {
        let path = format!("/admin/v2/namespaces/{}", purpose.namespace(io));
        Self::AskingNamespace(purpose, io.admin.call(Method::Get, path, None, io.now.instant))
    }

    /// Whether it is done. Whatever cannot be found out is no error: the check is a service to the operator.
    pub fn poll(&mut self, io: &mut Io<'_>) -> bool {
        loop {
            match self {
                Self::AskingNamespace(purpose, call) => {
                    let Some(reply) = io.admin.take(*call) else { return false };
                    let policies = reply.and_then(|reply| reply.success()).and_then(|body| {
                        serde_json::from_slice::<Policies>(&body)
                            .map_err(|_| AdminError::Malformed("namespace policies are not as expected"))
                    });
                    let policies = match policies {
                        Ok(policies) => policies,
                        Err(error) => {
                            io.shared
                                .log
                                .info(format!("the namespace's policies were not checked: {}", error.message()));
                            return true;
                        }
                    };
                    let purpose = *purpose;
                    if policies.is_complete(purpose) {
                        report(purpose, &policies, &BrokerConfig::new(), io);
                        return true;
                    }
                    let path = "/admin/v2/brokers/configuration/runtime".to_owned();
                    let call = io.admin.call(Method::Get, path, None, io.now.instant);
                    *self = Self::AskingBroker(purpose, call, Box::new(NamespacePolicies(policies)));
                }
                Self::AskingBroker(purpose, call, policies) => {
                    let Some(reply) = io.admin.take(*call) else { return false };
                    let config = reply.and_then(|reply| reply.success()).ok();
                    match config.and_then(|body| serde_json::from_slice::<BrokerConfig>(&body).ok()) {
                        Some(config) => report(*purpose, &policies.0, &config, io),
                        None => io.shared.log.info(
                            "the namespace leaves policies to the broker's configuration, which could not be read: see docs/deploy.md for what is needed",
                        ),
                    }
                    return true;
                }
            }
        }
    }
}

impl Purpose {
    fn namespace(self, io: &Io<'_>) -> String {
        match self {
            Self::Topics => format!("{}/{}", io.shared.config.tenant, io.shared.config.namespace),
            Self::Groups => groups_namespace(&io.shared.config),
        }
    }
}

impl Policies {
    fn is_complete(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Topics => {
                self.retention_policies.is_some()
                    && self.deduplication_enabled.is_some()
                    && self.inactive_topic_policies.is_some()
            }
            Purpose::Groups => self.message_ttl_in_seconds.is_some() && self.auto_subscription_creation.is_some(),
        }
    }

    /// What may cost groups their logs, with what to do about it.
    fn hazards(&self, broker: &BrokerConfig) -> Vec<&'static str> {
        let number = |key: &str| broker.get(key).and_then(|value| value.parse::<i64>().ok());
        let mut hazards = Vec::new();
        let ttl = self.message_ttl_in_seconds.or_else(|| number("ttlDurationDefaultInSeconds"));
        if ttl.is_some_and(|seconds| seconds > 0) {
            hazards.push(
                "messages expire: the logs of consumer groups lose their beginnings, and groups that live longer cannot be \
                 loaded; set the TTL to 0, or groups_namespace to a namespace without one",
            );
        }
        let by_age = self.backlog_quota_map.contains_key("message_age");
        if by_age || number("backlogQuotaDefaultLimitSecond").is_some_and(|seconds| seconds > 0) {
            hazards.push(
                "a backlog quota by age refuses writers, or moves what holds back the trimming of groups' logs: remove it, or \
                 set groups_namespace to a namespace without one",
            );
        }
        if self.encryption_required {
            hazards
                .push("encryption is required: the logs of groups are not encrypted; set groups_namespace to another");
        }
        let auto_subscription = self
            .auto_subscription_creation
            .map(|policy| policy.allow_auto_subscription_creation)
            .or_else(|| broker.get("allowAutoSubscriptionCreation").and_then(|value| value.parse().ok()));
        if auto_subscription == Some(false) {
            hazards.push(
                "subscriptions are not created automatically: groups cannot be written; allow it, or set groups_namespace \
                 to a namespace that does",
            );
        }
        hazards
    }

    /// What is missing, with what to do about it.
    fn missing(&self, broker: &BrokerConfig) -> Vec<&'static str> {
        let number = |key: &str| broker.get(key).and_then(|value| value.parse::<i64>().ok());
        let flag = |key: &str| broker.get(key).and_then(|value| value.parse::<bool>().ok());
        let retained = match self.retention_policies {
            Some(retention) => Some((retention.retention_time_in_minutes, retention.retention_size_in_mb)),
            None => number("defaultRetentionTimeInMinutes").zip(number("defaultRetentionSizeInMB")),
        };
        let deduplicated = self.deduplication_enabled.or_else(|| flag("brokerDeduplicationEnabled"));
        let soon = number("brokerDeleteInactiveTopicsMaxInactiveDurationSeconds").unwrap_or(0) < YEAR_SECONDS;
        let deleted = match self.inactive_topic_policies {
            Some(inactive) => Some(inactive.delete_while_inactive && inactive.is_soon()),
            None => flag("brokerDeleteInactiveTopicsEnabled").map(|deleted| deleted && soon),
        };
        let mut missing = Vec::new();
        if retained == Some((0, 0)) {
            missing.push(
                "no retention: Pulsar deletes records that no subscription holds, before Kafka's consumers have read them; \
                 set a retention policy on the namespace",
            );
        }
        if deduplicated == Some(false) {
            missing.push(
                "no deduplication: a batch that an idempotent producer sends again is stored twice; \
                 set deduplication on the namespace",
            );
        }
        if deleted == Some(true) {
            missing.push(
                "inactive topics are deleted: a topic without producers and consumers disappears; \
                 set inactive-topic policies on the namespace, or brokerDeleteInactiveTopicsEnabled=false",
            );
        }
        missing
    }
}

fn report(purpose: Purpose, policies: &Policies, broker: &BrokerConfig, io: &mut Io<'_>) {
    let found = match purpose {
        Purpose::Topics => policies.missing(broker),
        Purpose::Groups => policies.hazards(broker),
    };
    for missing in found {
        let line = format!("namespace {}: {missing}", purpose.namespace(io));
        io.shared.log.warn(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(policies: &str, broker: &[(&str, &str)]) -> usize {
        let broker = broker.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        serde_json::from_str::<Policies>(policies).unwrap().missing(&broker).len()
    }

    #[test]
    fn a_namespace_that_has_everything_is_silent() {
        let policies = r#"{"retention_policies": {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1},
            "deduplicationEnabled": true, "inactive_topic_policies": {"deleteWhileInactive": false}}"#;
        assert_eq!(missing(policies, &[]), 0);
    }

    #[test]
    fn what_the_namespace_leaves_open_is_the_brokers_default() {
        let untouched = [
            ("defaultRetentionTimeInMinutes", "0"),
            ("defaultRetentionSizeInMB", "0"),
            ("brokerDeduplicationEnabled", "false"),
            ("brokerDeleteInactiveTopicsEnabled", "true"),
        ];
        assert_eq!(missing("{}", &untouched), 3);
        assert_eq!(missing(r#"{"deduplicationEnabled": true}"#, &untouched), 2);
    }

    #[test]
    fn what_may_cost_groups_their_logs_is_found() {
        let hazards = |policies: &str, broker: &[(&str, &str)]| {
            let broker = broker.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            serde_json::from_str::<Policies>(policies).unwrap().hazards(&broker).len()
        };
        assert_eq!(
            hazards("{}", &[("ttlDurationDefaultInSeconds", "0"), ("allowAutoSubscriptionCreation", "true")]),
            0
        );
        assert_eq!(hazards(r#"{"message_ttl_in_seconds": 60}"#, &[]), 1);
        assert_eq!(hazards("{}", &[("ttlDurationDefaultInSeconds", "60"), ("backlogQuotaDefaultLimitSecond", "9")]), 2);
        assert_eq!(hazards(r#"{"backlog_quota_map": {"message_age": {}}, "encryption_required": true}"#, &[]), 2);
        assert_eq!(
            hazards(r#"{"autoSubscriptionCreationOverride": {"allowAutoSubscriptionCreation": false}}"#, &[]),
            1
        );
    }

    #[test]
    fn what_nobody_tells_is_not_called_missing() {
        assert_eq!(missing("{}", &[]), 0);
    }
}
