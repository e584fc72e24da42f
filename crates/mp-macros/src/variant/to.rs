//! Conversion to `Variant`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Type};

use super::shape::{Content, EnumVariant};

/// Returns the value of fields that [`Content::pattern`] took out.
pub(super) fn content(content: &Content) -> TokenStream {
    match content {
        Content::Unit => quote!(::mp::__macros::Variant::Nil),
        Content::Newtype(ty) => convert(ty, &format_ident!("value")),
        Content::Tuple(types) => {
            let names = (0..types.len()).map(|index| format_ident!("value_{index}"));
            let values = types.iter().zip(names).map(|(ty, name)| convert(ty, &name));
            quote!(::mp::__macros::Variant::from(::std::vec![#(#values),*]))
        }
        Content::Named(fields) => {
            let keys = fields.iter().map(|field| &field.key);
            let values = fields.iter().map(|field| convert(&field.ty, &field.ident));
            quote! {
                ::mp::__macros::dictionary([#((#keys, #values)),*])
            }
        }
    }
}

/// Returns the arm of a variant.
pub(super) fn arm(name: &Ident, variant: &EnumVariant) -> TokenStream {
    let EnumVariant { ident, name: text, content } = variant;
    let pattern = content.pattern(&quote!(#name::#ident));
    let value = match content {
        Content::Unit => quote!(::mp::__macros::Variant::from(#text)),
        _ => {
            let value = self::content(content);
            quote!(::mp::__macros::dictionary([(#text, #value)]))
        }
    };
    quote!(#pattern => #value,)
}

/// Returns the conversion of a field. The error of a type that does not convert is at the type.
fn convert(ty: &Type, name: &Ident) -> TokenStream {
    quote_spanned!(ty.span()=> ::mp::__macros::to_variant::<#ty>(#name))
}
