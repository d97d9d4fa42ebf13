//! `frostmesh verify` and `frostmesh address`: what a signature is worth, and where a key is known.

use bech32::{Bech32, Hrp, hrp, segwit};
use serde_json::json;

use super::cli::{Local, Verify};
use super::content;
use super::exit::{Exit, Failure, OrExit};
use super::open::open_existing;
use super::report::line;
use super::stored_wallet::one;
use crate::frost::Suite;

/// Checks a signature with nothing but what the arguments say.
pub(super) fn verify(args: &Verify) -> Result<(), Failure> {
    let hexadecimal = |what: &str, text: &str| {
        hex::decode(text)
            .map_err(|_| Failure::new(Exit::Usage, format_args!("--{what} is not hexadecimal")))
    };
    let (pubkey, signature) =
        (hexadecimal("pubkey", &args.pubkey)?, hexadecimal("signature", &args.signature)?);
    let content = content::read(&args.subject, None)?;
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
    let suite = Suite::of_id(&info.ciphersuite);
    let suite = suite
        .ok_or_else(|| Failure::new(Exit::Other, "the wallet's ciphersuite is not known here"))?;
    let key = hex::decode(&info.pubkey).or_exit(Exit::Other, "the wallet's key cannot be read")?;
    if suite == Suite::default() { contract(&key, local.json) } else { taproot(&key, local.json) }
}

/// Under which names the world knows an x-only key. It is the output key of BIP-341 as it is: key generation has tweaked it.
struct Names {
    bitcoin: String,
    testnet: String,
    npub: String,
}

impl Names {
    fn of(x_only: &[u8]) -> Result<Self, Failure> {
        let address = |hrp: Hrp| segwit::encode_v1(hrp, x_only).or_exit(Exit::Other, "no address");
        let npub = Hrp::parse("npub").or_exit(Exit::Other, "no npub")?;
        let npub = bech32::encode::<Bech32>(npub, x_only).or_exit(Exit::Other, "no npub")?;
        Ok(Self { bitcoin: address(hrp::BC)?, testnet: address(hrp::TB)?, npub })
    }
}

fn taproot(key: &[u8], json: bool) -> Result<(), Failure> {
    let x_only = key.get(1..).unwrap_or_default();
    let Names { bitcoin, testnet, npub } = Names::of(x_only)?;
    if json {
        line(
            &json!({ "event": "address", "pubkey": hex::encode(key), "x_only": hex::encode(x_only),
            "bitcoin": bitcoin, "testnet": testnet, "npub": npub }),
        );
        return Ok(());
    }
    println!("Bitcoin       {bitcoin}");
    println!("testnet       {testnet}");
    println!("Nostr         {npub}");
    println!("x-only key    {}", hex::encode(x_only));
    Ok(())
}

/// What a contract that verifies FROST's Schnorr signatures has to know.
fn contract(key: &[u8], json: bool) -> Result<(), Failure> {
    let point = k256::PublicKey::from_sec1_bytes(key)
        .or_exit(Exit::Other, "the wallet's key cannot be read")?;
    let point = k256::elliptic_curve::sec1::ToEncodedPoint::to_encoded_point(&point, false);
    let (px, py) = (hex::encode(&point.as_bytes()[1..33]), hex::encode(&point.as_bytes()[33..]));
    let warning = "This is no Ethereum account: FROST makes Schnorr signatures, and whatever is sent to an address made of \
                   this key is lost. Only a contract that verifies such signatures can act on it.";
    if json {
        line(
            &json!({ "event": "address", "pubkey": hex::encode(key), "px": px, "py": py, "warning": warning }),
        );
        return Ok(());
    }
    println!("px            0x{px}");
    println!("py            0x{py}");
    println!("\n{warning}");
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Names;

    #[test]
    fn names_are_those_of_bip_350_and_nip_19() {
        let generator =
            hex::decode("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
                .unwrap();
        let names = Names::of(&generator).unwrap();
        assert_eq!(names.bitcoin, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0");
        assert_eq!(names.testnet, "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47zagq");
        let author =
            hex::decode("3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d")
                .unwrap();
        let npub = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6";
        assert_eq!(Names::of(&author).unwrap().npub, npub);
    }
}
