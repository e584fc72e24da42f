//! The declarations of a type's RPCs, which `same_rpcs!` compares.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::config::Settings;
use super::method::Method;

/// Returns the list of the declarations.
pub(super) fn expand(methods: &[Method]) -> TokenStream {
    let declarations = methods.iter().map(|method| {
        let (name, words, count) = (&method.name, words(method), method.args.len());
        let error = format!("only one of the two types declares {}", line(method, &words));
        quote!(::mp::__macros::RpcDeclaration::new(#name, #words, #count, #error))
    });
    quote!(#(#declarations),*)
}

/// Returns the attribute of an RPC, without the words that concern one peer only; empty for a stub.
fn words(method: &Method) -> String {
    let settings = Settings { call_local: false, ..method.config.settings() };
    match (method.config.is_stub, method.config.is_request) {
        (true, _) => String::new(),
        (_, true) => format!("request({settings})"),
        _ => format!("rpc({settings})"),
    }
}

/// Returns the line that declares an RPC.
fn line(method: &Method, words: &str) -> String {
    let words = if words.is_empty() { "rpc(stub)" } else { words };
    let args: Vec<_> =
        method.args.iter().map(|arg| format!("{}: {}", arg.name, text(&arg.ty))).collect();
    let answer = method.answer.as_ref().map(|ty| format!(" -> {}", text(ty))).unwrap_or_default();
    format!("#[{words}] fn {}({}){answer}", method.name, args.join(", "))
}

/// Returns the text of a type without the spaces between its tokens.
fn text(ty: &syn::Type) -> String {
    let text = ty.to_token_stream().to_string();
    text.replace(" < ", "<").replace(" >", ">").replace(" ,", ",").replace(" :: ", "::")
}
