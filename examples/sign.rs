//! Two of three nodes sign a text. Nothing leaves this process: `cargo run --example sign`.
//!
//! Begins where `make_a_key` ends: each node has stored its part of the key. Any member asks the
//! others; when as many approve as the threshold says, the nodes make the signature.

#[allow(dead_code)] // its `main`
#[path = "make_a_key.rs"]
pub(crate) mod make_a_key;

use frostmesh::content::Content;
use frostmesh::frost::Suite;
use frostmesh::group::Operation;
use frostmesh::node::{Command, Event, Input};
use make_a_key::{NAMES, make_a_key};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Has a text signed. Returns the group key, the message that was signed, and the signature.
pub fn sign(text: &str) -> Result<(Vec<u8>, Vec<u8>, Vec<u8>)> {
    let (mut world, pubkey) = make_a_key()?;

    // A driver opens every stored wallet when it starts. The members then make secure channels with
    // each other, which stay.
    for name in NAMES {
        let name = name.parse()?;
        let wallet = world.stored_wallet(&name)?;
        world.handle(&name, Input::OpenWallet(Box::new(wallet)))?;
    }

    // Alice asks for a signature, which counts as her approval.
    let content = Content::read("text", text, None)?;
    let operation = Operation::sign(content)?;
    let request = Command::Request { pubkey: pubkey.clone(), operation, lifetime: 3600 };
    world.command("alice", request)?;

    loop {
        let (name, event) = world.next_event()?;
        match event {
            // Bob is shown the text, and approves. Carol is asked, too, and is not needed.
            Event::Requested { request, shown, .. } if name.as_str() == "bob" => {
                println!("bob is asked to sign {shown:?}");
                world.command("bob", Command::vote(request, true))?;
            }
            Event::Signing { signers, .. } => {
                let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
                println!("{name} coordinates; signers: {}", signers.join(", "));
            }
            // Every member receives the signature. The first one is enough here.
            Event::Signature { digest, signature, .. } => {
                return Ok((hex::decode(pubkey)?, hex::decode(digest)?, hex::decode(signature)?));
            }
            Event::SigningFailed { reason, .. } => return Err(reason.into()),
            _ => {}
        }
    }
}

pub(crate) fn main() -> Result<()> {
    let (pubkey, message, signature) = sign("I agree")?;

    // Anyone can verify it, as the signature of one key: nothing shows that several made it.
    let message: [u8; 32] = message.try_into().map_err(|_| "a message has 32 bytes")?;
    Suite::default().verify(&pubkey, &message, &signature)?;
    println!("verified: {}", hex::encode(signature));
    Ok(())
}
