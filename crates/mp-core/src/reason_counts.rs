//! Counters by reason, for input that is rejected or connections that are closed.

use std::fmt;

/// An enum of reasons that are counted. [`reasons!`](crate::reasons) declares and implements it.
pub trait Reason: Copy + Eq + fmt::Debug + fmt::Display + 'static {
    /// Array with one counter for each reason.
    type Counters: Copy + Eq + fmt::Debug + AsRef<[u64]> + AsMut<[u64]>;

    /// All counters at 0.
    const ZERO: Self::Counters;
    /// All reasons, in the order of their [`index`](Self::index).
    const ALL: &'static [Self];

    /// Returns the position in [`ALL`](Self::ALL).
    fn index(self) -> usize;

    /// Returns the name in snake_case, for metrics. It does not change when the text does.
    fn label(self) -> &'static str;

    /// Returns the text for people, which `Display` writes, too.
    fn text(self) -> &'static str;
}

/// Number of occurrences of each reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonCounts<R: Reason>(R::Counters);

impl<R: Reason> ReasonCounts<R> {
    /// Returns the number of occurrences of `reason`.
    pub fn get(&self, reason: R) -> u64 {
        self.0.as_ref()[reason.index()]
    }

    /// Returns the number of occurrences of all reasons.
    pub fn total(&self) -> u64 {
        self.0.as_ref().iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (R, u64)> {
        let counted = R::ALL.iter().map(|&reason| (reason, self.get(reason)));
        counted.filter(|&(_, count)| count > 0)
    }

    /// Counts an occurrence of `reason`.
    pub fn count(&mut self, reason: R) {
        self.add(reason, 1);
    }

    /// Counts `count` occurrences of `reason`.
    pub fn add(&mut self, reason: R, count: u64) {
        self.0.as_mut()[reason.index()] += count;
    }

    /// Adds the counts of `others`.
    pub fn add_all(&mut self, others: &Self) {
        for (sum, count) in self.0.as_mut().iter_mut().zip(others.0.as_ref()) {
            *sum += count;
        }
    }

    /// Returns what was counted after `earlier`, former counts of the same input.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (count, before) in since.0.as_mut().iter_mut().zip(earlier.0.as_ref()) {
            *count = count.saturating_sub(*before);
        }
        since
    }
}

impl<R: Reason> Default for ReasonCounts<R> {
    fn default() -> Self {
        Self(R::ZERO)
    }
}

/// Declares an enum of reasons: for each a name, its label for metrics and its text for people.
/// The enum implements [`Reason`], `Display` (the text) and `Error`.
///
/// ```
/// use mp_core::{Reason as _, ReasonCounts};
///
/// mp_core::reasons! {
///     /// The reason for which a guest was rejected.
///     pub enum Rejection {
///         /// All seats are taken.
///         Full = "full" => "all seats are taken",
///         /// The guest is not invited.
///         NotInvited = "not_invited" => "the guest is not invited",
///     }
/// }
///
/// let mut counts = ReasonCounts::default();
/// counts.count(Rejection::Full);
/// assert_eq!((counts.get(Rejection::Full), counts.total()), (1, 1));
/// assert_eq!(Rejection::NotInvited.label(), "not_invited");
/// ```
#[macro_export]
macro_rules! reasons {
    (
        $(#[$enum_meta:meta])*
        $visibility:vis enum $enum:ident {
            $($(#[$meta:meta])* $name:ident = $label:literal => $text:literal,)*
        }
    ) => {
        $(#[$enum_meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        $visibility enum $enum {
            $($(#[$meta])* $name,)*
        }

        impl $crate::Reason for $enum {
            type Counters = [u64; <Self as $crate::Reason>::ALL.len()];

            const ZERO: Self::Counters = [0; <Self as $crate::Reason>::ALL.len()];
            const ALL: &'static [Self] = &[$(Self::$name),*];

            fn index(self) -> usize {
                self as usize
            }

            fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $label,)*
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl ::std::fmt::Display for $enum {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str($crate::Reason::text(*self))
            }
        }

        impl ::std::error::Error for $enum {}
    };
}

/// Asserts that each label of `R` is its name in snake_case.
#[cfg(any(test, feature = "testing"))]
pub fn assert_labels_are_names<R: Reason>() {
    for reason in R::ALL {
        let mut label = String::new();
        for letter in format!("{reason:?}").chars() {
            if letter.is_uppercase() && !label.is_empty() {
                label.push('_');
            }
            label.extend(letter.to_lowercase());
        }
        assert_eq!(reason.label(), label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::reasons! {
        /// A reason.
        enum Rejection {
            /// The first.
            TooLong = "too_long" => "the text is too long",
            /// The second.
            Empty = "empty" => "there is no text",
        }
    }

    #[test]
    fn each_reason_has_its_own_counter() {
        let mut counts = ReasonCounts::default();
        counts.count(Rejection::Empty);
        counts.add(Rejection::Empty, 2);
        assert_eq!((counts.get(Rejection::TooLong), counts.get(Rejection::Empty)), (0, 3));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Rejection::Empty, 3)]);

        let mut sum = counts;
        sum.count(Rejection::TooLong);
        sum.add_all(&counts);
        assert_eq!((sum.get(Rejection::TooLong), sum.get(Rejection::Empty)), (1, 6));
        assert_eq!(sum.total(), 7);
        assert_eq!(
            sum.since(&counts).iter().collect::<Vec<_>>(),
            [(Rejection::TooLong, 1), (Rejection::Empty, 3)]
        );
    }

    #[test]
    fn labels_are_names_and_the_text_is_displayed() {
        assert_labels_are_names::<Rejection>();
        assert_eq!(Rejection::TooLong.to_string(), "the text is too long");
    }
}
