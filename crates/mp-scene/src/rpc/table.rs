//! The methods of a kind of node, registered by name, config and closure.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use mp_core::Variant;

use super::{CallError, FromArgs, RpcConfig};
use crate::scene::RpcContext;

/// What the peers of a node of type `N` may call.
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
///             .stub("shout") // other peers have it; we only keep its number
///     }
/// }
/// ```
pub struct RpcTable<N> {
    entries: BTreeMap<String, Entry>,
    object: PhantomData<fn(&mut N)>,
}

pub(crate) type Method =
    Rc<dyn Fn(&mut dyn Any, &mut RpcContext<'_>, Vec<Variant>) -> Result<(), CallError>>;

#[derive(Clone)]
struct Entry {
    /// Whether it has a number in the script's table.
    numbered: bool,
    config: Option<RpcConfig>,
    method: Option<Method>,
}

impl<N: 'static> RpcTable<N> {
    /// No methods.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new(), object: PhantomData }
    }

    /// Peers may call `method` as `name`, under `config`. Its arguments are a tuple of types that a
    /// [`Variant`] converts to, or `Vec<Variant>`; a call whose arguments do not fit is dropped, as in Godot.
    /// Registering a name again replaces it.
    #[must_use]
    pub fn method<A: FromArgs>(
        self,
        name: &str,
        config: RpcConfig,
        method: impl Fn(&mut N, &mut RpcContext<'_>, A) + 'static,
    ) -> Self {
        self.register(name, true, Some(config), Some(erase(method)))
    }

    /// The node has `method`, but peers may call it only once [`Tree::rpc_config`](crate::Tree::rpc_config) says so.
    #[must_use]
    pub fn callable<A: FromArgs>(
        self,
        name: &str,
        method: impl Fn(&mut N, &mut RpcContext<'_>, A) + 'static,
    ) -> Self {
        self.register(name, false, None, Some(erase(method)))
    }

    /// The other side's script has a method `name` that this side neither calls nor offers: keeps its number, so that the
    /// others are numbered alike.
    #[must_use]
    pub fn stub(self, name: &str) -> Self {
        self.register(name, true, None, None)
    }

    /// This side only calls `name` on others, under `config`: calls that arrive are refused.
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

/// An [`RpcTable`] that has forgotten its node type.
#[derive(Default)]
pub(crate) struct MethodTable(BTreeMap<String, Entry>);

impl MethodTable {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.0.get(name)?.method.clone()
    }

    /// The script's table, sorted by name.
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
    Rc::new(move |object, cx, args| {
        let node = object.downcast_mut::<N>().ok_or(CallError::WrongNodeType)?;
        method(node, cx, A::from_args(args)?);
        Ok(())
    })
}
