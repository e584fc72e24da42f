//! The RPCs of a script.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::GameFile;
use crate::errors::Errors;
use crate::rpc::{Entry, Method, Mode, Settings};

/// Compares the methods of an impl with the `@rpc` functions of a script, inherited ones included.
/// Returns an item that makes the crate depend on the files.
pub(crate) fn compare_rpcs(
    literal: &LitStr,
    methods: &[Method],
    errors: &mut Errors,
) -> TokenStream {
    let Some(file) = errors.ok(GameFile::open(literal)) else { return TokenStream::new() };
    let script = file.project.script(file.path()).map_err(|error| file.error(&error));
    let Some(script) = errors.ok(script) else { return file.track() };
    let name = literal.value();
    let entries: Vec<_> = methods.iter().flat_map(Method::entries).collect();
    for theirs in script.rpc_methods() {
        let entry = entries.iter().find(|entry| entry.name == theirs.name);
        let settings = settings(theirs);
        let Some(entry) = entry else {
            let place = if theirs.file == script.file() {
                name.clone()
            } else {
                format!("{name} inherits from {}, which", file.relative(&theirs.file))
            };
            let text = format!(
                "{place} has @rpc func {0}, which is not here, so that the methods would be \
                 numbered differently; add `#[rpc({settings})] {1}`, or `#[rpc(stub)] fn {0}();` to \
                 keep its number",
                theirs.name,
                declaration(theirs),
            );
            errors.add(literal.span(), text);
            continue;
        };
        if entry.method.config.is_stub {
            continue;
        }
        let (ours, span) = (entry.settings, entry.method.ident.span());
        if ours != settings {
            let text = format!("{name} says @rpc({settings}), this says #[rpc({ours})]");
            errors.add(span, text);
        }
        if !accepts(entry, theirs) {
            let text = format!(
                "{name} has func {}({}), and this takes {} arguments",
                theirs.name,
                arguments(theirs),
                entry.count
            );
            errors.add(span, text);
        }
    }
    for entry in entries.iter().filter(|entry| script.rpc_method(&entry.name).is_none()) {
        let text = format!(
            "{name} has no @rpc func {}, so that the methods would be numbered differently",
            entry.name
        );
        errors.add(entry.method.ident.span(), text);
    }
    file.track()
}

fn settings(method: &mp_project::RpcMethod) -> Settings {
    let config = method.config;
    Settings {
        any_peer: config.mode == mp_project::RpcMode::AnyPeer,
        call_local: config.call_local,
        mode: match config.transfer_mode {
            mp_project::TransferMode::Unreliable => Mode::Unreliable,
            mp_project::TransferMode::UnreliableOrdered => Mode::UnreliableOrdered,
            _ => Mode::Reliable,
        },
        channel: config.channel,
    }
}

/// Returns whether the number of arguments fits: of calls that this method receives, or of calls
/// that the script's receives from here.
fn accepts(entry: &Entry<'_>, theirs: &mp_project::RpcMethod) -> bool {
    let is_variadic = theirs.arguments.iter().any(|argument| argument.is_rest);
    let least = if entry.is_received && !is_variadic {
        // Callers pass the arguments with defaults, too.
        theirs.arguments.len()
    } else {
        theirs.required_arguments()
    };
    entry.count >= least && (is_variadic || entry.count <= theirs.arguments.len())
}

/// Returns the declaration of a function of a script, in Rust. It has a body if calls from here run
/// here, too.
fn declaration(method: &mp_project::RpcMethod) -> String {
    let (name, arguments) = (&method.name, arguments(method));
    match (method.config.call_local, arguments.is_empty()) {
        (false, _) => format!("fn {name}({arguments});"),
        (true, true) => format!("fn {name}(&mut self) {{}}"),
        (true, false) => format!("fn {name}(&mut self, {arguments}) {{}}"),
    }
}

/// Returns the arguments of a function of a script, in Rust.
fn arguments(method: &mp_project::RpcMethod) -> String {
    let arguments = method.arguments.iter().filter(|argument| !argument.is_rest);
    let arguments = arguments
        .map(|argument| format!("{}: {}", argument.name, rust_type(argument.type_name.as_deref())));
    arguments.collect::<Vec<_>>().join(", ")
}

/// Returns the Rust type for a type of GDScript.
fn rust_type(name: Option<&str>) -> &str {
    let Some(name) = name else { return "Variant" };
    match name {
        "int" => "i64",
        "float" => "f64",
        "PackedByteArray" => "Vec<u8>",
        "PackedInt32Array" => "Vec<i32>",
        "PackedInt64Array" => "Vec<i64>",
        "PackedFloat32Array" => "Vec<f32>",
        "PackedFloat64Array" => "Vec<f64>",
        "PackedStringArray" => "Vec<String>",
        "PackedVector2Array" => "Vec<Vector2>",
        "PackedVector3Array" => "Vec<Vector3>",
        "PackedVector4Array" => "Vec<Vector4>",
        "PackedColorArray" => "Vec<Color>",
        "AABB" => "Aabb",
        _ if name.starts_with("Array[") => "Array",
        _ if name.starts_with("Dictionary[") => "Dictionary",
        "bool" | "String" | "StringName" | "NodePath" | "Array" | "Dictionary" | "Vector2"
        | "Vector2i" | "Vector3" | "Vector3i" | "Vector4" | "Vector4i" | "Rect2" | "Rect2i"
        | "Transform2D" | "Transform3D" | "Basis" | "Quaternion" | "Plane" | "Projection"
        | "Color" => name,
        // Enums and classes.
        _ => "Variant",
    }
}
