//! The log: what connections and machines do inside, on stderr, for whoever looks for the cause of
//! a fault. It is off unless `RUST_LOG` or `--verbose` asks for it. It never holds a secret: no
//! payload, key, invite or password.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Where directives of `tracing-subscriber` can be given, such as `frostmesh=trace,str0m=info`.
const VARIABLE: &str = "RUST_LOG";
/// What `--verbose` logs where the variable says nothing.
const VERBOSE: &str = "frostmesh=debug";

/// Starts the log of this process.
pub(super) fn start(verbose: bool) {
    let directives = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let fallback = if verbose { VERBOSE } else { "off" };
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or(fallback));
    let filter = filter.unwrap_or_else(|error| {
        eprintln!("frostmesh: {VARIABLE} is ignored: {error}");
        EnvFilter::new(fallback)
    });
    let log = tracing_subscriber::fmt()
        .compact()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = log.try_init(); // a program that embeds this may have a log of its own
}
