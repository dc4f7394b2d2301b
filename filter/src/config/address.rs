//! Addresses of brokers, on either side.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host name or address, and a port. An IPv6 address stands in brackets in text, and without them in `host`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address like `broker-0.example:9092` or `[::1]:9092`");
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let host_is_right = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(allowed),
        };
        if !host_is_right {
            return Err(wrong());
        }
        Ok(Self { host: bracketed.unwrap_or(host).to_owned(), port })
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<HostPort> for String {
    fn from(address: HostPort) -> Self {
        address.to_string()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// How a Kafka address is made from a Pulsar address.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressPattern(String);

impl AddressPattern {
    /// The Kafka address of the broker at `pulsar`. An error where the pattern and this address make none.
    pub fn resolve(&self, pulsar: &HostPort) -> Result<HostPort, String> {
        let host = match pulsar.host.contains(':') {
            true => format!("[{}]", pulsar.host),
            false => pulsar.host.clone(),
        };
        self.0.replace("{host}", &host).replace("{port}", &pulsar.port.to_string()).parse()
    }
}

impl TryFrom<String> for AddressPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.contains("{host}") && !text.contains("{port}") {
            return Err(format!("`{text}` has neither {{host}} nor {{port}}: all brokers would be one"));
        }
        let pattern = Self(text);
        let sample = HostPort { host: "broker".to_owned(), port: 6650 };
        pattern.resolve(&sample).map_err(|error| format!("for broker:6650, {error}"))?;
        Ok(pattern)
    }
}

impl From<AddressPattern> for String {
    fn from(pattern: AddressPattern) -> Self {
        pattern.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_written_as_they_were_read() {
        for text in ["broker-0.example:9092", "10.0.0.1:1", "[::1]:9092", "a_b:65535"] {
            assert_eq!(address(text).to_string(), text);
        }
        assert_eq!(address("[::1]:9092").host, "::1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let wrong =
            ["", "host", ":9092", "host:", "host:0", "host:65536", "::1:9092", "[x]:1", "h h:1", "pulsar://h:1"];
        for text in wrong {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_puts_the_parts_of_the_pulsar_address_in_their_places() {
        let pattern = |text: &str| AddressPattern::try_from(text.to_owned()).unwrap();
        assert_eq!(pattern("{host}:9092").resolve(&address("b1:6650")), Ok(address("b1:9092")));
        assert_eq!(pattern("kafka-{host}:{port}").resolve(&address("b1:6651")), Ok(address("kafka-b1:6651")));
        assert_eq!(pattern("{host}:9092").resolve(&address("[::1]:6650")), Ok(address("[::1]:9092")));
    }

    #[test]
    fn a_pattern_that_cannot_make_addresses_is_refused() {
        for text in ["", "gateway:9092", "{host}", "{host}:{port}0000", "{name}:{port}"] {
            assert!(AddressPattern::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
