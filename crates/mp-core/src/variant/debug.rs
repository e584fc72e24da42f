//! `Debug` of values: the notation of Godot's `var_to_str`, on one line.

use std::fmt::{self, Debug, Formatter, Write};

use super::{Array, Components, Dictionary, ElementType, Object, Variant};

impl Debug for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_value(self, f, 0)
    }
}

impl Debug for Array {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_array(self, f, 0)
    }
}

impl Debug for Dictionary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_dictionary(self, f, 0)
    }
}

/// Nesting depth from which values are shown as `...`, as in Godot.
pub(super) const DEPTH_MAX: usize = 100;

fn write_value(value: &Variant, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    match value {
        Variant::Array(array) => write_array(array, f, depth),
        Variant::Dictionary(dictionary) => write_dictionary(dictionary, f, depth),
        Variant::Object(object) => write_object(object, f, depth),
        _ => write_flat(value, f),
    }
}

#[inline(never)]
fn write_flat(value: &Variant, f: &mut Formatter<'_>) -> fmt::Result {
    use Variant as V;
    let name = value.variant_type().name();
    match value {
        V::Nil | V::Array(_) | V::Dictionary(_) | V::Object(_) => f.write_str("null"),
        V::Bool(v) => write!(f, "{v}"),
        V::Int(v) => write!(f, "{v}"),
        V::Float(v) => write!(f, "{v:?}"),
        V::String(v) => write!(f, "{v:?}"),
        V::StringName(v) => write!(f, "&{:?}", v.as_str()),
        V::NodePath(v) => write!(f, "NodePath({:?})", v.to_string()),
        V::Rid(0) => f.write_str("RID()"),
        V::Rid(v) => write!(f, "RID({v})"),
        V::Callable => f.write_str("Callable()"),
        V::Signal { name, object: 0 } if name.is_empty() => f.write_str("Signal()"),
        V::Signal { name, object } => write!(f, "Signal({object}, {:?})", name.as_str()),
        V::Vector2(v) => write_components(f, name, &[*v]),
        V::Vector2i(v) => write_list(f, name, &[v.x, v.y]),
        V::Rect2(v) => write_components(f, name, &[*v]),
        V::Rect2i(v) => write_list(f, name, &[v.position.x, v.position.y, v.size.x, v.size.y]),
        V::Vector3(v) => write_components(f, name, &[*v]),
        V::Vector3i(v) => write_list(f, name, &[v.x, v.y, v.z]),
        V::Transform2D(v) => write_components(f, name, &[*v]),
        V::Vector4(v) => write_components(f, name, &[*v]),
        V::Vector4i(v) => write_list(f, name, &[v.x, v.y, v.z, v.w]),
        V::Plane(v) => write_components(f, name, &[*v]),
        V::Quaternion(v) => write_components(f, name, &[*v]),
        V::Aabb(v) => write_components(f, name, &[*v]),
        // Godot writes a basis by rows.
        V::Basis(v) => write_components(f, name, &[v.transposed()]),
        V::Transform3D(v) => {
            let rows = super::Transform3D::new(v.basis.transposed(), v.origin);
            write_components(f, name, &[rows])
        }
        V::Projection(v) => write_components(f, name, &[**v]),
        V::Color(v) => write_components(f, name, &[*v]),
        V::PackedByteArray(v) => write_list(f, name, v),
        V::PackedInt32Array(v) => write_list(f, name, v),
        V::PackedInt64Array(v) => write_list(f, name, v),
        V::PackedFloat32Array(v) => write_list(f, name, v),
        V::PackedFloat64Array(v) => write_list(f, name, v),
        V::PackedStringArray(v) => write_list(f, name, v),
        V::PackedVector2Array(v) => write_components(f, name, v),
        V::PackedVector3Array(v) => write_components(f, name, v),
        V::PackedColorArray(v) => write_components(f, name, v),
        V::PackedVector4Array(v) => write_components(f, name, v),
    }
}

