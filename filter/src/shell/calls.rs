//! Hostcalls that return what happened instead of panicking. The signatures are those of the proxy-wasm ABI 0.2.1.

use std::time::Duration;

use bytes::Bytes;
use proxy_wasm::types::{BufferType, LogLevel, MapType};

use crate::worker::metrics::Kind;

const OK: u32 = 0;
/// `WasmStreamType::Downstream`; 0 and 1 are HTTP.
const DOWNSTREAM: u32 = 2;

unsafe extern "C" {
    fn proxy_get_buffer_bytes(kind: u32, start: usize, length: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, length: usize, data: *const u8, size: usize) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_get_current_time_nanoseconds(nanos: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(millis: u32) -> u32;
    fn proxy_log(level: u32, data: *const u8, size: usize) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(data: *mut u8, size: usize) -> u32;
}

/// The host's buffer, up to `length` bytes; `None` where the host has none now.
pub(super) fn buffer(kind: BufferType, length: usize) -> Option<Bytes> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are to live locals. On success the host has written `size` bytes to a block that it took from this
    // module's own allocator (`proxy_on_memory_allocate` gives a `Vec` of that capacity), and left it to the module.
    unsafe {
        if proxy_get_buffer_bytes(kind as u32, 0, length, &raw mut data, &raw mut size) != OK || data.is_null() {
            return None;
        }
        Some(Bytes::from(Vec::from_raw_parts(data, size, size)))
    }
}

/// The status of the HTTP answer that is being told; `None` where there is no answer: the host has no headers then, and says so with
/// `BAD_ARGUMENT` (`Context::getMap`), at which the SDK's wrapper panics.
pub(super) fn http_status() -> Option<u16> {
    const STATUS: &[u8] = b":status";
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    let map = MapType::HttpCallResponseHeaders as u32;
    // SAFETY: as in `buffer`; the host reads the key before it returns.
    let value = unsafe {
        let (key, data, size) = (STATUS.as_ptr(), &raw mut data, &raw mut size);
        if proxy_get_header_map_value(map, key, STATUS.len(), data, size) != OK || (*data).is_null() {
            return None;
        }
        Vec::from_raw_parts(*data, *size, *size)
    };
    std::str::from_utf8(&value).ok()?.parse().ok()
}

/// Puts `bytes` in place of all that the host's buffer holds.
pub(super) fn replace(kind: BufferType, bytes: &[u8]) {
    // SAFETY: the host copies `bytes` before it returns.
    unsafe { proxy_set_buffer_bytes(kind as u32, 0, usize::MAX, bytes.as_ptr(), bytes.len()) };
}

/// Puts `bytes` behind what the host's buffer holds.
pub(super) fn append(kind: BufferType, bytes: &[u8]) {
    // SAFETY: the host copies `bytes` before it returns. A start behind the end appends (`Buffer::copyFrom`).
    unsafe { proxy_set_buffer_bytes(kind as u32, usize::MAX, 0, bytes.as_ptr(), bytes.len()) };
}

/// Lets what lies in the downstream buffer go on to the broker when this callback returns.
pub(super) fn resume_downstream() {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(DOWNSTREAM) };
}

/// Closes the client's connection when this callback returns.
pub(super) fn close_downstream() {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(DOWNSTREAM) };
}

/// Makes the next hostcalls of this callback be about that connection; `false` if it is gone.
pub(super) fn set_effective_context(id: u32) -> bool {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(id) == OK }
}

pub(super) fn wall_clock_nanos() -> u64 {
    let mut nanos = 0;
    // SAFETY: the pointer is to a live local.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanos) };
    nanos
}

pub(super) fn set_tick_period(period: Duration) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(u32::try_from(period.as_millis()).unwrap_or(u32::MAX)) };
}

pub(super) fn log(level: LogLevel, line: &str) {
    // SAFETY: the host copies the line before it returns.
    unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
}

/// A metric's id; one that cannot be had counts nothing.
pub(super) fn define_metric(kind: Kind, name: &str) -> u32 {
    let kind = match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 2,
    };
    let mut id = u32::MAX;
    // SAFETY: the pointers are to live memory, which the host copies from and writes to before it returns.
    unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    id
}

pub(super) fn increment_metric(id: u32, change: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, change) };
}

pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

/// A counter's or gauge's value, over all workers.
pub(super) fn get_metric(id: u32) -> u64 {
    let mut value = 0;
    // SAFETY: the pointer is to a live local.
    unsafe { proxy_get_metric(id, &raw mut value) };
    value
}

/// Sixty-four random bits. Producer ids come from them, so that workers and replicas do not give the same twice.
pub(super) fn random() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: the pointer is to a live array of that size.
    let status = unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) };
    if status == OK { u64::from_le_bytes(bytes) } else { wall_clock_nanos() }
}
