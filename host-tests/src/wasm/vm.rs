//! One instance of the module: its memory, its exports, and the rules of a call into it.

use std::path::Path;

use isthmus::time::Now;
use wasmtime::{Config, Engine, Instance, InstancePre, Linker, Module, Store, TypedFunc, WasmParams, WasmResults};

use super::host::{Guest, Host, ROOT_CONTEXT};
use super::{LoadError, imports};

/// Exports that name the ABI versions Envoy accepts.
const ABI_EXPORTS: [&str; 3] = ["proxy_abi_version_0_1_0", "proxy_abi_version_0_2_0", "proxy_abi_version_0_2_1"];

/// A compiled module. Compiling takes seconds, so several filters (workers) may share one.
#[derive(Clone)]
pub struct Code {
    instance: InstancePre<Host>,
}

impl Code {
    /// Reads and compiles the module (`.wasm`) at `path`.
    pub fn from_file(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|error| LoadError::Read { path: path.to_path_buf(), error })?;
        Self::compile(&bytes)
    }

    /// Compiles a module and checks that every import is one this host has.
    pub fn compile(bytes: &[u8]) -> Result<Self, LoadError> {
        let engine = Engine::new(&Config::new()).map_err(LoadError::Module)?;
        let module = Module::from_binary(&engine, bytes).map_err(LoadError::Module)?;
        if !module.exports().any(|export| ABI_EXPORTS.contains(&export.name())) {
            return Err(LoadError::Abi);
        }
        let mut linker = Linker::new(&engine);
        imports::link(&mut linker).map_err(LoadError::Module)?;
        let instance = linker.instantiate_pre(&module).map_err(LoadError::Module)?;
        Ok(Self { instance })
    }
}

/// The callbacks, where the module has them; one that is missing does nothing, as in Envoy.
struct Exports {
    context_create: Option<TypedFunc<(u32, u32), ()>>,
    vm_start: Option<TypedFunc<(u32, u32), u32>>,
    configure: Option<TypedFunc<(u32, u32), u32>>,
    tick: Option<TypedFunc<u32, ()>>,
    new_connection: Option<TypedFunc<u32, u32>>,
    downstream_data: Option<TypedFunc<(u32, u32, u32), u32>>,
    upstream_data: Option<TypedFunc<(u32, u32, u32), u32>>,
    downstream_close: Option<TypedFunc<(u32, u32), ()>>,
    upstream_close: Option<TypedFunc<(u32, u32), ()>>,
    done: Option<TypedFunc<u32, u32>>,
    log: Option<TypedFunc<u32, ()>>,
    delete: Option<TypedFunc<u32, ()>>,
    http_call_response: Option<TypedFunc<HttpResponseParams, ()>>,
}

/// Context, token, number of headers, body size, number of trailers.
type HttpResponseParams = (u32, u32, u32, u32, u32);

pub(super) struct Vm {
    pub(super) store: Store<Host>,
    exports: Exports,
    instance: Instance,
}

/// The guest trapped: this VM never runs again.
#[derive(Debug)]
pub(super) struct Trapped;

impl Vm {
    /// Instantiates, starts and configures, as Envoy does on each thread.
    pub(super) fn start(code: &Code, mut host: Host, now: Now) -> Result<Self, (LoadError, Box<Host>)> {
        host.forget_vm();
        host.now = now;
        let mut store = Store::new(code.instance.module().engine(), host);
        store.limiter(|host| &mut host.limits);
        let exports = match instantiate(code, &mut store) {
            Ok(exports) => exports,
            Err(error) => return Err((error, Box::new(store.into_data()))),
        };
        let mut vm = Self { store, exports: exports.0, instance: exports.1 };
        match vm.configure() {
            Ok(true) => Ok(vm),
            Ok(false) | Err(Trapped) => {
                let host = vm.into_host();
                let logs = host.logs.iter().map(|log| log.text.clone()).collect();
                Err((LoadError::Refused { logs }, Box::new(host)))
            }
        }
    }

    pub(super) fn into_host(self) -> Host {
        let mut host = self.store.into_data();
        host.forget_vm();
        host
    }

