//! Sessions to run, and the cases that each must cover: every combination of role, compression,
//! checksum and loss, and sessions for bandwidth, throttle and disconnects.

/// Parameters of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    pub(crate) is_compressed: bool,
    pub(crate) has_checksum: bool,
    /// Loss of datagrams in each direction, in percent.
    pub(crate) loss: u16,
    pub(crate) kind: SessionKind,
}

/// Side that mp plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Server,
    Client,
}

/// Subject of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SessionKind {
    /// Packets of every kind and size.
    Packets,
    /// Limits in bytes per second.
    Bandwidth,
    /// Packet throttle.
    Throttle,
    /// Every kind of disconnect.
    Disconnects,
}

/// Sending side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Mp,
    C,
}

/// Delivery of a packet, as ENet's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PacketKind {
    Reliable,
    Unreliable,
    Unsequenced,
    /// Unreliable even when fragmented.
    Fragmented,
}

/// Size of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PacketSize {
    Small,
    /// Largest size that is not fragmented.
    Whole,
    Cut,
}

/// A case that must happen at least once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CoverageItem {
    /// A packet of this kind and size was received.
    Arrived(Setup, Sender, PacketKind, PacketSize),
    /// A side kept a bandwidth limit.
    LimitKept(Setup, Limit),
    /// A throttle dropped packets while round trips grew.
    Throttled(Setup, Sender),
    /// A throttle that was configured not to drop did not drop.
    ThrottleOff(Setup, Sender),
    /// A disconnect was reported with its number.
    Disconnected(Setup, Sender, CloseKind),
}

/// Bandwidth limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    /// mp sends no more than C accepts.
    AcceptedByC,
    /// C sends no more than mp accepts.
    AcceptedByMp,
    /// mp sends no more than its own limit.
    SentByMp,
}

/// Kind of disconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CloseKind {
    Gracefully,
    Now,
    Later,
}

impl PacketKind {
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

    /// Returns the channel of this kind's packets. Channel 0 is for bulk packets.
    pub(crate) const fn channel(self) -> u8 {
        self as u8 + 1
    }
}

impl PacketSize {
    pub(crate) const ALL: [Self; 3] = [Self::Small, Self::Whole, Self::Cut];
}

impl CloseKind {
    pub(crate) const ALL: [Self; 3] = [Self::Gracefully, Self::Now, Self::Later];
}

impl Setup {
    /// Returns the largest packet in bytes that is not fragmented.
    pub(crate) const fn whole_max(self) -> usize {
        if self.has_checksum { 1_360 } else { 1_364 }
    }

    /// Returns the cases that the session must cover.
    pub(crate) fn coverage(self) -> Vec<CoverageItem> {
        let senders = [Sender::Mp, Sender::C];
        let each =
            |item: fn(Self, Sender) -> CoverageItem| senders.map(|sender| item(self, sender));
        match self.kind {
            SessionKind::Packets => senders
                .into_iter()
                .flat_map(|sender| PacketKind::ALL.map(|kind| (sender, kind)))
                .flat_map(|(sender, kind)| {
                    PacketSize::ALL.map(|size| CoverageItem::Arrived(self, sender, kind, size))
                })
                .collect(),
            SessionKind::Bandwidth => [Limit::AcceptedByC, Limit::AcceptedByMp, Limit::SentByMp]
                .map(|limit| CoverageItem::LimitKept(self, limit))
                .to_vec(),
            SessionKind::Throttle => {
                [each(CoverageItem::Throttled), each(CoverageItem::ThrottleOff)].concat()
            }
            SessionKind::Disconnects => senders
                .into_iter()
                .flat_map(|sender| {
                    CloseKind::ALL.map(|how| CoverageItem::Disconnected(self, sender, how))
                })
                .collect(),
        }
    }
}

/// Returns all sessions.
pub(crate) fn setups() -> Vec<Setup> {
    let mut setups = Vec::new();
    for role in [Role::Server, Role::Client] {
        for loss in [0, 10, 20, 30] {
            for (is_compressed, has_checksum) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let kind = SessionKind::Packets;
                setups.push(Setup { role, is_compressed, has_checksum, loss, kind });
            }
        }
        let plain = Setup {
            role,
            is_compressed: false,
            has_checksum: false,
            loss: 0,
            kind: SessionKind::Disconnects,
        };
        setups.push(plain);
        for kind in [SessionKind::Bandwidth, SessionKind::Throttle] {
            setups.push(Setup { kind, ..plain });
            setups.push(Setup { kind, loss: 10, ..plain });
        }
    }
    setups
}
