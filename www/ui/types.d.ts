// What the views of the UI share, and what a surface (page or extension) hands to the UI. What the node shows and takes is in
// api.d.ts, which a test writes from the Rust types.

import type { Command, ErrorCode, KeystoreCommand, Snapshot, Timestamp } from "./api.js";

export type * from "./api.js";

export type MessageKey = keyof typeof import("../../extension/_locales/en/messages.json");

export type Messages = Record<string, { message: string; placeholders?: Record<string, { content: string }> }>;

/** What the UI asks for: of the node, or of the surface that keeps it. */
export type UiCommand = Command | KeystoreCommand;

/**
 * Codes of the node, and of the UI itself: node_gone: the node's document went away before it answered. no_answer: it did not
 * answer in time.
 */
export type UiErrorCode = ErrorCode | "no_camera" | "node_gone" | "no_answer";

export interface CommandError {
  code: UiErrorCode;
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
  command(command: UiCommand): Promise<unknown>;
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
export type SetTimer = (timer: HTMLElement, at: Timestamp | null) => void;

// form.js

export type MakeField = (input: HTMLElement, label: MessageKey, hint?: MessageKey) => HTMLElement;

/** `text` empty clears the line; `culprit` is the input to mend, and gets the focus. */
export type SetProblem = (line: HTMLElement, text: string, culprit?: HTMLElement) => void;

/** Resolves to whether the work went through; what it throws is shown in the line. */
export type Attempt = (button: HTMLElement, line: HTMLElement, work: () => Promise<unknown>) => Promise<boolean>;
