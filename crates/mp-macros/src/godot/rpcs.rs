//! The RPCs of a script.

use proc_macro2::TokenStream;
use syn::LitStr;

use super::GameFile;
use crate::errors::Errors;
use crate::rpc::{Body, Method, Mode, Settings};

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
    for theirs in script.rpc_methods() {
        let method = methods.iter().find(|method| method.name == theirs.name);
        let settings = settings(theirs);
        let Some(method) = method else {
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
        if method.config.is_stub {
            continue;
        }
        let ours = method.config.settings();
        if ours != settings {
            let text = format!("{name} says @rpc({settings}), this says #[rpc({ours})]");
            errors.add(method.ident.span(), text);
        }
        if !accepts(method, theirs) {
            let text = format!(
                "{name} has func {}({}), and this takes {} arguments",
                theirs.name,
                arguments(theirs),
                method.args.len()
            );
            errors.add(method.ident.span(), text);
        }
    }
    for method in methods.iter().filter(|method| script.rpc_method(&method.name).is_none()) {
        let text = format!(
            "{name} has no @rpc func {}, so that the methods would be numbered differently",
            method.name
        );
        errors.add(method.ident.span(), text);
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
fn accepts(method: &Method, theirs: &mp_project::RpcMethod) -> bool {
    let count = method.args.len();
    let is_variadic = theirs.arguments.iter().any(|argument| argument.is_rest);
    let least = match method.body {
        Body::None => theirs.required_arguments(),
        // Callers pass the arguments with defaults, too.
        Body::Here { .. } if is_variadic => theirs.required_arguments(),
        Body::Here { .. } => theirs.arguments.len(),
    };
    count >= least && (is_variadic || count <= theirs.arguments.len())
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
