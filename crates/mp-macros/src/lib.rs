//! The macros of the crate `mp`, which re-exports them: [`Node`](macro@Node) for the structs of
//! nodes, [`rpc_methods`] for their methods, and [`macro@main`] for programs.
//!
//! Each mistake is one error at its place in the program. The generated code names only `::mp`.

mod errors;
mod godot;
mod main_fn;
mod node;
mod rpc;
mod variant;

use proc_macro::TokenStream;

/// Implements `Node` for a struct.
///
/// ```
/// use mp::prelude::*;
///
/// #[derive(Default, Node)]
/// struct Player {
///     #[replicate(spawn, rename = "name_tag")]
///     name: String,
///     #[replicate(on_change)]
///     health: Replicated<i64>,
///     cooldown: f32, // not replicated
/// }
///
/// let player = Instance::new("Player", Player::default()).child(Instance::new(
///     "Sync",
///     MultiplayerSynchronizer::new(Player::replication_config()),
/// ));
/// ```
///
/// # Fields
///
/// `#[replicate(…)]` adds the field to the node's property table, and to `replication_config()`,
/// the configuration of a synchronizer whose root is the node. The order of the fields is the order
/// in packets, which must be the one in the game's scene.
///
/// | word | meaning |
/// |---|---|
/// | `spawn` (default) | part of announcements of the node |
/// | `no_spawn` | not part of announcements |
/// | `always` | sent at every interval, unreliably |
/// | `on_change` | sent after a change, reliably |
/// | `rename = "name"` | the property's name in the game's script, if the field has another |
///
/// A field with `spawn` alone is not sent after the announcement. At most 64 fields can be
/// `on_change`.
///
/// `#[node(synchronizer)]` and `#[node(spawner)]` mark the field that makes the node a synchronizer
/// or a spawner, like a script that extends one (`Node::as_synchronizer`, `Node::as_spawner`).
///
/// # Hooks
///
/// `#[node(…)]` on the struct names functions that run in the node's life cycle:
///
/// | word | signature |
/// |---|---|
/// | `enter_tree = function` | `function(&mut self, &mut Tree, NodeId)` |
/// | `ready = function` | `function(&mut self, &mut NodeContext<'_>)` |
/// | `process = function` | `function(&mut self, &mut NodeContext<'_>, Duration)` |
/// | `exit_tree = function` | `function(&mut self, &mut Tree, NodeId)` |
///
/// # Checked against the scene
///
/// `#[node(tscn = "godot/player.tscn")]` on the struct compares the fields with the synchronizer of
/// that scene: names, order, and when each property is sent. A difference is an error of the
/// compiler. The path is relative to the folder of the crate's `Cargo.toml`. If the scene has
/// several synchronizers, `synchronizer = "Input"` names one by its path from the scene's root.
/// Properties of other nodes than the synchronizer's root cannot be fields of the struct. All files
/// that were read, also of inherited and instanced scenes, are dependencies of the crate.
///
/// # RPCs
///
/// The node has the methods of [`rpc_methods`], or none without it.
///
/// # Expanded code
///
/// The struct above becomes:
///
/// ```
/// # #[derive(Default)]
/// # struct Player { name: String, health: mp::prelude::Replicated<i64>, cooldown: f32 }
/// use mp::__macros::*;
///
/// impl Node for Player {
///     fn rpc_table() -> RpcTable<Self> {
///         use NoRpcs as _; // an empty table, if there is no #[rpc_methods]
///         TableOf::<Self>::rpc_table()
///     }
///
///     fn property_table() -> PropertyTable<Self> {
///         PropertyTable::new()
///             .property("name_tag", |node: &mut Self| &mut node.name)
///             .property("health", |node: &mut Self| &mut node.health)
///     }
/// }
///
/// impl Player {
///     /// Returns the configuration of a synchronizer of the replicated fields, in their order.
///     pub fn replication_config() -> ReplicationConfig {
///         ReplicationConfig::new().spawn(".:name_tag").on_change(".:health")
///     }
/// }
/// ```
#[proc_macro_derive(Node, attributes(node, replicate))]
pub fn node(item: TokenStream) -> TokenStream {
    node::derive(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes methods of a node RPCs, and writes their typed callers.
///
/// ```
/// use mp::prelude::*;
///
/// #[derive(Default, Node)]
/// struct Score {
///     points: i64,
/// }
///
/// #[rpc_methods]
/// impl Score {
///     /// Adds points of the caller.
///     #[rpc(any_peer)]
///     fn add(&mut self, cx: &mut RpcContext<'_>, points: i64) {
///         self.points += points.clamp(0, 10);
///         let _ = cx.this::<Self>().rpcs().shown(self.points).call(cx);
///     }
///
///     /// Shows the points, on clients.
///     #[rpc(unreliable_ordered, channel = 2)]
///     fn shown(total: i64);
/// }
///
/// let branch = Branch::builder("/root").setup(|scene| {
///     let score = scene.add("Score", Score::default())?;
///     score.rpcs().shown(0).call(scene)?; // to all peers
///     Ok(())
/// });
/// # branch.build().unwrap();
/// ```
///
/// A method with a body runs when a peer calls it. It takes `&mut self`, optionally the context
/// `&mut RpcContext`, and its arguments: owned values of types that implement `FromVariant`. A call
/// whose arguments do not convert is dropped and counted. A method without a body is only called
/// from here; its types implement `Into<Variant>`. Other methods of the impl are left as they are.
///
/// The words of `#[rpc(…)]` are Godot's, with Godot's defaults:
///
/// | word | meaning |
/// |---|---|
/// | `authority` (default), `any_peer` | the peers that may call the method |
/// | `call_remote` (default), `call_local` | whether a call from here runs here too |
/// | `reliable` (default), `unreliable`, `unreliable_ordered` | the transfer mode of calls |
/// | `channel = N` | the transfer channel of calls, from 0 (default) to 255 |
/// | `rate = "20/s"` | a limit of the calls of one peer to one node; also `"100/10s"`, `"5/min"` |
/// | `max_bytes = N` | a limit of the encoded arguments of a call |
/// | `rename = "name"` | the method's name in the game's script, if this one has another |
/// | `stub` | a method of the game's script that is neither called from here nor runs here: it keeps the ids of the others right |
///
/// A call above a limit is dropped before its arguments are decoded, and counted
/// (`Refusal::CallRateExceeded`, `CallTooLarge`). `SceneMultiplayer::set_disconnect_over_limits`
/// disconnects its sender, too. The limits are those of `RpcConfig::rate` and `max_bytes`.
///
/// A type has one impl with `#[rpc_methods]`, since all its RPCs are numbered together.
///
/// # Requests
///
/// A method with `#[request]` instead of `#[rpc]` returns a value, which the caller receives.
/// `#[request]` takes the words of `#[rpc]` but `call_local` and `stub`.
///
/// ```
/// use mp::prelude::*;
/// use mp::scene::rpc::RequestError;
///
/// #[derive(Default, Node)]
/// struct Shop;
///
/// #[rpc_methods]
/// impl Shop {
///     /// Returns the price of an item.
///     #[request(any_peer, rate = "10/s")]
///     fn price(&mut self, item: String) -> i64 {
///         item.len() as i64
///     }
/// }
///
/// // Of a client, in a hook or method:
/// fn ask(scene: &mut Scene, shop: NodeRef<Shop>) -> Result<(), RequestError> {
///     let price = shop.rpcs().price("sword".into());
///     price.ask_then(scene, PeerId::SERVER, |_scene, price| println!("{price:?}"))
/// }
/// ```
///
/// `ask` returns the answer as a future instead, which a program can also poll with `take`. Outside
/// of the branch, `client.ask(shop.rpcs().price("sword".into()), PeerId::SERVER).await` does the
/// same (`BranchRef::ask`). The request ends with an error if it is not answered in five seconds
/// (`timeout` sets another time), or if the peer leaves. At most 64 requests to one peer are open.
///
/// It consists of two RPCs, so that a script can ask and answer, too. The first argument is the id
/// of the request, which is random; an answer of another peer, a late or second one is dropped and
/// counted (`SceneStats::refused_answers`):
///
/// ```gdscript
/// @rpc("any_peer") func price(request: int, item: String) -> void:
///     price_answer.rpc_id(multiplayer.get_remote_sender_id(), request, item.length())
///
/// @rpc("any_peer") func price_answer(request: int, price: int) -> void:
///     pass # A script that asks compares the sender and the id with those of its request.
/// ```
///
/// # Checked against the script
///
/// `#[rpc_methods(gd = "godot/score.gd")]` compares the methods with the `@rpc` functions of that
/// script and of the scripts that it extends: names, settings, and numbers of arguments. A
/// difference is an error of the compiler that shows the line to write, where Godot reports a
/// mismatch of checksums when a peer joins. The path is relative to the folder of the crate's
/// `Cargo.toml`. All files that were read are dependencies of the crate.
///
/// # Expanded code
///
/// The impl above becomes:
///
/// ```
/// # use mp::prelude::*;
/// # #[derive(Default, Node)]
/// # struct Score { points: i64 }
/// # impl Score { fn add(&mut self, cx: &mut RpcContext<'_>, points: i64) {} }
/// use mp::__macros::*;
///
/// // impl Score { fn add(…) {…} }
///
/// /// Typed calls of the RPCs of a `Score`: `NodeRef::rpcs` returns them.
/// pub struct ScoreRpcs(NodeRef<Score>);
///
/// impl ScoreRpcs {
///     /// Adds points of the caller.
///     pub fn add(&self, points: i64) -> RpcCall<(i64,)> {
///         RpcCall::new(self.0, "add", (points,))
///     }
///
///     /// Shows the points, on clients.
///     pub fn shown(&self, total: i64) -> RpcCall<(i64,)> {
///         RpcCall::new(self.0, "shown", (total,))
///     }
/// }
///
/// impl HasRpcs for Score {
///     type Rpcs = ScoreRpcs;
///
///     // Compared by `mp::same_rpcs!`.
///     const DECLARATIONS: &'static [RpcDeclaration] = &[
///         RpcDeclaration::new("add", "rpc(any_peer)", 1, "only one of the two types declares …"),
///         RpcDeclaration::new("shown", "rpc(authority, unreliable_ordered, channel = 2)", 1, "…"),
///     ];
///
///     fn rpcs_of(node: NodeRef<Self>) -> ScoreRpcs {
///         ScoreRpcs(node)
///     }
///
///     fn typed_table() -> RpcTable<Self> {
///         RpcTable::new()
///             .converting("add", RpcConfig::any_peer(), |node: &mut Self, cx, args| {
///                 let mut args = Arguments::new(args, 1)?;
///                 node.add(cx, args.next_as::<i64>()?);
///                 Ok(())
///             })
///             .remote("shown", RpcConfig::authority().unreliable_ordered().channel(2))
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn rpc_methods(attr: TokenStream, item: TokenStream) -> TokenStream {
    rpc::expand(attr.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

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

/// Implements `From<T> for Variant`, so that values of the type can be arguments of calls.
///
/// ```
/// use mp::prelude::*;
/// use mp::core::FromVariant;
///
/// #[derive(Debug, PartialEq, FromVariant, ToVariant)]
/// struct Item {
///     name: String,
///     #[variant(rename = "amount")]
///     count: i64,
///     rarity: Rarity,
/// }
///
/// #[derive(Debug, PartialEq, FromVariant, ToVariant)]
/// #[variant(int)] // like the values of a GDScript enum
/// enum Rarity {
///     Common,
///     Rare,
/// }
///
/// let coins = || Item { name: "coin".into(), count: 3, rarity: Rarity::Rare };
/// // In GDScript: { "name": "coin", "amount": 3, "rarity": 1 }
/// let value = Variant::from(coins());
/// assert_eq!(Item::from_variant(value), Ok(coins()));
/// ```
///
/// | type | value in Godot |
/// |---|---|
/// | struct with fields | `Dictionary` with the names as keys |
/// | struct with one field without a name | the value of the field |
/// | struct with several fields without names | `Array` |
/// | enum with `#[variant(int)]` | `int`: the number of the variant |
/// | variant of an enum | `String`: its name |
/// | variant with fields | `Dictionary` with the name as its only key, and the fields as value |
///
/// `#[variant(rename = "name")]` on a field or variant sets another name.
#[proc_macro_derive(ToVariant, attributes(variant))]
pub fn to_variant(item: TokenStream) -> TokenStream {
    variant::derive_to(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Implements `FromVariant`, so that values of the type can be arguments of RPCs: the reverse of
/// [`ToVariant`](macro@ToVariant).
///
/// A field whose type is an `Option` may be missing; a key that is no field is ignored. An error
/// names the missing or wrong field.
#[proc_macro_derive(FromVariant, attributes(variant))]
pub fn from_variant(item: TokenStream) -> TokenStream {
    variant::derive_from(item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
