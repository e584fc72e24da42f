//! [`Sequence`]: numbers of reliable messages.

/// The numbers of reliable messages of one sender to one receiver, in eras.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence {
    /// Era and number of the last message.
    last: Option<(i64, i64)>,
}

impl Sequence {
    /// Receives a number of the only era. The first one may be any.
    pub(crate) fn receive(&mut self, number: i64) -> Result<(), String> {
        self.receive_from(0, number, 0)
    }

    /// Receives a number of an era, of which the first one is `first`; 0: any. The error is a
    /// violation: a message was lost, received twice, or is of an earlier era.
    pub(crate) fn receive_from(&mut self, era: i64, number: i64, first: i64) -> Result<(), String> {
        let expected = match self.last {
            Some((last, _)) if era < last => return Err(format!("after one of {last}")),
            Some((last, number)) if era == last => Some(number + 1),
            _ => Some(first).filter(|&first| first > 0),
        };
        self.last = Some((era, number));
        match expected {
            Some(expected) if expected != number => Err(format!("instead of {expected}")),
            _ => Ok(()),
        }
    }

    /// Returns the last number of an era.
    pub(crate) fn last_of(&self, era: i64) -> Option<i64> {
        self.last.filter(|(last, _)| *last == era).map(|(_, number)| number)
    }
}
