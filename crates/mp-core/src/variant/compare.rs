//! Equality and hashing of values.

use std::hash::{Hash, Hasher};

use indexmap::Equivalent;

use super::{Array, Components, Dictionary, Object, Variant, same};

impl PartialEq for Variant {
    fn eq(&self, other: &Self) -> bool {
        // Containers are compared here and not in `equal_flat`, so that each level of nesting needs
        // little stack.
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Dictionary(a), Self::Dictionary(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            _ => equal_flat(self, other),
        }
    }
}

// Reflexive, since NaN equals NaN: see `same`.
impl Eq for Variant {}

/// A value as a key of a [`Dictionary`].
///
/// Keys compare like `==`, with two exceptions, as in Godot. A `String` and a `StringName` with the
/// same text are the same key, except inside arrays. Dictionaries inside a key are equal only if
/// their order is equal.
#[derive(Clone, Debug)]
pub struct Key(pub(super) Variant);

impl Key {
    /// Returns the value.
    pub const fn value(&self) -> &Variant {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        equal_keys(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.0, state);
    }
}

/// A borrowed [`Key`], for lookups.
pub(super) struct KeyRef<'a>(pub(super) &'a Variant);

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.0, state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        equal_keys(self.0, &key.0)
    }
}

/// A string as a [`Key`], for lookups.
pub(super) struct TextKey<'a>(pub(super) &'a str);

impl Hash for TextKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash_text(self.0, state);
    }
}

impl Equivalent<Key> for TextKey<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        key.0.as_str() == Some(self.0)
    }
}

/// Compares the elements, regardless of the element types, as in Godot.
impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        if self.shares(other) {
            return true;
        }
        if self.len() != other.len() {
            return false;
        }
        for (i, value) in self.iter().enumerate() {
            if other.get(i) != Some(value) {
                return false;
            }
        }
        true
    }
}

impl Eq for Array {}

/// Compares keys and values, regardless of their order and of the element types, as in Godot.
impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        if self.shares(other) {
            return true;
        }
        if self.len() != other.len() {
            return false;
        }
        for (key, value) in self {
            if other.get(key) != Some(value) {
                return false;
            }
        }
        true
    }
}

impl Eq for Dictionary {}

fn equal_keys(a: &Variant, b: &Variant) -> bool {
    equal_texts(a, b) || equal_in_order(a, b)
}

fn equal_in_order(a: &Variant, b: &Variant) -> bool {
    match (a, b) {
        (Variant::Array(a), Variant::Array(b)) => {
            if a.len() != b.len() {
                return false;
            }
            for (a, b) in a.iter().zip(b) {
                if !equal_in_order(a, b) {
                    return false;
                }
            }
            true
        }
        (Variant::Dictionary(a), Variant::Dictionary(b)) => {
            if a.len() != b.len() {
                return false;
            }
            for (a, b) in a.iter().zip(b) {
                if !(equal_in_order(a.0, b.0) && equal_in_order(a.1, b.1)) {
                    return false;
                }
            }
            true
        }
        (Variant::Object(a), Variant::Object(b)) => a == b,
        _ => equal_flat(a, b),
    }
}

fn equal_texts(a: &Variant, b: &Variant) -> bool {
    matches!((a.as_str(), b.as_str()), (Some(a), Some(b)) if a == b)
}

#[inline(never)]
fn equal_flat(a: &Variant, b: &Variant) -> bool {
    use Variant as V;
    match (a, b) {
        (V::Nil, V::Nil) | (V::Callable, V::Callable) => true,
        (V::Bool(a), V::Bool(b)) => a == b,
        (V::Int(a), V::Int(b)) => a == b,
        (V::Float(a), V::Float(b)) => same(*a, *b),
        (V::String(a), V::String(b)) => a == b,
        (V::Vector2(a), V::Vector2(b)) => a.same(b),
        (V::Vector2i(a), V::Vector2i(b)) => a == b,
        (V::Rect2(a), V::Rect2(b)) => a.same(b),
        (V::Rect2i(a), V::Rect2i(b)) => a == b,
        (V::Vector3(a), V::Vector3(b)) => a.same(b),
        (V::Vector3i(a), V::Vector3i(b)) => a == b,
        (V::Transform2D(a), V::Transform2D(b)) => a.same(b),
        (V::Vector4(a), V::Vector4(b)) => a.same(b),
        (V::Vector4i(a), V::Vector4i(b)) => a == b,
        (V::Plane(a), V::Plane(b)) => a.same(b),
        (V::Quaternion(a), V::Quaternion(b)) => a.same(b),
        (V::Aabb(a), V::Aabb(b)) => a.same(b),
        (V::Basis(a), V::Basis(b)) => a.same(b),
        (V::Transform3D(a), V::Transform3D(b)) => a.same(b),
        (V::Projection(a), V::Projection(b)) => a.same(b),
        (V::Color(a), V::Color(b)) => a.same(b),
        (V::StringName(a), V::StringName(b)) => a == b,
        (V::NodePath(a), V::NodePath(b)) => a == b,
        (V::Rid(a), V::Rid(b)) => a == b,
        (V::Signal { name: a, object: a_id }, V::Signal { name: b, object: b_id }) => {
            a == b && a_id == b_id
        }
        (V::PackedByteArray(a), V::PackedByteArray(b)) => a == b,
        (V::PackedInt32Array(a), V::PackedInt32Array(b)) => a == b,
        (V::PackedInt64Array(a), V::PackedInt64Array(b)) => a == b,
        (V::PackedFloat32Array(a), V::PackedFloat32Array(b)) => all_same(a, b),
        (V::PackedFloat64Array(a), V::PackedFloat64Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b))
        }
        (V::PackedStringArray(a), V::PackedStringArray(b)) => a == b,
        (V::PackedVector2Array(a), V::PackedVector2Array(b)) => all_same(a, b),
        (V::PackedVector3Array(a), V::PackedVector3Array(b)) => all_same(a, b),
        (V::PackedColorArray(a), V::PackedColorArray(b)) => all_same(a, b),
        (V::PackedVector4Array(a), V::PackedVector4Array(b)) => all_same(a, b),
        _ => false,
    }
}

