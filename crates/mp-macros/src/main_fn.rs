//! `#[mp::main]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

/// Returns the function without `async`, whose body runs the original body in an actix system.
pub(crate) fn expand(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !args.is_empty() {
        return Err(Error::new_spanned(args, "#[mp::main] has no arguments"));
    }
    let mut function: ItemFn = syn::parse2(item)?;
    let name = &function.sig.ident;
    if function.sig.asyncness.take().is_none() {
        let message = format!("#[mp::main] runs an async function: write `async fn {name}()`");
        return Err(Error::new_spanned(function.sig.fn_token, message));
    }
    if !function.sig.inputs.is_empty() {
        let message = format!("`{name}` has no parameters; read std::env::args() instead");
        return Err(Error::new_spanned(&function.sig.inputs, message));
    }
    let ItemFn { attrs, vis, sig, block, .. } = function;
    Ok(quote! {
        #(#attrs)*
        #vis #sig {
            ::mp::actor::block_on(async move #block)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn async_main_runs_its_body_in_an_actix_system() {
        let item = quote! { async fn main() -> Result<(), Failure> { serve().await } };
        let expected = quote! {
            fn main() -> Result<(), Failure> {
                ::mp::actor::block_on(async move { serve().await })
            }
        };
        assert_eq!(expand(TokenStream::new(), item).unwrap().to_string(), expected.to_string());
    }

    #[test]
    fn mistakes_are_errors_that_show_the_correction() {
        for (args, item, message) in [
            (
                quote! {},
                quote! { fn main() {} },
                "#[mp::main] runs an async function: write `async fn main()`",
            ),
            (quote! { 2 }, quote! { async fn main() {} }, "#[mp::main] has no arguments"),
            (
                quote! {},
                quote! { async fn main(port: u16) {} },
                "`main` has no parameters; read std::env::args() instead",
            ),
        ] {
            assert_eq!(expand(args, item).unwrap_err().to_string(), message);
        }
    }
}
