//! `#[derive(Node)]`.

mod attributes;
mod replicate;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Result, parse2};

use crate::errors::Errors;
use crate::godot;
use attributes::{FieldAttributes, StructAttributes};
use replicate::Replicated;

/// Expands a struct with `#[derive(Node)]`.
pub(crate) fn derive(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = parse2(item)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "a node is a struct"));
    };
    let mut errors = Errors::default();
    let attributes = errors.ok(StructAttributes::parse(&input.attrs)).unwrap_or_default();
    let mut fields = FieldAttributes::default();
    let mut replicated = Vec::new();
    for field in &data.fields {
        errors.ok(fields.add(field));
        replicated.extend(errors.ok(Replicated::parse(field)).flatten());
    }
    replicate::check(&replicated, &mut errors);
    let track = attributes.tscn.as_ref().map(|tscn| {
        let properties: Vec<_> = replicated.iter().map(Replicated::described).collect();
        let synchronizer = attributes.synchronizer.as_ref();
        godot::compare_properties(tscn, synchronizer, &properties, &mut errors)
    });
    // With errors, too, so that the use of what is right causes no further ones.
    let errors = errors.into_compile_errors();

    let this = &input.ident;
    let (generics, parameters, bounds) = input.generics.split_for_impl();
    let hooks = attributes.expand();
    let roles = fields.expand();
    let properties = replicated.iter().map(Replicated::property);
    let configuration = replicated.iter().map(Replicated::configuration);
    let rpc_table = rpc_table(&input);
    Ok(quote! {
        #errors

        #track

        #[automatically_derived]
        impl #generics ::mp::__macros::Node for #this #parameters #bounds {
            fn rpc_table() -> ::mp::__macros::RpcTable<Self> {
                #rpc_table
            }

            fn property_table() -> ::mp::__macros::PropertyTable<Self> {
                ::mp::__macros::PropertyTable::new() #(#properties)*
            }

            #hooks
            #roles
        }

        #[automatically_derived]
        impl #generics #this #parameters #bounds {
            /// Returns the configuration of a synchronizer of the replicated fields, in their
            /// order. The synchronizer's root is the node.
            #[allow(dead_code, unreachable_pub, reason = "generated for all nodes")]
            pub fn replication_config() -> ::mp::__macros::ReplicationConfig {
                ::mp::__macros::ReplicationConfig::new() #(#configuration)*
            }
        }
    })
}

/// Returns the expression of the RPC table: that of `#[rpc_methods]`, or an empty one without it.
///
/// Code that is generic cannot find out if there are methods, because their bounds may differ from
/// those of the struct. There `#[rpc_methods]` is required, possibly on an empty impl.
fn rpc_table(input: &DeriveInput) -> TokenStream {
    if input.generics.params.is_empty() {
        quote! {
            #[allow(unused_imports, reason = "used by a type without RPCs")]
            use ::mp::__macros::NoRpcs as _;
            ::mp::__macros::TableOf::<Self>::rpc_table()
        }
    } else {
        let span = input.ident.span();
        quote_spanned!(span=> <Self as ::mp::__macros::HasRpcs>::typed_table())
    }
}
