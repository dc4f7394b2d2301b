//! Kafka nodes: the addresses clients are told and the ids that stand for them.

use crate::config::{Config, HostPort};

/// Parses the authority of `pulsar://host:port` and `pulsar+ssl://host:port`.
pub fn address_of_url(url: &str) -> Option<HostPort> {
    let (_, authority) = url.split_once("://")?;
    authority.trim_end_matches('/').parse().ok()
}

/// The configured id, else a hash of the address: equal in every worker and every replica, after every restart.
pub fn node_id(address: &HostPort, config: &Config) -> i32 {
    config.node_ids.get(address).copied().unwrap_or_else(|| stable_id(&address.to_string()))
}

/// FNV-1a, folded to 30 bits: positive, and clear of the ids that the Java client makes from `Integer.MAX_VALUE - id`.
fn stable_id(text: &str) -> i32 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    i32::try_from((hash ^ (hash >> 32)) & 0x3fff_ffff).unwrap_or(0)
}

/// The Kafka address of the broker behind a Pulsar URL, by the configured map or pattern.
pub fn mapped(url: &str, config: &Config) -> Option<HostPort> {
    let pulsar = address_of_url(url)?;
    if let Some(address) = config.broker_addresses.get(&pulsar) {
        return Some(address.clone());
    }
    config.broker_address_pattern.as_ref()?.resolve(&pulsar).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        Config::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn the_address_in_a_pulsar_url_is_read() {
        assert_eq!(address_of_url("pulsar://kafka-0.test:9092").unwrap().to_string(), "kafka-0.test:9092");
        assert_eq!(address_of_url("pulsar+ssl://[::1]:9093/").unwrap().to_string(), "[::1]:9093");
        assert_eq!(address_of_url("kafka-0.test:9092"), None);
    }

    #[test]
    fn a_pulsar_url_is_mapped_by_table_then_by_pattern() {
        let config =
            config(r#"{"broker_addresses": {"b1:6650": "k1:9093"}, "broker_address_pattern": "kafka.{host}:9092"}"#);
        assert_eq!(mapped("pulsar://b1:6650", &config).unwrap().to_string(), "k1:9093");
        assert_eq!(mapped("pulsar://b2:6650", &config).unwrap().to_string(), "kafka.b2:9092");
        assert_eq!(mapped("pulsar://b1:6650", &Config::default()), None);
    }

    #[test]
    fn node_ids_never_change() {
        let address = "127.0.0.1:9092".parse().unwrap();
        assert_eq!(node_id(&address, &Config::default()), stable_id("127.0.0.1:9092"));
        assert_eq!(stable_id("127.0.0.1:9092"), 341_317_277);
        assert_eq!(node_id(&address, &config(r#"{"node_ids": {"127.0.0.1:9092": 7}}"#)), 7);
    }
}
