//! The host functions: `env.proxy_*` as `proxy-wasm` 0.2.5 declares them, and the two WASI functions the filter may import.
//!
//! What is not here is a missing import, and the module does not load.

use wasmtime::{Caller, Error, Linker, Result, format_err};

use super::host::Host;
use super::status::Status;
use super::{Level, buffer, pairs};

/// Envoy's limit per `random_get`.
const RANDOM_BYTES_MAX: usize = 64 << 10;

/// WASI's errno values.
const WASI_OK: u32 = 0;
const WASI_INVAL: u32 = 28;
const WASI_NOTSUP: u32 = 58;

/// `StreamType` of the ABI.
const STREAM_DOWNSTREAM: u32 = 2;
const STREAM_UPSTREAM: u32 = 3;

/// `MapType` of the ABI.
const MAP_HTTP_CALL_RESPONSE_HEADERS: u32 = 6;

type Guest<'a> = Caller<'a, Host>;

pub(super) fn link(linker: &mut Linker<Host>) -> Result<()> {
    link_world(linker)?;
    link_streams(linker)?;
    link_http(linker)?;
    link_metrics(linker)?;
    link_absent(linker)
}

fn link_world(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_log", |mut c: Guest<'_>, level: u32, text: u32, size: u32| {
        let Some(text) = read(&mut c, text, size) else { return Status::InvalidMemoryAccess as u32 };
        c.data_mut().log(Level::from_abi(level), String::from_utf8_lossy(&text).into_owned());
        Status::Ok as u32
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut c: Guest<'_>, level: u32| {
        let value = c.data().config.log_level as u32;
        done(write(&mut c, level, &value.to_le_bytes()))
    })?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut c: Guest<'_>, time: u32| {
        let nanos = unix_nanos(c.data());
        done(write(&mut c, time, &nanos.to_le_bytes()))
    })?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut c: Guest<'_>, period_ms: u32| {
        c.data_mut().set_tick_period(period_ms);
        Status::Ok as u32
    })?;
    linker.func_wrap("env", "proxy_set_effective_context", |mut c: Guest<'_>, context: u32| {
        let result = c.data_mut().set_effective_context(context);
        refusal(&mut c, "proxy_set_effective_context", result)
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut c: Guest<'_>, path: u32, size: u32, data: u32, data_size: u32| -> Result<u32> {
            let Some(path) = read(&mut c, path, size) else { return Ok(Status::InvalidMemoryAccess as u32) };
            match c.data_mut().property(&path) {
                Ok(value) => give(&mut c, &value, data, data_size),
                Err(status) => Ok(status as u32),
            }
        },
    )?;
    linker.func_wrap("wasi_snapshot_preview1", "random_get", |mut c: Guest<'_>, at: u32, size: u32| {
        if size as usize > RANDOM_BYTES_MAX {
            return WASI_INVAL;
        }
        let bytes = c.data_mut().random_bytes(size as usize);
        write(&mut c, at, &bytes).map_or(WASI_INVAL, |()| WASI_OK)
    })?;
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "clock_time_get",
        |mut c: Guest<'_>, clock: u32, _precision: u64, at: u32| {
            let nanos = match clock {
                0 => unix_nanos(c.data()),
                1 => monotonic_nanos(c.data()),
                _ => return WASI_NOTSUP,
            };
            write(&mut c, at, &nanos.to_le_bytes()).map_or(WASI_INVAL, |()| WASI_OK)
        },
    )?;
    Ok(())
}

