//! `frostmesh verify` and `frostmesh address`: whether a signature counts, and where a key is
//! known.

use bech32::{Bech32, Hrp, segwit};
use serde_json::json;

use super::cli::{Local, Verify};
use super::content;
use super::exit::{Exit, Failure, OrExit};
use super::open::open_existing;
use super::report::line;
use super::stored_wallet::one;
use crate::frost::{AddressValue, GroupKey};

/// Checks a signature with nothing but what the arguments say.
pub(super) fn verify(args: &Verify) -> Result<(), Failure> {
    let hexadecimal = |what: &str, text: &str| {
        hex::decode(text)
            .map_err(|_| Failure::new(Exit::Usage, format_args!("--{what} is not hexadecimal")))
    };
    let (pubkey, signature) =
        (hexadecimal("pubkey", &args.pubkey)?, hexadecimal("signature", &args.signature)?);
    let content = content::read(args.subject.one()?, None)?;
    let digest = content.digest();
    let verified = args.suite.verify(&pubkey, &digest, &signature);
    if args.json {
        let reason = verified.as_ref().err().map(ToString::to_string);
        line(
            &json!({ "event": "verification", "valid": verified.is_ok(), "reason": reason, "kind": content.kind(),
            "suite": args.suite, "digest": hex::encode(digest) }),
        );
    }
    match verified {
        Ok(()) if args.json => Ok(()),
        Ok(()) => {
            println!("valid: the key signed this {}", content.kind());
            Ok(())
        }
        Err(_) if args.json => Err(Failure::told(Exit::Other)),
        Err(error) => Err(Failure::new(Exit::Other, format_args!("not valid: {error}"))),
    }
}

/// Where the key of a wallet is known in the world.
pub(super) fn address(pubkey: &str, local: &Local) -> Result<(), Failure> {
    let store = open_existing(local)?;
    let wallet = one(&store, pubkey)?;
    let info = &wallet.info;
    if !wallet.confirmed {
        let text = "not every participant has confirmed this key: nothing must be sent to it";
        return Err(Failure::new(Exit::Other, text));
    }
    let key = GroupKey::of(&info.ciphersuite, &info.pubkey)
        .ok_or_else(|| Failure::new(Exit::Other, "the wallet's ciphersuite is not known here"))?;
    show(&key, local.json)
}

/// Shows the addresses that the key's ciphersuite says it has, and no other ones.
fn show(key: &GroupKey, json: bool) -> Result<(), Failure> {
    let (pubkey, warning) = (hex::encode(key.bytes()), key.suite().info().warning);
    let addresses = key.addresses();
    if json {
        let mut event = json!({ "event": "address", "pubkey": pubkey });
        for address in &addresses {
            event[address.name] = encode(&address.value)?.into();
        }
        if let Some(warning) = warning {
            event["warning"] = warning.into();
        }
        line(&event);
        return Ok(());
    }
    if addresses.is_empty() {
        println!("key           {pubkey}");
    }
    for address in addresses {
        let prefix = if matches!(address.value, AddressValue::Word(_)) { "0x" } else { "" };
        println!("{:<14}{prefix}{}", address.label, encode(&address.value)?);
    }
    if let Some(warning) = warning {
        println!("\n{warning}");
    }
    Ok(())
}

/// Writes an address.
fn encode(value: &AddressValue) -> Result<String, Failure> {
    let hrp = |text| Hrp::parse(text).or_exit(Exit::Other, "no human-readable part");
    match value {
        AddressValue::Hex(bytes) | AddressValue::Word(bytes) => Ok(hex::encode(bytes)),
        AddressValue::SegwitV1 { hrp: text, program } => {
            segwit::encode_v1(hrp(text)?, program).or_exit(Exit::Other, "no address")
        }
        AddressValue::Bech32 { hrp: text, data } => {
            bech32::encode::<Bech32>(hrp(text)?, data).or_exit(Exit::Other, "no address")
        }
        AddressValue::Text(text) => Ok(text.clone()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::encode;
    use crate::frost::{GroupKey, Suite};

    /// The addresses of a compressed key, by name.
    fn address(suite: &str, key: &str, name: &str) -> Option<String> {
        let suite: Suite = suite.parse().unwrap();
        let addresses = GroupKey::new(suite, hex::decode(key).unwrap()).addresses();
        let found = addresses.into_iter().find(|address| address.name == name)?;
        Some(encode(&found.value).unwrap())
    }

    #[test]
    fn addresses_are_those_of_bip_350_and_nip_19() {
        let generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let author = "023bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d";
        for (key, name, expected) in [
            (
                generator,
                "bitcoin",
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            ),
            (
                generator,
                "testnet",
                "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47zagq",
            ),
            (author, "npub", "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"),
            (author, "x_only", &author[2..]),
        ] {
            assert_eq!(address("secp256k1-tr", key, name).as_deref(), Some(expected));
            assert_eq!(address("secp256k1", key, name), None, "a contract's key has no {name}");
        }
        let y = "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
        assert_eq!(address("secp256k1", generator, "px").as_deref(), Some(&generator[2..]));
        assert_eq!(address("secp256k1", generator, "py").as_deref(), Some(y));
        assert_eq!(address("secp256k1-tr", generator, "px"), None);
    }
}
