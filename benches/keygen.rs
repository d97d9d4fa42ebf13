//! Time of one participant's part of key generation and of signing, natively. `cargo xtask bench`
//! prints it beside the time in Chromium.
#![allow(clippy::expect_used, missing_docs)]

#[cfg(not(target_family = "wasm"))]
mod support;

#[cfg(not(target_family = "wasm"))]
mod native {
    use criterion::{BatchSize, Criterion, criterion_group};

    use super::support::{GROUPS, Others, Signers, part2, part3};

    fn keygen(c: &mut Criterion) {
        for (threshold, total) in GROUPS {
            let group = format!("{threshold}-of-{total}");
            let others = Others::new(threshold, total);
            let commitments = others.commitments();
            c.bench_function(&format!("part 1, {group}"), |b| b.iter(|| others.part1()));
            c.bench_function(&format!("part 2, {group}"), |b| {
                b.iter_batched(
                    || others.part1(),
                    |round| part2(round, &commitments),
                    BatchSize::SmallInput,
                );
            });
            let ready = || {
                let others = Others::new(threshold, total);
                let ours = others.part1();
                let package = ours.package().to_vec();
                (part2(ours, &others.commitments()), others.shares(&package))
            };
            c.bench_function(&format!("part 3, {group}"), |b| {
                b.iter_batched(
                    ready,
                    |(round, shares)| part3(round, &shares),
                    BatchSize::PerIteration,
                );
            });
        }
    }

    fn signing(c: &mut Criterion) {
        for (threshold, total) in GROUPS {
            let group = format!("{threshold}-of-{total}");
            let signers = Signers::new(threshold, total);
            c.bench_function(&format!("commit, {group}"), |b| b.iter(|| signers.commit()));
            c.bench_function(&format!("sign, {group}"), |b| {
                b.iter_batched(
                    || signers.drawn(),
                    |drawn| signers.sign(drawn),
                    BatchSize::SmallInput,
                );
            });
            c.bench_function(&format!("aggregate, {group}"), |b| b.iter(|| signers.aggregate()));
        }
    }

    criterion_group! {
        name = benches;
        config = Criterion::default().sample_size(20);
        targets = keygen, signing
    }
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    native::benches();
    criterion::Criterion::default().configure_from_args().final_summary();
}

#[cfg(target_family = "wasm")]
fn main() {}
