//! `array!` and `dict!`: containers of values of any types.

/// Returns an untyped [`Array`](crate::variant::Array) of values that convert to
/// [`Variant`](crate::Variant).
///
/// ```
/// let list = mp_core::array![1, "two", [0.5, 2.0].to_vec()];
/// assert_eq!(list.to_string(), r#"[1, "two", [0.5, 2.0]]"#);
/// ```
#[macro_export]
macro_rules! array {
    ($($value:expr),* $(,)?) => {
        <$crate::variant::Array as ::core::convert::From<::std::vec::Vec<$crate::Variant>>>::from(
            ::std::vec![$($crate::Variant::from($value)),*],
        )
    };
}

/// Returns an untyped [`Dictionary`](crate::variant::Dictionary) of keys and values that convert to
/// [`Variant`](crate::Variant). The last value of a key counts.
///
/// ```
/// let player = mp_core::dict! { "name" => "Ann", "items" => mp_core::array![1, 2] };
/// assert_eq!(player.to_string(), r#"{ "name": "Ann", "items": [1, 2] }"#);
/// ```
#[macro_export]
macro_rules! dict {
    ($($key:expr => $value:expr),* $(,)?) => {
        <$crate::variant::Dictionary as ::core::iter::FromIterator<(
            $crate::Variant,
            $crate::Variant,
        )>>::from_iter([$(($crate::Variant::from($key), $crate::Variant::from($value))),*])
    };
}
