//! `#[derive(ToVariant)]` and `#[derive(FromVariant)]`.

mod from;
mod shape;
mod to;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Ident, Result, parse2};

use shape::Shape;

/// Expands a type with `#[derive(ToVariant)]`.
pub(crate) fn derive_to(item: TokenStream) -> Result<TokenStream> {
    let (name, shape) = parse(item, "ToVariant")?;
    let body = match &shape {
        Shape::Struct(content) => {
            let (pattern, value) = (content.pattern(&quote!(#name)), to::content(content));
            quote!(let #pattern = value; #value)
        }
        Shape::Enum(variants) => {
            let arms = variants.iter().map(|variant| to::arm(&name, variant));
            quote!(match value { #(#arms)* })
        }
        Shape::IntEnum(_) => quote!(::mp::__macros::Variant::from(value as i64)),
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::core::convert::From<#name> for ::mp::__macros::Variant {
            fn from(value: #name) -> Self {
                #body
            }
        }
    })
}

/// Expands a type with `#[derive(FromVariant)]`.
pub(crate) fn derive_from(item: TokenStream) -> Result<TokenStream> {
    let (name, shape) = parse(item, "FromVariant")?;
    let text = name.to_string();
    let body = match &shape {
        Shape::Struct(content) => from::content(content, &quote!(Self), &text),
        Shape::Enum(variants) => {
            let arms = variants.iter().map(|variant| from::arm(variant, &text));
            quote! {
                let (name, value) = ::mp::__macros::enum_parts(value, #text)?;
                match &*name {
                    #(#arms)*
                    _ => ::core::result::Result::Err(::mp::__macros::no_variant(#text, &name)),
                }
            }
        }
        Shape::IntEnum(variants) => {
            let checks = variants.iter().map(|variant| {
                quote! {
                    if number == Self::#variant as i64 {
                        return ::core::result::Result::Ok(Self::#variant);
                    }
                }
            });
            quote! {
                let number = <i64 as ::mp::__macros::FromVariant>::from_variant(value)?;
                #(#checks)*
                ::core::result::Result::Err(::mp::__macros::no_number(#text, number))
            }
        }
    };
    Ok(quote! {
        #[automatically_derived]
        impl ::mp::__macros::FromVariant for #name {
            fn from_variant(
                value: ::mp::__macros::Variant,
            ) -> ::core::result::Result<Self, ::mp::__macros::FromVariantError> {
                #body
            }
        }
    })
}

fn parse(item: TokenStream, derive: &str) -> Result<(Ident, Shape)> {
    let input: DeriveInput = parse2(item)?;
    if !input.generics.params.is_empty() {
        let text = format!("derive({derive}) is for types without parameters");
        return Err(Error::new_spanned(&input.generics, text));
    }
    let shape = Shape::of(&input)?;
    Ok((input.ident, shape))
}
