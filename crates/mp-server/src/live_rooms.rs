//! Rooms and templates follow the configuration.

use std::sync::Arc;

use mp_rooms::{RoomName, Template};

use crate::plan::RoomsPlan;
use crate::reload::LiveConfig;
use crate::rooms::{RoomsHandle, ServerEnded};

/// Applies each new configuration to the rooms: new rooms have the new templates, and the rooms of
/// `current` receive their changed settings. Settings that the program or an operator has changed
/// meanwhile stay unless the configuration changes them. Returns when the server ends.
pub(crate) async fn follow(
    mut live: LiveConfig,
    mut current: RoomsPlan,
    default_type: String,
    rooms: RoomsHandle,
) {
    while live.changed().await.is_ok() {
        let config = Arc::clone(&live.borrow_and_update());
        let next = match RoomsPlan::new(&config, &default_type) {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(error, "cannot apply the configuration to the rooms");
                continue;
            }
        };
        if apply(&rooms, &current, &next).await.is_err() {
            return;
        }
        current = next;
    }
}

async fn apply(rooms: &RoomsHandle, old: &RoomsPlan, new: &RoomsPlan) -> Result<(), ServerEnded> {
    rooms.set_templates(new.templates().to_vec()).await?;
    for (name, template) in &new.rooms {
        let before = old.rooms.iter().find(|(other, _)| other == name);
        if let Some((_, before)) = before {
            change(rooms, name, before, template).await?;
        }
    }
    Ok(())
}

/// Sets what differs between two templates of a room.
async fn change(
    rooms: &RoomsHandle,
    name: &RoomName,
    old: &Template,
    new: &Template,
) -> Result<(), ServerEnded> {
    let Some(room) = rooms.find(name).await?.map(|room| room.id) else { return Ok(()) };
    if old.max_players != new.max_players {
        rooms.set_max_players(room, new.max_players).await?;
    }
    if old.locked != new.locked {
        rooms.set_locked(room, new.locked).await?;
    }
    if old.code != new.code {
        rooms.set_code(room, new.code.clone()).await?;
    }
    if old.metadata != new.metadata {
        rooms.set_metadata(room, new.metadata.clone()).await?;
    }
    Ok(())
}
