//! str0m alone, in the usual loop: each datagram is received, handled, and answered. ICE-lite and
//! data channels are as in Godot and mp.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use clap::Parser;
use mp_bench_common::{answer_marks, ready};
use mp_bench_forward::{Args, Failure, Forward};
use mp_bench_webrtc::{UNRELIABLE_LIFETIME, answer_offers};
use serde_json::json;
use str0m::change::SdpOffer;
use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};

mp_bench_common::count_allocations!();

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    let (sender, offers) = channel::<(String, Sender<String>)>();
    let mut server = Server::new(args.pass)?;
    let port = answer_offers(move |offer| {
        let (answer, answers) = channel();
        sender.send((offer, answer)).ok()?;
        answers.recv().ok()
    })?;
    answer_marks(|| json!({ "allocations": allocations() }));
    ready(port);
    server.serve(&offers)
}

struct Server {
    pass: Forward,
    socket: UdpSocket,
    address: SocketAddr,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    /// Received messages of one client, which are not forwarded yet.
    received: Vec<ChannelData>,
}

struct Client {
    rtc: Rtc,
    channels: [ChannelId; 3],
    due: Instant,
}

impl Server {
    fn new(pass: Forward) -> Result<Self, Failure> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(TIMERS_INTERVAL))?;
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        Ok(Self {
            pass,
            address: socket.local_addr()?,
            socket,
            certificate: crypto.dtls_provider.generate_certificate().ok_or("no certificate")?,
            crypto,
            clients: Vec::new(),
            by_address: HashMap::new(),
            received: Vec::new(),
        })
    }

    fn serve(&mut self, offers: &Receiver<(String, Sender<String>)>) -> Result<(), Failure> {
        let mut datagram = [0; 2_048];
        let mut next_timers = Instant::now();
        loop {
            match self.socket.recv_from(&mut datagram) {
                Ok((len, from)) => self.handle_datagram(from, &datagram[..len])?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error.into()),
            }
            let now = Instant::now();
            if now < next_timers {
                continue;
            }
            next_timers = now + TIMERS_INTERVAL;
            while let Ok((offer, answer)) = offers.try_recv() {
                answer.send(self.add(&offer, now)?)?;
            }
            for index in 0..self.clients.len() {
                if self.clients[index].due <= now {
                    self.clients[index].rtc.handle_input(Input::Timeout(now))?;
                    self.drive(index)?;
                }
            }
        }
    }

    /// Adds a client with its offer. Returns the answer.
    fn add(&mut self, offer: &str, now: Instant) -> Result<String, Failure> {
        let mut rtc = Rtc::builder()
            .clear_codecs()
            .set_crypto_provider(Arc::clone(&self.crypto))
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .build(now);
        rtc.add_local_candidate(Candidate::host(self.address, "udp")?);
        let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer)?)?;
        let channels = channels().map(|config| rtc.direct_api().create_data_channel(config));
        self.clients.push(Client { rtc, channels, due: now });
        Ok(answer.to_sdp_string())
    }

    fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<(), Failure> {
        let receive = Receive::new(Protocol::Udp, from, self.address, datagram)?;
        let input = Input::Receive(Instant::now(), receive);
        let index = match self.by_address.get(&from) {
            Some(&index) => index,
            None => {
                let accepts = |client: &Client| client.rtc.accepts(&input);
                let Some(index) = self.clients.iter().position(accepts) else { return Ok(()) };
                self.by_address.insert(from, index);
                index
            }
        };
        self.clients[index].rtc.handle_input(input)?;
        self.drive(index)
    }

    /// Processes all outputs of a client, and forwards its messages. Those for one client share
    /// datagrams.
    fn drive(&mut self, index: usize) -> Result<(), Failure> {
        self.poll_outputs(index)?;
        if self.received.is_empty() {
            return Ok(());
        }
        let received = std::mem::take(&mut self.received);
        for to in self.pass.targets(index, self.clients.len()) {
            for message in &received {
                let channels = &self.clients[index].channels;
                let channel = channels.iter().position(|&channel| channel == message.id);
                let channel = channel.ok_or("a message on an unknown channel")?;
                let client = &mut self.clients[to];
                // A client that is still connecting has no open channels.
                if let Some(mut channel) = client.rtc.channel(client.channels[channel]) {
                    channel.write(true, &message.data)?;
                }
            }
            self.poll_outputs(to)?;
        }
        Ok(())
    }

    fn poll_outputs(&mut self, index: usize) -> Result<(), Failure> {
        let client = &mut self.clients[index];
        loop {
            match client.rtc.poll_output()? {
                Output::Timeout(due) => {
                    client.due = due;
                    return Ok(());
                }
                Output::Transmit(datagram) => {
                    self.socket.send_to(&datagram.contents, datagram.destination)?;
                }
                Output::Event(Event::ChannelData(message)) => self.received.push(message),
                Output::Event(_) => {}
            }
        }
    }
}

/// Returns Godot's three data channels.
fn channels() -> [ChannelConfig; 3] {
    let unreliable = || Reliability::MaxPacketLifetime { lifetime: UNRELIABLE_LIFETIME };
    [
        ("reliable", 1, true, Reliability::Reliable),
        ("ordered", 2, true, unreliable()),
        ("unreliable", 3, false, unreliable()),
    ]
    .map(|(label, stream, ordered, reliability)| ChannelConfig {
        label: label.to_owned(),
        ordered,
        reliability,
        negotiated: Some(stream),
        protocol: String::new(),
    })
}

/// Interval of checking all timers.
const TIMERS_INTERVAL: Duration = Duration::from_millis(5);
