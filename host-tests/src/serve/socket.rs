//! A non-blocking TCP stream with what waits to be written.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

/// Bytes per read.
const READ_BYTES: usize = 64 << 10;

/// Readiness comes once (it is edge-triggered), so it is remembered until a read or write would block.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    /// The handshake is done: an outgoing connection is not at first.
    pub(super) connected: bool,
    pub(super) readable: bool,
    pub(super) writable: bool,
    unsent: Vec<u8>,
    read_ended: bool,
    /// Our side is to be ended when everything is sent.
    ending: bool,
    ended: bool,
}

/// What a read brought.
pub(super) enum Incoming {
    Bytes(Vec<u8>),
    End,
    Gone,
    /// Nothing now.
    Nothing,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, connected: bool) -> Self {
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            connected,
            readable: connected,
            writable: connected,
            unsent: Vec::new(),
            read_ended: false,
            ending: false,
            ended: false,
        }
    }

    /// Looks whether an outgoing connection stands; an error is that it never will.
    pub(super) fn check_connected(&mut self) -> std::io::Result<()> {
        if self.connected {
            return Ok(());
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => {
                self.connected = true;
                (self.readable, self.writable) = (true, true);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(super) fn read(&mut self) -> Incoming {
        if !self.connected || !self.readable || self.read_ended {
            return Incoming::Nothing;
        }
        let mut buffer = vec![0; READ_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => {
                self.read_ended = true;
                Incoming::End
            }
            Ok(size) => {
                buffer.truncate(size);
                Incoming::Bytes(buffer)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Incoming::Nothing
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Incoming::Nothing,
            Err(_) => {
                self.read_ended = true;
                Incoming::Gone
            }
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Ends our side behind what is still to be sent.
    pub(super) fn end(&mut self) {
        self.ending = true;
    }

    /// Whether everything is sent and our side ended.
    pub(super) fn is_done(&self) -> bool {
        self.ended
    }

    /// Writes what the socket takes; an error is that the peer is gone.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        while self.connected && self.writable && !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(size) => {
                    self.unsent.drain(..size);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // Nothing will ever be sent: that is an end too.
                    self.unsent.clear();
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        if self.ending && !self.ended && self.unsent.is_empty() {
            self.ended = true;
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }
}
