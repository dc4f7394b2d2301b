//! Responses as frames: `[i32 length][i32 correlation id][tagged fields, in flexible headers][body]`.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::Encodable;

/// Bytes of the length word.
const LENGTH_BYTES: usize = 4;

/// A response that cannot be written: a field its version cannot carry, or more than 2 GiB. It is the filter's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseError(String);

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "response cannot be written: {}", self.0)
    }
}

impl std::error::Error for ResponseError {}

/// The frame of a response that kafka-protocol encodes.
pub fn encode<T: Encodable>(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    response: &T,
) -> Result<Bytes, ResponseError> {
    let body_bytes = response.compute_size(api_version).map_err(|error| ResponseError(error.to_string()))?;
    frame(api_key, api_version, correlation_id, body_bytes, |out| {
        response.encode(out, api_version).map_err(|error| ResponseError(error.to_string()))
    })
}

/// The frame of a response whose body, of about `body_bytes`, `write_body` appends by hand.
pub fn frame(
    api_key: ApiKey,
    api_version: i16,
    correlation_id: i32,
    body_bytes: usize,
    write_body: impl FnOnce(&mut BytesMut) -> Result<(), ResponseError>,
) -> Result<Bytes, ResponseError> {
    let mut out = BytesMut::with_capacity(body_bytes.saturating_add(LENGTH_BYTES + 5));
    out.put_i32(0);
    out.put_i32(correlation_id);
    // Version 0 for every ApiVersions: the client does not yet know what the broker speaks (KIP-511).
    if api_key.response_header_version(api_version) >= 1 {
        out.put_u8(0);
    }
    write_body(&mut out)?;
    let length = i32::try_from(out.len().saturating_sub(LENGTH_BYTES))
        .map_err(|_| ResponseError(format!("{} bytes are more than a frame can hold", out.len())))?;
    if let Some(word) = out.first_chunk_mut() {
        *word = length.to_be_bytes();
    }
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{ApiVersionsResponse, HeartbeatResponse};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_response_is_framed_with_its_length_and_correlation_id() {
        let heartbeat = HeartbeatResponse::default().with_error_code(27);
        let frame = encode(ApiKey::Heartbeat, 0, 7, &heartbeat).unwrap();
        assert_eq!(frame, b"\0\0\0\x06\0\0\0\x07\0\x1b".as_slice());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_flexible_response_has_a_tag_byte_in_its_header() {
        let heartbeat = HeartbeatResponse::default().with_error_code(27);
        let frame = encode(ApiKey::Heartbeat, 4, 7, &heartbeat).unwrap();
        assert_eq!(frame, b"\0\0\0\x0c\0\0\0\x07\0\0\0\0\0\0\x1b\0".as_slice());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn api_versions_has_the_oldest_header_in_every_version() {
        let frame = encode(ApiKey::ApiVersions, 3, 7, &ApiVersionsResponse::default()).unwrap();
        // Error code 0, an empty compact array, throttle time 0, no tagged fields: right behind the correlation id.
        assert_eq!(frame, b"\0\0\0\x0c\0\0\0\x07\0\0\x01\0\0\0\0\0".as_slice());
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_field_that_the_version_cannot_carry_is_an_error() {
        let throttled = HeartbeatResponse::default().with_throttle_time_ms(5);
        assert!(encode(ApiKey::Heartbeat, 99, 7, &throttled).is_err());
    }
}
