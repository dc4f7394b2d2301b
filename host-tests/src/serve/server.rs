//! The event loop: readiness in, bytes moved, time passed on.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant, SystemTime};

use isthmus::time::{Instant, Now, UnixMillis};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use super::admin::Admin;
use super::args::{Args, Behind};
use super::link::{Link, Upstream};
use super::socket::Socket;
use crate::scripted::{BrokerConfig, ScriptedBroker};
use crate::wasm::{Code, HostConfig, WasmFilter, module};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);

/// Link `n` has the tokens `2n` for its client and `2n + 1` for its broker; links count from 1.
const TOKENS_PER_LINK: usize = 2;

/// Rounds of moving bytes before new connections and the clock are looked at again.
const ROUNDS_PER_TURN: u32 = 64;

/// The cluster name that the filter's configuration has by default.
const ADMIN_CLUSTER: &str = "pulsar-admin";

pub(super) struct Server {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    address: SocketAddr,
    filter: WasmFilter,
    broker: Broker,
    links: BTreeMap<usize, Link>,
    last_link: usize,
    started: StdInstant,
    /// Bytes were still moving when the last turn ended.
    busy: bool,
}

enum Broker {
    Pulsar { address: SocketAddr, admin: Option<Admin> },
    Scripted(Box<ScriptedBroker>),
}

impl Server {
    pub(super) fn start(args: &Args) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let configuration = match &args.config {
            Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
            None => "{}".to_string(),
        };
        let listening = |error| format!("{} cannot be listened on: {error}", args.listen);
        let mut listener = TcpListener::bind(args.listen).map_err(listening)?;
        let address = listener.local_addr().map_err(text)?;
        let poll = Poll::new().map_err(text)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(text)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(text)?);
        let broker = Broker::new(&args.behind, address, &waker)?;
        let started = StdInstant::now();
        let module = args.wasm.clone().map_or_else(module, Ok)?;
        let code = Code::from_file(&module).map_err(|error| error.to_string())?;
        let clusters = if broker.has_admin() { vec![ADMIN_CLUSTER.to_string()] } else { vec![] };
        let config = HostConfig {
            configuration,
            clusters,
            random_seed: seed(),
            log_level: args.log_level,
            ..HostConfig::default()
        };
        let filter = WasmFilter::start(&code, config, now(started)).map_err(|error| error.to_string())?;
        let events = Events::with_capacity(256);
        let (links, last_link, busy) = (BTreeMap::new(), 0, false);
        Ok(Self { poll, events, listener, address, filter, broker, links, last_link, started, busy })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for something to happen, and carries it as far as it goes.
    pub(super) fn turn(&mut self) -> std::io::Result<()> {
        let timeout = if self.busy { Some(Duration::ZERO) } else { self.next_timeout() };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut accepts = false;
        for event in &self.events {
            match event.token() {
                LISTENER => accepts = true,
                WAKER => {}
                Token(token) => {
                    if let Some(socket) = socket(&mut self.links, token) {
                        socket.readable |= event.is_readable();
                        socket.writable |= event.is_writable();
                    }
                }
            }
        }
        if accepts {
            self.accept();
        }
        self.filter.handle_timeout(now(self.started));
        self.busy = (0..ROUNDS_PER_TURN).all(|_| self.round());
        self.report();
        Ok(())
    }

    fn next_timeout(&mut self) -> Option<Duration> {
        let of_broker = match &self.broker {
            Broker::Scripted(broker) => broker.poll_timeout(),
            Broker::Pulsar { .. } => None,
        };
        let due = self.filter.poll_timeout().into_iter().chain(of_broker).min()?;
        Some(due.since(now(self.started).instant))
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    if let Err(error) = self.open(stream, peer) {
                        eprintln!("warn: {peer}: {error}");
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    eprintln!("warn: a connection was not accepted: {error}");
                    return;
                }
            }
        }
    }

    fn open(&mut self, stream: TcpStream, peer: SocketAddr) -> std::io::Result<()> {
        let now = now(self.started);
        let at = self.last_link + 1;
        let token = at * TOKENS_PER_LINK;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let local = stream.local_addr()?.to_string();
        let mut client = Socket::new(stream, true);
        self.poll.registry().register(&mut client.stream, Token(token), interest)?;
        let upstream = match &mut self.broker {
            Broker::Pulsar { address, .. } => {
                let mut upstream = Socket::new(TcpStream::connect(*address)?, false);
                self.poll.registry().register(&mut upstream.stream, Token(token + 1), interest)?;
                Upstream::Pulsar(upstream)
            }
            Broker::Scripted(broker) => Upstream::Scripted { conn: broker.connect(now), ended: false },
        };
        let peer = peer.to_string();
        let properties = [("source.address", peer.as_bytes()), ("destination.address", local.as_bytes())];
        let conn = self.filter.new_connection(&properties, now);
        self.last_link = at;
        self.links.insert(at, Link { conn, client, upstream });
        Ok(())
    }

    /// Everything once; whether anything moved.
    fn round(&mut self) -> bool {
        let now = now(self.started);
        let mut moved = self.admin(now);
        let mut scripted = match &mut self.broker {
            Broker::Scripted(broker) => Some(broker.as_mut()),
            Broker::Pulsar { .. } => None,
        };
        if let Some(broker) = scripted.as_deref_mut() {
            broker.handle_timeout(now);
        }
        for link in self.links.values_mut() {
            moved |= link.turn(&mut self.filter, scripted.as_deref_mut(), now);
        }
        let filter = &mut self.filter;
        self.links.retain(|_, link| {
            let over = link.is_over(filter);
            if over {
                filter.forget(link.conn);
            }
            !over
        });
        moved
    }

    fn admin(&mut self, now: Now) -> bool {
        let mut moved = false;
        while let Some(call) = self.filter.poll_http() {
            moved = true;
            match &mut self.broker {
                Broker::Scripted(broker) => {
                    let answer = broker.http(&call.request, now);
                    self.filter.http_answer(call.token, answer, now);
                }
                Broker::Pulsar { admin: Some(admin), .. } => admin.call(call),
                Broker::Pulsar { admin: None, .. } => self.filter.http_answer(call.token, None, now),
            }
        }
        if let Broker::Pulsar { admin: Some(admin), .. } = &self.broker {
            while let Some((token, answer)) = admin.poll() {
                moved = true;
                self.filter.http_answer(token, answer, now);
            }
        }
        moved
    }

    fn report(&mut self) {
        while let Some(log) = self.filter.poll_log() {
            let level = format!("{:?}", log.level).to_lowercase();
            eprintln!("{level}: {}", log.text);
        }
        for violation in self.filter.take_violations() {
            eprintln!("warn: the filter did what Envoy would punish: {violation:?}");
        }
    }
}

