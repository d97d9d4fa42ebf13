//! Several lines of text, as a toy: each line is signed on its own, so that the holder of one line
//! can show it without the others.

use crate::content::kind::{
    Condition, ContentError, Input, Kind, KindInfo, MAX_CONTENT, SignItem, tagged,
};
use crate::frost::{GroupKey, Use};
use crate::label::Label;

/// Most lines.
const MAX_LINES: usize = 8;

/// The lines to sign.
pub struct ToyLines(Vec<String>);

impl Kind for ToyLines {
    const INFO: KindInfo = KindInfo {
        name: "toy-kind",
        label: Label::new("kind_toy", "Lines, to play with"),
        asks: Label::new("asks_toy", "$1 asks you to sign each of these lines."),
        warning: None,
        needs: Some(Use("toys")),
        input: Input::Text,
        help: "Lines that are signed one by one",
        value_name: "LINES",
        max_size: MAX_CONTENT,
        conditions: &[Condition { name: "toy_lines", field: "line" }],
    };

    fn read(written: &str, _key: Option<&GroupKey>) -> Result<Self, ContentError> {
        let lines: Vec<String> = written.lines().map(str::to_owned).collect();
        match lines.len() {
            0 => Err(ContentError::Empty),
            1..=MAX_LINES => Ok(Self(lines)),
            _ => Err(ContentError::malformed("these are more than 8 lines")),
        }
    }

    fn written(&self) -> String {
        self.0.join("\n")
    }

    fn items(&self) -> Vec<SignItem> {
        let item = |line: &String| SignItem::of(tagged("toy/line", line.as_bytes()));
        self.0.iter().map(item).collect()
    }

    fn shown(&self) -> Vec<(&'static str, String)> {
        self.0.iter().map(|line| ("line", line.clone())).collect()
    }
}
