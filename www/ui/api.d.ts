// What the node shows and takes, written from the Rust types in src/api by a test. Do not edit:
// FROSTMESH_WRITE=1 cargo test api_types

/** Milliseconds since 1970-01-01 UTC. */
export type Timestamp = number;

/** 1 to 64 characters of A-Z a-z 0-9 . _ - */
export type PeerId = string;

export type SessionId = string;

/** Secret: whoever has it can take part. */
export type InviteUri = string;

/** The name of a ciphersuite: one of the snapshot's `suites`. */
export type Suite = string;

/** The name of a kind of content: one of the snapshot's `kinds`. */
export type ContentKind = string;

export type Command =
  /** Connect to a signaling server under a name, and stay connected. */
  | { type: "connect"; server_url: string; peer_id: PeerId }
  /** Leave the server. Sessions that need it end. */
  | { type: "disconnect" }
  /** Ask the server which peers are registered. */
  | { type: "list_peers" }
  /** Propose a session, and take part in it. */
  | { type: "propose"; session_id?: SessionId; participants: PeerId[]; threshold: number; suite?: Suite; allow_unverified?: boolean }
  /** Take part in a proposed session. */
  | { type: "accept"; session_id: SessionId; allow_unverified?: boolean }
  /** Do not take part in a proposed session. */
  | { type: "decline"; session_id: SessionId }
  /** Tell whether everyone has the same safety words. If not, the session ends. */
  | { type: "confirm_words"; session_id: SessionId; they_match: boolean }
  /** Make an invite, and start the session when all guests have joined by it. */
  | { type: "invite"; session_id?: SessionId; total: number; threshold: number; suite?: Suite; name?: string; lifetime?: number }
  /** Take part by an invite. The node connects to the invite's server if that is not its own. */
  | { type: "join_invite"; invite: string; peer_id?: PeerId }
  /** Propose an operation to the members of a wallet, and approve it. */
  | { type: "request"; pubkey: string; content_kind: ContentKind | "batch"; content: string; lifetime?: number }
  /** Approve a request, also one that was declined here. */
  | { type: "approve_request"; request: string; rule?: string }
  /** Decline a request, also one that was approved here, as long as it is not signed. */
  | { type: "decline_request"; request: string; rule?: string }
  /** Let every member of a wallet that can be reached sign a fixed text, to see that it can. */
  | { type: "check"; pubkey: string }
  /** Give a contact another name. */
  | { type: "rename_contact"; who: string; name: string }
  /** Forget a contact. */
  | { type: "forget_contact"; who: string }
  /** Block a contact, or undo that. */
  | { type: "block_contact"; who: string; blocked?: boolean }
  /** Leave a session, or withdraw an invite. */
  | { type: "cancel"; session_id: SessionId }
  /** Forget a session that is over. */
  | { type: "dismiss"; session_id: SessionId };

export type KeystoreCommand =
  /** Make the keystore. */
  | { type: "set_password"; password: string }
  /** Open the keystore, and start the node. */
  | { type: "unlock"; password: string }
  /** Close the keystore, and end the node. */
  | { type: "lock" };

/** What kind of refusal it is, for programs. The names are part of the interface. */
export type ErrorCode = "wrong_password" | "weak_password" | "locked" | "offline" | "bad_server_url" | "bad_peer_id" | "bad_proposal" | "bad_invite" | "bad_contact" | "unverified_not_allowed" | "no_such_session" | "no_such_wallet" | "no_such_request" | "bad_request" | "storage" | "internal";

/** A refusal as surfaces give it to programs: a code, and a sentence for people. */
export type Refusal = {
  /** What kind of refusal it is. */
  code: ErrorCode;
  /** What is wrong, and what to do about it. */
  message: string;
};

/** Everything a user interface shows. */
export type Snapshot = {
  /** The version of this format. 1. */
  version: number;
  /** Whether there is a password, and whether it was given. */
  keystore: KeystoreState;
  /** The ciphersuites that a key can be made for, the default one first. */
  suites: Array<SuiteView>;
  /** The kinds of content that can be signed. */
  kinds: Array<KindView>;
  /** What can carry messages. */
  carriers: Array<CarrierView>;
  /** The stored keys, oldest first. */
  wallets: Array<WalletView>;
  /** What is wrong with stored data, for people. */
  problems: Array<string>;
  /** The node has panicked: the text of the panic. */
  fatal: string | null;
  /** The signaling server. */
  connection: ConnectionView;
  /** Other peers that are registered at the server, as far as known. */
  peers_online: Array<PeerId>;
  /** Sessions, newest last. */
  sessions: Array<SessionView>;
  /** Invites that wait for guests. */
  invites: Array<InviteView>;
  /** The fingerprint of this node's identity. */
  identity: string;
  /** Its contacts. */
  contacts: Array<ContactView>;
  /** Wallets in use, with their members and requests. */
  groups: Array<GroupView>;
};

