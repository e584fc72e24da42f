//! Settings in `project.godot`.

use crate::error::SyntaxError;
use crate::text;
use crate::value::Value;

/// The settings of a project.
#[derive(Debug)]
pub struct Settings {
    settings: Vec<(String, Value)>,
    autoloads: Vec<Autoload>,
}

/// A script or scene that Godot adds to the root node when the game starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Autoload {
    /// Name of the node below `/root`.
    pub name: String,
    /// Path of the script or scene: `res://…` or `uid://…`.
    pub path: String,
    /// True if scripts can use it as a global variable.
    pub is_singleton: bool,
}

impl Settings {
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut settings = Vec::new();
        let mut autoloads = Vec::new();
        for section in text::parse(text)? {
            for property in section.properties {
                if section.name == "autoload" {
                    let Some(path) = property.value.as_str() else {
                        let message = "expected the path of an autoload";
                        return Err(SyntaxError::new(property.position, message));
                    };
                    let (path, is_singleton) = match path.strip_prefix('*') {
                        Some(path) => (path.to_owned(), true),
                        None => (path.to_owned(), false),
                    };
                    autoloads.push(Autoload { name: property.name.clone(), path, is_singleton });
                }
                let name = match section.name.is_empty() {
                    true => property.name,
                    false => format!("{}/{}", section.name, property.name),
                };
                settings.push((name, property.value));
            }
        }
        Ok(Self { settings, autoloads })
    }

    /// Returns a setting by its name in Godot, for example `application/config/name`; `None` if the
    /// file does not change its default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Returns the path of the scene that the game starts with: `res://…` or `uid://…`.
    pub fn main_scene(&self) -> Option<&str> {
        self.get("application/run/main_scene")?.as_str()
    }

    /// Returns the autoloads in the order of the file.
    pub fn autoloads(&self) -> &[Autoload] {
        &self.autoloads
    }

    /// Returns the autoload of this name.
    pub fn autoload(&self, name: &str) -> Option<&Autoload> {
        self.autoloads.iter().find(|autoload| autoload.name == name)
    }
}
