//! The result codes of proxy-wasm's host functions (ABI 0.2.1, `proxy_wasm_common.h`).

/// What a host function answers. The Rust SDK's own enum knows fewer of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such property, header or metric.
    NotFound = 1,
    /// The arguments, or the moment, do not allow it.
    BadArgument = 2,
    /// A pointer outside the guest's memory.
    InvalidMemoryAccess = 6,
    /// The host broke.
    InternalFailure = 10,
    /// Envoy has no such thing for TCP (`proxy_continue_stream(Upstream)`).
    Unimplemented = 12,
}
