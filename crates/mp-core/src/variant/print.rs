//! `Display` of values: the text that Godot 4.6.3's `print` and `str` write.

use std::fmt::{self, Display, Formatter, Write};

use super::debug::{DEPTH_MAX, separator};
use super::{
    Aabb, Array, Basis, Color, Dictionary, Object, Plane, Projection, Quaternion, Rect2, Rect2i,
    StringName, Transform2D, Transform3D, Variant, Vector2, Vector2i, Vector3, Vector3i, Vector4,
    Vector4i,
};

/// The text of Godot's `print`. Strings within containers are quoted; typed containers are written
/// like untyped ones.
impl Display for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::StringName(name) => f.write_str(name),
            Self::NodePath(path) => path.fmt(f),
            _ => write_value(self, f, 0),
        }
    }
}

impl Display for Array {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_array(self, f, 0)
    }
}

impl Display for Dictionary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_dictionary(self, f, 0)
    }
}

/// Writes a value within a container.
fn write_value(value: &Variant, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    match value {
        Variant::Array(array) => write_array(array, f, depth),
        Variant::Dictionary(dictionary) => write_dictionary(dictionary, f, depth),
        _ => write_flat(value, f),
    }
}

#[inline(never)]
fn write_flat(value: &Variant, f: &mut Formatter<'_>) -> fmt::Result {
    use Variant as V;
    match value {
        V::Nil | V::Array(_) | V::Dictionary(_) => f.write_str("<null>"),
        V::Bool(v) => v.fmt(f),
        V::Int(v) => v.fmt(f),
        V::Float(v) => Real::double(*v).fmt(f),
        V::String(v) => write_quoted(f, "", v),
        V::StringName(v) => write_quoted(f, "&", v),
        V::NodePath(v) => write_quoted(f, "^", &v.to_string()),
        V::Rid(v) => write!(f, "RID({v})"),
        V::Object(v) => write_object(f, v),
        V::Callable => f.write_str("null::null"),
        V::Signal { name, object } => write_signal(f, name, *object),
        V::Vector2(v) => v.fmt(f),
        V::Vector2i(v) => v.fmt(f),
        V::Rect2(v) => v.fmt(f),
        V::Rect2i(v) => v.fmt(f),
        V::Vector3(v) => v.fmt(f),
        V::Vector3i(v) => v.fmt(f),
        V::Transform2D(v) => v.fmt(f),
        V::Vector4(v) => v.fmt(f),
        V::Vector4i(v) => v.fmt(f),
        V::Plane(v) => v.fmt(f),
        V::Quaternion(v) => v.fmt(f),
        V::Aabb(v) => v.fmt(f),
        V::Basis(v) => v.fmt(f),
        V::Transform3D(v) => v.fmt(f),
        V::Projection(v) => v.fmt(f),
        V::Color(v) => v.fmt(f),
        V::PackedByteArray(v) => write_list(f, v),
        V::PackedInt32Array(v) => write_list(f, v),
        V::PackedInt64Array(v) => write_list(f, v),
        V::PackedFloat32Array(v) => write_list(f, v.iter().map(|&v| Real::double(v.into()))),
        V::PackedFloat64Array(v) => write_list(f, v.iter().map(|&v| Real::double(v))),
        V::PackedStringArray(v) => write_list(f, v.iter().map(|v| Quoted("", v))),
        V::PackedVector2Array(v) => write_list(f, v),
        V::PackedVector3Array(v) => write_list(f, v),
        V::PackedColorArray(v) => write_list(f, v),
        V::PackedVector4Array(v) => write_list(f, v),
    }
}

fn write_list<T: Display>(
    f: &mut Formatter<'_>,
    values: impl IntoIterator<Item = T>,
) -> fmt::Result {
    f.write_char('[')?;
    for (i, value) in values.into_iter().enumerate() {
        write!(f, "{}{value}", separator(i))?;
    }
    f.write_char(']')
}

fn write_array(array: &Array, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    if depth > DEPTH_MAX {
        return f.write_str("[...]");
    }
    f.write_char('[')?;
    for (i, element) in array.iter().enumerate() {
        f.write_str(separator(i))?;
        write_value(element, f, depth + 1)?;
    }
    f.write_char(']')
}

