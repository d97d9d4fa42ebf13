//! Writes a zip file with the same bytes for the same files: sorted names, one fixed time, no
//! owner, no machine. The format is that of PKWARE's APPNOTE.TXT; comments name its sections.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use super::assemble::Files;

/// 1980-01-01 00:00, the earliest time of the format, in MS-DOS form: time, then date.
const MODIFIED: [u8; 4] = [0, 0, 0b0010_0001, 0];
/// 2.0: the version of the format that has Deflate.
const VERSION: u16 = 20;
const DEFLATE: u16 = 8;
/// General purpose bit 11: names are UTF-8.
const UTF8: u16 = 1 << 11;

/// Packs files, in the order of their names.
pub fn pack(files: &Files) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (file, content) in files {
        let parts: Vec<_> =
            file.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        let offset = number(archive.len())?;
        let entry = entry(&parts.join("/"), content, &mut archive)?;
        // 4.3.12 Central directory header.
        directory.extend(0x0201_4b50_u32.to_le_bytes());
        directory.extend(VERSION.to_le_bytes());
        directory.extend(&entry.fields);
        directory.extend([0; 2 + 2 + 2 + 4]); // comment length, disk, internal and external attributes
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let (start, size, count) =
        (number(archive.len())?, number(directory.len())?, u16::try_from(files.len())?);
    archive.extend(directory);
    // 4.3.16 End of central directory record.
    archive.extend(0x0605_4b50_u32.to_le_bytes());
    archive.extend([0; 4]); // this disk, the directory's disk
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(size.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]); // comment length
    Ok(archive)
}

/// The fields that the local header and the directory share.
struct Entry {
    fields: Vec<u8>,
    name: Vec<u8>,
}

fn entry(name: &str, content: &[u8], archive: &mut Vec<u8>) -> Result<Entry> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    let packed = encoder.finish()?;
    let mut crc = Crc::new();
    crc.update(content);
    let mut fields = Vec::new();
    for value in [VERSION, UTF8, DEFLATE] {
        fields.extend(value.to_le_bytes());
    }
    fields.extend(MODIFIED);
    for value in [crc.sum(), number(packed.len())?, number(content.len())?] {
        fields.extend(value.to_le_bytes());
    }
    fields.extend(u16::try_from(name.len())?.to_le_bytes());
    fields.extend([0; 2]); // extra field length
    // 4.3.7 Local file header.
    archive.extend(0x0403_4b50_u32.to_le_bytes());
    archive.extend(&fields);
    archive.extend(name.as_bytes());
    archive.extend(packed);
    Ok(Entry { fields, name: name.as_bytes().to_vec() })
}

fn number(length: usize) -> Result<u32> {
    u32::try_from(length).context("the extension is too large for a zip file")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Files, pack};

    #[test]
    fn the_same_files_make_the_same_archive() {
        let files = |content: &[u8]| {
            let names = ["ui/view.js", "manifest.json"];
            names.into_iter().map(|name| (PathBuf::from(name), content.to_vec())).collect::<Files>()
        };
        let first = pack(&files(b"frost frost frost frost")).expect("an archive");
        assert_eq!(first, pack(&files(b"frost frost frost frost")).expect("an archive"));
        assert_eq!(&first[..4], b"PK\x03\x04");
        assert_eq!(&first[30..43], b"manifest.json");
        assert_ne!(first, pack(&files(b"other")).expect("an archive"));
    }
}
