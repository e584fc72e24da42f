//! What is played: every combination of role, compression, checksum and loss, and sessions for what has rules of its own.

/// One session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) is_compressed: bool,
    pub(crate) has_checksum: bool,
    /// Percent of the datagrams, each way.
    pub(crate) loss: u16,
    pub(crate) theme: Theme,
}

/// mp's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Server,
    Client,
}

/// What a session is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Theme {
    /// Packets of every kind and size.
    Packets,
    /// Limits in bytes per second.
    Bandwidth,
    /// The packet throttle.
    Throttle,
    /// Every kind of goodbye.
    Goodbyes,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Mp,
    C,
}

/// How a packet is sent: ENet's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Reliable,
    Unreliable,
    Unsequenced,
    /// Unreliable also when it is cut.
    Fragmented,
}

/// How large a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Size {
    Small,
    /// The largest that is not cut.
    Whole,
    Cut,
}

/// Something that must have happened at least once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    /// A packet of this kind arrived.
    Arrived(Setup, Sender, Kind, Size),
    /// A side kept to a limit.
    Kept(Setup, Limit),
    /// A throttle did what it should.
    Throttled(Setup, Sender),
    /// A side that was asked not to drop did not.
    Calmed(Setup, Sender),
    /// A goodbye was told with its number.
    Goodbye(Setup, Sender, How),
}

/// Whose limit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    /// mp sends no more than C takes.
    TakenByC,
    /// C sends no more than mp takes.
    TakenByMp,
    /// mp sends no more than it may.
    SentByMp,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Politely,
    Now,
    Later,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Reliable, Self::Unreliable, Self::Unsequenced, Self::Fragmented];

    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::Reliable => 1,
            Self::Unreliable => 0,
            Self::Unsequenced => 2,
            Self::Fragmented => 8,
        }
    }

    /// The channel that its packets have to themselves; 0 is for the bulk.
    pub(crate) const fn channel(self) -> u8 {
        self as u8 + 1
    }
}

impl Size {
    pub(crate) const ALL: [Self; 3] = [Self::Small, Self::Whole, Self::Cut];
}

impl How {
    pub(crate) const ALL: [Self; 3] = [Self::Politely, Self::Now, Self::Later];
}

impl Setup {
    /// The largest packet that is not cut.
    pub(crate) const fn whole_max(self) -> usize {
        if self.has_checksum { 1_360 } else { 1_364 }
    }

    /// All that must have happened in it.
    pub(crate) fn cells(self) -> Vec<Cell> {
        let senders = [Sender::Mp, Sender::C];
        let each = |cell: fn(Self, Sender) -> Cell| senders.map(|sender| cell(self, sender));
        match self.theme {
            Theme::Packets => senders
                .into_iter()
                .flat_map(|sender| Kind::ALL.map(|kind| (sender, kind)))
                .flat_map(|(sender, kind)| {
                    Size::ALL.map(|size| Cell::Arrived(self, sender, kind, size))
                })
                .collect(),
            Theme::Bandwidth => [Limit::TakenByC, Limit::TakenByMp, Limit::SentByMp]
                .map(|limit| Cell::Kept(self, limit))
                .to_vec(),
            Theme::Throttle => [each(Cell::Throttled), each(Cell::Calmed)].concat(),
            Theme::Goodbyes => senders
                .into_iter()
                .flat_map(|sender| How::ALL.map(|how| Cell::Goodbye(self, sender, how)))
                .collect(),
        }
    }
}

/// All sessions.
pub(crate) fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for role in [Role::Server, Role::Client] {
        for loss in [0, 10, 20, 30] {
            for (is_compressed, has_checksum) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let theme = Theme::Packets;
                setups.push(Setup { role, is_compressed, has_checksum, loss, theme });
            }
        }
        let plain = Setup {
            role,
            is_compressed: false,
            has_checksum: false,
            loss: 0,
            theme: Theme::Goodbyes,
        };
        setups.push(plain);
        for theme in [Theme::Bandwidth, Theme::Throttle] {
            setups.push(Setup { theme, ..plain });
            setups.push(Setup { theme, loss: 10, ..plain });
        }
    }
    setups
}
