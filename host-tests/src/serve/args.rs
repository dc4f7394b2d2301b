//! The command line of `isthmus-host`.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::group_log;
use crate::wasm::Level;

/// What `isthmus-host --help` says.
pub const USAGE: &str = "\
isthmus-host: runs isthmus.wasm on real sockets, without Envoy; prints what a consumer group did

  isthmus-host serve (--pulsar HOST:PORT [--pulsar-admin URL] | --scripted) [options]

  --pulsar HOST:PORT     the Pulsar broker, plain TCP
  --pulsar-admin URL     its admin REST, such as http://127.0.0.1:8080
  --scripted             no Pulsar: a scripted broker in this process, empty at each start
  --listen HOST:PORT     where Kafka clients connect (default 127.0.0.1:9092)
  --config FILE          the filter's configuration as JSON (default: all defaults)
  --wasm FILE            the module (default: $ISTHMUS_WASM, else built from this checkout)
  --log-level LEVEL      trace, debug, info, warn, error (default info)

  isthmus-host group-log --pulsar HOST:PORT [options] GROUP

  --pulsar HOST:PORT     the broker that owns the group's topic, plain TCP
  --namespace T/N        where the groups' topics are (default public/default)
  --auth-method METHOD   shown to the broker, such as token, with
  --auth-data DATA       its data
";

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print [`USAGE`].
    Help,
    /// Serve.
    Serve(Args),
    /// Print a group's log.
    GroupLog(group_log::Args),
}

/// The options of `serve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// What is behind the filter.
    pub behind: Behind,
    /// The filter's configuration.
    pub config: Option<PathBuf>,
    /// The module.
    pub wasm: Option<PathBuf>,
    /// Lines below it are not printed.
    pub log_level: Level,
}

/// What is behind the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// A broker.
    Pulsar {
        /// Its address, `HOST:PORT`.
        address: String,
        /// The root of its admin REST.
        admin: Option<String>,
    },
    /// The scripted broker.
    Scripted,
}

/// Reads the arguments behind the program's name. The error is one sentence for the user.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut args = args.into_iter();
    match args.next().as_deref() {
        Some("serve") => {}
        Some("group-log") => return Ok(group_log::parse(args)?.map_or(Command::Help, Command::GroupLog)),
        Some("--help" | "-h" | "help") | None => return Ok(Command::Help),
        Some(other) => return Err(format!("unknown command '{other}'; try --help")),
    }
    let (mut pulsar, mut admin, mut scripted) = (None, None, false);
    let mut listen = "127.0.0.1:9092".to_string();
    let (mut config, mut wasm, mut log_level) = (None, None, Level::Info);
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--help" | "-h" => return Ok(Command::Help),
            "--scripted" => scripted = true,
            "--pulsar" => pulsar = Some(value()?),
            "--pulsar-admin" => admin = Some(value()?),
            "--listen" => listen = value()?,
            "--config" => config = Some(value()?.into()),
            "--wasm" => wasm = Some(value()?.into()),
            "--log-level" => log_level = level(&value()?)?,
            other => return Err(format!("unknown option '{other}'; try --help")),
        }
    }
    let behind = match (pulsar, scripted) {
        (Some(_), true) => return Err("--pulsar and --scripted exclude each other".to_string()),
        (None, false) => return Err("one of --pulsar HOST:PORT and --scripted is needed".to_string()),
        (None, true) if admin.is_some() => return Err("the scripted broker brings its own admin REST".to_string()),
        (None, true) => Behind::Scripted,
        (Some(address), false) => Behind::Pulsar { address, admin },
    };
    let listen = listen.parse().map_err(|_| format!("--listen takes an IP address and a port, not '{listen}'"))?;
    Ok(Command::Serve(Args { listen, behind, config, wasm, log_level }))
}

fn level(name: &str) -> Result<Level, String> {
    match name {
        "trace" => Ok(Level::Trace),
        "debug" => Ok(Level::Debug),
        "info" => Ok(Level::Info),
        "warn" => Ok(Level::Warn),
        "error" => Ok(Level::Error),
        other => Err(format!("--log-level: unknown level '{other}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_string))
    }

    #[test]
    fn a_broker_or_the_scripted_one_is_chosen_and_never_both() {
        let Ok(Command::Serve(args)) =
            parsed("serve --pulsar p:6650 --pulsar-admin http://p:8080 --listen 127.0.0.1:1")
        else {
            panic!("not read");
        };
        let admin = Some("http://p:8080".to_string());
        assert_eq!(args.behind, Behind::Pulsar { address: "p:6650".to_string(), admin });
        assert_eq!(args.listen.port(), 1);
        for wrong in ["serve", "serve --pulsar p:1 --scripted", "serve --scripted --pulsar-admin http://p"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert!(parsed("serve --scripted --prot 5").unwrap_err().contains("--prot"));
        assert!(parsed("serve --listen").unwrap_err().contains("--listen"));
        assert_eq!(parsed("--help"), Ok(Command::Help));
    }
}
