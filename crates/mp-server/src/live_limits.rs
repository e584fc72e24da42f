//! The limits of connections follow the configuration.

use mp_core::ConnectionGate;

use crate::reload::LiveConfig;
use crate::rooms::RoomsHandle;

/// Applies the limits of each new configuration to new connections and to the rates of existing
/// ones. Connections beyond a new limit stay. Returns when the server ends.
pub(crate) async fn follow(mut live: LiveConfig, gate: ConnectionGate, rooms: RoomsHandle) {
    while live.changed().await.is_ok() {
        let (gate_limits, receive_limits) = {
            let limits = &live.borrow_and_update().limits;
            (limits.gate_limits(), limits.receive_limits())
        };
        gate.set_limits(gate_limits);
        if rooms.set_receive_limits(receive_limits).await.is_err() {
            return;
        }
    }
}
