//! Godot's `NodePath`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::variant::StringName;

/// A path to a node, and optionally to a property of it: `../Player`, `/root/Main`,
/// `Sprite:position:x`. Cloning is cheap.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodePath(Option<Arc<Parts>>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    absolute: bool,
    names: Vec<StringName>,
    subnames: Vec<StringName>,
}

impl NodePath {
    /// The empty path.
    pub const EMPTY: Self = Self(None);

    /// Returns the path with these parts. They are not validated, as in Godot's decoder.
    pub fn new(names: Vec<StringName>, subnames: Vec<StringName>, absolute: bool) -> Self {
        let empty = names.is_empty() && subnames.is_empty() && !absolute;
        Self((!empty).then(|| Arc::new(Parts { absolute, names, subnames })))
    }

    /// Returns whether the path starts at the root of the tree: `/root/Main`.
    pub fn is_absolute(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| parts.absolute)
    }

    /// Returns whether the path is `""`.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the node names, including `..` and `.`: `a` and `b` for `a/b:c`.
    #[doc(alias = "get_name")]
    #[doc(alias = "get_name_count")]
    pub fn names(&self) -> &[StringName] {
        self.0.as_ref().map_or(&[], |parts| &parts.names)
    }

    /// Returns the property and its subnames: `position` and `x` for `a:position:x`.
    #[doc(alias = "get_subname")]
    #[doc(alias = "get_subname_count")]
    pub fn subnames(&self) -> &[StringName] {
        self.0.as_ref().map_or(&[], |parts| &parts.subnames)
    }

    /// Returns the path without the property.
    pub fn without_subnames(&self) -> Self {
        if self.subnames().is_empty() {
            return self.clone();
        }
        Self::new(self.names().to_vec(), Vec::new(), self.is_absolute())
    }

    /// Returns the names, separated by `/`.
    #[doc(alias = "get_concatenated_names")]
    pub fn concatenated_names(&self) -> String {
        let absolute = if self.is_absolute() { "/" } else { "" };
        absolute.to_owned() + &self.names().join("/")
    }

    /// Returns the subnames, separated by `:`.
    #[doc(alias = "get_concatenated_subnames")]
    pub fn concatenated_subnames(&self) -> String {
        self.subnames().join(":")
    }
}

/// Parses a path as Godot does. Repeated and trailing slashes and a trailing colon are dropped. A
/// path with an empty subname, such as `a::b`, is the empty path.
impl From<&str> for NodePath {
    fn from(text: &str) -> Self {
        let (path, properties) = text.split_once(':').unwrap_or((text, ""));
        // One trailing colon is ignored; two enclose an empty subname.
        let inner = properties.strip_suffix(':').unwrap_or(properties);
        if !properties.is_empty() && inner.split(':').any(str::is_empty) {
            return Self::EMPTY;
        }
        let names = collect(path.split('/'));
        let subnames = collect(properties.split(':'));
        Self::new(names, subnames, path.starts_with('/'))
    }
}

impl From<String> for NodePath {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&Self> for NodePath {
    fn from(path: &Self) -> Self {
        path.clone()
    }
}

impl FromStr for NodePath {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.into())
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_absolute() {
            f.write_str("/")?;
        }
        for (i, name) in self.names().iter().enumerate() {
            let separator = if i == 0 { "" } else { "/" };
            write!(f, "{separator}{name}")?;
        }
        self.subnames().iter().try_for_each(|name| write!(f, ":{name}"))
    }
}

impl fmt::Debug for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "^{:?}", self.to_string())
    }
}

/// Collects the parts that are not empty. Counts them first, so that no memory is over-allocated
/// for a path from an untrusted peer.
fn collect<'a>(parts: impl Iterator<Item = &'a str> + Clone) -> Vec<StringName> {
    let parts = parts.filter(|part| !part.is_empty());
    let mut names = Vec::with_capacity(parts.clone().count());
    names.extend(parts.map(StringName::from));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, Vec<String>, Vec<String>) {
        let path = NodePath::from(text);
        let strings = |names: &[StringName]| names.iter().map(ToString::to_string).collect();
        (path.is_absolute(), strings(path.names()), strings(path.subnames()))
    }

    fn strings(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn path_is_split_at_slashes_and_colons() {
        for (text, absolute, names, subnames) in [
            ("", false, &[][..], &[][..]),
            ("/", true, &[], &[]),
            (".", false, &["."], &[]),
            ("../x", false, &["..", "x"], &[]),
            ("/root/Main", true, &["root", "Main"], &[]),
            ("a/b:position", false, &["a", "b"], &["position"]),
            ("a/b:position:x", false, &["a", "b"], &["position", "x"]),
            (":position", false, &[], &["position"]),
            ("%Unique/x", false, &["%Unique", "x"], &[]),
            ("日/本:語", false, &["日", "本"], &["語"]),
        ] {
            assert_eq!(parts(text), (absolute, strings(names), strings(subnames)), "{text:?}");
            assert_eq!(NodePath::from(text).to_string(), text);
        }
    }

    #[test]
    fn redundant_separators_are_dropped() {
        for (text, clean) in
            [("a//b/", "a/b"), ("//a", "/a"), ("a:b:", "a:b"), ("a:", "a"), ("///", "/")]
        {
            assert_eq!(NodePath::from(text).to_string(), clean, "{text:?}");
        }
    }

    #[test]
    fn empty_subname_makes_the_path_empty() {
        for text in ["a::b", "a::", "::"] {
            assert!(NodePath::from(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn without_subnames_drops_the_property() {
        let path = NodePath::from("/a/b:c:d");
        assert_eq!(path.without_subnames(), "/a/b".into());
        assert_eq!(path.concatenated_names(), "/a/b");
        assert_eq!(path.concatenated_subnames(), "c:d");
    }
}
