//! The header in front of every Kafka request.
//!
//! Versions 1 and 2 of `RequestHeader.json`; which one a request carries is told by its API key and version (KIP-482).

use std::fmt;

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;

use super::reader::{Reader, Short};

/// The most tagged fields a header may carry; clients send none.
pub const MAX_HEADER_TAGS: usize = 16;

/// The first header version with tagged fields.
const FLEXIBLE_HEADER: i16 = 2;

/// What every Kafka request begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API, one that Kafka has; whether it is served is not asked here.
    pub api_key: ApiKey,
    /// The version of the request, any.
    pub api_version: i16,
    /// Comes back in front of the response. Clients may use one twice.
    pub correlation_id: i32,
    /// The client's name for itself. Bytes that are not UTF-8 stand as U+FFFD, as in Apache Kafka.
    pub client_id: Option<StrBytes>,
}

/// Why a request cannot even be assigned to an API. It is the client's fault, and the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The request ends inside its header, or a length in it is wrong.
    Malformed,
    /// Kafka has no such API, so the length of its header is unknown.
    UnknownApi {
        /// As it stands on the wire.
        api_key: i16,
        /// As it stands on the wire.
        api_version: i16,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => write!(f, "request header is malformed"),
            Self::UnknownApi { api_key, api_version } => {
                write!(f, "request of unknown API key {api_key}, version {api_version}")
            }
        }
    }
}

impl std::error::Error for HeaderError {}

impl From<Short> for HeaderError {
    fn from(Short: Short) -> Self {
        Self::Malformed
    }
}

/// Splits a request, whose length word is taken off, into its header and its body. Both are slices of `frame`.
pub fn parse_request(frame: Bytes) -> Result<(RequestHeader, Bytes), HeaderError> {
    let mut reader = Reader::new(&frame);
    let (api_key, api_version) = (reader.i16()?, reader.i16()?);
    let correlation_id = reader.i32()?;
    let api_key = ApiKey::try_from(api_key).map_err(|()| HeaderError::UnknownApi { api_key, api_version })?;
    let client_id = match reader.i16()? {
        -1 => None,
        length => {
            let length = usize::try_from(length).map_err(|_| HeaderError::Malformed)?;
            Some(text(frame.slice_ref(reader.take(length)?)))
        }
    };
    if api_key.request_header_version(api_version) >= FLEXIBLE_HEADER {
        skip_tags(&mut reader)?;
    }
    let body = frame.slice_ref(reader.rest());
    Ok((RequestHeader { api_key, api_version, correlation_id, client_id }, body))
}

fn text(bytes: Bytes) -> StrBytes {
    StrBytes::from_utf8(bytes.clone())
        .unwrap_or_else(|_| StrBytes::from_string(String::from_utf8_lossy(&bytes).into_owned()))
}

fn skip_tags(reader: &mut Reader<'_>) -> Result<(), HeaderError> {
    let count = size(reader.varint()?)?;
    if count > MAX_HEADER_TAGS {
        return Err(HeaderError::Malformed);
    }
    for _ in 0..count {
        reader.varint()?;
        let content = size(reader.varint()?)?;
        reader.take(content)?;
    }
    Ok(())
}

fn size(announced: u32) -> Result<usize, HeaderError> {
    usize::try_from(announced).map_err(|_| HeaderError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    /// Metadata v12 (flexible header) with client id "kc", two tagged fields and the body "body".
    const METADATA_12: &[u8] = b"\0\x03\0\x0c\0\0\0\x2a\0\x02kc\x02\x00\x01x\x07\x00body";

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_flexible_header_is_read_and_its_tagged_fields_are_skipped() {
        let (header, body) = parse_request(Bytes::from_static(METADATA_12)).unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (ApiKey::Metadata, 12, 42));
        assert_eq!(header.client_id.as_deref(), Some("kc"));
        assert_eq!(body, "body");
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_header_before_flexible_versions_ends_with_the_client_id() {
        let (header, body) = parse_request(Bytes::from_static(b"\0\x03\0\x01\0\0\0\x2a\xff\xff\0\0\0\0")).unwrap();
        assert_eq!(header.client_id, None);
        assert_eq!(body, b"\0\0\0\0".as_slice());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn api_versions_newer_than_any_still_has_a_header_so_that_it_can_be_answered() {
        let (header, _) = parse_request(Bytes::from_static(b"\0\x12\x00\x63\0\0\0\x01\0\x01c\0rest")).unwrap();
        assert_eq!((header.api_key, header.api_version), (ApiKey::ApiVersions, 99));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_client_id_that_is_not_utf8_does_not_cost_the_connection() {
        let (header, _) = parse_request(Bytes::from_static(b"\0\x03\0\x01\0\0\0\x01\0\x04caf\xe9")).unwrap();
        assert_eq!(header.client_id.as_deref(), Some("caf\u{fffd}"));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_header_cut_short_is_malformed_at_every_length() {
        for length in 0..METADATA_12.len() - "body".len() {
            let cut = Bytes::from_static(&METADATA_12[..length]);
            assert_eq!(parse_request(cut), Err(HeaderError::Malformed), "at {length} bytes");
        }
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn lengths_that_lie_are_malformed() {
        let negative = Bytes::from_static(b"\0\x03\0\x01\0\0\0\x01\xff\xfe");
        assert_eq!(parse_request(negative), Err(HeaderError::Malformed));
        let endless_tags = Bytes::from_static(b"\0\x03\0\x0c\0\0\0\x01\xff\xff\xff\xff\xff\xff\x0f");
        assert_eq!(parse_request(endless_tags), Err(HeaderError::Malformed));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn an_api_that_kafka_does_not_have_is_named_in_the_error() {
        let http = Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(parse_request(http), Err(HeaderError::UnknownApi { api_key: 0x4745, api_version: 0x5420 }));
    }
}
