// Types that the tests share.

import type { Stage } from "./stage.mjs";

/** An object that a program printed with `--json`. */
export type Event = Record<string, any>;

/** Some fields of an event, with their values. */
export type Pattern = Record<string, unknown>;

/** A signaling server, ours or another. */
export interface Server {
  url: string;
}

/** Our signaling server, which has the web page, too. */
export interface Site extends Server {
  page: string;
}

/** Something that a test uses, and that has to end with it. */
export interface Part {
  name: string;
  /** What it saw, for the report of a failure. */
  report(stage: Stage): string | Promise<string>;
  close(): Promise<unknown>;
}

/** What a node asked the server to relay, or what becomes of it. */
export interface Relayed {
  from: string;
  to: string;
  data: any;
}

/** What is known of a new key. */
export interface Made {
  participants: string[];
  threshold: number;
}

/** What the extension's documents and its worker have: functions of the tests run there. */
declare global {
  var chrome: any;
  interface Window {
    /** Set by a test in the page. */
    noRandomness?: boolean;
  }
}
