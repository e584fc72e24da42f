//! Components of values, as in `position:x`.

use mp_core::Variant;
use mp_core::variant::{FromVariant, Vector2, Vector3};

/// Returns the component `name` of `value`, as GDScript's `value.name`; `None` if there is none.
pub fn component(value: &Variant, name: &str) -> Option<Variant> {
    let mut value = value.clone();
    with(&mut value, name, &mut |place| place.read())
}

/// Sets the component `name` of `value`. Returns false if there is none, or its type does not
/// accept `to`.
pub fn set_component(value: &mut Variant, name: &str, to: Variant) -> bool {
    let mut to = Some(to);
    with(value, name, &mut |mut place| to.take().and_then(|to| place.write(to))).is_some()
}

/// A reference to a component of a value.
enum ComponentMut<'a> {
    F32(&'a mut f32),
    I32(&'a mut i32),
    Vector2(&'a mut Vector2),
    Vector2i(&'a mut mp_core::variant::Vector2i),
    Vector3(&'a mut Vector3),
    Basis(&'a mut mp_core::variant::Basis),
    Value(&'a mut Variant),
}

impl ComponentMut<'_> {
    fn read(self) -> Option<Variant> {
        Some(match self {
            Self::F32(v) => (*v).into(),
            Self::I32(v) => (*v).into(),
            Self::Vector2(v) => (*v).into(),
            Self::Vector2i(v) => (*v).into(),
            Self::Vector3(v) => (*v).into(),
            Self::Basis(v) => (*v).into(),
            Self::Value(v) => v.clone(),
        })
    }

    fn write(&mut self, to: Variant) -> Option<()> {
        fn set<T: FromVariant>(place: &mut T, to: Variant) -> Option<()> {
            *place = T::from_variant(to).ok()?;
            Some(())
        }
        match self {
            Self::F32(v) => set(*v, to),
            Self::I32(v) => set(*v, to),
            Self::Vector2(v) => set(*v, to),
            Self::Vector2i(v) => set(*v, to),
            Self::Vector3(v) => set(*v, to),
            Self::Basis(v) => set(*v, to),
            Self::Value(v) => set(*v, to),
        }
    }
}

fn with<R>(
    value: &mut Variant,
    name: &str,
    then: &mut dyn FnMut(ComponentMut<'_>) -> Option<R>,
) -> Option<R> {
    use ComponentMut as P;
    use Variant as V;
    let place = match (value, name) {
        (V::Vector2(v), "x") => P::F32(&mut v.x),
        (V::Vector2(v), "y") => P::F32(&mut v.y),
        (V::Vector2i(v), "x") => P::I32(&mut v.x),
        (V::Vector2i(v), "y") => P::I32(&mut v.y),
        (V::Vector3(v), "x") => P::F32(&mut v.x),
        (V::Vector3(v), "y") => P::F32(&mut v.y),
        (V::Vector3(v), "z") => P::F32(&mut v.z),
        (V::Vector3i(v), "x") => P::I32(&mut v.x),
        (V::Vector3i(v), "y") => P::I32(&mut v.y),
        (V::Vector3i(v), "z") => P::I32(&mut v.z),
        (V::Vector4(v), "x") => P::F32(&mut v.x),
        (V::Vector4(v), "y") => P::F32(&mut v.y),
        (V::Vector4(v), "z") => P::F32(&mut v.z),
        (V::Vector4(v), "w") => P::F32(&mut v.w),
        (V::Vector4i(v), "x") => P::I32(&mut v.x),
        (V::Vector4i(v), "y") => P::I32(&mut v.y),
        (V::Vector4i(v), "z") => P::I32(&mut v.z),
        (V::Vector4i(v), "w") => P::I32(&mut v.w),
        (V::Quaternion(v), "x") => P::F32(&mut v.x),
        (V::Quaternion(v), "y") => P::F32(&mut v.y),
        (V::Quaternion(v), "z") => P::F32(&mut v.z),
        (V::Quaternion(v), "w") => P::F32(&mut v.w),
        (V::Color(v), "r") => P::F32(&mut v.r),
        (V::Color(v), "g") => P::F32(&mut v.g),
        (V::Color(v), "b") => P::F32(&mut v.b),
        (V::Color(v), "a") => P::F32(&mut v.a),
        (V::Plane(v), "normal") => P::Vector3(&mut v.normal),
        (V::Plane(v), "d") => P::F32(&mut v.d),
        (V::Rect2(v), "position") => P::Vector2(&mut v.position),
        (V::Rect2(v), "size") => P::Vector2(&mut v.size),
        (V::Rect2i(v), "position") => P::Vector2i(&mut v.position),
        (V::Rect2i(v), "size") => P::Vector2i(&mut v.size),
        (V::Aabb(v), "position") => P::Vector3(&mut v.position),
        (V::Aabb(v), "size") => P::Vector3(&mut v.size),
        (V::Transform2D(v), "x") => P::Vector2(&mut v.x),
        (V::Transform2D(v), "y") => P::Vector2(&mut v.y),
        (V::Transform2D(v), "origin") => P::Vector2(&mut v.origin),
        (V::Transform3D(v), "basis") => P::Basis(&mut v.basis),
        (V::Transform3D(v), "origin") => P::Vector3(&mut v.origin),
        (V::Basis(v), "x") => P::Vector3(&mut v.x),
        (V::Basis(v), "y") => P::Vector3(&mut v.y),
        (V::Basis(v), "z") => P::Vector3(&mut v.z),
        (V::Dictionary(v), key) => {
            // A dictionary shares its content with copies, so the entry is cloned and inserted
            // again.
            let mut entry = v.get_text(key)?.clone();
            let result = then(P::Value(&mut entry));
            v.insert(key, entry).ok()?;
            return result;
        }
        _ => return None,
    };
    then(place)
}

#[cfg(test)]
mod tests {
    use mp_core::variant::Dictionary;

    use super::*;

    #[test]
    fn a_component_is_read_and_set_like_in_gdscript() {
        let mut position = Variant::from(Vector2 { x: 1.0, y: 2.0 });
        assert_eq!(component(&position, "y"), Some(2.0_f32.into()));
        assert!(set_component(&mut position, "y", 5.into()));
        assert_eq!(position, Vector2 { x: 1.0, y: 5.0 }.into());
        assert!(!set_component(&mut position, "z", 5.into()));
        assert!(!set_component(&mut position, "x", "far".into()));
        assert_eq!(component(&Variant::Int(1), "x"), None);
    }

    #[test]
    fn an_entry_of_a_dictionary_is_a_component() {
        let mut bag = Variant::from(Dictionary::from([("gold", 3)]));
        assert!(set_component(&mut bag, "gold", 4.into()));
        assert_eq!(component(&bag, "gold"), Some(4.into()));
        assert_eq!(component(&bag, "silver"), None);
    }
}
