//! Where the password comes from: a file, the environment, or the person at the terminal.

use std::io::IsTerminal;
use std::path::Path;

use zeroize::Zeroizing;

use super::exit::{Exit, Failure, OrExit};

/// The variable that may hold the password.
const VARIABLE: &str = "FROSTMESH_PASSWORD";
/// Longest password file, in bytes.
const MAX_FILE: u64 = 4096;

/// Gets the password; `new` asks twice at a terminal.
pub(super) fn read(file: Option<&Path>, new: bool) -> Result<Zeroizing<String>, Failure> {
    let password = match (file, std::env::var(VARIABLE)) {
        (Some(path), _) => from_file(path)?,
        (None, Ok(value)) => Zeroizing::new(value),
        (None, Err(_)) => prompt(new)?,
    };
    if password.is_empty() {
        return Err(Failure::new(Exit::Usage, "the password is empty: choose one"));
    }
    Ok(password)
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let what = format!("the password file {} cannot be read", path.display());
    let size = std::fs::metadata(path).or_exit(Exit::Usage, &what)?.len();
    if size > MAX_FILE {
        return Err(Failure::new(
            Exit::Usage,
            format_args!("{what}: it is larger than {MAX_FILE} bytes"),
        ));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).or_exit(Exit::Usage, &what)?);
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn prompt(new: bool) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = format!("no password: give --password-file FILE or set {VARIABLE}");
        return Err(Failure::new(Exit::Usage, text));
    }
    let ask = |question: &str| {
        rpassword::prompt_password(question).map(Zeroizing::new).or_exit(Exit::Other, "no password")
    };
    if !new {
        return ask("Password: ");
    }
    eprintln!(
        "Your share of the key will be encrypted with a password. It cannot be recovered without it."
    );
    let first = ask("New password: ")?;
    if first != ask("The same again: ")? {
        return Err(Failure::new(Exit::Usage, "the two passwords differ"));
    }
    Ok(first)
}
