//! Messages and descriptors over a `SOCK_SEQPACKET` socket pair.
//!
//! A message is one or more packets; the first byte of each says whether more follow, descriptors ride on the first. One task sends and one receives at
//! each end, so packets of two messages never mix. The end of the stream is how each side learns that the other is gone.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::unix::AsyncFd;

/// Payload of one packet, in bytes: well below the smallest default send buffer, which bounds a packet.
const PACKET_BYTES: usize = 65_536;
/// A longer message ends the channel.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Descriptors of one message; the kernel's own bound is 253.
pub const DESCRIPTORS_MAX: usize = 128;

const LAST: u8 = 0;
const MORE: u8 = 1;

/// Two connected ends. Both are closed on exec; the child's is given to it as its standard input.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// The two halves of this process's end. Must be called inside a tokio runtime, which then serves them.
pub fn split(socket: OwnedFd) -> io::Result<(Sender, Receiver)> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    #[expect(deprecated, reason = "its replacement is unsafe for types that may change their descriptor, which an OwnedFd does not")]
    let socket = Arc::new(AsyncFd::new(socket)?);
    Ok((Sender { socket: socket.clone() }, Receiver { socket, packet: vec![0; PACKET_BYTES + 1] }))
}

pub struct Sender {
    socket: Arc<AsyncFd<OwnedFd>>,
}

pub struct Receiver {
    socket: Arc<AsyncFd<OwnedFd>>,
    packet: Vec<u8>,
}

impl Sender {
    /// Sends one message and its descriptors, of which the receiver gets copies. Fails when the other end is gone.
    pub async fn send<M: Serialize>(&mut self, message: &M, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = postcard::to_stdvec(message).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        if bytes.len() > MESSAGE_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the message is longer than a control message may be"));
        }
        let packets = bytes.len().div_ceil(PACKET_BYTES).max(1);
        for index in 0..packets {
            let payload = &bytes[index * PACKET_BYTES..bytes.len().min((index + 1) * PACKET_BYTES)];
            let flag = if index + 1 == packets { LAST } else { MORE };
            self.send_packet(flag, payload, if index == 0 { descriptors } else { &[] }).await?;
        }
        Ok(())
    }

    async fn send_packet(&self, flag: u8, payload: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        loop {
            let mut guard = self.socket.writable().await?;
            let sent = guard.try_io(|socket| {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                    return Err(io::Error::from(io::ErrorKind::InvalidInput));
                }
                let parts = [IoSlice::new(std::slice::from_ref(&flag)), IoSlice::new(payload)];
                Ok(sendmsg(socket.get_ref().as_fd(), &parts, &mut control, SendFlags::NOSIGNAL)?)
            });
            match sent {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(sent) => return sent.map(drop),
                Err(_would_block) => continue,
            }
        }
    }
}

impl Receiver {
    /// The next message and its descriptors; none when the other end is gone. May be dropped while waiting only before the first packet of a
    /// message came, so one task should do nothing but receive.
    pub async fn receive<M: DeserializeOwned>(&mut self) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
        let (mut bytes, mut descriptors) = (Vec::new(), Vec::new());
        loop {
            let length = self.receive_packet(&mut descriptors).await?;
            let Some((flag, payload)) = self.packet[..length].split_first() else { return Ok(None) };
            if bytes.len() + payload.len() > MESSAGE_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a control message is longer than it may be"));
            }
            if *flag == LAST && bytes.is_empty() {
                return decode(payload).map(|message| Some((message, descriptors)));
            }
            bytes.extend_from_slice(payload);
            if *flag == LAST {
                return decode(&bytes).map(|message| Some((message, descriptors)));
            }
        }
    }

    async fn receive_packet(&mut self, descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
        loop {
            let mut guard = self.socket.readable().await?;
            let packet = &mut self.packet;
            let received = guard.try_io(|socket| {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
                let mut control = RecvAncillaryBuffer::new(&mut space);
                let mut parts = [IoSliceMut::new(packet)];
                let received = recvmsg(socket.get_ref().as_fd(), &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(rights) = message {
                        descriptors.extend(rights);
                    }
                }
                if received.flags.intersects(ReturnFlags::CTRUNC | ReturnFlags::TRUNC) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a control packet was cut"));
                }
                Ok(received.bytes)
            });
            match received {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                // A peer that died with unread packets resets the socket: the same end of the stream.
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
                Ok(received) => return received,
                Err(_would_block) => continue,
            }
        }
    }
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> io::Result<M> {
    postcard::from_bytes(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _, Write as _};

    fn channel() -> ((Sender, Receiver), (Sender, Receiver)) {
        let (ours, theirs) = pair().unwrap();
        (split(ours).unwrap(), split(theirs).unwrap())
    }

    #[tokio::test]
    async fn descriptors_arrive_with_their_message() {
        let ((mut sender, _), (_, mut receiver)) = channel();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"fern").unwrap();
        sender.send(&"without", &[]).await.unwrap();
        sender.send(&"with", &[file.as_fd(), file.as_fd()]).await.unwrap();
        let (first, none) = receiver.receive::<String>().await.unwrap().unwrap();
        let (second, two) = receiver.receive::<String>().await.unwrap().unwrap();
        assert_eq!((first.as_str(), none.len(), second.as_str(), two.len()), ("without", 0, "with", 2));
        let mut received = std::fs::File::from(two.into_iter().next().unwrap());
        let mut text = String::new();
        received.rewind().unwrap();
        received.read_to_string(&mut text).unwrap();
        assert_eq!(text, "fern");
    }

    #[tokio::test]
    async fn messages_of_many_packets_arrive_whole_and_in_order() {
        let ((mut sender, _), (_, mut receiver)) = channel();
        let lengths = [0, 1, PACKET_BYTES - 4, PACKET_BYTES, PACKET_BYTES + 1, 5 << 20];
        let sending = tokio::spawn(async move {
            for length in lengths {
                let message: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
                sender.send(&message, &[]).await.unwrap();
            }
        });
        for length in lengths {
            let (message, _) = receiver.receive::<Vec<u8>>().await.unwrap().unwrap();
            assert_eq!(message.len(), length);
            assert!(message.iter().enumerate().all(|(index, byte)| *byte == (index % 251) as u8));
        }
        sending.await.unwrap();
        assert!(receiver.receive::<Vec<u8>>().await.unwrap().is_none(), "the sender is gone: end of stream");
    }

    #[tokio::test]
    async fn what_does_not_decode_and_what_is_too_long_are_errors() {
        let ((mut sender, _), (_, mut receiver)) = channel();
        sender.send(&vec![0xffu8; 3], &[]).await.unwrap();
        assert!(receiver.receive::<(u64, u64, u64, u64, String)>().await.is_err());
        assert!(sender.send(&vec![0u8; MESSAGE_BYTES_MAX], &[]).await.is_err());
    }

    #[tokio::test]
    async fn sending_to_nobody_fails() {
        let ((mut sender, receiver), other) = channel();
        drop(other);
        assert!(sender.send(&1u32, &[]).await.is_err());
        drop(receiver);
    }
}
