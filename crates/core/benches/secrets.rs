//! What a login hashes: the digest of its secret, its tag, its client id.

#![expect(clippy::unwrap_used, reason = "a benchmark may")]

use std::hint::black_box;

use countersign_core::client_id::ClientId;
use countersign_core::secret::{Secret, SecretDigest, TagKey};
use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    secrets(&mut criterion);
    criterion.final_summary();
}

fn secrets(criterion: &mut Criterion) {
    let secret = Secret::generate([7; 16]);
    let key = TagKey::new([1; 32]);
    let client_id = ClientId::parse("client-of-device-0000001").unwrap();
    criterion.bench_function("digest of a generated secret", |bencher| {
        bencher.iter(|| SecretDigest::of(black_box(&secret)));
    });
    criterion.bench_function("tag of a session", |bencher| {
        let id = client_id.as_str().as_bytes();
        bencher.iter(|| key.tag(&[b"session", black_box(id)], black_box(&secret)));
    });
    criterion.bench_function("hash of a client id", |bencher| {
        bencher.iter(|| black_box(&client_id).tie());
    });
}
