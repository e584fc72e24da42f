//! A method of an impl with `#[rpc_methods]`.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{
    Attribute, Error, FnArg, Ident, ImplItemFn, Pat, ReceiverKind, Result, ReturnType, Signature,
    TraitItemFn, Type,
};

use super::config::{Config, Settings};

/// Maximum number of arguments: that of the tuples which are arguments of calls.
const ARGUMENTS_MAX: usize = 8;

/// An RPC.
pub(crate) struct Method {
    /// The name in Godot.
    pub(crate) name: String,
    pub(crate) ident: Ident,
    pub(crate) config: Config,
    pub(crate) args: Vec<Argument>,
    pub(crate) body: Body,
    /// The type of the answer, if the method is a request.
    pub(crate) answer: Option<Type>,
    /// The doc comment.
    pub(super) docs: Vec<Attribute>,
}

/// An argument of an RPC, without the receiver and the context.
pub(crate) struct Argument {
    pub(super) name: Ident,
    pub(super) ty: Type,
}

/// The body of an RPC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// The method is only called from here.
    None,
    /// The method runs here, and takes the context if this is true.
    Here { has_context: bool },
}

/// An RPC in the table of a type. A request has two of them.
pub(crate) struct Entry<'a> {
    pub(crate) name: String,
    pub(crate) method: &'a Method,
    pub(crate) settings: Settings,
    /// Number of arguments.
    pub(crate) count: usize,
    /// True if received calls run here.
    pub(crate) is_received: bool,
}

impl Method {
    /// Returns the entries of the table.
    pub(crate) fn entries(&self) -> Vec<Entry<'_>> {
        let is_request = self.answer.is_some();
        let call = Entry {
            name: self.name.clone(),
            method: self,
            settings: self.config.settings(),
            count: self.args.len() + usize::from(is_request),
            is_received: self.body != Body::None,
        };
        let answer = is_request.then(|| Entry {
            name: self.answer_name(),
            method: self,
            settings: Settings::ANSWER,
            count: 2,
            is_received: true,
        });
        std::iter::once(call).chain(answer).collect()
    }

    /// Returns the name of the RPC by which a request is answered.
    pub(super) fn answer_name(&self) -> String {
        format!("{}_answer", self.name)
    }

    pub(super) fn with_body(function: &ImplItemFn, config: Config) -> Result<Self> {
        let signature = &function.sig;
        if config.is_stub {
            let text = "a stub only keeps the number of a method of the script: remove the body, \
                        or the word stub";
            return Err(Error::new(signature.ident.span(), text));
        }
        let mut inputs = signature.inputs.iter().peekable();
        match inputs.next() {
            Some(FnArg::Receiver(receiver))
                if matches!(receiver.kind, ReceiverKind::Reference(..)) => {}
            _ => {
                let text = "an RPC with a body begins with &mut self";
                return Err(Error::new(signature.ident.span(), text));
            }
        }
        let has_context = inputs.next_if(|input| is_context(input)).is_some();
        let args = inputs.map(argument).collect::<Result<_>>()?;
        Self::new(signature, &function.attrs, config, args, Body::Here { has_context })
    }

    pub(super) fn without_body(function: &TraitItemFn, config: Config) -> Result<Self> {
        let signature = &function.sig;
        if config.settings().call_local {
            let text = "a call_local method also runs here, and this one has no body: write one, \
                        or remove call_local";
            return Err(Error::new(signature.ident.span(), text));
        }
        if config.is_limited() {
            let text = "the receiver of a call limits it, and this method runs elsewhere: remove \
                        rate and max_bytes";
            return Err(Error::new(signature.ident.span(), text));
        }
        let args = signature.inputs.iter().map(argument).collect::<Result<_>>()?;
        Self::new(signature, &function.attrs, config, args, Body::None)
    }

    fn new(
        signature: &Signature,
        attrs: &[Attribute],
        config: Config,
        args: Vec<Argument>,
        body: Body,
    ) -> Result<Self> {
        let answer = check_signature(signature, config.is_request)?;
        if let Some(cfg) = attrs.iter().find(|attr| attr.path().is_ident("cfg")) {
            let text = "all peers number all methods, so an RPC cannot depend on a cfg; put it on \
                        two whole impls";
            return Err(Error::new_spanned(cfg, text));
        }
        if args.len() > ARGUMENTS_MAX {
            let text = format!(
                "{} arguments; at most {ARGUMENTS_MAX}, or put them into one struct \
                 (#[derive(ToVariant, FromVariant)])",
                args.len()
            );
            return Err(Error::new_spanned(&signature.inputs, text));
        }
        let ident = signature.ident.clone();
        let name = match &config.rename {
            Some(name) => name.value(),
            None => ident.unraw().to_string(),
        };
        let docs = attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect();
        Ok(Self { name, ident, config, args, body, answer, docs })
    }
}

