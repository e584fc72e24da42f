//! [`EnetShards`]: a server in several parts, for several threads.

use std::io;
use std::net::SocketAddr;

use mp_core::Rng;

use crate::EnetMultiplayerPeer;
use crate::io::{DatagramSocket, TokioUdpSocket, UdpSocket};
use crate::limits::SHARDS_MAX;
use crate::options::{CreateError, ServerOptions};

/// A server in several parts that share one address, so that several threads serve it. The system gives each client to one of
/// them, by its address and port, and leaves it there; each is a host of its own.
///
/// What [`ServerOptions`] limits is limited in each part: room for all clients must be in each, since they may spread unevenly,
/// and two clients of different parts may say the same peer id. (A branch turns the second one away.)
///
/// ```
/// use mp_transport_enet::{EnetShards, ServerOptions};
///
/// let shards = EnetShards::bind("127.0.0.1:0".parse()?, ServerOptions::default(), 4)?;
/// println!("listening on {}", shards.local_addr()?);
/// for make in shards.into_servers() {
///     std::thread::spawn(move || {
///         let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
///         let _runtime = runtime.enter();
///         let server = make().unwrap();
///         // … and a loop that serves it, until there is nobody left.
///     });
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EnetShards {
    sockets: Vec<UdpSocket>,
    options: ServerOptions,
}

impl EnetShards {
    /// Binds `count` parts to `address`; port 0 lets the operating system choose one for all. Where it cannot share an
    /// address out (elsewhere than on Linux) there is one part.
    ///
    /// # Errors
    ///
    /// When the address cannot be bound, or `count` is not 1 to [`SHARDS_MAX`].
    pub fn bind(
        address: SocketAddr,
        options: ServerOptions,
        count: usize,
    ) -> Result<Self, CreateError> {
        if !(1..=SHARDS_MAX).contains(&count) {
            return Err(CreateError::Shards(count));
        }
        Ok(Self { sockets: UdpSocket::bind_shards(address, count)?, options })
    }

    /// The address that all parts have.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// What makes the server of each part, on the thread that will serve it, within a tokio runtime.
    pub fn into_servers(
        self,
    ) -> impl ExactSizeIterator<
        Item = impl FnOnce() -> Result<EnetMultiplayerPeer<TokioUdpSocket>, CreateError> + Send + use<>,
    > {
        let Self { sockets, options } = self;
        sockets.into_iter().enumerate().map(move |(part, socket)| {
            let mut options = options.clone();
            options.seed = options.seed.map(|seed| seed_of_part(seed, part));
            move || {
                let address = socket.local_addr().map_err(CreateError::Address)?;
                EnetMultiplayerPeer::server(TokioUdpSocket::new(socket, address)?, options)
            }
        })
    }
}

/// Parts must not make the same choices.
fn seed_of_part(seed: [u8; 32], part: usize) -> [u8; 32] {
    let mut rng = Rng::from_seed(seed);
    let mut part_seed = seed;
    for _ in 0..=part {
        for bytes in part_seed.chunks_exact_mut(4) {
            bytes.copy_from_slice(&rng.next_u32().to_le_bytes());
        }
    }
    part_seed
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_number_of_parts_that_makes_no_sense_is_refused_with_a_way_out() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        for count in [0, SHARDS_MAX + 1] {
            let error = EnetShards::bind(any, ServerOptions::default(), count).unwrap_err();
            assert!(error.to_string().ends_with("use 1 to 64"), "{error}");
        }
    }

    #[test]
    fn parts_of_one_seed_choose_differently_and_always_the_same() {
        let seeds: Vec<_> = (0..4).map(|part| seed_of_part([7; 32], part)).collect();
        assert!((1..4).all(|part| !seeds[..part].contains(&seeds[part])));
        assert_eq!(seeds[3], seed_of_part([7; 32], 3));
    }
}
