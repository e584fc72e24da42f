//! Attribute and derive macros of mp, which the crate `mp` re-exports.

mod main_fn;

use proc_macro::TokenStream;

/// Runs an async `main` in an actix system on the thread that calls it, like
/// `mp::actor::block_on`. The program must depend on the crate `mp` under this name.
///
/// ```ignore
/// #[mp::main]
/// async fn main() -> Result<(), mp::ServeError> {
///     mp::serve(game).enet(7777).await?.close_on_ctrl_c().await;
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = main_fn::expand(args.into(), item.into());
    expanded.unwrap_or_else(syn::Error::into_compile_error).into()
}