/// Checks the signature; returns the type of the answer of a request.
fn check_signature(signature: &Signature, is_request: bool) -> Result<Option<Type>> {
    if let Some(asyncness) = &signature.asyncness {
        let text = "an RPC runs within the branch's turn and cannot be async; start a task in it, \
                    or answer later with a call of your own";
        return Err(Error::new_spanned(asyncness, text));
    }
    if !signature.generics.params.is_empty() {
        let text = "an RPC cannot be generic: Godot finds it by its name alone";
        return Err(Error::new_spanned(&signature.generics, text));
    }
    match &signature.output {
        ReturnType::Type(_, ty) if is_request => Ok(Some((**ty).clone())),
        ReturnType::Default if is_request => {
            let text = "a request returns its answer: write -> Type, or #[rpc] without an answer";
            Err(Error::new(signature.ident.span(), text))
        }
        ReturnType::Type(_, ty) if !is_unit(ty) => {
            let text = "an RPC returns nothing, as in Godot; call the sender back, or use \
                        #[request] for an answer";
            Err(Error::new_spanned(ty, text))
        }
        _ => Ok(None),
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// Returns whether an input is the context: `&mut RpcContext`, or a part of it.
fn is_context(input: &FnArg) -> bool {
    let FnArg::Typed(input) = input else { return false };
    let Type::Reference(reference) = &*input.ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    let name = path.path.segments.last().map(|segment| segment.ident.to_string());
    reference.mutability.is_some()
        && matches!(name.as_deref(), Some("RpcContext" | "NodeContext" | "Scene"))
}

fn argument(input: &FnArg) -> Result<Argument> {
    let input = match input {
        FnArg::Typed(input) => input,
        FnArg::Receiver(receiver) => {
            let text = "a function that this side only calls has no self: write the arguments \
                        alone";
            return Err(Error::new_spanned(receiver, text));
        }
    };
    let Pat::Ident(name) = &*input.pat else {
        let text = "give the argument a name: the caller is written from it";
        return Err(Error::new_spanned(&input.pat, text));
    };
    let text = match &*input.ty {
        Type::Reference(_) if is_context_type(&input.ty) => {
            "the context is `&mut RpcContext`, and comes right after self"
        }
        Type::Reference(_) => {
            "arguments come off the wire and are owned: String instead of &str, Vec<T> instead of \
             &[T]"
        }
        Type::ImplTrait(_) => "an RPC cannot be generic: Godot finds it by its name alone",
        ty if names_self(ty.to_token_stream()) => {
            "write the type's name instead of Self: the caller belongs to another type"
        }
        _ => return Ok(Argument { name: name.ident.clone(), ty: (*input.ty).clone() }),
    };
    Err(Error::new_spanned(&input.ty, text))
}

fn is_context_type(ty: &Type) -> bool {
    ty.to_token_stream().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "RpcContext",
        _ => false,
    })
}

fn names_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => names_self(group.stream()),
        _ => false,
    })
}
