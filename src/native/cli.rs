//! The command line: its arguments and its help. `commands` carries them out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use super::content::{Subject, Subjects};
use super::suites;
use crate::api::{CarrierChoice, CarrierId};
use crate::frost::Suite;
use crate::node::{carrier_info, carriers};
use crate::wire::{PeerId, SessionId};

/// Make and use a k-of-n FROST key together with other nodes, in browsers and on command lines.
#[derive(Parser)]
#[command(name = "frostmesh", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done · 2 usage · 3 server not reachable or lost · 4 aborted · 5 timed out · \
                          6 wrong password or no such wallet · 1 anything else";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the signaling server, with the web page at /
    #[command(after_help = "Example:\n  frostmesh serve --listen 127.0.0.1:9000")]
    Serve(Serve),
    /// Propose a session to others and make a key with them
    #[command(
        after_help = "Example:\n  frostmesh create --server ws://127.0.0.1:9000 --peer-id alice \\\n    \
                      --total 3 --threshold 2 --name Treasury        prints an invite for the two others\n  \
                      frostmesh create --server ws://127.0.0.1:9000 --peer-id alice \\\n    \
                      --participants alice,bob,carol --threshold 2   with safety words to compare"
    )]
    Create(Create),
    /// Take part by an invite, or in the first session that is proposed, or in a certain one
    #[command(after_help = "Example:\n  frostmesh join 'frostmesh:server=...'\n  \
                      frostmesh join --server ws://127.0.0.1:9000 --peer-id bob")]
    Join(Join),
    /// List who is registered at a signaling server
    #[command(after_help = "Example:\n  frostmesh peers --server ws://127.0.0.1:9000")]
    Peers(Peers),
    /// Show the keys that are kept here
    #[command(subcommand, after_help = "Example:\n  frostmesh wallets list")]
    Wallets(Wallets),
    /// Ask the members of a wallet for a signature, or several at once, and approve it here
    #[command(
        after_help = "Example:\n  frostmesh sign --wallet 02a1b2 --text 'I agree'\n  frostmesh sign --wallet 02a1b2 --nostr-event note.json\n  \
                      frostmesh sign --wallet 02a1b2 --hash 0a1b... --hash 2c3d...   one request: all are signed or none\n  \
                      frostmesh sign --wallet 02a1b2 --batch inputs.jsonl            the same, from a file: a line for each, such as\n    \
                      {\"kind\":\"hash\",\"content\":\"0a1b...\"}\n    {\"kind\":\"file\",\"path\":\"contract.pdf\"}"
    )]
    Sign(Sign),
    /// List what members of the wallets here ask for
    #[command(after_help = "Example:\n  frostmesh requests")]
    Requests(Requests),
    /// Approve a request, and sign it when enough do
    #[command(after_help = "Example:\n  frostmesh approve 1f2e3d")]
    Approve(Decide),
    /// Decline a request
    #[command(after_help = "Example:\n  frostmesh decline 1f2e3d")]
    Decline(Decide),
    /// Stay connected for the wallets here: show requests, and sign what is approved
    #[command(
        after_help = "Example:\n  frostmesh node --server ws://127.0.0.1:9000 --policy policy.toml\n\n\
                      While it runs, 'frostmesh sign', 'approve', 'decline' and 'wallets check' act through it.\n\
                      docs/POLICY.md tells what a policy can say."
    )]
    Node(NodeArgs),
    /// Show and check the audit trail of a wallet
    #[command(subcommand, after_help = "Example:\n  frostmesh log verify 02a1b2")]
    Log(Log),
    /// Check a signature, whoever made it
    #[command(
        after_help = "Example:\n  frostmesh verify --suite secp256k1-tr --pubkey 02a1b2... --signature 3c4d... --text 'I agree'"
    )]
    Verify(Verify),
    /// Show where a wallet's key is known: its addresses, or what a contract needs
    #[command(after_help = "Example:\n  frostmesh address 02a1b2...")]
    Address {
        /// The group key, or the beginning of it
        pubkey: String,
        #[command(flatten)]
        local: Local,
    },
    /// Show who this node is: the fingerprint that others see
    #[command(after_help = "Example:\n  frostmesh identity")]
    Identity(Local),
    /// Show and change whom this node knows
    #[command(subcommand, after_help = "Example:\n  frostmesh contacts list")]
    Contacts(Contacts),
    /// Show what participants have signed against each other
    #[command(subcommand, after_help = "Example:\n  frostmesh evidence list")]
    Evidence(Evidence),
}

