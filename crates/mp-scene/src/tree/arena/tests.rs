use super::*;
use crate::tree::{NodeTree, TreeChange};

fn tree() -> (Tree, NodeId) {
    let mut tree = Tree::new("/root/Game").unwrap();
    let level = tree.add(tree.root(), "Level", Group).unwrap().id();
    tree.add(level, "Door", Group).unwrap();
    (tree, level)
}

#[test]
fn a_path_resolves_to_its_node_and_back() {
    let (tree, _) = tree();
    for path in [".", "Level", "Level/Door", ".."] {
        assert_eq!(tree.path_of(tree.find(path).unwrap()).as_deref(), Some(path));
    }
    assert_eq!(tree.find("/root/Game/Level/Door"), tree.find("Level/./../Level/Door"));
    assert_eq!(tree.find("../.."), None);
    assert_eq!(tree.find("Level/Window"), None);
    assert_eq!(tree.find(""), None);
}

#[test]
fn another_node_can_be_the_multiplayer_root() {
    let (mut tree, level) = tree();
    let door = tree.find("Level/Door").unwrap();
    tree.set_root_path("/root/Game/Level").unwrap();
    assert_eq!((tree.root(), tree.find("Door")), (level, Some(door)));
    assert_eq!(tree.root_path(), "/root/Game/Level");
    assert_eq!(tree.path_of(door).as_deref(), Some("Door"));

    let bad = TreeError::BadRootPath("Level".into());
    assert_eq!(tree.set_root_path("Level").unwrap_err(), bad);
    let absent = TreeError::NotFound("/root/Nowhere".into());
    assert_eq!(tree.set_root_path("/root/Nowhere").unwrap_err(), absent);
    assert_eq!(tree.root(), level, "it stays what it was");
}

#[test]
fn removing_a_node_removes_its_children() {
    let (mut tree, level) = tree();
    let door = tree.find("Level/Door").unwrap();
    assert!(tree.remove(level).unwrap().is_some());
    assert!(!tree.contains(door) && tree.path_of(door).is_none());
    let (added, removed) = (TreeChange::Added, TreeChange::Removed);
    assert_eq!(
        tree.take_changes(),
        [added(tree.root()), added(level), added(door), removed(door), removed(level)]
    );
    assert_eq!(tree.remove(tree.root()).unwrap_err(), TreeError::IsRoot);
}

#[test]
fn invalid_and_taken_names_are_refused() {
    let (mut tree, _) = tree();
    let almost_generated =
        ["@", "@2", "@Node", "@Node@", "@Node@2a", "@No/de@2", "@Node@2@3", "Node@2"];
    for name in ["", "a/b", "a.b", "a:b", "a@b", "a\"b", "%a"].into_iter().chain(almost_generated) {
        let error = tree.add(tree.root(), name, Group).unwrap_err();
        assert_eq!(error, TreeError::BadName(name.to_owned()));
    }
    assert_eq!(
        tree.add(tree.root(), "Level", Group).unwrap_err(),
        TreeError::NameTaken("Level".into())
    );
    assert!(Tree::new("root").is_err() && Tree::new("/").is_err());
}

#[test]
fn a_node_can_have_a_generated_name() {
    let (mut tree, level) = tree();
    for name in ["@Node@2", "@Sprite2D@17", "@@3"] {
        let node = tree.add(level, name, Group).unwrap().id();
        let path = format!("Level/{name}");
        assert_eq!((tree.find(&path), tree.path_of(node)), (Some(node), Some(path)));
    }
    tree.rename(level, "@Node@4").unwrap();
    assert!(tree.find("@Node@4/@Node@2").is_some());
    assert!(Tree::new("/root/@Node@2").is_ok());
}

#[test]
fn recursive_authority_applies_to_children() {
    let (mut tree, level) = tree();
    let door = tree.find("Level/Door").unwrap();
    let seven = PeerId::new(7).unwrap();
    tree.set_multiplayer_authority(level, seven, false).unwrap();
    assert_eq!(tree.multiplayer_authority(door), Some(PeerId::SERVER));
    tree.set_multiplayer_authority(level, seven, true).unwrap();
    assert_eq!(tree.multiplayer_authority(door), Some(seven));
}

#[test]
fn a_renamed_node_keeps_its_position() {
    let (mut tree, level) = tree();
    tree.add(tree.root(), "Second", Group).unwrap();
    tree.rename(level, "First").unwrap();
    let names: Vec<_> = tree.children(tree.root()).map(|child| tree.name(child).unwrap()).collect();
    assert_eq!(names, ["First", "Second"]);
    assert_eq!(tree.find("First"), Some(level));
}
