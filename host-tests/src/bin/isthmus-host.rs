//! Runs `isthmus.wasm` on real sockets, without Envoy. See `docs/host-harness.md`.

use std::process::ExitCode;

use isthmus_host_tests::serve::{Command, USAGE, parse, serve};

fn main() -> ExitCode {
    let result = match parse(std::env::args().skip(1)) {
        Ok(Command::Help) => {
            print!("{USAGE}");
            Ok(())
        }
        Ok(Command::Serve(args)) => serve(&args),
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
