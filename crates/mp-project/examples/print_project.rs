//! Prints the RPC tables of all scripts of a Godot project, and the nodes of all its scenes.
//!
//! `cargo run -p mp-project --example print_project -- FOLDER`
//!
//! print_project.gd prints the same in Godot.
#![allow(missing_docs, reason = "an example")]

use mp_project::{Error, Project, RpcMode, SceneFile, Script, TransferMode};

fn main() -> Result<(), Error> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    print!("{}", describe(&Project::open(folder)?)?);
    Ok(())
}

/// Returns the description. Prints errors of files to standard error.
pub(crate) fn describe(project: &Project) -> Result<String, Error> {
    let mut text = String::new();
    for path in project.find(&["gd"])? {
        let script = project.script(&path).map(|script| describe_script(&script));
        text += &script.unwrap_or_else(|error| {
            eprintln!("{error}");
            format!("script {path} error\n")
        });
    }
    for path in project.find(&["tscn"])? {
        let scene = project.scene(&path).map(|scene| describe_scene(&scene));
        text += &scene.unwrap_or_else(|error| {
            eprintln!("{error}");
            format!("scene {path} error\n")
        });
    }
    Ok(text)
}

fn describe_script(script: &Script) -> String {
    let mut text = format!("script {} {}\n", script.path(), script.rpc_checksum());
    for method in script.rpc_methods() {
        let config = method.config;
        let mode = match config.mode {
            RpcMode::AnyPeer => 1,
            _ => 2,
        };
        let transfer_mode = match config.transfer_mode {
            TransferMode::Unreliable => 0,
            TransferMode::UnreliableOrdered => 1,
            _ => 2,
        };
        let (name, local, channel) = (&method.name, config.call_local, config.channel);
        let arguments = method.arguments.iter().filter(|argument| !argument.is_rest).count();
        let required = method.required_arguments();
        text +=
            &format!("  {name} {mode} {local} {transfer_mode} {channel} {arguments} {required}\n");
    }
    text
}

fn describe_scene(scene: &SceneFile) -> String {
    let mut text = format!("scene {}\n", scene.path());
    let mut nodes: Vec<_> = scene.nodes().iter().collect();
    nodes.sort_by_key(|node| node.path());
    for node in nodes {
        let script = node.script_path().unwrap_or("-");
        text += &format!("  {} {} {script}\n", node.path(), node.type_name());
        if let Some(synchronizer) = node.synchronizer() {
            let (root, visible) = (&synchronizer.root_path, synchronizer.public_visibility);
            let (full, delta) = (synchronizer.replication_interval, synchronizer.delta_interval);
            let update = synchronizer.visibility_update_mode as u8;
            text += &format!("    synchronizer {root} {full:.3} {delta:.3} {update} {visible}\n");
            for property in &synchronizer.properties {
                let mode = property.mode as u8;
                text += &format!("    {} {} {mode}\n", property.path, property.spawn);
            }
        }
        if let Some(spawner) = node.spawner() {
            text += &format!("    spawner {} {}\n", spawner.spawn_path, spawner.spawn_limit);
            spawner.scenes.iter().for_each(|scene| text += &format!("    {scene}\n"));
        }
    }
    text
}
