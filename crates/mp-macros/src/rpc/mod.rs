//! `#[rpc_methods]`.

mod callers;
mod config;
mod declarations;
mod method;
mod table;

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::{Attribute, Error, Ident, ImplItem, ItemImpl, LitStr, Result, TraitItemFn, Type, parse2};

use crate::errors::Errors;
use crate::godot;
use config::Config;
pub(crate) use config::{Mode, Settings};
pub(crate) use method::{Entry, Method};

/// Expands an impl with `#[rpc_methods]`.
pub(crate) fn expand(attr: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let gd = parse_attribute(attr)?;
    let mut item: ItemImpl = parse2(item)?;
    let name = name_of(&item)?;
    let mut errors = Errors::default();
    let methods = take_methods(&mut item, &mut errors);
    let track = gd.map(|gd| godot::compare_rpcs(&gd, &methods, &mut errors));
    // With errors, too, so that the use of what is right causes no further ones.
    let errors = errors.into_compile_errors();

    let callers = callers::expand(&item, &name, &methods);
    let (declarations, table) = (declarations::expand(&methods), table::expand(&methods));
    let (generics, bounds) = (&item.generics, &item.generics.where_clause);
    let (this, callers_type) = (&item.self_ty, callers::type_of(&item, &name));
    let callers_name = callers::name_of(&name);
    Ok(quote! {
        #errors

        #track

        #item

        #callers

        #[automatically_derived]
        impl #generics ::mp::__macros::HasRpcs for #this #bounds {
            type Rpcs = #callers_type;

            const DECLARATIONS: &'static [::mp::__macros::RpcDeclaration] = &[#declarations];

            fn rpcs_of(node: ::mp::__macros::NodeRef<Self>) -> Self::Rpcs {
                #callers_name(node)
            }

            fn typed_table() -> ::mp::__macros::RpcTable<Self> {
                #table
            }
        }
    })
}

/// Returns the path in `gd = "path"`.
fn parse_attribute(attr: TokenStream) -> Result<Option<LitStr>> {
    let mut gd = None;
    let parser = syn::meta::parser(|word| {
        if word.path.is_ident("gd") {
            gd = Some(word.value()?.parse()?);
            return Ok(());
        }
        Err(word.error("#[rpc_methods] takes gd = \"path of the GDScript\""))
    });
    parser.parse2(attr)?;
    Ok(gd)
}

/// Returns the name of the type that the impl is for.
fn name_of(item: &ItemImpl) -> Result<Ident> {
    if let Some(of) = &item.trait_ {
        let text = "#[rpc_methods] stands on an `impl` of the node's type, not on one of a trait";
        return Err(Error::new_spanned(of.1, text));
    }
    match &*item.self_ty {
        Type::Path(path) => Ok(path.path.segments.last().expect("a path").ident.clone()),
        other => Err(Error::new_spanned(other, "#[rpc_methods] stands on an impl of a type")),
    }
}

/// Returns the RPCs of the impl, sorted by their names in Godot, and removes those without a body
/// from it.
fn take_methods(item: &mut ItemImpl, errors: &mut Errors) -> Vec<Method> {
    let mut methods = Vec::new();
    for mut member in std::mem::take(&mut item.items) {
        match &mut member {
            ImplItem::Fn(function) => {
                match errors.ok(take_config(&mut function.attrs)).flatten() {
                    Some(config) => {
                        let method = Method::with_body(function, config);
                        methods.extend(errors.ok(method));
                    }
                    None => reject_near_misses(function, errors),
                }
                item.items.push(member);
            }
            // A function without a body.
            ImplItem::Verbatim(tokens) => match parse2::<TraitItemFn>(tokens.clone()) {
                Ok(mut function) => match errors.ok(take_config(&mut function.attrs)) {
                    Some(Some(config)) => {
                        methods.extend(errors.ok(Method::without_body(&function, config)));
                    }
                    Some(None) => errors.add(
                        function.sig.ident.span(),
                        "a function without a body is one that this side only calls: mark it \
                         #[rpc] or #[request]",
                    ),
                    None => {}
                },
                Err(_) => item.items.push(member),
            },
            _ => item.items.push(member),
        }
    }
    methods.sort_by(|a, b| a.name.cmp(&b.name));
    let mut entries: Vec<_> = methods.iter().flat_map(Method::entries).collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    for pair in entries.windows(2) {
        if pair[0].name == pair[1].name {
            let text = format!("two RPCs are called {:?}", pair[1].name);
            errors.add(pair[1].method.ident.span(), text);
        }
    }
    methods
}

/// Removes and parses the attribute `#[rpc]` or `#[request]`.
fn take_config(attrs: &mut Vec<Attribute>) -> Result<Option<Config>> {
    let is_rpc = |attr: &Attribute| ["rpc", "request"].iter().any(|it| attr.path().is_ident(it));
    let mut found = attrs.extract_if(.., |attr| is_rpc(attr));
    let Some(attr) = found.next() else { return Ok(None) };
    if let Some(second) = found.next() {
        let text = "a second #[rpc] or #[request]; write all words into one";
        return Err(Error::new_spanned(second, text));
    }
    Config::parse(&attr).map(Some)
}

/// Reports a Godot annotation that is written as an attribute of another name.
fn reject_near_misses(function: &syn::ImplItemFn, errors: &mut Errors) {
    for attr in &function.attrs {
        if ["remote", "master", "puppet", "remotesync"].iter().any(|it| attr.path().is_ident(it)) {
            let text = "an attribute of Godot 3; in Godot 4 it is #[rpc] or #[rpc(any_peer)]";
            errors.push(Error::new_spanned(attr, text));
        }
    }
}
