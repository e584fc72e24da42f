//! Statistics that actors keep as plain integers and return as snapshots.

use std::time::Duration;

use crate::DurationHistogram;

/// Statistics of one connection since it was established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Mean round-trip time; `None` when the transport does not measure it.
    pub round_trip_time: Option<Duration>,
    /// Packets sent to the network.
    pub packets_sent: u64,
    /// Bytes of the sent packets.
    pub bytes_sent: u64,
    /// Packets delivered to the branch.
    pub packets_received: u64,
    /// Bytes of the received packets.
    pub bytes_received: u64,
    /// Unreliable packets dropped before they were sent: queue full, or throttled.
    pub send_drops: u64,
    /// Received packets that were dropped: the connection was paused, or the packet was malformed.
    pub receive_drops: u64,
    /// Reliable packets that were retransmitted.
    pub retransmissions: u64,
    /// Bytes that were accepted and are not sent yet, or not acknowledged yet.
    pub queued_bytes: u64,
}

impl ConnectionStats {
    /// Adds the counters of `other`. The mean round-trip time stays.
    pub fn add_all(&mut self, other: &Self) {
        self.packets_sent += other.packets_sent;
        self.bytes_sent += other.bytes_sent;
        self.packets_received += other.packets_received;
        self.bytes_received += other.bytes_received;
        self.send_drops += other.send_drops;
        self.receive_drops += other.receive_drops;
        self.retransmissions += other.retransmissions;
        self.queued_bytes += other.queued_bytes;
    }
}

/// Statistics of a transport since it was created. No counter decreases when a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportStats {
    /// Sums over all connections, including those that have ended. The round-trip time is `None`,
    /// and `queued_bytes` is the current sum.
    pub connections: ConnectionStats,
    /// Round-trip times of the current connections, as far as the transport measures them.
    pub round_trips: DurationHistogram,
    /// Datagrams received; 0 if the transport is a stream.
    pub datagrams_received: u64,
    /// Datagrams sent; 0 if the transport is a stream.
    pub datagrams_sent: u64,
    /// Bytes received from sockets, with the transport's headers and without those of UDP or TCP.
    pub network_bytes_received: u64,
    /// Bytes sent to sockets, with the transport's headers and without those of UDP or TCP.
    pub network_bytes_sent: u64,
    /// Handshakes that were completed.
    pub completed_handshakes: u64,
    /// Handshakes that were refused.
    pub refused_handshakes: u64,
}

impl TransportStats {
    /// Adds the statistics of a current connection.
    pub fn add_connection(&mut self, connection: &ConnectionStats) {
        self.connections.add_all(connection);
        if let Some(round_trip) = connection.round_trip_time {
            self.round_trips.record(round_trip);
        }
    }

    /// Adds the statistics of a connection that has ended. Its queue is gone.
    pub fn add_ended_connection(&mut self, connection: &ConnectionStats) {
        self.connections.add_all(&ConnectionStats { queued_bytes: 0, ..*connection });
    }

    /// Adds all statistics of `other`.
    pub fn add_all(&mut self, other: &Self) {
        self.connections.add_all(&other.connections);
        self.round_trips.add_all(&other.round_trips);
        self.datagrams_received += other.datagrams_received;
        self.datagrams_sent += other.datagrams_sent;
        self.network_bytes_received += other.network_bytes_received;
        self.network_bytes_sent += other.network_bytes_sent;
        self.completed_handshakes += other.completed_handshakes;
        self.refused_handshakes += other.refused_handshakes;
    }
}
