//! Scripts that extend other scripts. Godot 4.6.3 has the same tables.
#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, table};

const BASE: (&str, &str) = (
    "base.gd",
    "class_name Base
extends Node
@rpc(\"any_peer\") func kept(): pass
@rpc(\"any_peer\", \"unreliable\") func plain_override(x): pass
@rpc(\"any_peer\") func new_settings(): pass
class Inner extends Node2D:
\t@rpc(\"any_peer\") func inner(): pass
",
);

const INHERITED: [&str; 3] = [
    r#"@rpc("any_peer") kept"#,
    r#"@rpc("any_peer") new_settings"#,
    r#"@rpc("any_peer", "unreliable") plain_override"#,
];

/// Returns the table of `sub/a.gd`, and its bases.
fn load(files: &[(&str, &str)], text: &str) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new(&[&[BASE, ("sub/a.gd", text)], files].concat());
    let script = folder.project.script("res://sub/a.gd").unwrap();
    (table(&script), script.bases().to_vec())
}

#[test]
fn a_script_has_the_methods_of_its_bases() {
    for extends in ["\"res://base.gd\"", "\"../base.gd\"", "\"res://sub/.././base.gd\"", "Base"] {
        let (methods, bases) = load(&[], &format!("extends {extends}\n@rpc func a(): pass\n"));
        assert_eq!(methods[0], "@rpc a");
        assert_eq!(methods[1..], INHERITED);
        assert_eq!(bases, ["res://base.gd"]);
    }
}

#[test]
fn an_override_keeps_the_settings_unless_it_has_an_annotation() {
    let text = "extends Base
func plain_override(x, y = 1): pass
@rpc(\"unreliable_ordered\") func new_settings(z): pass
";
    let folder = Folder::new(&[BASE, ("a.gd", text)]);
    let script = folder.project.script("res://a.gd").unwrap();
    assert_eq!(
        table(&script),
        [
            r#"@rpc("any_peer") kept"#,
            r#"@rpc("unreliable_ordered") new_settings"#,
            r#"@rpc("any_peer", "unreliable") plain_override"#,
        ]
    );
    let of = |name| {
        let method = script.rpc_method(name).unwrap();
        let file = method.file.file_name().unwrap().to_str().unwrap().to_owned();
        (file, method.position.line, method.arguments.len())
    };
    assert_eq!(of("kept"), ("base.gd".to_owned(), 3, 0));
    assert_eq!(of("plain_override"), ("a.gd".to_owned(), 2, 2));
    assert_eq!(of("new_settings"), ("a.gd".to_owned(), 3, 1));
}

#[test]
fn a_script_may_extend_an_inner_class() {
    for text in [
        "extends \"res://base.gd\".Inner\n@rpc func a(): pass\n",
        "extends Base.Inner\n@rpc func a(): pass\n",
        "extends P.Inner\nconst P = preload(\"res://base.gd\")\n@rpc func a(): pass\n",
        "extends X\nconst X = Y\nconst Y = Base.Inner\n@rpc func a(): pass\n",
    ] {
        let (methods, bases) = load(&[], text);
        assert_eq!(methods, ["@rpc a", r#"@rpc("any_peer") inner"#], "{text}");
        assert_eq!(bases, ["res://base.gd::Inner"]);
    }
    let own =
        "extends Own\n@rpc func a(): pass\nclass Own extends Base:\n\t@rpc func own(): pass\n";
    let (methods, bases) = load(&[], own);
    assert_eq!(methods[..2], ["@rpc a", r#"@rpc("any_peer") kept"#]);
    assert_eq!(methods[3], "@rpc own");
    assert_eq!(bases, ["res://sub/a.gd::Own", "res://base.gd"]);
}

#[test]
fn a_base_class_is_looked_up_in_the_classes_around_first() {
    let text = "extends Own.Deep
class Own:
\tclass Deep extends Sibling:
\t\tfunc a(): pass
\tclass Sibling extends Base.Inner:
\t\t@rpc func a(): pass
class Sibling: pass
";
    let (methods, bases) = load(&[], text);
    assert_eq!(methods, ["@rpc a", r#"@rpc("any_peer") inner"#]);
    let own = |name: &str| format!("res://sub/a.gd::Own::{name}");
    assert_eq!(bases, [own("Deep"), own("Sibling"), "res://base.gd::Inner".to_owned()]);
}

#[test]
fn a_script_may_extend_a_constant_with_a_script() {
    let text = "extends P\nconst P = preload(\"../base.gd\")\n";
    assert_eq!(load(&[], text).0, INHERITED);
}

#[test]
fn a_script_may_extend_the_script_of_a_singleton() {
    let settings = "[autoload]\nGlobal=\"*res://base.gd\"\nNone=\"res://base.gd\"\n";
    let files = [("project.godot", settings)];
    assert_eq!(load(&files, "extends Global\n").0, INHERITED);
    assert_eq!(load(&files, "extends None\n").0, [""; 0]);
}

#[test]
fn a_script_may_preload_its_base_by_uid() {
    let files = [("base.gd.uid", "uid://abc\n")];
    let text = "extends P\nconst P = preload(\"uid://abc\")\n";
    assert_eq!(load(&files, text).0, INHERITED);
}

#[test]
fn a_class_without_a_script_is_native() {
    let folder =
        Folder::new(&[BASE, ("a.gd", "extends Base.Inner\n"), ("b.gd", "extends Sprite2D\n")]);
    assert_eq!(folder.project.script("res://a.gd").unwrap().native_base(), "Node2D");
    assert_eq!(folder.project.script("res://b.gd").unwrap().native_base(), "Sprite2D");
}

#[test]
fn a_circle_of_scripts_is_an_error_that_names_it() {
    let folder = Folder::new(&[
        ("start.gd", "extends \"a.gd\"\n"),
        ("a.gd", "class_name A\nextends B\n"),
        ("b.gd", "class_name B\nextends \"c.gd\"\n"),
        ("c.gd", "extends A\n"),
        ("self.gd", "extends \"self.gd\"\n"),
        ("inner.gd", "extends Own\nclass Own extends Own: pass\n"),
        ("constant.gd", "extends X\nconst X = Y\nconst Y = X\n"),
    ]);
    assert_eq!(
        folder.script_error("res://start.gd"),
        "a.gd:2:9: scripts extend each other: res://a.gd extends res://b.gd extends res://c.gd extends res://a.gd"
    );
    assert_eq!(
        folder.script_error("res://self.gd"),
        "self.gd:1:9: scripts extend each other: res://self.gd extends res://self.gd"
    );
    assert_eq!(
        folder.script_error("res://inner.gd"),
        "inner.gd:2:19: scripts extend each other: res://inner.gd::Own extends res://inner.gd::Own"
    );
    assert_eq!(
        folder.script_error("res://constant.gd"),
        "constant.gd:2:11: more than 256 terms, or constants in a circle"
    );
}

#[test]
fn a_missing_base_is_an_error_at_the_extends() {
    let folder = Folder::new(&[
        ("a.gd", "extends \"res://no.gd\"\n"),
        ("b.gd", "\nextends \"../../no.gd\"\n"),
        ("c.gd", "extends \"a.gd\".Inner\n"),
        ("d.gd", "extends No.Inner\n"),
        ("e.gd", "extends Broken\n"),
        ("broken.gd", "class_name Broken\nfunc a(\n"),
    ]);
    let error = |path| folder.script_error(path);
    assert_eq!(error("res://a.gd"), "a.gd:1:9: res://no.gd does not exist");
    assert_eq!(error("res://b.gd"), "b.gd:2:9: ../../no.gd is not in the project");
    assert_eq!(error("res://c.gd"), "c.gd:1:9: res://a.gd has no class Inner");
    assert_eq!(error("res://d.gd"), "d.gd:1:9: no script of the project has class_name No");
    assert_eq!(error("res://e.gd"), "broken.gd:2:7: ( is not closed");
}

#[test]
fn files_that_a_table_depends_on_are_listed() {
    let folder = Folder::new(&[
        BASE,
        ("sub/a.gd", "extends Base\n"),
        ("unused.gd", "class_name Unused\n"),
        (".hidden/b.gd", "class_name Base\n"),
        ("a_folder/.gdignore", ""),
        ("a_folder/b.gd", "class_name Base\n"),
        ("another/project.godot", ""),
        ("another/b.gd", "class_name Base\n"),
    ]);
    folder.project.script("res://sub/a.gd").unwrap();
    assert_eq!(folder.read(), ["base.gd", "project.godot", "sub/a.gd"]);
}

#[test]
fn a_file_that_declares_a_used_uid_is_listed() {
    let folder = Folder::new(&[
        BASE,
        ("base.gd.uid", "uid://abc"),
        ("other.gd.uid", "uid://def"),
        ("a.gd", "extends P\nconst P = preload(\"uid://abc\")\n"),
    ]);
    folder.project.script("res://a.gd").unwrap();
    assert_eq!(folder.read(), ["a.gd", "base.gd", "base.gd.uid", "project.godot"]);
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_followed_once() {
    let folder = Folder::new(&[("sub/a.gd", "extends Linked\n")]);
    let other = tempfile::tempdir().unwrap();
    let text = "class_name Linked\n@rpc func linked(): pass\n";
    std::fs::write(other.path().join("linked.gd"), text).unwrap();
    std::os::unix::fs::symlink(other.path(), folder.project.root().join("addon")).unwrap();
    std::os::unix::fs::symlink("..", folder.project.root().join("sub/up")).unwrap();
    assert_eq!(table(&folder.project.script("res://sub/a.gd").unwrap()), ["@rpc linked"]);
}

#[test]
fn a_project_is_found_above_a_file() {
    let folder = Folder::new(&[BASE, ("sub/a.gd", "extends Base\n")]);
    let path = folder.project.root().join("sub/a.gd");
    let project = mp_project::Project::containing(&path).unwrap();
    assert_eq!(project.root(), folder.project.root());
    assert_eq!(project.script(&path).unwrap().path(), "res://sub/a.gd");
    let error = project.script("/elsewhere/a.gd").unwrap_err();
    assert!(error.message().starts_with("not a file of the project"), "{error}");
}

#[test]
fn without_a_project_the_folder_of_the_file_is_the_root() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.gd"), BASE.1).unwrap();
    std::fs::write(folder.path().join("a.gd"), "extends Base\n").unwrap();
    let path = folder.path().join("a.gd");
    let project = mp_project::Project::containing(&path).unwrap();
    assert_eq!(table(&project.script(&path).unwrap()), INHERITED);
}

#[test]
fn unreadable_files_are_errors() {
    let folder = Folder::new(&[("fine.gd", "")]);
    folder.write("large.gd", vec![b'#'; (8 << 20) + 1]);
    folder.write("limit.gd", vec![b'#'; 8 << 20]);
    folder.write("bytes.gd", b"extends Node\nvar \xff");
    folder.write("folder.gd/x", "");
    assert_eq!(folder.script_error("res://large.gd"), "large.gd: larger than 8 MiB");
    assert!(folder.project.script("res://limit.gd").is_ok());
    assert_eq!(folder.script_error("res://bytes.gd"), "bytes.gd:2:5: not UTF-8 text");
    assert_eq!(folder.script_error("res://folder.gd"), "folder.gd: not a file");
    assert!(folder.script_error("res://no.gd").starts_with("no.gd: cannot read the file: "));
}
