//! The guard against kafka-protocol itself: the shapes are right in every version, and what passes can be decoded.
#![allow(unsafe_code, reason = "a counting allocator cannot be written without it")]
#![cfg(not(target_arch = "wasm32"))]

mod body_writer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use body_writer::body;
use bytes::Bytes;
use isthmus::kafka::guard::{GuardError, MAX_ELEMENTS, MAX_TAGGED_FIELDS, check, decode};
use isthmus::kafka::shape::{Guarded, Shape};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, Request, VersionRange};
use proptest::collection::vec;
use proptest::prelude::*;

/// A request guarded, decoded and encoded again.
type RoundTrip = Result<Vec<u8>, GuardError>;

/// What the tests need of a request type, with the type erased.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    key: i16,
    shape: &'static Shape,
    versions: VersionRange,
    /// Guards and decodes a body, then encodes what came out. Also tells how much memory the first two took.
    round_trip: fn(i16, Bytes) -> (RoundTrip, usize),
    /// The body of the type's default value.
    default_body: fn(i16) -> Vec<u8>,
}

impl Case {
    fn of<T: Guarded + Request + Default>(name: &'static str) -> Self {
        Self {
            name,
            key: T::KEY,
            shape: const { &T::SHAPE },
            versions: T::VERSIONS,
            round_trip: |version, body| {
                let before = ALLOCATED.get();
                let request = decode::<T>(version, body);
                let allocated = ALLOCATED.get() - before;
                (request.map(|request| encoded(&request, version)), allocated)
            },
            default_body: |version| encoded(&T::default(), version),
        }
    }
}

fn encoded<T: Encodable>(request: &T, version: i16) -> Vec<u8> {
    let mut out = Vec::new();
    request.encode(&mut out, version).unwrap();
    out
}

macro_rules! cases {
    ($($request:ident)*) => {
        [$(Case::of::<$request>(stringify!($request))),*]
    };
}

/// Every request with a shape, in every version that kafka-protocol has.
fn cases() -> impl Iterator<Item = (Case, i16)> {
    let cases = cases![
        AlterConfigsRequest
        ApiVersionsRequest
        CreatePartitionsRequest
        CreateTopicsRequest
        DeleteGroupsRequest
        DeleteRecordsRequest
        DeleteTopicsRequest
        DescribeAclsRequest
        DescribeClientQuotasRequest
        DescribeClusterRequest
        DescribeConfigsRequest
        DescribeGroupsRequest
        DescribeLogDirsRequest
        DescribeUserScramCredentialsRequest
        ElectLeadersRequest
        FetchRequest
        FindCoordinatorRequest
        HeartbeatRequest
        IncrementalAlterConfigsRequest
        InitProducerIdRequest
        JoinGroupRequest
        LeaveGroupRequest
        ListConfigResourcesRequest
        ListGroupsRequest
        ListOffsetsRequest
        ListPartitionReassignmentsRequest
        MetadataRequest
        OffsetCommitRequest
        OffsetDeleteRequest
        OffsetFetchRequest
        ProduceRequest
        SyncGroupRequest
    ];
    cases.into_iter().flat_map(|case| (case.versions.min..=case.versions.max).map(move |version| (case, version)))
}

#[test]
fn every_served_api_is_among_the_requests_tested_here() {
    for api in isthmus::apis::APIS {
        assert!(cases().any(|(case, _)| case.key == api.key as i16), "{:?}", api.key);
    }
}

#[test]
fn the_default_value_of_every_request_passes_in_every_version() {
    for (case, version) in cases() {
        let body = (case.default_body)(version);
        assert_eq!((case.round_trip)(version, body.clone().into()).0, Ok(body), "{} v{version}", case.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_body_of_a_shape_decodes_and_encodes_to_the_same_bytes(entropy in vec(any::<u8>(), 0..300)) {
        for (case, version) in cases() {
            let body = body(case.shape, version, &entropy);
            let (result, _) = (case.round_trip)(version, body.clone().into());
            prop_assert_eq!(result, Ok(body), "{} v{}", case.name, version);
        }
    }

    #[test]
    fn no_body_passes_when_it_is_cut_short(entropy in vec(any::<u8>(), 0..100)) {
        for (case, version) in cases() {
            let body = body(case.shape, version, &entropy);
            for length in 0..body.len() {
                let cut = check(case.shape, version, &body[..length]);
                prop_assert!(cut.is_err(), "{} v{} cut at {}", case.name, version, length);
            }
        }
    }

    #[test]
    fn what_passes_after_a_mutation_decodes_within_the_bound(
        entropy in vec(any::<u8>(), 0..300),
        mutations in vec((any::<prop::sample::Index>(), mutation()), 1..4),
    ) {
        for (case, version) in cases() {
            let mut body = body(case.shape, version, &entropy);
            for (at, bytes) in &mutations {
                let at = at.index(body.len() + 1);
                body.splice(at..(at + bytes.len()).min(body.len()), bytes.iter().copied());
            }
            assert_bounded(case, version, body.into());
        }
    }

    #[test]
    fn bytes_of_any_kind_are_refused_or_decode_within_the_bound(body in vec(any::<u8>(), 0..200)) {
        for (case, version) in cases() {
            assert_bounded(case, version, body.clone().into());
        }
    }
}

/// Lengths that lie, and bytes that merely differ.
fn mutation() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![0x7f, 0xff, 0xff, 0xff]),
        Just(vec![0xff, 0xff, 0xff, 0xff]),
        Just(vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
        Just(vec![0x80, 0x00]),
        Just(vec![0x00, 0x01, 0x86, 0xa0]),
        vec(any::<u8>(), 1..6),
    ]
}

