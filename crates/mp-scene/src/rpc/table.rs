//! RPC tables: the methods of a node type, with name, settings and closure.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use mp_core::Variant;

use super::{FromArgs, MethodCallError, RpcConfig};
use crate::scene::RpcContext;

/// The RPC methods of nodes of type `N`.
///
/// ```
/// use mp_scene::prelude::*;
///
/// struct Chat;
/// impl Node for Chat {
///     fn rpc_table() -> RpcTable<Self> {
///         RpcTable::new()
///             .method("say", RpcConfig::any_peer(), |_chat: &mut Self, cx, (text,): (String,)| {
///                 println!("{} says {text}", cx.remote_sender());
///             })
///             .stub("shout") // only other peers have it; reserves its id
///     }
/// }
/// ```
pub struct RpcTable<N> {
    entries: BTreeMap<String, Entry>,
    object: PhantomData<fn(&mut N)>,
}

pub(crate) type Method =
    Rc<dyn Fn(&mut dyn Any, &mut RpcContext<'_>, Vec<Variant>) -> Result<(), MethodCallError>>;

#[derive(Clone)]
struct Entry {
    /// True if the method has an id in the script's table.
    numbered: bool,
    config: Option<RpcConfig>,
    method: Option<Method>,
}

impl<N: 'static> RpcTable<N> {
    /// Creates an empty table.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new(), object: PhantomData }
    }

    /// Adds `method`, which peers may call as `name` under `config`. Replaces an earlier method of
    /// that name.
    ///
    /// The arguments are a tuple of types that a [`Variant`] converts to, or `Vec<Variant>`. A call
    /// whose arguments do not convert is dropped, as in Godot.
    #[must_use]
    pub fn method<A: FromArgs>(
        self,
        name: &str,
        config: RpcConfig,
        method: impl Fn(&mut N, &mut RpcContext<'_>, A) + 'static,
    ) -> Self {
        self.register(name, true, Some(config), Some(erase(method)))
    }

    /// Adds `method`, which converts its arguments itself, for code of `#[rpc_methods]`.
    #[doc(hidden)]
    #[must_use]
    pub fn converting(
        self,
        name: &str,
        config: RpcConfig,
        method: impl Fn(&mut N, &mut RpcContext<'_>, Vec<Variant>) -> Result<(), MethodCallError>
        + 'static,
    ) -> Self {
        self.register(name, true, Some(config), Some(erase_converting(method)))
    }

    /// Adds the method `name`, by which peers answer requests
    /// ([`RequestCall`](super::RequestCall)): with the id of the request and a value, reliably. Any
    /// peer may call it; an answer that was not requested from its sender is dropped and counted.
    #[must_use]
    pub fn answer(self, name: &'static str) -> Self {
        self.method(name, RpcConfig::any_peer(), move |_, cx, (id, value): (i64, Variant)| {
            let (node, sender) = (cx.node_id(), cx.remote_sender());
            cx.receive_answer(node, name, sender, id, value);
        })
    }

    /// Adds `method` without an RPC config: peers may call it only after
    /// [`Tree::rpc_config`](crate::Tree::rpc_config).
    #[must_use]
    pub fn callable<A: FromArgs>(
        self,
        name: &str,
        method: impl Fn(&mut N, &mut RpcContext<'_>, A) + 'static,
    ) -> Self {
        self.register(name, false, None, Some(erase(method)))
    }

    /// Reserves the id of method `name`, which is in the remote peer's script but is neither called
    /// nor implemented locally, so that the ids of the other methods match.
    #[must_use]
    pub fn stub(self, name: &str) -> Self {
        self.register(name, true, None, None)
    }

    /// Adds method `name`, which is only called on other peers, under `config`. Received calls are
    /// refused.
    #[must_use]
    pub fn remote(self, name: &str, config: RpcConfig) -> Self {
        self.register(name, true, Some(config), None)
    }

    fn register(
        mut self,
        name: &str,
        numbered: bool,
        config: Option<RpcConfig>,
        method: Option<Method>,
    ) -> Self {
        self.entries.insert(name.to_owned(), Entry { numbered, config, method });
        self
    }

    pub(crate) fn erase(self) -> MethodTable {
        MethodTable(self.entries)
    }
}

impl<N: 'static> Default for RpcTable<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N> fmt::Debug for RpcTable<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

/// An [`RpcTable`] without its node type.
#[derive(Default)]
pub(crate) struct MethodTable(BTreeMap<String, Entry>);

impl MethodTable {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.0.get(name)?.method.clone()
    }

    /// Returns the script's table, sorted by name.
    pub(crate) fn script_config(&self) -> impl Iterator<Item = (&str, Option<RpcConfig>)> {
        self.0
            .iter()
            .filter(|(_, entry)| entry.numbered)
            .map(|(name, entry)| (&**name, entry.config))
    }
}

fn erase<N: 'static, A: FromArgs>(
    method: impl Fn(&mut N, &mut RpcContext<'_>, A) + 'static,
) -> Method {
    erase_converting(move |node, cx, args| {
        method(node, cx, A::from_args(args)?);
        Ok(())
    })
}

fn erase_converting<N: 'static>(
    method: impl Fn(&mut N, &mut RpcContext<'_>, Vec<Variant>) -> Result<(), MethodCallError> + 'static,
) -> Method {
    Rc::new(move |object, cx, args| {
        let node = object.downcast_mut::<N>().ok_or(MethodCallError::WrongNodeType)?;
        method(node, cx, args)
    })
}
