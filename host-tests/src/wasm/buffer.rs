//! How a guest reads and writes Envoy's buffers (Envoy `context.cc`, `Buffer::copyFrom` and `copyTo`).

use super::status::Status;

/// The bytes from `start`, at most `length`; `BadArgument` if `start` is past the end.
pub(super) fn copy_to(buffer: &[u8], start: usize, length: usize) -> Result<&[u8], Status> {
    let rest = buffer.get(start..).ok_or(Status::BadArgument)?;
    Ok(&rest[..length.min(rest.len())])
}

/// Envoy takes three shapes and no other: replace or insert at the front (`start` 0: the first `length` bytes go, `data` is put
/// before what remains), append (`start` at or past the end), and refuses a write into the middle.
pub(super) fn copy_from(buffer: &mut Vec<u8>, start: usize, length: usize, data: &[u8]) -> Result<(), Status> {
    if start == 0 {
        let drained = length.min(buffer.len());
        buffer.splice(..drained, data.iter().copied());
        Ok(())
    } else if start >= buffer.len() {
        buffer.extend_from_slice(data);
        Ok(())
    } else {
        Err(Status::BadArgument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(start: usize, length: usize, data: &[u8]) -> Result<Vec<u8>, Status> {
        let mut buffer = b"abcdef".to_vec();
        copy_from(&mut buffer, start, length, data).map(|()| buffer)
    }

    #[test]
    fn a_write_at_the_front_replaces_as_many_bytes_as_it_names_and_keeps_the_rest() {
        assert_eq!(written(0, 6, b"X").unwrap(), b"X");
        assert_eq!(written(0, 2, b"XYZ").unwrap(), b"XYZcdef");
        assert_eq!(written(0, 0, b"X").unwrap(), b"Xabcdef");
        assert_eq!(written(0, 100_000, b"").unwrap(), b"");
    }

    #[test]
    fn a_write_at_or_past_the_end_appends() {
        assert_eq!(written(6, 0, b"X").unwrap(), b"abcdefX");
        assert_eq!(written(99, 5, b"X").unwrap(), b"abcdefX");
    }

    #[test]
    fn a_write_into_the_middle_is_refused() {
        assert_eq!(written(3, 1, b"X"), Err(Status::BadArgument));
    }

    #[test]
    fn a_read_is_cut_at_the_end_and_refused_past_it() {
        assert_eq!(copy_to(b"abc", 1, 99), Ok(&b"bc"[..]));
        assert_eq!(copy_to(b"abc", 3, 1), Ok(&b""[..]));
        assert_eq!(copy_to(b"abc", 4, 1), Err(Status::BadArgument));
    }
}
