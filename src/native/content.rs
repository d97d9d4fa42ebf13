//! What is to be signed, from the command line and from files.

use std::fs;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::cli::Subject;
use super::exit::{Exit, Failure, OrExit};
use crate::content::{Content, File, MAX_CONTENT, NostrEvent, Text};

/// Reads what the arguments name. `author` is the x-only key of whom a Nostr event has to be.
pub(super) fn read(subject: &Subject, author: Option<&[u8; 32]>) -> Result<Content, Failure> {
    let usage = |error| Failure::new(Exit::Usage, error);
    match subject {
        Subject { text: Some(text), .. } => {
            Ok(Content::Text(Text::new(text.clone()).map_err(usage)?))
        }
        Subject { hash: Some(hash), .. } => Ok(Content::Hash(*hash)),
        Subject { file: Some(path), .. } => file(path).map(Content::File),
        Subject { nostr_event: Some(path), .. } => {
            NostrEvent::parse(&small(path)?, author).map(Content::NostrEvent).map_err(usage)
        }
        _ => Err(Failure::new(
            Exit::Usage,
            "say what is signed: --text, --hash, --file or --nostr-event",
        )),
    }
}

/// The hash of a file of any size.
fn file(path: &Path) -> Result<File, Failure> {
    let what = format!("{} cannot be read", path.display());
    let mut reader = fs::File::open(path).or_exit(Exit::Usage, &what)?;
    let mut hash = Sha256::new();
    let (mut size, mut buffer) = (0_u64, vec![0; 64 * 1024]);
    loop {
        let read = reader.read(&mut buffer).or_exit(Exit::Usage, &what)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        hash.update(&buffer[..read]);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(File { name, size, sha256: hash.finalize().into() })
}

fn small(path: &Path) -> Result<String, Failure> {
    let what = format!("{} cannot be read", path.display());
    let file = fs::File::open(path).or_exit(Exit::Usage, &what)?;
    let mut text = String::new();
    file.take(MAX_CONTENT as u64 + 1).read_to_string(&mut text).or_exit(Exit::Usage, &what)?;
    Ok(text)
}