impl Broker {
    fn new(behind: &Behind, listen: SocketAddr, waker: &Arc<Waker>) -> Result<Self, String> {
        match behind {
            Behind::Pulsar { address, admin } => {
                let mut addresses = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?;
                let found = addresses.next().ok_or_else(|| format!("{address} has no address"))?;
                let admin = admin.as_ref().map(|root| Admin::new(root, Arc::clone(waker)));
                Ok(Self::Pulsar { address: found, admin })
            }
            Behind::Scripted => {
                let mut config = BrokerConfig::default();
                config.listeners.insert("kafka".to_string(), format!("pulsar://{listen}"));
                Ok(Self::Scripted(Box::new(ScriptedBroker::new(config))))
            }
        }
    }

    fn has_admin(&self) -> bool {
        match self {
            Self::Pulsar { admin, .. } => admin.is_some(),
            Self::Scripted(_) => true,
        }
    }
}

fn socket(links: &mut BTreeMap<usize, Link>, token: usize) -> Option<&mut Socket> {
    let link = links.get_mut(&(token / TOKENS_PER_LINK))?;
    match &mut link.upstream {
        _ if token.is_multiple_of(TOKENS_PER_LINK) => Some(&mut link.client),
        Upstream::Pulsar(socket) => Some(socket),
        Upstream::Scripted { .. } => None,
    }
}

fn now(started: StdInstant) -> Now {
    let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let unix = UnixMillis(i64::try_from(unix.as_millis()).unwrap_or(i64::MAX));
    Now { instant: Instant::from_nanos(nanos), unix }
}

/// Different at each start: producer ids are drawn from it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
