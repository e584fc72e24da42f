//! The replicated properties of a scene.

use mp_project::{SceneFile, SceneNode};
use proc_macro2::{Span, TokenStream};
use syn::{Error, LitStr, Result};

use super::GameFile;
use crate::errors::Errors;

/// A replicated field.
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) span: Span,
    /// The words in `#[replicate]`.
    pub(crate) words: String,
}

/// Compares the fields of a struct with the properties of a synchronizer of a scene: the one at
/// `synchronizer`, or the only one. Returns an item that makes the crate depend on the files.
pub(crate) fn compare_properties(
    literal: &LitStr,
    synchronizer: Option<&LitStr>,
    fields: &[Property],
    errors: &mut Errors,
) -> TokenStream {
    let Some(file) = errors.ok(GameFile::open(literal)) else { return TokenStream::new() };
    let scene = file.project.scene(file.path()).map_err(|error| file.error(&error));
    let Some(scene) = errors.ok(scene) else { return file.track() };
    if let Some(node) = errors.ok(find(literal, synchronizer, &scene)) {
        compare(literal, node, fields, errors);
    }
    file.track()
}

/// Returns the synchronizer to compare with.
fn find<'a>(
    literal: &LitStr,
    synchronizer: Option<&LitStr>,
    scene: &'a SceneFile,
) -> Result<&'a SceneNode> {
    let name = literal.value();
    if let Some(path) = synchronizer {
        let found = scene.node(&path.value()).filter(|node| node.synchronizer().is_some());
        let text = || format!("{name} has no synchronizer {:?}", path.value());
        return found.ok_or_else(|| Error::new(path.span(), text()));
    }
    let found: Vec<_> = scene.nodes().iter().filter(|node| node.synchronizer().is_some()).collect();
    match found[..] {
        [node] => Ok(node),
        [] => Err(Error::new(literal.span(), format!("{name} has no MultiplayerSynchronizer"))),
        [..] => {
            let paths: Vec<_> = found.iter().map(|node| format!("{:?}", node.path())).collect();
            let text = format!(
                "{name} has several synchronizers, {}: write synchronizer = \"path\" for one of \
                 them",
                paths.join(", ")
            );
            Err(Error::new(literal.span(), text))
        }
    }
}

fn compare(literal: &LitStr, node: &SceneNode, fields: &[Property], errors: &mut Errors) {
    let name = literal.value();
    let settings = node.synchronizer().expect("a synchronizer");
    let theirs = settings.properties.iter().filter(|it| !words(it).is_empty());
    let theirs: Vec<_> = theirs
        .map(|property| {
            let name = property.path.strip_prefix(".:").unwrap_or(&property.path);
            (name, words(property))
        })
        .collect();
    let their_names: Vec<_> = theirs.iter().map(|(name, _)| *name).collect();
    let our_names: Vec<_> = fields.iter().map(|field| &*field.name).collect();
    if their_names != our_names {
        let text = format!(
            "{name} replicates {their_names:?}, this struct {our_names:?}; properties travel \
             without names, so that the order must be the same"
        );
        return errors.add(literal.span(), text);
    }
    for (field, (_, words)) in fields.iter().zip(theirs) {
        if field.words != words {
            let text = format!("{name} says {words}, this says #[replicate({})]", field.words);
            errors.add(field.span, text);
        }
    }
}

/// Returns the words of `#[replicate]` for a property; none if it is never sent.
fn words(property: &mp_project::ReplicatedProperty) -> String {
    match (property.spawn, property.mode) {
        (true, mp_project::ReplicationMode::Always) => "spawn, always",
        (true, mp_project::ReplicationMode::OnChange) => "spawn, on_change",
        (true, _) => "spawn",
        (false, mp_project::ReplicationMode::Always) => "no_spawn, always",
        (false, mp_project::ReplicationMode::OnChange) => "no_spawn, on_change",
        (false, _) => "",
    }
    .to_owned()
}
