//! Bodies of this crate's fuzz targets, and helpers that other crates share. Each body accepts any
//! bytes and panics when a property does not hold. See `fuzz/` in the repository.

mod check;

pub use check::{Seeds, check};

use crate::NodePath;

/// Returns the pieces of a fuzzer's input. Each piece is preceded by its length as big-endian
/// `u16`; the last piece may be shorter than its length.
pub fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = data.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (piece, rest) = rest.split_at(len);
        data = rest;
        Some(piece)
    })
}

/// Parses a path and checks that its text parses as the same path.
pub fn node_path(data: &[u8]) {
    let path = NodePath::from(&*String::from_utf8_lossy(data));
    let text = path.to_string();
    assert_eq!(NodePath::from(text.as_str()), path, "{text:?}");
    let node = path.without_subnames();
    assert_eq!(node.names(), path.names());
    assert!(node.subnames().is_empty());
    assert!(text.len() <= data.len() * "\u{fffd}".len(), "{text:?}");
}
