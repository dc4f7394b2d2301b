//! Runs `isthmus.wasm` on real sockets, without Envoy, and prints the log of a consumer group. See `docs/host-harness.md`.

use std::process::ExitCode;

use isthmus_host_tests::group_log::group_log;
use isthmus_host_tests::serve::{Command, USAGE, parse, serve};

fn main() -> ExitCode {
    let result = match parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            Ok(())
        }
        Ok(Command::Serve(args)) => serve(&args),
        Ok(Command::GroupLog(args)) => group_log(&args),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("isthmus-host: {error}");
            ExitCode::FAILURE
        }
    }
}