/// What one element may take in memory: its structure in kafka-protocol.
const MEMORY_PER_ELEMENT: usize = 160;
/// What one tagged field may take: a leaf of a B-tree, where it is the only one of its structure.
const MEMORY_PER_TAGGED_FIELD: usize = 600;
/// For the text of an error.
const MEMORY_IN_ANY_CASE: usize = 1024;

fn assert_bounded(case: Case, version: i16, body: Bytes) {
    // No element and no tagged field takes less than one and two bytes on the wire.
    let elements = body.len().min(MAX_ELEMENTS);
    let tagged_fields = (body.len() / 2).min(MAX_TAGGED_FIELDS);
    let bound = elements * MEMORY_PER_ELEMENT + tagged_fields * MEMORY_PER_TAGGED_FIELD + MEMORY_IN_ANY_CASE;
    let (result, allocated) = (case.round_trip)(version, body);
    assert!(!matches!(result, Err(GuardError::Shape(_))), "{} v{version}: {result:?}", case.name);
    assert!(allocated <= bound, "{} v{version}: {allocated} bytes allocated, {bound} allowed", case.name);
}

#[test]
fn a_request_of_as_many_elements_as_allowed_decodes_within_the_bound() {
    let (fetch, version) = cases().find(|(case, version)| case.name == "FetchRequest" && *version == 12).unwrap();
    let mut body = vec![0; 4 + 4 + 4 + 4 + 1 + 4 + 4];
    // 100 000 topics, each without name, partitions and tagged fields; then nothing forgotten, no rack, no tagged fields.
    assert_eq!(MAX_ELEMENTS, 100_000);
    body.extend([0xa1, 0x8d, 0x06]);
    body.extend([1, 1, 0].repeat(MAX_ELEMENTS));
    body.extend([1, 1, 0]);
    assert_eq!((fetch.round_trip)(version, body.clone().into()).0, Ok(body.clone()));
    assert_bounded(fetch, version, body.into());
}

#[test]
fn a_request_of_as_many_tagged_fields_as_allowed_decodes_within_the_bound() {
    let (fetch, version) = cases().find(|(case, version)| case.name == "FetchRequest" && *version == 12).unwrap();
    let mut body = vec![0; 4 + 4 + 4 + 4 + 1 + 4 + 4];
    // 1000 topics, each with one tagged field that nobody knows.
    assert_eq!(MAX_TAGGED_FIELDS, 1_000);
    body.extend([0xe9, 0x07]);
    body.extend([1, 1, 1, 100, 0].repeat(MAX_TAGGED_FIELDS));
    body.extend([1, 1, 0]);
    assert_eq!((fetch.round_trip)(version, body.clone().into()).0, Ok(body.clone()));
    assert_bounded(fetch, version, body.into());
}

/// One request of each kind in its oldest and its newest version, framed, for the fuzzer to start from.
#[test]
#[ignore = "writes fuzz/seeds/kafka_frame"]
fn write_fuzz_seeds() {
    let entropy: Vec<u8> = (0..200_u8).map(|i| i.wrapping_mul(7)).collect();
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/kafka_frame");
    std::fs::create_dir_all(&seeds).unwrap();
    for (case, version) in cases().filter(|(case, version)| [case.versions.min, case.versions.max].contains(version)) {
        let mut request = case.key.to_be_bytes().to_vec();
        request.extend(version.to_be_bytes());
        request.extend(b"\0\0\0\x07\0\x06client");
        if case.shape.is_flexible(version) {
            request.push(0);
        }
        request.extend(body(case.shape, version, &entropy));
        let length = u32::try_from(request.len()).unwrap().to_be_bytes();
        let seed = [&[0], length.as_slice(), &request].concat();
        std::fs::write(seeds.join(format!("{}-{version}", case.name)), seed).unwrap();
    }
}

thread_local! {
    /// Bytes this thread has asked for so far.
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
