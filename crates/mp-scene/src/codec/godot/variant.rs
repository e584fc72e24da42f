//! stub
use bytes::{Buf, BytesMut};
use mp_core::Variant;
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stub")]
pub struct VariantError;
pub fn encode_compressed(_v: &Variant, _out: &mut BytesMut) -> Result<(), VariantError> {
    Err(VariantError)
}
pub fn decode_compressed(b: &mut &[u8]) -> Result<Variant, VariantError> {
    b.try_get_u8().map_err(|_| VariantError)?;
    Err(VariantError)
}