fn link_streams(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut c: Guest<'_>, kind: u32, start: u32, length: u32, data: u32, size: u32| -> Result<u32> {
            let Some(bytes) = c.data_mut().buffer(kind) else { return Ok(Status::NotFound as u32) };
            let bytes = buffer::copy_to(bytes, start as usize, length as usize).map(<[u8]>::to_vec);
            match bytes {
                // Nothing is handed over for nothing: the guest's pointers stay as they were.
                Ok(bytes) if bytes.is_empty() => Ok(Status::Ok as u32),
                Ok(bytes) => give(&mut c, &bytes, data, size),
                Err(status) => Ok(refusal(&mut c, "proxy_get_buffer_bytes", Err(status))),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut c: Guest<'_>, kind: u32, start: u32, length: u32, data: u32, size: u32| {
            let Some(bytes) = read(&mut c, data, size) else { return Status::InvalidMemoryAccess as u32 };
            let result = c.data_mut().write_buffer(kind, start as usize, length as usize, &bytes);
            refusal(&mut c, "proxy_set_buffer_bytes", result)
        },
    )?;
    linker.func_wrap("env", "proxy_continue_stream", |mut c: Guest<'_>, stream: u32| match stream {
        STREAM_DOWNSTREAM => {
            c.data_mut().continue_downstream();
            Status::Ok as u32
        }
        STREAM_UPSTREAM => refusal(&mut c, "proxy_continue_stream", Err(Status::Unimplemented)),
        _ => refusal(&mut c, "proxy_continue_stream", Err(Status::BadArgument)),
    })?;
    linker.func_wrap("env", "proxy_close_stream", |mut c: Guest<'_>, stream: u32| match stream {
        STREAM_DOWNSTREAM | STREAM_UPSTREAM => {
            c.data_mut().close();
            Status::Ok as u32
        }
        _ => refusal(&mut c, "proxy_close_stream", Err(Status::BadArgument)),
    })?;
    Ok(())
}

fn link_http(linker: &mut Linker<Host>) -> Result<()> {
    #[rustfmt::skip]
    linker.func_wrap("env", "proxy_http_call", |
        mut c: Guest<'_>,
        cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32, body_size: u32,
        _trailers: u32, _trailers_size: u32, timeout_ms: u32, token: u32,
    | {
        let (cluster, headers, body) = (
            read(&mut c, cluster, cluster_size), read(&mut c, headers, headers_size), read(&mut c, body, body_size),
        );
        let (Some(cluster), Some(headers), Some(body)) = (cluster, headers, body) else {
            return Status::InvalidMemoryAccess as u32;
        };
        let cluster = String::from_utf8_lossy(&cluster).into_owned();
        let result = dispatch(c.data_mut(), &cluster, &headers, body, timeout_ms);
        match result {
            Ok(id) => done(write(&mut c, token, &id.to_le_bytes())),
            Err(status) => refusal(&mut c, "proxy_http_call", Err(status)),
        }
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut c: Guest<'_>, map: u32, data: u32, size: u32| -> Result<u32> {
            match response_headers(&c, map) {
                Some(headers) => give(&mut c, &pairs::encode(&headers), data, size),
                None => Ok(Status::BadArgument as u32),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut c: Guest<'_>, map: u32, key: u32, key_size: u32, data: u32, size: u32| -> Result<u32> {
            let Some(key) = read(&mut c, key, key_size) else { return Ok(Status::InvalidMemoryAccess as u32) };
            let Some(headers) = response_headers(&c, map) else { return Ok(Status::BadArgument as u32) };
            match headers.iter().find(|(name, _)| name.as_bytes() == key) {
                Some((_, value)) => give(&mut c, value.as_bytes(), data, size),
                None => Ok(Status::NotFound as u32),
            }
        },
    )?;
    Ok(())
}

fn link_metrics(linker: &mut Linker<Host>) -> Result<()> {
    linker.func_wrap("env", "proxy_define_metric", |mut c: Guest<'_>, kind: u32, name: u32, size: u32, id: u32| {
        let Some(name) = read(&mut c, name, size) else { return Status::InvalidMemoryAccess as u32 };
        match c.data_mut().metrics.define(kind, &String::from_utf8_lossy(&name)) {
            Ok(defined) => done(write(&mut c, id, &defined.to_le_bytes())),
            Err(status) => refusal(&mut c, "proxy_define_metric", Err(status)),
        }
    })?;
    linker.func_wrap("env", "proxy_increment_metric", |mut c: Guest<'_>, id: u32, offset: i64| {
        let result = c.data_mut().metrics.increment(id, offset);
        refusal(&mut c, "proxy_increment_metric", result)
    })?;
    linker.func_wrap("env", "proxy_record_metric", |mut c: Guest<'_>, id: u32, value: u64| {
        let result = c.data_mut().metrics.record(id, value);
        refusal(&mut c, "proxy_record_metric", result)
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut c: Guest<'_>, id: u32, value: u32| {
        match c.data_mut().metrics.value(id) {
            Ok(found) => done(write(&mut c, value, &found.to_le_bytes())),
            Err(status) => refusal(&mut c, "proxy_get_metric", Err(status)),
        }
    })?;
    Ok(())
}

