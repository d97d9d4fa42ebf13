//! Writes `www/ui/api.d.ts`: the types of this folder as the user interface sees them. The test
//! compares the file with what it would write. `FROSTMESH_WRITE=1 cargo test api_types` writes the
//! file.

use std::fmt::Write;
use std::path::Path;

use ts_rs::{Config, TS};

use super::{
    CarrierId, CarrierView, CheckView, Command, ConnectionState, ConnectionView, ContactView,
    ContentView, ErrorCode, Event, GroupView, InviteView, KeystoreCommand, KeystoreState, KindView,
    MemberView, PeerState, PeerView, PhaseName, ProtocolStep, Reason, ReasonKind, Refusal,
    RequestState, RequestView, SessionView, SignatureView, Snapshot, SuiteView, Timestamp,
    WalletStatus, WalletView,
};
use crate::content::Input;
use crate::frost::Suite;
use crate::identity::InviteUri;
use crate::keystore::{RosterEntry, WalletRoster};
use crate::label::Label;
use crate::wire::{PeerId, SessionId};

const FILE: &str = "www/ui/api.d.ts";

const HEAD: &str = "\
// What the node shows and takes, written from the Rust types in src/api by a test. Do not edit:
// FROSTMESH_WRITE=1 cargo test api_types
";

/// Types of other folders that are text in JSON.
macro_rules! text_in_json {
    ($($type:ty),*) => { $(
        impl TS for $type {
            type WithoutGenerics = Self;
            type OptionInnerType = Self;

            fn name(_: &Config) -> String {
                let path = std::any::type_name::<Self>();
                path.rsplit("::").next().unwrap_or(path).to_owned()
            }

            fn inline(_: &Config) -> String {
                "string".to_owned()
            }
        }
    )* };
}

text_in_json!(PeerId, SessionId, InviteUri, Suite);

/// A doc comment of TypeScript, from the tokens of doc attributes.
pub(super) fn docs(attributes: &[&str]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let text = attribute.strip_prefix("doc =")?.trim_start().trim_start_matches('r');
        Some(text.trim_matches(['"', ' ']).replace("\\\"", "\""))
    });
    let text: Vec<String> = lines.collect();
    if text.is_empty() { String::new() } else { format!("\n  /** {} */", text.join(" ")) }
}

fn declaration<T: TS>() -> String {
    let config = Config::default();
    tidy(&format!("{}export {}\n", T::docs().unwrap_or_default(), T::decl(&config)))
}

/// Indents what the library writes, and puts each short comment into one line.
fn tidy(text: &str) -> String {
    let text = text.replace(", } | { \"event\": ", ",\n} | {\nevent: ");
    let text = text.replace("= { \"event\": ", "= {\nevent: ").replace(", };", ",\n};");
    let (mut out, mut inside, mut comment) = (String::new(), false, None::<Vec<&str>>);
    for line in text.lines().map(str::trim_end) {
        let indent = if inside { "  " } else { "" };
        match (&mut comment, line.trim_start()) {
            (_, "/**") => comment = Some(Vec::new()),
            (Some(words), "*/") => {
                let _ = writeln!(out, "{indent}/** {} */", words.join(" "));
                comment = None;
            }
            (Some(words), line) => words.push(line.trim_start_matches(['*', ' '])),
            (None, line) => {
                let is_edge = line.starts_with('}') || line.starts_with("export");
                let field = line.strip_suffix(',').map(|field| format!("{field};"));
                let indent = if is_edge { "" } else { indent };
                let _ = writeln!(out, "{indent}{}", field.as_deref().unwrap_or(line));
                inside = line.ends_with('{') || (inside && !line.starts_with('}'));
            }
        }
    }
    out
}

fn written() -> String {
    let mut text = HEAD.to_owned();
    let mut add = |part: String| {
        let _ = write!(text, "\n{part}"); // a String takes all
    };
    add(format!(
        "/** Milliseconds since 1970-01-01 UTC. */\nexport {}\n",
        Timestamp::decl(&Config::default())
    ));
    add("/** 1 to 64 characters of A-Z a-z 0-9 . _ - */\nexport type PeerId = string;\n".to_owned());
    add("export type SessionId = string;\n".to_owned());
    add("/** Secret: whoever has it can take part. */\nexport type InviteUri = string;\n"
        .to_owned());
    add("/** The name of a ciphersuite: one of the snapshot's `suites`. */\nexport type Suite = string;\n".to_owned());
    add("/** The name of a kind of content: one of the snapshot's `kinds`. */\nexport type ContentKind = string;\n".to_owned());
    add(Command::typescript());
    add(KeystoreCommand::typescript());
    for part in [
        declaration::<ErrorCode>(),
        declaration::<Refusal>(),
        declaration::<Snapshot<'static>>(),
        declaration::<KeystoreState>(),
        declaration::<SuiteView>(),
        declaration::<KindView>(),
        declaration::<Label>(),
        declaration::<Input>(),
        declaration::<WalletView>(),
        declaration::<RosterEntry>(),
        declaration::<WalletRoster>(),
        declaration::<WalletStatus>(),
        declaration::<ConnectionView>(),
        declaration::<ConnectionState>(),
        declaration::<SessionView>(),
        declaration::<PhaseName>(),
        declaration::<PeerView>(),
        declaration::<PeerState>(),
        declaration::<CarrierId>(),
        declaration::<CarrierView>(),
        declaration::<ProtocolStep>(),
        declaration::<Reason>(),
        declaration::<ReasonKind>(),
        declaration::<InviteView>(),
        declaration::<ContactView>(),
        declaration::<GroupView>(),
        declaration::<MemberView>(),
        declaration::<CheckView>(),
        declaration::<RequestView>(),
        declaration::<ContentView>(),
        declaration::<SignatureView>(),
        declaration::<RequestState>(),
        declaration::<Event>(),
    ] {
        add(part);
    }
    text
}

#[test]
fn api_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let wanted = written();
    if std::env::var_os("FROSTMESH_WRITE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{FILE} is not what the types in src/api say. FROSTMESH_WRITE=1 cargo test api_types writes it."
    );
}
