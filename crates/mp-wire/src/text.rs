//! Texts of packets: bounded, and without control characters.

use std::fmt::{self, Write};

use crate::limits::{SHOWN_BYTES_MAX, TEXT_BYTES_MAX};

/// A text of at most [`TEXT_BYTES_MAX`] bytes. Writing fails beyond, which ends the formatting of
/// large values early. Control characters and marks that change the direction of text are escaped:
/// remote peers choose the content, and terminals obey it.
#[derive(Debug, Default)]
pub(crate) struct BoundedText(String);

impl BoundedText {
    /// Returns the text of `write`, cut with `…` if it is too long.
    pub(crate) fn of(write: impl FnOnce(&mut Self) -> fmt::Result) -> String {
        let mut text = Self::default();
        match write(&mut text) {
            Ok(()) => text.0,
            Err(fmt::Error) => text.0 + "…",
        }
    }
}

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        if self.0.len() + c.len_utf8() > TEXT_BYTES_MAX {
            return Err(fmt::Error);
        }
        match c {
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                self.0.extend(c.escape_unicode());
            }
            c if c.is_control() => self.0.extend(c.escape_default()),
            c => self.0.push(c),
        }
        Ok(())
    }
}

/// Writes the first bytes of a packet: in quotes if all of them are printable ASCII, else in
/// hexadecimal.
pub(crate) fn write_bytes(to: &mut dyn Write, bytes: &[u8]) -> fmt::Result {
    let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    match std::str::from_utf8(shown) {
        Ok(text) if shown.iter().all(is_printable) => write!(to, "{text:?}")?,
        _ => shown.iter().try_for_each(|byte| write!(to, "{byte:02x}"))?,
    }
    if shown.len() < bytes.len() { to.write_char('…') } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_long_texts_are_cut() {
        let text = BoundedText::of(|to| write!(to, "a\u{1b}[2J\n\u{202e}b"));
        assert_eq!(text, "a\\u{1b}[2J\\n\\u{202e}b");
        let text = BoundedText::of(|to| write!(to, "{}", "é".repeat(TEXT_BYTES_MAX)));
        assert_eq!(text.len(), TEXT_BYTES_MAX + "…".len());
        assert!(text.ends_with("é…"));
    }

    #[test]
    fn bytes_are_shown_as_text_only_if_all_are_printable() {
        let shown = |bytes: &[u8]| BoundedText::of(|to| write_bytes(to, bytes));
        assert_eq!(shown(b"hi there"), "\"hi there\"");
        assert_eq!(shown(b"hi\n"), "68690a");
        assert_eq!(shown(&[7; 40]), format!("{}…", "07".repeat(32)));
    }
}
