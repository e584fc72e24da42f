//! Comparison with the game's files while the program is compiled.

mod rpcs;
mod scene;

use std::path::{Path, PathBuf};

use mp_project::Project;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, LitStr, Result};

pub(crate) use rpcs::compare_rpcs;
pub(crate) use scene::{Property, compare_properties};

/// A file of the game that an attribute names, relative to the folder of the crate.
struct GameFile<'a> {
    literal: &'a LitStr,
    folder: PathBuf,
    project: Project,
}

impl<'a> GameFile<'a> {
    fn open(literal: &'a LitStr) -> Result<Self> {
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
        let folder = PathBuf::from(folder);
        let project = Project::containing(folder.join(literal.value()))
            .map_err(|error| Error::new(literal.span(), error))?;
        Ok(Self { literal, folder, project })
    }

    /// Returns the absolute path of the file.
    fn path(&self) -> PathBuf {
        self.folder.join(self.literal.value())
    }

    /// Returns a path as it is written in attributes.
    fn relative<'p>(&self, path: &'p Path) -> std::path::Display<'p> {
        path.strip_prefix(&self.folder).unwrap_or(path).display()
    }

    /// Returns an error of the reader, at the attribute.
    fn error(&self, error: &mp_project::Error) -> Error {
        let file = self.relative(error.path());
        let message = error.message();
        let text = match error.position() {
            Some(at) => format!("{file}:{}:{}: {message}", at.line, at.column),
            None => format!("{file}: {message}"),
        };
        Error::new(self.literal.span(), text)
    }

    /// Returns an item that makes the crate depend on all files that were read.
    fn track(&self) -> TokenStream {
        let files = self.project.files_read();
        let files = files.iter().filter(|path| path.is_file());
        let files = files.map(|path| path.to_string_lossy().into_owned());
        quote!(#(const _: &[u8] = ::core::include_bytes!(#files);)*)
    }
}