/// Imports that the SDK may drag in and the filter must not call: the call traps, so that a test cannot overlook it.
fn link_absent(linker: &mut Linker<Host>) -> Result<()> {
    macro_rules! absent {
        ($($name:literal ($($argument:ident),*);)*) => {$(
            linker.func_wrap("env", $name, |$($argument: u32),*| -> Result<u32> {
                let _ = ($($argument,)*);
                Err(format_err!(concat!($name, " is not modelled by this host")))
            })?;
        )*};
    }
    absent! {
        "proxy_set_property"(a, b, c, d);
        "proxy_get_shared_data"(a, b, c, d, e);
        "proxy_set_shared_data"(a, b, c, d, e);
        "proxy_register_shared_queue"(a, b, c);
        "proxy_resolve_shared_queue"(a, b, c, d, e);
        "proxy_dequeue_shared_queue"(a, b, c);
        "proxy_enqueue_shared_queue"(a, b, c);
        "proxy_call_foreign_function"(a, b, c, d, e, f);
        "proxy_send_local_response"(a, b, c, d, e, f, g, h);
        "proxy_set_header_map_pairs"(a, b, c);
        "proxy_add_header_map_value"(a, b, c, d, e);
        "proxy_replace_header_map_value"(a, b, c, d, e);
        "proxy_remove_header_map_value"(a, b, c);
        "proxy_get_status"(a, b, c);
        "proxy_grpc_call"(a, b, c, d, e, f, g, h, i, j, k, l);
        "proxy_grpc_stream"(a, b, c, d, e, f, g, h, i);
        "proxy_grpc_send"(a, b, c, d);
        "proxy_grpc_cancel"(a);
        "proxy_grpc_close"(a);
        "proxy_done"();
    }
    Ok(())
}

fn dispatch(host: &mut Host, cluster: &str, headers: &[u8], body: Vec<u8>, timeout_ms: u32) -> Result<u32, Status> {
    if !host.config.clusters.iter().any(|known| known == cluster) {
        return Err(Status::BadArgument);
    }
    let headers = pairs::decode(headers).ok_or(Status::BadArgument)?;
    let now = host.now;
    host.http.dispatch(cluster, headers, body, timeout_ms, now).map(|token| token.0)
}

fn response_headers(c: &Guest<'_>, map: u32) -> Option<Vec<(String, String)>> {
    (map == MAP_HTTP_CALL_RESPONSE_HEADERS).then(|| c.data().http.headers()).flatten()
}

fn unix_nanos(host: &Host) -> u64 {
    u64::try_from(host.now.unix.0).unwrap_or(0).saturating_mul(1_000_000)
}

fn monotonic_nanos(host: &Host) -> u64 {
    u64::try_from(host.now.instant.since(isthmus::time::Instant::default()).as_nanos()).unwrap_or(u64::MAX)
}

fn refusal(c: &mut Guest<'_>, call: &'static str, result: Result<(), Status>) -> u32 {
    let status = result.err().unwrap_or(Status::Ok);
    c.data_mut().refused(call, status) as u32
}

fn done(written: Option<()>) -> u32 {
    written.map_or(Status::InvalidMemoryAccess, |()| Status::Ok) as u32
}

fn read(c: &mut Guest<'_>, at: u32, size: u32) -> Option<Vec<u8>> {
    let memory = c.data().guest.as_ref()?.memory;
    let at = at as usize;
    Some(memory.data(&*c).get(at..at.checked_add(size as usize)?)?.to_vec())
}

fn write(c: &mut Guest<'_>, at: u32, bytes: &[u8]) -> Option<()> {
    let memory = c.data().guest.as_ref()?.memory;
    memory.write(c, at as usize, bytes).ok()
}

/// Allocates in the guest and hands `bytes` over; a guest that traps in its allocator is dead, as in Envoy.
fn give(c: &mut Guest<'_>, bytes: &[u8], data: u32, size: u32) -> Result<u32> {
    let Some(guest) = c.data().guest.clone() else { return Ok(Status::InternalFailure as u32) };
    let length = u32::try_from(bytes.len()).map_err(Error::from)?;
    let at = guest.allocate.call(&mut *c, length)?;
    let written = write(c, at, bytes)
        .and_then(|()| write(c, data, &at.to_le_bytes()))
        .and_then(|()| write(c, size, &length.to_le_bytes()));
    Ok(done(written))
}
