//! The RPC table of a type.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::method::{Body, Method};

/// Returns the expression of the table.
pub(super) fn expand(methods: &[Method]) -> TokenStream {
    let entries = methods.iter().map(entry);
    quote!(::mp::__macros::RpcTable::new() #(#entries)*)
}

fn entry(method: &Method) -> TokenStream {
    let (name, ident, config) = (&method.name, &method.ident, method.config.expand());
    let Body::Here { has_context } = method.body else {
        return if method.config.is_stub {
            quote!(.stub(#name))
        } else {
            quote!(.remote(#name, #config))
        };
    };
    let context = has_context.then(|| quote!(cx,));
    let count = method.args.len();
    // The error of a type that is no argument is at the type.
    let args = method.args.iter().map(|arg| {
        let ty = &arg.ty;
        quote_spanned!(ty.span()=> args.next_as::<#ty>()?)
    });
    let reader = if count == 0 {
        quote!(::mp::__macros::Arguments::new(args, 0)?;)
    } else {
        quote!(let mut args = ::mp::__macros::Arguments::new(args, #count)?;)
    };
    quote! {
        .converting(#name, #config, |node: &mut Self, cx, args| {
            #reader
            node.#ident(#context #(#args),*);
            ::core::result::Result::Ok(())
        })
    }
}
