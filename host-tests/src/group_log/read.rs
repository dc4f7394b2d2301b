//! Reads a topic from its first entry to its last, over one blocking connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use isthmus::config::Config;
use isthmus::frame::Splitter;
use isthmus::group::id::GroupId;
use isthmus::group::log::message::payload_of;
use isthmus::ids::Position;
use isthmus::pulsar::command::{self, Credentials};
use isthmus::pulsar::frame::{DEFAULT_MAX_FRAME_BYTES, Frame, parse_frame, write_command};
use isthmus::pulsar::proto::{
    BaseCommand, CommandSubscribe, MessageIdData, base_command::Type, command_subscribe::InitialPosition,
    command_subscribe::SubType,
};

use super::Args;

const CONSUMER: u64 = 1;
const PERMITS: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(15);

/// One entry; without payload where no filter of this cluster wrote it.
pub(super) struct Stored {
    pub(super) position: Position,
    pub(super) payload: Option<Bytes>,
}

/// Every entry of the group's log.
pub(super) fn read(args: &Args) -> Result<Vec<Stored>, String> {
    let group = GroupId::new(&args.group).ok_or("a group's name has 1 to 200 bytes")?;
    let config = Config { groups_namespace: Some(args.namespace.clone()), ..Config::default() };
    let topic = group.topic(&config).as_str().to_string();
    let mut link = Link::connect(args)?;
    link.ask(command::lookup(topic.clone(), 1, false, None), Type::LookupResponse)?;
    let subscribe = CommandSubscribe {
        topic: topic.clone(),
        subscription: format!("isthmus-host-{}", std::process::id()),
        sub_type: SubType::Exclusive.into(),
        consumer_id: CONSUMER,
        request_id: 2,
        durable: Some(false),
        start_message_id: Some(MessageIdData { ledger_id: u64::MAX, entry_id: u64::MAX, ..MessageIdData::default() }),
        initial_position: Some(InitialPosition::Earliest.into()),
        force_topic_creation: Some(false),
        ..CommandSubscribe::default()
    };
    link.ask(subscribe.into(), Type::Success).map_err(|error| format!("{topic} cannot be read: {error}"))?;
    let last = link.ask(command::get_last_message_id(CONSUMER, 3), Type::GetLastMessageIdResponse)?;
    let last = last.command.get_last_message_id_response.map(|response| position_of(&response.last_message_id));
    let Some(last) = last.filter(|last| last.ledger != u64::MAX && last.entry != u64::MAX) else {
        return Ok(Vec::new());
    };
    let mut entries = Vec::new();
    let mut permits = 0u32;
    while entries.last().is_none_or(|entry: &Stored| entry.position < last) {
        if permits == 0 {
            permits = PERMITS;
            link.send(&command::flow(CONSUMER, PERMITS).ok_or("no permits")?)?;
        }
        let frame = link.next()?;
        if let Some(message) = frame.command.message {
            permits -= 1;
            let position = position_of(&message.message_id);
            entries.push(Stored { position, payload: payload_of(&frame.section) });
        }
    }
    Ok(entries)
}

fn position_of(id: &MessageIdData) -> Position {
    Position { ledger: id.ledger_id, entry: id.entry_id }
}

struct Link {
    socket: TcpStream,
    splitter: Splitter,
}

impl Link {
    fn connect(args: &Args) -> Result<Self, String> {
        let failed = |error| format!("{} cannot be reached: {error}", args.pulsar);
        let socket = TcpStream::connect(&args.pulsar).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut link = Self { socket, splitter: Splitter::new(DEFAULT_MAX_FRAME_BYTES) };
        let credentials = args.credentials.clone();
        let credentials = credentials.map(|(method, data)| Credentials { method, data: data.into_bytes().into() });
        link.ask(command::connect(credentials), Type::Connected)?;
        Ok(link)
    }

    fn send(&mut self, command: &BaseCommand) -> Result<(), String> {
        let mut frame = Vec::new();
        write_command(command, &mut frame);
        self.socket.write_all(&frame).map_err(|error| format!("the broker does not listen: {error}"))
    }

    /// Sends a command and waits for its answer.
    fn ask(&mut self, command: BaseCommand, answer: Type) -> Result<Frame, String> {
        self.send(&command)?;
        loop {
            let frame = self.next()?;
            if frame.command.r#type() == answer {
                return Ok(frame);
            }
            if let Some(error) = frame.command.error {
                return Err(format!("the broker refuses: {}", error.message));
            }
        }
    }

    fn next(&mut self) -> Result<Frame, String> {
        loop {
            if let Some(bytes) = self.splitter.next_frame().map_err(|error| format!("{error:?}"))? {
                let frame = parse_frame(bytes).map_err(|error| error.to_string())?;
                if frame.command.r#type() == Type::Ping {
                    self.send(&command::pong())?;
                }
                return Ok(frame);
            }
            let mut chunk = vec![0; 64 * 1024];
            let read = self.socket.read(&mut chunk).map_err(|error| format!("the broker does not answer: {error}"))?;
            if read == 0 {
                return Err("the broker closed the connection".to_string());
            }
            chunk.truncate(read);
            self.splitter.push(chunk.into());
        }
    }
}
