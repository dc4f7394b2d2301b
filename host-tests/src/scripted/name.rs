//! Topic names: `persistent://tenant/namespace/local[-partition-N]`.

/// `tenant/namespace` and local name of a persistent topic; a short name lives in `public/default`.
pub(super) fn split(topic: &str) -> Option<(&str, &str)> {
    let rest = match topic.split_once("://") {
        Some(("persistent", rest)) => rest,
        Some(_) => return None,
        None if !topic.contains('/') => return Some(("public/default", topic)),
        None => topic,
    };
    let (tenant, after) = rest.split_once('/')?;
    let (namespace, local) = after.split_once('/')?;
    (!local.is_empty()).then(|| (&rest[..tenant.len() + 1 + namespace.len()], local))
}

/// The full name, or `None` if there is none for it.
pub(super) fn full(topic: &str) -> Option<String> {
    split(topic).map(|(namespace, local)| format!("persistent://{namespace}/{local}"))
}

/// The partitioned topic and the partition in it, if the name ends like one (`TopicName.getPartitionIndex`).
pub(super) fn partition_of(topic: &str) -> Option<(&str, u32)> {
    let (base, index) = topic.rsplit_once("-partition-")?;
    let parsed: u32 = index.parse().ok()?;
    (parsed.to_string() == index).then_some((base, parsed))
}

pub(super) fn partition(topic: &str, index: u32) -> String {
    format!("{topic}-partition-{index}")
}

/// Topics of the broker itself, which no listing shows (`SystemTopicNames`); others may begin like them.
pub(super) fn is_system(topic: &str) -> bool {
    let topic = partition_of(topic).map_or(topic, |(base, _)| base);
    split(topic).is_some_and(|(_, local)| {
        let of_events = ["__change_events", "__transaction_buffer_snapshot"].contains(&local);
        of_events || local.ends_with("__transaction_pending_ack")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_split_into_namespace_and_local_name() {
        assert_eq!(split("persistent://a/b/c"), Some(("a/b", "c")));
        assert_eq!(full("c").as_deref(), Some("persistent://public/default/c"));
        assert_eq!(split("non-persistent://a/b/c"), None);
        assert_eq!(split("persistent://a/b/"), None);
    }

    #[test]
    fn only_a_canonical_number_makes_a_partition() {
        assert_eq!(partition_of("t-partition-12"), Some(("t", 12)));
        assert_eq!(partition_of("t-partition-012"), None);
        assert_eq!(partition_of("t-partition-"), None);
    }
}
