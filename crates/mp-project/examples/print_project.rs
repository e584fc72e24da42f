//! Prints the RPC tables of all scripts of a Godot project, and the nodes of all its scenes.
//!
//! `cargo run -p mp-project --example print_project -- FOLDER`
#![allow(missing_docs, reason = "an example")]

use mp_project::{Error, Project, RpcMode, SceneFile, Script, TransferMode};

fn main() -> Result<(), Error> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let project = Project::open(folder)?;
    for path in project.find(&["gd"])? {
        match project.script(&path) {
            Ok(script) => print_script(&script),
            Err(error) => println!("script {path} error {error}"),
        }
    }
    for path in project.find(&["tscn"])? {
        match project.scene(&path) {
            Ok(scene) => print_scene(&scene),
            Err(error) => println!("scene {path} error {error}"),
        }
    }
    Ok(())
}

fn print_script(script: &Script) {
    println!("script {} {}", script.path(), script.rpc_checksum());
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
        println!("  {name} {mode} {local} {transfer_mode} {channel} {arguments} {required}");
    }
}

fn print_scene(scene: &SceneFile) {
    println!("scene {}", scene.path());
    for node in scene.nodes() {
        let script = node.script_path().unwrap_or("-");
        println!("  {} {} {script}", node.path(), node.type_name());
        if let Some(synchronizer) = node.synchronizer() {
            let (root, visible) = (&synchronizer.root_path, synchronizer.public_visibility);
            let (full, delta) = (synchronizer.replication_interval, synchronizer.delta_interval);
            let update = synchronizer.visibility_update_mode as u8;
            println!("    synchronizer {root} {full:.3} {delta:.3} {update} {visible}");
            for property in &synchronizer.properties {
                println!("    {} {} {}", property.path, property.spawn, property.mode as u8);
            }
        }
        if let Some(spawner) = node.spawner() {
            println!("    spawner {} {}", spawner.spawn_path, spawner.spawn_limit);
            spawner.scenes.iter().for_each(|scene| println!("    {scene}"));
        }
    }
}
