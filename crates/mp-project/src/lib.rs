//! Reader of Godot 4 projects: the RPC tables of scripts with what they inherit, and the nodes,
//! synchronizers and spawners of scenes.
//!
//! ```
//! use mp_project::Project;
//! # let folder = tempfile::tempdir().unwrap();
//! # let godot = folder.path();
//! # std::fs::write(godot.join("project.godot"), "config_version=5\n").unwrap();
//! # let text = "extends Node\n@rpc(\"any_peer\")\nfunc add(points: int): pass\n";
//! # std::fs::write(godot.join("score.gd"), text).unwrap();
//!
//! let project = Project::open(godot)?;
//! let script = project.script("res://score.gd")?;
//! let add = script.rpc_method("add").unwrap();
//! assert_eq!(add.config.to_string(), "@rpc(\"any_peer\")");
//! assert_eq!(add.arguments[0].type_name.as_deref(), Some("int"));
//! assert_eq!(project.files_read(), [godot.join("project.godot"), godot.join("score.gd")]);
//! # Ok::<(), mp_project::Error>(())
//! ```
//!
//! | type | content |
//! |---|---|
//! | [`Project`] | the folder that is `res://`; resolves paths, UIDs, `class_name`s and autoloads |
//! | [`Script`] | a `.gd` file: bases, RPC methods, the checksum of the RPC table |
//! | [`SceneFile`] | a `.tscn` file: nodes with scripts, synchronizers and spawners |
//! | [`Settings`] | `project.godot`: main scene, autoloads, other settings |
//! | [`Value`] | a value in Godot's text format |
//!
//! # Scope
//!
//! * Scripts: GDScript 2. Declarations are parsed, function bodies are skipped. Godot remains the
//!   authority on what compiles: the reader accepts more. Arguments of `@rpc` are literals,
//!   constants and enum values of the same script, and sums of them; others are an error.
//! * Scenes: the text formats 2 to 4. Binary files (`.scn`, `.res`) are an error.
//! * A base class that no script declares is a class of the engine or of an extension.
//! * Files are only read. No maintained crate reads scripts and scenes with inheritance, without a
//!   C compiler, and within a bounded stack, as proc macros need it.
//!
//! # Limits
//!
//! Files are at most [`FILE_BYTES_MAX`] long. Brackets, values, blocks, base scripts and instanced
//! scenes nest at most [`DEPTH_MAX`] deep. A scene has at most [`NODES_MAX`] nodes. Circles of
//! scripts or scenes are an error that names the chain. No text makes the reader panic.

mod class_index;
mod cursor;
mod error;
mod files;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod gdscript;
mod limits;
mod path;
mod project;
mod resource;
mod rpc;
mod scene;
mod script;
mod settings;
mod text;
mod uid_index;
mod value;

pub use self::error::{Error, ErrorKind, Position};
pub use self::limits::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, SEARCHED_FILES_MAX};
pub use self::project::Project;
pub use self::rpc::{Argument, RpcConfig, RpcMethod, RpcMode, TransferMode};
pub use self::scene::{
    ReplicatedProperty, ReplicationMode, SceneFile, SceneNode, SpawnerSettings,
    SynchronizerSettings, VisibilityUpdateMode,
};
pub use self::script::Script;
pub use self::settings::{Autoload, Settings};
pub use self::value::{Constructor, Value};
