//! Values that contain no other values.

use mp_core::variant::{Basis, Components, Rect2i, Transform3D, Vector2i, Vector3i, Vector4i};
use mp_core::{NodePath, StringName, Variant, VariantType};

use super::{CONTAINER_COST, Decoder, not_negative};
use crate::codec::godot::variant::{
    PATH_ABSOLUTE, PATH_NEW_FORM, PATH_OBSOLETE, VariantError, padding,
};

impl<'a> Decoder<'a> {
    pub(super) fn flat(&mut self, of: VariantType, wide: bool) -> Result<Variant, VariantError> {
        use Variant as V;
        use VariantType as T;
        Ok(match of {
            T::Nil | T::Array | T::Dictionary | T::Object => V::Nil,
            T::Callable => V::Callable,
            T::Bool => V::Bool(self.u32("a bool")? != 0),
            T::Int if wide => V::Int(self.u64("an int")?.cast_signed()),
            T::Int => V::Int(self.u32("an int")?.cast_signed().into()),
            T::Float if wide => V::Float(f64::from_bits(self.u64("a float")?)),
            T::Float => V::Float(f32::from_bits(self.u32("a float")?).into()),
            T::String => V::String(self.string()?),
            T::StringName => V::StringName(self.name()?),
            T::Vector2 => V::Vector2(self.components(wide)?),
            T::Vector2i => V::Vector2i(self.ints().map(|[x, y]| Vector2i { x, y })?),
            T::Rect2 => V::Rect2(self.components(wide)?),
            T::Rect2i => {
                let [x, y, width, height] = self.ints()?;
                V::Rect2i(Rect2i::new((x, y).into(), (width, height).into()))
            }
            T::Vector3 => V::Vector3(self.components(wide)?),
            T::Vector3i => V::Vector3i(self.ints().map(|[x, y, z]| Vector3i { x, y, z })?),
            T::Transform2D => V::Transform2D(self.components(wide)?),
            T::Vector4 => V::Vector4(self.components(wide)?),
            T::Vector4i => V::Vector4i(self.ints().map(|[x, y, z, w]| Vector4i { x, y, z, w })?),
            T::Plane => V::Plane(self.components(wide)?),
            T::Quaternion => V::Quaternion(self.components(wide)?),
            T::Aabb => V::Aabb(self.components(wide)?),
            // A Basis is encoded by rows.
            T::Basis => self.components(wide).map(|rows: Basis| rows.transposed())?.into(),
            T::Transform3D => {
                let Transform3D { basis: rows, origin } = self.components(wide)?;
                Transform3D::new(rows.transposed(), origin).into()
            }
            T::Projection => V::Projection(Box::new(self.components(wide)?)),
            // Color components are always `f32`.
            T::Color => V::Color(self.components(false)?),
            T::NodePath => V::NodePath(self.node_path()?),
            T::Rid => V::Rid(self.u64("an RID")?),
            T::Signal => {
                let name = self.name()?;
                V::Signal { name, object: self.u64("an object's id")? }
            }
            T::PackedByteArray => V::PackedByteArray(self.bytes()?),
            T::PackedInt32Array => {
                V::PackedInt32Array(self.packed(|[a, b, c, d]| i32::from_le_bytes([a, b, c, d]))?)
            }
            T::PackedInt64Array => V::PackedInt64Array(self.packed(i64::from_le_bytes)?),
            T::PackedFloat32Array => V::PackedFloat32Array(self.packed(f32::from_le_bytes)?),
            T::PackedFloat64Array => V::PackedFloat64Array(self.packed(f64::from_le_bytes)?),
            T::PackedStringArray => V::PackedStringArray(self.strings()?),
            T::PackedVector2Array => V::PackedVector2Array(self.packed_components(wide)?),
            T::PackedVector3Array => V::PackedVector3Array(self.packed_components(wide)?),
            T::PackedColorArray => V::PackedColorArray(self.packed_components(false)?),
            T::PackedVector4Array => V::PackedVector4Array(self.packed_components(wide)?),
        })
    }

    fn node_path(&mut self) -> Result<NodePath, VariantError> {
        self.charge(CONTAINER_COST)?;
        let at = self.at;
        let names = self.u32("a NodePath's counts")?;
        if names & PATH_NEW_FORM == 0 {
            return Err(VariantError::OldNodePath { at });
        }
        let subnames = self.u32("a NodePath's counts")?;
        let flags = self.u32("a NodePath's flags")?;
        let subnames = u64::from(subnames) + u64::from(flags & PATH_OBSOLETE != 0);
        let names = self.names(u64::from(names & !PATH_NEW_FORM))?;
        let subnames = self.names(subnames)?;
        Ok(NodePath::new(names, subnames, flags & PATH_ABSOLUTE != 0))
    }

    fn names(&mut self, count: u64) -> Result<Vec<StringName>, VariantError> {
        let count = self.fits("the names of a NodePath", count, 4)?;
        self.charge(count.saturating_mul(size_of::<StringName>()))?;
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            names.push(self.name()?);
        }
        Ok(names)
    }

    fn strings(&mut self) -> Result<Vec<String>, VariantError> {
        let count = not_negative(self.u32("a count")?);
        let count = self.fits("a PackedStringArray", count.into(), 4)?;
        self.charge(count.saturating_mul(size_of::<String>()))?;
        let mut strings = Vec::with_capacity(count);
        for _ in 0..count {
            strings.push(self.string()?);
        }
        Ok(strings)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, VariantError> {
        let count = self.packed_count("a PackedByteArray", 1)?;
        self.charge(count)?;
        let bytes = self.take("a PackedByteArray", count)?.to_vec();
        // The padding may be missing at the end of the data.
        self.at += padding(count);
        Ok(bytes)
    }

    fn packed<T, const N: usize>(
        &mut self,
        from: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, VariantError> {
        let count = self.packed_count("a packed array", N)?;
        self.charge(count.saturating_mul(size_of::<T>()))?;
        let (values, _) = self.take("a packed array", count * N)?.as_chunks();
        Ok(values.iter().copied().map(from).collect())
    }

    fn packed_components<T: Components>(&mut self, wide: bool) -> Result<Vec<T>, VariantError> {
        let size = T::COUNT * width(wide);
        let count = self.packed_count("a packed array", size)?;
        self.charge(count.saturating_mul(size_of::<T>()))?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.components(wide)?);
        }
        Ok(values)
    }

    fn components<T: Components>(&mut self, wide: bool) -> Result<T, VariantError> {
        let bytes = self.take("components", T::COUNT * width(wide))?;
        let (floats, doubles) = (bytes.as_chunks().0, bytes.as_chunks().0);
        let (mut floats, mut doubles) = (floats.iter(), doubles.iter());
        Ok(T::build(&mut || {
            if wide {
                doubles.next().copied().map_or(0.0, f64::from_le_bytes) as f32
            } else {
                floats.next().copied().map_or(0.0, f32::from_le_bytes)
            }
        }))
    }

    fn ints<const N: usize>(&mut self) -> Result<[i32; N], VariantError> {
        let bytes = self.take("components", 4 * N)?;
        let (ints, _) = bytes.as_chunks();
        Ok(std::array::from_fn(|i| i32::from_le_bytes(ints[i])))
    }

    pub(super) fn name(&mut self) -> Result<StringName, VariantError> {
        self.text().map(StringName::from)
    }

    pub(super) fn string(&mut self) -> Result<String, VariantError> {
        self.text().map(str::to_owned)
    }
}

const fn width(wide: bool) -> usize {
    if wide { size_of::<f64>() } else { size_of::<f32>() }
}
