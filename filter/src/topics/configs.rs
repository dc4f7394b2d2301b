//! Topic configurations that may stand in CreateTopics. Pulsar's policies are the namespace's; here only those pass that say
//! what already holds.

use kafka_protocol::error::ResponseError;

use super::change::Refused;

/// What holds for every topic, as Kafka would configure it.
///
/// Pulsar deletes and does not compact unless told so; batches rest as their producer compressed them; a record keeps its
/// producer's timestamp; one replica is in sync as far as Kafka sees; BookKeeper elects no leader that lacks acknowledged records.
pub const GIVEN: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("compression.type", "producer"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("preallocate", "false"),
    ("remote.storage.enable", "false"),
    ("unclean.leader.election.enable", "false"),
];

/// Refuses whatever would not hold; `None` is a null on the wire.
pub fn check<'a>(configs: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Result<(), Refused> {
    for (name, value) in configs {
        let Some(value) = value else {
            let message = format!("Null value not supported for topic configs: {name}");
            return Err(Refused::because(ResponseError::InvalidConfig, message));
        };
        if !GIVEN.contains(&(name, value)) {
            let given: Vec<_> = GIVEN.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let message = format!(
                "Topic config {name}={value} is not supported: a topic follows the policies of its Pulsar namespace. \
                 What holds anyway may be given: {}",
                given.join(", ")
            );
            return Err(Refused::because(ResponseError::InvalidConfig, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_anyway_may_be_said() {
        assert_eq!(check(GIVEN.iter().map(|(name, value)| (*name, Some(*value)))), Ok(()));
    }

    #[test]
    fn what_would_not_hold_is_refused_by_name() {
        for (name, value) in [("retention.ms", "1000"), ("cleanup.policy", "compact"), ("nope", "1")] {
            let refused = check([("compression.type", Some("producer")), (name, Some(value))]).unwrap_err();
            assert_eq!(refused.code, ResponseError::InvalidConfig);
            assert!(refused.message.unwrap().contains(&format!("{name}={value}")));
        }
    }

    #[test]
    fn a_config_without_a_value_is_refused_as_kafka_does() {
        let refused = check([("retention.ms", None)]).unwrap_err();
        assert_eq!(refused.message.unwrap(), "Null value not supported for topic configs: retention.ms");
    }
}
