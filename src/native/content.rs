//! What is to be signed, from the command line and from files.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::cli::{Given, Subject, Subjects};
use super::exit::{Exit, Failure, OrExit};
use crate::content::{Content, File, MAX_CONTENT, NostrEvent, Text};
use crate::group::{MAX_ITEMS, Operation, SignTask};

/// Largest file with a line for each thing to sign, in bytes.
const MAX_BATCH: usize = 4 * 1024 * 1024;

/// One line of such a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The kind of content.
    kind: String,
    /// The content, as its kind is written; or
    content: Option<String>,
    /// where it lies: a file to sign, or one that holds the content.
    path: Option<PathBuf>,
}

/// Reads what the arguments name. `author` is the x-only key of whom a Nostr event has to be.
pub(super) fn read(subject: &Subject, author: Option<&[u8; 32]>) -> Result<Content, Failure> {
    let given = match subject {
        Subject { text: Some(text), .. } => Given::Text(text.clone()),
        Subject { hash: Some(hash), .. } => Given::Hash(*hash),
        Subject { file: Some(path), .. } => Given::File(path.clone()),
        Subject { nostr_event: Some(path), .. } => Given::NostrEvent(path.clone()),
        _ => {
            let text = "say what is signed: --text, --hash, --file or --nostr-event";
            return Err(Failure::new(Exit::Usage, text));
        }
    };
    one(given, author)
}

/// Reads all that the arguments name as one operation.
pub(super) fn operation(
    subjects: Subjects,
    author: Option<&[u8; 32]>,
) -> Result<Operation, Failure> {
    let mut contents = Vec::new();
    for given in subjects.0 {
        match given {
            Given::Batch(path) => contents.extend(batch(&path, author)?),
            given => contents.push(one(given, author)?),
        }
    }
    let task = SignTask::new(contents);
    task.map(Operation::Sign).map_err(|error| Failure::new(Exit::Usage, error))
}

fn one(given: Given, author: Option<&[u8; 32]>) -> Result<Content, Failure> {
    let usage = |error| Failure::new(Exit::Usage, error);
    match given {
        Given::Text(text) => Ok(Content::Text(Text::new(text).map_err(usage)?)),
        Given::Hash(hash) => Ok(Content::Hash(hash)),
        Given::File(path) => file(&path).map(Content::File),
        Given::NostrEvent(path) => NostrEvent::parse(&small(&path, MAX_CONTENT)?, author)
            .map(Content::NostrEvent)
            .map_err(usage),
        Given::Batch(path) => {
            let text = format!("{} is a batch, where one thing is expected", path.display());
            Err(Failure::new(Exit::Usage, text))
        }
    }
}

/// Reads a file with a line of JSON for each thing to sign.
fn batch(path: &Path, author: Option<&[u8; 32]>) -> Result<Vec<Content>, Failure> {
    let text = small(path, MAX_BATCH)?;
    if text.len() > MAX_BATCH {
        let text = format!("{} is larger than {MAX_BATCH} bytes", path.display());
        return Err(Failure::new(Exit::Usage, text));
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let mut contents = Vec::new();
    for (number, line) in lines {
        let at = |error: String| {
            let text = format!("{}, line {number}: {error}", path.display());
            Failure::new(Exit::Usage, text)
        };
        if contents.len() == MAX_ITEMS {
            return Err(at(format!("more than {MAX_ITEMS} things cannot be signed at once")));
        }
        let line: Line = serde_json::from_str(line).map_err(|error| at(error.to_string()))?;
        contents.push(of_line(line, author).map_err(at)?);
    }
    Ok(contents)
}

fn of_line(line: Line, author: Option<&[u8; 32]>) -> Result<Content, String> {
    let failed = |failure: Failure| failure.text.unwrap_or_default();
    let Line { kind, content, path } = line;
    let written = match (content, path) {
        (Some(content), None) => content,
        (None, Some(path)) if kind == "file" => {
            return file(&path).map(Content::File).map_err(failed);
        }
        (None, Some(path)) => small(&path, MAX_CONTENT).map_err(failed)?,
        _ => return Err("it takes 'content' or 'path'".to_owned()),
    };
    Content::read(&kind, &written, author).map_err(|error| error.to_string())
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

/// The text of a file, and of one that is too large a byte more than it may have.
fn small(path: &Path, most: usize) -> Result<String, Failure> {
    let what = format!("{} cannot be read", path.display());
    let file = fs::File::open(path).or_exit(Exit::Usage, &what)?;
    let mut text = String::new();
    file.take(most as u64 + 1).read_to_string(&mut text).or_exit(Exit::Usage, &what)?;
    Ok(text)
}
