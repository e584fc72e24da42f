//! Rules for node names: names that a program chooses, and names that Godot generates.

use super::{Instance, TreeError};

/// Returns whether Godot's `set_name` keeps `name` as it is: not empty, none of `. : @ / " %`. Only
/// nodes with such names can be announced.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(FORBIDDEN)
}

/// Returns whether `name` has the form of names that Godot generates: `@Node2D@7`, the class and a
/// number, for a node that was added without a name or with a sibling's. Godot 4.0 uses the node's
/// original name, which may be empty, instead of the class.
fn is_generated_name(name: &str) -> bool {
    let parts = name.strip_prefix('@').and_then(|rest| rest.split_once('@'));
    parts.is_some_and(|(class, number)| {
        !class.contains(FORBIDDEN)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Checks that a node can have the name in a Godot tree.
pub(super) fn check_name(name: &str) -> Result<(), TreeError> {
    if is_plain_name(name) || is_generated_name(name) {
        Ok(())
    } else {
        Err(TreeError::BadName(name.to_owned()))
    }
}

/// Checks the names of an instance and of its children.
pub(super) fn check_names(instance: &Instance) -> Result<(), TreeError> {
    check_name(&instance.name)?;
    for (index, child) in instance.children.iter().enumerate() {
        if instance.children[..index].iter().any(|sibling| sibling.name == child.name) {
            return Err(TreeError::NameTaken(child.name.clone()));
        }
        check_names(child)?;
    }
    Ok(())
}

const FORBIDDEN: [char; 6] = ['.', ':', '@', '/', '"', '%'];