/** Whether there is a password, and whether it was given. */
export type KeystoreState = "absent" | "locked" | "unlocked";

/** A ciphersuite. */
export type SuiteView = {
  /** Its name in commands and sessions. */
  name: Suite;
  /** Its id in wallets: the `contextString` of RFC 9591. */
  id: string;
  /** Which signatures its keys make and what for. */
  label: Label;
  /** What its keys can be used for. */
  uses: string[];
};

/** A kind of content. */
export type KindView = {
  /** Its name in commands and requests. */
  name: ContentKind;
  /** What people call it. */
  label: Label;
  /** What a member is asked to do; `$1` stands for the member that asks. */
  asks: Label;
  /** What people have to know before they sign it. */
  warning: Label | null;
  /** What a wallet's key must be usable for to sign it: one of the `uses` of its ciphersuite. */
  needs: string | null;
  /** How people give it. */
  input: Input;
};

/** A text for people, with the key of its translations. */
export type Label = {
  /** Its key in `extension/_locales/LANGUAGE/messages.json`. The message there is shown, if there is one. */
  key: string;
  /** The text in plain English. It is shown where no message has the key, so that a new variation works before anybody has translated it. `$1` stands for the first value. */
  text: string;
};

/** How people give content of a kind, on a screen and on a command line. */
export type Input = "text" | "line" | "document" | "file_hash";

/** A stored key. */
export type WalletView = {
  /** Whether all participants have confirmed it. */
  status: WalletStatus;
  /** The signatures of all participants over how it was made are stored with it. */
  certified: boolean;
  /** The group's verifying key, compressed, as hex. */
  pubkey: string;
  /** What the group calls it, if anything. */
  name?: string;
  /** The session that made it. */
  session_id: SessionId;
  /** FROST ciphersuite id. */
  ciphersuite: string;
  /** Signers needed. */
  threshold: number;
  /** Participants. */
  total: number;
  /** Everyone's name, ascending by identifier: the names of `roster`. */
  participants: Array<PeerId>;
  /** The members, and the FROST identifier of each. */
  roster: WalletRoster;
  /** This node's FROST identifier. */
  identifier: number;
  /** Whether every participant was verified when the key was made, by safety words or an invite. */
  verified: boolean;
  /** When the key was made, in milliseconds since 1970. */
  created: number;
};

/** One member of a wallet. */
export type RosterEntry = {
  /** Its FROST identifier. */
  identifier: number;
  /** Its name. */
  peer_id: PeerId;
};

/** The members of a wallet, ascending by identifier, each once. */
export type WalletRoster = Array<RosterEntry>;

/** Whether all participants have confirmed a key. */
export type WalletStatus = "active" | "unconfirmed";

/** The connection to the signaling server. */
export type ConnectionView = {
  /** Its state. */
  state: ConnectionState;
  /** The server, once one was named. */
  server_url: string | null;
  /** This node's name there. */
  peer_id: PeerId | null;
  /** Why it is not online. */
  error: string | null;
  /** Since when it is in that state. */
  since: Timestamp;
};

/** The state of the connection to the server. */
export type ConnectionState = "offline" | "connecting" | "online";

/** One session. */
export type SessionView = {
  /** Its id. */
  session_id: SessionId;
  /** Its phase. */
  phase: PhaseName;
  /** Its proposer. */
  proposer: PeerId;
  /** Proposed here. */
  mine: boolean;
  /** Waits for the person here to join or decline. */
  needs_decision: boolean;
  /** Everyone, sorted. */
  participants: Array<PeerId>;
  /** Participants. */
  total: number;
  /** Signers needed. */
  threshold: number;
  /** Which signatures the key is to make. */
  suite: Suite;
  /** This node's FROST identifier. */
  identifier: number;
  /** The proposer accepts participants without a verified identity. */
  proposer_allows_unverified: boolean;
  /** The person here accepts participants without a verified identity. */
  allow_unverified: boolean;
  /** Since when it is in that state. */
  since: Timestamp;
  /** When the current wait ends. */
  deadline: Timestamp | null;
  /** The participants that this node waits for. */
  waiting_for: Array<PeerId>;
  /** Why it ended. */
  reason: Reason | null;
  /** The group key, once it is made here. */
  pubkey: string | null;
  /** What the wallet is to be called. */
  name: string | null;
  /** Every participant needs a verified identity. */
  verified_only: boolean;
  /** The safety words to compare with every other participant, while that is awaited here. */
  words: [number, number, number, number] | null;
  /** The other participants. */
  peers: Array<PeerView>;
};