    /// The guest's linear memory; it never shrinks.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().guest.as_ref().map_or(0, |guest| guest.memory.data_size(&self.store))
    }

    fn configure(&mut self) -> Result<bool, Trapped> {
        for start in ["_initialize", "_start"] {
            if let Ok(function) = self.instance.get_typed_func::<(), ()>(&mut self.store, start) {
                self.call(0, Some(function), ())?;
                break;
            }
        }
        self.call(ROOT_CONTEXT, self.exports.context_create.clone(), (ROOT_CONTEXT, 0))?;
        let started = self.call(ROOT_CONTEXT, self.exports.vm_start.clone(), (ROOT_CONTEXT, 0))?;
        let size = abi_size(self.store.data().config.configuration.len());
        self.store.data_mut().configuring = true;
        let configured = self.call(ROOT_CONTEXT, self.exports.configure.clone(), (ROOT_CONTEXT, size));
        self.store.data_mut().configuring = false;
        Ok(started != Some(0) && configured? != Some(0))
    }

    /// One call into the guest on `context`: the effective context does not outlive it. What it deferred is the caller's to run.
    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        function: Option<TypedFunc<P, R>>,
        params: P,
    ) -> Result<Option<R>, Trapped> {
        let Some(function) = function else { return Ok(None) };
        let host = self.store.data_mut();
        let saved = (std::mem::replace(&mut host.current, context), host.effective.take());
        let result = function.call(&mut self.store, params);
        let host = self.store.data_mut();
        (host.current, host.effective) = saved;
        result.map(Some).map_err(|trap| {
            host.log(super::Level::Critical, format!("the VM trapped: {trap:?}"));
            Trapped
        })
    }

    pub(super) fn on_tick(&mut self) -> Result<(), Trapped> {
        self.call(ROOT_CONTEXT, self.exports.tick.clone(), ROOT_CONTEXT).map(drop)
    }

    /// Whether the filter pauses.
    pub(super) fn on_new_connection(&mut self, context: u32) -> Result<bool, Trapped> {
        self.call(context, self.exports.context_create.clone(), (context, ROOT_CONTEXT))?;
        self.call(context, self.exports.new_connection.clone(), context).map(pauses)
    }

    /// Whether the filter pauses.
    pub(super) fn on_downstream_data(&mut self, context: u32, size: usize, ends: bool) -> Result<bool, Trapped> {
        let params = (context, abi_size(size), ends.into());
        self.call(context, self.exports.downstream_data.clone(), params).map(pauses)
    }

    /// Whether the filter pauses.
    pub(super) fn on_upstream_data(&mut self, context: u32, size: usize, ends: bool) -> Result<bool, Trapped> {
        let params = (context, abi_size(size), ends.into());
        self.call(context, self.exports.upstream_data.clone(), params).map(pauses)
    }

    pub(super) fn on_upstream_close(&mut self, context: u32) -> Result<(), Trapped> {
        const UNKNOWN: u32 = 0;
        self.call(context, self.exports.upstream_close.clone(), (context, UNKNOWN)).map(drop)
    }

    /// The four calls that end a context.
    pub(super) fn on_downstream_close(&mut self, context: u32, by: u32) -> Result<(), Trapped> {
        self.call(context, self.exports.downstream_close.clone(), (context, by))?;
        self.call(context, self.exports.done.clone(), context)?;
        self.call(context, self.exports.log.clone(), context)?;
        self.call(context, self.exports.delete.clone(), context)?;
        Ok(())
    }

    /// HTTP answers come on the root context, whichever stream asked.
    pub(super) fn on_http_response(&mut self, token: u32) -> Result<(), Trapped> {
        let http = &self.store.data().http;
        let headers = abi_size(http.headers().map_or(0, |headers| headers.len()));
        let body = abi_size(http.answer.as_ref().map_or(0, |answer| answer.body.len()));
        let params = (ROOT_CONTEXT, token, headers, body, 0);
        self.call(ROOT_CONTEXT, self.exports.http_call_response.clone(), params).map(drop)
    }
}

fn pauses(action: Option<u32>) -> bool {
    action == Some(1)
}

fn abi_size(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn instantiate(code: &Code, store: &mut Store<Host>) -> Result<(Exports, Instance), LoadError> {
    let instance = code.instance.instantiate(&mut *store).map_err(LoadError::Module)?;
    let memory = instance.get_memory(&mut *store, "memory").ok_or(LoadError::Abi)?;
    let allocate = ["proxy_on_memory_allocate", "malloc"]
        .into_iter()
        .find_map(|name| instance.get_typed_func(&mut *store, name).ok())
        .ok_or(LoadError::Abi)?;
    store.data_mut().guest = Some(Guest { memory, allocate });
    let exports = Exports {
        context_create: export(store, &instance, "proxy_on_context_create")?,
        vm_start: export(store, &instance, "proxy_on_vm_start")?,
        configure: export(store, &instance, "proxy_on_configure")?,
        tick: export(store, &instance, "proxy_on_tick")?,
        new_connection: export(store, &instance, "proxy_on_new_connection")?,
        downstream_data: export(store, &instance, "proxy_on_downstream_data")?,
        upstream_data: export(store, &instance, "proxy_on_upstream_data")?,
        downstream_close: export(store, &instance, "proxy_on_downstream_connection_close")?,
        upstream_close: export(store, &instance, "proxy_on_upstream_connection_close")?,
        done: export(store, &instance, "proxy_on_done")?,
        log: export(store, &instance, "proxy_on_log")?,
        delete: export(store, &instance, "proxy_on_delete")?,
        http_call_response: export(store, &instance, "proxy_on_http_call_response")?,
    };
    Ok((exports, instance))
}

/// An export of the wrong type is an error, one that is missing is not.
fn export<P: WasmParams, R: WasmResults>(
    store: &mut Store<Host>,
    instance: &Instance,
    name: &str,
) -> Result<Option<TypedFunc<P, R>>, LoadError> {
    match instance.get_func(&mut *store, name) {
        Some(function) => function.typed(&*store).map(Some).map_err(LoadError::Module),
        None => Ok(None),
    }
}
