//! Godot's text format: sections with attributes and properties. Scenes, resources and
//! `project.godot` have it.

mod value;

use std::path::Path;

pub(crate) use self::value::ValueParser;

use crate::error::{Error, Position, SyntaxError};
use crate::value::Value;

/// A section: `[name attribute=value]`, with the properties below it.
#[derive(Debug)]
pub(crate) struct Section {
    /// Name; empty for the properties before the first section.
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) properties: Vec<Property>,
}

/// A property of a section.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: Value,
    /// Position of the value.
    pub(crate) position: Position,
}

impl Section {
    fn new(name: String, position: Position) -> Self {
        Self { name, position, attributes: Vec::new(), properties: Vec::new() }
    }

    /// Returns an attribute of the section's header.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns a string attribute of the section's header.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.attribute(name)?.as_str()
    }

    /// Returns a property. The last one counts if the file has several of this name.
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.properties.iter().rfind(|property| property.name == name)
    }
}

/// Parses a file of Godot's text format.
///
/// # Errors
///
/// Returns an error at the first place that does not follow the format.
pub(crate) fn parse(text: &str) -> Result<Vec<Section>, SyntaxError> {
    let mut parser = ValueParser::new(text);
    let mut sections = vec![Section::new(String::new(), parser.position())];
    loop {
        parser.skip_space();
        let position = parser.position();
        match parser.peek() {
            None => return Ok(sections),
            Some('[') => sections.push(header(&mut parser, position)?),
            Some(_) => {
                let name = parser.key()?;
                parser.skip_space();
                let position = parser.position();
                let value = parser.value()?;
                let section = sections.last_mut().expect("the first section is never removed");
                section.properties.push(Property { name, value, position });
            }
        }
    }
}

fn header(parser: &mut ValueParser<'_>, position: Position) -> Result<Section, SyntaxError> {
    parser.expect('[')?;
    let name = parser.until_space_or(']').to_owned();
    if name.is_empty() {
        return Err(SyntaxError::new(position, "expected the name of a section"));
    }
    let mut section = Section::new(name, position);
    loop {
        parser.skip_space();
        match parser.peek() {
            Some(']') => {
                parser.expect(']')?;
                return Ok(section);
            }
            Some(_) => {
                let key = parser.key()?;
                section.attributes.push((key, parser.value()?));
            }
            None => return Err(SyntaxError::new(position, "section header is not closed")),
        }
    }
}

impl std::str::FromStr for Value {
    type Err = Error;

    /// Parses a value.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not one value. The error has a position but no path.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parser = ValueParser::new(text);
        let value = parser.value().and_then(|value| parser.end().map(|()| value));
        value.map_err(|error| error.in_file(Path::new("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_attributes_and_properties() {
        let text = "config=5\r\n; comment\r\n[node name=\"A\" groups=[\"a\", \"b\"]]\r\n\"odd key\" = 1\r\na/b =\r\n \"two\nlines\"\r\n[end]";
        let sections = parse(text).unwrap();
        let [first, node, end] = &sections[..] else { panic!("{sections:?}") };
        assert_eq!(first.property("config").map(|it| &it.value), Some(&Value::Int(5)));
        assert_eq!(node.text("name"), Some("A"));
        assert_eq!(node.attribute("groups").and_then(Value::items).map(<[_]>::len), Some(2));
        assert_eq!(node.property("odd key").map(|it| &it.value), Some(&Value::Int(1)));
        let property = node.property("a/b").unwrap();
        assert_eq!(property.value.as_str(), Some("two\nlines"));
        assert_eq!(property.position, Position { line: 6, column: 2 });
        assert_eq!((&*end.name, end.position.line), ("end", 8));
    }

    #[test]
    fn malformed_text_is_an_error_with_its_position() {
        let error = |text| {
            let SyntaxError { position, message, .. } = parse(text).unwrap_err();
            (position.line, position.column, message)
        };
        assert_eq!(error("[node\nname="), (2, 6, "expected a value".to_owned()));
        assert_eq!(error("[node"), (1, 1, "section header is not closed".to_owned()));
        assert_eq!(error("a = 1\nb\nc = 2"), (2, 1, "expected = after b".to_owned()));
        assert_eq!(error("a = \"x"), (1, 5, "string is not closed".to_owned()));
        assert_eq!(error("a = [1, 2"), (1, 10, "expected , or ]".to_owned()));
        assert_eq!(error("a = Vector2(1"), (1, 14, "expected , or )".to_owned()));
        assert_eq!(error("a = {1 2}"), (1, 8, "expected :".to_owned()));
        assert_eq!(error("a = what"), (1, 5, "unknown word what".to_owned()));
        let deep = format!("a = {}", "[".repeat(1000));
        assert_eq!(error(&deep).2, "more than 128 nested values");
    }
}