/** The phases as people and tests see them. */
export type PhaseName = "proposed" | "meshing" | "round1" | "round2" | "confirming" | "done" | "aborted";

/** Another participant of a session. */
export type PeerView = {
  /** The participant. */
  peer_id: PeerId;
  /** How far the connection to it is. */
  state: PeerState;
  /** What carries messages to it, while it can be reached. */
  carrier: CarrierId | null;
  /** Whether its identity is proven, and known to be its own: by an invite, or by words that were compared. */
  verified: boolean;
  /** The fingerprint of its identity, once that is proven. */
  fingerprint: string | null;
  /** The last step of key generation that it sent. */
  step: ProtocolStep;
};

/** How far the connection to a participant is. */
export type PeerState = "waiting" | "connecting" | "connected" | "ready" | "lost";

/** A carrier: `direct` is a WebRTC data channel, `relay` the signaling server, which sees ciphertext only. In JSON it is its id. */
export type CarrierId = string;

/** A carrier. */
export type CarrierView = {
  /** Its id in views and events. */
  id: string;
  /** How a peer is reached by it. */
  label: Label;
};

/** The last step of key generation that came from a participant. */
export type ProtocolStep = "" | "accepted" | "mesh_ready" | "commitment" | "ready" | "share" | "wallet_created";

/** Why a session ended. */
export type Reason = {
  /** What happened. */
  kind: ReasonKind;
  /** The participant that caused it, where that can be known or was reported. */
  peer_id: PeerId | null;
  /** The participant on whose word the reason rests; `None` for what was seen here. */
  reported_by: PeerId | null;
  /** A sentence for people. */
  text: string;
};

/** The kind of a [`Reason`]; its name travels in `cause.kind` and in the `aborted` event. */
export type ReasonKind = "declined" | "cancelled" | "timed_out" | "peer_lost" | "server_lost" | "bad_message" | "bad_commitment" | "bad_share" | "conflict" | "key_mismatch" | "unverified" | "identity_changed" | "link_failed" | "disagreement" | "equivocation" | "bad_signature" | "storage" | "internal";

/** An invite, for people. */
export type InviteView = {
  /** The session that it is for. */
  session_id: SessionId;
  /** What the wallet is to be called. */
  name: string | null;
  /** Made here. */
  mine: boolean;
  /** The invite, if made here. Secret: everyone who has it can take part. */
  uri: InviteUri | null;
  /** The peer that made it. */
  host: PeerId;
  /** Participants. */
  total: number;
  /** Signers needed. */
  threshold: number;
  /** When it ends, in seconds since 1970. */
  expires: number;
  /** The guests that have joined, each with the fingerprint of its identity. */
  guests: Array<[PeerId, string]>;
};

/** A contact, as people see it. */
export type ContactView = {
  /** Its name here. */
  name: string;
  /** The fingerprint of its identity. */
  fingerprint: string;
  /** When it was first met. */
  first_seen: Timestamp;
  /** When it was last met. */
  last_seen: Timestamp;
  /** Verified by words or an invite. */
  verified: boolean;
  /** Its messages are ignored. */
  blocked: boolean;
};

/** A wallet in use. */
export type GroupView = {
  /** The group key, as hex. */
  pubkey: string;
  /** Every member has signed a test. */
  ready: boolean;
  /** Signers needed. */
  threshold: number;
  /** The members, by FROST identifier. */
  members: Array<MemberView>;
  /** Why nothing is signed with it. */
  problem: string | null;
  /** The last health check that this node coordinated. */
  check: CheckView | null;
  /** Requests, oldest first. */
  requests: Array<RequestView>;
};

