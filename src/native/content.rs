//! What is to be signed, from the command line and from files. The arguments come from the list of
//! kinds of content: `--text`, `--file`, ...

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Args, Command, FromArgMatches};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::exit::{Exit, Failure, OrExit};
use crate::content::{self, Content, File, Input, KindInfo};
use crate::frost::GroupKey;
use crate::group::{MAX_ITEMS, Operation, SignTask};

/// What is signed or was: the one content that the arguments name.
pub(super) struct Subject(Option<Given>);

/// What is to be signed: all that the arguments name, in their order.
pub(super) struct Subjects(Vec<Named>);

/// What one argument names.
enum Named {
    One(Given),
    /// A file with a line of JSON for each content.
    Batch(PathBuf),
}

/// Largest file with a line for each content, in bytes.
const MAX_BATCH: usize = 4 * 1024 * 1024;
/// The name of the argument for such a file.
const BATCH: &str = "batch";

/// One line of such a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// The kind of content.
    kind: String,
    /// The content, as its kind is written; or
    content: Option<String>,
    /// the path of a file to sign, or of one that holds the content.
    path: Option<PathBuf>,
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
        Ok(Self(given(matches).pop().map(|(_, given)| given)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Subjects {
    fn augment_args(command: Command) -> Command {
        let help =
            "A file with a line of JSON for each content: \"kind\", and \"content\" or \"path\"";
        let batch = Arg::new(BATCH).long(BATCH).value_name("FILE").help(help);
        let batch = batch.value_parser(PathBufValueParser::new()).action(ArgAction::Append);
        let kinds = content::kinds().map(|kind| argument(kind).action(ArgAction::Append));
        let names = content::kinds().map(|kind| kind.name).chain([BATCH]);
        let group = ArgGroup::new("Subjects").args(names).required(true).multiple(true);
        command.args(kinds).arg(batch).group(group)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Subjects {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let one = |(index, given)| (index, Named::One(given));
        let mut all: Vec<(usize, Named)> = given(matches).into_iter().map(one).collect();
        let indices = matches.indices_of(BATCH).into_iter().flatten();
        let paths = matches.get_many::<PathBuf>(BATCH).into_iter().flatten();
        all.extend(indices.zip(paths.map(|path| Named::Batch(path.clone()))));
        all.sort_by_key(|(index, _)| *index);
        Ok(Self(all.into_iter().map(|(_, named)| named).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The contents that arguments name, and where each stands on the command line.
fn given(matches: &ArgMatches) -> Vec<(usize, Given)> {
    let mut all = Vec::new();
    for kind in content::kinds() {
        let indices = matches.indices_of(kind.name).into_iter().flatten();
        let values = matches.get_many::<Value>(kind.name).into_iter().flatten();
        all.extend(indices.zip(values.map(|value| Given { kind, value: value.clone() })));
    }
    all
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
        self.0.as_ref().ok_or_else(|| Failure::new(Exit::Usage, "there is nothing to sign"))
    }
}

/// Reads all that the arguments name as one operation.
pub(super) fn operation(subjects: Subjects, key: &GroupKey) -> Result<Operation, Failure> {
    let mut contents = Vec::new();
    for named in subjects.0 {
        match named {
            Named::One(given) => contents.push(read(&given, Some(key))?),
            Named::Batch(path) => contents.extend(batch(&path, key)?),
        }
    }
    let task = SignTask::new(contents);
    task.map(Operation::Sign).map_err(|error| Failure::new(Exit::Usage, error))
}

/// Reads a file with a line of JSON for each content.
fn batch(path: &Path, key: &GroupKey) -> Result<Vec<Content>, Failure> {
    let text = document(path, MAX_BATCH)?;
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
            return Err(at(format!("more than {MAX_ITEMS} contents cannot be signed at once")));
        }
        let line: Line = serde_json::from_str(line).map_err(|error| at(error.to_string()))?;
        contents.push(of_line(line, key).map_err(at)?);
    }
    Ok(contents)
}

fn of_line(line: Line, key: &GroupKey) -> Result<Content, String> {
    let failed = |failure: Failure| failure.text.unwrap_or_default();
    let Line { kind: name, content, path } = line;
    if let (Some(content), None) = (&content, &path) {
        return Content::read(&name, content, Some(key)).map_err(|error| error.to_string());
    }
    let (None, Some(path)) = (content, path) else {
        return Err("it takes 'content' or 'path'".to_owned());
    };
    let kind = content::kinds().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| format!("content of the kind '{name}' is not known here"))?;
    read(&Given { kind, value: Value::Path(path) }, Some(key)).map_err(failed)
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
