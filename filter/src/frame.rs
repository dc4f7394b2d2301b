//! Frames out of a byte stream: both protocols put a 32-bit big-endian length before each.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes};

/// Bytes of the length word.
const LENGTH_BYTES: usize = 4;

/// A part of a frame below this size is copied: keeping it would keep the whole chunk that it came in.
const SMALL_PART_BYTES: usize = 32 * 1024;

/// Cuts a stream into frames, whatever chunks it arrives in.
///
/// A frame that lies in one chunk is a slice of it. Of one that straddles chunks the parts are kept as they came and copied once,
/// when the last is there: nothing is allocated for an announced length alone. What follows it in its last chunk is sliced again.
#[derive(Debug)]
pub struct Splitter {
    max_frame_bytes: usize,
    chunks: VecDeque<Bytes>,
    buffered_bytes: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Inside a length word, of which `filled` bytes have come.
    Length { word: [u8; LENGTH_BYTES], filled: usize },
    /// Behind the length word of a frame of `announced` bytes.
    Body { announced: usize, parts: Parts },
    /// The stream can no longer be cut.
    Failed(FrameError),
}

/// Why a stream cannot be cut into frames. It is the peer's fault, and the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The length word is negative.
    Negative {
        /// As it stands on the wire.
        announced: i32,
    },
    /// The frame is larger than allowed.
    TooLarge {
        /// Bytes behind the length word.
        announced: usize,
        /// The most that is taken.
        limit: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative { announced } => write!(f, "frame of negative length {announced}"),
            Self::TooLarge { announced, limit } => write!(f, "frame of {announced} bytes, over the limit of {limit}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl Splitter {
    /// A splitter at the start of a stream. `max_frame_bytes` bounds a frame without its length word.
    pub fn new(max_frame_bytes: usize) -> Self {
        Self { max_frame_bytes, chunks: VecDeque::new(), buffered_bytes: 0, state: State::START }
    }

    /// Changes the bound for the frames whose length word has not been read yet.
    pub fn set_max_frame_bytes(&mut self, max_frame_bytes: usize) {
        self.max_frame_bytes = max_frame_bytes;
    }

    /// Takes the next bytes of the stream. Drain [`next_frame`](Self::next_frame) before the next push.
    pub fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() || matches!(self.state, State::Failed(_)) {
            return;
        }
        self.buffered_bytes = self.buffered_bytes.saturating_add(chunk.len());
        self.chunks.push_back(chunk);
    }

    /// The next whole frame without its length word, or `None` until more bytes are pushed. An error is for good.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Length { word, filled } => {
                    let Some(chunk) = self.chunks.front_mut() else { return Ok(None) };
                    fill(word, filled, chunk);
                    if *filled == LENGTH_BYTES {
                        self.state = State::after_length(i32::from_be_bytes(*word), self.max_frame_bytes);
                    }
                }
                State::Body { announced: 0, .. } => return Ok(Some(self.emit(Bytes::new()))),
                State::Body { announced, parts } => {
                    let Some(chunk) = self.chunks.front_mut() else { return Ok(None) };
                    if let Some(frame) = parts.complete(*announced, chunk) {
                        return Ok(Some(self.emit(frame)));
                    }
                }
            }
            self.drop_spent();
        }
    }

    /// Bytes pushed and not yet handed out.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    fn emit(&mut self, frame: Bytes) -> Bytes {
        self.state = State::START;
        self.buffered_bytes = self.buffered_bytes.saturating_sub(frame.len().saturating_add(LENGTH_BYTES));
        self.drop_spent();
        frame
    }

    fn drop_spent(&mut self) {
        if matches!(self.state, State::Failed(_)) {
            self.chunks.clear();
            self.buffered_bytes = 0;
        }
        if self.chunks.front().is_some_and(Bytes::is_empty) {
            self.chunks.pop_front();
        }
    }
}

impl State {
    const START: Self = Self::Length { word: [0; LENGTH_BYTES], filled: 0 };

    fn after_length(announced: i32, limit: usize) -> Self {
        match usize::try_from(announced) {
            Err(_) => Self::Failed(FrameError::Negative { announced }),
            Ok(announced) if announced > limit => Self::Failed(FrameError::TooLarge { announced, limit }),
            Ok(announced) => Self::Body { announced, parts: Parts::default() },
        }
    }
}

/// Moves bytes from `chunk` into what is missing of `word`.
fn fill(word: &mut [u8; LENGTH_BYTES], filled: &mut usize, chunk: &mut Bytes) {
    for slot in word.iter_mut().skip(*filled) {
        let Ok(byte) = chunk.try_get_u8() else { return };
        *slot = byte;
        *filled = filled.saturating_add(1);
    }
}

/// The front of a frame whose end has not come.
#[derive(Debug, Default)]
struct Parts {
    whole: Vec<Bytes>,
    /// Behind the whole ones: small parts, put together, so that many of them do not cost more than their bytes.
    small: Vec<u8>,
    bytes: usize,
}