/** A member of a wallet. */
export type MemberView = {
  /** The member. */
  peer_id: PeerId;
  /** This node. */
  me: boolean;
  /** Can be reached right now. */
  online: boolean;
  /** What carries messages to it, while it can be reached. */
  carrier: CarrierId | null;
};

/** A health check. */
export type CheckView = {
  /** It is not over yet. */
  running: boolean;
  /** Members that have signed. */
  answered: Array<PeerId>;
  /** Members that have not, and why. */
  failed: Array<[PeerId, string]>;
};

/** A request, as people see it. */
export type RequestView = {
  /** Its id, as hex. */
  id: string;
  /** Its state. */
  state: RequestState;
  /** The kind of operation: that of the one content to sign, or `batch`. */
  kind: ContentKind | "batch";
  /** What a person has to see of the one content: names of fields, and what stands in them. Of a batch: how many contents it has. */
  shown: Array<[string, string]>;
  /** The 32 bytes that are signed, as hex: those of the first item. */
  digest: string;
  /** All contents that are to be signed, in order: what a person has to see of each. */
  contents: Array<ContentView>;
  /** Its proposer. */
  proposer: PeerId;
  /** When it was made. */
  created: Timestamp;
  /** When it ends. */
  expires: Timestamp;
  /** Members that approve. */
  approved: Array<PeerId>;
  /** Members that decline. */
  declined: Array<PeerId>;
  /** The vote of this node, if it has voted: true approves. */
  decision: boolean | null;
  /** Waits for the person here to approve or decline. */
  needs_decision: boolean;
  /** The signers that a ceremony waits for, while this node coordinates one. */
  waiting_for: Array<PeerId>;
  /** The signature of the first item, as hex. */
  signature: string | null;
  /** The signatures of all items, in their order; empty while there are none. */
  signatures: Array<SignatureView>;
  /** The signers, as the member that sent the signatures first names them. */
  signers: Array<PeerId>;
};

/** One content of a request, as people see it. */
export type ContentView = {
  /** The kind of content. */
  kind: ContentKind;
  /** What a person has to see before approving: names of fields, and their contents. */
  shown: Array<[string, string]>;
  /** The 32 bytes of each of its items, as hex. */
  digests: Array<string>;
};

/** The signature of one item. */
export type SignatureView = {
  /** The 32 bytes that are signed, as hex. */
  digest: string;
  /** The signature, as hex. */
  signature: string;
};

/** The state of a request. */
export type RequestState = "open" | "approved" | "signed" | "declined" | "expired";

