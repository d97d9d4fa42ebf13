// The node's snapshot and commands as the UI sees them, and what a surface (page or extension) hands to the UI.

export type MessageKey = keyof typeof import("../../extension/_locales/en/messages.json");

export type Messages = Record<string, { message: string; placeholders?: Record<string, { content: string }> }>;

/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = number;

export type Phase = "proposed" | "meshing" | "round1" | "round2" | "confirming" | "done" | "aborted";

export type Suite = "secp256k1" | "secp256k1-tr";

export type Step = "" | "accepted" | "mesh_ready" | "commitment" | "ready" | "share" | "wallet_created";

export interface Connection {
  state: "offline" | "connecting" | "online";
  server_url: string | null;
  peer_id: string | null;
  error: string | null;
  since: EpochMs;
}

export interface Peer {
  peer_id: string;
  state: "waiting" | "connecting" | "connected" | "ready" | "lost";
  carrier: null | "direct" | "relay";
  /** It has proven an identity, which is that of `fingerprint`. */
  verified: boolean;
  fingerprint: string | null;
  /** The last step received from this peer. */
  step: Step;
}

export interface Session {
  session_id: string;
  phase: Phase;
  proposer: string;
  /** Proposed by this node. */
  mine: boolean;
  /** Proposed by another, and waiting for this person to join or decline. */
  needs_decision: boolean;
  participants: string[];
  total: number;
  threshold: number;
  /** Which signatures the key is to make. */
  suite: Suite;
  /** FROST identifier of this node: its 1-based place among the sorted participants. */
  identifier: number;
  proposer_allows_unverified: boolean;
  allow_unverified: boolean;
  since: EpochMs;
  /** When the current wait ends the session. */
  deadline: EpochMs | null;
  waiting_for: string[];
  reason: null | { kind: string; text: string; peer_id: string | null };
  /** Compressed group key, hex. */
  pubkey: string | null;
  /** What the wallet is to be called, as its proposer says. */
  name: string | null;
  /** Everyone has to prove who it is. */
  verified_only: boolean;
  /** The person has to compare these with every other participant: places in the list of words.js. */
  words: number[] | null;
  /** The other participants. */
  peers: Peer[];
}

/** An invite that waits for somebody. */
export interface Invite {
  session_id: string;
  name: string | null;
  mine: boolean;
  /** If made here: whoever has it can take part. */
  uri: string | null;
  host: string;
  total: number;
  threshold: number;
  /** In seconds since 1970. */
  expires: number;
  /** Who has come: peer id and fingerprint. */
  guests: [string, string][];
}

export interface Contact {
  name: string;
  fingerprint: string;
  first_seen: EpochMs;
  last_seen: EpochMs;
  verified: boolean;
  blocked: boolean;
}

export interface Wallet {
  pubkey: string;
  /** What the group calls it. */
  name?: string;
  session_id: string;
  /** FROST ciphersuite id. */
  ciphersuite: string;
  threshold: number;
  total: number;
  participants: string[];
  identifier: number;
  verified: boolean;
  /** The signatures of all participants over how it was made are kept with it. */
  certified: boolean;
  status: "active" | "unconfirmed";
  created: EpochMs;
}

/** A wallet in use, with its members and what they ask for. */
export interface Group {
  pubkey: string;
  /** Every member has signed a test. */
  ready: boolean;
  threshold: number;
  members: { peer_id: string; me: boolean; online: boolean }[];
  /** Why nothing is signed with it. */
  problem: string | null;
  /** The last test of all signers that was started here: who signed, and who did not and why. */
  check: null | { running: boolean; answered: string[]; failed: [string, string][] };
  requests: Request[];
}

export interface Request {
  id: string;
  /** approved: enough members approve; it is being signed, or waits for signers. */
  state: "open" | "approved" | "signed" | "declined" | "expired";
  /** The kind of the one content, or batch: several contents, all of which are signed or none. */
  kind: Content["kind"] | "batch";
  /** What a person has to see of the one content; of a batch how many contents it has. */
  shown: [string, string][];
  /** The 32 bytes that are signed, hex: those of the first item. */
  digest: string;
  /** Everything that is to be signed, in order. */
  contents: Content[];
  proposer: string;
  created: EpochMs;
  expires: EpochMs;
  approved: string[];
  declined: string[];
  /** What this node has said. */
  decision: boolean | null;
  needs_decision: boolean;
  /** Whom a ceremony that runs here waits for. */
  waiting_for: string[];
  /** The signature of the first item. */
  signature: string | null;
  /** The signatures of all items, in their order; empty while there are none. */
  signatures: { digest: string; signature: string }[];
  signers: string[];
}

/** One content of a request. */
export interface Content {
  kind: "text" | "file" | "nostr-event" | "hash";
  /** What a person has to see: names of fields and what stands in them, exactly as it is signed. */
  shown: [string, string][];
  /** The 32 bytes of each of its items, hex. */
  digests: string[];
}

export interface Snapshot {
  version: 1;
  keystore: "absent" | "locked" | "unlocked";
  connection: Connection;
  /** Other peers registered at the server. */
  peers_online: string[];
  sessions: Session[];
  invites: Invite[];
  /** The fingerprint of this node. */
  identity: string;
  contacts: Contact[];
  groups: Group[];
  wallets: Wallet[];
  /** What is wrong with stored keys, for people. */
  problems: string[];
  /** The node has panicked: the text of the panic. */
  fatal: string | null;
}