#[derive(Subcommand)]
pub(super) enum Contacts {
    /// One line for each contact
    #[command(after_help = "Example:\n  frostmesh contacts list")]
    List(Local),
    /// Give a contact another name
    #[command(after_help = "Example:\n  frostmesh contacts rename bob 'Bob at work'")]
    Rename {
        /// Its name, peer id or fingerprint
        who: String,
        /// The new name
        name: String,
        #[command(flatten)]
        local: Local,
    },
    /// Forget a contact: the next one with its peer id is taken for a new one
    #[command(after_help = "Example:\n  frostmesh contacts forget bob")]
    Forget {
        /// Its name, peer id or fingerprint
        who: String,
        #[command(flatten)]
        local: Local,
    },
    /// Do not answer a contact any more
    #[command(after_help = "Example:\n  frostmesh contacts block mallory")]
    Block {
        /// Its name, peer id or fingerprint
        who: String,
        /// Answer it again
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        local: Local,
    },
}

#[derive(Subcommand)]
pub(super) enum Evidence {
    /// One line for each piece
    #[command(after_help = "Example:\n  frostmesh evidence list")]
    List(Local),
    /// One piece as JSON, for anyone to check
    #[command(after_help = "Example:\n  frostmesh evidence show 1f2e3d")]
    Show {
        /// Its name, or the beginning of it
        id: String,
        #[command(flatten)]
        local: Local,
    },
    /// Check a piece that somebody else shows
    #[command(after_help = "Example:\n  frostmesh evidence check evidence.json")]
    Check {
        /// A file as `evidence show` prints it
        file: PathBuf,
        /// Print one JSON object a line on stdout
        #[arg(long)]
        json: bool,
    },
}

/// The values of `--carrier`: `auto`, and the id of each carrier.
fn carrier_choices() -> impl TypedValueParser<Value = CarrierChoice> {
    let auto = PossibleValue::new("auto")
        .help("The server's relay at once, sealed, and WebRTC as soon as it is there");
    let one = |carrier: CarrierId| PossibleValue::new(carrier.id()).help(carrier.info().about);
    PossibleValuesParser::new([auto].into_iter().chain(carriers().map(one))).map(|id| {
        carrier_info(&id)
            .map_or(CarrierChoice::Auto, |info| CarrierChoice::Only(CarrierId::new(info)))
    })
}

#[derive(Args)]
pub(super) struct Serve {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,
    /// Folder with the web page [default: dist/www, where it exists]
    #[arg(long, value_name = "DIR")]
    pub www: Option<PathBuf>,
    /// Print one JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub(super) struct Create {
    /// The signaling server's address
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// This node's name there: 1 to 64 characters of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID")]
    pub peer_id: PeerId,
    #[command(flatten)]
    pub network: Network,
    /// Everyone who takes part, this node included, separated by commas
    #[arg(
        long,
        value_delimiter = ',',
        required_unless_present = "total",
        value_name = "ID,ID,..."
    )]
    pub participants: Vec<PeerId>,
    /// How many take part, this node included: makes an invite for the others
    #[arg(long, value_name = "N", conflicts_with_all = ["participants", "allow_unverified"])]
    pub total: Option<u16>,
    /// What the wallet is called
    #[arg(long, requires = "total")]
    pub name: Option<String>,
    /// How many of them it takes to sign: 2 up to all
    #[arg(long, value_name = "K")]
    pub threshold: u16,
    #[arg(long, default_value_t, help = suites::help_to_make())]
    pub suite: Suite,
    /// A name for the session [default: a random one]
    #[arg(long)]
    pub session_id: Option<SessionId>,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Args)]