impl Parts {
    /// Takes from `chunk` what is missing of a frame of `announced` bytes; the frame, if that completes it.
    fn complete(&mut self, announced: usize, chunk: &mut Bytes) -> Option<Bytes> {
        let missing = announced.saturating_sub(self.bytes);
        let part = chunk.split_to(missing.min(chunk.len()));
        if part.len() == announced {
            return Some(part);
        }
        self.bytes = self.bytes.saturating_add(part.len());
        if self.bytes < announced {
            self.keep(part);
            return None;
        }
        let mut frame = Vec::with_capacity(self.bytes);
        for kept in std::mem::take(&mut self.whole) {
            frame.extend_from_slice(&kept);
        }
        frame.extend_from_slice(&std::mem::take(&mut self.small));
        frame.extend_from_slice(&part);
        Some(Bytes::from(frame))
    }

    fn keep(&mut self, part: Bytes) {
        if part.len() < SMALL_PART_BYTES {
            self.small.extend_from_slice(&part);
        } else {
            if !self.small.is_empty() {
                self.whole.push(Bytes::from(std::mem::take(&mut self.small)));
            }
            self.whole.push(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test;

    const LIMIT: usize = 64;
    const STREAM: &[u8] = b"\0\0\0\x03abc\0\0\0\0\0\0\0\x05defgh";
    const FRAMES: [&[u8]; 3] = [b"abc", b"", b"defgh"];

    fn drain(splitter: &mut Splitter) -> Result<Vec<Bytes>, FrameError> {
        std::iter::from_fn(|| splitter.next_frame().transpose()).collect()
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn frames_are_the_same_wherever_the_stream_is_cut() {
        for first in 0..=STREAM.len() {
            for second in first..=STREAM.len() {
                let mut splitter = Splitter::new(LIMIT);
                let mut frames = Vec::new();
                for chunk in [&STREAM[..first], &STREAM[first..second], &STREAM[second..]] {
                    splitter.push(Bytes::from_static(chunk));
                    frames.extend(drain(&mut splitter).unwrap());
                }
                assert_eq!(frames, FRAMES, "cut at {first} and {second}");
                assert_eq!(splitter.buffered_bytes(), 0);
            }
        }
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn frames_come_out_of_bytes_pushed_one_at_a_time() {
        let mut splitter = Splitter::new(LIMIT);
        let mut frames = Vec::new();
        for byte in STREAM {
            splitter.push(Bytes::copy_from_slice(&[*byte]));
            frames.extend(drain(&mut splitter).unwrap());
        }
        assert_eq!(frames, FRAMES);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn a_frame_inside_one_chunk_is_a_slice_of_it_also_behind_a_carried_frame() {
        let chunk = Bytes::from_static(b"bc\0\0\0\x05defgh");
        let mut splitter = Splitter::new(LIMIT);
        splitter.push(Bytes::from_static(b"\0\0\0\x03a"));
        assert_eq!(splitter.next_frame(), Ok(None));

        splitter.push(chunk.clone());
        let carried = splitter.next_frame().unwrap().unwrap();
        let sliced = splitter.next_frame().unwrap().unwrap();

        assert_eq!(carried, "abc");
        assert!(!chunk.as_ptr_range().contains(&carried.as_ptr()));
        assert_eq!(sliced, "defgh");
        assert!(chunk.as_ptr_range().contains(&sliced.as_ptr()));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn what_is_kept_grows_with_what_arrives_not_with_what_is_announced() {
        let announced = 1 << 30;
        let mut splitter = Splitter::new(announced);
        splitter.push(Bytes::from_static(b"\x40\0\0\0"));
        splitter.push(Bytes::from_static(&[7; 1000]));
        assert_eq!(splitter.next_frame(), Ok(None));

        let State::Body { parts, .. } = &splitter.state else { panic!("not in a body: {:?}", splitter.state) };
        assert!(parts.small.capacity() <= 2000, "{} bytes are held for 1000 that came", parts.small.capacity());
        assert_eq!(splitter.buffered_bytes(), 1004);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn large_and_small_parts_keep_their_order() {
        let body: Vec<u8> = (0..3 * SMALL_PART_BYTES).map(|place| place as u8).collect();
        let stream = [&(body.len() as u32).to_be_bytes()[..], &body].concat();
        let mut splitter = Splitter::new(body.len());
        let mut rest = &stream[..];
        let mut frames = Vec::new();
        for size in [5, 1, SMALL_PART_BYTES, 3, 2, SMALL_PART_BYTES + 1, usize::MAX] {
            let (part, behind) = rest.split_at(size.min(rest.len()));
            splitter.push(Bytes::copy_from_slice(part));
            frames.extend(drain(&mut splitter).unwrap());
            rest = behind;
        }
        assert_eq!(frames, [&body[..]]);
        assert_eq!(splitter.buffered_bytes(), 0);
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn the_limit_is_the_largest_frame_that_passes() {
        let mut splitter = Splitter::new(3);
        splitter.push(Bytes::from_static(STREAM));
        assert_eq!(splitter.next_frame(), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(splitter.next_frame(), Ok(Some(Bytes::new())));
        assert_eq!(splitter.next_frame(), Err(FrameError::TooLarge { announced: 5, limit: 3 }));
    }

    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn an_error_is_for_good_and_nothing_is_kept_behind_it() {
        let mut splitter = Splitter::new(LIMIT);
        splitter.push(Bytes::from_static(b"\xff\xff\xff\xff\0\0\0\x03abc"));
        for _ in 0..2 {
            assert_eq!(splitter.next_frame(), Err(FrameError::Negative { announced: -1 }));
            splitter.push(Bytes::from_static(STREAM));
            assert_eq!(splitter.buffered_bytes(), 0);
        }
    }
}
