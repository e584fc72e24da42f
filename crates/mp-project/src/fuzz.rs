//! Bodies of the fuzz targets of this crate. Each accepts any bytes and panics when a property is
//! violated. See `fuzz/` in the repository.

use crate::error::Error;
use crate::project::Project;

/// Checks that a script is parsed with its base classes, or is an error with a position in it.
pub fn gdscript(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check(&text, load_script(&text));
}

/// Checks that a scene is parsed with its nodes, or is an error with a position in it.
pub fn scene_file(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check(&text, Project::in_memory(SCENE, &text).and_then(|project| project.scene(SCENE)));
}

const SCRIPT: &str = "res://a.gd";
const SCENE: &str = "res://a.tscn";

fn load_script(text: &str) -> Result<(), Error> {
    let script = Project::in_memory(SCRIPT, text)?.script(SCRIPT)?;
    let methods = script.rpc_methods();
    assert!(methods.is_sorted_by(|a, b| a.name < b.name), "sorted, without duplicates");
    for method in methods {
        assert!(method.required_arguments() <= method.arguments.len());
        let line = text.split('\n').nth(method.position.line as usize - 1);
        let column = method.position.column as usize - 1;
        let from_name: String = line.unwrap_or_default().chars().skip(column).collect();
        assert!(from_name.starts_with(&method.name), "{} is not at its position", method.name);
    }
    Ok(())
}

fn check<T>(text: &str, result: Result<T, Error>) {
    let Err(error) = result else { return };
    let Some(position) = error.position() else { panic!("{error} has no position") };
    let line = text.split('\n').nth(position.line as usize - 1);
    let columns = line.map(|line| line.chars().count() + 1);
    assert!(columns >= Some(position.column as usize), "{error} is outside the text");
}
