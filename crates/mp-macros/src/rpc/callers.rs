//! The typed callers of a type's RPCs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericParam, Ident, ItemImpl};

use super::method::{Body, Method};

/// Returns the type of the callers, with its parameters.
pub(super) fn type_of(item: &ItemImpl, name: &Ident) -> TokenStream {
    let callers = name_of(name);
    let (_, parameters, _) = item.generics.split_for_impl();
    quote!(#callers #parameters)
}

/// Returns the name of the type of the callers.
pub(super) fn name_of(name: &Ident) -> Ident {
    format_ident!("{name}Rpcs")
}

/// Returns the struct of the callers, with a method for each RPC that can be called.
pub(super) fn expand(item: &ItemImpl, name: &Ident, methods: &[Method]) -> TokenStream {
    let (callers, callers_type) = (name_of(name), type_of(item, name));
    let (this, generics) = (&item.self_ty, &item.generics);
    let bounds = &generics.where_clause;
    let docs = format!("Typed calls of the RPCs of a `{name}`: `NodeRef::rpcs` returns them.");
    let called: Vec<_> = methods.iter().filter(|method| !method.config.is_stub).collect();
    let checks = called.iter().flat_map(|method| check(item, method));
    let called = called.iter().map(|method| caller(method));
    quote! {
        #[doc = #docs]
        #[allow(unreachable_pub, private_interfaces, private_bounds, reason = "generated")]
        pub struct #callers #generics (::mp::__macros::NodeRef<#this>) #bounds;

        #[allow(
            dead_code,
            unreachable_pub,
            private_interfaces,
            private_bounds,
            clippy::too_many_arguments,
            reason = "generated for all RPCs"
        )]
        #[automatically_derived]
        impl #generics #callers_type #bounds {
            #(#called)*
        }

        #(#checks)*
    }
}

fn caller(method: &Method) -> TokenStream {
    let Method { name, ident, args, docs, .. } = method;
    let names: Vec<_> = args.iter().map(|arg| &arg.name).collect();
    let types: Vec<_> = args.iter().map(|arg| &arg.ty).collect();
    let default = docs.is_empty().then(|| {
        let text = format!("Calls `{name}`.");
        quote!(#[doc = #text])
    });
    let args = quote!((#(#names,)*));
    let (result, call) = match &method.answer {
        None => (
            quote!(::mp::__macros::RpcCall<(#(#types,)*)>),
            quote!(::mp::__macros::RpcCall::new(self.0, #name, #args)),
        ),
        Some(ty) => {
            let answer = method.answer_name();
            (
                quote!(::mp::__macros::RequestCall<(#(#types,)*), #ty>),
                quote!(::mp::__macros::RequestCall::new(self.0, #name, #answer, #args)),
            )
        }
    };
    quote! {
        #(#docs)*
        #default
        pub fn #ident(&self, #(#names: #types),*) -> #result {
            #call
        }
    }
}

/// Returns a check of each argument of an RPC that is only called from here, with the error at the
/// argument's type. Arguments of generic types are checked where the call is made.
fn check(item: &ItemImpl, method: &Method) -> Vec<TokenStream> {
    let is_generic =
        item.generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_)));
    if method.body != Body::None || is_generic {
        return Vec::new();
    }
    let types = method.args.iter().map(|arg| &arg.ty);
    types
        .map(|ty| quote_spanned!(ty.span()=> const _: () = ::mp::__macros::is_argument::<#ty>();))
        .collect()
}
