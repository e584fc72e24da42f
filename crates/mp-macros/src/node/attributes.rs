//! `#[node(…)]` on the struct and on fields.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Field, Ident, LitStr, Path, Result, Token};

/// The attributes `#[node(…)]` of a struct.
#[derive(Default)]
pub(super) struct StructAttributes {
    hooks: Vec<(Hook, Path)>,
    /// The scene of the node.
    pub(super) tscn: Option<LitStr>,
    /// The path of its synchronizer in the scene.
    pub(super) synchronizer: Option<LitStr>,
}

/// A hook of a node's life cycle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hook {
    EnterTree,
    Ready,
    Process,
    ExitTree,
}

impl Hook {
    fn of(path: &Path) -> Option<Self> {
        let name = path.get_ident()?.to_string();
        Some(match &*name {
            "enter_tree" => Self::EnterTree,
            "ready" => Self::Ready,
            "process" => Self::Process,
            "exit_tree" => Self::ExitTree,
            _ => return None,
        })
    }

    /// Returns the method that calls `function`.
    fn expand(self, function: &Path) -> TokenStream {
        let tree = quote!(tree: &mut ::mp::__macros::Tree, node: ::mp::__macros::NodeId);
        let cx = quote!(cx: &mut ::mp::__macros::NodeContext<'_>);
        let (signature, args) = match self {
            Self::EnterTree => (quote!(enter_tree(&mut self, #tree)), quote!(tree, node)),
            Self::Ready => (quote!(ready(&mut self, #cx)), quote!(cx)),
            Self::Process => {
                (quote!(process(&mut self, #cx, delta: ::core::time::Duration)), quote!(cx, delta))
            }
            Self::ExitTree => (quote!(exit_tree(&mut self, #tree)), quote!(tree, node)),
        };
        // The error of a function with another signature is at its name.
        let call = quote_spanned!(function.span()=> #function(self, #args));
        quote!(fn #signature { #call; })
    }
}

impl StructAttributes {
    pub(super) fn parse(attrs: &[Attribute]) -> Result<Self> {
        let mut parsed = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("node")) {
            attr.parse_nested_meta(|word| {
                if let Some(hook) = Hook::of(&word.path) {
                    if parsed.hooks.iter().any(|(other, _)| *other == hook) {
                        return Err(word.error("the hook is said twice"));
                    }
                    parsed.hooks.push((hook, word.value()?.parse()?));
                } else if word.path.is_ident("tscn") {
                    parsed.tscn = Some(word.value()?.parse()?);
                } else if word.path.is_ident("synchronizer") && word.input.peek(Token![=]) {
                    parsed.synchronizer = Some(word.value()?.parse()?);
                } else {
                    let text = "#[node(…)] on a struct takes enter_tree, ready, process or \
                                exit_tree = function, tscn = \"path of the scene\", synchronizer = \
                                \"path in the scene\"";
                    return Err(word.error(text));
                }
                Ok(())
            })?;
        }
        Ok(parsed)
    }

    /// Returns the hooks of the node.
    pub(super) fn expand(&self) -> TokenStream {
        self.hooks.iter().map(|(hook, function)| hook.expand(function)).collect()
    }
}

/// The fields that make a node a synchronizer or a spawner.
#[derive(Default)]
pub(super) struct FieldAttributes<'a> {
    synchronizer: Option<&'a Field>,
    spawner: Option<&'a Field>,
}

impl<'a> FieldAttributes<'a> {
    pub(super) fn add(&mut self, field: &'a Field) -> Result<()> {
        for attr in field.attrs.iter().filter(|attr| attr.path().is_ident("node")) {
            attr.parse_nested_meta(|word| {
                let role = if word.path.is_ident("synchronizer") {
                    &mut self.synchronizer
                } else if word.path.is_ident("spawner") {
                    &mut self.spawner
                } else {
                    return Err(word.error("#[node(…)] on a field takes synchronizer or spawner"));
                };
                if role.is_some() {
                    let name = word.path.get_ident().map(Ident::to_string).unwrap_or_default();
                    return Err(word.error(format!("a node has one {name}")));
                }
                name_of(field)?;
                *role = Some(field);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Returns the methods that return the fields.
    pub(super) fn expand(&self) -> TokenStream {
        let role = |field: Option<&Field>, method: TokenStream, object: TokenStream| {
            let Field { ident, ty, .. } = field?;
            // The error of a field of another type is at the type.
            let value = quote_spanned!(ty.span()=> &mut self.#ident);
            Some(quote! {
                fn #method(&mut self) -> ::core::option::Option<&mut ::mp::__macros::#object> {
                    ::core::option::Option::Some(#value)
                }
            })
        };
        let synchronizer =
            role(self.synchronizer, quote!(as_synchronizer), quote!(MultiplayerSynchronizer));
        let spawner = role(self.spawner, quote!(as_spawner), quote!(MultiplayerSpawner));
        quote!(#synchronizer #spawner)
    }
}

/// Returns the name of a field. The fields of a tuple struct have none in Godot.
pub(super) fn name_of(field: &Field) -> Result<&Ident> {
    let text = "a field with a name is needed: write a struct with { }";
    field.ident.as_ref().ok_or_else(|| Error::new_spanned(&field.ty, text))
}
