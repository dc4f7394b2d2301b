//! Header maps as proxy-wasm serialises them: a count, then (key length, value length) pairs, then the strings, each with a NUL.

/// `pairs` in the guest's layout (little-endian).
pub(super) fn encode(pairs: &[(String, String)]) -> Vec<u8> {
    let mut out = word(pairs.len()).to_vec();
    for (key, value) in pairs {
        out.extend_from_slice(&word(key.len()));
        out.extend_from_slice(&word(value.len()));
    }
    for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }
    out
}

/// The pairs in `bytes`; `None` if they do not fit together. No bytes at all are no pairs.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let size_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let count = size_at(0)?;
    let mut at = 4 + 8 * count;
    let mut text = |length: usize| {
        let text = bytes.get(at..at + length)?;
        at += length + 1;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    (0..count).map(|i| Some((text(size_at(4 + 8 * i)?)?, text(size_at(8 + 8 * i)?)?))).collect()
}

fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_round_trip() {
        let pairs = vec![(":path".to_string(), "/x".to_string()), ("empty".to_string(), String::new())];
        assert_eq!(decode(&encode(&pairs)), Some(pairs));
        assert_eq!(decode(b""), Some(vec![]));
    }

    #[test]
    fn cut_bytes_are_refused() {
        let whole = encode(&[("key".to_string(), "value".to_string())]);
        assert_eq!(decode(&whole[..8]), None);
    }
}