pub(super) struct Join {
    /// An invite: nothing else is needed then
    #[arg(value_name = "INVITE", required_unless_present = "server")]
    pub invite: Option<String>,
    /// The signaling server's address
    #[arg(long, value_name = "URL", requires = "peer_id", conflicts_with = "invite")]
    pub server: Option<String>,
    /// This node's name there: 1 to 64 characters of A-Z a-z 0-9 . _ - [default with an invite: a
    /// random one]
    #[arg(long, value_name = "ID")]
    pub peer_id: Option<PeerId>,
    #[command(flatten)]
    pub network: Network,
    /// Wait for this session and leave others alone
    #[arg(long, conflicts_with = "invite")]
    pub session_id: Option<SessionId>,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Args)]
pub(super) struct Peers {
    /// The signaling server's address
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// Print one JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Give up after this many seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub timeout: u64,
}

#[derive(Subcommand)]
pub(super) enum Wallets {
    /// One line for each wallet
    #[command(
        after_help = "Example:\n  frostmesh wallets list --password-file ~/.frostmesh-password"
    )]
    List(Local),
    /// All about one wallet
    #[command(after_help = "Example:\n  frostmesh wallets show 02a1b2...")]
    Show {
        /// The group key, or the beginning of it
        pubkey: String,
        #[command(flatten)]
        local: Local,
    },
    /// Let every member that is there sign a test, to see who can
    #[command(after_help = "Example:\n  frostmesh wallets check 02a1b2")]
    Check {
        /// The group key, or the beginning of it
        pubkey: String,
        /// Give up after this many seconds
        #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
        timeout: u64,
        #[command(flatten)]
        reach: Reach,
        #[command(flatten)]
        local: Local,
    },
    /// Check again how a wallet's key was made, from its certificate
    #[command(after_help = "Example:\n  frostmesh wallets verify 02a1b2...")]
    Verify {
        /// The group key, or the beginning of it
        pubkey: String,
        #[command(flatten)]
        local: Local,
    },
}

/// How to reach the other members of the wallets.
#[derive(Args)]
pub(super) struct Reach {
    /// The signaling server's address [default: the one that was used last]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// This node's name there [default: its name in the wallet]
    #[arg(long, value_name = "ID")]
    pub peer_id: Option<PeerId>,
    /// What may carry messages to the others
    #[arg(long, value_name = "CARRIER", default_value = "auto", value_parser = carrier_choices())]
    pub carrier: CarrierChoice,
    /// A STUN server to learn this machine's outer address from: stun:HOST:PORT (none by default)
    #[arg(long, value_name = "URL")]
    pub ice_server: Vec<String>,
}

#[derive(Args)]
pub(super) struct Sign {
    /// The wallet's group key, or the beginning of it
    #[arg(long, value_name = "PUBKEY")]
    pub wallet: String,
    #[command(flatten)]
    pub subjects: Subjects,
    /// For how many seconds the request stands
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(10..=2_678_400))]
    pub expires: u64,
    /// Give up waiting for the signatures after this many seconds; the request stands all the same
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=2_678_400))]
    pub timeout: u64,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Args)]
pub(super) struct Requests {
    /// Show those that are over, too
    #[arg(long)]
    pub all: bool,
    /// Ask nobody for news: show what is known here
    #[arg(long)]
    pub offline: bool,
    /// Show everything that a request wants signed, however much it is
    #[arg(long)]
    pub all_items: bool,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Args)]
pub(super) struct Decide {
    /// The request's id, or the beginning of it
    pub id: String,
    /// Show everything that the request wants signed, however much it is
    #[arg(long)]
    pub all_items: bool,
    /// Give up after this many seconds: until the request is known here, and then until it is
    /// signed
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=2_678_400))]
    pub timeout: u64,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Args)]
pub(super) struct NodeArgs {
    /// A file that tells what is approved and declined without asking
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub local: Local,
}