export type Command =
  | { type: "set_password" | "unlock"; password: string }
  | { type: "lock" | "disconnect" }
  | { type: "connect"; server_url: string; peer_id: string }
  | {
      type: "propose";
      session_id?: string;
      participants: string[];
      threshold: number;
      suite: string;
      allow_unverified: boolean;
    }
  | { type: "accept"; session_id: string; allow_unverified: boolean }
  | { type: "confirm_words"; session_id: string; they_match: boolean }
  /** `lifetime` in seconds; an hour unless it says otherwise. */
  | { type: "invite"; total: number; threshold: number; suite: string; name?: string; lifetime?: number }
  | { type: "join_invite"; invite: string; peer_id?: string }
  /** `who`: name, peer id or fingerprint. */
  | { type: "rename_contact"; who: string; name: string }
  | { type: "forget_contact"; who: string }
  | { type: "block_contact"; who: string; blocked: boolean }
  /** `lifetime` in seconds; a day unless it says otherwise. */
  | { type: "request"; pubkey: string; content_kind: string; content: string; lifetime?: number }
  | { type: "approve_request" | "decline_request"; request: string }
  | { type: "check"; pubkey: string }
  | { type: "decline" | "cancel" | "dismiss"; session_id: string };

export type ErrorCode =
  | "wrong_password"
  | "weak_password"
  | "locked"
  | "offline"
  | "bad_server_url"
  | "bad_peer_id"
  | "bad_proposal"
  | "bad_invite"
  | "no_camera"
  | "bad_contact"
  | "unverified_not_allowed"
  | "no_such_session"
  | "no_such_wallet"
  | "no_such_request"
  | "bad_request"
  | "storage"
  | "internal"
  /** Made by the UI: the node's document went away before it answered, or did not answer in time. */
  | "node_gone"
  | "no_answer";

export interface CommandError {
  code: string;
  message: string;
}

/**
 * starting: no snapshot yet. ready: snapshots arrive. lost: the node's document is gone, and is being rebuilt.
 * elsewhere: another tab of this browser runs the node.
 */
export type ClientState = "starting" | "ready" | "lost" | "elsewhere";

/** The way from the UI to the node: a direct call in the page, a Port in the extension. */
export interface NodeClient {
  /** Rejects with a CommandError. */
  command(command: Command): Promise<unknown>;
  /** Calls the listener at once, and whenever something changes. */
  subscribe(listener: (state: ClientState, snapshot: Snapshot | null) => void): void;
  /** Throws the running node away and starts a fresh one. */
  restart(): void;
}

/** Where text that somebody is still typing is kept until the browser closes. Never holds a password. */
export interface DraftStore {
  load(): Promise<Record<string, string>>;
  save(drafts: Record<string, string>): void;
}

/** A button of the header: `path` draws its icon on a 24 x 24 grid. */
export interface Tool {
  label: MessageKey;
  path: string;
  run(): unknown;
}

export interface Surface {
  client: NodeClient;
  drafts: DraftStore;
  defaultServerUrl: string;
  /** The address of the page, for links with an invite behind `#`. */
  pageUrl?: string;
  /** An invite that was opened as a link, once; empty if there is none. */
  takeInvite?(): string;
  /** Buttons of this surface for the header, such as "open in a tab". */
  tools: Tool[];
}

/** What every view gets. */
export interface Context extends Pick<NodeClient, "command" | "restart"> {
  /** Gives an input its draft, and keeps what is typed into it. */
  remember(name: string, input: HTMLInputElement | HTMLTextAreaElement): void;
  defaultServerUrl: string;
  pageUrl: string;
  takeInvite(): string;
}

/** A part of the screen: built once, then updated in place with every snapshot. */
export interface View<T> {
  node: HTMLElement;
  update(value: T): void;
}

export type SnapshotView = (context: Context) => View<Snapshot>;

/** A card for one item; the item given here is only good for what never changes of it, such as its id. */
export type Card<T> = (context: Context, item: T) => View<T>;

// dom.js

/** A function is a listener, such as `onclick`. */
export type Attributes = Record<string, string | number | ((event: Event) => unknown)>;

type ElementOf<Name> = Name extends `${infer Tag}.${string}`
  ? ElementOf<Tag>
  : Name extends keyof HTMLElementTagNameMap
    ? HTMLElementTagNameMap[Name]
    : never;

/** Makes an element from `tag` or `tag.class.class`. */
export type MakeElement = <Name extends string>(
  name: Name,
  attributes?: Attributes,
  ...children: (Node | string)[]
) => ElementOf<Name>;

/** A list whose rows are made once per key and then updated in place. */
export type MakeList = <T>(
  parent: HTMLElement,
  keyOf: (item: T) => string,
  make: (item: T) => View<T>,
) => (items: T[]) => void;

/** A section of keyed cards; `lead` stands between its heading and them. */
export type MakeSection = <T>(
  title: string,
  keyOf: (item: T) => string,
  make: (item: T) => View<T>,
  ...lead: Node[]
) => View<T[]>;

/** A part that is loaded when its value is first not `null`. */
export type Later = <T>(load: () => Promise<View<T | null>>) => View<T | null>;

// format.js

/** `at` null hides the timer. */
export type SetTimer = (timer: HTMLElement, at: EpochMs | null) => void;

// form.js

export type MakeField = (input: HTMLElement, label: MessageKey, hint?: MessageKey) => HTMLElement;

/** `text` empty clears the line; `culprit` is the input to mend, and gets the focus. */
export type SetProblem = (line: HTMLElement, text: string, culprit?: HTMLElement) => void;

/** Resolves to whether the work went through; what it throws is shown in the line. */
export type Attempt = (button: HTMLElement, line: HTMLElement, work: () => Promise<unknown>) => Promise<boolean>;
