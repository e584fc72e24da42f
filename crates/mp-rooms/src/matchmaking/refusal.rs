//! [`MatchRefusal`]: the reasons for which a request for a seat is refused.

mp_core::reasons! {
    /// The reason for which a request for a seat is refused.
    pub enum MatchRefusal {
        /// The template does not exist.
        UnknownTemplate = "unknown_template" => "there is no such template",
        /// The template does not allow matchmaking.
        MatchmakingOff = "matchmaking_off" => "the template does not allow matchmaking",
        /// The filter has too many texts, or a text is too long.
        InvalidFilter = "invalid_filter" => "the filter has too many or too long texts",
        /// The filter asks for metadata that a room created by a player may not have.
        FilterNotAllowed = "filter_not_allowed" =>
            "players may not create rooms with this metadata",
        /// No room fits the request.
        NoRoom = "no_room" => "no room fits the request",
        /// The room does not exist, or is of another template.
        UnknownRoom = "unknown_room" => "there is no such room",
        /// The room has its maximum number of players and seats.
        RoomFull = "room_full" => "the room is full",
        /// The room is locked, or new rooms of the template are.
        RoomLocked = "room_locked" => "the room is locked",
        /// The room is private, and the code is missing or wrong.
        WrongCode = "wrong_code" => "the room is private, and the code is missing or wrong",
        /// A room of this name exists, and the player's identity allows to create no other.
        NameTaken = "name_taken" => "a room of this name exists",
        /// The player's identity is restricted to another room.
        WrongRoom = "wrong_room" => "the token is for another room",
        /// The player's identity does not allow to create a room.
        MayNotCreate = "may_not_create" => "no room fits the request, and you may not create one",
        /// The player has created its maximum number of rooms.
        TooManyRoomsOfPlayer = "too_many_rooms_of_player" => "you have created too many rooms",
        /// The player has a seat or a place in a queue, and the server allows one per player.
        AlreadyMatching = "already_matching" => "you have a seat or a place in a queue already",
        /// The seat was taken or has expired, or no place is kept for the player, so that the
        /// session cannot be resumed.
        NotResumable = "not_resumable" => "the session cannot be resumed",
        /// The server has its maximum number of players, with reserved seats.
        ServerFull = "server_full" => "the server is full",
        /// The server has its maximum number of reserved seats.
        TooManySeats = "too_many_seats" => "there are too many reserved seats",
        /// The server has its maximum number of rooms.
        TooManyRooms = "too_many_rooms" => "there are too many rooms",
        /// The server is overloaded: its players keep what is left.
        Overloaded = "overloaded" => "the server is overloaded",
        /// The server uses more memory than its limit.
        OutOfMemory = "out_of_memory" => "the server uses its maximum of memory",
        /// No node of the cluster that may have a seat answers.
        Unreachable = "unreachable" => "the servers with such rooms do not answer",
        /// The server is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names() {
        mp_core::testing::assert_labels_are_names::<MatchRefusal>();
    }
}
