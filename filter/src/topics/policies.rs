//! What the namespace must have for Kafka's clients to find what they expect, looked for once and logged where it is missing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::AdminError;
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
    AskingNamespace(CallId),
    /// The broker's configuration is awaited; only a superuser may see it.
    AskingBroker(CallId, Box<NamespacePolicies>),
}

/// What the namespace says itself.
#[derive(Debug)]
pub struct NamespacePolicies(Policies);

impl CheckPolicies {
    /// Asks for the namespace's policies.
    pub fn new(io: &mut Io<'_>) -> Self {
        let path = format!("/admin/v2/namespaces/{}/{}", io.shared.config.tenant, io.shared.config.namespace);
        Self::AskingNamespace(io.admin.call(Method::Get, path, None, io.now.instant))
    }

    /// Whether it is done. Whatever cannot be found out is no error: the check is a service to the operator.
    pub fn poll(&mut self, io: &mut Io<'_>) -> bool {
        loop {
            match self {
                Self::AskingNamespace(call) => {
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
                    if policies.is_complete() {
                        report(&policies, &BrokerConfig::new(), io);
                        return true;
                    }
                    let path = "/admin/v2/brokers/configuration/runtime".to_owned();
                    let call = io.admin.call(Method::Get, path, None, io.now.instant);
                    *self = Self::AskingBroker(call, Box::new(NamespacePolicies(policies)));
                }
                Self::AskingBroker(call, policies) => {
                    let Some(reply) = io.admin.take(*call) else { return false };
                    let config = reply.and_then(|reply| reply.success()).ok();
                    match config.and_then(|body| serde_json::from_slice::<BrokerConfig>(&body).ok()) {
                        Some(config) => report(&policies.0, &config, io),
                        None => io.shared.log.info(
                            "the namespace leaves retention, deduplication or inactive topics to the broker's configuration, \
                             which could not be read: see docs/deploy.md for what is needed",
                        ),
                    }
                    return true;
                }
            }
        }
    }
}

impl Policies {
    fn is_complete(&self) -> bool {
        self.retention_policies.is_some()
            && self.deduplication_enabled.is_some()
            && self.inactive_topic_policies.is_some()
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
        let deleted = match self.inactive_topic_policies {
            Some(inactive) => Some(inactive.delete_while_inactive),
            None => flag("brokerDeleteInactiveTopicsEnabled"),
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

fn report(policies: &Policies, broker: &BrokerConfig, io: &mut Io<'_>) {
    for missing in policies.missing(broker) {
        let line = format!("namespace {}/{}: {missing}", io.shared.config.tenant, io.shared.config.namespace);
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
    fn what_nobody_tells_is_not_called_missing() {
        assert_eq!(missing("{}", &[]), 0);
    }
}
