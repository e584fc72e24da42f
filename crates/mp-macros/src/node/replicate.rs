//! `#[replicate(…)]` on fields.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Error, Field, Ident, LitStr, Meta, Result, Type};

use super::attributes::name_of;
use crate::errors::Errors;
use crate::godot::Property;

/// Maximum number of `on_change` fields: `ReplicationConfig::WATCHED_MAX`.
const ON_CHANGE_MAX: usize = 64;

/// A field with `#[replicate]`.
pub(super) struct Replicated {
    /// The name in Godot.
    name: String,
    name_span: Span,
    field: Ident,
    ty: Type,
    is_spawned: bool,
    mode: Mode,
}

/// The time at which a field is sent, besides in announcements.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Never,
    Always,
    OnChange,
}

/// The words of an attribute.
#[derive(Default)]
struct Words {
    is_spawned: Option<bool>,
    mode: Option<Mode>,
    rename: Option<LitStr>,
}

impl Replicated {
    /// Parses the attribute of a field; returns `None` if it has none.
    pub(super) fn parse(field: &Field) -> Result<Option<Self>> {
        let mut attrs = field.attrs.iter().filter(|attr| attr.path().is_ident("replicate"));
        let Some(attr) = attrs.next() else { return Ok(None) };
        if let Some(second) = attrs.next() {
            return Err(Error::new_spanned(second, "a second #[replicate]; write one"));
        }
        let mut words = Words::default();
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_nested_meta(|word| words.add(&word))?;
        }
        if words.is_spawned != Some(true) && words.mode.is_none() {
            let text = "when is it sent? write spawn, always or on_change";
            return Err(Error::new_spanned(attr, text));
        }
        let ident = name_of(field)?.clone();
        Ok(Some(Self {
            name: words.rename.as_ref().map_or_else(|| ident.unraw().to_string(), LitStr::value),
            name_span: words.rename.map_or_else(|| ident.span(), |name| name.span()),
            field: ident,
            ty: field.ty.clone(),
            is_spawned: words.is_spawned.unwrap_or(true),
            mode: words.mode.unwrap_or(Mode::Never),
        }))
    }

    /// Returns the call that adds the field to the property table.
    pub(super) fn property(&self) -> TokenStream {
        let Self { name, field, ty, .. } = self;
        // The error of a type that is no property is at the type.
        quote_spanned!(ty.span()=> .property(#name, |node: &mut Self| &mut node.#field))
    }

    /// Returns the call that adds the field to the configuration.
    pub(super) fn configuration(&self) -> TokenStream {
        let path = format!(".:{}", self.name);
        match self.mode {
            Mode::Never => quote!(.spawn(#path)),
            Mode::Always if self.is_spawned => quote!(.always(#path)),
            Mode::OnChange if self.is_spawned => quote!(.on_change(#path)),
            Mode::Always => quote!(.always_without_spawn(#path)),
            Mode::OnChange => quote!(.on_change_without_spawn(#path)),
        }
    }

    /// Returns the field for the comparison with a scene.
    pub(super) fn described(&self) -> Property {
        let spawn = if self.is_spawned { "spawn" } else { "no_spawn" };
        let words = match self.mode {
            Mode::Never => spawn.to_owned(),
            Mode::Always => format!("{spawn}, always"),
            Mode::OnChange => format!("{spawn}, on_change"),
        };
        Property { name: self.name.clone(), span: self.field.span(), words }
    }
}

impl Words {
    fn add(&mut self, word: &ParseNestedMeta<'_>) -> Result<()> {
        let name = word.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match &*name {
            "spawn" | "no_spawn" if self.is_spawned.is_some() => {
                return Err(word.error("write spawn or no_spawn once, not both"));
            }
            "spawn" => self.is_spawned = Some(true),
            "no_spawn" => self.is_spawned = Some(false),
            "always" | "on_change" if self.mode.is_some() => {
                return Err(word.error("write always or on_change once, not both"));
            }
            "always" => self.mode = Some(Mode::Always),
            "on_change" => self.mode = Some(Mode::OnChange),
            "rename" => self.rename = Some(word.value()?.parse()?),
            "sync" | "watch" => {
                let text = "Godot calls it always (every tick, unreliable) or on_change (reliable)";
                return Err(word.error(text));
            }
            _ => {
                let text = format!(
                    "unknown: {name}; a #[replicate] takes spawn or no_spawn, always or on_change, rename = \
                     \"name\""
                );
                return Err(word.error(text));
            }
        }
        Ok(())
    }
}

/// Checks the fields together, as `ReplicationConfig` does.
pub(super) fn check(fields: &[Replicated], errors: &mut Errors) {
    for (index, field) in fields.iter().enumerate() {
        if field.name.is_empty() || field.name.contains([':', '/', '.']) {
            errors.add(field.name_span, format!("{:?} is not a property's name", field.name));
        }
        if fields[..index].iter().any(|earlier| earlier.name == field.name) {
            errors.add(field.name_span, format!("two properties are called {:?}", field.name));
        }
    }
    let mut watched = fields.iter().filter(|field| field.mode == Mode::OnChange);
    if let Some(field) = watched.nth(ON_CHANGE_MAX) {
        errors.add(
            field.field.span(),
            "the 65th on_change property, and a packet has 64 bits for them: move some to a child \
             with a synchronizer of its own",
        );
    }
}
