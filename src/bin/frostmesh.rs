//! The `frostmesh` program: command-line node and signaling server.

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    frostmesh::native::main()
}

/// In a browser the library is the program.
#[cfg(target_family = "wasm")]
fn main() {}
