//! Reasons for which a join or the creation of a room is refused.

use mp_core::{DisconnectReason, Rejection};

mp_core::reasons! {
    /// The reason for which a join is refused.
    pub enum JoinRefusal {
        /// The client selects no room.
        NoRoomSelected = "no_room_selected" => "no room is selected",
        /// The listener selects rooms by authentication packets, and the client sends another one.
        NoAuthentication = "no_authentication" => "the client does not authenticate",
        /// The selection exceeds its limit.
        SelectionTooLong = "selection_too_long" => "the selection is too long",
        /// The selection is not UTF-8, or has invalid percent escapes.
        InvalidEncoding = "invalid_encoding" => "the selection is not percent-encoded UTF-8",
        /// The selection names a room, a template or a code twice.
        RepeatedKey = "repeated_key" => "the selection repeats a key",
        /// The path has more than a template and a name.
        InvalidPath = "invalid_path" => "the path is neither /ROOM nor /TEMPLATE/ROOM",
        /// The name of the room or the template has invalid characters.
        InvalidName = "invalid_name" => "the name has characters that names do not have",
        /// The code is empty or too long.
        InvalidCode = "invalid_code" => "the code is empty or too long",
        /// The token is empty or too long.
        InvalidToken = "invalid_token" => "the token is empty or too long",
        /// The player's identity is restricted to another room.
        WrongRoom = "wrong_room" => "the token is for another room",
        /// The room does not exist, and the player's identity does not allow to create it.
        MayNotCreate = "may_not_create" => "there is no such room, and you may not create it",
        /// The player has created its maximum number of rooms.
        TooManyRoomsOfPlayer = "too_many_rooms_of_player" => "you have created too many rooms",
        /// The player is connected already, and the server allows one connection per player.
        AlreadyConnected = "already_connected" => "you are connected already",
        /// The template does not exist, or no template is selected and there is no default.
        UnknownTemplate = "unknown_template" => "there is no such template",
        /// The room does not exist, is of another template, or its template creates no rooms on
        /// demand.
        UnknownRoom = "unknown_room" => "there is no such room",
        /// The room has its maximum number of players.
        RoomFull = "room_full" => "the room is full",
        /// The server has its maximum number of players, with reserved seats.
        ServerFull = "server_full" => "the server is full",
        /// The room is locked.
        RoomLocked = "room_locked" => "the room is locked",
        /// The room is private, and the code is missing or wrong.
        WrongCode = "wrong_code" => "the room is private, and the code is missing or wrong",
        /// The room is hosted by a program, and the token of the client is not its key.
        WrongHostKey = "wrong_host_key" => "the host key is wrong",
        /// The ticket is unknown, was used, or has expired.
        InvalidTicket = "invalid_ticket" => "the ticket is unknown, used or expired",
        /// The resume ticket is unknown, was used or replaced, or has expired; or its player is
        /// moving to another room.
        InvalidResume = "invalid_resume" => "the resume ticket is unknown, used or expired",
        /// The resume ticket belongs to a player with another identity.
        WrongPlayer = "wrong_player" => "the resume ticket belongs to another player",
        /// Another player of the room has the claimed peer id.
        DuplicateId = "duplicate_id" => "the peer id is already in use",
        /// The server has its maximum number of rooms.
        TooManyRooms = "too_many_rooms" => "there are too many rooms",
        /// Too many joins wait for rooms that are being created.
        TooManyWaiting = "too_many_waiting" => "too many joins wait for rooms",
        /// The room could not be created.
        RoomFailed = "room_failed" => "the room could not be created",
        /// The room was closed before it opened.
        RoomClosed = "room_closed" => "the room was closed",
        /// The server, or the thread of the room, is overloaded: its players keep what is left.
        Overloaded = "overloaded" => "the server is overloaded",
        /// The server of the cluster that has the room does not respond, or is not known.
        Unreachable = "unreachable" => "the server of the room does not respond",
        /// The server uses more memory than its limit.
        OutOfMemory = "out_of_memory" => "the server uses its maximum of memory",
        /// The server accepts no players because it is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

impl JoinRefusal {
    /// Returns the reason with which the connection is rejected: its code is the label.
    pub fn disconnect_reason(self) -> DisconnectReason {
        DisconnectReason::Rejected(Rejection::from(self))
    }
}

mp_core::reasons! {
    /// The reason for which the server disconnects a player whom it had admitted.
    pub enum Removal {
        /// The player has connected again, and the server keeps its newest connection.
        Replaced = "replaced" => "you have connected from elsewhere",
        /// The player was banned.
        Banned = "banned" => "you are banned from this server",
        /// The player was disconnected by the program or an operator.
        Kicked = "kicked" => "you were disconnected by the server",
    }
}

impl Removal {
    /// Returns the reason with which the connection is closed: its code is the label.
    pub fn disconnect_reason(self) -> DisconnectReason {
        DisconnectReason::Rejected(Rejection::from(self))
    }
}

mp_core::reasons! {
    /// The reason for which a player cannot move to another room. It stays in its room.
    pub enum MoveRefusal {
        /// The player is not in the room, or the room is not open.
        UnknownPeer = "unknown_peer" => "the room has no such player",
        /// The player has lost its connection, and its place is kept. It can move when it has
        /// resumed its session.
        NotConnected = "not_connected" => "the player has lost its connection, and its place is kept",
        /// The room to which the player should move does not exist.
        UnknownRoom = "unknown_room" => "there is no such room",
        /// The player is in this room already.
        SameRoom = "same_room" => "the player is in this room already",
        /// The player is moving to a room already.
        AlreadyMoving = "already_moving" => "the player is moving to a room already",
        /// The template of the player's room does not allow moves.
        NoMovesFromRoom = "no_moves_from_room" => "players cannot move from the room; set moves = true in its template",
        /// The template of the other room does not allow moves.
        NoMovesToRoom = "no_moves_to_room" => "players cannot move to the room; set moves = true in its template",
        /// The other room is being created.
        RoomNotOpen = "room_not_open" => "the room is not open yet",
        /// The other room has its maximum number of players.
        RoomFull = "room_full" => "the room is full",
        /// The other room is locked.
        RoomLocked = "room_locked" => "the room is locked",
        /// The other room has a code, and none is given.
        RoomPrivate = "room_private" => "the room is private",
        /// The other room has another code.
        WrongCode = "wrong_code" => "the code is wrong",
        /// The ticket of the seat is unknown, was used, has expired, or is for another room or
        /// player.
        InvalidTicket = "invalid_ticket" => "the ticket is unknown, used, expired, or for another room or player",
        /// A player of the other room has the same peer id.
        DuplicateId = "duplicate_id" => "a player of the room has the same peer id",
        /// The thread of the other room is overloaded: its players keep what is left.
        Overloaded = "overloaded" => "the room is overloaded",
        /// The server is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

mp_core::reasons! {
    /// The reason for which the creation of a room is refused.
    pub enum CreateRefusal {
        /// A room of this name exists.
        NameTaken = "name_taken" => "a room of this name exists",
        /// The template does not exist.
        UnknownTemplate = "unknown_template" => "there is no such template",
        /// The server has its maximum number of rooms.
        TooManyRooms = "too_many_rooms" => "there are too many rooms",
        /// The server is overloaded: its players keep what is left.
        Overloaded = "overloaded" => "the server is overloaded",
        /// The server uses more memory than its limit.
        OutOfMemory = "out_of_memory" => "the server uses its maximum of memory",
        /// The server is about to end.
        Draining = "draining" => "the server is shutting down",
    }
}

mp_core::reasons! {
    /// The way in which a room ended.
    pub enum RoomEnd {
        /// It was closed by the program or an operator.
        Closed = "closed" => "the room was closed",
        /// It was without players for its timeout.
        Empty = "empty" => "the room had no players",
        /// It ended by itself: its branch closed or panicked.
        Ended = "ended" => "the room ended by itself",
        /// It could not be created.
        Failed = "failed" => "the room could not be created",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_names() {
        mp_core::testing::assert_labels_are_names::<JoinRefusal>();
        mp_core::testing::assert_labels_are_names::<CreateRefusal>();
        mp_core::testing::assert_labels_are_names::<MoveRefusal>();
        mp_core::testing::assert_labels_are_names::<Removal>();
        mp_core::testing::assert_labels_are_names::<RoomEnd>();
    }
}