/** What happened, for people and programs. `--json` prints the JSON form, with two differences: `words` has the words themselves in place of their indices, and `aborted` has the fields of its reason beside `session_id`. */
export type Event = {
  event: "registered";
  /** Its peer id there. */
  peer_id: PeerId;
} | {
  event: "peers";
  /** Everyone registered. */
  peers: Array<PeerId>;
} | {
  event: "server_lost";
  /** For people. */
  reason: string;
  /** Whether the peer id had been registered before. */
  was_registered: boolean;
} | {
  event: "server_refused";
  /** For people. */
  reason: string;
} | {
  event: "server_gone";
  /** For people. */
  reason: string;
} | {
  event: "proposed";
  /** The session. */
  session_id: SessionId;
  /** Its proposer. */
  peer_id: PeerId;
  /** Everyone, sorted. */
  participants: Array<PeerId>;
  /** Participants. */
  total: number;
  /** Signers needed. */
  threshold: number;
  /** Which signatures the key is to make. */
  suite: Suite;
} | {
  event: "refused";
  /** The session it named. */
  session_id: SessionId;
  /** Its proposer. */
  peer_id: PeerId;
  /** Which rule. */
  reason: string;
} | {
  event: "accepted";
  /** The session. */
  session_id: SessionId;
  /** The peer. */
  peer_id: PeerId;
} | {
  event: "declined";
  /** The session. */
  session_id: SessionId;
  /** The peer. */
  peer_id: PeerId;
  /** Why, in its own words. */
  reason: string | null;
} | {
  event: "peer_connected";
  /** The peer. */
  peer_id: PeerId;
  /** What carries messages to it. */
  carrier: CarrierId;
  /** Whether its identity is proven. */
  verified: boolean;
} | {
  event: "carrier";
  /** The peer. */
  peer_id: PeerId;
  /** What carries them. */
  carrier: CarrierId;
} | {
  event: "peer_disconnected";
  /** The peer. */
  peer_id: PeerId;
  /** For people. */
  reason: string;
} | {
  event: "mesh_ready";
  /** The session. */
  session_id: SessionId;
} | {
  event: "words";
  /** The session. */
  session_id: SessionId;
  /** Indices into the list of 2048 words. */
  words: [number, number, number, number];
} | {
  event: "invite";
  /** The session. */
  session_id: SessionId;
  /** The invite, to be passed to the guests. Secret: everyone who has it can take part. */
  uri: InviteUri;
  /** When it ends, in seconds since 1970. */
  expires: number;
} | {
  event: "arrived";
  /** The session. */
  session_id: SessionId;
  /** The peer. */
  peer_id: PeerId;
  /** Its identity. */
  fingerprint: string;
  /** How many guests have not joined yet. */
  missing: number;
} | {
  event: "round";
  /** The session. */
  session_id: SessionId;
  /** 1 or 2. */
  round: number;
} | {
  event: "wallet_created";
  /** The session. */
  session_id: SessionId;
  /** The group key. */
  pubkey: string;
  /** Which signatures it makes. */
  suite: Suite;
  /** Signers needed. */
  threshold: number;
  /** Participants. */
  total: number;
  /** Everyone, sorted. */
  participants: Array<PeerId>;
  /** This node's FROST identifier. */
  identifier: number;
  /** Whether every participant's identity was proven. */
  verified: boolean;
} | {
  event: "wallet_ready";
  /** The group key. */
  pubkey: string;
} | {
  event: "wallet_unusable";
  /** The group key. */
  pubkey: string;
  /** Why. */
  reason: string;
} | {
  event: "checked";
  /** The group key. */
  pubkey: string;
  /** Members that have signed. */
  answered: Array<PeerId>;
  /** Members that have not, and why. */
  failed: Array<[PeerId, string]>;
} | {
  event: "member";
  /** The group key. */
  pubkey: string;
  /** The peer. */
  peer_id: PeerId;
  /** Whether it can be reached. */
  online: boolean;
  /** What carries messages to it, while it can be reached. */
  carrier?: CarrierId;
} | {
  event: "member_version";
  /** The group key. */
  pubkey: string;
  /** The member. */
  peer_id: PeerId;
  /** Its version. */
  version: number;
  /** This node's version. */
  ours: number;
} | {
  event: "requested";
  /** The group key. */
  pubkey: string;
  /** The request's id. */
  request: string;
  /** Its proposer. */
  peer_id: PeerId;
  /** The kind of operation: that of the one content to sign, or `batch`. */
  kind: ContentKind | "batch";
  /** The 32 bytes that would be signed, as hex: those of the first item. */
  digest: string;
  /** What a person has to see of the one content: names of fields, and what stands in them. */
  shown: Array<[string, string]>;
  /** All contents that are to be signed, in order. */
  contents: Array<ContentView>;
  /** When it ends, in milliseconds since 1970. */
  expires: number;
} | {
  event: "voted";
  /** The group key. */
  pubkey: string;
  /** The request's id. */
  request: string;
  /** The peer. */
  peer_id: PeerId;
  /** Whether it approves. */
  approves: boolean;
  /** The state of the request after the vote. */
  state: RequestState;
} | {
  event: "signing";
  /** The group key. */
  pubkey: string;
  /** The request's id. */
  request: string;
  /** The signers. */
  signers: Array<PeerId>;
} | {
  event: "signing_failed";
  /** The group key. */
  pubkey: string;
  /** The request's id. */
  request: string;
  /** The members that caused it. */
  culprits: Array<PeerId>;
  /** What they did. */
  reason: string;
} | {
  event: "signature";
  /** The group key. */
  pubkey: string;
  /** The request's id. */
  request: string;
  /** The ciphersuite. */
  suite: Suite;
  /** The 32 bytes that were signed, as hex: those of the first item. */
  digest: string;
  /** The signature of the first item, as hex. */
  signature: string;
  /** The signatures of all items, in their order. */
  signatures: Array<SignatureView>;
  /** The signers. */
  signers: Array<PeerId>;
} | {
  event: "aborted";
  /** The session. */
  session_id: SessionId;
  /** Why. */
  reason: Reason;
} | {
  event: "ignored";
  /** Its sender, as far as known. */
  peer_id: PeerId | null;
  /** What was wrong with it. */
  reason: string;
};
