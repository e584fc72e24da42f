//! Fields that detect their own changes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use bytes::BytesMut;
use mp_core::Variant;
use mp_core::variant::FromVariantError;
use slotmap::DefaultKey;

use super::Property;
use crate::codec::Objects;
use crate::codec::godot::VariantError;

/// A field that detects its own changes: each mutable borrow counts as one. A synchronizer whose
/// `OnChange` properties are all of this kind takes no CPU time while they do not change. A plain
/// field works too, and is compared at every tick.
///
/// ```
/// use mp_scene::prelude::*;
///
/// let mut health = Replicated::new(100_i64);
/// *health -= 30;
/// assert_eq!(*health, 70);
/// ```
///
/// Replacing the field counts as a change too: by assignment, `mem::take`, `mem::swap` or a new
/// node object.
///
/// Only one synchronizer can use the detection. A second one that sends the same field compares it
/// like a plain one.
#[derive(Default)]
pub struct Replicated<T> {
    value: T,
    mark: Option<Mark>,
}

impl<T> Replicated<T> {
    /// Creates a field with this value.
    pub const fn new(value: T) -> Self {
        Self { value, mark: None }
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> From<T> for Replicated<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Deref for Replicated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Replicated<T> {
    fn deref_mut(&mut self) -> &mut T {
        if let Some(mark) = &self.mark {
            mark.set();
        }
        &mut self.value
    }
}

/// The clone is not attached to a synchronizer.
impl<T: Clone> Clone for Replicated<T> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T: PartialEq> PartialEq for Replicated<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Replicated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: Property> Property for Replicated<T> {
    fn to_variant(&self) -> Variant {
        self.value.to_variant()
    }

    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
        (**self).set_variant(value)
    }

    fn encode(&mut self, objects: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
        self.value.encode(objects, out)
    }

    fn attach(&mut self, mark: &Mark, force: bool) -> Attached {
        match &self.mark {
            Some(old) if old.is(mark) => return Attached::Kept,
            Some(old) if !force && !old.is_over() => {
                return Attached::Held { key: old.state.key, place: old.place };
            }
            _ => {}
        }
        self.mark = Some(mark.clone());
        Attached::Fresh
    }
}

/// The outcome of attaching a mark to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The field does not support marks.
    Plain,
    /// The field already has this mark.
    Kept,
    /// The field has this mark from now on. Its value may have changed before.
    Fresh,
    /// The field has another mark, of the property at `place` of this or another synchronizer.
    Held { key: DefaultKey, place: usize },
}

/// The changed synchronizers, without duplicates.
pub(crate) type DirtyList = Rc<RefCell<Vec<DefaultKey>>>;

/// Records changes of one `OnChange` property of a synchronizer.
#[derive(Clone)]
pub struct Mark {
    state: Rc<MarkState>,
    /// Index of the property among the synchronizer's `OnChange` properties.
    place: usize,
}

struct MarkState {
    key: DefaultKey,
    dirty: Cell<bool>,
    over: Cell<bool>,
    list: DirtyList,
}

impl Mark {
    pub(crate) fn new(key: DefaultKey, list: &DirtyList) -> Self {
        let (dirty, over) = (Cell::new(false), Cell::new(false));
        let state = MarkState { key, dirty, over, list: Rc::clone(list) };
        Self { state: Rc::new(state), place: 0 }
    }

    /// Creates a mark for another property of the same synchronizer.
    pub(crate) fn at(&self, place: usize) -> Self {
        Self { state: Rc::clone(&self.state), place }
    }

    /// Records a change.
    pub(crate) fn set(&self) {
        if !self.state.dirty.replace(true) && !self.state.over.get() {
            self.state.list.borrow_mut().push(self.state.key);
        }
    }

    /// Clears the recorded change.
    pub(crate) fn clear(&self) {
        self.state.dirty.set(false);
    }

    /// Ends the marks of a synchronizer that was removed.
    pub(crate) fn end(&self) {
        self.state.over.set(true);
    }

    fn is_over(&self) -> bool {
        self.state.over.get()
    }

    fn is(&self, other: &Self) -> bool {
        self.place == other.place && Rc::ptr_eq(&self.state, &other.state)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mark").field(&self.state.dirty.get()).finish()
    }
}