fn write_dictionary(dictionary: &Dictionary, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    if depth > DEPTH_MAX {
        return f.write_str("{ ... }");
    }
    f.write_str("{ ")?;
    for (i, (key, value)) in dictionary.iter().enumerate() {
        f.write_str(separator(i))?;
        write_value(key, f, depth + 1)?;
        f.write_str(": ")?;
        write_value(value, f, depth + 1)?;
    }
    f.write_str(" }")
}

/// Writes class and instance id; an object with its content has no id.
fn write_object(f: &mut Formatter<'_>, object: &Object) -> fmt::Result {
    match object {
        Object::Id(0) => f.write_str("<null>"),
        Object::Id(id) => write!(f, "<Object#{id}>"),
        Object::Full(object) => write!(f, "<{}>", object.class),
    }
}

fn write_signal(f: &mut Formatter<'_>, name: &StringName, object: u64) -> fmt::Result {
    match object {
        0 => write!(f, "null::[signal]{name}"),
        id => write!(f, "<Object#{id}>::[signal]{name}"),
    }
}

/// A string in quotes, after a prefix.
struct Quoted<'a>(&'static str, &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_quoted(f, self.0, self.1)
    }
}

/// Writes a string in quotes, with the escapes of Godot's `c_escape`.
fn write_quoted(f: &mut Formatter<'_>, prefix: &str, text: &str) -> fmt::Result {
    write!(f, "{prefix}\"")?;
    for c in text.chars() {
        match c {
            '\u{7}' => f.write_str("\\a")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{B}' => f.write_str("\\v")?,
            '\u{C}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' | '"' | '\'' => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// A floating-point number as Godot's `num_real` writes it.
struct Real {
    value: f64,
    /// Maximum number of decimals: 14, or 6 of a component, less one for each digit before the
    /// point but the first.
    decimals: i32,
    /// Text that follows a whole number.
    whole_end: &'static str,
}

impl Real {
    fn double(value: f64) -> Self {
        let size = value.abs();
        let digits = if size > 10.0 { size.log10().floor() as i32 } else { 0 };
        Self { value, decimals: 14 - digits, whole_end: ".0" }
    }

    /// A component of a vector.
    fn single(value: f32) -> Self {
        let size = value.abs();
        let digits = if size > 10.0 { size.log10().floor() as i32 } else { 0 };
        Self { value: value.into(), decimals: 6 - digits, whole_end: ".0" }
    }

    /// A number after which a whole one has no ".0".
    fn bare(value: f32) -> Self {
        Self { whole_end: "", ..Self::single(value) }
    }
}

impl Display for Real {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { value, decimals, whole_end } = *self;
        if value.is_nan() {
            return f.write_str("nan");
        }
        if value.is_infinite() {
            return f.write_str(if value > 0.0 { "inf" } else { "-inf" });
        }
        if value == value.trunc() && value.abs() < INT_MAX {
            return write!(f, "{}{whole_end}", value as i64);
        }
        write_decimals(f, value, usize::try_from(decimals).unwrap_or(DECIMALS_OF_LARGE))
    }
}

/// Writes a number with up to `decimals` decimals, but at least one unless `decimals` is 0.
fn write_decimals(f: &mut Formatter<'_>, value: f64, decimals: usize) -> fmt::Result {
    let text = format!("{value:.decimals$}");
    if decimals == 0 {
        return f.write_str(&text);
    }
    let text = text.trim_end_matches('0');
    write!(f, "{text}{}", if text.ends_with('.') { "0" } else { "" })
}

/// The first `f64` beyond Godot's `int`.
const INT_MAX: f64 = 9_223_372_036_854_775_808.0;
/// Decimals of a number with more digits before the point than are significant.
const DECIMALS_OF_LARGE: usize = 6;

/// Implements `Display` for structs: a format and its arguments.
macro_rules! print {
    ($($name:ty, $v:ident => $format:literal, $($arg:expr),+;)+) => {
        $(
            /// The text of Godot's `print`.
            impl Display for $name {
                fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                    let $v = self;
                    write!(f, $format, $($arg),+)
                }
            }
        )+
    };
}

print! {
    Vector2, v => "({}, {})", Real::single(v.x), Real::single(v.y);
    Vector3, v => "({}, {}, {})", Real::single(v.x), Real::single(v.y), Real::single(v.z);
    Vector4, v => "({}, {}, {}, {})",
        Real::single(v.x), Real::single(v.y), Real::single(v.z), Real::single(v.w);
    Vector2i, v => "({}, {})", v.x, v.y;
    Vector3i, v => "({}, {}, {})", v.x, v.y, v.z;
    Vector4i, v => "({}, {}, {}, {})", v.x, v.y, v.z, v.w;
    Rect2, v => "[P: {}, S: {}]", v.position, v.size;
    Rect2i, v => "[P: {}, S: {}]", v.position, v.size;
    Aabb, v => "[P: {}, S: {}]", v.position, v.size;
    Transform2D, v => "[X: {}, Y: {}, O: {}]", v.x, v.y, v.origin;
    Plane, v => "[N: {}, D: {}]", v.normal, Real::bare(v.d);
    Quaternion, v => "({}, {}, {}, {})",
        Real::bare(v.x), Real::bare(v.y), Real::bare(v.z), Real::bare(v.w);
    Basis, v => "[X: {}, Y: {}, Z: {}]", v.x, v.y, v.z;
    Transform3D, v => "[X: {}, Y: {}, Z: {}, O: {}]", v.basis.x, v.basis.y, v.basis.z, v.origin;
    Projection, v => "[X: {}, Y: {}, Z: {}, W: {}]", v.x, v.y, v.z, v.w;
}

/// The text of Godot's `print`: four decimals.
impl Display for Color {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, component) in [self.r, self.g, self.b, self.a].into_iter().enumerate() {
            f.write_str(if i == 0 { "(" } else { ", " })?;
            write_decimals(f, component.into(), 4)?;
        }
        f.write_char(')')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::{ElementType, VariantType};

    fn vector3(x: f32, y: f32, z: f32) -> Vector3 {
        Vector3::new(x, y, z)
    }

    /// The texts are the output of `print` of Godot 4.6.3.
    #[test]
    fn values_are_displayed_as_print_writes_them() {
        let basis =
            Basis::new(vector3(1.0, 2.0, 3.0), vector3(4.0, 5.0, 6.0), vector3(7.0, 8.0, 9.0));
        let list = Array::from([
            Variant::from(1),
            2.0.into(),
            "x".into(),
            StringName::from("y").into(),
            crate::NodePath::from("z").into(),
            Variant::Nil,
            Array::from([true]).into(),
        ]);
        let dictionary = Dictionary::from([
            (Variant::from("a"), Variant::from(1)),
            (2.into(), "b".into()),
            (StringName::from("n").into(), Vector2::ONE.into()),
            (1.5.into(), Array::from([1]).into()),
        ]);
        let typed = Array::typed_lossy(VariantType::StringName, vec!["a".into()]);
        for (value, text) in [
            (Variant::Nil, "<null>"),
            (true.into(), "true"),
            ((-7).into(), "-7"),
            ("a\"b".into(), "a\"b"),
            (StringName::from("n").into(), "n"),
            (crate::NodePath::from("a/b:c").into(), "a/b:c"),
            (Vector2::new(1.5, -2.0).into(), "(1.5, -2.0)"),
            (Vector2::new(1e20, 1e-7).into(), "(100000002004087734272.0, 0.0)"),
            (Vector2::new(f32::INFINITY, f32::NAN).into(), "(inf, nan)"),
            (Vector2::new(8_388_607.5, 12_345_678.0).into(), "(8388608, 12345678.0)"),
            (Vector2::new(1234.5678, 99_999.99).into(), "(1234.568, 100000.0)"),
            (Vector2::new(-1e-7, -0.0).into(), "(-0.0, 0.0)"),
            (Vector2i::new(1, -2).into(), "(1, -2)"),
            (
                Rect2::new(Vector2::new(1.0, 2.0), Vector2::new(3.0, 4.5)).into(),
                "[P: (1.0, 2.0), S: (3.0, 4.5)]",
            ),
            (
                Rect2i::new(Vector2i::new(1, 2), Vector2i::new(3, 4)).into(),
                "[P: (1, 2), S: (3, 4)]",
            ),
            (vector3(1.0, 2.0, 3.0).into(), "(1.0, 2.0, 3.0)"),
            (
                Transform2D::new((1.0, 2.0).into(), (3.0, 4.0).into(), (5.0, 6.0).into()).into(),
                "[X: (1.0, 2.0), Y: (3.0, 4.0), O: (5.0, 6.0)]",
            ),
            (Vector4::new(1.0, 2.0, 3.0, 4.25).into(), "(1.0, 2.0, 3.0, 4.25)"),
            (Plane::new(vector3(1.0, 2.0, 3.0), 4.0).into(), "[N: (1.0, 2.0, 3.0), D: 4]"),
            (Plane::new(vector3(0.1, 1.0, 2.0), 3.5).into(), "[N: (0.1, 1.0, 2.0), D: 3.5]"),
            (Quaternion::IDENTITY.into(), "(0, 0, 0, 1)"),
            (
                Aabb::new(vector3(1.0, 2.0, 3.0), vector3(4.0, 5.0, 6.0)).into(),
                "[P: (1.0, 2.0, 3.0), S: (4.0, 5.0, 6.0)]",
            ),
            (basis.into(), "[X: (1.0, 2.0, 3.0), Y: (4.0, 5.0, 6.0), Z: (7.0, 8.0, 9.0)]"),
            (
                Transform3D::new(basis, vector3(10.0, 11.0, 12.0)).into(),
                "[X: (1.0, 2.0, 3.0), Y: (4.0, 5.0, 6.0), Z: (7.0, 8.0, 9.0), \
                 O: (10.0, 11.0, 12.0)]",
            ),
            (
                Projection::IDENTITY.into(),
                "[X: (1.0, 0.0, 0.0, 0.0), Y: (0.0, 1.0, 0.0, 0.0), Z: (0.0, 0.0, 1.0, 0.0), \
                 W: (0.0, 0.0, 0.0, 1.0)]",
            ),
            (Color::new(1.0, 0.5, 0.25, 0.1).into(), "(1.0, 0.5, 0.25, 0.1)"),
            (Color::new(10.12345, -1.5, 1e-9, 1.00004).into(), "(10.1235, -1.5, 0.0, 1.0)"),
            (Variant::Rid(0), "RID(0)"),
            (Variant::Callable, "null::null"),
            (Variant::Signal { name: StringName::EMPTY, object: 0 }, "null::[signal]"),
            (Array::new().into(), "[]"),
            (list.into(), r#"[1, 2.0, "x", &"y", ^"z", <null>, [true]]"#),
            (typed.into(), r#"[&"a"]"#),
            (Dictionary::new().into(), "{  }"),
            (dictionary.into(), r#"{ "a": 1, 2: "b", &"n": (1.0, 1.0), 1.5: [1] }"#),
            (Dictionary::typed(VariantType::String, ElementType::Any).into(), "{  }"),
            (Array::from(["a\"b\n\t\\"]).into(), r#"["a\"b\n\t\\"]"#),
            (vec![1u8, 2].into(), "[1, 2]"),
            (vec![1.0f32, 0.1, 2.5].into(), "[1.0, 0.10000000149012, 2.5]"),
            (vec!["a\"b".to_owned()].into(), r#"["a\"b"]"#),
            (vec![Vector2::new(1.0, 2.0)].into(), "[(1.0, 2.0)]"),
            (vec![Color::rgb(1.0, 0.0, 0.0)].into(), "[(1.0, 0.0, 0.0, 1.0)]"),
        ] {
            assert_eq!(value.to_string(), text, "{value:?}");
        }
    }

    /// The texts are the output of `print` of Godot 4.6.3.
    #[test]
    fn floats_have_14_significant_decimals_and_no_exponent() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.0, "0.0"),
            (0.1, "0.1"),
            (1e20, "100000000000000000000.0"),
            (1e15, "1000000000000000.0"),
            (1e15 + 0.5, "1000000000000000.5"),
            (123_456_789_012_345.67, "123456789012346"),
            (123_456_789_012_345_680.0, "123456789012345680.0"),
            (4_611_686_018_427_387_904.0, "4611686018427387904.0"),
            (9_223_372_036_854_775_808.0, "9223372036854775808.0"),
            (1.5e-7, "0.00000015"),
            (5e-324, "0.0"),
            (1.0 / 3.0, "0.33333333333333"),
            (12_345.678, "12345.678"),
            (-1_234_567.891, "-1234567.891"),
            (9.876_543_210_987_654, "9.87654321098765"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(Variant::from(value).to_string(), text);
        }
    }

    #[test]
    fn deeply_nested_values_are_elided() {
        let nest = |value: Variant, _| Array::from([value]).into();
        let deep = (0..1000).fold(Variant::from(1), nest);
        assert_eq!(deep.to_string(), "[".repeat(102) + "..." + &"]".repeat(102));
    }
}
