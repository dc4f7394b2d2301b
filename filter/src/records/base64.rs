//! RFC 4648 base64 as Java's `Base64.getEncoder` has it: the standard alphabet, padded.
//!
//! Written here because it encodes into the entry and decodes into the record batch without a buffer between.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Not in the alphabet.
const NONE: u8 = 0xff;

static VALUES: [u8; 256] = values();

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn values() -> [u8; 256] {
    let mut values = [NONE; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        values[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    values
}

/// Characters for `bytes` bytes.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` encoded.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let (triples, tail) = bytes.as_chunks::<3>();
    for triple in triples {
        out.extend_from_slice(&quad(*triple));
    }
    match *tail {
        [a] => {
            let [w, x, ..] = quad([a, 0, 0]);
            out.extend_from_slice(&[w, x, b'=', b'=']);
        }
        [a, b] => {
            let [w, x, y, _] = quad([a, b, 0]);
            out.extend_from_slice(&[w, x, y, b'=']);
        }
        _ => {}
    }
}

fn quad([a, b, c]: [u8; 3]) -> [u8; 4] {
    [letter(a >> 2), letter(a << 4 | b >> 4), letter(b << 2 | c >> 6), letter(c)]
}

#[allow(clippy::indexing_slicing, reason = "the mask keeps the index below 64")]
fn letter(sextet: u8) -> u8 {
    ALPHABET[usize::from(sextet & 63)]
}

/// Bytes that `text` decodes to, if it is base64. Padding may be left out.
pub(crate) fn decoded_len(text: &[u8]) -> Option<usize> {
    let text = unpadded(text)?;
    if text.len() % 4 == 1 || text.iter().any(|character| value(*character) == NONE) {
        return None;
    }
    // Six bits a character, whole bytes of them.
    text.len().checked_mul(3).map(|sixths| sixths / 4)
}

/// Appends `text` decoded. Only for what [`decoded_len`] gave a length.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) {
    let (quads, tail) = unpadded(text).unwrap_or_default().as_chunks::<4>();
    for quad in quads {
        out.extend_from_slice(&triple(*quad));
    }
    match *tail {
        [w, x] => {
            let [a, ..] = triple([w, x, b'A', b'A']);
            out.push(a);
        }
        [w, x, y] => {
            let [a, b, _] = triple([w, x, y, b'A']);
            out.extend_from_slice(&[a, b]);
        }
        _ => {}
    }
}

fn triple(quad: [u8; 4]) -> [u8; 3] {
    let [w, x, y, z] = quad.map(value);
    [w << 2 | x >> 4, x << 4 | y >> 2, y << 6 | z]
}

#[allow(clippy::indexing_slicing, reason = "a byte indexes 256 entries")]
fn value(character: u8) -> u8 {
    VALUES[usize::from(character)]
}

/// Without the padding, which if present must fill the last quartet.
fn unpadded(text: &[u8]) -> Option<&[u8]> {
    match text {
        [head @ .., b'=', b'='] | [head @ .., b'='] if text.len().is_multiple_of(4) => Some(head),
        [.., b'='] => None,
        _ => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::testing::random_bytes;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        encode(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let examples =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, text) in examples {
            assert_eq!(encoded(plain.as_bytes()), text);
        }
    }

    #[test]
    fn every_length_is_read_back_with_and_without_padding() {
        for length in 0..70 {
            let bytes = random_bytes(length as u64, length);
            let text = encoded(&bytes);
            assert_eq!(text.len(), encoded_len(length));
            for text in [text.as_str(), text.trim_end_matches('=')] {
                assert_eq!(decoded_len(text.as_bytes()), Some(length));
                let mut back = Vec::new();
                decode(text.as_bytes(), &mut back);
                assert_eq!(back, bytes);
            }
        }
    }

    #[test]
    fn what_is_not_base64_has_no_length() {
        for text in ["A", "AAAAA", "AA=", "A===", "=", "====", "AA==AA==", "A\nAA", "A-A_", "\u{e9}AA"] {
            assert_eq!(decoded_len(text.as_bytes()), None, "{text:?}");
        }
    }
}
