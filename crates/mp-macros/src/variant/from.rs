//! Conversion from `Variant`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::shape::{Content, EnumVariant};

/// Returns the result of the conversion of `value` to the fields of the type or variant `path`.
/// `of` is the name of the type in errors.
pub(super) fn content(content: &Content, path: &TokenStream, of: &str) -> TokenStream {
    // The error of a type that does not convert is at the type.
    match content {
        Content::Unit => quote! {{
            let _ = value;
            ::core::result::Result::Ok(#path)
        }},
        Content::Newtype(ty) => {
            let inner = quote_spanned! {ty.span()=>
                <#ty as ::mp::__macros::FromVariant>::from_variant(value)?
            };
            quote!(::core::result::Result::Ok(#path(#inner)))
        }
        Content::Tuple(types) => {
            let count = types.len();
            let elements =
                types.iter().map(|ty| quote_spanned!(ty.span()=> elements.next_as::<#ty>()?));
            quote! {{
                let mut elements = ::mp::__macros::Elements::new(value, #of, #count)?;
                ::core::result::Result::Ok(#path(#(#elements),*))
            }}
        }
        Content::Named(fields) => {
            let fields = fields.iter().map(|field| {
                let (ident, key, ty) = (&field.ident, &field.key, &field.ty);
                let value = quote_spanned! {ty.span()=>
                    ::mp::__macros::field::<#ty>(&fields, #of, #key)?
                };
                quote!(#ident: #value)
            });
            quote! {{
                let fields =
                    <::mp::__macros::Dictionary as ::mp::__macros::FromVariant>::from_variant(value)?;
                ::core::result::Result::Ok(#path { #(#fields),* })
            }}
        }
    }
}

/// Returns the arm of a variant.
pub(super) fn arm(variant: &EnumVariant, of: &str) -> TokenStream {
    let EnumVariant { ident, name, content } = variant;
    let value = self::content(content, &quote!(Self::#ident), of);
    quote!(#name => #value,)
}
