//! [`EnetShards`]: a server in several shards, each for its own thread.

use std::io;
use std::net::SocketAddr;

use mp_core::{OutOfRange, Rng};

use crate::EnetMultiplayerPeer;
use crate::io::{DatagramSocket, TokioUdpSocket, UdpSocket};
use crate::limits::SHARDS_MAX;
use crate::options::{CreateError, ServerOptions};

/// A server in several shards that share one address, so that several threads serve it. The
/// operating system assigns each client to a shard by its address and port. Each shard is a host of
/// its own.
///
/// The limits of [`ServerOptions`] apply to each shard. Clients may be distributed unevenly, so
/// each shard needs capacity for all of them. Two clients of different shards may have the same
/// peer id; a branch rejects the second one.
///
/// ```
/// use mp_transport_enet::{EnetShards, ServerOptions};
///
/// let shards = EnetShards::bind("127.0.0.1:0".parse()?, ServerOptions::default(), 4)?;
/// println!("listening on {}", shards.local_addr()?);
/// for start in shards.into_servers() {
///     std::thread::spawn(move || {
///         let mut builder = tokio::runtime::Builder::new_current_thread();
///         let runtime = builder.enable_all().build().unwrap();
///         let _runtime = runtime.enter();
///         let server = start().unwrap();
///         // … a loop that serves it.
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
    /// Binds `count` shards to `address`. Port 0 lets the operating system choose one port for all.
    /// On systems other than Linux there is one shard.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, or `count` is not 1 to [`SHARDS_MAX`].
    pub fn bind(
        address: SocketAddr,
        options: ServerOptions,
        count: usize,
    ) -> Result<Self, CreateError> {
        OutOfRange::check("shards", count, 1..=SHARDS_MAX)?;
        Ok(Self { sockets: UdpSocket::bind_shards(address, count)?, options })
    }

    /// Returns the address of all shards.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.sockets[0].local_addr()
    }

    /// Returns the number of shards.
    pub fn count(&self) -> usize {
        self.sockets.len()
    }

    /// Returns a function for each shard that creates its server. It must be called on the thread
    /// that serves the shard, within a tokio runtime.
    pub fn into_servers(
        self,
    ) -> impl ExactSizeIterator<
        Item = impl FnOnce() -> Result<EnetMultiplayerPeer<TokioUdpSocket>, CreateError> + Send + use<>,
    > {
        self.into_servers_on(|socket| socket)
    }

    /// As [`into_servers`](Self::into_servers), on the sockets that `wrap` returns, for example to
    /// handle datagrams of another protocol. `wrap` is called once per shard, on its thread.
    pub fn into_servers_on<S: DatagramSocket, W>(
        self,
        wrap: W,
    ) -> impl ExactSizeIterator<
        Item = impl FnOnce() -> Result<EnetMultiplayerPeer<S>, CreateError> + Send + use<S, W>,
    >
    where
        W: Fn(TokioUdpSocket) -> S + Clone + Send,
    {
        let Self { sockets, options } = self;
        sockets.into_iter().enumerate().map(move |(part, socket)| {
            let (mut options, wrap) = (options.clone(), wrap.clone());
            options.seed = options.seed.map(|seed| seed_of_part(seed, part));
            move || {
                let address = socket.local_addr().map_err(CreateError::LocalAddress)?;
                EnetMultiplayerPeer::server(wrap(TokioUdpSocket::new(socket, address)?), options)
            }
        })
    }
}

/// Returns a different seed for each shard.
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
    fn an_invalid_number_of_shards_is_rejected_with_the_valid_range() {
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        for count in [0, SHARDS_MAX + 1] {
            let error = EnetShards::bind(any, ServerOptions::default(), count).unwrap_err();
            assert!(error.to_string().ends_with("use 1 to 64"), "{error}");
        }
    }

    #[test]
    fn shards_of_one_seed_have_different_reproducible_seeds() {
        let seeds: Vec<_> = (0..4).map(|part| seed_of_part([7; 32], part)).collect();
        assert!((1..4).all(|part| !seeds[..part].contains(&seeds[part])));
        assert_eq!(seeds[3], seed_of_part([7; 32], 3));
    }
}