fn write_list(f: &mut Formatter<'_>, name: &str, values: &[impl Debug]) -> fmt::Result {
    write!(f, "{name}(")?;
    for (i, value) in values.iter().enumerate() {
        write!(f, "{}{value:?}", separator(i))?;
    }
    f.write_char(')')
}

fn write_components(f: &mut Formatter<'_>, name: &str, values: &[impl Components]) -> fmt::Result {
    write!(f, "{name}(")?;
    let mut result = Ok(());
    let mut i = 0;
    for value in values {
        value.each(&mut |component| {
            result = result.and_then(|()| write!(f, "{}{component}", separator(i)));
            i += 1;
        });
    }
    result.and_then(|()| f.write_char(')'))
}

fn write_array(array: &Array, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    let typed = *array.element_type() != ElementType::Any;
    if typed {
        write!(f, "Array[{}](", array.element_type())?;
    }
    if depth > DEPTH_MAX {
        f.write_str("[...]")?;
    } else {
        f.write_char('[')?;
        for (i, element) in array.iter().enumerate() {
            f.write_str(separator(i))?;
            write_value(element, f, depth + 1)?;
        }
        f.write_char(']')?;
    }
    if typed { f.write_char(')') } else { Ok(()) }
}

fn write_dictionary(dictionary: &Dictionary, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    let (key_type, value_type) = (dictionary.key_type(), dictionary.value_type());
    let typed = (key_type, value_type) != (&ElementType::Any, &ElementType::Any);
    if typed {
        write!(f, "Dictionary[{key_type}, {value_type}](")?;
    }
    if depth > DEPTH_MAX {
        f.write_str("{...}")?;
    } else {
        f.write_char('{')?;
        for (i, (key, value)) in dictionary.iter().enumerate() {
            f.write_str(separator(i))?;
            write_value(key, f, depth + 1)?;
            f.write_str(": ")?;
            write_value(value, f, depth + 1)?;
        }
        f.write_char('}')?;
    }
    if typed { f.write_char(')') } else { Ok(()) }
}

fn write_object(object: &Object, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    match object {
        Object::Id(0) => f.write_str("null"),
        Object::Id(id) => write!(f, "Object(#{id})"),
        Object::Full(object) => {
            write!(f, "Object({}", object.class)?;
            if depth > DEPTH_MAX {
                return f.write_str(", ...)");
            }
            for (name, value) in &object.properties {
                write!(f, ", {:?}: ", name.as_str())?;
                write_value(value, f, depth + 1)?;
            }
            f.write_char(')')
        }
    }
}

pub(super) const fn separator(i: usize) -> &'static str {
    if i == 0 { "" } else { ", " }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::{StringName, VariantType, Vector2};

    #[test]
    fn debug_text_is_that_of_var_to_str() {
        let dictionary =
            Dictionary::from([("k", Variant::from(vec![Vector2::ONE])), ("n", Variant::Nil)]);
        let mut typed = Array::typed(VariantType::Int);
        typed.push(2.0).unwrap();
        for (value, text) in [
            (Variant::Nil, "null"),
            (1.0.into(), "1.0"),
            ("a\"b".into(), r#""a\"b""#),
            (StringName::from("n").into(), r#"&"n""#),
            (Vector2::new(1.5, -2.0).into(), "Vector2(1.5, -2)"),
            (dictionary.into(), r#"{"k": PackedVector2Array(1, 1), "n": null}"#),
            (typed.into(), "Array[int]([2])"),
            (
                Dictionary::typed(VariantType::String, VariantType::Nil).into(),
                "Dictionary[String, Variant]({})",
            ),
            (Object::Id(7).into(), "Object(#7)"),
        ] {
            assert_eq!(format!("{value:?}"), text);
        }
    }

    #[test]
    fn deeply_nested_values_are_elided() {
        let mut value = Variant::from(1);
        for _ in 0..1000 {
            value = Array::from([value]).into();
        }
        assert_eq!(format!("{value:?}"), "[".repeat(102) + "..." + &"]".repeat(102));
    }
}
