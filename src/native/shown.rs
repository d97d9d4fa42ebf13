//! What is to be signed, as it is shown on a terminal.

use std::fmt::Write as _;

use crate::api::ContentView;

/// So many contents of a request are shown unless all are asked for.
const SHOWN: usize = 20;

/// Writes everything that is to be signed: one content in full; of several their number first, then
/// each, or the first ones and how to see the rest.
pub(super) fn contents(text: &mut String, all: &[ContentView], all_items: bool, indent: &str) {
    let total = all.len();
    let shown = if all_items { total } else { SHOWN };
    for (index, content) in all.iter().take(shown).enumerate() {
        if total > 1 {
            let _ = writeln!(text, "{indent}{} of {total}: {}", index + 1, content.kind);
        }
        for (name, value) in &content.shown {
            let _ = writeln!(text, "{indent}{name:<12} {}", printable(value));
        }
        // Of one of several contents a digest that stands there already is not written once more.
        let told = |digest: &&String| total > 1 && content.shown.iter().any(|(_, v)| v == *digest);
        for digest in content.digests.iter().filter(|digest| !told(digest)) {
            let _ = writeln!(text, "{indent}digest       {digest}");
        }
    }
    if total > shown {
        let rest = total - shown;
        let _ = writeln!(
            text,
            "{indent}and {rest} more, which are signed as well: 'frostmesh requests --all-items' shows all"
        );
    }
    if all.iter().any(|content| content.kind == "hash") {
        let _ = writeln!(
            text,
            "{indent}nobody can see what a hash means: approve it only if you know by another way"
        );
    }
}

/// Text of others as it can be shown on a terminal: what would move the cursor or change colours is
/// written out.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\n             "),
            c if c.is_control() || is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that turn the direction of what follows, or take no room: text with them can be read
/// as another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