#[derive(Subcommand)]
pub(super) enum Log {
    /// What happened, one line for each entry
    #[command(after_help = "Example:\n  frostmesh log show 02a1b2")]
    Show {
        /// The group key, or the beginning of it
        pubkey: String,
        #[command(flatten)]
        local: Local,
    },
    /// See that nothing was changed, left out or cut off
    #[command(
        after_help = "Example:\n  frostmesh log verify 02a1b2\n  frostmesh log verify 02a1b2 --against bobs-log.jsonl"
    )]
    Verify {
        /// The group key, or the beginning of it
        pubkey: String,
        /// Another member's log, as `log export` prints it: tells what the two tell differently
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        #[command(flatten)]
        local: Local,
    },
    /// Print the entries as JSON lines, for others to check
    #[command(after_help = "Example:\n  frostmesh log export 02a1b2 > log.jsonl")]
    Export {
        /// The group key, or the beginning of it
        pubkey: String,
        #[command(flatten)]
        local: Local,
    },
}

#[derive(Args)]
pub(super) struct Verify {
    #[arg(long, help = suites::help_to_verify())]
    pub suite: Suite,
    #[arg(long, value_name = "HEX", help = suites::help_of_key())]
    pub pubkey: String,
    /// The signature, as hexadecimal digits
    #[arg(long, value_name = "HEX")]
    pub signature: String,
    #[command(flatten)]
    pub subject: Subject,
    /// Print one JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// How to reach the others.
#[derive(Args)]
pub(super) struct Network {
    /// Accept participants without a verified identity: the operator of the server could
    /// impersonate them
    #[arg(long)]
    pub allow_unverified: bool,
    /// Trust identities that are met for the first time, without safety words to compare
    #[arg(long)]
    pub trust_first_use: bool,
    /// What may carry messages to the others
    #[arg(long, value_name = "CARRIER", default_value = "auto", value_parser = carrier_choices())]
    pub carrier: CarrierChoice,
    /// Give up after waiting this many seconds for a proposal, for the others to come, or for a
    /// step of theirs
    #[arg(long, default_value_t = 300, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// A STUN server to learn this machine's outer address from: stun:HOST:PORT (none by default)
    #[arg(long, value_name = "URL")]
    pub ice_server: Vec<String>,
}

/// Where keys are stored, and how much to print.
#[derive(Args)]
pub(super) struct Local {
    /// Where keys are kept [default: $XDG_DATA_HOME/frostmesh or ~/.local/share/frostmesh]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// File with the password that protects the keys [or: the variable FROSTMESH_PASSWORD, or a
    /// prompt]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Print one JSON object a line on stdout
    #[arg(long)]
    pub json: bool,
    /// Print more: what was ignored, and a log of connections (the variable RUST_LOG sets what it
    /// holds)
    #[arg(short, long)]
    pub verbose: bool,
}

impl Command {
    /// Whether `--verbose` was given.
    pub(super) fn is_verbose(&self) -> bool {
        self.local().is_some_and(|local| local.verbose)
    }

    /// Where keys are stored, for the commands that use them.
    fn local(&self) -> Option<&Local> {
        Some(match self {
            Self::Serve(_) | Self::Peers(_) | Self::Verify(_) => return None,
            Self::Evidence(Evidence::Check { .. }) => return None,
            Self::Create(args) => &args.local,
            Self::Join(args) => &args.local,
            Self::Sign(args) => &args.local,
            Self::Requests(args) => &args.local,
            Self::Approve(args) | Self::Decline(args) => &args.local,
            Self::Node(args) => &args.local,
            Self::Identity(local)
            | Self::Address { local, .. }
            | Self::Wallets(
                Wallets::List(local)
                | Wallets::Show { local, .. }
                | Wallets::Check { local, .. }
                | Wallets::Verify { local, .. },
            )
            | Self::Log(
                Log::Show { local, .. } | Log::Verify { local, .. } | Log::Export { local, .. },
            )
            | Self::Contacts(
                Contacts::List(local)
                | Contacts::Rename { local, .. }
                | Contacts::Forget { local, .. }
                | Contacts::Block { local, .. },
            )
            | Self::Evidence(Evidence::List(local) | Evidence::Show { local, .. }) => local,
        })
    }
}
