//! Values in Godot's text format, as Godot 4.6.3 reads them.
#![allow(missing_docs, reason = "a test")]

use mp_project::Value;

fn value(text: &str) -> Value {
    text.parse().unwrap()
}

fn error(text: &str) -> String {
    text.parse::<Value>().unwrap_err().to_string()
}

#[test]
fn numbers_are_integers_or_floats() {
    assert_eq!(value("-12"), Value::Int(-12));
    assert_eq!(value("-1.5e-3"), Value::Float(-0.0015));
    assert_eq!(value("1."), Value::Float(1.0));
    assert_eq!(value("inf_neg"), Value::Float(f64::NEG_INFINITY));
    assert_eq!(value("-inf"), Value::Float(f64::NEG_INFINITY));
    assert!(matches!(value("nan"), Value::Float(value) if value.is_nan()));
    assert_eq!(value("1").as_float(), Some(1.0));
    for text in ["+1", ".5", "--1"] {
        assert!(text.parse::<Value>().is_err(), "{text}");
    }
}

#[test]
fn strings_have_escapes_and_several_lines() {
    assert_eq!(value(r#""a\"\\\t\x""#).as_str(), Some("a\"\\\tx"));
    assert_eq!(value("\"a\nb\"").as_str(), Some("a\nb"));
    assert_eq!(value(r#""\u00e9\U01F600\ud83d\ude00""#).as_str(), Some("é😀😀"));
    assert_eq!(value(r#""\ud83d""#).as_str(), Some("\u{fffd}"));
    assert_eq!(value("&\"a\""), Value::StringName("a".to_owned()));
    assert_eq!(value("NodePath(\"a/b:c\")"), Value::NodePath("a/b:c".to_owned()));
    assert_eq!(error(r#""\u00g0""#), "1:1: malformed \\u in a string");
}

#[test]
fn containers_have_items_and_entries() {
    assert_eq!(value("[1, \"a\",]").items().map(<[_]>::len), Some(2));
    let typed = value("Array[ExtResource(\"1\")]([null])");
    assert_eq!(typed.items(), Some(&[Value::Nil][..]));
    let Value::Constructor(array) = &typed else { panic!("{typed:?}") };
    assert_eq!(array.types[0].ext_resource().as_deref(), Some("1"));
    let entries = [(Value::String("a".to_owned()), Value::Bool(true))];
    assert_eq!(value("{\"a\": true,}").entries(), Some(&entries[..]));
    assert_eq!(value("Dictionary[String, bool]({\"a\": true})").entries(), Some(&entries[..]));
    assert_eq!(value("PackedByteArray(1, 2)").items().map(<[_]>::len), Some(2));
    assert_eq!(value("1").items(), None);
}

#[test]
fn constructors_have_a_name_and_arguments() {
    let value = value("Vector2( 1 ,\n-2.5)");
    let Value::Constructor(vector) = &value else { panic!("{value:?}") };
    assert_eq!(
        (&*vector.name, &vector.arguments[..]),
        ("Vector2", &[Value::Int(1), Value::Float(-2.5)][..])
    );
    let object: Value = "Object(Node, \"name\": \"x\")".parse().unwrap();
    let Value::Constructor(object) = object else { panic!("{object:?}") };
    assert_eq!(object.arguments[0].as_str(), Some("Node"));
    assert_eq!(object.arguments[1].entries().map(<[_]>::len), Some(1));
}

#[test]
fn a_value_is_the_whole_text() {
    assert_eq!(value(" ; comment\n 1 ; comment"), Value::Int(1));
    assert_eq!(error("1 2"), "1:3: expected the end of the value");
    assert_eq!(error(""), "1:1: expected a value");
    assert_eq!(error("'a'"), "1:1: expected a value, found '");
}