fn all_same<T: Components>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
}

fn hash<H: Hasher>(value: &Variant, state: &mut H) {
    match value {
        Variant::Array(array) => {
            hash_head(value, array.len(), state);
            for element in array {
                hash(element, state);
            }
        }
        Variant::Dictionary(dictionary) => {
            hash_head(value, dictionary.len(), state);
            for (key, value) in dictionary {
                hash(key, state);
                hash(value, state);
            }
        }
        Variant::Object(Object::Full(object)) => {
            hash_head(value, object.properties.len(), state);
            object.class.hash(state);
            for (name, value) in &object.properties {
                name.hash(state);
                hash(value, state);
            }
        }
        _ => hash_flat(value, state),
    }
}

fn hash_head<H: Hasher>(value: &Variant, len: usize, state: &mut H) {
    state.write_u8(value.variant_type() as u8);
    state.write_usize(len);
}

fn hash_text<H: Hasher>(text: &str, state: &mut H) {
    state.write_u8(super::VariantType::String as u8);
    text.hash(state);
}

#[inline(never)]
fn hash_flat<H: Hasher>(value: &Variant, state: &mut H) {
    use Variant as V;
    if let Some(text) = value.as_str() {
        return hash_text(text, state);
    }
    state.write_u8(value.variant_type() as u8);
    match value {
        V::Nil | V::Callable | V::String(_) | V::StringName(_) | V::Array(_) | V::Dictionary(_) => {
        }
        V::Bool(v) => v.hash(state),
        V::Int(v) => v.hash(state),
        V::Float(v) => hash_float(*v, state),
        V::Vector2(v) => hash_components(v, state),
        V::Vector2i(v) => v.hash(state),
        V::Rect2(v) => hash_components(v, state),
        V::Rect2i(v) => v.hash(state),
        V::Vector3(v) => hash_components(v, state),
        V::Vector3i(v) => v.hash(state),
        V::Transform2D(v) => hash_components(v, state),
        V::Vector4(v) => hash_components(v, state),
        V::Vector4i(v) => v.hash(state),
        V::Plane(v) => hash_components(v, state),
        V::Quaternion(v) => hash_components(v, state),
        V::Aabb(v) => hash_components(v, state),
        V::Basis(v) => hash_components(&**v, state),
        V::Transform3D(v) => hash_components(&**v, state),
        V::Projection(v) => hash_components(&**v, state),
        V::Color(v) => hash_components(v, state),
        V::NodePath(v) => v.hash(state),
        V::Rid(v) | V::Object(Object::Id(v)) => v.hash(state),
        V::Object(Object::Full(_)) => {}
        V::Signal { name, object } => (name, object).hash(state),
        V::PackedByteArray(v) => v.hash(state),
        V::PackedInt32Array(v) => v.hash(state),
        V::PackedInt64Array(v) => v.hash(state),
        V::PackedFloat32Array(v) => hash_all(v, state),
        V::PackedFloat64Array(v) => {
            state.write_usize(v.len());
            v.iter().for_each(|number| hash_float(*number, state));
        }
        V::PackedStringArray(v) => v.hash(state),
        V::PackedVector2Array(v) => hash_all(v, state),
        V::PackedVector3Array(v) => hash_all(v, state),
        V::PackedColorArray(v) => hash_all(v, state),
        V::PackedVector4Array(v) => hash_all(v, state),
    }
}

fn hash_all<H: Hasher>(values: &[impl Components], state: &mut H) {
    state.write_usize(values.len());
    values.iter().for_each(|value| hash_components(value, state));
}

fn hash_components<H: Hasher>(value: &impl Components, state: &mut H) {
    value.each(&mut |component| hash_float(f64::from(component), state));
}

/// Hashes equal numbers alike: `0.0` and `-0.0`, and all NaNs.
fn hash_float<H: Hasher>(number: f64, state: &mut H) {
    let number = match number {
        0.0 => 0.0,
        nan if nan.is_nan() => f64::NAN,
        number => number,
    };
    state.write_u64(number.to_bits());
}
