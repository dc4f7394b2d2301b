//! `isthmus-host serve`: the module on real sockets, one loop, one VM.

mod admin;
mod args;
mod link;
mod server;
mod socket;

pub use args::{Args, Behind, Command, USAGE, parse};
use server::Server;

/// Runs until the process is ended. The error is one sentence for the user.
pub fn serve(args: &Args) -> Result<(), String> {
    let mut server = Server::start(args)?;
    println!("ready: Kafka clients connect to {}", server.address());
    loop {
        server.turn().map_err(|error| format!("the event loop failed: {error}"))?;
    }
}
