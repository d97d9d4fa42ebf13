//! What is to be signed, from the command line and from files. The arguments come from the list of
//! kinds of content: `--text`, `--file`, ...

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use sha2::{Digest, Sha256};

use super::exit::{Exit, Failure, OrExit};
use crate::content::{self, Content, File, Input, KindInfo};
use crate::frost::GroupKey;

/// What is signed: the contents that the arguments name, in their order. Exactly one, so far.
pub(super) struct Subject {
    pub contents: Vec<Given>,
}

/// One content, as it was given.
#[derive(Clone)]
pub(super) struct Given {
    kind: &'static KindInfo,
    value: Value,
}

#[derive(Clone)]
enum Value {
    /// The content itself.
    Text(String),
    /// The path of a file that holds it, or that is hashed.
    Path(PathBuf),
}

impl Args for Subject {
    fn augment_args(command: Command) -> Command {
        let group = ArgGroup::new("Subject").args(content::kinds().map(|kind| kind.name));
        let arguments = content::kinds().map(|kind| argument(kind).action(ArgAction::Set));
        command.args(arguments).group(group.required(true).multiple(false))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Subject {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut all = Vec::new();
        for kind in content::kinds() {
            let places = matches.indices_of(kind.name).into_iter().flatten();
            let values = matches.get_many::<Value>(kind.name).into_iter().flatten();
            all.extend(places.zip(values.map(|value| Given { kind, value: value.clone() })));
        }
        all.sort_by_key(|(place, _)| *place);
        Ok(Self { contents: all.into_iter().map(|(_, given)| given).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The argument of a kind: `--text TEXT`.
fn argument(kind: &'static KindInfo) -> Arg {
    let argument = Arg::new(kind.name).long(kind.name).value_name(kind.value_name).help(kind.help);
    match kind.input {
        Input::Text => {
            argument.value_parser(|text: &str| Ok::<_, String>(Value::Text(text.into())))
        }
        Input::Line => argument.value_parser(|line: &str| {
            // What is wrong with one word is said as clap says it of any argument.
            let line = line.trim();
            Content::read(kind.name, line, None).map(|_| Value::Text(line.to_owned()))
        }),
        Input::Document | Input::FileHash => {
            argument.value_parser(PathBufValueParser::new().map(Value::Path))
        }
    }
}

/// Reads one content. `key` is the group key that is to sign; there is none where a signature is
/// checked.
pub(super) fn read(given: &Given, key: Option<&GroupKey>) -> Result<Content, Failure> {
    let kind = given.kind;
    let written = match (&given.value, kind.input) {
        (Value::Text(text), _) => text.clone(),
        (Value::Path(path), Input::FileHash) => describe(path)?.to_json(),
        (Value::Path(path), _) => document(path, kind.max_size)?,
    };
    Content::read(kind.name, &written, key).map_err(|error| Failure::new(Exit::Usage, error))
}

impl Subject {
    /// The one content.
    pub(super) fn one(&self) -> Result<&Given, Failure> {
        // The group of the arguments requires one.
        self.contents.first().ok_or_else(|| Failure::new(Exit::Usage, "there is nothing to sign"))
    }
}

/// The name, size and hash of a file of any size.
fn describe(path: &Path) -> Result<File, Failure> {
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
    // The name is for people, and not part of what is signed: what cannot be shown of it is
    // replaced.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.replace(char::is_control, "\u{fffd}");
    Ok(File { name, size, sha256: hash.finalize().into() })
}

/// The text of a file. One byte more than the kind takes is enough to refuse it.
fn document(path: &Path, max_size: usize) -> Result<String, Failure> {
    let what = format!("{} cannot be read", path.display());
    let file = fs::File::open(path).or_exit(Exit::Usage, &what)?;
    let mut text = String::new();
    file.take(max_size as u64 + 1).read_to_string(&mut text).or_exit(Exit::Usage, &what)?;
    Ok(text)
}
