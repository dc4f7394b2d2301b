//! A Kafka client without opinions: it encodes what it is told to and checks that answers come in the order of its requests.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use isthmus::frame::Splitter;
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};

/// The largest response that the client takes.
const RESPONSE_BYTES_MAX: usize = 128 << 20;

/// A request that waits for its answer, and how that is to be read.
#[derive(Debug)]
pub struct Ticket<R> {
    pub(super) client: usize,
    pub(super) correlation_id: i32,
    version: i16,
    _request: PhantomData<fn() -> R>,
}

impl<R> Clone for Ticket<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Ticket<R> {}

/// What an answer must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// It came before that of an earlier request, twice, or to nothing.
    OutOfOrder {
        /// The correlation id due next, if any is.
        expected: Option<i32>,
        /// The one that came.
        got: i32,
    },
    /// It is no frame.
    Frame(String),
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) out: Vec<u8>,
    splitter: Splitter,
    last_correlation_id: i32,
    awaited: VecDeque<i32>,
    answers: BTreeMap<i32, Bytes>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            out: Vec::new(),
            splitter: Splitter::new(RESPONSE_BYTES_MAX),
            last_correlation_id: 0,
            awaited: VecDeque::new(),
            answers: BTreeMap::new(),
        }
    }

    /// Queues a request; `answered` is false for a produce request with acks 0.
    pub(super) fn request<R: Request>(
        &mut self,
        client: usize,
        request: &R,
        version: i16,
        answered: bool,
    ) -> Ticket<R> {
        self.last_correlation_id += 1;
        let correlation_id = self.last_correlation_id;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("pair")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, R::header_version(version)).expect("the header is encodable");
        request.encode(&mut frame, version).expect("the test asks for what its version has");
        self.out.put_u32(u32::try_from(frame.len()).expect("a request fits a frame"));
        self.out.extend_from_slice(&frame);
        if answered {
            self.awaited.push_back(correlation_id);
        }
        Ticket { client, correlation_id, version, _request: PhantomData }
    }

    pub(super) fn on_bytes(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.splitter.push(Bytes::copy_from_slice(bytes));
        while let Some(frame) = self.splitter.next_frame().map_err(|error| ClientError::Frame(error.to_string()))? {
            let got = frame.get(..4).map(|mut id| id.get_i32());
            let got = got.ok_or_else(|| ClientError::Frame("a response without correlation id".to_string()))?;
            let expected = self.awaited.pop_front();
            if expected != Some(got) {
                return Err(ClientError::OutOfOrder { expected, got });
            }
            self.answers.insert(got, frame);
        }
        Ok(())
    }

    /// Requests that have no answer yet.
    pub(super) fn awaited(&self) -> usize {
        self.awaited.len()
    }

    pub(super) fn has_answer(&self, correlation_id: i32) -> bool {
        self.answers.contains_key(&correlation_id)
    }

    pub(super) fn answer<R: Request>(&mut self, ticket: Ticket<R>) -> Option<R::Response> {
        let mut frame = self.answers.remove(&ticket.correlation_id)?;
        let header_version = R::Response::header_version(ticket.version);
        ResponseHeader::decode(&mut frame, header_version).expect("a response header");
        let response = R::Response::decode(&mut frame, ticket.version).expect("a response of the version asked for");
        assert!(!frame.has_remaining(), "{} bytes behind the response", frame.remaining());
        Some(response)
    }
}
