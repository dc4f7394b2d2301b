//! What several APIs say of members.

use std::net::{IpAddr, Ipv6Addr};

use kafka_protocol::protocol::StrBytes;

use super::exchange::text;
use crate::config::HostPort;
use crate::group::ask::Membership;

/// A member as a request names it.
pub fn membership(member: &StrBytes, instance: Option<&StrBytes>, generation: i32) -> Membership {
    Membership { member: member.to_string(), instance: owned(instance), generation }
}

/// An optional string of a request.
pub fn owned(value: Option<&StrBytes>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// An optional string for a response.
pub fn optional(value: Option<String>) -> Option<StrBytes> {
    value.map(text)
}

/// A client's address as Kafka tells it: by `InetAddress.toString`, without a name.
pub fn client_host(peer: Option<&HostPort>) -> String {
    let Some(HostPort { host, .. }) = peer else { return "/".into() };
    match host.parse() {
        Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => format!("/{address}"),
            None => format!("/{}", uncompressed(address)),
        },
        Ok(IpAddr::V4(_)) | Err(_) => format!("/{host}"),
    }
}

/// Java writes every group of an IPv6 address.
fn uncompressed(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_of(peer: &str) -> String {
        client_host(Some(&peer.parse().unwrap()))
    }

    #[test]
    fn a_client_is_named_as_java_prints_its_address() {
        assert_eq!(host_of("10.1.2.3:50000"), "/10.1.2.3");
        assert_eq!(host_of("[::1]:50000"), "/0:0:0:0:0:0:0:1");
        assert_eq!(host_of("[::ffff:10.1.2.3]:50000"), "/10.1.2.3");
    }

    #[test]
    fn a_client_whose_address_is_unknown_has_none() {
        assert_eq!(client_host(None), "/");
    }
}
