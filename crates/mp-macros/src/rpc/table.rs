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
    let (name, config) = (&method.name, method.config.expand());
    let entry = match method.body {
        Body::None if method.config.is_stub => quote!(.stub(#name)),
        Body::None => quote!(.remote(#name, #config)),
        Body::Here { has_context } => {
            let body = body(method, has_context);
            quote!(.converting(#name, #config, |node: &mut Self, cx, args| { #body }))
        }
    };
    let answer = method.answer.is_some().then(|| {
        let name = method.answer_name();
        quote!(.answer(#name))
    });
    quote!(#entry #answer)
}

/// Returns the statements that convert the arguments and run the method.
fn body(method: &Method, has_context: bool) -> TokenStream {
    let ident = &method.ident;
    let context = has_context.then(|| quote!(cx,));
    let count = method.args.len() + usize::from(method.answer.is_some());
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
    let call = quote!(node.#ident(#context #(#args),*););
    let run = match &method.answer {
        None => call,
        Some(ty) => {
            let name = method.answer_name();
            let send = quote_spanned!(ty.span()=> ::mp::__macros::answer::<#ty>);
            quote! {
                let id = args.next_as::<i64>()?;
                let answer = #call
                #send(cx, #name, id, answer);
            }
        }
    };
    quote! {
        #reader
        #run
        ::core::result::Result::Ok(())
    }
}
