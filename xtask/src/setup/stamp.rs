//! Stamps: small files with the inputs of a result, so that it is rebuilt only when these change.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// A stamp and the value it must hold.
pub struct Stamp {
    file: PathBuf,
    value: String,
}

impl Stamp {
    /// A stamp over all inputs of a result.
    pub fn new(file: PathBuf, parts: &[&[u8]]) -> Self {
        let mut hasher = DefaultHasher::new();
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        Self { file, value: format!("{:016x}", hasher.finish()) }
    }

    /// Whether the result was made from the same inputs.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|value| value.trim() == self.value)
    }

    /// Records that the result is made from these inputs.
    pub fn write(&self) -> Result<()> {
        fs::write(&self.file, format!("{}\n", self.value))
            .with_context(|| format!("writing {}", self.file.display()))
    }
}
